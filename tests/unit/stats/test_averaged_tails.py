"""Tails far out, their quantiles, averages of tails and the intervals that follow from them."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.special
import scipy.stats

from cases import each, product
from countnest.stats.averaged.tails import (
    averaged,
    averaged_reach,
    chi2_log_tail,
    chi2_statistic,
    normal_log_tail,
    normal_statistic,
)

# Everyday values, both sides of where the incomplete gamma function gives way to the continued fraction (1e-250), and
# p-values of 1e-2000.
STATISTICS = [0.0, 1e-8, 0.3, 1.0, 3.84, 20.0, 300.0, 1100.0, 1140.0, 1180.0, 1300.0, 9200.0, 1e6]
DFS = [1, 2, 3, 4, 7, 10, 35]


def log_tail_of_even_df(df, x):
    """Return log P(X > x), a Poisson probability, to fifty digits."""
    with localcontext(prec=50):
        half, term, total = Decimal(x) / 2, Decimal(1), Decimal(1)
        for k in range(1, df // 2):
            term *= half / k
            total += term
        return float(total.ln() - half)


def log_tail_of_one_df(x):
    """Return log P(X > x) for x >= 20 by Laplace's continued fraction of the normal tail."""
    with localcontext(prec=50):
        z, fraction = Decimal(x).sqrt(), Decimal(0)
        for k in range(2000, 0, -1):
            fraction = k / (z + fraction)
        root_two_pi = Decimal("2.50662827463100050241576528481104525300698674060994")
        return float((2 / root_two_pi / (z + fraction)).ln() - Decimal(x) / 2)


@each(*product(df=[2, 4, 10, 34], x=STATISTICS))
def test_tails_of_even_degrees_of_freedom_are_exact(df, x):
    assert chi2_log_tail(df, np.array([x]))[0] == pytest.approx(log_tail_of_even_df(df, x), rel=1e-13, abs=1e-15)


@each("x", [x for x in STATISTICS if x >= 20.0])
def test_tails_of_one_degree_of_freedom_are_exact(x):
    assert chi2_log_tail(1, np.array([x]))[0] == pytest.approx(log_tail_of_one_df(x), rel=1e-13)


@each("df", [3, 5, 7, 35])
def test_tails_of_odd_degrees_of_freedom(df):
    x = np.array(STATISTICS[:-6])
    np.testing.assert_allclose(chi2_log_tail(df, x), scipy.stats.chi2.logsf(x, df), rtol=1e-12, atol=1e-15)
    # S(df + 2) = S(df) + (x/2)^(df/2) exp(-x/2) / Gamma(df/2 + 1), far out too
    far = np.array([1200.0, 9200.0, 1e6])
    step = 0.5 * df * np.log(far / 2.0) - far / 2.0 - scipy.special.gammaln(0.5 * df + 1.0)
    np.testing.assert_allclose(chi2_log_tail(df + 2, far), np.logaddexp(chi2_log_tail(df, far), step), rtol=1e-13)


def test_a_tail_of_one_in_ten_to_the_two_thousand():
    log_p = np.full(1, -2000.0 * np.log(10.0))
    for df in DFS:
        x = chi2_statistic(df, log_p)
        assert 9000.0 < x[0] < 9600.0
        np.testing.assert_allclose(chi2_log_tail(df, x), log_p, rtol=1e-12)
    z = normal_statistic(log_p)
    np.testing.assert_allclose(normal_log_tail(z), log_p, rtol=1e-12)


@each("df", DFS)
def test_statistics_are_the_quantiles_of_their_tails(df):
    log_p = chi2_log_tail(df, np.array(STATISTICS))
    found = chi2_statistic(df, log_p)
    np.testing.assert_allclose(chi2_log_tail(df, found), log_p, rtol=1e-11, atol=1e-15)
    usual = log_p < -0.1  # nearer to p = 1 a p-value does not know its statistic
    np.testing.assert_allclose(found[usual], np.array(STATISTICS)[usual], rtol=1e-11)
    assert chi2_statistic(df, np.array([0.0]))[0] == 0.0
    assert chi2_statistic(df, np.array([-np.inf]))[0] == np.inf
    assert np.isnan(chi2_statistic(df, np.array([np.nan]))[0])
    assert np.isnan(chi2_log_tail(df, np.array([np.nan]))[0])
    assert (np.diff(chi2_log_tail(df, np.linspace(1000.0, 1400.0, 2000))) < 0.0).all()


def test_averages_of_tails():
    weights = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    log_tails = np.array([[0.0, -1.0], [-5000.0, -5001.0], [-3.0, -np.inf], [-np.inf, -2.0]])
    expected = [np.log(0.25 + 0.75 * np.exp(-1.0)), -5000.0 + np.log(0.5 + 0.5 * np.exp(-1.0)), -3.0, -2.0]
    np.testing.assert_allclose(averaged(weights, log_tails), expected, rtol=1e-14)
    one = np.array([[0.4, 0.6]])
    assert averaged(one, np.full((1, 2), -np.inf))[0] == -np.inf
    assert np.isnan(averaged(one, np.array([[np.nan, -1.0]]))[0])
    assert np.isnan(averaged(np.full((1, 2), np.nan), np.array([[0.0, -1.0]]))[0])


