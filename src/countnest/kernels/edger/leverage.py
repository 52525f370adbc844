"""Leverages of weighted least squares, also where columns depend on each other: eight genes at once.

Source: Golub and Van Loan (2013), Matrix Computations, section 5.2.8 (modified Gram-Schmidt).
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, load_row, new_lanes, select, sqrt

__all__ = ["leverage_chunk"]

# A column is set aside if less than this fraction of its norm is left beside the columns before it.
LEAST_NORM = 1e-7
# Passes of the orthogonalization: two give orthogonal columns to the last digits.
PASSES = 2
ROOT, LEVERAGE, BY_SAMPLE = 0, 1, np.int64(2)


@kernel
def leverage_lanes(design: FloatArray, root: FloatArray, basis: FloatArray, leverage: FloatArray) -> None:
    """Write the leverages (n,) of the rows of `design` (p, n) times `root` (n,); `basis` (p, n) is memory.

    A column that is set aside is zero in the basis.
    """
    p, n = design.shape
    for j in range(n):
        leverage[j] = 0.0
    for k in range(p):
        before = 0.0 * root[0]
        for j in range(n):
            entry = design[k, j] * root[j]
            basis[k, j] = entry
            before = before + entry * entry
        for _ in range(PASSES):
            for i in range(k):
                share = 0.0 * before
                for j in range(n):
                    share = share + basis[i, j] * basis[k, j]
                for j in range(n):
                    basis[k, j] = basis[k, j] - share * basis[i, j]
        left = 0.0 * before
        for j in range(n):
            left = left + basis[k, j] * basis[k, j]
        before, left = sqrt(before), sqrt(left)
        kept = (left > 0.0) & (left >= LEAST_NORM * before)
        for j in range(n):
            entry = select(kept, basis[k, j] / left, 0.0)
            basis[k, j] = entry
            leverage[j] = leverage[j] + entry * entry


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
    (p, n), n_genes = design.shape, weights.shape[0]
    basis = as_lanes(new_lanes(p * n).reshape(p, n, LANES))
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    by_sample = as_lanes(data)
    root, leverage = by_sample[ROOT], by_sample[LEVERAGE]
    for begin in range(0, n_genes, LANES):
        size = min(LANES, n_genes - begin)
        for lane in range(size):
            load_row(weights, begin + lane, lane, data[ROOT])
        for j in range(n):
            root[j] = sqrt(root[j])
        leverage_lanes(design, root, basis, leverage)
        for lane in range(size):
            for j in range(n):
                leverage_out[begin + lane, j] = data[LEVERAGE, j, lane]
