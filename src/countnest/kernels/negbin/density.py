"""The negative binomial log-likelihood, accurate for large counts and for dispersions near zero.

Source: Loader (2000), Fast and accurate computation of binomial probabilities. The log-likelihood is that of the
perfect fit less half of the deviance, so that nothing large cancels. The number of failures is taken as
(y + size) - size, as R takes it, which loses about 1e-16 / alpha of a log-likelihood. First come the differences of
gamma functions that it is made of, without cancellation.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import any_lane, log, select

__all__ = [
    "digamma_from_log",
    "lgamma_with_log",
    "log_factorial",
    "log_rising_ratio",
    "nb_loglik_chunk",
    "nb_loglik_constants",
    "nb_loglik_point",
    "nb_loglik_rest",
    "nb_loglik_zero",
    "psi_remainder",
    "stirling_remainder",
]

LOG_TWO_PI = 1.8378770664093455
# Within this fraction of their sum, x and m are near enough for the series of the deviance.
NEAR = 0.1
SERIES_MAX = 1000
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


@kernel
def deviance_part(x: float, m: float) -> float:
    """Return x log(x / m) + m - x, by a series where x is near m."""
    if abs(x - m) < NEAR * (x + m):
        v = (x - m) / (x + m)
        total = (x - m) * v
        term = 2.0 * x * v
        v *= v
        for k in range(1, SERIES_MAX):
            term *= v
            longer = total + term / (2 * k + 1)
            if longer == total:
                return total
            total = longer
    return x * math.log(x / m) + m - x


@kernel
def nb_loglik_point(y: float, mu: float, size: float, remainder: float) -> float:
    """Return log NB(y; mean mu, size = 1 / dispersion); `remainder` is `stirling_remainder(size)`."""
    if y == 0.0:
        return nb_loglik_zero(mu, size)
    rest, scale, log_share = nb_loglik_constants(y, size, remainder)
    return nb_loglik_rest(y, mu, size, rest, scale, log_share)


@kernel
def nb_loglik_zero(mu: float, size: float) -> float:
    """Return `nb_loglik_point` for a count of zero."""
    return size * (math.log(size / (size + mu)) if size < mu else math.log1p(-mu / (size + mu)))


@kernel
def nb_loglik_constants(y: float, size: float, remainder: float) -> tuple[float, float, float]:
    """Return the three terms of `nb_loglik_point` that do not depend on the mean, for y > 0."""
    n = y + size
    failures = n - size
    rest = stirling_remainder(n) - remainder - stirling_remainder(failures)
    return rest, 0.5 * (LOG_TWO_PI + math.log(size) + math.log1p(-size / n)), math.log(size / n)


@kernel
def nb_loglik_rest(y: float, mu: float, size: float, rest: float, scale: float, log_share: float) -> float:
    """Return `nb_loglik_point` for y > 0 from `nb_loglik_constants`."""
    n = y + size
    failures = n - size  # y, but for rounding: a quasi-Newton search on a flat likelihood feels the difference
    value = rest - deviance_part(size, n * (size / (size + mu)))
    value -= deviance_part(failures, n * (mu / (size + mu)))
    value -= scale
    return log_share + value


@kernel
def nb_loglik_chunk(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    floor: FloatArray,
    loglik_out: FloatArray,
) -> None:
    """Write the log-likelihood of every gene into `loglik_out` (G,), at means max(mu, floor); floor is (G,).

    `weights` (1, n) or (G, n) are observation weights.
    """
    for g in range(counts.shape[0]):
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        size = 1.0 / alpha[g]
        remainder = stirling_remainder(size)
        total = 0.0
        for j in range(counts.shape[1]):
            total += v[j] * nb_loglik_point(counts[g, j], max(mu[g, j], floor[g]), size, remainder)
        loglik_out[g] = total
