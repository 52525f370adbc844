"""The rank sum test of a set of genes whose statistics are correlated.

Sources: Barry, Nobel and Wright (2008), doi:10.1214/07-AOAS146; Wu and Smyth (2012), doi:10.1093/nar/gks461.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float

__all__ = ["average_ranks", "rank_sum_scores"]


def average_ranks(values: FloatArray) -> tuple[FloatArray, float]:
    """Return the ranks (G,) from 1, equal values with their mean rank, and what ties leave of the variance."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    ranks = (last - 0.5 * (times - 1))[place.reshape(-1)]
    n = float(len(values))
    t = times.astype(np.float64)
    return as_float(ranks), float(1.0 - (t * (t + 1.0) * (t - 1.0)).sum() / (n * (n + 1.0) * (n - 1.0)))


def rank_sum_scores(ranks: FloatArray, untied: float, members: IntArray, correlation: float) -> tuple[float, float]:
    """Return how far the ranks of a set are below, and above, those of other genes, in standard deviations.

    Parameters
    ----------
    ranks, untied
        What `average_ranks` returns for all G genes.
    members
        (m,) the genes of the set; NaN for a set without genes, and of all of them.
    correlation
        Between the statistics of two genes of the set; negative and missing ones count as 0.

    Notes
    -----
    R counterpart: limma::rankSumTestWithCorrelation.
    """
    n, m = float(len(ranks)), float(len(members))
    m2, rho = n - m, max(correlation, 0.0) if correlation == correlation else 0.0
    product = m * m2
    if product == 0.0:
        return np.nan, np.nan
    u = product + 0.5 * m * (m + 1.0) - float(ranks[members].sum())
    if rho == 0.0 or m == 1.0:
        variance = product * (n + 1.0) / 12.0
    else:
        single = np.arcsin(1.0) + np.arcsin(0.5) * (m2 - 1.0)
        paired = np.arcsin(0.5 * rho) * (m2 - 1.0) + np.arcsin(0.5 * (rho + 1.0))
        variance = product * (single + (m - 1.0) * paired) / (2.0 * np.pi)
    away, sd = u - 0.5 * product, np.sqrt(variance * untied)
    return float((away - 0.5) / sd), float(-(away + 0.5) / sd)
