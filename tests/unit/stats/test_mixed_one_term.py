"""Linear mixed models with one random term, against the numbers of R: `data/mixed`, see the README there."""

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np

from cases import each
from countnest.stats.mixed.comparisons import likelihood_ratio
from countnest.stats.mixed.dream import moderated_tests
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, MixedTests, Outcome, RandomEffects
from countnest.stats.mixed.tests import contrast_tests, joint_tests, residual_df

FILE = Path(__file__).parent / "data" / "mixed" / "one_term.json.gz"
STUDIES = ("family_log2", "family_voom", "unbalanced")
CLASSIC = ("sleep_int", "sleep_int_w", "orthodont_int", "dyestuff", "dyestuff2_singular")

# R's optimum has a gradient of up to 1e-8, and the likelihood is flat at small theta.
THETA, SE, KENWARD_ROGER, CRITERION = 2e-6, 1e-7, 1e-8, 1e-9
# lmerTest differentiates numerically, across the boundary where theta is small.
SATTERTHWAITE, NEAR_ZERO = 2e-6, 3e-4
# nlme stops there.
NLME = 5e-6


@cache
def everything():
    return json.loads(gzip.decompress(FILE.read_bytes()))


@cache
def study(name):
    """Return responses, model and weights, and the numbers of R as arrays."""
    case = everything()[name]
    y = np.array(case["y"])
    codes = np.array(case["groups"], dtype=np.int64)
    term = RandomEffects(codes, np.ones((len(codes), 1)), "1 | group")
    model = MixedModel(np.array(case["matrix"], dtype=np.float64), (term,))
    weights = np.array(case["weights"]) if "weights" in case else None
    return y, model, weights, case


@cache
def fitted(name, reml=True, bounded=True):
    y, model, weights, _ = study(name)
    return fit_linear(y, model, weights, reml=reml, bounded=bounded)


def relative(found, expected):
    return np.abs(np.asarray(found) - expected) / np.abs(expected)


@each("name", (*STUDIES, *CLASSIC))
def test_estimates_are_those_of_lmer(name):
    _, _, weights, case = study(name)
    fits = fitted(name)
    mean = 1.0 if weights is None else weights.mean(axis=1)  # lmer takes weights as they are
    np.testing.assert_allclose(fits.theta[:, 0], np.array(case["theta"]) * np.sqrt(mean), rtol=0, atol=THETA)
    assert np.max(relative(fits.sigma, np.array(case["sigma"]) / np.sqrt(mean))) < SE
    np.testing.assert_allclose(
        fits.coefficients, np.array(case["estimate"])[:, : fits.coefficients.shape[1]], atol=1e-7
    )
    assert np.max(fits.criterion - case["criterion"]) < CRITERION
    assert np.max(np.abs(fits.criterion - case["criterion"])) < 1e-7
    assert np.array_equal(fits.outcome == Outcome.SINGULAR, np.array(case["singular"], dtype=bool))
    assert np.all(fits.theta[fits.outcome == Outcome.SINGULAR] == 0.0)


@each("name", STUDIES)
def test_maximum_likelihood_is_that_of_lmer(name):
    _, _, _, case = study(name)
    fits = fitted(name, reml=False)
    np.testing.assert_allclose(fits.theta[:, 0], case["theta_ml"], rtol=0, atol=THETA)
    np.testing.assert_allclose(-0.5 * fits.criterion, case["loglik_ml"], rtol=0, atol=1e-8)


@each("name", (*STUDIES, *CLASSIC))
def test_tests_by_satterthwaite_are_those_of_lmertest(name):
    y, model, weights, case = study(name)
    found = contrast_tests(y, model, weights, fitted(name), case["contrasts"], "satterthwaite")
    assert np.max(relative(found.se, case["se"])) < SE
    theta = fitted(name).theta[:, 0]
    df = relative(found.df, case["df_satterthwaite"]).max(axis=1)
    assert np.max(df[(theta == 0) | (theta > 0.03)]) < SATTERTHWAITE
    assert np.max(df) < NEAR_ZERO
    if "p_satterthwaite" in case:
        np.testing.assert_allclose(found.p_value, case["p_satterthwaite"], rtol=2e-5, atol=1e-300)


