"""Leverages of weighted least squares, also where columns depend on each other: eight genes at once.

Source: Golub and Van Loan (2013), Matrix Computations, section 5.2.8 (modified Gram-Schmidt).
"""

from __future__ import annotations

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import select, sqrt

__all__ = ["leverage_lanes"]

# A column is set aside if less than this fraction of its norm is left beside the columns before it.
LEAST_NORM = 1e-7
# Passes of the orthogonalization: two give orthogonal columns to the last digits.
PASSES = 2


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
