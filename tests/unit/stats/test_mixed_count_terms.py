"""Mixed models of counts with several random terms or columns: against glmmTMB, and what holds whatever the numbers."""

import gzip
import json
from functools import cache

import numpy as np
import pytest
from mixed_count_cases import FOLDER, Example, families, table

from cases import each
from countnest.errors import DesignError
from countnest.stats.mixed.count_ends import Settings
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.mixed.covariances import relative_covariances
from countnest.stats.mixed.joint_fits import fit_joint
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects

LAYOUTS = ("crossed", "slope", "uncorrelated", "nested", "crossed_poisson")
VALID = {Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT}


def standard_errors(triangles):
    return np.sqrt(np.diagonal(square(triangles), axis1=1, axis2=2))


@cache
def layout(name):
    """Return counts, offsets and model of a layout, and its genes."""
    entry = json.loads(gzip.decompress((FOLDER / "terms.json.gz").read_bytes()))[name]
    terms = tuple(
        RandomEffects(np.array(term["codes"]), np.array(term["columns"]).T.copy(), term["label"])
        for term in entry["terms"]
    )
    counts = np.array([gene["counts"] for gene in entry["genes"].values()], dtype=float)
    model = MixedModel(np.array(entry["matrix"]).T.copy(), terms)
    return Example(counts, np.zeros((1, counts.shape[1])), model), list(entry["genes"].values())


@cache
def fitted(name, reml):
    example, _ = layout(name)
    dispersion = 0.0 if name == "crossed_poisson" else None
    return fit_counts(example.counts, example.offset, example.model, reml=reml, dispersion=dispersion)


def of_glmmtmb(theta, model):
    """Return standard deviations and correlation of R's parameters."""
    sd = np.exp([value for value in theta[:2]])
    if model.n_parameters == 2:
        return sd, None
    return sd, theta[2] / np.sqrt(1.0 + theta[2] ** 2)


@each("name", LAYOUTS)
def test_fits_are_those_of_glmmtmb(name):
    example, genes = layout(name)
    for method in ("ML", "REML"):
        fits = fitted(name, method == "REML")
        assert set(fits.outcome) <= VALID
        interior = 0
        for place, gene in enumerate(genes):
            reference = gene[method]
            gain = fits.loglik[place] - reference["logLik"]
            assert gain > -1e-8
            if reference["boundary"] or reference["max_gradient"] > 1e-7 or fits.outcome[place] == Outcome.SINGULAR:
                continue
            interior += 1
            assert gain < 1e-8
            np.testing.assert_allclose(fits.coefficients[place], reference["estimate"], atol=1e-9)
            np.testing.assert_allclose(standard_errors(fits.full_covariance)[place], reference["se"], rtol=2e-4)
            sd, correlation = of_glmmtmb(reference["theta"], example.model)
            covariances = [each[place] for each in relative_covariances(fits.theta, example.model)]
            variances = np.concatenate([np.diag(each) for each in covariances])
            np.testing.assert_allclose(np.sqrt(variances), sd, rtol=1e-7)
            if correlation is not None:
                found = covariances[0][0, 1] / np.sqrt(variances.prod())
                np.testing.assert_allclose(found, correlation, atol=1e-7)
            if reference["size"] is not None:
                np.testing.assert_allclose(fits.dispersion[place], 1.0 / reference["size"], rtol=1e-7)
        assert interior >= 2


@each("reml", (True, False))
def test_one_term_by_the_method_for_several(reml):
    example = families(tuple(table("counts")["gene"][::4]))
    genes = len(example.counts)
    for dispersion in (None, 0.1):
        own = fit_counts(example.counts, example.offset, example.model, reml=reml, dispersion=dispersion)
        start, prior = np.full((genes, 2), np.nan if dispersion is None else dispersion), np.zeros((genes, 4))
        settings = Settings(start, prior, np.array([True, dispersion is None]), 0 if reml else 1)
        other = fit_joint(example.counts, example.offset, example.model, settings)
        np.testing.assert_array_equal(own.outcome, other.outcome)
        usable = np.isin(own.outcome, list(VALID))
        for name in ("coefficients", "theta", "dispersion", "loglik", "effects", "effect_sd"):
            np.testing.assert_allclose(getattr(other, name)[usable], getattr(own, name)[usable], rtol=1e-8, atol=1e-8)
        for name in ("covariance", "full_covariance", "theta_se", "log_dispersion_se"):
            np.testing.assert_allclose(getattr(other, name)[usable], getattr(own, name)[usable], rtol=2e-3, atol=1e-5)


