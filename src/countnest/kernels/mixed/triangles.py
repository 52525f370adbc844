"""Symmetric matrices as packed lower triangles, row by row: entry (i, j), j <= i, is at i (i + 1) / 2 + j."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["add_scaled", "backward", "factorise", "forward", "invert", "multiply"]

# A pivot below this fraction of its diagonal entry makes a matrix singular.
NO_PIVOT = 1e-14


@kernel
def factorise(matrix: FloatArray, p: int) -> bool:
    """Replace a packed matrix (p, p) by its Cholesky factor; return whether it is positive definite."""
    for i in range(p):
        row = i * (i + 1) // 2
        for j in range(i):
            other = j * (j + 1) // 2
            entry = matrix[row + j]
            for k in range(j):
                entry -= matrix[row + k] * matrix[other + k]
            matrix[row + j] = entry / matrix[other + j]
        own = matrix[row + i]
        pivot = own
        for k in range(i):
            pivot -= matrix[row + k] * matrix[row + k]
        if not pivot > NO_PIVOT * own:
            return False
        matrix[row + i] = math.sqrt(pivot)
    return True


@kernel
def invert(factor: FloatArray, p: int, inverse_out: FloatArray) -> None:
    """Write the inverse of a packed lower triangular matrix (p, p), packed."""
    for j in range(p):
        inverse_out[j * (j + 1) // 2 + j] = 1.0 / factor[j * (j + 1) // 2 + j]
        for i in range(j + 1, p):
            row = i * (i + 1) // 2
            entry = 0.0
            for k in range(j, i):
                entry -= factor[row + k] * inverse_out[k * (k + 1) // 2 + j]
            inverse_out[row + j] = entry / factor[row + i]


@kernel
def forward(factor: FloatArray, p: int, values: FloatArray) -> None:
    """Replace `values` (p,) by the solution of L x = values."""
    for i in range(p):
        row = i * (i + 1) // 2
        entry = values[i]
        for k in range(i):
            entry -= factor[row + k] * values[k]
        values[i] = entry / factor[row + i]


@kernel
def backward(factor: FloatArray, p: int, values: FloatArray) -> None:
    """Replace `values` (p,) by the solution of L' x = values."""
    for i in range(p - 1, -1, -1):
        entry = values[i] / factor[i * (i + 1) // 2 + i]
        values[i] = entry
        for k in range(i):
            values[k] -= factor[i * (i + 1) // 2 + k] * entry


@kernel
def multiply(matrix: FloatArray, p: int, values: FloatArray, product_out: FloatArray) -> None:
    """Write the product of the first p rows and columns of a packed matrix with `values` (p,)."""
    for i in range(p):
        row = i * (i + 1) // 2
        entry = matrix[row + i] * values[i]
        for j in range(i):
            entry += matrix[row + j] * values[j]
            product_out[j] += matrix[row + j] * values[i]
        product_out[i] = entry


@kernel
def add_scaled(matrix: FloatArray, scale: float, other: FloatArray) -> None:
    """Add `scale` times `other` to `matrix`, both packed."""
    for i in range(len(matrix)):
        matrix[i] += scale * other[i]
