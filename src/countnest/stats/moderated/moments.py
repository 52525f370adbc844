"""The scaled-F prior by the moments of log variances.

Source: Smyth (2004), doi:10.2202/1544-6115.1027; the trend in a covariate: Law et al. (2014),
doi:10.1186/gb-2014-15-2-r29. G genes.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray
from countnest.stats.moderated.curve import NaturalSpline
from countnest.stats.moderated.gamma import log_minus_digamma, trigamma_inverse
from countnest.stats.moderated.prior import ScaledFPrior

__all__ = ["moments_prior"]

# Variances of fewer degrees of freedom, and below minus that, do not take part; smaller ones than this fraction of
# the median count as that.
LEAST = 1e-15
FLOOR = 1e-5


def moments_prior(variance: FloatArray, df: FloatArray, covariate: FloatArray | None = None) -> ScaledFPrior:
    """Return the prior of variances (G,) on `df` degrees of freedom (G,), at least two of them usable.

    Parameters
    ----------
    covariate
        (G,) what the variance of the prior follows, on a natural spline of the log; None: it is one number.

    Notes
    -----
    R counterpart: limma::fitFDist.
    """
    usable = _usable(variance, df)
    x, d = variance[usable], df[usable]
    x = np.maximum(x, FLOOR * (float(np.median(x)) or 1.0))
    e = np.log(x) + log_minus_digamma(0.5 * d)
    location: float | FloatArray
    if covariate is None:
        location, residual = float(e.mean()), float(e.var(ddof=1))
    else:
        at = covariate[usable]
        curve = NaturalSpline.regression(at, e, _probabilities(at))
        residual = float(np.sum((e - curve(at)) ** 2) / (len(e) - curve.rank)) if len(e) > curve.rank else 0.0
        location = curve(covariate)
    excess = residual - float(scipy.special.polygamma(1, 0.5 * d).mean())
    if excess > 0:
        d0 = 2.0 * trigamma_inverse(excess)
        return ScaledFPrior(d0, _exp(location - log_minus_digamma(0.5 * d0)))
    return ScaledFPrior(np.inf, float(x.mean()) if covariate is None else _exp(location))


def _usable(variance: FloatArray, df: FloatArray) -> BoolArray:
    with np.errstate(invalid="ignore"):
        return np.isfinite(variance) & (variance > -LEAST) & np.isfinite(df) & (df > LEAST)


def _probabilities(covariate: FloatArray) -> FloatArray:
    """Return the probabilities of the knots: more, the more genes and distinct values there are."""
    n = len(covariate)
    knots = min(1 + sum(n >= least for least in (3, 6, 30)), len(np.unique(covariate)))
    return np.linspace(0.0, 1.0, knots) if knots > 1 else np.zeros(1)


def _exp(value: float | FloatArray) -> float | FloatArray:
    found = np.exp(value)
    return float(found) if found.ndim == 0 else found