@each("name", (*STUDIES, *CLASSIC))
def test_tests_by_kenward_and_roger_are_those_of_pbkrtest(name):
    y, model, weights, case = study(name)
    found = contrast_tests(y, model, weights, fitted(name), case["contrasts"])
    assert np.max(relative(found.se, case["se_kr"])) < SE
    assert np.max(relative(found.df, case["df_kr"])) < KENWARD_ROGER
    by_ml = contrast_tests(y, model, weights, fitted(name, reml=False), case["contrasts"])
    assert np.array_equal(by_ml.df, found.df)


@each("name", STUDIES)
def test_joint_tests_are_those_of_r(name):
    y, model, weights, case = study(name)
    fits = fitted(name)
    inside = (fits.theta[:, 0] == 0) | (fits.theta[:, 0] > 0.03)
    for term, numbers in case["joint"].items():
        rows, of_r = case["joint_rows"][term], {key: np.array(values) for key, values in numbers.items()}
        found = joint_tests(y, model, weights, fits, rows)
        assert np.max(relative(found.statistic, of_r["statistic_kr"])) < SE
        assert np.max(relative(found.df, of_r["df_kr"])) < KENWARD_ROGER
        found = joint_tests(y, model, weights, fits, rows, "satterthwaite")
        assert np.max(relative(found.statistic, of_r["statistic"])) < SE
        df = relative(found.df, of_r["df"])
        assert np.max(df[inside]) < SATTERTHWAITE
        assert np.max(df) < NEAR_ZERO
        assert np.all(found.df_tested == len(rows))


def test_variances_that_may_be_negative_are_those_of_compound_symmetry():
    y, model, _, case = study("family_log2")
    fits, of_r = fitted("family_log2", bounded=False), case["unbounded"]
    ratio = fits.theta[:, 0]
    np.testing.assert_allclose(ratio / (1 + ratio), of_r["rho"], rtol=0, atol=NLME)
    np.testing.assert_allclose(-0.5 * fits.criterion, of_r["loglik"], rtol=0, atol=1e-8)
    found = contrast_tests(y, model, None, fits, np.eye(model.matrix.shape[1]), "infinite")
    assert np.max(relative(found.se, of_r["se"])) < NLME
    assert (ratio < 0).sum() >= 4


def test_likelihood_ratios_are_those_of_lmer():
    y, model, _, case = study("family_log2")
    reduced = MixedModel(model.matrix[:, : case["lrt"]["columns"]], model.terms)
    fits = fit_linear(y, reduced, reml=False)
    found = likelihood_ratio(model, fitted("family_log2", reml=False), reduced, fits)
    np.testing.assert_allclose(found.statistic, case["lrt"]["statistic"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.p_value, case["lrt"]["p"], rtol=1e-8)


@each("name", ("family_voom", *CLASSIC))
def test_residual_degrees_of_freedom_are_those_of_the_hat_matrix(name):
    y, model, weights, case = study(name)
    found = residual_df(y, model, weights, fitted(name))
    np.testing.assert_allclose(found, case["residual_df"], rtol=1e-7)


def test_moderated_tests_are_those_of_dream():
    case = {key: np.array(values) for key, values in everything()["dream"].items()}
    column = {key: values[:, np.newaxis] for key, values in case.items()}
    statistic = column["estimate"] / column["se"]
    tests = MixedTests(column["estimate"], column["se"], column["df"], statistic)
    found = moderated_tests(tests, case["sigma"], case["residual_df"])
    np.testing.assert_allclose(found.statistic, column["t"], rtol=1e-10)
    np.testing.assert_allclose(found.df, column["df_total"], rtol=1e-10)


def test_a_gene_whose_weights_leave_a_sample_for_each_effect_has_a_code():
    families, rng = 8, np.random.default_rng(5)
    codes = np.repeat(np.arange(families), 2)
    matrix = np.column_stack([np.ones(2 * families), codes % 2]).astype(np.float64)
    plots = RandomEffects(np.arange(2 * families) // 4, np.ones((2 * families, 1)), "1 | site")
    y, weights = rng.normal(size=(3, 2 * families)), np.ones((3, 2 * families))
    weights[0, 1::2] = 0.0  # one sample of each family
    weights[1, 3::2] = 0.0  # one family of two
    family = RandomEffects(codes, np.ones((2 * families, 1)), "1 | family")
    for terms in ((family,), (family, plots)):
        found = fit_linear(y, MixedModel(matrix, terms), weights)
        assert found.outcome[0] == Outcome.RANK_DEFICIENT
        assert np.isnan(found.sigma[0])
        assert (found.outcome[1:] <= Outcome.SINGULAR).all()
        assert (found.sigma[1:] > 0.0).all()
