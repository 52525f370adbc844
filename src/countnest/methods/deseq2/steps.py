"""The DESeq analysis, step by step: moments, dispersions, model, outliers.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.deseq2.stages import Dispersed, Dispersions, ModelFit, ReducedFit
from countnest.methods.stage import BaseMoments
from countnest.options import DispersionSharing, FitType, TestType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import (
    dispersion_means,
    estimate_genewise,
    has_linear_means,
    mean_inverse_factor,
    rough_dispersions,
)
from countnest.stats.dispersion.map import Shrunken, shrink_dispersions
from countnest.stats.dispersion.posterior import DispersionPosterior
from countnest.stats.dispersion.prior import prior_variance
from countnest.stats.dispersion.trend import DispersionTrend, TrendFunction, fit_trend, log_residual_variance
from countnest.stats.glm.cooks import cooks_distance, max_cooks
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import residual_df
from countnest.stats.norm.size_factors import normalized_counts

if TYPE_CHECKING:
    from countnest.methods.deseq2.beta_prior import PriorModel

__all__ = [
    "GeneWiseFits",
    "Model",
    "dispersion_means_of",
    "estimate_dispersions",
    "fit_model",
    "fitted_trend",
    "genewise_dispersions",
    "given_dispersions",
    "require_genes",
    "with_missing",
]


def estimate_dispersions(
    genes: Genes,
    moments: BaseMoments,
    layout: Layout,
    *,
    fit_type: FitType | TrendFunction | DispersionTrend = "parametric",
    sharing: DispersionSharing = "MAP",
    min_mu: float = 0.5,
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
        Of the trend; a function of the mean is taken as the trend, and a trend that was fitted to other genes with its
        prior.
    sharing
        What becomes the final dispersion: "MAP", shrunken towards the trend; "gene_est_only", the gene-wise estimate,
        without any trend; "fit_only", the trend.
    min_mu
        Floor of the means.
    engine
        Threads, chunks, progress.

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
    genes = genes.where(rows)
    genewise = genewise_dispersions(genes, moments, layout, min_mu=min_mu, engine=engine)
    if sharing == "gene_est_only":
        return _unshared(genewise, rows, min_mu)
    if isinstance(fit_type, DispersionTrend):
        trend = fit_type
    else:
        trend = fitted_trend(moments.mean[rows], genewise.alpha[rows], layout, fit_type, engine)
    fitted = expand(rows, trend(moments.mean[rows]))
    shrunken = over_genes(
        _shrink_chunk, genes.with_arrays(genewise=genewise.alpha, fitted=fitted, beta=genewise.beta), layout=layout,
        prior=trend, min_mu=min_mu, engine=engine, text="final dispersion estimates",
    )  # fmt: skip
    return Dispersions(
        genewise=genewise.alpha,
        genewise_iter=with_missing(rows, genewise.n_iter),
        fitted=fitted,
        map=shrunken.map_alpha,
        map_iter=with_missing(rows, shrunken.n_iter),
        final=fitted if sharing == "fit_only" else shrunken.alpha,
        outlier=with_missing(rows, shrunken.outlier),
        trend=trend,
        sharing=sharing,
        min_mu=min_mu,
    )


@dataclass(frozen=True, slots=True, eq=False)
class GeneWiseFits:
    """Gene-wise dispersions, each (G,), and the coefficients of the means that they were estimated with.

    `beta` (G, p) are natural log; (G, 0) where the means are a linear projection.
    """

    alpha: FloatArray
    n_iter: IntArray
    beta: FloatArray


def genewise_dispersions(
    genes: Genes, moments: BaseMoments, layout: Layout, *, min_mu: float = 0.5, engine: Engine
) -> GeneWiseFits:
    """Return the gene-wise dispersions (G,) of genes with counts, given the moments (G,) of all."""
    return over_genes(
        _genewise_chunk, genes.with_arrays(mean=moments.mean, variance=moments.variance), layout=layout,
        inverse_factor=_mean_inverse_factor(genes), min_mu=min_mu, engine=engine, text="gene-wise dispersion estimates",
    )  # fmt: skip


def dispersion_means_of(state: Dispersed, counts: CountMatrix, layout: Layout, engine: Engine) -> FloatArray:
    """Return the means (G, n) that the dispersions were estimated with; missing for genes without counts.

    Notes
    -----
    R counterpart: the assay "mu" that DESeq2::estimateDispersions leaves.
    """
    by_gene = {"mean": state.moments.mean, "variance": state.moments.variance}
    genes = Genes(state.counts_used(counts), state.factors, state.weights, by_gene).where(~state.moments.all_zero)
    return over_genes(
        _genewise_means_chunk, genes, layout=layout, inverse_factor=_mean_inverse_factor(genes),
        min_mu=state.dispersions.min_mu, engine=engine,
    )  # fmt: skip


def _mean_inverse_factor(genes: Genes) -> float:
    return mean_inverse_factor(genes.size_factors if genes.index is None else rows_of(genes.size_factors, genes.index))


def _genewise_chunk(chunk: GeneChunk, *, layout: Layout, inverse_factor: float, min_mu: float) -> GeneWiseFits:
    start, beta = _mean_coefficients(chunk, layout, inverse_factor, min_mu)
    found = estimate_genewise(_likelihood(chunk, layout, beta, min_mu), start)
    return GeneWiseFits(found.alpha, found.n_iter, beta)


def _genewise_means_chunk(chunk: GeneChunk, *, layout: Layout, inverse_factor: float, min_mu: float) -> FloatArray:
    _, beta = _mean_coefficients(chunk, layout, inverse_factor, min_mu)
    return dispersion_means(chunk.counts, chunk.size_factors, layout, beta, min_mu=min_mu)


def _mean_coefficients(
    chunk: GeneChunk, layout: Layout, inverse_factor: float, min_mu: float
) -> tuple[FloatArray, FloatArray]:
    """Return rough dispersions (k,), and the coefficients of the means as `GeneWiseFits` has them."""
    counts, size_factors = chunk.counts, chunk.size_factors
    start = rough_dispersions(counts, size_factors, layout, chunk["mean"], chunk["variance"], inverse_factor)
    if has_linear_means(layout, chunk.weights):
        return start, np.empty((len(counts), 0))
    inputs = NBInputs(size_factors, start, chunk.weights, min_mu)
    return start, fit_nb_glm(counts, inputs, layout, only_means=True).beta


def _likelihood(chunk: GeneChunk, layout: Layout, beta: FloatArray, min_mu: float) -> DispersionPosterior:
    """Return the posterior of the dispersions at the means of these coefficients, without prior."""
    mu = dispersion_means(chunk.counts, chunk.size_factors, layout, beta, min_mu=min_mu)
    return DispersionPosterior(chunk.counts, mu, layout, chunk.weights)


def _shrink_chunk(chunk: GeneChunk, *, layout: Layout, prior: DispersionTrend, min_mu: float) -> Shrunken:
    likelihood = _likelihood(chunk, layout, chunk["beta"], min_mu)
    return shrink_dispersions(chunk["genewise"], chunk["fitted"], likelihood, prior)


def _unshared(genewise: GeneWiseFits, rows: BoolArray, min_mu: float) -> Dispersions:
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


def fitted_trend(
    mean: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    fit_type: FitType | TrendFunction,
    engine: Engine,
    *,
    purpose: str = "",
) -> DispersionTrend:
    """Return the trend of gene-wise dispersions (k,) over means (k,), and the width of the prior around it.

    `purpose`: a sentence for the end of the note that another trend was substituted.
    """
    engine.progress.step("mean-dispersion relationship")
    trend, note = fit_trend(mean, alpha, fit_type)
    fitted = trend(mean)
    spread = log_residual_variance(alpha, fitted)
    if note:
        engine.progress.note(f"{note} {purpose}".rstrip())
    return DispersionTrend(trend, spread, prior_variance(alpha, fitted, spread, layout.residual_df), note)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Options of the fit and of the test.

    Attributes
    ----------
    layout
        Of the model matrix.
    reduced, reduced_description
        Layout of the reduced matrix of a likelihood ratio test, and how it was written.
    test
        "Wald", "LRT", "averaged" or "QL".
    use_t
        Whether Wald statistics are compared with a t distribution.
    min_mu
        Floor of the means in weights.
    prior
        The model whose coefficients get normal priors; None: maximum likelihood alone.
    """

    layout: Layout
    reduced: Layout | None = None
    reduced_description: str | None = None
    test: TestType = "Wald"
    use_t: bool = False
    min_mu: float = 0.5
    prior: PriorModel | None = None


