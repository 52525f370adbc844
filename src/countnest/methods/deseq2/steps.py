"""The DESeq analysis, step by step: moments, dispersions, model, outliers.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, rows_of
from countnest.errors import OptionError
from countnest.methods.chunks import Genes, over_genes
from countnest.methods.deseq2.stages import BaseMoments, Dispersions, ModelFit, ReducedFit
from countnest.options import DispersionSharing, FitType, TestType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import dispersion_means, estimate_genewise, mean_inverse_factor
from countnest.stats.dispersion.map import shrink_dispersions
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
    "fit_null",
    "genewise_dispersions",
    "given_dispersions",
    "no_counts",
    "require_genes",
    "t_df",
    "trend_of",
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
    mean, variance, all_zero = over_genes(_moments, replace(genes, weights=weights), engine=engine)
    if weights_fail is not None:
        all_zero |= weights_fail
    return BaseMoments(mean, variance, all_zero, weights_fail)


def _moments(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    *,
    engine: Engine,  # noqa: ARG001 (tasks over genes have it)
) -> tuple[FloatArray, FloatArray, BoolArray]:
    normalized = weighted_counts(counts, factors, weights)
    return base_mean(normalized), base_variance(normalized), no_counts(normalized)


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
    fitted_genes = genes.at(rows)
    mean = moments.mean[rows]
    alpha, n_iter, beta = genewise_dispersions(
        fitted_genes, mean, moments.variance[rows], layout, min_mu=min_mu, engine=engine
    )
    if sharing == "gene_est_only":
        return _unshared(rows, alpha, n_iter, min_mu)
    if known is None:
        engine.progress.step("mean-dispersion relationship")
        known = trend_of(mean, alpha, layout, fit_type)
        if known.note:
            engine.progress.note(known.note)
    fitted = known(mean)
    final, map_alpha, map_iter, outlier = over_genes(
        _shrink, fitted_genes, alpha, fitted, beta, layout=layout, prior_var=known.disp_prior_var,
        var_log_disp_ests=known.var_log_disp_ests, min_mu=min_mu, engine=engine, text="final dispersion estimates",
    )  # fmt: skip
    return Dispersions(
        genewise=expand(rows, alpha),
        genewise_iter=expand(rows, n_iter),
        fitted=expand(rows, fitted),
        map=expand(rows, map_alpha),
        map_iter=expand(rows, map_iter),
        final=expand(rows, fitted if sharing == "fit_only" else final),
        outlier=expand(rows, outlier),
        trend=known,
        sharing=sharing,
        min_mu=min_mu,
    )


def genewise_dispersions(
    genes: Genes, mean: FloatArray, variance: FloatArray, layout: Layout, *, min_mu: float = 0.5, engine: Engine
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return alpha, n_iter and beta of `stats.dispersion.genewise.GeneWise`, of genes with counts.

    `mean` and `variance` (k,) are those of the normalized counts of these k genes.
    """
    factors = genes.factors if genes.places is None else rows_of(genes.factors, genes.places)
    alpha, n_iter, beta = over_genes(
        _genewise, genes, mean, variance, layout=layout,
        inverse_factor=mean_inverse_factor(factors), min_mu=min_mu, engine=engine,
        text="gene-wise dispersion estimates",
    )  # fmt: skip
    return alpha, n_iter, beta


def _genewise(
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
) -> tuple[FloatArray, IntArray, FloatArray]:
    found = estimate_genewise(
        counts, factors, layout, base=(mean, variance), weights=weights, inverse_factor=inverse_factor, min_mu=min_mu,
        engine=engine,
    )  # fmt: skip
    return found.alpha, found.n_iter, found.beta


def _shrink(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    genewise: FloatArray,
    fitted: FloatArray,
    beta: FloatArray,
    *,
    layout: Layout,
    prior_var: float,
    var_log_disp_ests: float,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray, FloatArray, IntArray, BoolArray]:
    mu = dispersion_means(counts, factors, layout, beta, min_mu=min_mu, engine=engine)
    found = shrink_dispersions(
        genewise, fitted, counts, mu, layout, weights=weights, prior_var=prior_var,
        var_log_disp_ests=var_log_disp_ests, engine=engine,
    )  # fmt: skip
    return found.alpha, found.map_alpha, found.n_iter, found.outlier


def _unshared(rows: BoolArray, alpha: FloatArray, n_iter: IntArray, min_mu: float) -> Dispersions:
    """Return gene-wise dispersions as final ones."""
    alpha, missing = expand(rows, alpha), np.full(len(rows), np.nan)
    return Dispersions(
        genewise=alpha,
        genewise_iter=expand(rows, n_iter),
        fitted=missing,
        map=missing,
        map_iter=missing,
        final=alpha,
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
    rows = ~moments.all_zero
    alpha = dispersion[rows]
    beta, se, loglik, n_iter, converged, optimized, highest, largest = (
        expand(rows, answer)
        for answer in over_genes(
            _fit, genes.at(rows), alpha, layout=layout, min_mu=min_mu, engine=engine, text="fitting model and testing"
        )
    )
    null = None
    if reduced is not None:
        null_loglik, null_converged = over_genes(
            fit_null, genes.at(rows), alpha, layout=reduced, min_mu=min_mu, engine=engine,
            text="fitting the reduced model",
        )  # fmt: skip
        null = ReducedFit(
            expand(rows, null_loglik),
            expand(rows, null_converged),
            layout.n_coefficients - reduced.n_coefficients,
            reduced_description,
        )
    return ModelFit(
        test=test,
        beta=beta,
        se=se,
        loglik=loglik,
        n_iter=n_iter,
        converged=converged,
        optimized=optimized == 1.0,
        highest_cooks=highest,
        max_cooks=largest,
        min_mu=min_mu,
        df=t_df(layout, genes.weights) if use_t else None,
        reduced=null,
    )


def _fit(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    alpha: FloatArray,
    *,
    layout: Layout,
    min_mu: float,
    engine: Engine,
) -> tuple[np.ndarray, ...]:
    fit = fit_nb_glm(counts, factors, layout, alpha, weights=weights, min_mu=min_mu, engine=engine)
    cooks = cooks_distance(counts, normalized_counts(counts, factors), fit.mu, fit.hat, layout)
    return (
        fit.beta, fit.se, fit.loglik, fit.n_iter, fit.converged, fit.optimized,
        np.fmax.reduce(cooks, axis=1), max_cooks(cooks, layout),
    )  # fmt: skip


def fit_null(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    alpha: FloatArray,
    *,
    layout: Layout,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray, BoolArray]:
    """Return log-likelihoods and convergence of a block of genes, for `over_genes`."""
    fit = fit_nb_glm(counts, factors, layout, alpha, weights=weights, min_mu=min_mu, engine=engine)
    return fit.loglik, fit.converged


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


def expand(rows: BoolArray, values: np.ndarray) -> FloatArray:
    """Return `values` of the genes `rows` at their places among all genes; NaN elsewhere."""
    whole = np.full((len(rows), *values.shape[1:]), np.nan)
    whole[rows] = values
    return whole
