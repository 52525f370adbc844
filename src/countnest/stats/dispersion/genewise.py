"""Gene-wise dispersions: every gene on its own data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, rows_of
from countnest.kernels.negbin.moments import projected_mean_block, rough_dispersion_block
from countnest.parallel.run import Engine
from countnest.stats.dispersion.posterior import MAX_ITER, MIN_DISPERSION, grid_search, line_search, max_dispersion
from countnest.stats.glm.fit import fit_nb_glm, fitted_means
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import base_mean, base_variance, normalized_counts

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
    mu
        (G, n) means, floored, that they were estimated with.
    beta
        (G, p) coefficients of these means, natural log, from which `dispersion_means` has them again; (G, 0) where they
        are a linear projection.
    """

    alpha: FloatArray
    n_iter: IntArray
    mu: FloatArray
    beta: FloatArray


def estimate_genewise(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    *,
    base: tuple[FloatArray, FloatArray] | None = None,
    weights: FloatArray | None = None,
    inverse_factor: float | None = None,
    min_mu: float = 0.5,
    engine: Engine,
) -> GeneWise:
    """Estimate the dispersion of every gene by its Cox-Reid adjusted profile likelihood.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    factors
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
    engine
        Threads, blocks, progress.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsGeneEst.
    """
    upper = max_dispersion(layout.n_samples)
    if inverse_factor is None:
        inverse_factor = mean_inverse_factor(factors)
    start = np.clip(_start(counts, factors, layout, base, inverse_factor, engine), MIN_DISPERSION, upper)
    beta, mu = _means(counts, factors, layout, start, weights, min_mu, engine)
    floored = None if weights is None else np.maximum(weights, MIN_WEIGHT)
    search = line_search(
        np.log(start), counts, mu, layout, weights=floored, engine=engine, text="gene-wise dispersion estimates"
    )
    alpha = np.minimum(np.exp(search.log_alpha), upper)
    no_gain = search.final < search.initial + np.abs(search.initial) * MIN_GAIN
    alpha = np.where(no_gain, start, alpha)
    stuck = ((search.n_iter == MAX_ITER) | (search.n_iter == 1)) & (alpha > 10 * MIN_DISPERSION)
    if stuck.any():
        rows = np.flatnonzero(stuck)
        alpha[rows] = np.exp(grid_search(counts[rows], mu[rows], layout, weights=rows_of(floored, rows), engine=engine))
    return GeneWise(np.clip(alpha, MIN_DISPERSION, upper), search.n_iter, mu, beta)


def genewise_means(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    *,
    base: tuple[FloatArray, FloatArray],
    weights: FloatArray | None,
    inverse_factor: float,
    min_mu: float,
    engine: Engine,
) -> FloatArray:
    """Return the means (G, n) of `estimate_genewise`, whose arguments these are, without the dispersions."""
    start = _start(counts, factors, layout, base, inverse_factor, engine)
    start = np.clip(start, MIN_DISPERSION, max_dispersion(layout.n_samples))
    return _means(counts, factors, layout, start, weights, min_mu, engine)[1]


def _means(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    start: FloatArray,
    weights: FloatArray | None,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and means, as `GeneWise` has them, from rough dispersions (G,)."""
    if _is_linear(layout, weights):
        beta = np.empty((len(counts), 0))
        return beta, dispersion_means(counts, factors, layout, beta, min_mu=min_mu, engine=engine)
    fit = fit_nb_glm(
        counts, factors, layout, start, weights=weights, min_mu=min_mu, engine=engine, only_means=True,
        text="means for the dispersion estimates",
    )  # fmt: skip
    return fit.beta, np.maximum(fit.mu, min_mu, out=fit.mu)


def mean_inverse_factor(factors: FloatArray) -> float:
    """Return the mean over samples of the inverse of their mean factor; `factors` are (1, n) or (G, n)."""
    return float((1.0 / factors.mean(axis=0)).mean(dtype=np.longdouble))


def _start(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    base: tuple[FloatArray, FloatArray] | None,
    inverse_factor: float,
    engine: Engine,
) -> FloatArray:
    """Return the smaller of two rough estimates (G,): about the linear fit, and by moments about the mean."""
    rough, own = np.empty(len(counts)), layout.working

    def task(block: slice) -> None:
        f = rows_of(factors, block)
        rough_dispersion_block(counts[block], f, own.basis, own.rows, np.empty(layout.n_samples), rough[block])

    engine.run(task, len(counts))
    if base is None:
        normalized = normalized_counts(counts, factors)
        base = base_mean(normalized), base_variance(normalized)
    mean, variance = base
    moments = (variance - inverse_factor * mean) / mean**2
    return np.minimum(rough, moments)


def _is_linear(layout: Layout, weights: FloatArray | None) -> bool:
    """Return whether the means are a linear projection: with as many cells as columns, where it is that of the GLM."""
    return layout.n_cells == layout.n_coefficients and weights is None


def dispersion_means(
    counts: FloatArray, factors: FloatArray, layout: Layout, beta: FloatArray, *, min_mu: float = 0.5, engine: Engine
) -> FloatArray:
    """Return the means (G, n), at least `min_mu`, of dispersion estimates: `beta` is that of `GeneWise`."""
    if beta.shape[1]:
        mu = fitted_means(beta, factors, layout, engine=engine)
    else:
        mu, own = np.empty_like(counts), layout.working

        def task(block: slice) -> None:
            f = rows_of(factors, block)
            projected_mean_block(counts[block], f, own.basis, own.rows, mu[block])

        engine.run(task, len(counts))
    return np.maximum(mu, min_mu, out=mu)
