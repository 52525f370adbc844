"""Robust locally weighted regression of a series.

Source: Cleveland (1979), doi:10.1080/01621459.1979.10481038, with the details of his program `lowess`, which is in the
public domain; they decide the last digits and so are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["FAR", "MIN_SPREAD", "NEAR", "lowess", "places_of", "robustly", "span_of", "windows"]

# Distances and residuals within these fractions of their limits get full and zero weight.
NEAR, FAR = 0.001, 0.999
# A local line is fitted where the weighted spread of x exceeds this fraction of its range, else a local mean.
MIN_SPREAD = 0.001


def lowess(x: FloatArray, y: FloatArray, *, fraction: float, robust_steps: int = 3, delta: float = 0.0) -> FloatArray:
    """Return the smoothed `y` (m,) at ascending `x` (m,).

    Parameters
    ----------
    fraction
        Of the points that enter each local line.
    robust_steps
        Number of re-fits with bisquare weights.
    delta
        Lines are fitted at points about this far apart, and values between them interpolated; 0: at every distinct
        point.

    Notes
    -----
    R counterpart: stats::lowess(x, y, f = fraction, delta = delta).
    """
    places = places_of(x, delta)
    smoother = _neighbourhoods(x, span_of(x, fraction), places)

    def lines(robustness: FloatArray) -> FloatArray:
        return np.array([_local_line(x, y, robustness, *near) for near in zip(places, *smoother, strict=True)])

    return robustly(x, y, places, lines, robust_steps)


def span_of(x: FloatArray, fraction: float) -> int:
    """Return the number of points in a window."""
    return max(min(int(fraction * len(x) + 1e-7), len(x)), 2)


def robustly(
    x: FloatArray, y: FloatArray, places: list[int], lines: Callable[[FloatArray], FloatArray], robust_steps: int
) -> FloatArray:
    """Return the smoothed `y`, with values at some points by `lines` of weights (m,) against outliers."""
    robustness = np.ones(len(x))
    fitted = y
    for step in range(robust_steps + 1):
        fitted = lines(robustness)
        if len(places) < len(x):
            fitted = np.interp(x, x[places], fitted)
        residual = np.abs(y - fitted)
        limit = 6.0 * float(np.median(residual))
        if step == robust_steps or limit <= 1e-7 * residual.mean():
            break
        robustness = (1.0 - (residual / limit) ** 2) ** 2
        robustness[residual <= NEAR * limit] = 1.0
        robustness[residual > FAR * limit] = 0.0
    return fitted


def places_of(x: FloatArray, delta: float) -> list[int]:
    """Return the indices of distinct points: from each one goes to the last within `delta`, or else to the next."""
    places = [0]
    while x[places[-1]] < x[-1]:
        at = x[places[-1]]
        last = int(np.searchsorted(x, at + delta, side="right")) - 1
        places.append(last if x[last] > at else last + 1)
    return places


def windows(x: FloatArray, span: int, places: list[int]) -> Iterator[tuple[int, float]]:
    """Yield for some points where the window of `span` points near them begins, and its width.

    The window slides along; points right of it that are within its width are near, too.
    """
    left = 0
    middles = x[:-span] + x[span:]  # twice the points from which on a window moves to the right, but for rounding
    for at in x[places]:
        left = max(left, int(np.searchsorted(middles, 2.0 * at)) - 2)
        while left + span < len(x) and at - x[left] > x[left + span] - at:
            left += 1
        yield left, max(at - x[left], x[left + span - 1] - at)


def _neighbourhoods(x: FloatArray, span: int, places: list[int]) -> tuple[list[slice], list[FloatArray]]:
    """Return for some points the run of points near them and their tricube weights."""
    runs, kernels = [], []
    for at, (left, width) in zip(x[places], windows(x, span, places), strict=True):
        distance = np.abs(x[left : np.searchsorted(x, at + width, side="right")] - at)
        inside = np.flatnonzero(distance <= FAR * width)
        first, last = inside[0], inside[-1] + 1
        distance = distance[first:last]
        with np.errstate(invalid="ignore"):  # a window of equal points has no width
            kernel = np.where(distance <= NEAR * width, 1.0, (1.0 - (distance / width) ** 3) ** 3)
        runs.append(slice(left + first, left + last))
        kernels.append(kernel)
    return runs, kernels


def _local_line(x: FloatArray, y: FloatArray, robustness: FloatArray, i: int, near: slice, kernel: FloatArray) -> float:
    weight = kernel * robustness[near]
    total = weight.sum()
    if total <= 0:
        return float(y[i])
    weight = weight / total
    centre = float(np.sum(weight * x[near]))
    spread = float(np.sum(weight * (x[near] - centre) ** 2))
    if np.sqrt(spread) > MIN_SPREAD * (x[-1] - x[0]):
        weight = weight * (1.0 + (x[i] - centre) / spread * (x[near] - centre))
    return float(np.sum(weight * y[near]))
