"""Prior degrees of freedom by gene: fewer for genes whose variances are larger than the prior allows.

Source: Phipson et al. (2016), doi:10.1214/16-AOAS920, sections 3.4 and 3.5. G genes.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["df_of_alike", "expected_tails", "outlier_df"]

LOG_HALF = float(np.log(0.5))


def expected_tails(f: FloatArray) -> FloatArray:
    """Return the upper tail probabilities (G,) that statistics (G,) have by their ranks; ties share theirs."""
    _, place, count = np.unique(f, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1.0))[place]
    return (len(f) - rank + 0.5) / len(f)


def outlier_df(log_tail: FloatArray, f: FloatArray, df: FloatArray | float, d0: float) -> FloatArray:
    """Return the prior degrees of freedom (G,).

    A gene is no outlier with the probability that its tail has relative to the one that its rank lets expect. The
    largest of all variances, were it an outlier for certain, would get so few degrees of freedom that half of all
    genes had as large a one.

    Parameters
    ----------
    log_tail
        (G,) upper tail probabilities, in logarithms, of `f`.
    f
        (G,) variances relative to those of the prior.
    df
        Degrees of freedom of the variances.
    d0
        Of the genes that are no outliers.
    """
    log_share = np.minimum(log_tail - np.log(expected_tails(f)), 0.0)
    if not (log_share < 0).any():
        return np.full(len(f), d0)
    extreme = int(np.argmin(log_tail))
    least = _least_df(float(log_tail[extreme]), f[extreme], np.broadcast_to(df, f.shape)[extreme], d0)
    share = np.exp(log_share)
    return _monotone(share * d0 + (1.0 - share) * least, log_tail)


def df_of_alike(log_tail: FloatArray, f: FloatArray, df: float) -> FloatArray:
    """Return the prior degrees of freedom (G,) where all genes but outliers have the variance of the prior."""
    n = len(f)
    found = np.full(n, np.inf)
    log_share = log_tail - np.log(expected_tails(f))
    outlier = log_share < 0
    found[outlier] = np.exp(log_share[outlier]) * n * df
    order = np.argsort(log_tail, kind="stable")
    found[order] = np.maximum.accumulate(found[order])
    return found


def _least_df(log_tail: float, f: float, df: float, d0: float) -> float:
    """Return the degrees of freedom of a certain outlier, once refined; 0 where its tail is empty."""
    if np.isneginf(log_tail):
        return 0.0
    first = LOG_HALF / log_tail * d0
    return float(first * LOG_HALF / log_f_tail(f, df, first))


def _monotone(d0: FloatArray, log_tail: FloatArray) -> FloatArray:
    """Return degrees of freedom that never fall as the tail probability grows.

    The first ones, of the most extreme genes, share their least cumulative mean; after them it is the maximum so far.
    """
    order = np.argsort(log_tail, kind="stable")
    ordered = d0[order]
    means = np.cumsum(ordered) / np.arange(1.0, len(ordered) + 1.0)
    first = int(np.argmin(means))
    ordered[: first + 1] = means[first]
    found = np.empty_like(d0)
    found[order] = np.maximum.accumulate(ordered)
    return found
