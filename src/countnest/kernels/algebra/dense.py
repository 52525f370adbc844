"""Matrices of the size of a design: Cholesky factor, log-determinant, equations.

The Cholesky factor is that of apeglm's Hessians: one of them is by differences, and the order of elimination of the
plan would change the last bits of its results. The equations are those of the quasi-Newton search, which are dense.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["cholesky", "cholesky_solve", "lu_solve"]


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


@kernel
def lu_solve(matrix: FloatArray, rhs: FloatArray) -> bool:
    """Replace `rhs` (p,) by the solution of A x = rhs, by elimination with partial pivoting; return False: singular.

    `matrix` A (p, p), any square one, is used up.
    """
    p = matrix.shape[0]
    for k in range(p):
        best = k
        for i in range(k + 1, p):
            if abs(matrix[i, k]) > abs(matrix[best, k]):
                best = i
        if matrix[best, k] == 0.0:
            return False
        if best != k:
            for j in range(k, p):
                matrix[k, j], matrix[best, j] = matrix[best, j], matrix[k, j]
            rhs[k], rhs[best] = rhs[best], rhs[k]
        for i in range(k + 1, p):
            factor = matrix[i, k] / matrix[k, k]
            for j in range(k + 1, p):
                matrix[i, j] -= factor * matrix[k, j]
            rhs[i] -= factor * rhs[k]
    for i in range(p - 1, -1, -1):
        value = rhs[i]
        for j in range(i + 1, p):
            value -= matrix[i, j] * rhs[j]
        rhs[i] = value / matrix[i, i]
    return True
