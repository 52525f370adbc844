"""Quasi-likelihood F tests, and tests against thresholds, given R's deviances."""

import numpy as np
import scipy.special
import scipy.stats
from edger_numbers import NAMES, case, numbers, relative, residual_df, single

from cases import each
from countnest.stats.edger.quasi import (
    average_quasi_dispersion,
    highest_genes,
    quasi_df,
    quasi_f_test,
    share_of_highest,
)
from countnest.stats.edger.treat import normal_roots, treat_p_value
from countnest.stats.moderated.squeeze import moderate_variances

R_TOLERANCE = 1e-8
# The prior degrees of freedom of genes with unequal ones have the tolerance of R's search.
SEARCHED = 1e-7


def moderated(name, *, robust=False):
    table = numbers("ql_v4", name)
    deviance, df = table["deviance_adj"].to_numpy(), table["df_adj"].to_numpy()
    variance = np.where(df >= 1e-4, deviance / np.maximum(df, 1e-4), 0.0)
    covariate = table["ave_log_cpm"].to_numpy()
    return moderate_variances(variance, df, covariate=covariate, robust=robust, estimator="likelihood")


@each("name", NAMES)
def test_given_the_deviances_of_r_f_tests_are_those_of_r(name):
    table = numbers("ql_v4", name)
    total = residual_df(name) * len(table)
    for robust, suffix in ((False, ""), (True, "_robust")):
        found = moderated(name, robust=robust)
        assert relative(found.variance, table[f"s2_post{suffix}"]) < R_TOLERANCE
        gain = table["F"].to_numpy() * table["s2_post"].to_numpy()
        test = quasi_f_test(gain, 1, found, total)
        assert relative(test.log_p, np.log(table[f"PValue{suffix}"])) < R_TOLERANCE
    assert relative(moderated(name).prior.df, single("v4_df_prior", name)) < SEARCHED
    two = min(2, case(name).design.shape[1] - 1)
    gain = table["F_joint"].to_numpy() * two * table["s2_post"].to_numpy()
    joint = quasi_f_test(gain, two, moderated(name), total)
    assert relative(joint.statistic, table["F_joint"]) < R_TOLERANCE
    assert relative(joint.log_p, np.log(table["P_joint"])) < R_TOLERANCE


@each("name", NAMES)
def test_the_genes_of_highest_abundance_are_as_many_as_in_r(name):
    share = share_of_highest(len(case(name).counts), residual_df(name))
    assert relative(share, single("v4_top_proportion", name)) < R_TOLERANCE


def test_the_highest_genes_come_in_order_and_ties_as_they_are():
    assert highest_genes(np.array([1.0, 5.0, 3.0, 5.0, 2.0]), 0.6).tolist() == [1, 3, 2]


def test_the_average_follows_the_trend_and_is_at_least_one():
    rng = np.random.default_rng(5)
    abundance, df = rng.uniform(0, 12, 2000), np.full(2000, 4.0)
    chance = rng.chisquare(4, 2000) / 4
    df[:3] = 0.0
    assert average_quasi_dispersion(0.3 * chance, df, abundance) == 1.0
    assert 2.5 < average_quasi_dispersion((1 + 0.2 * abundance) * chance, df, abundance) < 4.0
    assert average_quasi_dispersion(chance[:2], df[:2], abundance[:2]) == 1.0


def test_denominators_have_no_more_degrees_of_freedom_than_all_genes():
    found = moderate_variances(np.ones(10), np.full(10, 3.0), estimator="moments")
    assert np.isinf(found.prior.df)
    np.testing.assert_array_equal(quasi_df(found, 30.0), 30.0)


def averaged(far, near):
    """Return the p-value of the interval null hypothesis by integration."""

    def mean(low, high):
        x = low + (high - low) * (np.arange(20000) + 0.5) / 20000
        return scipy.special.ndtr(x).mean()

    reach = 1.470402
    if far + near > reach:
        return mean(-far, reach - far) + mean(near - reach, near)
    return 2 * mean(-far, near)


@each(("left", "right", "within"), [(0.5, 2.0, True), (0.2, 0.3, True), (1.5, 4.0, False), (3.0, 0.1, False)])
def test_treat_averages_over_the_interval(left, right, within):
    roots = np.array([left]), np.array([right])
    near = min(left, right) * (1 if within else -1)
    found = treat_p_value(roots, np.array([within]))
    np.testing.assert_allclose(found, averaged(max(left, right), near), rtol=1e-6)
    worst = treat_p_value(roots, np.array([within]), "worst.case")
    np.testing.assert_allclose(worst, scipy.stats.norm.cdf([-max(left, right), near]).sum())


def test_without_a_threshold_treat_is_the_plain_test():
    roots = np.array([0.0, 0.4, 2.0, 12.0, np.nan])
    for null in ("interval", "worst.case"):
        found = treat_p_value((roots, roots), np.zeros(5, dtype=bool), null)
        np.testing.assert_allclose(found, 2 * scipy.stats.norm.sf(roots), rtol=1e-12)


def test_normal_roots_hold_far_out():
    np.testing.assert_allclose(scipy.special.log_ndtr(-normal_roots(np.array([-2000.0, -0.7]))), [-2000.0, -0.7])
