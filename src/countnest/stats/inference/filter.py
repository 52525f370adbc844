"""Independent filtering: leave out genes of low mean count where that finds more.

Source: Bourgon, Gentleman and Huber (2010), doi:10.1073/pnas.0914005107.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import OptionError, called
from countnest.stats.inference.adjust import Adjustment, adjust, adjustment_name, check_adjusted
from countnest.stats.inference.lowess import lowess

__all__ = ["FilterFunction", "Filtering", "filtered_by", "independent_filtering"]

# p-values, filter statistics and level to adjusted p-values, or to a record that has them as `padj`.
FilterFunction = Callable[[FloatArray, FloatArray, float], Any]

N_CUTOFFS = 50
MAX_FRACTION = 0.95
LOWESS_FRACTION = 0.2
# With no more rejections than this at any cutoff, the smallest one is taken; the second number is that of cautious
# filtering.
MIN_REJECTIONS, MIN_CAUTIOUS = 10, 50


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
        (50,) or as many as given: fractions tried, rejections at each, and their smooth curve (None where it was not
        needed).
    """

    padj: FloatArray
    threshold: float
    theta: float
    thetas: FloatArray
    n_rejected: FloatArray
    fitted: FloatArray | None


def independent_filtering(
    p_values: FloatArray,
    statistic: FloatArray,
    alpha: float,
    method: Adjustment = "BH",
    *,
    thetas: FloatArray | None = None,
    least: float | None = None,
) -> Filtering:
    """Choose the cutoff on `statistic` (G,), the mean count, that lets most p-values (G,) through at level `alpha`.

    The smallest cutoff is taken whose rejections come within one standard residual of the top of their smooth curve,
    else within 90 % or 80 % of it, else the lowest.

    Parameters
    ----------
    p_values, statistic
        (G,) p-values, NaN where there is none; and a number for every gene that says nothing about its p-value where
        the hypothesis is true.
    alpha
        The level.
    method
        Of adjustment, as in `adjust`.
    thetas
        (k,) the fractions of genes that are tried to leave out, ascending and distinct; None: 50 from that of the genes
        with statistic 0 to 0.95.
    least
        For cautious filtering, the smallest cutoff. The rule above costs some of the false discovery rate: the number
        of rejections at a cutoff is a random number, and where it is small, its maximum is where most false ones
        happened to come through. Here the p-values have less to say: with 50 rejections or fewer the cutoff is `least`,
        else the smallest one from there on whose rejections come within the square root of the top of their curve.

    Notes
    -----
    R counterpart: DESeq2::results(independentFiltering = TRUE); none of `least`.
    """
    if thetas is None:
        none = float(np.mean(statistic == 0))
        thetas = np.linspace(none, MAX_FRACTION if none < MAX_FRACTION else 1.0, N_CUTOFFS)
    cutoffs = np.quantile(statistic, thetas)
    if least is not None:
        cutoffs = np.maximum(cutoffs, least)
    if method == "BH":
        n_rejected = _bh_rejections(p_values, statistic, cutoffs, alpha)
    elif method == "hommel":
        n_rejected = _hommel_rejections(p_values, statistic, cutoffs, alpha)
    else:
        n_rejected = _rejections(p_values, statistic, cutoffs, alpha, method)
    chosen, fitted = _choose(thetas, n_rejected, cautious=least is not None)
    padj = adjust(np.where(statistic >= cutoffs[chosen], p_values, np.nan), method, alpha=alpha)
    theta = float(thetas[chosen]) if least is None else float(np.mean(statistic < cutoffs[chosen]))
    return Filtering(padj, float(cutoffs[chosen]), theta, thetas, n_rejected, fitted)


