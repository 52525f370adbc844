"""The cells of a design, and the sums over them that every fit needs.

Samples with the same row of the model matrix form a cell. Everything that depends on a sample through its row alone
is computed once for a cell, and only the non-zero entries of a row are visited.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.jit import kernel
from countnest.kernels.smallmat import cholesky, cholesky_inverse

__all__ = ["Cells", "cell_predictor", "cox_reid", "gather", "information", "leverage"]


class Cells(NamedTuple):
    """Distinct rows of a model matrix X (n, p) in compressed form.

    Attributes
    ----------
    of_sample
        (n,) index of the cell of each sample.
    start
        (C + 1,) where the entries of each cell begin in `column` and `value`.
    column
        Column of each non-zero entry.
    value
        Value of each non-zero entry.
    log_det
        (1,) log |det| of the distinct rows where they form a square matrix (C == p), else NaN.
    """

    of_sample: IntArray
    start: IntArray
    column: IntArray
    value: FloatArray
    log_det: FloatArray


@kernel
def cell_predictor(cells: Cells, beta: FloatArray, eta_out: FloatArray) -> None:
    """Write the linear predictor of every cell, X beta, into `eta_out` (C,)."""
    for c in range(eta_out.shape[0]):
        total = 0.0
        for k in range(cells.start[c], cells.start[c + 1]):
            total += cells.value[k] * beta[cells.column[k]]
        eta_out[c] = total


@kernel
def information(cells: Cells, weight: FloatArray, ridge: FloatArray, matrix_out: FloatArray) -> None:
    """Write the lower triangle of X'WX + diag(ridge) into `matrix_out` (p, p), from the cells' sums of weights (C,)."""
    p = matrix_out.shape[0]
    for i in range(p):
        for j in range(i + 1):
            matrix_out[i, j] = 0.0
        matrix_out[i, i] = ridge[i]
    for c in range(weight.shape[0]):
        w = weight[c]
        for k in range(cells.start[c], cells.start[c + 1]):
            scaled = w * cells.value[k]
            row = cells.column[k]
            for m in range(cells.start[c], k + 1):  # columns ascend within a cell
                matrix_out[row, cells.column[m]] += scaled * cells.value[m]


@kernel
def gather(cells: Cells, score: FloatArray, vector_out: FloatArray) -> None:
    """Write X's into `vector_out` (p,), from the summed scores of the cells (C,)."""
    for i in range(vector_out.shape[0]):
        vector_out[i] = 0.0
    for c in range(score.shape[0]):
        for k in range(cells.start[c], cells.start[c + 1]):
            vector_out[cells.column[k]] += score[c] * cells.value[k]


@kernel
def leverage(cells: Cells, inverse: FloatArray, leverage_out: FloatArray) -> None:
    """Write x' A^-1 x of every cell into `leverage_out` (C,)."""
    for c in range(leverage_out.shape[0]):
        total = 0.0
        for k in range(cells.start[c], cells.start[c + 1]):
            row = cells.column[k]
            inner = 0.0
            for m in range(cells.start[c], k):
                inner += inverse[row, cells.column[m]] * cells.value[m]
            total += cells.value[k] * (2.0 * inner + inverse[row, row] * cells.value[k])
        leverage_out[c] = total


@kernel
def cox_reid(
    cells: Cells,
    weight: FloatArray,
    squared: FloatArray,
    no_ridge: FloatArray,
    matrix: FloatArray,
    inverse: FloatArray,
    quad: FloatArray,
) -> tuple[float, float]:
    """Return log det(X'WX) and tr[(X'WX)^-1 X'W^2 X], from the cells' sums of W and of W^2 (C,).

    Columns that only cells without weight have are left out. `no_ridge` (p,) holds zeros; `matrix`, `inverse` (p, p)
    and `quad` (C,) are work space.
    """
    n_cells = weight.shape[0]
    trace = 0.0
    all_there = True
    for c in range(n_cells):
        all_there = all_there and weight[c] > 0.0
    if n_cells == matrix.shape[0] and all_there:  # as many cells as columns: x' (X'WX)^-1 x is 1 / weight
        log_determinant = 2.0 * cells.log_det[0]
        for c in range(n_cells):
            log_determinant += math.log(weight[c])
            trace += squared[c] / weight[c]
        return log_determinant, trace
    information(cells, weight, no_ridge, matrix)
    for k in range(matrix.shape[0]):
        if matrix[k, k] == 0.0:
            matrix[k, k] = 1.0
    log_determinant = cholesky(matrix)
    if math.isnan(log_determinant):
        return np.nan, np.nan
    cholesky_inverse(matrix, inverse)
    leverage(cells, inverse, quad)
    for c in range(n_cells):
        trace += squared[c] * quad[c]
    return log_determinant, trace
