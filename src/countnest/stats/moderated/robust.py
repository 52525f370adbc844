"""The scaled-F prior by moments that outliers do not disturb, with fewer prior degrees of freedom for outliers.

The extremes of the log variances are drawn in to their quantiles (Winsorised) before the moments are taken.

Source: Phipson, Lee, Majewski, Alexander and Smyth (2016), doi:10.1214/16-AOAS920. G genes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.special

from countnest.arrays import FloatArray
from countnest.stats.moderated.moments import moments_prior
from countnest.stats.moderated.outliers import df_of_alike, outlier_df
from countnest.stats.moderated.prior import ScaledFPrior, interpolated
from countnest.stats.moderated.search import find_root
from countnest.stats.moderated.smoother import smooth
from countnest.stats.moderated.tails import f_log_tails, f_quantile, log_f_tail

__all__ = ["robust_moments_prior"]

# The shares of the lower and the upper tail that are drawn in.
LOWER, UPPER = 0.05, 0.10
# The share that is trimmed from each end for the centre, and the fraction of genes in a local line of the trend.
TRIM = 0.10
FRACTION = 0.4
# Genes of fewer degrees of freedom do not take part; variances below this fraction of the median count as that.
LEAST = 1e-6
FLOOR = 1e-12
# Nodes of the integrals, and the tolerance of d0 / (1 + d0).
N_NODES = 128
TOLERANCE = 1e-8


def robust_moments_prior(variance: FloatArray, df: FloatArray, covariate: FloatArray | None = None) -> ScaledFPrior:
    """Return the prior of variances (G,) on `df` degrees of freedom (G,), with its degrees of freedom by gene.

    Parameters
    ----------
    covariate
        (G,) what the variance of the prior follows; None: it is one number.

    Notes
    -----
    R counterpart: limma::fitFDistRobustly.
    """
    with np.errstate(invalid="ignore"):
        used = np.isfinite(variance) & (df > LEAST)
    if used.all():
        return _of_used(variance, df, covariate)
    part = _of_used(variance[used], df[used], None if covariate is None else covariate[used])
    d0, s0 = np.full(len(df), float(np.max(part.df))), part.variance
    d0[used] = part.df
    if covariate is None:
        return ScaledFPrior(d0, s0)
    every = np.empty(len(df))
    at, beyond = covariate[used], covariate[~used]
    every[used], every[~used] = s0, np.exp(interpolated(at, np.log(np.broadcast_to(s0, at.shape)), beyond))
    return ScaledFPrior(d0, every)


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """Log variances around their centre, a number or (G,): moments with the tails drawn in."""

    centre: float | FloatArray
    mean: float
    variance: float


def _of_used(variance: FloatArray, df: FloatArray, covariate: FloatArray | None) -> ScaledFPrior:
    plain = moments_prior(variance, df, covariate)
    x = np.maximum(variance, FLOOR * (float(np.median(variance)) or 1.0))
    x, d = _on_equal_df(x, df, plain)
    log_x = _centred(np.log(x), covariate)
    mean, spread = _drawn_in_moments(d, np.inf)
    at_infinity = float(np.log(log_x.variance / spread)) if log_x.variance > 0 else -np.inf
    if at_infinity <= 0:
        s0 = np.exp(log_x.centre + log_x.mean - mean)
        f = x / s0
        return ScaledFPrior(df_of_alike(log_f_tail(f, d, np.inf), f, d), s0)
    plain_df = float(plain.df)
    if np.isinf(plain_df):
        return ScaledFPrior(np.full(len(x), np.inf), plain.variance)

    def excess(share: float) -> float:
        if share >= 1:
            return at_infinity
        return float(np.log(log_x.variance / _drawn_in_moments(d, share / (1.0 - share))[1]))

    low = plain_df / (1.0 + plain_df)
    at_low = excess(low)
    share = low if at_low >= 0 else find_root(excess, (low, at_low), (1.0, at_infinity), TOLERANCE)
    d0 = share / (1.0 - share)
    s0 = np.exp(log_x.centre + log_x.mean - _drawn_in_moments(d, d0)[0])
    f = x / s0
    log_tail = log_f_tail(f, d, d0)
    return ScaledFPrior(outlier_df(log_tail, f, d, d0), s0)


def _on_equal_df(x: FloatArray, df: FloatArray, plain: ScaledFPrior) -> tuple[FloatArray, float]:
    """Return variances as they would be on the most degrees of freedom that a gene has, and that number."""
    most = float(df.max())
    fewer = np.flatnonzero(df < most)
    if not len(fewer):
        return x, most
    s0 = np.broadcast_to(plain.variance, x.shape)[fewer]
    lower, upper = f_log_tails(x[fewer] / s0, df[fewer], float(plain.df))
    is_upper = upper < lower
    found = x.copy()
    for rows, tail, side in ((is_upper, upper, True), (~is_upper, lower, False)):
        found[fewer[rows]] = s0[rows] * f_quantile(tail[rows], most, float(plain.df), upper=side)
    return found, most


def _centred(z: FloatArray, covariate: FloatArray | None) -> _Centred:
    n = len(z)
    centre: float | FloatArray
    if covariate is None:
        cut = int(n * TRIM)
        centre = float(np.sort(z)[cut : n - cut].mean())
    else:
        centre = smooth(covariate, z, fraction=FRACTION)
    residual = z - centre
    drawn_in = np.clip(residual, *np.quantile(residual, [LOWER, 1.0 - UPPER]))
    return _Centred(centre, float(drawn_in.mean()), float(drawn_in.var(ddof=1)))


def _drawn_in_moments(df: float, d0: float) -> tuple[float, float]:
    """Return mean and variance of the log of an F variable on `df` and `d0`, its tails drawn in to their quantiles."""
    low = float(f_quantile(np.array(np.log(LOWER)), df, d0, upper=False))
    high = float(f_quantile(np.array(np.log(UPPER)), df, d0, upper=True))
    ends = low / (1.0 + low), high / (1.0 + high)
    nodes, weights = _nodes()
    u = ends[0] + 0.5 * (nodes + 1.0) * (ends[1] - ends[0])
    f = u / (1.0 - u)
    log_f = np.log(f)
    mass = 0.5 * (ends[1] - ends[0]) * weights * _f_density(f, df, d0) / (1.0 - u) ** 2
    at_ends = np.log([low, high])
    mean = mass @ log_f + LOWER * at_ends[0] + UPPER * at_ends[1]
    spread = mass @ (log_f - mean) ** 2 + LOWER * (at_ends[0] - mean) ** 2 + UPPER * (at_ends[1] - mean) ** 2
    return float(mean), float(spread)


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(N_NODES)


def _f_density(f: FloatArray, df: float, d0: float) -> FloatArray:
    half = 0.5 * df
    if np.isinf(d0):
        return np.asarray(
            np.exp(half * np.log(half) + (half - 1.0) * np.log(f) - half * f - scipy.special.gammaln(half))
        )
    other = 0.5 * d0
    log_density = half * np.log(half / other) + (half - 1.0) * np.log(f) - (half + other) * np.log1p(half * f / other)
    return np.asarray(np.exp(log_density - scipy.special.betaln(half, other)))