@each("reml", (True, False))
def test_the_order_of_samples_levels_and_terms_does_not_matter(reml):
    rng = np.random.default_rng(2)
    for name in ("crossed", "slope"):
        example, _ = layout(name)
        fits, order = fitted(name, reml), rng.permutation(example.counts.shape[1])
        terms = tuple(
            RandomEffects(term.n_levels - 1 - term.codes[order], term.columns[order], term.label)
            for term in example.model.terms[::-1]
        )
        other = fit_counts(
            example.counts[:, order], example.offset, MixedModel(example.model.matrix[order], terms), reml=reml
        )
        np.testing.assert_allclose(other.loglik, fits.loglik, atol=1e-7)
        regular = fits.outcome == Outcome.CONVERGED
        np.testing.assert_allclose(other.coefficients[regular], fits.coefficients[regular], atol=1e-7)
        np.testing.assert_allclose(other.dispersion[regular], fits.dispersion[regular], rtol=1e-6)
        sizes = [term.n_levels * term.n_columns for term in example.model.terms]
        places = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        turned = [
            place.reshape(term.n_levels, -1)[::-1].ravel()
            for place, term in zip(places, example.model.terms, strict=True)
        ]
        same = np.concatenate(turned[::-1])
        np.testing.assert_allclose(other.effects[regular], fits.effects[regular][:, same], atol=1e-6)
        np.testing.assert_allclose(other.effect_sd[regular], fits.effect_sd[regular][:, same], atol=1e-6)


def test_a_gene_has_the_same_bits_alone():
    for name in ("slope", "nested"):
        example, _ = layout(name)
        for reml in (True, False):
            fits = fitted(name, reml)
            for gene in (0, 2):
                alone = fit_counts(example.counts[[gene]], example.offset, example.model, reml=reml)
                for field in ("coefficients", "theta", "dispersion", "loglik", "full_covariance", "effects"):
                    np.testing.assert_array_equal(getattr(alone, field)[0], getattr(fits, field)[gene])


def test_columns_may_be_scaled_and_mixed():
    example, _ = layout("slope")
    term = example.model.terms[0]
    turn = np.array([[1.0, 3.0], [0.0, 10.0]])
    scaled = RandomEffects(term.codes, term.columns @ turn)
    own, other = (
        fitted("slope", True),
        fit_counts(example.counts, example.offset, MixedModel(example.model.matrix, (scaled,))),
    )
    regular = own.outcome == Outcome.CONVERGED
    assert regular.sum() >= 5
    np.testing.assert_allclose(other.loglik, own.loglik, atol=1e-8)
    (before,), (after,) = (relative_covariances(fits.theta, example.model) for fits in (own, other))
    np.testing.assert_allclose((turn @ after @ turn.T)[regular], before[regular], atol=1e-6)
    effects = [fits.effects[regular].reshape(regular.sum(), -1, 2) for fits in (own, other)]
    np.testing.assert_allclose(effects[1] @ turn.T, effects[0], atol=1e-6)


def test_standard_errors_of_theta_are_those_of_the_curvature():
    example, _ = layout("slope")
    fits = fitted("slope", True)
    regular = np.flatnonzero(fits.outcome == Outcome.CONVERGED)[:2]
    assert np.isnan(fits.theta_se[fits.outcome == Outcome.SINGULAR]).all()
    turn = np.diag([2.0, 0.5])  # standard errors of scaled columns are known
    term = example.model.terms[0]
    model = MixedModel(example.model.matrix, (RandomEffects(term.codes, term.columns @ turn),))
    other = fit_counts(example.counts[regular], example.offset, model)
    np.testing.assert_allclose(other.theta_se * [2.0, 0.5, 0.5], fits.theta_se[regular], rtol=1e-4)


