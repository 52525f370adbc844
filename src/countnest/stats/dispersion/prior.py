"""The width of the prior around the dispersion trend.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, methods, "Empirical prior estimate".
"""

from __future__ import annotations

import functools
from importlib.resources import files

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float

__all__ = ["prior_variance"]

MIN_VARIANCE = 0.25
# Residual degrees of freedom up to which the sampling distribution is compared with simulated ones.
LOW_DF = 3
FLOOR = 1e-6
# Histogram of log residuals.
EDGES = np.arange(-20, 21) / 2.0
# Candidates for the variance: where the simulated histograms are, and the finer grid of the smoothed divergence.
FINE_GRID = np.linspace(0.0, 8.0, 1000)


def prior_variance(alpha: FloatArray, fitted: FloatArray, var_log_disp_ests: float, residual_df: int) -> float:
    """Return the variance of log dispersion around its trend, without the sampling variance.

    Parameters
    ----------
    alpha, fitted
        (G,) gene-wise dispersions and trend.
    var_log_disp_ests
        Robust variance of log alpha - log fitted.
    residual_df
        Samples less coefficients, at least 1.

    Notes
    -----
    With more than three residual degrees of freedom, trigamma(df / 2) is taken off, the variance of a log chi-square.
    With fewer that is a poor description, and the histogram of the residuals is compared with simulated log chi-square
    plus normal variables of 200 variances; the table of their histograms and the smoother of the divergences are
    constants that come with the package.

    R counterpart: DESeq2::estimateDispersionsPriorVar.
    """
    if residual_df <= LOW_DF:
        return max(_match_histogram(alpha, fitted, residual_df), MIN_VARIANCE)
    return max(var_log_disp_ests - float(scipy.special.polygamma(1, residual_df / 2.0)), MIN_VARIANCE)


@functools.cache
def _tables() -> tuple[FloatArray, FloatArray]:
    """Return simulated densities (3, 200, 40) and the smoothing operator (1000, 200)."""
    with files("countnest.stats.dispersion").joinpath("tables/low_df_prior.npz").open("rb") as file:
        tables = np.load(file)
        counts = tables["counts"].astype(np.float64)
        smoother = np.ascontiguousarray(tables["loess_op"], dtype=np.float64)
    width = EDGES[1] - EDGES[0]
    return counts / (counts.sum(axis=2, keepdims=True) * width), smoother


def _match_histogram(alpha: FloatArray, fitted: FloatArray, residual_df: int) -> float:
    """Return the variance whose simulated residuals are nearest to the observed ones in Kullback-Leibler divergence."""
    densities, smoother = _tables()
    used = alpha >= FLOOR
    residual = np.log(alpha[used]) - np.log(fitted[used])
    residual = residual[(residual > EDGES[0]) & (residual < EDGES[-1])]
    observed = _density(residual)
    divergence = np.array([_divergence(observed, simulated) for simulated in densities[residual_df - 1]])
    return float(FINE_GRID[np.argmin(smoother @ divergence)])


def _density(values: FloatArray) -> FloatArray:
    """Return the density histogram on EDGES, bins closed on the right."""
    bins = np.searchsorted(EDGES, values, side="left") - 1
    counts = np.bincount(bins, minlength=len(EDGES) - 1)
    return as_float(counts / (len(values) * (EDGES[1] - EDGES[0])))


def _divergence(observed: FloatArray, simulated: FloatArray) -> float:
    both = np.concatenate([observed, simulated])
    small = both[both > 0].min()
    return float(np.sum(observed * (np.log(observed + small) - np.log(simulated + small))))
