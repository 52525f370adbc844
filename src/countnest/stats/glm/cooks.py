"""Cook's distances, and the counts that replace outliers.

Sources: Cook (1977), doi:10.2307/1268249; Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, as_float, as_int
from countnest.kernels.negbin.robust import robust_dispersion_chunk

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["cooks_cutoff", "cooks_distance", "max_cooks", "replacement_counts", "trimmed_mean"]

# Trimmed fraction and consistency factor of the trimmed variance, for cells of up to 3, up to 23 and more samples.
TRIM = ((3, 1.0 / 3.0, 2.04), (23, 1.0 / 4.0, 1.86), (np.inf, 1.0 / 8.0, 1.51))
MIN_CELL = 3
MIN_ROBUST_DISPERSION = 0.04
CUTOFF_QUANTILE = 0.99


def trimmed_mean(values: FloatArray, trim: float) -> FloatArray:
    """Return the means (G,) of the rows of `values` (G, n) without floor(n trim) values at either end.

    They are right to the last bit: where all factors are the same, a mean times a factor can be a whole number, and
    `replacement_counts` cuts off what is behind the point.
    """
    n = values.shape[1]
    drop = int(np.floor(n * trim))
    return as_float([_mean(row) for row in np.sort(values, axis=1)[:, drop : n - drop].tolist()])


def _mean(values: list[float]) -> float:
    """Return the mean, rounded once: the rounding error of a first one is the mean of what is left over."""
    n = len(values)
    mean = math.fsum(values) / n
    return mean + math.fsum([*values, *[-mean] * n]) / n


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
        sizes = layout.cell_sizes[large]
        place = np.argsort(layout.of_sample, kind="stable")
        samples = place[np.isin(layout.of_sample[place], large)]
        rules = [next((trim, scale) for most, trim, scale in TRIM if size <= most) for size in sizes]
    else:  # all samples as one cell
        sizes, samples, rules = np.array([layout.n_samples]), np.arange(layout.n_samples), [TRIM[-1][1:]]
    trim, scale = (as_float(values) for values in zip(*rules, strict=True))
    start = as_int(np.concatenate([[0], np.cumsum(sizes)]))
    alpha = np.empty(len(normalized))
    robust_dispersion_chunk(as_float(normalized), as_int(samples), start, trim, scale, MIN_ROBUST_DISPERSION, alpha)
    return alpha


def max_cooks(cooks: FloatArray, layout: Layout, without: BoolArray | None = None) -> FloatArray:
    """Return the largest Cook's distance (G,) over samples in cells of three or more; NaN where there are none.

    Distances of the samples `without` (n,) are taken as zero.

    Notes
    -----
    R counterpart: mcols(dds)$maxCooks.
    """
    counted = layout.samples_per_cell >= MIN_CELL
    if layout.residual_df <= 0 or not counted.any():
        return np.full(len(cooks), np.nan)
    if without is not None:
        cooks = np.where(without & ~np.isnan(cooks), 0.0, cooks)
    return as_float(cooks[:, counted].max(axis=1))


def cooks_cutoff(layout: Layout) -> float:
    """Return the 99 % quantile of F(p, n - p), above which a Cook's distance marks an outlier."""
    return float(scipy.special.fdtri(layout.n_coefficients, layout.residual_df, CUTOFF_QUANTILE))


def replacement_counts(normalized: FloatArray, factors: FloatArray, trim: float = 0.2) -> FloatArray:
    """Return the counts (G, n) that the other samples suggest for each entry: trimmed means, scaled back."""
    return np.trunc(trimmed_mean(normalized, trim)[:, None] * factors)
