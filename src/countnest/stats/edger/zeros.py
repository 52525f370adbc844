"""Counts of zero whose fitted mean is zero: they fit by themselves, and have no information on a dispersion.

Source: Lun and Smyth (2017), doi:10.1515/sagmb-2017-0010. G genes, n samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.stats.edger.columns import Columns, independent_columns
from countnest.stats.glm.subset import distinct

__all__ = ["exact_zeros", "patterns", "zeros_residual_df"]

# Counts and means below this are zero.
ZERO = 1e-4


def exact_zeros(counts: FloatArray, mu: FloatArray) -> BoolArray:
    """Return which counts (G, n) are zero with a mean of zero."""
    zeros: BoolArray = (counts < ZERO) & (mu < ZERO)
    return zeros


def patterns(zeros: BoolArray) -> Iterator[tuple[IntArray, BoolArray]]:
    """Yield the genes that have each pattern of zeros, and the pattern (n,)."""
    first, which = distinct(zeros)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(first) + 1))
    for i, gene in enumerate(first):
        yield order[ends[i] : ends[i + 1]].astype(np.int64), zeros[gene]


def zeros_residual_df(zeros: BoolArray, columns: Columns) -> FloatArray:
    """Return the residual degrees of freedom (G,) without zeros (G, n): samples less the rank of their columns.

    Notes
    -----
    R counterpart: the degrees of freedom of edgeR::glmQLFit(legacy = TRUE).
    """
    df = np.full(len(zeros), float(columns.residual_df))
    some = np.flatnonzero(zeros.any(axis=1))
    for genes, pattern in patterns(zeros[some]):
        rest = columns.matrix[~pattern]
        df[some[genes]] = max(len(rest) - len(independent_columns(rest)), 0.0)
    return df
