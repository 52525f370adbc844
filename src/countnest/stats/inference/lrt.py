"""Likelihood ratio test of nested models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float

__all__ = ["RankTest", "is_nested", "likelihood_ratio_test", "pinned_offsets", "row_basis"]

SPAN_TOLERANCE = 1e-8
# Singular values below this fraction of the largest are zero.
RANK_TOLERANCE = 1e-10
# Of offsets, natural log: a factor of 2^30, which is more than counts can show.
LARGEST_OFFSET = 30.0 * float(np.log(2.0))


@dataclass(frozen=True, slots=True, eq=False)
class RankTest:
    """A test that several contrasts are all zero: statistics and p-values (G,), and the rank of the contrasts."""

    statistic: FloatArray
    p_value: FloatArray
    rank: int


def likelihood_ratio_test(
    full_loglik: FloatArray, reduced_loglik: FloatArray, df: int
) -> tuple[FloatArray, FloatArray]:
    """Return statistics 2 (l_full - l_reduced) and chi-square p-values (G,) on `df` degrees of freedom.

    Notes
    -----
    R counterpart: DESeq2::nbinomLRT.
    """
    statistic = 2.0 * (full_loglik - reduced_loglik)
    # Two fits that are equally good differ by rounding, either way.
    return statistic, scipy.special.chdtrc(df, np.maximum(statistic, 0.0))


def is_nested(reduced: FloatArray, full: FloatArray) -> bool:
    """Return whether the columns of `reduced` (n, q) lie in the span of those of `full` (n, p)."""
    coefficients = np.linalg.lstsq(full, reduced, rcond=None)[0]
    rest = reduced - full @ coefficients
    return bool(np.abs(rest).max(initial=0.0) <= SPAN_TOLERANCE * max(1.0, float(np.abs(reduced).max(initial=0.0))))


def row_basis(contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal rows (r, p) that span those of `contrasts` (k, p), and of their null space (p, p - r)."""
    _, singular, rows = np.linalg.svd(contrasts)
    rank = int(np.count_nonzero(singular > RANK_TOLERANCE * singular[0]))
    return as_float(rows[:rank]), as_float(rows[rank:].T)


def pinned_offsets(columns: FloatArray, contrast: FloatArray, value: float) -> FloatArray:
    """Return the offsets (n,), natural log, with which null models have a contrast (1, p) at a value instead of zero.

    A value so far out that no count could tell it from a nearer one has the offsets of the nearer one: means are then
    finite, and the null model can be fitted.
    """
    shift = (columns @ contrast[0]) / (contrast @ contrast.T)[0, 0]
    largest = float(np.abs(shift).max(initial=0.0))
    if abs(value) * largest > LARGEST_OFFSET:
        value = np.copysign(LARGEST_OFFSET / largest, value)
    return as_float(value * shift)
