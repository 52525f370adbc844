"""Gamma-function differences of the negative binomial, without cancellation. Point kernels."""

from __future__ import annotations

import math

from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import any_lane, log, select

__all__ = [
    "digamma_from_log",
    "lgamma_with_log",
    "log_factorial",
    "log_rising_ratio",
    "psi_remainder",
    "stirling_remainder",
]

# Below this argument the asymptotic series are not accurate to the last digits and the recurrence is used first.
SERIES_FROM = 10.0
# Beyond this argument the series is below the rounding of the leading terms.
SERIES_TO = 4934720.0
# Counts below this use the finite product, others the series.
PRODUCT_BELOW = 16.0
HALF_LOG_TWO_PI = 0.9189385332046727


@kernel
def stirling_series(x: float) -> float:
    """Return lgamma(x) - [(x - 1/2) log x - x + log(2 pi)/2] for x >= 10, by its asymptotic series (DLMF 5.11.1)."""
    u = 1.0 / (x * x)
    series = 1.0 / 1188.0 - u * (691.0 / 360360.0)
    series = 1.0 / 1260.0 - u * (1.0 / 1680.0 - u * series)
    return (1.0 / 12.0 - u * (1.0 / 360.0 - u * series)) / x


@kernel
def psi_series(x: float) -> float:
    """Return log x - 1/(2x) - digamma(x) for x >= 10, by its asymptotic series (DLMF 5.11.2)."""
    u = 1.0 / (x * x)
    series = 1.0 / 240.0 - u * (1.0 / 132.0 - u * (691.0 / 32760.0 - u / 12.0))
    return u * (1.0 / 12.0 - u * (1.0 / 120.0 - u * (1.0 / 252.0 - u * series)))


@kernel
def stirling_remainder(x: float) -> float:
    """Return lgamma(x) - [(x - 1/2) log x - x + log(2 pi)/2] for any x > 0."""
    if x >= SERIES_FROM:
        return stirling_series(x)
    product = x
    z = x + 1.0
    while z < SERIES_FROM:
        product *= z
        z += 1.0
    return stirling_series(z) + (z - 0.5) * math.log(z) - (z - x) - math.log(product) - (x - 0.5) * math.log(x)


@kernel
def psi_remainder(x: float) -> float:
    """Return log x - 1/(2x) - digamma(x) for any x > 0."""
    if x >= SERIES_FROM:
        return psi_series(x)
    total = 0.0
    z = x
    while z < SERIES_FROM:
        total += 1.0 / z
        z += 1.0
    return psi_series(z) + math.log(x / z) + 0.5 / z - 0.5 / x + total


@kernel
def log_factorial(y: float) -> float:
    """Return log(y!) for a count y >= 0."""
    if y < PRODUCT_BELOW:
        product = 1.0
        k = 2.0
        while k <= y:
            product *= k
            k += 1.0
        return math.log(product)
    x = y + 1.0
    return (x - 0.5) * math.log(x) - x + HALF_LOG_TWO_PI + stirling_series(x)


@kernel
def log_rising_ratio(y: float, alpha: float, remainder: float, psi_rest: float) -> tuple[float, float]:
    """Return log[Gamma(y + r) / (Gamma(r) r^y)] and r [digamma(y + r) - digamma(r)], with r = 1/alpha.

    `remainder` and `psi_rest` are `stirling_remainder(r)` and `psi_remainder(r)`, computed once for a gene. Both
    results keep full absolute accuracy as alpha goes to zero, where differences of lgamma would lose all of it.
    """
    if y == 0.0:
        return 0.0, 0.0
    if y < PRODUCT_BELOW:
        # product P of the factors 1 + k alpha, and Q/P the sum of their reciprocals
        product = 1.0
        partial = 1.0
        k = 1.0
        while k < y:
            factor = 1.0 + k * alpha
            partial = partial * factor + product
            product *= factor
            k += 1.0
        return math.log(product), partial / product
    r = 1.0 / alpha
    x = y + r
    growth = math.log1p(y * alpha)
    value = (x - 0.5) * growth - y + stirling_series(x) - remainder
    slope = r * (growth - 0.5 / x - psi_series(x) + psi_rest) + 0.5
    return value, slope


@kernel
def lgamma_with_log(x: float) -> tuple[float, float, float]:
    """Return log Gamma(x) for x > 0, with z and log z: x itself, or x plus the integer that takes it to 10."""
    z = x
    product = 1.0
    small = z < SERIES_FROM
    while any_lane(small):
        product = select(small, product * z, product)
        z = select(small, z + 1.0, z)
        small = z < SERIES_FROM
    log_z = log(z)
    value = HALF_LOG_TWO_PI + (z - 0.5) * log_z - z
    value = select(z < SERIES_TO, value + stirling_series(z), value)
    shifted = z > x
    if any_lane(shifted):
        value = select(shifted, value - log(product), value)
    return value, z, log_z


@kernel
def digamma_from_log(x: float, z: float, log_z: float) -> float:
    """Return the derivative of log Gamma at x, from what `lgamma_with_log` returned."""
    shift = 0.0
    at = x
    small = at < SERIES_FROM
    while any_lane(small):
        shift = select(small, shift + 1.0 / at, shift)
        at = select(small, at + 1.0, at)
        small = at < SERIES_FROM
    return log_z - (0.5 / z + psi_series(z) + shift)
