"""The scaled-F prior by maximum likelihood, for variances on unequal degrees of freedom. G genes.

The variance of the prior follows from the mean, or a local regression, of log variances, weighted by their precision;
the degrees of freedom maximise the likelihood of the F distribution.

Sources: Smyth (2004), doi:10.2202/1544-6115.1027; Chen et al. (2025), doi:10.1093/nar/gkaf018.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg
from countnest.stats.moderated.gamma import log_minus_digamma
from countnest.stats.moderated.outliers import outlier_df
from countnest.stats.moderated.prior import ScaledFPrior
from countnest.stats.moderated.search import find_minimum
from countnest.stats.moderated.smoother import smooth, weighted_lowess
from countnest.stats.moderated.tails import f_log_tails

__all__ = ["likeliest_df", "likelihood_prior"]

# Genes of fewer degrees of freedom do not take part; variances below this fraction of the median count as that.
LEAST = 0.01
FLOOR = 1e-12
# Of d0 / 2 / (1 + d0 / 2): where it is searched for, and the tolerance of the search, R's usual one.
SHARES = (0.5, 0.9998)
TOLERANCE = float(np.finfo(np.float64).eps ** 0.25)
# Weights of the local regression relative to their upper quartile, and the number of genes up to which all take part.
RELATIVE_WEIGHTS = (1e-8, 1e2)
N_GENES = 500
# Adjusted p-values above this do not count against a gene in the robust estimate.
SUSPICIOUS = 0.3


def likelihood_prior(
    variance: FloatArray, df: FloatArray, covariate: FloatArray | None = None, *, robust: bool = False
) -> ScaledFPrior:
    """Return the prior of variances (G,) on `df` degrees of freedom (G,), which may differ; two must be usable.

    Parameters
    ----------
    covariate
        (G,) what the variance of the prior follows; None: it is one number. Two usable genes do without.
    robust
        Whether genes with outlying variances count less, and have fewer prior degrees of freedom.

    Notes
    -----
    R counterpart: limma::fitFDistUnequalDF1. The prior degrees of freedom lie between 2 and 9998, and have the
    tolerance of R's search. As there, genes without degrees of freedom count as small variances where p-values are
    adjusted for the robust estimate.
    """
    with np.errstate(invalid="ignore"):
        used = np.isfinite(variance) & (df >= LEAST)
    d, weights = np.where(used, df, 1.0), used.astype(np.float64)
    x = np.where(used, variance, 0.0)
    x = np.maximum(x, FLOOR * (float(np.median(x[x > 0])) if (x > 0).any() else 1.0))
    if used.sum() == 2:
        covariate = None
    first = _fit(x, d, covariate, weights)
    if not robust:
        return first
    return _robust(x, d, covariate, weights, first)


def _fit(x: FloatArray, d: FloatArray, covariate: FloatArray | None, weights: FloatArray) -> ScaledFPrior:
    """Return the prior, for genes with prior weights (G,)."""
    e = np.log(x) + log_minus_digamma(0.5 * d)
    precision = weights / scipy.special.polygamma(1, 0.5 * d)
    location: float | FloatArray
    location = float(np.average(e, weights=precision)) if covariate is None else _trend(covariate, e, precision)
    counted = weights > 0
    at = np.broadcast_to(location, x.shape)[counted]
    d0 = likeliest_df(x[counted], 0.5 * d[counted], weights[counted], at, SHARES, TOLERANCE)
    return ScaledFPrior(d0, np.exp(location - log_minus_digamma(0.5 * d0)))


def likeliest_df(
    x: FloatArray,
    half: FloatArray,
    weights: FloatArray,
    location: FloatArray,
    shares: tuple[float, float],
    tolerance: float,
) -> float:
    """Return the prior degrees of freedom d0 of highest likelihood of positive variances `x` (G,).

    Parameters
    ----------
    half
        (G,) half their degrees of freedom.
    weights
        (G,) of the genes.
    location
        (G,) expected log variances, plus that of chi-square divided by its degrees of freedom.
    shares, tolerance
        Where u = d0 / (2 + d0) is searched for, and how closely.
    """

    def loss(share: float) -> float:
        d2 = share / (1.0 - share)
        scale = d2 * np.exp(location - log_minus_digamma(d2))
        each = (
            scipy.special.gammaln(half + d2)
            - scipy.special.gammaln(d2)
            - half * np.log(scale)
            - (half + d2) * np.log1p(half * x / scale)
        )
        return float(-2.0 * (weights * each).sum())

    share = find_minimum(loss, *shares, tolerance)
    return 2.0 * share / (1.0 - share)


def _trend(covariate: FloatArray, e: FloatArray, precision: FloatArray) -> FloatArray:
    n = len(e)
    span = min(0.3 + 0.7 * (N_GENES / n) ** (1.0 / 3.0), 1.0)
    if np.ptp(precision) < 1e-15:
        return smooth(covariate, e, fraction=span, robust_steps=0)
    relative = np.clip(precision / np.quantile(precision, 0.75), *RELATIVE_WEIGHTS)
    return weighted_lowess(covariate, e, relative, span=span, iterations=1, n_points=200)


def _robust(
    x: FloatArray, d: FloatArray, covariate: FloatArray | None, weights: FloatArray, first: ScaledFPrior
) -> ScaledFPrior:
    """Return the prior with genes weighted by the adjusted p-values of their variances."""
    d0 = float(first.df)
    f = x / first.variance
    lower, upper = f_log_tails(f, d, d0)
    p_value = 2.0 * np.exp(np.minimum(lower, upper))
    adjusted = benjamini_hochberg(np.minimum(p_value, 1.0))
    adjusted[adjusted > SUSPICIOUS] = 1.0
    if (adjusted == 1.0).all():
        return first
    second = _fit(x, d, covariate, weights * adjusted)
    d0_by_gene = outlier_df(upper, f, d, float(second.df))
    return ScaledFPrior(d0_by_gene, second.variance)
