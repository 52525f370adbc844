from decimal import Decimal

import numpy as np
import pytest
import scipy.stats

from cases import each, product
from countnest.kernels.negbin.density import nb_loglik_chunk, nb_loglik_point, stirling_remainder
from unit.kernels import exact, twins

EPS = 2.0**-52
MEANS = [1e-3, 0.5, 3.0, 80.0, 1e5]
COUNTS = [0, 1, 4, 15, 16, 79, 3000]


def loglik(y, mu, alpha):
    size = 1.0 / alpha
    return nb_loglik_point(float(y), mu, size, stirling_remainder(size))


@each(*product(mu=MEANS, alpha=[1e-3, 0.04, 0.7, 10.0, 300.0]))
def test_point_is_that_of_scipy(mu, alpha):
    y = np.array(COUNTS)
    found = [loglik(count, mu, alpha) for count in y]
    expected = scipy.stats.nbinom.logpmf(y, 1.0 / alpha, 1.0 / (1.0 + alpha * mu))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found, twins.nb_loglik(y, mu, alpha), rtol=1e-9, atol=1e-11)


@each(*product(y=COUNTS, mu=MEANS, alpha=[1e-10, 1e-8, 1e-5, 1e-2, 1.0, 50.0]))
def test_point_has_all_its_digits(y, mu, alpha):
    expected = exact.nb_loglik(y, Decimal(mu), Decimal(alpha))
    # the perfect fit and the deviance from it are both of this size at most
    terms = 1.0 + abs(float(expected)) + y * (1.0 + abs(np.log(mu / max(y, 1))))
    # and y is taken as (y + 1 / alpha) - 1 / alpha, as R does: the last digit of 1 / alpha, times the derivative
    rounding = (y > 0) / alpha * (1.0 + abs(np.log(mu / max(y, 1))))
    assert abs(float(Decimal(loglik(y, mu, alpha)) - expected)) <= 4 * EPS * (terms + rounding)


@each("alpha", [1e-8, 1e-3, 2.0])
def test_point_is_smooth_where_the_series_takes_over(alpha):
    y = 1000
    for edge in (y * 0.9 / 1.1, y * 1.1 / 0.9):  # |y - mu| = (y + mu) / 10
        below, above = (loglik(y, edge * (1.0 + side * 1e-12), alpha) for side in (-1, 1))
        assert below == pytest.approx(above, rel=1e-8)


def test_point_at_the_perfect_fit():
    # y = mu: the deviance is zero, and what is left is small beside what cancels
    alpha = 1e-8
    expected = float(exact.nb_loglik(10**5, Decimal(10**5), Decimal(alpha)))
    assert loglik(10**5, 1e5, alpha) == pytest.approx(expected, rel=1e-12)


def test_point_approaches_poisson():
    y = np.arange(30)
    found = [loglik(count, 7.5, 1e-8) for count in y]
    np.testing.assert_allclose(found, scipy.stats.poisson.logpmf(y, 7.5), rtol=1e-6)


def test_point_sums_to_one():
    total = sum(np.exp(loglik(y, 20.0, 0.2)) for y in range(1000))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_score_of_the_mean():
    y, alpha, h = 13, 0.15, 1e-4
    for mu in (2.0, 13.0, 60.0):
        numeric = (loglik(y, mu + h, alpha) - loglik(y, mu - h, alpha)) / (2 * h)
        assert numeric == pytest.approx((y - mu) / (mu * (1 + alpha * mu)), rel=1e-6, abs=1e-8)


def test_block_floors_the_means_and_sums():
    counts, _, mu, alpha = twins.simulate(twins.two_way(), 6, seed=3, low=0.1, high=50.0)
    floor = np.array([0.0, 0.5, 3.0, 0.0, 1e3, 0.5])
    found = np.empty(6)
    terms = np.array([twins.nb_loglik(counts[g], np.maximum(mu[g], floor[g]), alpha[g]) for g in range(6)])
    for weights in (np.ones((1, 12)), np.random.default_rng(1).uniform(0.0, 1.0, (6, 12))):
        nb_loglik_chunk(counts, mu, weights, alpha, floor, found)
        np.testing.assert_allclose(found, (weights * terms).sum(axis=1), rtol=1e-12)
