"""Cook's distances and the counts that they call outliers.

Sources: Cook (1977), doi:10.2307/1268249; Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.glm.layout import Layout

__all__ = ["cooks_cutoff", "cooks_distance", "max_cooks", "replacement_counts", "trimmed_mean"]

# Trimmed fraction and consistency factor of the trimmed variance, for cells of up to 3, up to 23 and more samples.
TRIM = ((3, 1.0 / 3.0, 2.04), (23, 1.0 / 4.0, 1.86), (np.inf, 1.0 / 8.0, 1.51))
MIN_CELL = 3
MIN_ROBUST_DISPERSION = 0.04
CUTOFF_QUANTILE = 0.99


def trimmed_mean(values: FloatArray, trim: float) -> FloatArray:
    """Return the means (G,) of the rows of `values` (G, n) without floor(n trim) values at either end."""
    n = values.shape[1]
    drop = int(np.floor(n * trim))
    return as_float(np.sort(values, axis=1)[:, drop : n - drop].mean(axis=1))


def cooks_distance(
    counts: FloatArray, normalized: FloatArray, mu: FloatArray, hat: FloatArray, layout: Layout
) -> FloatArray:
    """Return Cook's distances (G, n): (y - mu)^2 / V(mu) / p * h / (1 - h)^2, V with a robust dispersion.

    All inputs are (G, n); `mu` not floored.

    Notes
    -----
    R counterpart: assays(dds)[["cooks"]].
    """
    alpha = _robust_dispersion(normalized, layout)[:, None]
    pearson = (counts - mu) ** 2 / (mu + alpha * mu**2)
    return pearson / layout.n_coefficients * hat / (1.0 - hat) ** 2


def _robust_dispersion(normalized: FloatArray, layout: Layout) -> FloatArray:
    """Return method-of-moments dispersions (G,) from the largest trimmed variance of the cells of three or more."""
    large = np.flatnonzero(layout.cell_sizes >= MIN_CELL)
    if len(large):
        variance = np.max([_cell_variance(normalized[:, layout.cells.of_sample == c]) for c in large], axis=0)
    else:
        variance = _trimmed_variance(normalized, TRIM[-1][1], TRIM[-1][2])
    mean = normalized.mean(axis=1)
    return as_float(np.maximum((variance - mean) / mean**2, MIN_ROBUST_DISPERSION))


def _cell_variance(values: FloatArray) -> FloatArray:
    _, trim, scale = next(rule for rule in TRIM if values.shape[1] <= rule[0])
    return _trimmed_variance(values, trim, scale)


def _trimmed_variance(values: FloatArray, trim: float, scale: float) -> FloatArray:
    centre = trimmed_mean(values, trim)[:, None]
    return scale * trimmed_mean((values - centre) ** 2, trim)


def max_cooks(cooks: FloatArray, layout: Layout) -> FloatArray:
    """Return the largest Cook's distance (G,) over samples in cells of three or more; NaN where there are none.

    Notes
    -----
    R counterpart: mcols(dds)$maxCooks.
    """
    counted = layout.samples_per_cell >= MIN_CELL
    if layout.residual_df <= 0 or not counted.any():
        return np.full(len(cooks), np.nan)
    return as_float(cooks[:, counted].max(axis=1))


def cooks_cutoff(layout: Layout) -> float:
    """Return the 99 % quantile of F(p, n - p), above which a Cook's distance marks an outlier."""
    return float(scipy.special.fdtri(layout.n_coefficients, layout.residual_df, CUTOFF_QUANTILE))


def replacement_counts(normalized: FloatArray, factors: FloatArray, trim: float = 0.2) -> FloatArray:
    """Return the counts (G, n) that the other samples suggest for each entry: trimmed means, scaled back."""
    return np.trunc(trimmed_mean(normalized, trim)[:, None] * factors)
