"""Shrunken dispersions: maximum a posteriori estimates, and the outliers that are not shrunken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.stats.dispersion.posterior import (
    MAX_ITER,
    MIN_DISPERSION,
    DispersionPosterior,
    grid_search,
    line_search,
    max_dispersion,
)
from countnest.stats.dispersion.trend import DispersionTrend

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
    genewise: FloatArray, fitted: FloatArray, likelihood: DispersionPosterior, prior: DispersionTrend
) -> Shrunken:
    """Shrink gene-wise dispersions (G,) towards the trend at the means of the genes, `fitted` (G,).

    `likelihood` has the counts and their means, and no prior yet; `prior` its width.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsMAP.
    """
    centre = np.log(fitted)
    posterior = replace(likelihood, prior_mean=centre, prior_variance=prior.disp_prior_var)
    search = line_search(posterior, np.log(np.where(genewise > START_FRACTION * fitted, genewise, fitted)))
    map_alpha = np.exp(search.log_alpha)
    rows = np.flatnonzero(search.n_iter == MAX_ITER)
    if len(rows):
        map_alpha[rows] = np.exp(grid_search(posterior.at(rows)))
    map_alpha = np.clip(map_alpha, MIN_DISPERSION, max_dispersion(likelihood.layout.n_samples))
    outlier = np.log(genewise) > centre + OUTLIER_SD * np.sqrt(prior.var_log_disp_ests)
    return Shrunken(np.where(outlier, genewise, map_alpha), map_alpha, outlier, search.n_iter)
