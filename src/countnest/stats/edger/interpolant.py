"""The maximum of a curve that is known at equally spaced points, between them by a cubic spline.

Source: Forsythe, Malcolm and Moler (1977), Computer Methods for Mathematical Computations, chapter 4: at both ends the
third derivative is that of the cubic through the last four points. G genes, K points.
"""

from __future__ import annotations

import functools

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float

__all__ = ["maximizing_points"]


def maximizing_points(points: FloatArray, values: FloatArray) -> FloatArray:
    """Return where the splines through `values` (G, K) at equally spaced `points` (K,) have their maximum.

    It is looked for in the two segments beside the largest value.

    Notes
    -----
    R counterpart: edgeR::maximizeInterpolant.
    """
    n_genes, n_points = values.shape
    step = float(points[1] - points[0])
    curvature = (values - values[:, :1]) @ _second_derivatives(n_points)
    best = np.argmax(values, axis=1)
    genes = np.arange(n_genes)
    place, top = points[best].astype(np.float64), values[genes, best].copy()
    for segment in (best - 1, best):
        inside = np.clip(segment, 0, n_points - 2)
        shift, value = _maximum(values, curvature, inside)
        better = (segment == inside) & (shift > 0) & (shift < 1) & (value > top)
        place[better] = (points[inside] + step * shift)[better]
        top[better] = value[better]
    return as_float(place)


def _maximum(values: FloatArray, curvature: FloatArray, segment: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return where the cubic of one segment of each gene has its maximum, in steps, and its value; NaN without one."""
    genes = np.arange(len(values))
    y, after = values[genes, segment], values[genes, segment + 1]
    left, right = curvature[genes, segment], curvature[genes, segment + 1]
    b, c, d = (after - y) - (2.0 * left + right), 3.0 * left, right - left
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = (-c - np.sqrt(c * c - 3.0 * b * d)) / (3.0 * d)
        return as_float(shift), as_float(y + shift * (b + shift * (c + shift * d)))


@functools.cache
def _second_derivatives(n: int) -> FloatArray:
    """Return the matrix (n, n) that takes values, as rows, to a sixth of the spline's second derivatives."""
    system, right = np.zeros((n, n)), np.zeros((n, n))
    for i in range(1, n - 1):
        system[i, i - 1 : i + 2] = (1.0, 4.0, 1.0)
        right[i, i - 1 : i + 2] = (1.0, -2.0, 1.0)
    third = np.array([-1.0, 3.0, -3.0, 1.0]) / 6.0
    system[0, :2], system[-1, -2:] = (-1.0, 1.0), (-1.0, 1.0)
    right[0, :4], right[-1, -4:] = third, third
    return as_float(np.linalg.solve(system, right).T)