def fit_model(genes: Genes, moments: BaseMoments, model: Model, dispersion: FloatArray, engine: Engine) -> ModelFit:
    """Fit a model, its Cook's distances and, for the likelihood ratio test, the reduced model; without priors.

    `dispersion` (G,) is missing for all-zero genes.

    Notes
    -----
    R counterparts: DESeq2::nbinomWaldTest, DESeq2::nbinomLRT.
    """
    fitted = genes.where(~moments.all_zero).with_arrays(dispersion=dispersion)
    fit = over_genes(
        _fit_chunk, fitted, layout=model.layout, test=model.test, min_mu=model.min_mu, engine=engine,
        text="fitting model and testing",
    )  # fmt: skip
    null = None
    if model.reduced is not None:
        null = over_genes(
            _fit_reduced_chunk, fitted, layout=model.reduced, description=model.reduced_description,
            df=model.layout.n_coefficients - model.reduced.n_coefficients, min_mu=model.min_mu, engine=engine,
            text="fitting the reduced model",
        )  # fmt: skip
    return replace(fit, df=residual_df(model.layout, genes.weights) if model.use_t else None, reduced=null)


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


def with_missing(rows: BoolArray, values: npt.NDArray[Any]) -> FloatArray:
    """Return whole numbers or truth values (G,) as floats, NaN where a gene is not among the `rows` (G,)."""
    return np.where(rows, values.astype(np.float64), np.nan)
