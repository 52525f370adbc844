"""The negative binomial log-likelihood, accurate for large counts and for dispersions near zero."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.jit import kernel
from countnest.kernels.special import stirling_remainder

__all__ = ["nb_loglik_block", "nb_loglik_point"]

TWO_PI = 6.283185307179586


@kernel
def log_ratio(a: float, b: float) -> float:
    """Return log(a / b), relatively accurate also where a is near b."""
    if 0.5 * b < a < 2.0 * b:
        return math.log1p((a - b) / b)
    return math.log(a / b)


@kernel
def nb_loglik_point(y: float, mu: float, alpha: float, remainder: float) -> float:
    """Return log NB(y; mean mu, dispersion alpha); `remainder` is `stirling_remainder(1 / alpha)`.

    Written as the log-likelihood of the perfect fit less half of the deviance (Loader 2000), so that nothing large
    cancels.
    """
    r = 1.0 / alpha
    if y == 0.0:
        return -r * math.log1p(mu * alpha)
    x = y + r
    best = 0.5 * math.log(r / (TWO_PI * y * x)) + stirling_remainder(x) - remainder - stirling_remainder(y)
    return best + y * log_ratio(mu, y) - x * log_ratio(mu + r, x)


@kernel
def nb_loglik_block(
    counts: FloatArray, mu: FloatArray, alpha: FloatArray, floor: FloatArray, loglik_out: FloatArray
) -> None:
    """Write the log-likelihood of every gene into `loglik_out` (G,), at means max(mu, floor); floor is (G,)."""
    for g in range(counts.shape[0]):
        remainder = stirling_remainder(1.0 / alpha[g])
        total = 0.0
        for j in range(counts.shape[1]):
            total += nb_loglik_point(counts[g, j], max(mu[g, j], floor[g]), alpha[g], remainder)
        loglik_out[g] = total
