"""Normal scores of counts under a negative binomial model, so that tests for normal data can be used.

Source: Lun, Chen and Smyth (2016), doi:10.1007/978-1-4939-3578-9_19. G genes, n samples.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.moderated.tails import f_log_tails

__all__ = ["negative_binomial_scores"]

# Dispersions below this are those of Poisson counts.
POISSON = 1e-10


def negative_binomial_scores(counts: FloatArray, mu: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return standard normal scores (G, n) of counts: quantiles of their mid-p-values.

    Parameters
    ----------
    counts, mu
        (G, n), and their means. Fractions between whole counts are interpolated.
    dispersion
        (G,)

    Notes
    -----
    R counterpart: edgeR::zscoreNBinom(method = "midp").
    """
    whole = np.rint(counts)
    share = counts - whole + 0.5  # of the point mass that counts as below
    alpha = np.broadcast_to(dispersion[:, np.newaxis], counts.shape)
    below, beyond = _log_tails(whole - 1.0, mu, alpha)
    up_to, above = _log_tails(whole, mu, alpha)
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.logaddexp(below + np.log1p(-share), up_to + np.log(share))
        high = np.logaddexp(above + np.log(share), beyond + np.log1p(-share))
    lower = scipy.special.ndtri_exp(np.minimum(low, 0.0))
    upper = -scipy.special.ndtri_exp(np.minimum(high, 0.0))
    return as_float(np.where(low < high, lower, upper))


def _log_tails(counts: FloatArray, mu: FloatArray, dispersion: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log P(Y <= count) and log P(Y > count), whole counts from -1 on: tails of F distributions."""
    lower, upper = np.full(counts.shape, -np.inf), np.zeros(counts.shape)
    poisson = (dispersion < POISSON) & (counts >= 0)
    if poisson.any():
        y, m = counts[poisson] + 1.0, mu[poisson]
        upper[poisson], lower[poisson] = f_log_tails(m / y, 2.0 * y, np.inf)
    rest = ~(dispersion < POISSON) & (counts >= 0)
    with np.errstate(divide="ignore"):
        ratio = (counts[rest] + 1.0) / mu[rest]
    lower[rest], upper[rest] = f_log_tails(ratio, 2.0 / dispersion[rest], 2.0 * (counts[rest] + 1.0))
    return lower, upper
