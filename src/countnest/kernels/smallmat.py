"""Symmetric positive definite matrices of the size of a design: Cholesky, log-determinant, solve."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.jit import kernel

__all__ = ["cholesky", "cholesky_solve"]


@kernel
def cholesky(matrix: FloatArray) -> float:
    """Replace the lower triangle of `matrix` (p, p) by its Cholesky factor; return log det (NaN: not pd)."""
    p = matrix.shape[0]
    log_determinant = 0.0
    for j in range(p):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        if not pivot > 0.0:
            return math.nan
        root = math.sqrt(pivot)
        log_determinant += 2.0 * math.log(root)
        matrix[j, j] = root
        for i in range(j + 1, p):
            entry = matrix[i, j]
            for k in range(j):
                entry -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = entry / root
    return log_determinant


@kernel
def cholesky_solve(factor: FloatArray, rhs: FloatArray) -> None:
    """Replace `rhs` (p,) by the solution of A x = rhs, given the Cholesky factor of A in the lower triangle."""
    p = factor.shape[0]
    for i in range(p):
        value = rhs[i]
        for k in range(i):
            value -= factor[i, k] * rhs[k]
        rhs[i] = value / factor[i, i]
    for i in range(p - 1, -1, -1):
        value = rhs[i]
        for k in range(i + 1, p):
            value -= factor[k, i] * rhs[k]
        rhs[i] = value / factor[i, i]
