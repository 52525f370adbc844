"""Tests of contrasts of edgeR's models: null models, and null models with the contrast pinned at a threshold.

G genes, n samples, p coefficients, k contrasts; thresholds are natural logarithms here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.edger.model import EdgeRInput, EdgeRModel, inputs_of
from countnest.parallel.run import Engine
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, deviances, fit_glm, near_start
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.inference.lrt import row_basis

__all__ = ["Comparison", "Roots", "gains", "pinned_roots", "standard_errors"]

NULL_TEXT = "fitting the null model"
# By how much, natural log, a threshold moves means at most: more than counts differ, without overflow.
FARTHEST = 50.0 * float(np.log(2.0))
# Entries of normal equations of genes that are solved together.
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Contrasts that are tested together.

    Attributes
    ----------
    full
        The model.
    null
        The columns of the model without them (n, p - rank).
    shift
        (n,) the predictors of a unit of the contrast, where there is one.
    rank
        Number of independent contrasts.
    """

    full: Columns
    null: FloatArray
    shift: FloatArray
    rank: int

    @classmethod
    def of(cls, contrasts: FloatArray, columns: Columns) -> Comparison:
        """Return the comparison of contrasts (k, p) of the coefficients of a model.

        Contrasts that are coefficients leave out their columns; for others the null model has a basis of what is
        orthogonal to them.
        """
        matrix = columns.matrix
        used = np.flatnonzero(np.any(contrasts != 0.0, axis=0))
        shift = matrix @ contrasts[0] / (contrasts[0] @ contrasts[0])
        if len(used) == np.linalg.matrix_rank(contrasts):
            return cls(columns, as_float(np.delete(matrix, used, axis=1)), shift, len(used))
        basis, null = row_basis(contrasts)
        return cls(columns, as_float(matrix @ null), shift, len(basis))


def gains(
    counts: CountMatrix, given: EdgeRInput, model: EdgeRModel, comparison: Comparison, engine: Engine
) -> FloatArray:
    """Return how much the deviances (G,) of the null model exceed those of the model; rounding may make them negative.

    Notes
    -----
    R counterpart: the column LR of edgeR::glmLRT.
    """
    genes = given.genes(counts, dispersion=model.dispersion, deviance=model.deviance)
    genes = genes.with_arrays(beta=model.beta)
    return over_genes(
        _gain_chunk, genes, full=comparison.full, null=_columns(comparison.null),
        level=compat_level(given.compat), engine=engine, text=NULL_TEXT,
    )  # fmt: skip


def _columns(matrix: FloatArray) -> Columns | None:
    return Columns.of(matrix) if matrix.shape[1] else None


def _gain_chunk(chunk: GeneChunk, *, full: Columns, null: Columns | None, level: Level) -> FloatArray:
    own: FloatArray = chunk["deviance"]
    start = None
    if null is not None:
        start = near_start(as_float(chunk["beta"]), chunk.size_factors, full, level)
        start = None if start is None else as_float(start @ np.linalg.lstsq(null.matrix, full.matrix, rcond=None)[0].T)
    return _null_deviance(inputs_of(chunk), null, chunk["dispersion"], level, start) - own


def _null_deviance(
    inputs: GLMInputs, null: Columns | None, dispersion: FloatArray, level: Level, start: FloatArray | None = None
) -> FloatArray:
    if null is not None:
        return fit_glm(inputs, null, dispersion, start=start, level=level).deviance
    mu = np.broadcast_to(inputs.factors, inputs.counts.shape)
    return deviances(inputs, as_float(mu), dispersion, level)


@dataclass(frozen=True, slots=True, eq=False)
class Roots:
    """Roots (G,), at least 0, of the gains with the contrast pinned at minus the threshold, and at the threshold."""

    low: FloatArray
    high: FloatArray


def pinned_roots(
    counts: CountMatrix,
    given: EdgeRInput,
    model: EdgeRModel,
    comparison: Comparison,
    threshold: float,
    engine: Engine,
) -> Roots:
    """Return the roots of the gains at both ends of the threshold, natural log.

    Thresholds beyond all ratios of counts are as one that moves some means by 50 on the log2 scale.

    Notes
    -----
    R counterpart: inside edgeR::glmTreat.
    """
    genes = given.genes(counts, dispersion=model.dispersion, deviance=model.deviance)
    threshold = min(threshold, FARTHEST / float(np.abs(comparison.shift).max()))
    return over_genes(
        _roots_chunk, genes, comparison=comparison, null=_columns(comparison.null), threshold=threshold,
        level=compat_level(given.compat), engine=engine, text=NULL_TEXT,
    )  # fmt: skip


def _roots_chunk(
    chunk: GeneChunk,
    *,
    comparison: Comparison,
    null: Columns | None,
    threshold: float,
    level: Level,
) -> Roots:
    roots = {}
    for pin in dict.fromkeys((-threshold, threshold)):
        factors = as_float(chunk.size_factors * np.exp(pin * comparison.shift))
        inputs = GLMInputs.of(chunk.counts, factors, chunk.weights)
        # R's iterations end elsewhere with these offsets; the optimum is the same
        own = chunk["deviance"]
        if not level.exact:
            own = fit_glm(inputs, comparison.full, chunk["dispersion"], level=level).deviance
        gain = _null_deviance(inputs, null, chunk["dispersion"], level) - own
        roots[pin] = np.sqrt(np.maximum(gain, 0.0))
    return Roots(roots[-threshold], roots[threshold])


def standard_errors(
    counts: CountMatrix,
    given: EdgeRInput,
    model: EdgeRModel,
    contrasts: FloatArray,
    columns: Columns,
    engine: Engine,
) -> FloatArray:
    """Return standard errors (G, k) of contrasts (k, p), natural log, at the shrunken coefficients."""
    genes = given.genes(counts, dispersion=model.dispersion, shrunken=model.shrunken)
    return over_genes(_error_chunk, genes, contrasts=contrasts, columns=columns, engine=engine)


def _error_chunk(chunk: GeneChunk, *, contrasts: FloatArray, columns: Columns) -> FloatArray:
    matrix, shrunken = columns.matrix, chunk["shrunken"]
    mu = chunk.size_factors * np.exp(shrunken @ matrix.T)
    working = mu / (1.0 + mu * chunk["dispersion"][:, np.newaxis])
    working = working if chunk.weights is None else working * chunk.weights
    if columns.working is not None:
        working_columns, standard = columns.working
        matrix, contrasts = working_columns.matrix, standard.contrasts(contrasts)
    found = np.full((len(mu), len(contrasts)), np.nan)
    step = max(BLOCK // matrix.shape[1] ** 2, 1)
    for begin in range(0, len(mu), step):
        rows = np.arange(begin, min(begin + step, len(mu)))
        rows = rows[np.isfinite(working[rows]).all(axis=1)]
        information = np.einsum("gn,np,nq->gpq", working[rows], matrix, matrix, optimize=True)
        solved = np.linalg.solve(information, np.broadcast_to(contrasts.T, (len(rows), *contrasts.T.shape)))
        found[rows] = np.sqrt(np.einsum("kp,gpk->gk", contrasts, solved))
    return found
