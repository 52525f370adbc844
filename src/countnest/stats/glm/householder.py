"""QR decomposition of a model matrix, with every sum in its natural order.

NumPy's LAPACK sums in blocks, with results that differ in the last bit between machines. Dispersions are found by a
line search whose steps compare numbers that agree to that bit, so the same matrix should give the same bits
everywhere; and here they are also those of R.

Source: Golub and Van Loan, Matrix Computations, section 5.1.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["householder_qr", "inverse_triangle", "ordered_product"]


def householder_qr(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Q (n, p), orthonormal, and R (p, p), upper triangular, with QR = `matrix` of full column rank.

    Notes
    -----
    R counterpart: qr.Q(qr(X)), qr.R(qr(X)).
    """
    work = matrix.astype(np.float64, copy=True)
    n, p = work.shape
    reflections: list[tuple[int, FloatArray]] = []
    diagonal = np.diag(work[:p]).copy()
    for k in range(min(p, n - 1)):
        column = work[k:, k]
        norm = np.sqrt(_ordered_dot(column, column))
        if norm == 0.0:
            continue
        norm = np.copysign(norm, column[0]) if column[0] != 0.0 else norm
        reflection = column * (1.0 / norm)
        reflection[0] += 1.0
        for later in range(k + 1, p):
            _reflect(reflection, work[k:, later])
        diagonal[k] = -norm
        reflections.append((k, reflection))
    if p == n:
        diagonal[-1] = work[-1, -1]
    triangle = np.triu(work[:p], 1) + np.diag(diagonal)
    basis = np.eye(n, p)
    for column in basis.T:
        for k, reflection in reversed(reflections):
            _reflect(reflection, column[k:])
    return basis, triangle


def _reflect(reflection: FloatArray, vector: FloatArray) -> None:
    vector += -_ordered_dot(reflection, vector) / reflection[0] * reflection


def _ordered_dot(a: FloatArray, b: FloatArray) -> float:
    """Return a'b, summed from the first to the last entry."""
    return float(np.cumsum(a * b)[-1])


def inverse_triangle(triangle: FloatArray) -> FloatArray:
    """Return the inverse (p, p) of an upper triangular matrix, by back substitution."""
    p = len(triangle)
    inverse = np.eye(p)
    for column in inverse.T:
        for k in range(p - 1, -1, -1):
            if column[k] != 0.0:
                column[k] /= triangle[k, k]
                column[:k] -= column[k] * triangle[:k, k]
    return inverse


def ordered_product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the matrix product, every entry summed from the first to the last term."""
    product = np.zeros((left.shape[0], right.shape[1]))
    for k in range(left.shape[1]):
        product += left[:, k : k + 1] * right[k : k + 1, :]
    return product
