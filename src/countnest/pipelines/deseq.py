"""The DESeq analysis, step by step: moments, dispersions, model, outliers.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float, rows_of
from countnest.containers.fit import BaseMoments, Dispersions, DispersionTrend, ModelFit, ReducedFit
from countnest.errors import OptionError
from countnest.options import DispersionSharing, FitType, TestType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import GeneWise, estimate_genewise
from countnest.stats.dispersion.map import shrink_dispersions
from countnest.stats.dispersion.prior import prior_variance
from countnest.stats.dispersion.trend import TrendFunction, fit_trend, log_residual_variance
from countnest.stats.glm.cooks import cooks_distance, max_cooks
from countnest.stats.glm.fit import NBFit, fit_nb_glm
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import scaled_weights, weighted_counts, weights_suffice
from countnest.stats.norm.size_factors import base_mean, base_variance, normalized_counts

__all__ = [
    "base_moments",
    "estimate_dispersions",
    "expand",
    "failing_weights",
    "fit_model",
    "given_dispersions",
    "no_counts",
    "require_genes",
    "t_df",
    "trend_of",
]


def base_moments(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None = None,
    weights_fail: BoolArray | None = None,
) -> BaseMoments:
    """Return the moments of the normalized counts.

    Parameters
    ----------
    counts, factors
        (G, n), (1, n) or (G, n).
    weights
        (G, n) observation weights as they were given. A gene whose counts all have weight zero is one without counts.
    weights_fail
        (G,) what `failing_weights` says of them.
    """
    normalized = weighted_counts(counts, factors, weights)
    all_zero = no_counts(normalized)
    if weights_fail is not None:
        all_zero |= weights_fail
    return BaseMoments(base_mean(normalized), base_variance(normalized), all_zero, weights_fail)


def failing_weights(weights: FloatArray | None, layout: Layout) -> BoolArray | None:
    """Return the genes (G,) whose observation weights (G, n) leave too few samples for the model; None without."""
    return None if weights is None else ~weights_suffice(scaled_weights(weights), layout)


def estimate_dispersions(
    counts: FloatArray,
    factors: FloatArray,
    moments: BaseMoments,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    fit_type: FitType | TrendFunction = "parametric",
    sharing: DispersionSharing = "MAP",
    min_mu: float = 0.5,
    known: DispersionTrend | None = None,
    engine: Engine,
) -> Dispersions:
    """Estimate gene-wise dispersions, fit their trend, and shrink them towards it.

    Parameters
    ----------
    counts, factors, moments
        (G, n) counts, (1, n) or (G, n) factors, and their moments.
    layout
        Of the model matrix.
    weights
        (G, n) observation weights.
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
    k, f, v = counts[rows], rows_of(factors, rows), rows_of(weights, rows)
    base = moments.mean[rows], moments.variance[rows]
    genewise = estimate_genewise(k, f, layout, base=base, weights=v, min_mu=min_mu, engine=engine)
    if sharing == "gene_est_only":
        return _unshared(rows, genewise)
    mean = moments.mean[rows]
    if known is None:
        engine.progress.step("mean-dispersion relationship")
        known = trend_of(mean, genewise.alpha, layout, fit_type)
        if known.note:
            engine.progress.note(known.note)
    fitted = known(mean)
    shrunken = shrink_dispersions(
        genewise.alpha,
        fitted,
        k,
        genewise.mu,
        layout,
        weights=v,
        prior_var=known.disp_prior_var,
        var_log_disp_ests=known.var_log_disp_ests,
        engine=engine,
    )
    return Dispersions(
        genewise=expand(rows, genewise.alpha),
        genewise_iter=expand(rows, genewise.n_iter),
        fitted=expand(rows, fitted),
        map=expand(rows, shrunken.map_alpha),
        map_iter=expand(rows, shrunken.n_iter),
        final=expand(rows, fitted if sharing == "fit_only" else shrunken.alpha),
        outlier=expand(rows, shrunken.outlier),
        trend=known,
        sharing=sharing,
    )