def test_tails_of_nodes_without_weight_do_not_count():
    weights, tails = np.array([[0.0, 0.3, 0.7, 0.0]]), np.array([[-np.inf, -7.0, -9.0, 0.0]])
    np.testing.assert_array_equal(averaged(weights, tails), averaged(weights[:, 1:3], tails[:, 1:3]))


def test_intervals_hold_their_coverage():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.full(9, 0.3), 50)
    weights[0] = np.eye(9)[4]
    se = np.exp(rng.normal(-1.0, 1.5, (50, 1)) + np.sort(rng.normal(0.0, 0.8, (50, 9)), axis=1))
    for level in (1e-6, 0.5, 0.95, 0.999, 1.0 - 1e-12):
        reach = averaged_reach(weights, se, level)
        tail = (weights * scipy.stats.norm.sf(reach[:, None] / se)).sum(axis=1)
        np.testing.assert_allclose(tail, 0.5 * (1.0 - level), rtol=1e-9)
        assert reach[0] == pytest.approx(scipy.stats.norm.isf(0.5 * (1.0 - level)) * se[0, 4], rel=1e-9)
    assert (averaged_reach(weights, se, 0.999) > averaged_reach(weights, se, 0.99)).all()
    missing = averaged_reach(np.full((1, 9), np.nan), se[:1], 0.95)
    assert np.isnan(missing).all()


def test_a_gene_does_not_depend_on_the_others():
    rng = np.random.default_rng(2)
    weights, se = rng.dirichlet(np.full(9, 0.2), 40), np.exp(rng.normal(0.0, 1.5, (40, 9)))
    log_p = -np.exp(rng.uniform(5.0, 9.0, 40))
    alone = [averaged_reach(weights[g : g + 1], se[g : g + 1], 0.99)[0] for g in range(40)]
    np.testing.assert_array_equal(averaged_reach(weights, se, 0.99), alone)
    np.testing.assert_array_equal(chi2_statistic(3, log_p), [chi2_statistic(3, p)[0] for p in log_p[:, None]])


def test_far_intervals_are_wider_than_those_of_the_averaged_standard_error():
    weights = np.array([[0.9, 0.1]])
    se = np.array([[1.0, 3.0]])
    normal = scipy.stats.norm.isf(0.0005) * np.sqrt((weights * se**2).sum())
    assert averaged_reach(weights, se, 0.999)[0] > 1.2 * normal


# ---- the normal case, where the averaged test is the moderated t test ----


def variances_given(s2, df, prior_df, prior_s2, log_variance):
    """Return the posterior weights of variances on a grid: the residual variance s2 has df s2 / v ~ chi2(df), and
    prior_df prior_s2 / v ~ chi2(prior_df)."""
    v = np.exp(log_variance)
    loglik = -0.5 * df * np.log(v) - 0.5 * df * s2 / v
    prior = -0.5 * prior_df * np.log(v) - 0.5 * prior_df * prior_s2 / v  # the density of log v
    weights = np.exp(loglik + prior - (loglik + prior).max())
    return weights / weights.sum()


@each(*product(df=[2, 4, 30], prior_df=[0.5, 4.0, 50.0], z=[0.0, 0.7, 3.0, 30.0, 1e4]))
def test_normal_data_have_the_moderated_t_test(df, prior_df, z):
    s2, prior_s2, unscaled = 1.7, 0.6, 0.4
    log_variance = np.linspace(-15.0, 60.0, 6001)
    weights = variances_given(s2, df, prior_df, prior_s2, log_variance)
    moderated = (df * s2 + prior_df * prior_s2) / (df + prior_df)
    estimate = z * np.sqrt(unscaled * moderated)
    se = np.sqrt(unscaled * np.exp(log_variance))
    found = averaged(weights[None], normal_log_tail(np.array([estimate / se])))[0]
    expected = scipy.stats.t.logsf(z, df + prior_df)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-10)


@each(*product(df=[3, 12], prior_df=[3.0, 9.0], q=[2, 5]))
def test_normal_data_have_the_moderated_f_test(df, prior_df, q):
    s2, prior_s2, f = 0.9, 1.3, 4.2
    log_variance = np.linspace(-12.0, 40.0, 6001)
    weights = variances_given(s2, df, prior_df, prior_s2, log_variance)
    moderated = (df * s2 + prior_df * prior_s2) / (df + prior_df)
    ratio = q * f * moderated / np.exp(log_variance)  # the likelihood ratio at each variance
    found = averaged(weights[None], chi2_log_tail(q, ratio[None]))[0]
    assert found == pytest.approx(scipy.stats.f.logsf(f, q, df + prior_df), rel=1e-8)


def test_normal_data_have_the_intervals_of_moderated_t():
    df, prior_df, s2, prior_s2 = 4, 6.0, 1.1, 0.7
    log_variance = np.linspace(-15.0, 40.0, 4001)
    weights = variances_given(s2, df, prior_df, prior_s2, log_variance)
    moderated = (df * s2 + prior_df * prior_s2) / (df + prior_df)
    for level in (0.5, 0.95, 0.999):
        found = averaged_reach(weights[None], np.exp(0.5 * log_variance)[None], level)[0]
        assert found == pytest.approx(
            scipy.stats.t.isf(0.5 * (1 - level), df + prior_df) * np.sqrt(moderated), rel=1e-7
        )
