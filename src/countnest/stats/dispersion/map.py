"""Shrunken dispersions: the maximum a posteriori between a gene's own data and the trend, and who is exempt from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, rows_of
from countnest.stats.dispersion.posterior import MAX_ITER, MIN_DISPERSION, grid_search, line_search, max_dispersion

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["Shrunken", "shrink_dispersions"]

OUTLIER_SD = 2.0
# The search starts at the gene-wise estimate unless that is below this fraction of the trend.
START_FRACTION = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Shrunken:
    """Final dispersions, each (G,).

    Attributes
    ----------
    alpha
        What the tests use: the maximum a posteriori, or the gene-wise estimate of dispersion outliers.
    map_alpha
        Maximum a posteriori.
    outlier
        Genes whose own estimate lies far above the trend, which are not shrunken.
    n_iter
        Iterations of the line search.
    """

    alpha: FloatArray
    map_alpha: FloatArray
    outlier: BoolArray
    n_iter: IntArray


def shrink_dispersions(
    genewise: FloatArray,
    fitted: FloatArray,
    counts: FloatArray,
    mu: FloatArray,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    prior_var: float,
    var_log_disp_ests: float,
) -> Shrunken:
    """Shrink gene-wise dispersions (G,) towards the trend `fitted` (G,), given counts and means (G, n).

    `weights` are (1, n) or (G, n) observation weights.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsMAP.
    """
    prior_mean = np.log(fitted)
    start = np.log(np.where(genewise > START_FRACTION * fitted, genewise, fitted))
    search = line_search(start, counts, mu, layout, weights=weights, prior_mean=prior_mean, prior_variance=prior_var)
    map_alpha = np.exp(search.log_alpha)
    rows = np.flatnonzero(search.n_iter == MAX_ITER)
    if len(rows):
        map_alpha[rows] = np.exp(
            grid_search(
                counts[rows],
                mu[rows],
                layout,
                weights=rows_of(weights, rows),
                prior_mean=prior_mean[rows],
                prior_variance=prior_var,
            )
        )
    map_alpha = np.clip(map_alpha, MIN_DISPERSION, max_dispersion(layout.n_samples))
    outlier = np.log(genewise) > prior_mean + OUTLIER_SD * np.sqrt(var_log_disp_ests)
    return Shrunken(np.where(outlier, genewise, map_alpha), map_alpha, outlier, search.n_iter)
