"""Normal prior of log fold changes, its width estimated from the fold changes of all genes.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Empirical Bayes estimation of LFCs".
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.shrink.quantile import normal_variance

__all__ = ["FLAT_VARIANCE", "lfc_weights", "normal_prior_variance"]

# Variance of a prior that is as good as none: of intercepts, and where there is nothing to estimate it from.
FLAT_VARIANCE = 1e6
# Coefficients beyond this (log2) have diverged and say nothing about the prior.
LARGE_LOG2_BETA = 10.0


def lfc_weights(mean: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return the weights (G,) of the fold changes of each gene: one over the variance of its log counts.

    Parameters
    ----------
    mean, dispersion
        (G,) mean of normalized counts, and the trend of dispersion there.
    """
    return 1.0 / (1.0 / mean + dispersion)


def normal_prior_variance(log2_beta: FloatArray, weights: FloatArray) -> float:
    """Return the variance of the normal prior whose tails are as far out as those of the estimates.

    Parameters
    ----------
    log2_beta
        (G,) maximum likelihood estimates of one coefficient or contrast, log2.
    weights
        (G,) weights of the genes.

    Returns
    -------
    float
        The square of the weighted 95 % quantile of |beta| over the 97.5 % quantile of the standard normal. Of a single
        gene, beta squared. `FLAT_VARIANCE` if no estimate is within 10 of zero.

    Notes
    -----
    R counterpart: DESeq2::estimateBetaPriorVar(betaPriorMethod = "weighted").
    """
    if len(log2_beta) == 1:
        return float(log2_beta[0] ** 2)
    size = np.abs(log2_beta)
    usable = size < LARGE_LOG2_BETA
    if not usable.any():
        return FLAT_VARIANCE
    return normal_variance(size[usable], weights[usable])
