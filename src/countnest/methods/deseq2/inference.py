"""Estimates and tests of contrasts by the negative binomial model, and the genes whose p-values are withheld."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.errors import MissingStepError, OptionError
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.deseq2.fitted import (
    contrast_covariances,
    contrast_variances,
    fitted_genes,
    observed_cooks,
    observed_max_cooks,
)
from countnest.methods.deseq2.stages import Estimates, Fitted
from countnest.methods.fit import RowTests
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.stats.glm.fit import at_bound
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.irls import hat_values
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.means import fitted_means
from countnest.stats.glm.outlier import ModelOutliers, flag_outliers, studentized_residuals
from countnest.stats.glm.separation import cell_flags, separated, separated_by_cells
from countnest.stats.glm.weight import residual_df
from countnest.stats.inference.lrt import RankTest, row_basis
from countnest.stats.inference.wald import joint_wald_test, wald_test

__all__ = [
    "at_bound_only",
    "cooks_outliers",
    "estimate",
    "joint_test",
    "model_outliers",
    "separated_by_design",
    "single_tests",
]

# An outlier does not count in a two-group design when this many samples have a larger count.
LARGER_COUNTS = 3
MIN_OUTLIER_DF = 2
# Flags of genes and cells that are looked at together.
FLAGS = 1 << 27


def estimate(contrasts: FloatArray, state: Fitted, layout: Layout, engine: Engine) -> Estimates:
    """Return log2 fold changes C beta and their standard errors for contrasts (k, p)."""
    fit = state.fit
    rows = ~np.isnan(fit.beta[:, 0])
    beta = fit.beta[rows]
    lfc = beta @ contrasts.T / LN2
    se = np.empty_like(lfc)
    single = np.count_nonzero(contrasts, axis=1) == 1
    for i in np.flatnonzero(single):  # a coefficient: its standard error is known
        k = np.flatnonzero(contrasts[i])[0]
        lfc[:, i] = contrasts[i, k] * beta[:, k] / LN2
        se[:, i] = abs(contrasts[i, k]) * fit.se[rows, k] / LN2
    if not single.all():
        variance = contrast_variances(contrasts[~single], state, layout, engine)[rows]
        se[:, ~single] = np.sqrt(variance) / LN2
    return Estimates(expand(rows, lfc), expand(rows, se))


def single_tests(
    estimates: Estimates,
    *,
    threshold: float = 0.0,
    alternative: AltHypothesis = "greaterAbs",
    df: float | FloatArray | None = None,
    unchanged: BoolArray | None = None,
) -> RowTests:
    """Return the Wald test of every contrast.

    Parameters
    ----------
    estimates
        Of k contrasts.
    threshold, alternative, df
        As in `stats.inference.wald.wald_test`; log2.
    unchanged
        (G, k) genes without any count in the samples that the contrast compares: their fold change is 0, and tested.
    """
    lfc, se = estimates.lfc, estimates.se
    if unchanged is not None:
        lfc = np.where(unchanged & ~np.isnan(lfc), 0.0, lfc)
    statistic, p_value = np.empty_like(lfc), np.empty_like(lfc)
    for i in range(lfc.shape[1]):
        statistic[:, i], p_value[:, i] = wald_test(
            lfc[:, i], se[:, i], threshold=threshold, alternative=alternative, df=df
        )
    return RowTests(lfc, se, statistic, p_value, df)


def joint_test(
    contrasts: FloatArray, state: Fitted, layout: Layout, *, df: float | FloatArray | None, engine: Engine
) -> RankTest:
    """Return the Wald test that all contrasts (k, p) are zero.

    Rows that depend on others add nothing. With `df`, the statistic is F, else chi-square.
    """
    fit = state.fit
    rows = ~np.isnan(fit.beta[:, 0])
    beta, own = fit.beta[rows], layout.standard
    if own is None:
        basis, _ = row_basis(contrasts)
        estimates = beta @ basis.T
    else:  # rows of contrasts are to be compared in columns that are alike
        basis, _ = row_basis(own.contrasts(contrasts))
        estimates = own.taken(beta) @ basis.T
        basis = own.contrasts_of_given(basis)
    covariance = contrast_covariances(basis, state, layout, engine)[rows]
    if isinstance(df, np.ndarray):
        df = df[rows]
    statistic, p_value = joint_wald_test(estimates, covariance, df=df)
    return RankTest(expand(rows, statistic), expand(rows, p_value), len(basis))


def separated_by_design(
    counts: CountMatrix, contrasts: FloatArray, state: Fitted, layout: Layout, *, engine: Engine
) -> BoolArray:
    """Return the mask (G, k) of genes and contrasts (k, p) with an infinite estimate; see `stats.glm.separation`.

    `counts` (G, n) are those that the model was fitted to.
    """
    genes = Genes(counts, state.factors, state.weights)
    flags = over_genes(_cell_flags_chunk, genes, layout=layout, engine=engine)
    found = np.empty((len(flags.counted), len(contrasts)), dtype=np.bool_)
    step = max(1, FLAGS // layout.n_cells)
    for start in range(0, len(found), step):  # genes of all chunks together: few patterns of zeros occur, and often
        rows = slice(start, start + step)
        used = np.ones((1, layout.n_cells), np.bool_) if state.weights is None else _unpacked(flags.used[rows], layout)
        found[rows] = separated_by_cells(_unpacked(flags.counted[rows], layout), used, contrasts, layout)
    return found


def at_bound_only(counts: CountMatrix, state: Fitted, layout: Layout) -> BoolArray:
    """Return the genes (G,) of which a coefficient sits at the bound of the search without being infinite.

    The bound stands there for an estimate. `counts` (G, n) are those that the model was fitted to.
    """
    fit = state.fit
    found = at_bound(fit.beta, fit.n_iter, layout)
    rows = np.flatnonzero(found)
    if len(rows):
        every = np.eye(layout.n_coefficients)
        found[rows] = ~separated(counts.read(rows), every, layout, rows_of(state.weights, rows)).any(axis=1)
    return found


def _unpacked(flags: np.ndarray, layout: Layout) -> BoolArray:
    return np.unpackbits(flags, axis=1, count=layout.n_cells).view(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _CellFlags:
    """Which cells have a count, and which have samples of positive weight; (G, C) truth values, packed into bytes."""

    counted: npt.NDArray[np.uint8]
    used: npt.NDArray[np.uint8]


def _cell_flags_chunk(chunk: GeneChunk, *, layout: Layout) -> _CellFlags:
    counted, used = cell_flags(chunk.counts, layout, chunk.weights)
    return _CellFlags(np.packbits(counted, axis=1), np.packbits(np.broadcast_to(used, counted.shape), axis=1))


def model_outliers(
    counts: CountMatrix, state: Fitted, layout: Layout, *, level: float = 0.01, engine: Engine
) -> ModelOutliers:
    """Return the genes with a count that the model cannot explain; see `stats.glm.outlier`.

    Observation weights count instead of samples; genes that they leave fewer than two residual degrees of freedom are
    not looked at.

    Raises
    ------
    MissingStepError
        If the dispersions have no trend.
    OptionError
        If the design leaves fewer than two residual degrees of freedom.
    """
    fit, dispersions = state.fit, state.dispersions
    if dispersions.trend is None:
        raise MissingStepError(
            "the model-based rule for outliers needs a dispersion trend: call estimate_dispersions(), or deseq(), with "
            "sharing='MAP' or 'fit_only'."
        )
    if layout.residual_df < MIN_OUTLIER_DF:
        raise OptionError(
            f"the model-based rule for outliers needs {MIN_OUTLIER_DF} residual degrees of freedom; this design leaves "
            f"{layout.residual_df}."
        )
    df = np.broadcast_to(np.asarray(residual_df(layout, state.weights)), len(fit.beta))
    genes = fitted_genes(state, counts).with_arrays(
        trend=dispersions.fitted, residual_df=as_float(np.where(df >= MIN_OUTLIER_DF, df, np.nan))
    )
    return over_genes(
        _model_outliers_chunk, genes, layout=layout, min_mu=fit.min_mu, prior_var=dispersions.trend.disp_prior_var,
        level=level, engine=engine,
    )  # fmt: skip


def _model_outliers_chunk(
    chunk: GeneChunk, *, layout: Layout, min_mu: float, prior_var: float, level: float
) -> ModelOutliers:
    counts, beta = chunk.counts, chunk["beta"]
    mu = fitted_means(beta, chunk.size_factors, layout)
    hat = hat_values(counts, chunk.inputs(min_mu), layout, beta, chunk["optimized"])
    residual, df = studentized_residuals(
        counts, mu, hat, chunk["trend"], chunk["residual_df"], prior_var=prior_var, weights=chunk.weights
    )
    return flag_outliers(residual, df, layout, weights=chunk.weights, level=level)


def cooks_outliers(
    counts: CountMatrix,
    state: Fitted,
    layout: Layout,
    cutoff: float,
    *,
    two_groups: bool,
    as_observed: bool,
    engine: Engine,
) -> BoolArray:
    """Return the genes (G,) whose largest Cook's distance is beyond `cutoff`.

    In a design of one factor with two levels (`two_groups`) a gene is spared where three or more samples have larger
    counts than the sample with the largest distance: that sample is not extreme. `counts` (G, n) are those observed.
    `as_observed` says that outliers count that were replaced for the fit.
    """
    largest = observed_max_cooks(state, counts, layout, engine) if as_observed else state.fit.max_cooks
    with np.errstate(invalid="ignore"):
        outlier = largest > cutoff
    if two_groups and outlier.any():
        rows = np.flatnonzero(outlier)
        observed, cooks = counts.read(rows), observed_cooks(state, counts, layout, engine, outlier)
        suspect = observed[np.arange(len(rows)), np.argmax(cooks, axis=1)]
        larger = (observed > suspect[:, np.newaxis]).sum(axis=1)
        outlier[rows[larger >= LARGER_COUNTS]] = False
    return outlier