def _unshared(rows: BoolArray, genewise: GeneWise) -> Dispersions:
    """Return gene-wise dispersions as final ones."""
    alpha, missing = expand(rows, genewise.alpha), np.full(len(rows), np.nan)
    return Dispersions(
        genewise=alpha,
        genewise_iter=expand(rows, genewise.n_iter),
        fitted=missing,
        map=missing,
        map_iter=missing,
        final=alpha,
        outlier=missing,
        trend=None,
        sharing="gene_est_only",
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
    """Return the trend of gene-wise dispersions (G,) over means (G,), and the width of the prior around it.

    Raises
    ------
    OptionError
        If a trend is to be fitted to one gene.
    """
    if len(mean) == 1 and not callable(fit_type):
        raise OptionError(
            "one gene is too few for a dispersion trend over the mean; use sharing='gene_est_only', which takes the "
            "gene's own estimate."
        )
    trend, note = fit_trend(mean, alpha, fit_type)
    fitted = trend(mean)
    spread = log_residual_variance(alpha, fitted)
    return DispersionTrend(trend, spread, prior_variance(alpha, fitted, spread, layout.residual_df), note)


def fit_model(
    counts: FloatArray,
    factors: FloatArray,
    moments: BaseMoments,
    layout: Layout,
    dispersion: FloatArray,
    *,
    weights: FloatArray | None = None,
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
    k, f, v, alpha = counts[rows], rows_of(factors, rows), rows_of(weights, rows), dispersion[rows]
    fit = fit_nb_glm(k, f, layout, alpha, weights=v, min_mu=min_mu, engine=engine, text="fitting model and testing")
    cooks = cooks_distance(k, normalized_counts(k, f), fit.mu, fit.hat, layout)
    null = None
    if reduced is not None:
        null_fit = fit_nb_glm(
            k, f, reduced, alpha, weights=v, min_mu=min_mu, engine=engine, text="fitting the reduced model"
        )
        null = ReducedFit(
            expand(rows, null_fit.loglik),
            expand(rows, null_fit.converged),
            layout.n_coefficients - reduced.n_coefficients,
            reduced_description,
        )
    df = t_df(layout, weights) if use_t else None
    return _expanded(fit, cooks, rows, layout, test=test, min_mu=min_mu, df=df, reduced=null)


def t_df(layout: Layout, weights: FloatArray | None) -> float | FloatArray:
    """Return the degrees of freedom of t tests: samples less coefficients, weights counted instead of samples."""
    if weights is None:
        return float(layout.residual_df)
    df = weights.sum(axis=1) - layout.n_coefficients
    return as_float(np.where(df > 0.0, df, np.nan))


def _expanded(
    fit: NBFit,
    cooks: FloatArray,
    rows: BoolArray,
    layout: Layout,
    *,
    test: TestType,
    min_mu: float,
    df: float | FloatArray | None,
    reduced: ReducedFit | None,
) -> ModelFit:
    optimized = np.zeros(len(rows), dtype=np.bool_)
    optimized[rows] = fit.optimized
    return ModelFit(
        test=test,
        beta=expand(rows, fit.beta),
        se=expand(rows, fit.se),
        mu=expand(rows, fit.mu),
        hat=expand(rows, fit.hat),
        cooks=expand(rows, cooks),
        loglik=expand(rows, fit.loglik),
        n_iter=expand(rows, fit.n_iter),
        converged=expand(rows, fit.converged),
        optimized=optimized,
        max_cooks=expand(rows, max_cooks(cooks, layout)),
        min_mu=min_mu,
        df=df,
        reduced=reduced,
    )


def no_counts(counts: FloatArray) -> BoolArray:
    """Return the genes (G,) without any count."""
    empty: BoolArray = np.logical_not(np.any(counts, axis=1))
    return empty


def expand(rows: BoolArray, values: np.ndarray) -> FloatArray:
    """Return `values` of the genes `rows` at their places among all genes; NaN elsewhere."""
    whole = np.full((len(rows), *values.shape[1:]), np.nan)
    whole[rows] = values
    return whole
