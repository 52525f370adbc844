"""The cells of a design, and the sums over them that every fit needs.

Samples with the same row of the model matrix form a cell. Everything that depends on a sample through its row alone
is computed once for a cell, and only the non-zero entries of a row are visited.
"""

from __future__ import annotations

from typing import NamedTuple

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["Cells", "cell_predictor", "gather", "information"]


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
    """

    of_sample: IntArray
    start: IntArray
    column: IntArray
    value: FloatArray


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
