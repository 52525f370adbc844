"""Variance stabilizing transformation of normalized counts, for a given trend of dispersion over the mean.

With variance v(q) = q / s + alpha(q) q^2 of a normalized count q, the integral of 1 / sqrt(v) has nearly the same
variance everywhere. It is scaled and shifted so that it approaches log2(q) for large q.

Sources: Anders and Huber (2010), doi:10.1186/gb-2010-11-10-r106; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import CountsError
from countnest.stats.dispersion.trend import MeanTrend, ParametricTrend
from countnest.stats.glm.inputs import LN2
from countnest.stats.norm.size_factors import base_mean
from countnest.stats.transform.spline import cubic_spline

__all__ = ["stabilize", "stabilize_constant"]

# Of the numerical integral: points, equally spaced in asinh.
GRID = 1000
# Quantiles of the mean counts where the numerical integral is made equal to log2.
ANCHORS = (0.95, 0.999)


def stabilize(normalized: FloatArray, factors: FloatArray, trend: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Transform normalized counts (G, n) with the dispersions that `trend` gives at means (G,).

    Closed forms for a parametric and a constant trend, which need neither factors nor other genes; for any other trend
    a numerical integral, anchored at high quantiles of the genes' means.

    Parameters
    ----------
    normalized
        (G, n) counts divided by their factors.
    factors
        (1, n) size factors or (G, n) normalization factors.
    trend
        Dispersions (G,) at means (G,).

    Returns
    -------
    FloatArray
        (G, n), log2 scale.

    Raises
    ------
    CountsError
        If the mean counts are all alike, so that a numerical integral cannot be anchored.

    Notes
    -----
    R counterpart: DESeq2::getVarianceStabilizedData.
    """
    if isinstance(trend, ParametricTrend):
        return _stabilize_parametric(normalized, trend.asymptotic, trend.extra_poisson)
    if isinstance(trend, MeanTrend):
        return stabilize_constant(normalized, trend.value)
    return _stabilize_numerically(normalized, factors, trend)


def _stabilize_parametric(q: FloatArray, a: float, e: float) -> FloatArray:
    """Return the integral for alpha(q) = e / q + a."""
    value: FloatArray = np.log2((1 + e + 2 * a * q + 2 * np.sqrt(a * q * (1 + e + a * q))) / (4 * a))
    return value


def stabilize_constant(q: FloatArray, a: float) -> FloatArray:
    """Return normalized counts of the dispersion `a`, log2 scale: the integral for alpha(q) = a.

    It is (2 arsinh sqrt(a q) - log a - log 4) / log 2.
    """
    value: FloatArray = (2 * np.arcsinh(np.sqrt(a * q)) - np.log(a) - np.log(4)) / LN2
    return value


def _stabilize_numerically(q: FloatArray, factors: FloatArray, trend: Callable[[FloatArray], FloatArray]) -> FloatArray:
    from scipy.integrate import cumulative_trapezoid  # late: it takes a while to import

    means = base_mean(q)
    low, high = np.quantile(means, ANCHORS)
    if not 0 < low < high:
        raise CountsError(
            "the mean counts of the genes are too much alike to anchor the variance stabilizing transformation at "
            f"their {ANCHORS[0]:.1%} and {ANCHORS[1]:.1%} quantiles, {low:.4g} and {high:.4g}; use fit_type='mean', or "
            "norm_transform()."
        )
    x = np.sinh(np.linspace(0.0, np.arcsinh(q.max()), GRID))[1:]
    inverse_factor = float(np.mean(1.0 / np.exp(np.log(factors).mean(axis=0))))
    density = 1.0 / np.sqrt(trend(x) * x**2 + inverse_factor * x)
    integral = cubic_spline(np.arcsinh((x[1:] + x[:-1]) / 2.0), cumulative_trapezoid(density, x))
    at_low, at_high = integral(np.arcsinh([low, high]))
    scale = (np.log2(high) - np.log2(low)) / (at_high - at_low)
    values: FloatArray = scale * (integral(np.arcsinh(q)) - at_low) + np.log2(low)
    return values
