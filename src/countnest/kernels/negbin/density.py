"""The negative binomial log-likelihood, accurate for large counts and for dispersions near zero.

Source: Loader (2000), Fast and accurate computation of binomial probabilities. The log-likelihood is that of the
perfect fit less half of the deviance, so that nothing large cancels. The number of failures is taken as
(y + size) - size, as R takes it, which loses about 1e-16 / alpha of a log-likelihood.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.special import stirling_remainder

__all__ = ["nb_loglik_block", "nb_loglik_constants", "nb_loglik_point", "nb_loglik_rest", "nb_loglik_zero"]

LOG_TWO_PI = 1.8378770664093455
# Within this fraction of their sum, x and m are near enough for the series of the deviance.
NEAR = 0.1
SERIES_MAX = 1000


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
def nb_loglik_block(
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
