"""Gene sets: R's numbers, and what the tests must not depend on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cases import each
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, fit_glm
from countnest.stats.edger.levels import compat_level
from countnest.stats.gene_sets.bases import residual_basis
from countnest.stats.gene_sets.camera import camera_tests, preranked_tests
from countnest.stats.gene_sets.effects import LinearData, gene_effects
from countnest.stats.gene_sets.fry import rotation_tests
from countnest.stats.gene_sets.ranks import average_ranks, rank_sum_scores
from countnest.stats.gene_sets.scores import negative_binomial_scores
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.linear.least_squares import lm_fit
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.t_and_f import moderated_t
from exact import read_exactly
from unit.stats.edger_cases import NAMES
from unit.stats.gene_set_cases import DATA, counts_of, last, numbers_of, sets_of, voomed
from unit.stats.limma_reference import CASES

R_TOLERANCE = 1e-10


def same(found, expected, tolerance=R_TOLERANCE):
    np.testing.assert_allclose(found, np.asarray(expected, dtype=float), rtol=tolerance, atol=1e-14)


def directions(up):
    return np.where(up, "Up", "Down").tolist()


def crossed(n_genes=40, seed=5):
    """Return genes of a design of indicators with pivots that are zero but for rounding, with weights."""
    rng = np.random.default_rng(seed)
    family, treated = np.repeat(np.arange(4), 4), np.tile([0.0, 0.0, 1.0, 1.0], 4)
    design = np.column_stack([np.ones(16), *(family == np.arange(1, 4)[:, np.newaxis]).astype(float), treated])
    values, weights = rng.normal(size=(n_genes, 16)), rng.uniform(0.5, 2.0, (n_genes, 16))
    return LinearData(values, design, weights)


SETS = [np.arange(6), np.arange(5, 20), np.array([3]), np.arange(25, 40)]


@each("name", CASES)
def test_sets_of_log_counts_have_the_numbers_of_r(name):
    data, sets, r = voomed(name), sets_of(name), numbers_of(name)
    effects = gene_effects(data, last(data.design.shape[1]), aligned=False)
    fixed = camera_tests(effects, sets)
    same(fixed.p_value, r["camera"])
    assert directions(fixed.up) == r["direction"].tolist()
    estimated = camera_tests(effects, sets, correlation=None)
    same(estimated.correlation, r["correlation"])
    same(estimated.p_value, r["camera_est"])
    same(camera_tests(effects, sets, ranks=True).p_value, r["camera_ranks"])
    rotated = rotation_tests(effects, sets)
    same(rotated.p_value, r["fry"])
    same(rotated.mixed, r["fry_mixed"])
    assert directions(rotated.up) == r["fry_direction"].tolist()


@each("name", CASES)
def test_sets_of_statistics_have_the_numbers_of_r(name):
    data, sets, r = voomed(name), sets_of(name), numbers_of(name)
    fits = lm_fit(data.values, data.design, data.weights)
    moderated = moderate_variances(fits.sigma**2, fits.df)
    t = moderated_t(fits.coefficients[:, -1], fits.stdev_unscaled[:, -1], moderated).statistic
    same(preranked_tests(t, sets).p_value, r["cameraPR"])
    same(preranked_tests(t, sets, ranks=True).p_value, r["cameraPR_ranks"])


@each("name", NAMES)
def test_sets_of_counts_have_the_numbers_of_r(name):
    study, sets, r = counts_of(name), sets_of(name), numbers_of(name)
    dispersion = study.table("genes")[0]["tagwise"].to_numpy()
    null = Columns.of(study.design[:, :-1])
    inputs = GLMInputs.of(study.counts, study.factors, study.weights)
    mu = fit_glm(inputs, null, dispersion, level=compat_level("bioc3.20")).mu
    scores = negative_binomial_scores(study.counts, mu, dispersion)
    effects = gene_effects(LinearData(scores, study.design), last(study.design.shape[1]))
    same(camera_tests(effects, sets).p_value, r["counts_camera"])
    rotated = rotation_tests(effects, sets, standardize=False)
    same(rotated.p_value, r["counts_fry"])
    same(rotated.mixed, r["counts_fry_mixed"])


def test_scores_of_counts_have_the_numbers_of_r():
    r = read_exactly(DATA / "zscore_nbinom.csv.gz")
    counts, mu = (r[name].to_numpy(dtype=float)[:, np.newaxis] for name in ("q", "mu"))
    same(negative_binomial_scores(counts, mu, 1.0 / r["size"].to_numpy(dtype=float))[:, 0], r["z"])


def test_scores_rise_with_the_count_between_whole_counts_too_and_stay_finite():
    counts = np.concatenate([np.arange(0.0, 40.0, 0.25), [1e3, 1e5]])[np.newaxis]
    for alpha in (0.0, 1e-6, 0.1, 20.0):
        scores = negative_binomial_scores(counts, np.full_like(counts, 6.0), np.array([alpha]))[0]
        assert np.isfinite(scores[1:]).all()
        assert (np.diff(scores) > 0).all()


def test_scores_at_the_least_dispersions_are_those_of_poisson_counts():
    counts = np.arange(0.0, 30.0)[np.newaxis]
    mu = np.full_like(counts, 8.0)
    poisson = stats.poisson(8.0)
    expected = stats.norm.ppf(poisson.cdf(counts) - 0.5 * poisson.pmf(counts))
    np.testing.assert_allclose(negative_binomial_scores(counts, mu, np.zeros(1)), expected, rtol=1e-7)
    np.testing.assert_allclose(negative_binomial_scores(counts, mu, np.array([1e-9])), expected, rtol=1e-6)
    assert negative_binomial_scores(np.zeros((1, 1)), np.zeros((1, 1)), np.array([0.1]))[0, 0] == 0.0


def test_the_residual_basis_is_orthonormal_and_orthogonal_to_the_design():
    design = crossed().design
    basis = residual_basis(design)
    np.testing.assert_allclose(basis.T @ basis, np.eye(11), atol=1e-14)
    np.testing.assert_allclose(design.T @ basis, 0.0, atol=1e-14)


def test_effects_are_estimates_over_their_unscaled_errors_and_residuals_have_the_residual_variance():
    data = crossed()
    blocks = Blocks(np.arange(16) % 8, 0.4)
    for given in (data, replace(data, blocks=blocks), replace(data, weights=None)):
        fits = lm_fit(given.values, given.design, given.weights, given.blocks)
        for contrast in (np.eye(5)[4], -2.0 * np.eye(5)[1], np.array([0.0, 1.0, -0.5, -0.5, 0.0])):
            expected = contrast_fits(fits, contrast[np.newaxis])
            for aligned in (True, False):
                found = gene_effects(given, contrast, aligned=aligned)
                same(found.effect, (expected.estimates / expected.stdev_unscaled)[:, 0])
                same(found.variance, fits.sigma**2)


def test_aligned_bases_are_those_of_one_decomposition_where_weights_are_equal():
    data = crossed()
    contrast = last(5)
    for weights in (None, np.ones((1, 16)), np.full((40, 16), 3.0)):
        given = replace(data, weights=weights)
        expected = gene_effects(given, contrast).residual
        scale = 1.0 if weights is None else np.sqrt(weights[0, 0])
        basis = residual_basis(data.design)
        same(expected, scale * data.values @ basis, 1e-9)
    few = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 5)))[0]  # no pivot is near zero
    given = LinearData(data.values, few)
    same(gene_effects(given, contrast).residual, gene_effects(given, contrast, aligned=False).residual, 1e-9)


def test_aligned_coordinates_are_those_of_the_polar_factor():
    data = crossed()
    found = gene_effects(data, last(5)).residual
    basis = residual_basis(data.design)
    for g in range(5):
        root = np.sqrt(data.weights[g])
        model = np.linalg.qr(root[:, np.newaxis] * data.design)[0]
        left, _, right = np.linalg.svd(basis - model @ (model.T @ basis), full_matrices=False)
        same(found[g], (root * data.values[g]) @ left @ right)


def test_aligned_bases_do_not_depend_on_rounding_and_correlations_not_on_the_order_of_samples_or_columns():
    data, rng = crossed(), np.random.default_rng(2)
    expected = camera_tests(gene_effects(data, last(5)), SETS, correlation=None)
    nudged = replace(data, design=data.design * (1.0 + 1e-15 * rng.normal(size=data.design.shape)))
    same(gene_effects(nudged, last(5)).residual, gene_effects(data, last(5)).residual, 1e-9)
    for _ in range(5):
        order = rng.permutation(16)
        columns = np.append(rng.permutation(4), 4)
        moved = LinearData(data.values[:, order], data.design[np.ix_(order, columns)], data.weights[:, order])
        found = camera_tests(gene_effects(moved, last(5)), SETS, correlation=None)
        same(found.correlation, expected.correlation)
        same(found.p_value, expected.p_value)


def test_tests_do_not_depend_on_the_order_of_genes_or_the_parametrization():
    data, rng = crossed(), np.random.default_rng(3)
    order = rng.permutation(40)
    place = np.argsort(order)
    effects = gene_effects(data, last(5))
    moved = gene_effects(LinearData(data.values[order], data.design, data.weights[order]), last(5))
    turn = rng.normal(size=(5, 5))
    turned = gene_effects(replace(data, design=data.design @ turn), turn.T @ last(5))
    for test in (
        camera_tests,
        lambda *args: camera_tests(*args, correlation=None),
        lambda *args: camera_tests(*args, ranks=True),
    ):
        expected = test(effects, SETS)
        same(test(moved, [place[members] for members in SETS]).p_value, expected.p_value)
        same(test(turned, SETS).p_value, expected.p_value)
    expected = rotation_tests(effects, SETS)
    found = rotation_tests(moved, [place[members] for members in SETS])
    same(found.p_value, expected.p_value)
    same(found.mixed, expected.mixed)


def test_correlated_genes_are_found_to_be():
    data = crossed(300)
    shared = np.zeros((300, 1))
    shared[:30] = 1.0
    values = data.values + shared * np.random.default_rng(4).normal(size=(1, 16))
    effects = gene_effects(replace(data, values=values, weights=None), last(5))
    found = camera_tests(effects, [np.arange(30), np.arange(40, 70)], correlation=None)
    assert found.correlation[0] > 0.3
    assert abs(found.correlation[1]) < 0.1
    assert found.p_value[0] > camera_tests(effects, [np.arange(30)]).p_value[0]


def test_p_values_of_sets_without_effect_are_uniform():
    rng = np.random.default_rng(6)
    effects = gene_effects(
        LinearData(rng.normal(size=(6000, 8)), np.column_stack([np.ones(8), np.arange(8) % 2])), last(2)
    )
    sets = [np.arange(start, start + 15) for start in range(0, 6000, 15)]
    rotated = rotation_tests(effects, sets)
    for p in (
        camera_tests(effects, sets, correlation=0.0).p_value,
        camera_tests(effects, sets, correlation=0.0, ranks=True).p_value,
        rotated.p_value,
        rotated.mixed,
    ):
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_a_set_that_is_all_or_nothing_has_no_test_and_a_gene_alone_changes_in_one_direction():
    effects = gene_effects(crossed(), last(5))
    odd = [np.arange(40), np.arange(0), np.array([7])]
    for found in (
        camera_tests(effects, odd),
        camera_tests(effects, odd, ranks=True),
        camera_tests(effects, odd, correlation=None),
    ):
        np.testing.assert_array_equal(np.isnan(found.p_value), [True, True, False])
    rotated = rotation_tests(effects, odd)
    np.testing.assert_array_equal(np.isnan(rotated.p_value), [False, True, False])
    assert rotated.mixed[2] == rotated.p_value[2]


def test_ranks_of_independent_genes_are_those_of_the_rank_sum_test():
    values = np.round(np.random.default_rng(7).normal(size=60), 1)  # with ties
    members = np.arange(0, 60, 4)
    low, high = stats.norm.sf(rank_sum_scores(*average_ranks(values), members, 0.0))
    rest = np.delete(values, members)
    for found, side in ((low, "less"), (high, "greater")):
        same(found, stats.mannwhitneyu(values[members], rest, alternative=side, method="asymptotic").pvalue)
    assert preranked_tests(np.ones(10) + np.arange(10) % 2, [np.array([0, 1])], ranks=True).p_value[0] <= 1.0


def test_no_residuals_and_no_contrast_are_refused():
    square = LinearData(np.ones((3, 2)), np.array([[1.0, 0.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="no residual degrees of freedom"):
        gene_effects(square, last(2))
    with pytest.raises(ValueError, match="contrast is zero"):
        gene_effects(crossed(), np.zeros(5))


def test_with_weights_shared_residuals_are_found_and_sets_without_effect_have_uniform_p_values():
    data, rng = crossed(3000, 1), np.random.default_rng(1)
    shared = np.repeat(rng.normal(size=(200, 16)), 15, axis=0)  # noise of the genes of a set
    noise = np.sqrt(0.8) * data.values + np.sqrt(0.2) * shared
    data = replace(data, values=noise / np.sqrt(data.weights))
    sets = [np.arange(start, start + 15) for start in range(0, 3000, 15)]
    aligned, single = (gene_effects(data, last(5), aligned=each) for each in (True, False))
    found = camera_tests(aligned, sets, correlation=None)
    assert 0.17 < found.correlation.mean() < 0.21
    assert found.correlation.mean() > camera_tests(single, sets, correlation=None).correlation.mean()
    rotated = rotation_tests(aligned, sets)
    for p in (rotated.p_value, rotated.mixed):
        assert stats.kstest(p, "uniform").pvalue > 1e-2
