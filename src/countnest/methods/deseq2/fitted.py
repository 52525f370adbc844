"""Quantities that are not stored but recomputed from a fit: means, Cook's distances, variances of contrasts."""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.deseq2.stages import Fitted
from countnest.parallel.run import Engine
from countnest.stats.glm.cooks import cooks_distance, max_cooks
from countnest.stats.glm.irls import hat_values
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.means import fitted_means
from countnest.stats.glm.variance import contrast_covariance, contrast_variance
from countnest.stats.norm.size_factors import normalized_counts

__all__ = [
    "contrast_covariances",
    "contrast_variances",
    "cooks_of",
    "fitted_genes",
    "means_of",
    "observed_cooks",
    "observed_max_cooks",
    "variance_chunk",
]


def fitted_genes(state: Fitted, counts: CountMatrix | None) -> Genes:
    """Return the genes that are fitted, with their dispersion, beta and optimized; `counts` (G, n) where needed."""
    fit = state.fit
    by_gene = {"dispersion": state.dispersions.final, "beta": fit.beta, "optimized": fit.optimized}
    return Genes(counts, state.factors, state.weights, by_gene).where(state.rows)


def means_of(state: Fitted, layout: Layout, engine: Engine, rows: BoolArray | None = None) -> FloatArray:
    """Return the fitted means of all genes (G, n), or of `rows` (G,) alone; missing for genes that are not fitted."""
    genes = fitted_genes(state, None)
    if rows is not None:
        genes = _alone(genes, state, rows)
    return over_genes(_means_chunk, genes, layout=layout, engine=engine)


def _means_chunk(chunk: GeneChunk, *, layout: Layout) -> FloatArray:
    return fitted_means(chunk["beta"], chunk.size_factors, layout)


def _alone(genes: Genes, state: Fitted, rows: BoolArray) -> Genes:
    """Return the genes `rows` (G,) by themselves; tasks get those of them that are fitted."""
    return genes.part(np.flatnonzero(rows)).where(state.rows[rows])


def contrast_variances(contrasts: FloatArray, state: Fitted, layout: Layout, engine: Engine) -> FloatArray:
    """Return the variances (G, k) of c'beta for contrasts (k, p), natural log; missing for genes not fitted."""
    genes, floor = fitted_genes(state, None), state.fit.min_mu
    return over_genes(variance_chunk, genes, contrasts=contrasts, layout=layout, min_mu=floor, engine=engine)


def variance_chunk(
    chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout, min_mu: float, ridge: FloatArray | None = None
) -> FloatArray:
    """Return the variances (k, m) of m contrasts of the coefficients "beta" of a chunk, for `over_genes`."""
    return contrast_variance(contrasts, chunk["beta"], chunk.inputs(min_mu), layout, ridge=ridge)


def contrast_covariances(
    contrasts: FloatArray, state: Fitted, layout: Layout, engine: Engine, genes: IntArray | None = None
) -> FloatArray:
    """Return the covariances (G, k, k) of C beta for contrasts C (k, p), natural log; missing for genes not fitted.

    With `genes`, places of some genes, those of these alone.
    """
    fitted = fitted_genes(state, None)
    if genes is not None:
        fitted = fitted.part(genes).where(state.rows[genes])
    return over_genes(
        _covariance_chunk, fitted, contrasts=contrasts, layout=layout, min_mu=state.fit.min_mu, engine=engine
    )


def _covariance_chunk(chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout, min_mu: float) -> FloatArray:
    return contrast_covariance(contrasts, chunk["beta"], chunk.inputs(min_mu), layout)


def cooks_of(state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine, rows: BoolArray) -> FloatArray:
    """Return the Cook's distances (k, n) of the genes `rows` (G,), of the `counts` that they were fitted to."""
    genes = _alone(fitted_genes(state, counts), state, rows)
    return over_genes(_cooks_chunk, genes, layout=layout, min_mu=state.fit.min_mu, engine=engine)


def observed_cooks(
    state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine, rows: BoolArray | None = None
) -> FloatArray:
    """Return the Cook's distances of the counts as observed, of all genes (G, n) or of `rows` (G,) alone.

    They are missing for genes that are not fitted.
    """
    wanted = np.ones(counts.shape[0], dtype=np.bool_) if rows is None else rows
    if state.replacement is None:
        return cooks_of(state, counts, layout, engine, wanted)
    flagged = state.replacement.flagged
    cooks = np.empty((np.count_nonzero(wanted), counts.shape[1]))
    cooks[~flagged[wanted]] = cooks_of(state, counts, layout, engine, wanted & ~flagged)
    cooks[flagged[wanted]] = state.replacement.cooks[wanted[flagged]]
    return cooks


def observed_max_cooks(
    state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine, without: BoolArray | None = None
) -> FloatArray:
    """Return the largest Cook's distances (G,) of the counts as observed, also of those that were replaced.

    Those of the samples `without` (n,) are taken as zero.
    """
    fit, replacement = state.fit, state.replacement
    if replacement is None and without is None:
        return fit.max_cooks
    genes = fitted_genes(state, counts)
    if replacement is not None:  # the other genes are fitted to their counts as observed
        genes = genes.where(state.rows & ~replacement.flagged)
    largest = over_genes(_max_cooks_chunk, genes, without=without, layout=layout, min_mu=fit.min_mu, engine=engine)
    if replacement is not None:
        largest[replacement.flagged] = max_cooks(replacement.cooks, layout, without)
    return largest


def _cooks_chunk(chunk: GeneChunk, *, layout: Layout, min_mu: float) -> FloatArray:
    counts, beta = chunk.counts, chunk["beta"]
    mu = fitted_means(beta, chunk.size_factors, layout)
    hat = hat_values(counts, chunk.inputs(min_mu), layout, beta, chunk["optimized"])
    return cooks_distance(counts, normalized_counts(counts, chunk.size_factors), mu, hat, layout)


def _max_cooks_chunk(chunk: GeneChunk, *, without: BoolArray | None, layout: Layout, min_mu: float) -> FloatArray:
    return max_cooks(_cooks_chunk(chunk, layout=layout, min_mu=min_mu), layout, without)
