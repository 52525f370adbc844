"""Tests of linear mixed models do not depend on the units and the origin of the variable of a slope."""

import numpy as np
from scipy.stats import chi2

from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.ratios import Dropped, ratio_test
from countnest.stats.mixed.records import MixedModel, RandomEffects
from countnest.stats.mixed.scales import standardized
from countnest.stats.mixed.tests import contrast_tests, joint_tests, residual_df
from countnest.stats.mixed.variances import signed_components, variance_shares

RNG = np.random.default_rng(5)
GROUPS, TREATED, TIME = np.repeat(np.arange(6), 4), np.tile([0.0, 1.0], 12), RNG.normal(size=24)
VALUES = RNG.normal(size=(12, 24)) + RNG.normal(size=(12, 6))[:, GROUPS] + RNG.normal(size=(12, 6))[:, GROUPS] * TIME
CONTRASTS = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
# Time in other units, and from another origin: calendar years of a few years, seconds, kilometres.
SCALES = ((1.0, 0.0), (1.0, 1e3), (1.0, 1e4), (1e-3, 1e2), (1e6, 0.0), (1e-6, 0.0))


def model_of(time, columns):
    matrix = np.column_stack([np.ones(24), TREATED, time])
    return MixedModel(matrix, tuple(RandomEffects(GROUPS, each) for each in columns))


def numbers(model, unit, df):
    """Return all that a test tells, in units of the time."""
    fits = fit_linear(VALUES, model)
    rows = contrast_tests(VALUES, model, None, fits, CONTRASTS, df)
    joint = joint_tests(VALUES, model, None, fits, CONTRASTS, df)
    return {
        "estimates": rows.estimates * [1.0, unit],
        "standard errors": rows.se * [1.0, unit],
        "degrees of freedom": rows.df,
        "F": joint.statistic,
        "numbers of rows": joint.df_tested,
        # Those by Satterthwaite's method average over directions that depend on the units, as lmerTest's do.
        **({"their degrees of freedom": joint.df} if df == "kenward-roger" else {}),
        "residual degrees of freedom": residual_df(VALUES, model, None, fits),
    }


def same(model_of_time, scales=SCALES):
    """Assert that all numbers of a model of time are the same on all scales."""
    for df in ("kenward-roger", "satterthwaite"):
        expected = numbers(model_of_time(TIME), 1.0, df)
        for unit, origin in scales:
            found = numbers(model_of_time(unit * TIME + origin), unit, df)
            for name, values in found.items():
                np.testing.assert_allclose(values, expected[name], rtol=2e-4, atol=1e-8, err_msg=f"{name} {unit}")


def test_tests_of_a_correlated_slope_do_not_depend_on_the_scale():
    same(lambda time: model_of(time, [np.column_stack([np.ones(24), time])]))


def test_intervals_of_shares_do_not_depend_on_the_scale():
    found = []
    for unit, origin in SCALES:
        time = unit * TIME + origin
        model = model_of(time, [np.column_stack([np.ones(24), time])])
        found.append(variance_shares(VALUES, model, None, fit_linear(VALUES, model)))
    for each in found[1:]:
        np.testing.assert_allclose(each.low, found[0].low, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(each.high, found[0].high, rtol=1e-4, atol=1e-6)


def test_tests_of_a_slope_alone_do_not_depend_on_its_units():
    same(lambda time: model_of(time, [time[:, np.newaxis]]), SCALES[:1] + SCALES[4:])


def test_a_slope_whose_variance_may_be_negative_does_not_depend_on_its_units():
    found = []
    for unit in (1.0, 1e6, 1e-6):
        model = model_of(unit * TIME, [unit * TIME[:, np.newaxis]])
        fits = fit_linear(VALUES, model, bounded=False)
        inside = fits.theta[:, 0] > 0
        rows = contrast_tests(VALUES, model, None, fits, CONTRASTS, "satterthwaite")
        high = signed_components(VALUES, model, None, fits).high
        found.append((inside, rows.df[inside], rows.statistic[inside], high[inside]))
    assert found[0][0].sum() > 4
    for each in found[1:]:
        for values, expected in zip(each, found[0], strict=True):
            np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_models_on_a_usual_scale_are_left_as_they_are():
    model = model_of(TIME, [np.column_stack([np.ones(24), TIME])])
    fits = fit_linear(VALUES, model)
    assert standardized(model, fits) == (model, fits)


def test_likelihood_ratios_of_a_term_with_a_slope_pass_over_genes_without_a_fit():
    dropped = Dropped(fixed=0, variances=1, covariances=1)
    found = ratio_test(np.array([np.nan, 3.0, 1e7]), dropped)
    assert np.isnan(found.log_p[0])
    np.testing.assert_allclose(found.p_value[1:], [0.5 * (chi2.sf(3.0, 1) + chi2.sf(3.0, 2)), 0.0])


def test_slopes_of_counts_do_not_depend_on_units():
    rng = np.random.default_rng(8)
    eta = 4.0 + 0.4 * rng.normal(size=(6, 6))[:, GROUPS] * TIME
    counts = rng.negative_binomial(10.0, 10.0 / (10.0 + np.exp(eta))).astype(np.float64)
    for options in ({"reml": True}, {"reml": False}, {"reml": False, "method": "agq"}):
        found = []
        for unit in (1.0, 1e6, 1e-6):
            model = model_of(unit * TIME, [unit * TIME[:, np.newaxis]])
            fits = fit_counts(counts, np.zeros((1, 24)), model, **options)
            found.append((fits.theta * unit, fits.theta_se * unit, fits.effects * unit, fits.effect_sd * unit))
            found[-1] += (fits.coefficients * [1.0, 1.0, unit], fits.outcome)
        for each in found[1:]:
            for values, expected in zip(each, found[0], strict=True):
                np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-6)
