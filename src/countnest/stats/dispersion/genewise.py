"""Gene-wise dispersions: every gene on its own data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray, rows_of
from countnest.kernels.negbin.moments import projected_mean_block, rough_dispersion_block
from countnest.stats.dispersion.posterior import MAX_ITER, MIN_DISPERSION, grid_search, line_search, max_dispersion
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.means import fitted_means
from countnest.stats.norm.size_factors import base_mean, base_variance, normalized_counts

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["GeneWise", "dispersion_means", "estimate_genewise", "genewise_means", "mean_inverse_factor"]

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
    beta
        (G, p) coefficients of the means that they were estimated with, natural log, from which `dispersion_means` has
        these again; (G, 0) where they are a linear projection.
    """

    alpha: FloatArray
    n_iter: IntArray
    beta: FloatArray


def estimate_genewise(
    counts: FloatArray,
    size_factors: FloatArray,
    layout: Layout,
    *,
    base: tuple[FloatArray, FloatArray] | None = None,
    weights: FloatArray | None = None,
    inverse_factor: float | None = None,
    min_mu: float = 0.5,
) -> GeneWise:
    """Estimate the dispersion of every gene by its Cox-Reid adjusted profile likelihood.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    size_factors
        (1, n) size factors or (G, n) normalization factors.
    layout
        Of the model matrix.
    base
        Mean and variance (G,) of the normalized counts, where they are known.
    weights
        (G, n) observation weights; None: all one.
    inverse_factor
        `mean_inverse_factor` of all genes, where these are some of them; None: of these.
    min_mu
        Floor of the means.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsGeneEst.
    """
    upper = max_dispersion(layout.n_samples)
    if inverse_factor is None:
        inverse_factor = mean_inverse_factor(size_factors)
    start = _start(counts, size_factors, layout, base, inverse_factor)
    beta, mu = _means(counts, size_factors, layout, start, weights, min_mu)
    floored = None if weights is None else np.maximum(weights, MIN_WEIGHT)
    search = line_search(np.log(start), counts, mu, layout, weights=floored)
    alpha = np.minimum(np.exp(search.log_alpha), upper)
    no_gain = search.final < search.initial + np.abs(search.initial) * MIN_GAIN
    alpha = np.where(no_gain, start, alpha)
    stuck = ((search.n_iter == MAX_ITER) | (search.n_iter == 1)) & (alpha > 10 * MIN_DISPERSION)
    if stuck.any():
        rows = np.flatnonzero(stuck)
        alpha[rows] = np.exp(grid_search(counts[rows], mu[rows], layout, weights=rows_of(floored, rows)))
    return GeneWise(np.clip(alpha, MIN_DISPERSION, upper), search.n_iter, beta)


def genewise_means(
    counts: FloatArray,
    size_factors: FloatArray,
    layout: Layout,
    *,
    base: tuple[FloatArray, FloatArray],
    weights: FloatArray | None,
    inverse_factor: float,
    min_mu: float,
) -> FloatArray:
    """Return the means (G, n) of `estimate_genewise`, whose arguments these are, without the dispersions."""
    start = _start(counts, size_factors, layout, base, inverse_factor)
    return _means(counts, size_factors, layout, start, weights, min_mu)[1]


def _means(
    counts: FloatArray,
    size_factors: FloatArray,
    layout: Layout,
    start: FloatArray,
    weights: FloatArray | None,
    min_mu: float,
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and means, as `GeneWise` has them, from rough dispersions (G,)."""
    if _is_linear(layout, weights):
        beta = np.empty((len(counts), 0))
        return beta, dispersion_means(counts, size_factors, layout, beta, min_mu=min_mu)
    fit = fit_nb_glm(counts, NBInputs(size_factors, start, weights, min_mu), layout, only_means=True)
    return fit.beta, np.maximum(fit.mu, min_mu, out=fit.mu)


def mean_inverse_factor(factors: FloatArray) -> float:
    """Return the mean over samples of the inverse of their mean factor; `factors` are (1, n) or (G, n)."""
    return float((1.0 / factors.mean(axis=0)).mean(dtype=np.longdouble))


def _start(
    counts: FloatArray,
    size_factors: FloatArray,
    layout: Layout,
    base: tuple[FloatArray, FloatArray] | None,
    inverse_factor: float,
) -> FloatArray:
    """Return the smaller of two rough estimates (G,): about the linear fit, and by moments about the mean.

    They are within the bounds of dispersions.
    """
    rough, own = np.empty(len(counts)), layout.working
    rough_dispersion_block(counts, size_factors, own.basis, own.rows, np.empty(layout.n_samples), rough)
    if base is None:
        normalized = normalized_counts(counts, size_factors)
        base = base_mean(normalized), base_variance(normalized)
    mean, variance = base
    moments = (variance - inverse_factor * mean) / mean**2
    return np.clip(np.minimum(rough, moments), MIN_DISPERSION, max_dispersion(layout.n_samples))


def _is_linear(layout: Layout, weights: FloatArray | None) -> bool:
    """Return whether the means are a linear projection: with as many cells as columns, where it is that of the GLM."""
    return layout.n_cells == layout.n_coefficients and weights is None


def dispersion_means(
    counts: FloatArray, size_factors: FloatArray, layout: Layout, beta: FloatArray, *, min_mu: float = 0.5
) -> FloatArray:
    """Return the means (G, n), at least `min_mu`, of dispersion estimates: `beta` is that of `GeneWise`."""
    if beta.shape[1]:
        mu = fitted_means(beta, size_factors, layout)
    else:
        mu, own = np.empty_like(counts), layout.working
        projected_mean_block(counts, size_factors, own.basis, own.rows, mu)
    return np.maximum(mu, min_mu, out=mu)
