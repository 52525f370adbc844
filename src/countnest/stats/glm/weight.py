"""Observation weights: how much every count says about its gene.

Source: Van den Berge, Perraudeau, Soneson, Love, Risso, Vert, Robinson, Dudoit and Clement (2018),
doi:10.1186/s13059-018-1406-4: zero-inflated counts fitted by negative binomial models with weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.negbin.dispersion import MIN_WEIGHT
from countnest.stats.glm.subset import cross_products, distinct, orthonormal, slices, surely_full_rank
from countnest.stats.norm.size_factors import normalized_counts

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["residual_df", "scaled_weights", "weighted_counts", "weights_suffice"]


def weighted_counts(counts: FloatArray, factors: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return normalized counts (G, n) times their weights."""
    normalized = normalized_counts(counts, factors)
    return normalized if weights is None else weights * normalized


def scaled_weights(weights: FloatArray) -> FloatArray:
    """Return weights (G, n) divided by the largest of each gene; genes without any weight stay at zero."""
    largest = weights.max(axis=1, keepdims=True)
    return as_float(weights / np.where(largest > 0.0, largest, 1.0))


def weights_suffice(weights: FloatArray, layout: Layout) -> BoolArray:
    """Return the genes (G,) whose weights (G, n) leave every coefficient estimable.

    The rows of the model matrix with weight must have full column rank, and so must those of weight above 0.01 on those
    of their columns that are not all zero: they carry the Cox-Reid term of the dispersion.
    """
    matrix, usable = layout.matrix, np.ones(len(weights), dtype=np.bool_)
    heavy = weights > MIN_WEIGHT
    unclear = np.flatnonzero(~heavy.all(axis=1))
    basis, _ = orthonormal(matrix)
    for part in slices(len(unclear), basis.shape[1] ** 2):
        usable[unclear[part]] = surely_full_rank(cross_products(heavy[unclear[part]], basis))
    unclear = np.flatnonzero(~usable)
    patterns = np.hstack([weights[unclear] > 0.0, heavy[unclear]])
    first, which = distinct(patterns)
    halves = [np.split(pattern, 2) for pattern in patterns[first]]
    ranks = [_full_rank(matrix[some]) and _full_rank(matrix[enough], drop_empty=True) for some, enough in halves]
    usable[unclear] = np.array(ranks, dtype=np.bool_)[which]
    return usable


def residual_df(layout: Layout, weights: FloatArray | None) -> float | FloatArray:
    """Return the residual degrees of freedom: samples less coefficients, or with weights (G, n) their sums instead.

    They are missing where they are not above zero.
    """
    if weights is None:
        return float(layout.residual_df)
    df = weights.sum(axis=1) - layout.n_coefficients
    return as_float(np.where(df > 0.0, df, np.nan))


def _full_rank(matrix: FloatArray, *, drop_empty: bool = False) -> bool:
    if drop_empty:
        matrix = matrix[:, (matrix != 0.0).any(axis=0)]
    rank = np.linalg.matrix_rank(matrix) if matrix.size else 0  # NumPy 1 has no rank of nothing
    return bool(rank == matrix.shape[1])
