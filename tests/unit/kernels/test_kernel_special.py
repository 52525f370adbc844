"""Special functions against fifty-digit arithmetic; errors in units of the last place of a float."""

import math
from decimal import Decimal

import numpy as np
import pytest
import scipy.special

from cases import each, product
from countnest.kernels.negbin.density import (
    digamma_from_log,
    lgamma_with_log,
    log_factorial,
    log_rising_ratio,
    psi_remainder,
    stirling_remainder,
)
from unit.kernels import exact

EPS = 2.0**-52
# Both sides of every switch: the recurrence below 10, the series above, none of it beyond 4934720.
ARGUMENTS = [1e-10, 1e-4, 0.1, 0.5, 1.0, 1.5, 2.5, 7.0, 9.999999, 10.0, 10.5, 40.0, 1e3, 4934719.0, 4934721.0, 1e12]
COUNTS = [0, 1, 2, 3, 15, 16, 17, 50, 500, 5000]
ALPHAS = [1e-8, 1e-5, 1e-2, 0.3, 1.0, 10.0, 100.0]


def error(found, expected):
    return abs(float(Decimal(found) - expected))


@each("x", [0.3, 1.0, 4.5, 20.0, 1234.5])
def test_the_yardstick_agrees_with_scipy(x):
    assert float(exact.lgamma(Decimal(x))) == pytest.approx(scipy.special.gammaln(x), rel=1e-14, abs=1e-15)
    assert float(exact.digamma(Decimal(x))) == pytest.approx(scipy.special.digamma(x), rel=1e-14, abs=1e-15)


@each("x", ARGUMENTS)
def test_stirling_remainder(x):
    expected = exact.stirling_remainder(Decimal(x))
    # below 10 the leading terms, of size about 20, are taken off; the series has nothing to cancel
    allowed = 20 * EPS if x < 10 else 4 * EPS * float(expected) + 1e-15 * (x < 15)
    assert error(stirling_remainder(x), expected) <= allowed


@each("x", ARGUMENTS)
def test_psi_remainder(x):
    expected = exact.psi_remainder(Decimal(x))
    allowed = 4 * EPS * (1.0 + 1.0 / x) if x < 10 else 4 * EPS * float(expected) + 1e-16 * (x < 15)
    assert error(psi_remainder(x), expected) <= allowed


@each("y", [*COUNTS, 170, 100_000])
def test_log_factorial(y):
    expected = math.log(math.factorial(y))
    assert log_factorial(float(y)) == pytest.approx(expected, rel=4 * EPS)


@each(*product(y=COUNTS, alpha=ALPHAS))
def test_log_rising_ratio_keeps_absolute_accuracy_for_every_alpha(y, alpha):
    r = 1.0 / alpha
    value, slope = log_rising_ratio(float(y), alpha, stirling_remainder(r), psi_remainder(r))
    expected_value, expected_slope = exact.log_rising_ratio(y, Decimal(alpha))
    assert error(value, expected_value) <= 4 * EPS * (y + float(expected_value))
    assert error(slope, expected_slope) <= 4 * EPS * y


@each("alpha", [1e-8, 1e-6])
def test_log_rising_ratio_beats_differences_of_lgamma(alpha):
    y, r = 20, 1.0 / alpha
    value, _ = log_rising_ratio(float(y), alpha, stirling_remainder(r), psi_remainder(r))
    naive = scipy.special.gammaln(y + r) - scipy.special.gammaln(r) - y * np.log(r)
    expected, _ = exact.log_rising_ratio(y, Decimal(alpha))
    assert error(value, expected) < 1e-5 * error(naive, expected)


@each("x", ARGUMENTS)
def test_lgamma_and_digamma(x):
    value, z, log_z = lgamma_with_log(x)
    expected_value, expected_slope = exact.lgamma(Decimal(x)), exact.digamma(Decimal(x))
    # near its zeros at 1 and 2 the value is a difference of terms of size 20
    assert error(value, expected_value) <= 4 * EPS * max(abs(float(expected_value)), 8.0)
    assert error(digamma_from_log(x, z, log_z), expected_slope) <= 4 * EPS * max(abs(float(expected_slope)), 1.0)


@each("x", ARGUMENTS)
def test_the_argument_of_the_series(x):
    _, z, log_z = lgamma_with_log(x)
    assert log_z == math.log(z)
    if x >= 10.0:
        assert z == x
    else:
        assert 10.0 <= z < 11.0
        assert z - x == pytest.approx(round(z - x), abs=1e-9)
