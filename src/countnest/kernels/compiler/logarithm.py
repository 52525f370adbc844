"""Logarithms and exponentials of vectors by arithmetic alone: all lanes at once, the same bits on every machine.

They are right to one unit in the last place. Where a number must be that of R to the last bit, `simd.log` and
`simd.exp` are used, which ask the system's library for one lane after the other.

Sources: Tang (1990), doi:10.1145/98267.98294: reduction to a number near 1, and a polynomial in s = f / (2 + f), with
the minimax coefficients that are in common use; Tang (1989), doi:10.1145/63522.214389: reduction to a number near 0,
and a rational function, likewise.
"""

from __future__ import annotations

import math

from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import exponent, mantissa, power_of_two, select

__all__ = ["fast_exp", "fast_log", "fast_log1p"]

SQRT2 = math.sqrt(2.0)
# log 2 in two parts, of which the first times an exponent is exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Minimax coefficients of [log(1 + f) - f + f^2 / 2 - s f^2 / 2] / s in powers of s^2.
C1, C2, C3, C4 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01
C5, C6, C7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01
# Minimax coefficients of r - 2 + 2 r / (exp(r) - 1), in powers of r^2, beside r^2 / 6 and so on.
P1, P2, P3 = 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05
P4, P5 = -1.65339022054652515390e-06, 4.13813679705723846039e-08
LOG2_E = 1.44269504088896338700e00
# Added and taken off again it leaves the nearest whole number.
ROUND = 1.5 * 2.0**52
# Arguments outside have results of 0, which subnormal ones are taken for, and infinity.
LEAST, LARGEST = -708.0, 709.0


@kernel
def fast_log(x: float) -> float:
    """Return log x for a finite x that is not subnormal; NaN where it is not above zero."""
    e, m = exponent(x), mantissa(x)
    large = m > SQRT2
    e = select(large, e + 1.0, e)
    f = select(large, 0.5 * m, m) - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * (C5 + z * (C6 + z * C7))))))
    half = 0.5 * f * f
    value = e * LN2_HIGH - ((half - (s * (half + series) + e * LN2_LOW)) - f)
    return select(x > 0.0, value, math.nan)


@kernel
def fast_log1p(x: float) -> float:
    """Return log(1 + x) for x > -1, to the last digits of small results too."""
    total = 1.0 + x
    return fast_log(total) - ((total - 1.0) - x) / total


@kernel
def fast_exp(x: float) -> float:
    """Return exp(x); 0 below -708, and infinity above 709."""
    near = select(x < LEAST, LEAST, select(x > LARGEST, LARGEST, x))
    k = (near * LOG2_E + ROUND) - ROUND
    high, low = near - k * LN2_HIGH, k * LN2_LOW
    r = high - low
    z = r * r
    c = r - z * (P1 + z * (P2 + z * (P3 + z * (P4 + z * P5))))
    value = (1.0 - ((low - r * c / (2.0 - c)) - high)) * power_of_two(k)
    return select(x < LEAST, 0.0, select(x > LARGEST, math.inf, value))
