"""Robust dispersions: trimmed variances of the cells of a design."""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["robust_dispersion_chunk"]


@kernel
def sort(values: FloatArray, n: int) -> None:
    """Sort the first `n` values in place (Shell 1959, doi:10.1145/368370.368387), by gaps 1, 4, 13, 40, ..."""
    gap = 1
    while 3 * gap + 1 < n:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            value = values[i]
            j = i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap //= 3


@kernel
def trimmed_mean_of(values: FloatArray, n: int, trim: float) -> float:
    """Return the mean of the first `n` values without floor(n trim) at either end; they are sorted in place."""
    sort(values, n)
    drop = math.floor(n * trim)
    total = 0.0
    for i in range(drop, n - drop):
        total += values[i]
    return total / (n - 2 * drop)


@kernel
def robust_dispersion_chunk(
    normalized: FloatArray,
    samples: IntArray,
    start: IntArray,
    trim: FloatArray,
    scale: FloatArray,
    least: float,
    alpha_out: FloatArray,
) -> None:
    """Write method-of-moments dispersions (G,), at least `least`, from the largest trimmed variance of some cells.

    Parameters
    ----------
    normalized
        (G, n) normalized counts.
    samples, start
        The samples of the cells, one cell after the other, and where each begins, (C + 1,).
    trim, scale
        (C,) fraction left out at either end, and what makes the trimmed variance consistent.
    """
    n = normalized.shape[1]
    values = np.empty(n)
    for g in range(normalized.shape[0]):
        variance = -np.inf
        for c in range(trim.shape[0]):
            size = start[c + 1] - start[c]
            for i in range(size):
                values[i] = normalized[g, samples[start[c] + i]]
            centre = trimmed_mean_of(values, size, trim[c])
            for i in range(size):
                distance = values[i] - centre
                values[i] = distance * distance
            variance = max(variance, scale[c] * trimmed_mean_of(values, size, trim[c]))
        mean = 0.0
        for j in range(n):
            mean += normalized[g, j]
        mean /= n
        alpha_out[g] = max((variance - mean) / (mean * mean), least)
