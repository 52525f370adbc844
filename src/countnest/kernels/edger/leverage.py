"""Leverages of weighted least squares, also where columns depend on each other.

Source: Golub and Van Loan (2013), Matrix Computations, section 5.2.8 (modified Gram-Schmidt).
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["leverage_chunk"]

# A column is set aside if less than this fraction of its norm is left beside the columns before it.
LEAST_NORM = 1e-7
# Passes of the orthogonalization: two give orthogonal columns to the last digits.
PASSES = 2


@kernel
def norm(column: FloatArray) -> float:
    """Return the Euclidean norm."""
    total = 0.0
    for value in column:
        total += value * value
    return math.sqrt(total)


@kernel
def leverage_row(design: FloatArray, root: FloatArray, basis: FloatArray, leverage_out: FloatArray) -> None:
    """Write the leverages (n,) of the rows of `design` (p, n) times `root` (n,); `basis` (p, n) is memory."""
    p, n = design.shape
    rank = 0
    leverage_out[:] = 0.0
    for k in range(p):
        column = basis[rank]
        for j in range(n):
            column[j] = design[k, j] * root[j]
        before = norm(column)
        for _ in range(PASSES):
            for i in range(rank):
                share = 0.0
                for j in range(n):
                    share += basis[i, j] * column[j]
                for j in range(n):
                    column[j] -= share * basis[i, j]
        left = norm(column)
        if left > 0.0 and left >= LEAST_NORM * before:
            for j in range(n):
                column[j] /= left
                leverage_out[j] += column[j] * column[j]
            rank += 1


@kernel
def leverage_chunk(design: FloatArray, weights: FloatArray, leverage_out: FloatArray) -> None:
    """Write the leverages of all genes into `leverage_out` (G, n).

    Parameters
    ----------
    design
        (p, n), the model matrix with a row for each coefficient.
    weights
        (G, n) working weights, not negative.
    """
    p, n = design.shape
    basis = np.empty((p, n))
    root = np.empty(n)
    for g in range(weights.shape[0]):
        for j in range(n):
            root[j] = math.sqrt(weights[g, j])
        leverage_row(design, root, basis, leverage_out[g])
