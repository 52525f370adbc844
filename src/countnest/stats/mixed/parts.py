"""What tests of a linear mixed model consist of, at its variance ratios. G genes, t terms, c pairs of rows.

V is the covariance of a gene's responses, were sigma 1; K_k is the kernel of term k, S = X'V^-1 X, and
P = V^-1 - V^-1 X S^-1 X'V^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.errors import ContrastError

__all__ = ["Parts", "independent", "square", "triangle_pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Forms of pairs of rows l, with a = S^-1 l, and of the responses; NaN for genes without a fit.

    Attributes
    ----------
    covariance
        (G, c) a_i' S a_j: the covariance of two estimates, were sigma 1.
    slopes
        (G, t, c) a_i' X'V^-1 K_k V^-1 X a_j: its derivative in the ratio of a term.
    bends
        (G, t, t, c) the symmetric part of a_i' X'V^-1 K_k P K_j V^-1 X a_j.
    traces, products
        (G, t) tr P K_k, and (G, t, t) tr P K_k P K_j.
    plain_traces, plain_products
        The same with V^-1 in place of P, for the likelihood that is not restricted.
    squares, cross_squares
        (G, t) y'P K_k P y and (G, t, t) y'P K_k P K_j P y, over y'P y.
    samples
        (G,) number of samples with a weight.
    """

    covariance: FloatArray
    slopes: FloatArray
    bends: FloatArray
    traces: FloatArray
    products: FloatArray
    plain_traces: FloatArray
    plain_products: FloatArray
    squares: FloatArray
    cross_squares: FloatArray
    samples: FloatArray


def triangle_pairs(k: int, *, joint: bool) -> IntArray:
    """Return pairs (c, 2) of k rows: each row with itself or, `joint`, the lower triangle row by row."""
    return as_int(np.column_stack(np.tril_indices(k) if joint else (np.arange(k), np.arange(k))))


def square(packed: FloatArray) -> FloatArray:
    """Return symmetric matrices (..., k, k) from lower triangles (..., k (k + 1) / 2)."""
    k = int(np.sqrt(2 * packed.shape[-1]))
    rows, columns = np.tril_indices(k)
    found = np.empty((*packed.shape[:-1], k, k))
    found[..., rows, columns] = packed
    found[..., columns, rows] = packed
    return found


def independent(contrasts: FloatArray) -> FloatArray:
    """Return orthonormal rows (rank, p) that span those of contrasts (k, p)."""
    _, values, rows = np.linalg.svd(contrasts, full_matrices=False)
    rank = int((values > len(rows) * np.finfo(np.float64).eps * values.max(initial=0.0)).sum())
    if rank == 0:
        raise ContrastError("All contrasts are zero: a joint test needs one that is not.")
    return contrasts if rank == len(contrasts) else as_float(rows[:rank])
