"""Transformations of counts to the log2 scale: the trend that they need, and the values.

Sources: Anders and Huber (2010), doi:10.1186/gb-2010-11-10-r106; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, rows_of
from countnest.containers.matrix import InMemory
from countnest.errors import DesignError, OptionError, counted
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.deseq2.steps import fitted_trend, genewise_dispersions, require_genes
from countnest.methods.normalized import base_moments, failing_weights
from countnest.methods.stage import Normalized, at_stage
from countnest.options import FitType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.trend import DispersionTrend
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import base_mean, normalized_counts
from countnest.stats.transform.rlog import MAX_ITER, RLog, effect_variance, fit_rlog
from countnest.stats.transform.vst import stabilize

__all__ = [
    "RegularizedLog",
    "blind_layout",
    "estimate_trend",
    "frozen_rlog",
    "regularized_log",
    "spanning_genes",
    "trend_values",
    "unfitted",
    "variance_stabilized",
]

_OF_THE_TRANSFORMATION = (
    "This is the trend of the transformation, by default estimated without the design; that of the analysis is another."
)

# Genes from which a trend is estimated in short have a higher mean of normalized counts.
MIN_MEAN = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class RegularizedLog:
    """Regularized logarithms, and what is needed to transform other samples alike.

    Attributes
    ----------
    values
        (G, n), log2; 0 for genes that are not fitted.
    intercept
        (G,) intercepts, log2; -inf for genes that are not fitted.
    dispersion
        (G,) dispersions that were used.
    prior_var
        Variance of the prior on the effects of samples, log2 scale.
    """

    values: FloatArray
    intercept: FloatArray
    dispersion: FloatArray
    prior_var: float


def blind_layout(n: int) -> Layout:
    """Return the layout of the design ~ 1 for n samples.

    Raises
    ------
    DesignError
        For one sample alone.
    """
    if n == 1:
        raise DesignError(
            "the spread between samples cannot be estimated from one sample; give like=, a transformation of other "
            "samples, or use norm_transform()."
        )
    return Layout.of(np.ones((n, 1)))


def unfitted(state: Normalized, counts: FloatArray, layout: Layout, engine: Engine) -> Normalized:
    """Return a state with the same factors and weights, with the moments of `counts`, and without any fit."""
    weights = state.raw_weights
    genes, fail = Genes(InMemory(counts), state.factors), failing_weights(weights, layout)
    moments = base_moments(genes, engine, weights=weights, weights_fail=fail)
    return at_stage(Normalized, state, moments=moments)


def spanning_genes(counts: FloatArray, factors: FloatArray, size: int) -> BoolArray:
    """Return `size` genes (G,), evenly spread over the ranks of those with a mean normalized count above 5.

    Raises
    ------
    OptionError
        If there are fewer.
    """
    mean = base_mean(normalized_counts(counts, factors))
    usable = np.flatnonzero(mean > MIN_MEAN)
    if len(usable) < size:
        raise OptionError(
            f"less than nsub={size} genes have a mean normalized count above {MIN_MEAN:g}: there are {len(usable)}. "
            "Use variance_stabilizing_transformation(), which takes all genes."
        )
    ranked = usable[np.argsort(mean[usable], kind="stable")]
    places = np.round(np.linspace(1, len(ranked), size)).astype(np.int64) - 1
    chosen = np.zeros(len(mean), dtype=np.bool_)
    chosen[ranked[places]] = True
    return chosen


def estimate_trend(
    counts: FloatArray,
    state: Normalized,
    layout: Layout,
    *,
    fit_type: FitType,
    genes: BoolArray | None = None,
    engine: Engine,
) -> DispersionTrend:
    """Estimate gene-wise dispersions and their trend.

    Parameters
    ----------
    counts
        (G, n).
    state
        With factors, moments and perhaps weights.
    layout
        Of the model matrix.
    fit_type
        Of the trend.
    genes
        (G,) the genes to estimate it from; None: all.
    engine
        Threads, chunks, progress.
    """
    require_genes(state.moments)
    rows = ~state.moments.all_zero if genes is None else genes & ~state.moments.all_zero
    chosen = Genes(InMemory(counts), state.factors, state.weights).where(rows)
    genewise = genewise_dispersions(chosen, state.moments, layout, engine=engine)
    mean, alpha = state.moments.mean[rows], genewise.alpha[rows]
    return fitted_trend(mean, alpha, layout, fit_type, engine, purpose=_OF_THE_TRANSFORMATION)


def trend_values(trend: DispersionTrend, state: Normalized) -> FloatArray:
    """Return the trend (G,) at the means of the genes; missing where there is nothing to fit."""
    rows = ~state.moments.all_zero
    return expand(rows, trend(state.moments.mean[rows]))


def variance_stabilized(counts: FloatArray, factors: FloatArray, trend: DispersionTrend) -> FloatArray:
    """Return variance stabilized counts (G, n), log2.

    Notes
    -----
    R counterpart: DESeq2::varianceStabilizingTransformation.
    """
    return stabilize(normalized_counts(counts, factors), factors, trend.trend)


def regularized_log(counts: FloatArray, state: Normalized, dispersion: FloatArray, *, engine: Engine) -> RegularizedLog:
    """Return the regularized logarithm of counts (G, n) with dispersions (G,).

    Notes
    -----
    R counterpart: DESeq2::rlog.
    """
    rows = ~state.moments.all_zero
    normalized = normalized_counts(counts[rows], rows_of(state.factors, rows))
    prior_var = effect_variance(normalized, state.moments.mean[rows], dispersion[rows])
    return _fit(counts, state, rows, dispersion, prior_var, None, engine)


def frozen_rlog(
    counts: FloatArray,
    state: Normalized,
    intercept: FloatArray,
    dispersion: FloatArray,
    prior_var: float,
    *,
    engine: Engine,
) -> RegularizedLog:
    """Return the regularized logarithm of counts (G, n) about given intercepts (G,), log2.

    Genes whose intercept is not finite are not fitted.

    Notes
    -----
    R counterpart: DESeq2::rlog(dds, intercept=, betaPriorVar=, blind = FALSE).
    """
    return _fit(counts, state, np.isfinite(intercept), dispersion, prior_var, intercept, engine)


def _fit(
    counts: FloatArray,
    state: Normalized,
    rows: BoolArray,
    dispersion: FloatArray,
    prior_var: float,
    intercept: FloatArray | None,
    engine: Engine,
) -> RegularizedLog:
    genes = Genes(InMemory(counts), state.factors, state.weights, {"dispersion": dispersion}).where(rows)
    if intercept is not None:
        genes = genes.with_arrays(intercept=intercept)
    fit = over_genes(_rlog_chunk, genes, prior_var=prior_var, engine=engine, text="regularized logarithms")
    lost = int(np.count_nonzero(fit.n_iter == MAX_ITER))
    if lost:
        engine.progress.note(
            f"{counted(lost, 'gene')} with counts that differ extremely did not converge by iteratively reweighted "
            "least squares and were fitted by Newton's method"
        )
    values, centre = fit.values, fit.intercept
    values[~rows], centre[~rows] = 0.0, -np.inf
    return RegularizedLog(values, centre, dispersion, prior_var)


def _rlog_chunk(chunk: GeneChunk, *, prior_var: float) -> RLog:
    return fit_rlog(chunk.counts, chunk.inputs(), prior_var, intercept=chunk.by_gene.get("intercept"))
