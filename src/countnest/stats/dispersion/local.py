"""Local quadratic regression, evaluated at the vertices of a tree and interpolated between them.

Source: Loader (1999), Local Regression and Likelihood, doi:10.1007/b98858, chapters 2 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import CountnestError

__all__ = ["LocalCurve", "TiedPointsError", "fit_local_curve"]

# Fraction of the points in a neighbourhood; a cell is split while it is longer than CUT times the smaller bandwidth.
NEIGHBOURS = 0.7
CUT = 0.8
# Added to the number of neighbours before it is cut to a whole number: 0.7 times 170 is 118.99999999999999.
GUARD = 1e-12


class TiedPointsError(CountnestError):
    """So many points have the same x that a neighbourhood has no width."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalCurve:
    """A curve given by its values and slopes at vertices.

    Attributes
    ----------
    vertices, values, slopes
        (V,) positions in ascending order, and the local fit there.
    curvature
        Quadratic coefficient with which the curve goes on outside the vertices.
    """

    vertices: FloatArray
    values: FloatArray
    slopes: FloatArray
    curvature: float

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the curve at `x`: cubic Hermite between vertices, quadratic beyond the first and the last."""
        v = self.vertices
        left = np.clip(np.searchsorted(v, x, side="right") - 1, 0, len(v) - 2)
        length = v[left + 1] - v[left]
        t = (x - v[left]) / length
        inside = (
            (1 + 2 * t) * (1 - t) ** 2 * self.values[left]
            + t**2 * (3 - 2 * t) * self.values[left + 1]
            + length * t * (1 - t) * ((1 - t) * self.slopes[left] - t * self.slopes[left + 1])
        )
        edge = np.where(x < v[0], 0, len(v) - 1)
        beyond = x - v[edge]
        outside = self.values[edge] + self.slopes[edge] * beyond + self.curvature * beyond**2
        return np.where((x < v[0]) | (x > v[-1]), outside, inside)


def fit_local_curve(x: FloatArray, y: FloatArray, weights: FloatArray) -> LocalCurve:
    """Fit y on x, all (G,), by local quadratics with tricube weights times `weights`.

    The neighbourhood of a point reaches to its floor(0.7 G)-th nearest x. One point alone gives a constant.

    Raises
    ------
    TiedPointsError
        If that distance is zero at a vertex.

    Notes
    -----
    R counterpart: locfit::locfit(y ~ x, weights = weights).
    """
    if len(x) == 1:
        return LocalCurve(x + np.array([0.0, 1.0]), np.repeat(y, 2), np.zeros(2), 0.0)
    low, high = float(x.min()), float(x.max())
    fits = {low: _local_quadratic(low, x, y, weights), high: _local_quadratic(high, x, y, weights)}
    cells = [(low, high)] if high > low else []
    while cells:
        a, b = cells.pop()
        middle = (a + b) / 2.0
        if (b - a) / min(fits[a][2], fits[b][2]) > CUT and a < middle < b:
            fits[middle] = _local_quadratic(middle, x, y, weights)
            cells += [(a, middle), (middle, b)]
    vertices = np.array(sorted(fits))
    values = np.array([fits[vertex][0] for vertex in vertices])
    slopes = np.array([fits[vertex][1] for vertex in vertices])
    return LocalCurve(vertices, values, slopes, _weighted_quadratic(x - x.mean(), y, weights)[2])


def _local_quadratic(at: float, x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, float, float]:
    """Return value, slope and bandwidth of the local fit at one point."""
    distance = np.abs(x - at)
    k = int(np.floor(NEIGHBOURS * len(x) + GUARD))
    bandwidth = float(np.partition(distance, k - 1)[k - 1])
    if bandwidth == 0.0:
        raise TiedPointsError(f"{np.count_nonzero(distance == 0)} of {len(x)} points have the same x")
    near = distance < bandwidth
    kernel = (1.0 - (distance[near] / bandwidth) ** 3) ** 3
    value, slope, _ = _weighted_quadratic(x[near] - at, y[near], weights[near] * kernel)
    return value, slope, bandwidth


def _weighted_quadratic(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, float, float]:
    """Return the coefficients of 1, x, x^2 in the weighted least squares fit."""
    root = np.sqrt(weights)
    design = np.column_stack([np.ones_like(x), x, x * x]) * root[:, None]
    value, slope, curvature = np.linalg.lstsq(design, y * root, rcond=None)[0]
    return float(value), float(slope), float(curvature)
