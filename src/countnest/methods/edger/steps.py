"""The steps of edgeR's method: models of all genes, and quasi-likelihood. G genes, n samples, p coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.edger.model import EdgeRInput, EdgeRModel, EdgeRQuasi, inputs_of, means_of
from countnest.parallel.run import Engine
from countnest.stats.edger.adjusted import Adjusted, adjusted_deviance
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import fit_glm, near_start, shrunken_coefficients
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.quasi import average_quasi_dispersion
from countnest.stats.glm.layout import Layout
from countnest.stats.moderated.deviance import deviance_df
from countnest.stats.moderated.squeeze import moderate_variances

__all__ = ["QuasiOptions", "adjusted_quasi", "fit_model", "legacy_quasi", "poisson_model"]

FIT_TEXT, AVERAGE_TEXT = "fitting the model", "fitting the model for the average quasi-dispersion"


@dataclass(frozen=True, slots=True, eq=False)
class QuasiOptions:
    """How quasi-dispersions are moderated.

    Attributes
    ----------
    robust
        Whether genes with outlying quasi-dispersions have fewer prior degrees of freedom.
    covariate
        (G,) what the prior follows; None: it is one for all genes.
    """

    robust: bool
    covariate: FloatArray | None


def fit_model(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    dispersion: FloatArray,
    engine: Engine,
    start: FloatArray | None = None,
) -> EdgeRModel:
    """Return the fits of counts (G, n) at dispersions (G,), NaN where genes are not kept.

    Parameters
    ----------
    start
        (G, p) coefficients of fits at other dispersions.

    Notes
    -----
    R counterpart: edgeR::glmFit.
    """
    genes = given.genes(counts, dispersion=dispersion)
    genes = genes if start is None else genes.with_arrays(start=start)
    return over_genes(
        _model_chunk, genes, columns=columns, prior_count=given.prior_count, level=compat_level(given.compat),
        engine=engine, text=FIT_TEXT,
    )  # fmt: skip


def _model_chunk(chunk: GeneChunk, *, columns: Columns, prior_count: float, level: Level) -> EdgeRModel:
    inputs, dispersion = inputs_of(chunk), chunk["dispersion"]
    start = None
    if "start" in chunk.by_gene:
        start = near_start(as_float(chunk["start"]), chunk.size_factors, columns, level)
    fit = fit_glm(inputs, columns, dispersion, start=start, level=level)
    start = near_start(fit.beta, chunk.size_factors, columns, level)
    shrunken = shrunken_coefficients(inputs, columns, dispersion, prior_count=prior_count, start=start, level=level)
    return EdgeRModel(dispersion, fit.beta, shrunken, fit.deviance)


def poisson_model(
    counts: CountMatrix, given: EdgeRInput, columns: Columns, model: EdgeRModel, engine: Engine
) -> EdgeRModel:
    """Return the fits without dispersion, which start from the coefficients of a model, as in R: they end near them."""
    genes = given.genes(counts, beta=model.beta)
    return over_genes(_poisson_chunk, genes, columns=columns, level=compat_level(given.compat), engine=engine)


def _poisson_chunk(chunk: GeneChunk, *, columns: Columns, level: Level) -> EdgeRModel:
    dispersion = np.zeros(len(chunk.counts))
    fit = fit_glm(inputs_of(chunk), columns, dispersion, start=as_float(chunk["beta"]), level=level)
    return EdgeRModel(dispersion, fit.beta, fit.beta, fit.deviance)


def adjusted_quasi(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    dispersion: FloatArray,
    options: QuasiOptions,
    engine: Engine,
) -> EdgeRQuasi:
    """Return the quasi-likelihood of version 4: with adjusted deviances, at dispersions (G,) over their average.

    Notes
    -----
    R counterpart: edgeR::glmQLFit.
    """
    level = compat_level(given.compat)
    genes = given.genes(counts, dispersion=dispersion)
    beta = over_genes(_beta_chunk, genes, columns=columns, level=level, engine=engine, text=AVERAGE_TEXT)
    genes, average = genes.with_arrays(beta=beta), 1.0
    for _ in range(2):
        adjusted = over_genes(_adjusted_chunk, genes, columns=columns, level=level, average=average, engine=engine)
        kept = given.kept
        average = average_quasi_dispersion(adjusted.variance[kept], adjusted.df[kept], given.abundance[kept])
    model = fit_model(counts, given, columns, dispersion / average, engine, beta)
    genes = genes.with_arrays(beta=model.beta)
    adjusted = over_genes(_adjusted_chunk, genes, columns=columns, level=level, average=average, engine=engine)
    moderated = moderate_variances(
        adjusted.variance, adjusted.df, covariate=options.covariate, robust=options.robust, estimator="likelihood"
    )
    return EdgeRQuasi(model, moderated, average, adjusted.deviance)


def _beta_chunk(chunk: GeneChunk, *, columns: Columns, level: Level) -> FloatArray:
    return fit_glm(inputs_of(chunk), columns, chunk["dispersion"], level=level).beta


def _adjusted_chunk(chunk: GeneChunk, *, columns: Columns, level: Level, average: float) -> Adjusted:
    mu = means_of(chunk.size_factors, chunk["beta"], columns)
    design = columns.searched(as_given=not level.exact).matrix
    return adjusted_deviance(
        chunk.counts, mu, design, chunk["dispersion"], average=average, weights=chunk.weights,
        as_in_r=not level.exact,
    )  # fmt: skip


def legacy_quasi(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    dispersion: FloatArray,
    options: QuasiOptions,
    engine: Engine,
) -> EdgeRQuasi:
    """Return the quasi-likelihood of versions 3: deviances at the trend of the dispersions (G,), as they are.

    Notes
    -----
    R counterpart: edgeR::glmQLFit(legacy = TRUE).
    """
    model = fit_model(counts, given, columns, dispersion, engine)
    genes = given.genes(counts, beta=model.beta, dispersion=dispersion)
    df = over_genes(_df_chunk, genes, columns=columns, layout=Layout.of(columns.matrix, as_given=True), engine=engine)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(df > 0, np.maximum(model.deviance / df, 0.0), np.where(np.isnan(df), np.nan, 0.0))
    moderated = moderate_variances(
        variance, df, covariate=options.covariate, robust=options.robust, estimator="moments"
    )
    genes = genes.with_arrays(variance=moderated.variance)
    bounded = over_genes(_bounded_chunk, genes, columns=columns, engine=engine)
    return EdgeRQuasi(model, moderated, 1.0, model.deviance, bounded)


def _df_chunk(chunk: GeneChunk, *, columns: Columns, layout: Layout) -> FloatArray:
    mu = means_of(chunk.size_factors, chunk["beta"], columns)
    return deviance_df(chunk.counts, mu, None, layout)


def _bounded_chunk(chunk: GeneChunk, *, columns: Columns) -> BoolArray:
    mu = means_of(chunk.size_factors, chunk["beta"], columns)
    variance = chunk["variance"][:, np.newaxis] * (1.0 + mu * chunk["dispersion"][:, np.newaxis])
    found: BoolArray = (variance < 1.0).any(axis=1)
    return found
