"""The scaled-F prior of quasi-likelihood tests: its variance follows a spline, its degrees of freedom the likelihood.

Source: Lund, Nettleton, McCarthy and Smyth (2012), doi:10.1515/1544-6115.1826, tests with quasi-likelihood and shrunken
dispersions. G genes.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.moderated.curve import NaturalSpline
from countnest.stats.moderated.gamma import log_minus_digamma
from countnest.stats.moderated.likelihood import likeliest_df
from countnest.stats.moderated.prior import ScaledFPrior

__all__ = ["spline_prior"]

# The quantiles of the covariate at which the spline has its knots; with fewer genes the variance is one number.
PROBABILITIES = np.array([0.0, 0.1, 0.35, 0.65, 0.9, 1.0])
MIN_GENES = 50
# Variances below this fraction of the median count as that.
FLOOR = 1e-6
# Of d0 / 2 / (1 + d0 / 2): where it is searched for, and the tolerance; more degrees of freedom are infinite.
SHARES = (0.3, 0.9998)
TOLERANCE = 1e-9
MAX_DF = 5000.0


def spline_prior(variance: FloatArray, df: FloatArray, covariate: FloatArray) -> ScaledFPrior:
    """Return the prior of variances (G,) on `df` degrees of freedom (G,), none of them missing.

    Parameters
    ----------
    covariate
        (G,) what the variance of the prior follows, such as the logarithm of the mean count.

    Notes
    -----
    The genes are taken in an order that depends on their numbers alone, so that the prior is the same to the last bit
    whatever order they have. With fewer than 50 genes that have degrees of freedom the variance is one number; with
    fewer than two there is no prior.
    """
    used = np.lexsort((df, variance, covariate))
    used = used[df[used] > 0]
    n_used = len(used)
    if n_used < 2:
        return ScaledFPrior(0.0, np.nan)
    half, at = 0.5 * df[used], covariate[used]
    x = np.maximum(variance[used], FLOOR * (float(np.median(variance[used])) or 1.0))
    e = np.log(x) + log_minus_digamma(half)
    precision = as_float(1.0 / scipy.special.polygamma(1, half))
    probabilities = PROBABILITIES if n_used >= MIN_GENES else np.zeros(1)
    curve = NaturalSpline.regression(at, e, probabilities, precision)
    d0 = likeliest_df(x, half, np.ones(n_used), curve(at), SHARES, TOLERANCE)
    location = curve(covariate)
    if d0 > MAX_DF:
        return ScaledFPrior(np.inf, np.exp(location))
    return ScaledFPrior(d0, np.exp(location - log_minus_digamma(0.5 * d0)))
