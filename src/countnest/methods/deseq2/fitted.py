"""What the steps do not keep, from what they keep: means, hat values and Cook's distances, genes x samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import Genes, over_genes
from countnest.methods.deseq2.stages import Dispersed, Fitted, ModelFit
from countnest.methods.deseq2.steps import expand
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import genewise_means, mean_inverse_factor
from countnest.stats.glm.cooks import cooks_distance, max_cooks
from countnest.stats.glm.fit import fitted_means, hat_values
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["cooks_of", "dispersion_means_of", "means_of", "observed_cooks", "observed_max_cooks"]


def means_of(state: Fitted, layout: Layout, engine: Engine, rows: BoolArray | None = None) -> FloatArray:
    """Return the fitted means of all genes (G, n), or of `rows` (G,) alone; missing for genes that are not fitted."""
    fit = state.fit
    wanted = np.ones(len(fit.beta), dtype=np.bool_) if rows is None else rows
    fitted = wanted & state.rows
    mu = fitted_means(fit.beta[fitted], rows_of(state.factors, fitted), layout, engine=engine)
    return expand(fitted[wanted], mu)


def dispersion_means_of(state: Dispersed, counts: CountMatrix, layout: Layout, engine: Engine) -> FloatArray:
    """Return the means (G, n) that the dispersions were estimated with; missing for genes without counts.

    Notes
    -----
    R counterpart: the assay "mu" that DESeq2::estimateDispersions leaves.
    """
    genes, moments = Genes(state.counts_used(counts), state.factors, state.weights), state.moments
    rows = ~moments.all_zero
    (mu,) = over_genes(
        _dispersion_means, genes.at(rows), moments.mean[rows], moments.variance[rows], layout=layout,
        inverse_factor=mean_inverse_factor(rows_of(state.factors, rows)), min_mu=state.dispersions.min_mu,
        engine=engine,
    )  # fmt: skip
    return expand(rows, mu)


def _dispersion_means(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    mean: FloatArray,
    variance: FloatArray,
    *,
    layout: Layout,
    inverse_factor: float,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray]:
    mu = genewise_means(
        counts, factors, layout, base=(mean, variance), weights=weights, inverse_factor=inverse_factor, min_mu=min_mu,
        engine=engine,
    )  # fmt: skip
    return (mu,)


def cooks_of(
    genes: Genes, rows: BoolArray, fit: ModelFit, alpha: FloatArray, layout: Layout, engine: Engine
) -> FloatArray:
    """Return the Cook's distances (k, n) of the fitted genes `rows` (G,), of the counts that they were fitted to."""
    (cooks,) = over_genes(
        _cooks, genes.at(rows), fit.beta[rows], fit.optimized[rows], alpha[rows], layout=layout, min_mu=fit.min_mu,
        engine=engine,
    )  # fmt: skip
    return cooks


def observed_cooks(
    state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine, rows: BoolArray | None = None
) -> FloatArray:
    """Return the Cook's distances of the counts as observed, of all genes (G, n) or of `rows` (G,) alone.

    They are missing for genes that are not fitted.
    """
    fit = state.fit
    wanted = np.ones(len(fit.beta), dtype=np.bool_) if rows is None else rows
    known = _fitted_as_observed(state)
    genes = Genes(counts, state.factors, state.weights)
    cooks = expand(known[wanted], cooks_of(genes, wanted & known, fit, state.dispersions.final, layout, engine))
    if state.replacement is not None:
        flagged = state.replacement.flagged
        cooks[flagged[wanted]] = state.replacement.cooks[wanted[flagged]]
    return cooks


def observed_max_cooks(
    state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine, without: BoolArray | None = None
) -> FloatArray:
    """Return the largest Cook's distances (G,) of the counts as observed, also of those that were replaced.

    Those of the samples `without` (n,) are taken as zero.
    """
    fit = state.fit
    if state.replacement is None and without is None:
        return fit.max_cooks
    samples = np.zeros(layout.n_samples, dtype=np.bool_) if without is None else without
    rows = _fitted_as_observed(state)
    (largest,) = over_genes(
        _max_cooks, Genes(counts, state.factors, state.weights).at(rows), fit.beta[rows], fit.optimized[rows],
        state.dispersions.final[rows], without=samples, layout=layout, min_mu=fit.min_mu, engine=engine,
    )  # fmt: skip
    largest = expand(rows, largest)
    if state.replacement is not None:
        largest[state.replacement.flagged] = _largest(state.replacement.cooks, samples, layout)
    return largest


def _fitted_as_observed(state: Fitted) -> BoolArray:
    """Return the genes (G,) that are fitted to their counts as observed: no outlier of theirs was replaced."""
    rows = state.rows
    return rows if state.replacement is None else rows & ~state.replacement.flagged


def _cooks(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    beta: FloatArray,
    optimized: BoolArray,
    alpha: FloatArray,
    *,
    layout: Layout,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray]:
    mu = fitted_means(beta, factors, layout, engine=engine)
    hat = hat_values(beta, optimized, counts, factors, layout, alpha, weights=weights, min_mu=min_mu, engine=engine)
    return (cooks_distance(counts, normalized_counts(counts, factors), mu, hat, layout),)


def _max_cooks(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    beta: FloatArray,
    optimized: BoolArray,
    alpha: FloatArray,
    *,
    without: BoolArray,
    layout: Layout,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray]:
    (cooks,) = _cooks(counts, factors, weights, beta, optimized, alpha, layout=layout, min_mu=min_mu, engine=engine)
    return (_largest(cooks, without, layout),)


def _largest(cooks: FloatArray, without: BoolArray, layout: Layout) -> FloatArray:
    return max_cooks(np.where(without & ~np.isnan(cooks), 0.0, cooks), layout)
