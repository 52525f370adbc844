"""Gene-wise dispersions: every gene on its own data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.negbin.moments import projected_mean_chunk, rough_dispersion_chunk
from countnest.stats.dispersion.posterior import (
    MAX_ITER,
    MIN_DISPERSION,
    DispersionPosterior,
    grid_search,
    line_search,
    max_dispersion,
)
from countnest.stats.glm.means import fitted_means

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = [
    "GeneWise",
    "dispersion_means",
    "estimate_genewise",
    "has_linear_means",
    "mean_inverse_factor",
    "rough_dispersions",
]

# A search that gains less than this fraction of the log-likelihood has found nothing better than its start.
MIN_GAIN = 1e-6
# Of the log-likelihood, so that no gene is without one.
MIN_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class GeneWise:
    """Gene-wise dispersions.

    Attributes
    ----------
    alpha
        (G,) dispersions.
    n_iter
        (G,) iterations of the line search.
    """

    alpha: FloatArray
    n_iter: IntArray


def rough_dispersions(
    counts: FloatArray,
    size_factors: FloatArray,
    layout: Layout,
    mean: FloatArray,
    variance: FloatArray,
    inverse_factor: float,
) -> FloatArray:
    """Return rough dispersions (G,): the smaller of those about the linear fit, and by moments about the mean.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    size_factors
        (1, n) size factors or (G, n) normalization factors.
    layout
        Of the model matrix.
    mean, variance
        (G,) of the normalized counts.
    inverse_factor
        `mean_inverse_factor` of all genes that are fitted, of which these may be some.
    """
    rough, own = np.empty(len(counts)), layout.working
    rough_dispersion_chunk(counts, size_factors, own.basis, own.rows, np.empty(layout.n_samples), rough)
    moments = (variance - inverse_factor * mean) / mean**2
    return np.clip(np.minimum(rough, moments), MIN_DISPERSION, max_dispersion(layout.n_samples))


def mean_inverse_factor(factors: FloatArray) -> float:
    """Return the mean over samples of the inverse of their mean factor; `factors` are (1, n) or (G, n)."""
    return float((1.0 / factors.mean(axis=0)).mean(dtype=np.longdouble))


def has_linear_means(layout: Layout, weights: FloatArray | None) -> bool:
    """Return whether the means are a linear projection: with as many cells as columns, where it is that of the GLM."""
    return layout.n_cells == layout.n_coefficients and weights is None


def dispersion_means(
    counts: FloatArray, size_factors: FloatArray, layout: Layout, beta: FloatArray, *, min_mu: float = 0.5
) -> FloatArray:
    """Return the means (G, n), at least `min_mu`, of dispersion estimates.

    `beta` (G, p) are coefficients, natural log; (G, 0) where the means are a linear projection.
    """
    if beta.shape[1]:
        mu = fitted_means(beta, size_factors, layout)
    else:
        mu, own = np.empty_like(counts), layout.working
        projected_mean_chunk(counts, size_factors, own.basis, own.rows, mu)
    return np.maximum(mu, min_mu, out=mu)


def estimate_genewise(likelihood: DispersionPosterior, start: FloatArray) -> GeneWise:
    """Estimate the dispersion of every gene by its Cox-Reid adjusted profile likelihood, without prior.

    `start` (G,) are rough dispersions.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsGeneEst.
    """
    upper = max_dispersion(likelihood.layout.n_samples)
    if likelihood.given_weights is not None:
        likelihood = replace(likelihood, given_weights=np.maximum(likelihood.given_weights, MIN_WEIGHT))
    search = line_search(likelihood, np.log(start))
    alpha = np.minimum(np.exp(search.log_alpha), upper)
    no_gain = search.final < search.initial + np.abs(search.initial) * MIN_GAIN
    alpha = np.where(no_gain, start, alpha)
    stuck = ((search.n_iter == MAX_ITER) | (search.n_iter == 1)) & (alpha > 10 * MIN_DISPERSION)
    if stuck.any():
        rows = np.flatnonzero(stuck)
        alpha[rows] = np.exp(grid_search(likelihood.at(rows)))
    return GeneWise(np.clip(alpha, MIN_DISPERSION, upper), search.n_iter)
