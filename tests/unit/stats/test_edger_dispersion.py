"""Dispersions by adjusted profile likelihood against edgeR, and what holds whatever the data."""

import json

import numpy as np
import pytest

from countnest.errors import CountsError, DesignError
from countnest.stats.edger.columns import Columns, independent_columns, without_samples
from countnest.stats.edger.dispersion import common_dispersion, estimate_dispersions
from countnest.stats.edger.glm import GLMInputs, fit_glm
from countnest.stats.edger.interpolant import maximizing_points
from countnest.stats.edger.levels import compat_level
from countnest.stats.edger.local_mean import local_means, trend_span
from countnest.stats.edger.profile import LOG_GRID, adjusted_profile, dispersion_grid
from countnest.stats.edger.quasi import highest_genes, share_of_highest
from countnest.stats.edger.zeros import exact_zeros, zeros_residual_df
from countnest.stats.norm.abundance import ave_log_cpm
from exact import read_exactly
from unit.stats.edger_cases import DATA, NAMES, case

AS_R = compat_level("bioc3.20")
R_TOLERANCE, TAGWISE_TOLERANCE = 1e-9, 1e-8
# R's search for it ends within a tolerance.
COMMON_BY_SEARCH = 1e-6


def inputs_of(study, genes=slice(None)):
    return GLMInputs.of(study.counts, study.factors, study.weights).at(genes)


def estimated(study, **options):
    return estimate_dispersions(inputs_of(study), Columns.of(study.design), study.library, **options)


def test_profile_likelihoods_and_their_trend_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        genes = np.flatnonzero(study.counts.sum(axis=1) >= 5)
        profile = adjusted_profile(inputs_of(study, genes), Columns.of(study.design), dispersion_grid(), AS_R)
        np.testing.assert_allclose(profile.sum(axis=0), study.matrix("apl_sum")[0], rtol=R_TOLERANCE, err_msg=name)
        r, _ = study.table("apl")
        rows = np.searchsorted(genes, r["gene_row"] - 1)
        np.testing.assert_allclose(profile[rows], r.filter(regex="^apl"), rtol=1e-8, atol=1e-9, err_msg=name)
        abundance = ave_log_cpm(study.counts, study.library, study.info["common_dispersion"], weights=study.weights)
        span = trend_span(len(genes), adaptive=False)
        assert span == pytest.approx(study.info["span"], rel=1e-12)
        smooth = local_means(abundance[genes], profile, span)
        np.testing.assert_allclose(smooth[rows], r.filter(regex="^smooth"), rtol=R_TOLERANCE, err_msg=name)