@each("reml", (True, False))
def test_a_variance_of_zero_is_the_model_without_the_term(reml):
    rng = np.random.default_rng(4)
    example, _ = layout("crossed")
    n = example.counts.shape[1]
    mean = np.exp(rng.normal(4.0, 1.0, (40, 1)))
    counts = rng.negative_binomial(8.0, 8.0 / (8.0 + mean), (40, n)).astype(float)
    fits = fit_counts(counts, example.offset, example.model, reml=reml)
    zero = fits.theta == 0.0
    assert set(fits.outcome) <= VALID
    for place in (0, 1):
        without = MixedModel(example.model.matrix, (example.model.terms[1 - place],))
        rows = np.flatnonzero(zero[:, place] & (fits.outcome == Outcome.SINGULAR))
        assert len(rows) > 5
        other = fit_counts(counts[rows], example.offset, without, reml=reml)
        np.testing.assert_allclose(fits.loglik[rows], other.loglik, atol=1e-7)
        np.testing.assert_allclose(fits.coefficients[rows], other.coefficients, atol=1e-6)


def test_dispersions_may_be_shrunken():
    example, _ = layout("crossed")
    trend, free = np.full(len(example.counts), np.log(0.1)), fitted("crossed", True)
    for sd, near, away in ((1e-3, np.exp(trend), 1e-4), (1e3, free.dispersion, 1e-4)):
        fits = fit_counts(example.counts, example.offset, example.model, dispersion=ShrunkenDispersion(trend, sd))
        np.testing.assert_allclose(fits.dispersion, near, rtol=away)
    given = fit_counts(example.counts, example.offset, example.model, dispersion=0.1)
    np.testing.assert_array_equal(given.dispersion, 0.1)
    assert np.isnan(given.log_dispersion_se).all()


def test_hard_genes_have_an_outcome():
    example, _ = layout("slope")
    rng, n = np.random.default_rng(5), example.counts.shape[1]
    treated, group = example.model.matrix[:, 2] == 1.0, example.model.terms[0].codes
    base = rng.negative_binomial(5.0, 0.1, n).astype(float)
    counts = np.array([
        np.zeros(n), np.where(np.arange(n) == 3, 1.0, 0.0), np.where(treated, base, 0.0),
        np.where(group == 0, base * 1e5, base), base * 1e6, np.where(group % 2, 3.0, 5.0), np.full(n, 7.0),
    ])  # fmt: skip
    broken = np.vstack([counts, base])
    broken[-1, 0] = np.nan
    for reml in (True, False):
        fits = fit_counts(broken, example.offset, example.model, reml=reml)
        assert [fits.outcome[place] for place in (0, 2, 7)] == [
            Outcome.CONSTANT, Outcome.SEPARATED, Outcome.NOT_FINITE,
        ]  # fmt: skip
        assert np.isnan(fits.loglik[[0, 7]]).all()
        assert np.isfinite(fits.loglik[1:7]).all()
        assert set(fits.outcome[[1, 3, 4, 5, 6]]) <= {*VALID, Outcome.SEPARATED}


def test_samples_may_have_effects_of_their_own():
    """A level for each sample is known from its distribution alone: Poisson counts with log-normal means."""
    rng = np.random.default_rng(6)
    groups, own = np.repeat(np.arange(15), 4), np.arange(60)
    terms = (RandomEffects(groups, np.ones((60, 1)), "1 | group"), RandomEffects(own, np.ones((60, 1)), "1 | sample"))
    eta = 4.0 + 0.5 * rng.normal(size=(8, 15))[:, groups] + 0.3 * rng.normal(size=(8, 60))
    counts = rng.poisson(np.exp(eta)).astype(float)
    fits = fit_counts(counts, np.zeros((1, 60)), MixedModel(np.ones((60, 1)), terms), dispersion=0.0)
    assert set(fits.outcome) == {Outcome.CONVERGED}
    np.testing.assert_allclose(fits.theta.mean(axis=0), [0.5, 0.3], atol=0.06)


def test_other_methods_say_what_takes_several_terms():
    example, _ = layout("nested")
    for method in ("laplace4", "agq"):
        with pytest.raises(DesignError, match=r"\(1 \| site\), \(1 \| site:plot\)\. Use method='laplace'"):
            fit_counts(example.counts, example.offset, example.model, reml=False, method=method)
