"""Log odds that genes are differentially expressed, from moderated t statistics.

Source: Smyth (2004), doi:10.2202/1544-6115.1027. G genes.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.tails import f_quantile, log_t_tail

__all__ = ["PROPORTION", "effect_variance", "log_odds"]

# The fraction of genes that are assumed to be differentially expressed, unless another one is given.
PROPORTION = 0.01
# Limits of the standard deviation of true effects, log2.
LIMITS = (0.1, 4.0)
# With more prior degrees of freedom, statistics count as normal.
NORMAL = 1e6


def effect_variance(
    t: FloatArray, unscaled: FloatArray, moderated: ModeratedVariances, proportion: float = PROPORTION
) -> float:
    """Return the variance of true effects, in units of the variance of a gene, from the largest t statistics.

    Parameters
    ----------
    t
        (G,) moderated t statistics of one coefficient.
    unscaled
        (G,) its standard errors, were the variance 1.
    moderated
        The variances, with the degrees of freedom of the statistics.
    proportion
        Of genes that are assumed to be differentially expressed.

    Notes
    -----
    R counterpart: var.prior of limma::eBayes.
    """
    df = moderated.df
    known = np.flatnonzero(~np.isnan(t) & ~np.isnan(df))
    if not len(known):
        return np.nan
    limits = np.array(LIMITS) ** 2 / np.median(np.broadcast_to(moderated.prior.variance, t.shape)[known])
    n = len(known)
    n_top = int(np.ceil(0.5 * proportion * n))
    share = max(n_top / n, proportion)
    most = float(df[known].max())
    size = np.abs(t[known])
    fewer = df[known] < most
    size[fewer] = _t_quantile(log_t_tail(size[fewer], df[known][fewer]), most)
    order = np.argsort(-size, kind="stable")[:n_top]
    top, scale = size[order], unscaled[known][order] ** 2
    null = 2.0 * np.exp(log_t_tail(top, most))
    target = ((np.arange(1, n_top + 1) - 0.5) / n - (1.0 - share) * null) / share
    found = np.zeros(n_top)
    wide = target > null
    expected = _t_quantile(np.log(target[wide] / 2.0), most)
    found[wide] = scale[wide] * ((top[wide] / expected) ** 2 - 1.0)
    return float(np.clip(found, *limits).mean())


def log_odds(
    t: FloatArray,
    unscaled: FloatArray,
    moderated: ModeratedVariances,
    variance: float,
    proportion: float = PROPORTION,
) -> FloatArray:
    """Return the natural logarithms (G,) of the odds that a gene is differentially expressed.

    Arguments are those of `effect_variance`, and its result. Limits are meant for log2 fold changes.

    Notes
    -----
    R counterpart: lods of limma::eBayes, the column B of limma::topTable.
    """
    df, square = moderated.df, t * t
    ratio = 1.0 + variance / unscaled**2
    with np.errstate(invalid="ignore"):
        kernel = 0.5 * (1.0 + df) * np.log((square + df) / (square / ratio + df))
        normal = np.broadcast_to(moderated.prior.df, t.shape) > NORMAL
        kernel = np.where(normal, 0.5 * square * (1.0 - 1.0 / ratio), kernel)
        return as_float(np.log(proportion / (1.0 - proportion)) - 0.5 * np.log(ratio) + kernel)


def _t_quantile(log_tail: FloatArray, df: float) -> FloatArray:
    """Return where a t distribution has an upper tail of probability exp(`log_tail`), at most one half."""
    return np.sqrt(np.maximum(f_quantile(log_tail + np.log(2.0), 1.0, df, upper=True), 0.0))