def filtered_by(
    function: FilterFunction, p_values: FloatArray, statistic: FloatArray, alpha: float
) -> tuple[FloatArray, Filtering | None]:
    """Return the adjusted p-values (G,) that a function makes of p-values and filter statistics, and its record.

    This is the place for methods that weight hypotheses by a filter statistic instead of leaving some out, such as
    independent hypothesis weighting (Ignatiadis et al. 2016, doi:10.1038/nmeth.3885).

    Parameters
    ----------
    function
        Called with p-values (G,), NaN where there is none, filter statistics (G,) and the level. It returns adjusted
        p-values (G,), NaN for genes that it leaves out; or a record with them as its attribute `padj`, such as
        `Filtering`, which is handed on.
    p_values, statistic, alpha
        As in `independent_filtering`.

    Raises
    ------
    OptionError
        If the function fails, returns something else, numbers outside 0 to 1, or no number at all.

    Examples
    --------
    Benjamini and Hochberg's method with a weight for each quarter of the genes by mean count: the odds that a gene of
    this quarter has changed, as the p-values above one half tell them (Hu, Zhao and Zhou 2010,
    doi:10.1198/jasa.2010.tm09329).

    >>> import numpy as np
    >>> from countnest.stats.inference.adjust import adjust
    >>> def weighted_bh(p_values, statistic, alpha):
    ...     tested = ~np.isnan(p_values)
    ...     quarter = np.digitize(statistic, np.quantile(statistic[tested], [0.25, 0.5, 0.75]))
    ...     null = np.array([2.0 * np.mean(p_values[tested & (quarter == k)] > 0.5) for k in range(4)])
    ...     null = np.clip(null, 0.01, 0.99)
    ...     weight = ((1.0 - null) / null)[quarter]
    ...     weight = weight / weight[tested].mean()
    ...     return adjust(np.minimum(p_values / weight, 1.0))
    >>> dds.results(filter_fun=weighted_bh)  # doctest: +SKIP
    """
    found = called(function, "filter_fun", p_values.copy(), statistic.copy(), alpha)
    padj = np.asarray(getattr(found, "padj", found))
    if padj.shape != p_values.shape or padj.dtype.kind not in "iuf":
        raise OptionError(
            f"the function '{adjustment_name(function)}' must return one adjusted p-value for each of the "
            f"{len(p_values)} genes, NaN where there is none, or a record that has them as 'padj'; it returned shape "
            f"{padj.shape} of type {padj.dtype}."
        )
    adjusted: FloatArray = np.where(np.isnan(p_values), np.nan, padj.astype(np.float64))
    check_adjusted(adjusted, function)
    if np.isnan(adjusted).all() and not np.isnan(p_values).all():
        raise OptionError(
            f"the function '{adjustment_name(function)}' left out every gene: all that it returned is missing."
        )
    return adjusted, found if isinstance(found, Filtering) else None


def _rejections(
    p_values: FloatArray, statistic: FloatArray, cutoffs: FloatArray, alpha: float, method: Adjustment
) -> FloatArray:
    """Return the number of adjusted p-values below `alpha` at every cutoff."""
    kept = (np.where(statistic >= cutoff, p_values, np.nan) for cutoff in cutoffs)
    return np.array([float((adjust(p, method, alpha=alpha) < alpha).sum()) for p in kept])


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


def _hommel_rejections(p_values: FloatArray, statistic: FloatArray, cutoffs: FloatArray, alpha: float) -> FloatArray:
    """Return the same for Hommel's method without its adjusted p-values, which take 30 times as long.

    With h the largest number of p-values, the largest of them, that Simes' test does not reject together, those below
    alpha / h are rejected (Hommel 1988, doi:10.1093/biomet/75.2.383). If it does not reject some, it does not reject
    fewer, so that h can be found by bisection.
    """
    tested = ~np.isnan(p_values)
    n_rejected = np.zeros(len(cutoffs))
    for i, cutoff in enumerate(cutoffs):
        p = np.sort(p_values[tested & (statistic >= cutoff)])
        largest = _largest_not_rejected(p, alpha)
        n_rejected[i] = np.count_nonzero(largest * p < alpha)
    return n_rejected


def _largest_not_rejected(p_sorted: FloatArray, alpha: float) -> int:
    """Return the size of the largest set of p-values, from the top, that Simes' test does not reject below `alpha`."""
    m = len(p_sorted)

    def rejected(k: int) -> bool:
        return bool((k * p_sorted[m - k :] / np.arange(1, k + 1) < alpha).any())

    return bisect(range(1, m + 1), False, key=rejected)


def _choose(thetas: FloatArray, n_rejected: FloatArray, *, cautious: bool) -> tuple[int, FloatArray | None]:
    if n_rejected.max() <= (MIN_CAUTIOUS if cautious else MIN_REJECTIONS) or len(thetas) == 1:
        return 0, None
    fitted = lowess(thetas, n_rejected, fraction=LOWESS_FRACTION)
    residual = (n_rejected - fitted)[n_rejected > 0]
    top = fitted.max()
    error = np.sqrt(np.mean(residual**2))
    if cautious:
        error = max(error, np.sqrt(top))
    for limit in (top - error, 0.9 * top, 0.8 * top):
        above = np.flatnonzero(n_rejected > limit)
        if len(above):
            return int(above[0]), fitted
    return 0, fitted
