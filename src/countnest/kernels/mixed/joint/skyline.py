"""Symmetric matrices by the rows of their lower triangles, each from its first entry that is not zero: skylines.

The Cholesky factor has the same entries, and so has what the inverse has there. Entry (i, k) is at `row[i] + k`.

Sources: George and Liu (1981), Computer Solution of Large Sparse Positive Definite Systems, ch. 4; entries of inverses:
Erisman and Tinney (1975), doi:10.1145/360680.360704.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["Skyline", "decompose", "entry_of", "invert", "skyline_of", "solve"]


class Skyline(NamedTuple):
    """Which entries of a matrix (m, m) are kept.

    Attributes
    ----------
    first
        (m,) the first column of each row.
    row
        (m,) where column 0 of each row would be.
    pointer, below
        (m + 1,) and (entries off the diagonal,): the rows below the diagonal that have an entry in each column.
    """

    first: IntArray
    row: IntArray
    pointer: IntArray
    below: IntArray


def skyline_of(first: IntArray) -> Skyline:
    """Return the skyline of rows that begin at these columns (m,); not compiled."""
    m = len(first)
    ends = np.cumsum(np.arange(m) + 1 - first)
    rows = [np.arange(j + 1, m)[first[j + 1 :] <= j] for j in range(m)]
    pointer = np.concatenate([[0], np.cumsum([len(each) for each in rows])])
    return Skyline(
        first.astype(np.int64),
        (ends - np.arange(m) - 1).astype(np.int64),
        pointer.astype(np.int64),
        np.concatenate([np.zeros(0), *rows]).astype(np.int64),
    )


@kernel
def entry_of(i: int, k: int, skyline: Skyline) -> int:
    """Return where an entry of the lower or upper triangle is."""
    where: int = skyline.row[max(i, k)] + min(i, k)
    return where


@kernel
def decompose(matrix: FloatArray, size: int, skyline: Skyline) -> float:
    """Replace the first rows of a matrix by those of its Cholesky factor; return log |matrix|, or NaN."""
    first, row = skyline.first, skyline.row
    log_determinant = 0.0
    for i in range(size):
        own, begin = row[i], first[i]
        pivot = matrix[own + i]
        for j in range(begin, i):
            other = row[j]
            entry = matrix[own + j]
            for k in range(max(begin, first[j]), j):
                entry -= matrix[own + k] * matrix[other + k]
            entry /= matrix[other + j]
            matrix[own + j] = entry
            pivot -= entry * entry
        if not pivot > 0.0:
            return math.nan
        matrix[own + i] = math.sqrt(pivot)
        log_determinant += math.log(pivot)
    return log_determinant


@kernel
def solve(factor: FloatArray, size: int, skyline: Skyline, values: FloatArray) -> None:
    """Replace `values` by the solution of L L' x = values, in the first rows."""
    first, row = skyline.first, skyline.row
    for i in range(size):
        entry = values[i]
        for k in range(first[i], i):
            entry -= factor[row[i] + k] * values[k]
        values[i] = entry / factor[row[i] + i]
    for i in range(size - 1, -1, -1):
        entry = values[i] / factor[row[i] + i]
        values[i] = entry
        for k in range(first[i], i):
            values[k] -= factor[row[i] + k] * entry


@kernel
def invert(factor: FloatArray, size: int, skyline: Skyline, inverse_out: FloatArray) -> None:
    """Write the entries that the inverse of L L', of the first rows, has where L has some."""
    row, pointer, below = skyline.row, skyline.pointer, skyline.below
    for j in range(size - 1, -1, -1):
        pivot = 1.0 / factor[row[j] + j]
        begin, end = pointer[j], pointer[j + 1]
        while end > begin and below[end - 1] >= size:
            end -= 1
        last = pivot
        for a in range(begin, end):
            i = below[a]
            entry = 0.0
            for b in range(begin, end):
                k = below[b]
                entry -= inverse_out[entry_of(i, k, skyline)] * factor[row[k] + j]
            entry *= pivot
            inverse_out[row[i] + j] = entry
            last -= entry * factor[row[i] + j]
        inverse_out[row[j] + j] = last * pivot
