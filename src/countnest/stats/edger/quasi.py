"""Quasi-likelihood F tests: quasi-dispersions moderated by a prior, and their average. G genes.

Sources: Lund, Nettleton, McCarthy and Smyth (2012), doi:10.1515/1544-6115.1826; Chen, Lun and Smyth (2016),
doi:10.12688/f1000research.8987.2; adjusted deviances: Chen et al. (2025), doi:10.1093/nar/gkaf018.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.smoother import lowess_of_many
from countnest.stats.moderated.t_and_f import ModeratedTest
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["average_quasi_dispersion", "highest_genes", "quasi_df", "quasi_f_test", "share_of_highest"]

# Of the local regression of quasi-dispersions on the average log CPM, and the quantile of it that is the average.
FRACTION, DELTA, QUANTILE = 0.5, 0.01, 0.9
LEAST_DF = 1e-8


def share_of_highest(n_genes: int, residual_df: int) -> float:
    """Return the share of genes, those of highest abundance, whose common dispersion is that of all."""
    return min(0.02 + 0.98 * math.cbrt(20.0 / (n_genes * math.sqrt(residual_df))), 1.0)


def highest_genes(abundance: FloatArray, share: float) -> IntArray:
    """Return a share of the genes, those of highest abundance (G,), in decreasing order."""
    return np.argsort(-abundance, kind="stable")[: math.ceil(share * len(abundance))].astype(np.int64)


def average_quasi_dispersion(variance: FloatArray, df: FloatArray, abundance: FloatArray) -> float:
    """Return the average quasi-dispersion, at least 1: the upper end of the trend of quasi-dispersions.

    Parameters
    ----------
    variance, df
        (G,) quasi-dispersions and their degrees of freedom; genes without any, and missing ones, do not take part.
    abundance
        (G,) average log CPM.
    """
    used = np.flatnonzero(df > LEAST_DF)
    if len(used) < 2:
        return 1.0
    order = used[np.argsort(abundance[used], kind="stable")]
    x, y = abundance[order], np.sqrt(np.sqrt(variance[order]))
    trend = lowess_of_many(x, y, fraction=FRACTION, robust_steps=3, delta=DELTA * float(x[-1] - x[0]))
    return max(float(np.quantile(trend, QUANTILE)), 1.0) ** 4


def quasi_f_test(gain: FloatArray, df_tested: int, moderated: ModeratedVariances, total_df: float) -> ModeratedTest:
    """Return the F tests (G,) of differences of deviances between the null model and the full one.

    Parameters
    ----------
    gain
        (G,) how much the deviance of the null model is higher.
    df_tested
        Number of independent contrasts that it sets to zero.
    moderated
        The quasi-dispersions.
    total_df
        The residual degrees of freedom of all genes together, which those of a denominator do not exceed.

    Notes
    -----
    R counterpart: edgeR::glmQLFTest.
    """
    df = quasi_df(moderated, total_df)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = gain / df_tested / moderated.variance
    return ModeratedTest(statistic, df, log_f_tail(np.maximum(statistic, 0.0), df_tested, df))


def quasi_df(moderated: ModeratedVariances, total_df: float) -> FloatArray:
    """Return the degrees of freedom (G,) of the denominators; see `quasi_f_test`."""
    return np.minimum(moderated.own_df + moderated.prior.df, total_df)
