"""Quantiles of weighted values, and the normal variance that has them."""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["normal_variance", "weighted_quantile"]

# Of absolute values, which is matched: 5 % of a normal distribution lie beyond.
UPPER = 0.05


def weighted_quantile(values: FloatArray, weights: FloatArray, probability: float) -> float:
    """Return a quantile of `values` (N,), each standing for as many as its weight, the weights scaled to sum to N.

    With weights all equal it is the usual quantile, which interpolates linearly between order statistics.

    Notes
    -----
    R counterpart: Hmisc::wtd.quantile(normwt = TRUE).
    """
    order = np.argsort(values, kind="stable")
    # in this order of operations equal weights are exactly one, and their sums whole numbers
    cumulative = np.cumsum(weights[order] * len(values) / math.fsum(weights))
    place = 1.0 + (len(values) - 1) * probability
    low = max(np.floor(place), 1.0)
    # the first value up to which the weights reach each of the two order statistics
    reached = np.searchsorted(cumulative, [low, min(low + 1.0, len(values))])
    below, above = values[order[np.minimum(reached, len(values) - 1)]]
    return float(below + (place - low) * (above - below))


def normal_variance(values: FloatArray, weights: FloatArray) -> float:
    """Return the variance of the normal distribution about 0 whose upper 5 % of |x| begins where that of `values` does.

    Notes
    -----
    R counterpart: the prior variances of DESeq2::estimateBetaPriorVar and DESeq2::rlog.
    """
    return float((weighted_quantile(np.abs(values), weights, 1.0 - UPPER) / scipy.special.ndtri(1.0 - UPPER / 2)) ** 2)
