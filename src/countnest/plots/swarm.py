"""Places of points beside each other, so that points of nearly the same height do not hide each other."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["side_by_side", "swarm"]


def side_by_side(size: int, width: float) -> FloatArray:
    """Return the offsets (size,) of points that stand in a row of a width, in their order."""
    return np.linspace(-width / 2.0, width / 2.0, size) if size > 1 else np.zeros(size)


def swarm(height: FloatArray, diameter: float, width: float) -> FloatArray:
    """Return the offsets of points from the middle at which they touch each other at most.

    From the lowest point to the highest, each takes the free place nearest to the middle. Where they need more than
    the width, all are drawn together, and overlap.

    Parameters
    ----------
    height
        (m,) heights of the points, in units of length; finite.
    diameter, width
        Of a point, and of the group, in the same units.

    Returns
    -------
    FloatArray
        (m,) offsets, at most half the width.
    """
    order = np.argsort(height, kind="stable")
    offset = np.zeros(len(height))
    for rank, point in enumerate(order):
        placed = order[:rank]
        near = placed[height[point] - height[placed] < diameter]
        offset[point] = _nearest_free(offset[near], height[point] - height[near], diameter)
    widest = float(np.abs(offset).max(initial=0.0))
    return offset if widest <= width / 2.0 else offset * (width / 2.0 / widest)


def _nearest_free(offset: FloatArray, below: FloatArray, diameter: float) -> float:
    """Return the place nearest to the middle that no point at these offsets, so far below, reaches."""
    reach = np.sqrt(np.maximum(diameter**2 - below**2, 0.0))
    candidates = np.concatenate([[0.0], offset - reach, offset + reach])
    candidates = candidates[np.argsort(np.abs(candidates), kind="stable")]
    distance = np.abs(candidates[:, None] - offset[None])
    free = (distance >= reach[None] * (1.0 - 1e-9)).all(axis=1)
    return float(candidates[np.argmax(free)])
