"""Variances of samples, updated gene by gene."""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.compiler.jit import kernel

__all__ = ["array_weights_chunk"]

# A pivot below this fraction of its diagonal entry leaves a column undetermined.
NO_PIVOT = 1e-10
# Genes with fewer residual degrees of freedom, or a smaller residual variance, do not take part.
MIN_DF = 2
MIN_VARIANCE = 1e-15


@kernel
def triangle_row(weight: FloatArray, basis: FloatArray, factor: FloatArray) -> int:
    """Write the Cholesky factor of Q'WQ (p, p) of weights (n,) into `factor`, and return its rank.

    The row and column of a pivot that vanishes are zero.
    """
    n, p = basis.shape
    rank = 0
    for k in range(p):
        for i in range(k, p):
            entry = 0.0
            for j in range(n):
                entry += weight[j] * basis[j, i] * basis[j, k]
            factor[i, k] = entry
    for k in range(p):
        own = factor[k, k]
        pivot = own
        for i in range(k):
            pivot -= factor[k, i] * factor[k, i]
        if not pivot > NO_PIVOT * own:
            for i in range(k, p):
                factor[i, k] = 0.0
            continue
        rank += 1
        root = math.sqrt(pivot)
        factor[k, k] = root
        for i in range(k + 1, p):
            entry = factor[i, k]
            for m in range(k):
                entry -= factor[i, m] * factor[k, m]
            factor[i, k] = entry / root
    return rank


@kernel
def forward(factor: FloatArray, values: FloatArray) -> None:
    """Replace `values` (p,) by the solution of L x = values; entries of missing pivots are zero."""
    for k in range(len(values)):
        entry = values[k]
        for i in range(k):
            entry -= factor[k, i] * values[i]
        values[k] = entry / factor[k, k] if factor[k, k] > 0.0 else 0.0


@kernel
def residual_row(
    y: FloatArray, weight: FloatArray, basis: FloatArray, square_out: FloatArray, left_out: FloatArray
) -> int:
    """Write weighted squared residuals and 1 - leverage (n,) of a weighted fit, and return its rank.

    Samples without weight have zeros.
    """
    n, p = basis.shape
    factor = np.zeros((p, p))
    rank = triangle_row(weight, basis, factor)
    own = np.zeros(p)
    for k in range(p):
        for j in range(n):
            own[k] += weight[j] * basis[j, k] * y[j]
    forward(factor, own)
    row = np.empty(p)
    for j in range(n):
        for k in range(p):
            row[k] = basis[j, k]
        forward(factor, row)
        leverage, residual = 0.0, y[j]
        for k in range(p):
            leverage += row[k] * row[k]
            residual -= row[k] * own[k]
        square_out[j] = weight[j] * residual * residual
        left_out[j] = 1.0 - weight[j] * leverage if weight[j] > 0.0 else 0.0
    return rank


@kernel
def score_row(
    square: FloatArray,
    left: FloatArray,
    variance: float,
    columns: FloatArray,
    information: FloatArray,
    step: FloatArray,
) -> None:
    """Add the information (m, m) of a gene about the columns (n, m), and write its scoring step (m,) into `step`."""
    n, m = columns.shape
    total = left.sum()
    shared = np.zeros(m)
    for k in range(m):
        step[k] = 0.0
        for j in range(n):
            shared[k] += columns[j, k] * left[j]
            step[k] += columns[j, k] * (square[j] / variance - left[j])
    for k in range(m):
        for i in range(k, m):
            entry = 0.0
            for j in range(n):
                entry += columns[j, i] * columns[j, k] * left[j]
            information[i, k] += entry - shared[i] * shared[k] / total
    factor = information.copy()
    cholesky(factor)
    cholesky_solve(factor, step)


@kernel
def array_weights_chunk(
    values: FloatArray,
    weights: FloatArray,
    basis: FloatArray,
    columns: FloatArray,
    information: FloatArray,
    gamma_out: FloatArray,
) -> None:
    """Update log variances `gamma_out` (m,) and their information (m, m) by genes with values (G, n), in their order.

    Weights (G, n) are zero where a value is missing. `basis` (n, p) spans the design, and `columns` (n, m) have the log
    variances of the samples, up to a constant.
    """
    n, m = columns.shape
    weight, square, left, step = np.empty(n), np.empty(n), np.empty(n), np.empty(m)
    for g in range(values.shape[0]):
        there = 0
        for j in range(n):
            log_variance = 0.0
            for k in range(m):
                log_variance += columns[j, k] * gamma_out[k]
            weight[j] = weights[g, j] * math.exp(-log_variance)
            there += weights[g, j] > 0.0
        df = there - residual_row(values[g], weight, basis, square, left)
        if there <= MIN_DF or df < MIN_DF or square.sum() < MIN_VARIANCE * df:
            continue
        score_row(square, left, square.sum() / df, columns, information, step)
        for k in range(m):
            gamma_out[k] += step[k]
