"""The DESeq analysis, step by step: moments, dispersions, model, outliers.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, as_float, rows_of
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.deseq2.stages import BaseMoments, Dispersions, ModelFit, ReducedFit
from countnest.options import DispersionSharing, FitType, TestType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import GeneWise, dispersion_means, estimate_genewise, mean_inverse_factor
from countnest.stats.dispersion.map import Shrunken, shrink_dispersions
from countnest.stats.dispersion.prior import prior_variance
from countnest.stats.dispersion.trend import DispersionTrend, TrendFunction, fit_trend, log_residual_variance
from countnest.stats.glm.cooks import cooks_distance, max_cooks
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import scaled_weights, weighted_counts, weights_suffice
from countnest.stats.norm.size_factors import base_mean, base_variance, normalized_counts

__all__ = [
    "base_moments",
    "estimate_dispersions",
    "expand",
    "failing_weights",
    "fit_model",
    "genewise_dispersions",
    "given_dispersions",
    "no_counts",
    "require_genes",
    "t_df",
    "trend_of",
    "with_missing",
]


def base_moments(
    genes: Genes, engine: Engine, *, weights: FloatArray | None = None, weights_fail: BoolArray | None = None
) -> BaseMoments:
    """Return the moments of the normalized counts.

    Parameters
    ----------
    genes
        G genes; their weights are not looked at.
    weights
        (G, n) observation weights as they were given. A gene whose counts all have weight zero is one without counts.
    weights_fail
        (G,) what `failing_weights` says of them.
    """
    found = over_genes(_moments_chunk, replace(genes, weights=weights), engine=engine)
    if weights_fail is None:
        return found
    return replace(found, all_zero=found.all_zero | weights_fail, weights_fail=weights_fail)


def _moments_chunk(chunk: GeneChunk) -> BaseMoments:
    normalized = weighted_counts(chunk.counts, chunk.size_factors, chunk.weights)
    return BaseMoments(base_mean(normalized), base_variance(normalized), no_counts(normalized))


def failing_weights(weights: FloatArray | None, layout: Layout) -> BoolArray | None:
    """Return the genes (G,) whose observation weights (G, n) leave too few samples for the model; None without."""
    return None if weights is None else ~weights_suffice(scaled_weights(weights), layout)


def estimate_dispersions(
    genes: Genes,
    moments: BaseMoments,
    layout: Layout,
    *,
    fit_type: FitType | TrendFunction = "parametric",
    sharing: DispersionSharing = "MAP",
    min_mu: float = 0.5,
    known: DispersionTrend | None = None,
    engine: Engine,
) -> Dispersions:
    """Estimate gene-wise dispersions, fit their trend, and shrink them towards it.

    Parameters
    ----------
    genes, moments
        G genes, and the moments of their counts.
    layout
        Of the model matrix.
    fit_type
        Of the trend; a function of the mean is taken as the trend.
    sharing
        What becomes the final dispersion: "MAP", shrunken towards the trend; "gene_est_only", the gene-wise estimate,
        without any trend; "fit_only", the trend.
    min_mu
        Floor of the means.
    known
        A trend and prior to use instead of fitting them to these genes.
    engine
        Threads, blocks, progress.

    Raises
    ------
    OptionError
        The weights leave no gene to fit; or there is one gene, and a trend is to be fitted.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersions.
    """
    require_genes(moments)
    rows = ~moments.all_zero
    genes = genes.at(rows)
    genewise = genewise_dispersions(genes, moments, layout, min_mu=min_mu, engine=engine)
    if sharing == "gene_est_only":
        return _unshared(genewise, rows, min_mu)
    if known is None:
        engine.progress.step("mean-dispersion relationship")
        known = trend_of(moments.mean[rows], genewise.alpha[rows], layout, fit_type)
        if known.note:
            engine.progress.note(known.note)
    fitted = expand(rows, known(moments.mean[rows]))
    shrunken = over_genes(
        _shrink_chunk, genes.with_arrays(genewise=genewise.alpha, fitted=fitted, beta=genewise.beta), layout=layout,
        prior=known, min_mu=min_mu, engine=engine, text="final dispersion estimates",
    )  # fmt: skip
    return Dispersions(
        genewise=genewise.alpha,
        genewise_iter=with_missing(rows, genewise.n_iter),
        fitted=fitted,
        map=shrunken.map_alpha,
        map_iter=with_missing(rows, shrunken.n_iter),
        final=fitted if sharing == "fit_only" else shrunken.alpha,
        outlier=with_missing(rows, shrunken.outlier),
        trend=known,
        sharing=sharing,
        min_mu=min_mu,
    )


def genewise_dispersions(
    genes: Genes, moments: BaseMoments, layout: Layout, *, min_mu: float = 0.5, engine: Engine
) -> GeneWise:
    """Return the gene-wise dispersions (G,) of genes with counts, given the moments (G,) of all."""
    size_factors = genes.size_factors if genes.index is None else rows_of(genes.size_factors, genes.index)
    return over_genes(
        _genewise_chunk, genes.with_arrays(mean=moments.mean, variance=moments.variance), layout=layout,
        inverse_factor=mean_inverse_factor(size_factors), min_mu=min_mu, engine=engine,
        text="gene-wise dispersion estimates",
    )  # fmt: skip


def _genewise_chunk(chunk: GeneChunk, *, layout: Layout, inverse_factor: float, min_mu: float) -> GeneWise:
    return estimate_genewise(
        chunk.counts, chunk.size_factors, layout, base=(chunk["mean"], chunk["variance"]), weights=chunk.weights,
        inverse_factor=inverse_factor, min_mu=min_mu,
    )  # fmt: skip


def _shrink_chunk(chunk: GeneChunk, *, layout: Layout, prior: DispersionTrend, min_mu: float) -> Shrunken:
    mu = dispersion_means(chunk.counts, chunk.size_factors, layout, chunk["beta"], min_mu=min_mu)
    return shrink_dispersions(
        chunk["genewise"], chunk["fitted"], chunk.counts, mu, layout, weights=chunk.weights,
        prior_var=prior.disp_prior_var, var_log_disp_ests=prior.var_log_disp_ests,
    )  # fmt: skip


def _unshared(genewise: GeneWise, rows: BoolArray, min_mu: float) -> Dispersions:
    """Return gene-wise dispersions as final ones."""
    missing = np.full(len(rows), np.nan)
    return Dispersions(
        genewise=genewise.alpha,
        genewise_iter=with_missing(rows, genewise.n_iter),
        fitted=missing,
        map=missing,
        map_iter=missing,
        final=genewise.alpha,
        outlier=missing,
        trend=None,
        sharing="gene_est_only",
        min_mu=min_mu,
    )


def given_dispersions(alpha: FloatArray) -> Dispersions:
    """Return dispersions (G,) that were given as final ones."""
    missing = np.full(len(alpha), np.nan)
    return Dispersions(missing, missing, missing, missing, missing, alpha, missing, None, "given")


def require_genes(moments: BaseMoments) -> None:
    """Raise `OptionError` where the observation weights leave no gene to fit."""
    if moments.weights_fail is not None and moments.all_zero.all():
        raise OptionError(
            "the observation weights leave no gene to fit. Are they zero for a whole group of samples? Give weights "
            "above zero where a count says something."
        )


def trend_of(mean: FloatArray, alpha: FloatArray, layout: Layout, fit_type: FitType | TrendFunction) -> DispersionTrend:
    """Return the trend of gene-wise dispersions (G,) over means (G,), and the width of the prior around it."""
    trend, note = fit_trend(mean, alpha, fit_type)
    fitted = trend(mean)
    spread = log_residual_variance(alpha, fitted)
    return DispersionTrend(trend, spread, prior_variance(alpha, fitted, spread, layout.residual_df), note)


def fit_model(
    genes: Genes,
    moments: BaseMoments,
    layout: Layout,
    dispersion: FloatArray,
    *,
    test: TestType = "Wald",
    reduced: Layout | None = None,
    reduced_description: str | None = None,
    use_t: bool = False,
    min_mu: float = 0.5,
    engine: Engine,
) -> ModelFit:
    """Fit the model, its Cook's distances and, for the likelihood ratio test, the reduced model.

    `dispersion` (G,) is missing for all-zero genes; everything else as in `estimate_dispersions`.

    Notes
    -----
    R counterparts: DESeq2::nbinomWaldTest, DESeq2::nbinomLRT.
    """
    fitted = genes.at(~moments.all_zero).with_arrays(dispersion=dispersion)
    fit = over_genes(
        _fit_chunk, fitted, layout=layout, test=test, min_mu=min_mu, engine=engine, text="fitting model and testing"
    )
    null = None
    if reduced is not None:
        null = over_genes(
            _fit_reduced_chunk, fitted, layout=reduced, df=layout.n_coefficients - reduced.n_coefficients,
            description=reduced_description, min_mu=min_mu, engine=engine, text="fitting the reduced model",
        )  # fmt: skip
    return replace(fit, df=t_df(layout, genes.weights) if use_t else None, reduced=null)


def _fit_chunk(chunk: GeneChunk, *, layout: Layout, test: TestType, min_mu: float) -> ModelFit:
    counts = chunk.counts
    fit = fit_nb_glm(counts, chunk.inputs(min_mu), layout)
    cooks = cooks_distance(counts, normalized_counts(counts, chunk.size_factors), fit.mu, fit.hat, layout)
    return ModelFit(
        test=test,
        beta=fit.beta,
        se=fit.se,
        loglik=fit.loglik,
        n_iter=as_float(fit.n_iter),
        converged=as_float(fit.converged),
        optimized=fit.optimized,
        highest_cooks=np.fmax.reduce(cooks, axis=1),
        max_cooks=max_cooks(cooks, layout),
        min_mu=min_mu,
        df=None,
        reduced=None,
    )


def _fit_reduced_chunk(
    chunk: GeneChunk, *, layout: Layout, df: int, description: str | None, min_mu: float
) -> ReducedFit:
    fit = fit_nb_glm(chunk.counts, chunk.inputs(min_mu), layout)
    return ReducedFit(fit.loglik, as_float(fit.converged), df, description)


def t_df(layout: Layout, weights: FloatArray | None) -> float | FloatArray:
    """Return the degrees of freedom of t tests: samples less coefficients, weights counted instead of samples."""
    if weights is None:
        return float(layout.residual_df)
    df = weights.sum(axis=1) - layout.n_coefficients
    return as_float(np.where(df > 0.0, df, np.nan))


def no_counts(counts: FloatArray) -> BoolArray:
    """Return the genes (G,) without any count."""
    empty: BoolArray = np.logical_not(np.any(counts, axis=1))
    return empty


def with_missing(rows: BoolArray, values: npt.NDArray[Any]) -> FloatArray:
    """Return whole numbers or truth values (G,) as floats, NaN where a gene is not among the `rows` (G,)."""
    return np.where(rows, values.astype(np.float64), np.nan)


def expand(rows: BoolArray, values: np.ndarray) -> FloatArray:
    """Return `values` of the genes `rows` at their places among all genes; NaN elsewhere."""
    whole = np.full((len(rows), *values.shape[1:]), np.nan)
    whole[rows] = values
    return whole
