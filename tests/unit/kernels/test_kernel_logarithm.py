"""Logarithms and exponentials by arithmetic alone, against fifty digits; errors in units of the last place (ulp)."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from cases import each
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_exp, fast_log, fast_log1p
from countnest.kernels.compiler.simd import LANES, as_lanes, exponent, mantissa
from unit.kernels.test_kernel_simd import on_lanes

TINY, HUGE = float(np.finfo(float).tiny), float(np.finfo(float).max)
# Where the reduction changes sides (powers of 2, the square root of 2), beside 1, and at the ends of the range.
EDGES = [
    TINY, 1e-300, 1e-9, 0.5, 1.0, 2.0, 3.0, 10.0, 1e15, 2.0**1023, HUGE, 2.0**0.5, 2.0**-0.5,
    *(1.0 + s * 2.0**-k for s in (-1.0, 1.0) for k in range(1, 53)),
]  # fmt: skip


def neighbours(values):
    return [x for value in values for x in (math.nextafter(value, 0.0), value, math.nextafter(value, math.inf))]


NUMBERS = [float(x) for x in neighbours(EDGES) if TINY <= x <= HUGE]
RANDOM = [float(x) for x in np.exp(np.random.default_rng(1).uniform(-700.0, 700.0, 500))]
NEAR_ONE = [float(x) for x in np.random.default_rng(2).uniform(0.4, 2.6, 800)]


def worst(function, numbers, exact):
    """Return the largest error of a function at these numbers, in ulp of the result."""
    with localcontext(prec=60):
        errors = []
        for x in numbers:
            expected = exact(Decimal(x))
            errors.append(abs(Decimal(float(function(x))) - expected) / Decimal(math.ulp(float(expected))))
    return float(max(errors))


def log1p(x):
    return (1 + x).ln() if abs(x) > 1e-15 else x - x**2 / 2 + x**3 / 3 - x**4 / 4


@pytest.mark.parametrize("numbers", [NUMBERS, RANDOM, NEAR_ONE], ids=["edges", "random", "near one"])
def test_logarithm_is_right_to_one_unit_in_the_last_place(numbers):
    assert worst(fast_log, numbers, Decimal.ln) < 1.0


def test_logarithm_of_powers_of_two():
    powers = [2.0**k for k in range(-1022, 1024)]
    assert worst(fast_log, powers, Decimal.ln) < 0.6
    assert fast_log(1.0) == 0.0


@each("x", [0.0, -0.0, -1.0, -np.inf, np.nan])
def test_logarithm_of_what_has_none_is_missing(x):
    with np.errstate(all="ignore"):  # which plain Python reports, where nothing is compiled
        assert math.isnan(fast_log(x))


def test_logarithm_of_one_and_a_little():
    rng = np.random.default_rng(3)
    small = [s * float(x) for s in (1.0, -1.0) for x in np.exp(rng.uniform(-700.0, -0.1, 200))]
    large = [float(x) for x in np.exp(rng.uniform(0.0, 700.0, 100))]
    middle = [float(x) for x in rng.uniform(-0.9, 1.0, 800)]
    hard = [2.0**-52, -(2.0**-53), 1e-16, 0.41421356237309515, -0.2928932188134524, -1.0 + 2.0**-53, 1e-300, 1e300]
    assert worst(fast_log1p, [*small, *middle, *large, *hard], log1p) < 2.0
    assert fast_log1p(0.0) == 0.0


def test_exponential_is_right_to_one_unit_in_the_last_place():
    rng = np.random.default_rng(4)
    numbers = [*rng.uniform(-708.0, 709.0, 400), *rng.normal(0.0, 2.0, 400), *rng.normal(0.0, 1e-6, 50)]
    assert worst(fast_exp, [float(x) for x in (*numbers, -708.0, 709.0)], Decimal.exp) < 1.0
    assert fast_exp(0.0) == 1.0


def test_exponential_beyond_the_range():
    for x, expected in ((-709.0, 0.0), (-1e8, 0.0), (-math.inf, 0.0), (709.5, math.inf), (math.inf, math.inf)):
        assert fast_exp(x) == expected
    assert math.isnan(fast_exp(math.nan))


@kernel
def logarithms(a, exp_out, log_out, log1p_out, exponent_out, mantissa_out):
    x = as_lanes(a)[0]
    as_lanes(exp_out)[0] = fast_exp(x)
    as_lanes(log_out)[0] = fast_log(x)
    as_lanes(log1p_out)[0] = fast_log1p(x)
    as_lanes(exponent_out)[0] = exponent(x)
    as_lanes(mantissa_out)[0] = mantissa(x)


def of_lanes(x):
    """Return the exponentials, logarithms, exponents and mantissas of (LANES,) numbers, computed as vectors."""
    found = np.empty((5, 1, LANES))
    on_lanes(lambda memory, _out: logarithms(memory, *found), x)
    return found[:, 0]


def test_lanes_have_the_bits_of_single_numbers():
    numbers = np.array([*NUMBERS, *RANDOM[:200]])
    numbers = numbers[: len(numbers) // LANES * LANES].reshape(-1, LANES)
    for x in numbers:
        expected = [[function(one) for one in x] for function in FUNCTIONS]
        np.testing.assert_array_equal(of_lanes(x), expected)


@kernel
def exponent_of(x):
    return exponent(x)


@kernel
def mantissa_of(x):
    return mantissa(x)


FUNCTIONS = (fast_exp, fast_log, fast_log1p, exponent_of, mantissa_of)


def test_exponent_and_mantissa_are_the_parts_of_a_number():
    for x in (*NUMBERS, *RANDOM):
        e, m = exponent_of(x), mantissa_of(x)
        assert 1.0 <= m < 2.0
        assert e == int(e)
        assert math.ldexp(m, int(e)) == x
