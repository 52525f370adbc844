"""Independent filtering: leave out genes of low mean count where that finds more.

Source: Bourgon, Gentleman and Huber (2010), doi:10.1073/pnas.0914005107.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray
from countnest.options import PAdjust
from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.lowess import lowess

__all__ = ["Filtering", "independent_filtering"]

N_CUTOFFS = 50
MAX_FRACTION = 0.95
LOWESS_FRACTION = 0.2
# With no more rejections than this at any cutoff, nothing is filtered.
MIN_REJECTIONS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Filtering:
    """What independent filtering chose.

    Attributes
    ----------
    padj
        (G,) adjusted p-values; missing below the threshold.
    threshold, theta
        The cutoff on the filter statistic, and the fraction of genes below it.
    thetas, n_rejected, fitted
        (50,) fractions tried, rejections at each, and their smooth curve (None where it was not needed).
    """

    padj: FloatArray
    threshold: float
    theta: float
    thetas: FloatArray
    n_rejected: FloatArray
    fitted: FloatArray | None


def independent_filtering(
    p_values: FloatArray, statistic: FloatArray, alpha: float, method: PAdjust = "BH"
) -> Filtering:
    """Choose the cutoff on `statistic` (G,), the mean count, that lets most p-values (G,) through at level `alpha`.

    The smallest cutoff is taken whose rejections come within one standard residual of the top of their smooth curve,
    else within 90 % or 80 % of it, else none.

    Notes
    -----
    R counterpart: DESeq2::results(independentFiltering = TRUE).
    """
    none = float(np.mean(statistic == 0))
    thetas = np.linspace(none, MAX_FRACTION if none < MAX_FRACTION else 1.0, N_CUTOFFS)
    cutoffs = np.quantile(statistic, thetas)
    if method == "BH":
        n_rejected = _bh_rejections(p_values, statistic, cutoffs, alpha)
    else:
        n_rejected = _rejections(p_values, statistic, cutoffs, alpha, method)
    chosen, fitted = _choose(thetas, n_rejected)
    padj = adjust(np.where(statistic >= cutoffs[chosen], p_values, np.nan), method)
    return Filtering(padj, float(cutoffs[chosen]), float(thetas[chosen]), thetas, n_rejected, fitted)


def _rejections(
    p_values: FloatArray, statistic: FloatArray, cutoffs: FloatArray, alpha: float, method: PAdjust
) -> FloatArray:
    """Return how many adjusted p-values fall below `alpha` at every cutoff."""
    kept = (np.where(statistic >= cutoff, p_values, np.nan) for cutoff in cutoffs)
    return np.array([float((adjust(p, method) < alpha).sum()) for p in kept])


def _bh_rejections(p_values: FloatArray, statistic: FloatArray, cutoffs: FloatArray, alpha: float) -> FloatArray:
    """Return the same for Benjamini-Hochberg, sorting the p-values once."""
    order = np.argsort(p_values, kind="stable")[: np.count_nonzero(~np.isnan(p_values))]
    p_sorted, statistic_sorted = p_values[order], statistic[order]
    n_rejected = np.zeros(len(cutoffs))
    for i, cutoff in enumerate(cutoffs):
        p = p_sorted[statistic_sorted >= cutoff]
        small = np.flatnonzero(len(p) / np.arange(1, len(p) + 1) * p < alpha)
        n_rejected[i] = small[-1] + 1 if len(small) else 0
    return n_rejected


def _choose(thetas: FloatArray, n_rejected: FloatArray) -> tuple[int, FloatArray | None]:
    if n_rejected.max() <= MIN_REJECTIONS:
        return 0, None
    fitted = lowess(thetas, n_rejected, fraction=LOWESS_FRACTION)
    residual = (n_rejected - fitted)[n_rejected > 0]
    top = fitted.max()
    for limit in (top - np.sqrt(np.mean(residual**2)), 0.9 * top, 0.8 * top):
        above = np.flatnonzero(n_rejected > limit)
        if len(above):
            return int(above[0]), fitted
    return 0, fitted