def test_dispersions_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        r, _ = study.table("genes")
        plain, robust = estimated(study, level=AS_R), estimated(study, robust=True, level=AS_R)
        for found in (plain, robust):
            assert found.common == pytest.approx(study.info["common_dispersion"], rel=R_TOLERANCE)
            np.testing.assert_allclose(found.trended, r["trended"], rtol=R_TOLERANCE, err_msg=name)
            np.testing.assert_allclose(found.abundance, r["ave_log_cpm"], rtol=R_TOLERANCE)
        np.testing.assert_allclose(plain.tagwise, r["tagwise"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        np.testing.assert_allclose(robust.tagwise, r["tagwise_robust"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        assert plain.prior_df == pytest.approx(study.info["prior_df"], rel=TAGWISE_TOLERANCE)
        np.testing.assert_allclose(robust.prior_df, r["prior_df_robust"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        np.testing.assert_array_equal(plain.used, study.counts.sum(axis=1) >= 5)


def test_dispersions_of_an_older_release_are_those_of_edger():
    for name in ("oneway", "sparse", "weights"):
        study, folder = case(name), DATA / "release_3_16" / name
        r, info = read_exactly(folder / "genes.csv.gz"), json.loads((folder / "info.json").read_text())
        level = compat_level("bioc3.16")
        plain, robust = estimated(study, level=level), estimated(study, robust=True, level=level)
        np.testing.assert_allclose(plain.trended, r["trended"], rtol=R_TOLERANCE, err_msg=name)
        np.testing.assert_allclose(plain.tagwise, r["tagwise"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        np.testing.assert_allclose(robust.tagwise, r["tagwise_robust"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        np.testing.assert_allclose(robust.prior_df, r["prior_df_robust"], rtol=TAGWISE_TOLERANCE, err_msg=name)
        assert plain.prior_df == pytest.approx(float(info["prior_df"]), rel=TAGWISE_TOLERANCE)


def test_residual_df_without_exact_zeros_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        r, _ = study.table("prior_df_input")
        genes = r["gene_row"].to_numpy() - 1
        columns = Columns.of(study.design)
        trended = study.table("genes")[0]["trended"].to_numpy()[genes]
        fit = fit_glm(inputs_of(study, genes), columns, trended, level=AS_R)
        df = zeros_residual_df(exact_zeros(study.counts[genes], fit.mu), columns)
        np.testing.assert_array_equal(df, r["df"], err_msg=name)
        np.testing.assert_allclose(fit.deviance, r["deviance_trended"], rtol=1e-8, atol=1e-9)


def test_the_common_dispersion_of_abundant_genes_is_that_of_edger():
    for name in NAMES:
        study = case(name)
        columns = Columns.of(study.design)
        abundance = ave_log_cpm(study.counts, study.library, weights=study.weights)
        genes = highest_genes(abundance, share_of_highest(len(study.counts), columns.residual_df))
        found = common_dispersion(inputs_of(study, genes), columns, abundance[genes], level=AS_R)
        assert found == pytest.approx(study.info["v4_dispersion"], rel=COMMON_BY_SEARCH), name


def test_exact_numbers_are_near_those_of_edger():
    for name in NAMES:
        study = case(name)
        r, _ = study.table("genes")
        found = estimated(study, level=None)
        assert found.common == pytest.approx(study.info["common_dispersion"], rel=1e-3)
        assert np.median(np.abs(found.tagwise / r["tagwise"] - 1.0)) < 0.05, name


def test_a_known_dispersion_is_found():
    rng = np.random.default_rng(8)
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4), rng.normal(size=8)])
    mean = np.exp(rng.normal(5.0, 1.0, (600, 1)) + rng.normal(0.0, 0.3, (600, 3)) @ design.T)
    counts = rng.negative_binomial(1 / 0.2, 1.0 / (1.0 + 0.2 * mean)).astype(float)
    inputs, columns = GLMInputs.of(counts, np.ones(8)), Columns.of(design)
    found = estimate_dispersions(inputs, columns, np.ones(8))
    assert found.common == pytest.approx(0.2, rel=0.1)  # four standard errors
    np.testing.assert_allclose(found.trended, 0.2, rtol=0.25)
    assert found.prior_df > 20.0
    assert common_dispersion(inputs, columns, found.abundance) == pytest.approx(found.common, rel=1e-3)
    flat = estimate_dispersions(inputs, columns, np.ones(8), trend=False)
    np.testing.assert_allclose(flat.trended, flat.common, rtol=1e-12)


def test_dispersions_do_not_depend_on_orders_and_coding():
    study = case("sparse")
    rng = np.random.default_rng(3)
    genes, samples = rng.permutation(len(study.counts)), rng.permutation(12)
    plain = estimated(study)
    mixed = study.design @ (np.eye(4) + np.tri(4))
    for inputs, design, library, expected in (
        (inputs_of(study, genes), study.design, study.library, plain.tagwise[genes]),
        (inputs_of(study).at(slice(None), samples), study.design[samples], study.library[samples], plain.tagwise),
        (inputs_of(study), mixed, study.library, plain.tagwise),
    ):
        found = estimate_dispersions(inputs, Columns.of(design), library)
        np.testing.assert_allclose(found.tagwise, expected, rtol=1e-6)


def test_what_cannot_be_estimated_is_refused():
    columns = Columns.of(np.ones((3, 1)))
    with pytest.raises(CountsError, match="no gene has 5 counts"):
        estimate_dispersions(GLMInputs.of(np.ones((4, 3)), np.ones(3)), columns, np.ones(3))
    with pytest.raises(DesignError, match="no residual degrees of freedom"):
        estimate_dispersions(GLMInputs.of(9 * np.ones((4, 2)), np.ones(2)), Columns.of(np.eye(2)), np.ones(2))


def test_columns_that_depend_on_earlier_ones_are_left_out():
    x = np.arange(6.0)
    matrix = np.column_stack([np.ones(6), x, 2.0 * x - 1.0, np.zeros(6), x**2, 1e-9 * x**3])
    assert list(independent_columns(matrix)) == [0, 1, 4, 5]
    assert list(independent_columns(matrix[:2])) == [0, 1]
    assert without_samples(Columns.of(matrix[:, [0, 1]]), x < 4) is None
    rest = without_samples(Columns.of(matrix[:, [0, 1]]), x < 3)
    assert rest.matrix.shape == (3, 2)


def test_the_maximum_of_a_cubic_is_found_between_the_points():
    points = LOG_GRID
    for top in (-7.3, 0.2, 5.0, 8.77):
        values = -((points - top) ** 2) * (1.0 + 0.01 * (points - top))
        # a cubic is its own spline
        assert maximizing_points(points, values[None])[0] == pytest.approx(top, abs=1e-9)
    ends = np.vstack([points, -points, np.zeros(21)])
    np.testing.assert_array_equal(maximizing_points(points, ends), [10.0, -10.0, -10.0])


def test_local_means_of_a_constant_and_of_equal_covariates_are_the_mean():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(30, 3))
    np.testing.assert_allclose(local_means(rng.normal(size=30), np.ones((30, 2)), 0.4), 1.0, rtol=1e-13)
    np.testing.assert_allclose(local_means(np.full(30, 2.0), values, 0.4), np.tile(values.mean(axis=0), (30, 1)))
    assert trend_span(40, adaptive=False) == trend_span(40, adaptive=True) == 1.0
    assert trend_span(10000, adaptive=True) > trend_span(10000, adaptive=False) > 0.3
