"""Locally weighted regression of long series, and of weighted points.

Source: Cleveland (1979), doi:10.1080/01621459.1979.10481038; here every point has a prior weight, which counts in the
width of the neighbourhoods too.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.linear.lines import lines_chunk
from countnest.stats.inference.lowess import FAR, MIN_SPREAD, NEAR, places_of, robustly, span_of, windows

__all__ = ["lowess_of_many", "smooth", "weighted_lowess"]

# Curves of R's `lowess` are evaluated at points this fraction of the range apart.
STEP = 0.01
# Neighbourhoods without width, of equal points, have this one in `lowess`.
NO_WIDTH = 1e-200
# Narrower neighbourhoods, and smaller spreads of the covariate in them, leave a mean in place of a line.
NARROW = 1e-7


def lowess_of_many(
    x: FloatArray, y: FloatArray, *, fraction: float, robust_steps: int = 3, delta: float = 0.0
) -> FloatArray:
    """Return what `stats.inference.lowess.lowess` returns but for rounding, sooner for a long series."""
    places = places_of(x, delta)
    lefts, widths = (np.array(each) for each in zip(*windows(x, span_of(x, fraction), places), strict=True))
    chosen = np.array(places, dtype=np.int64)
    runs = np.stack((lefts, np.searchsorted(x, x[chosen] + widths, side="right")), axis=1).astype(np.int64)
    series, widths = (as_float(x), as_float(y)), np.maximum(widths, NO_WIDTH)
    limits = np.array([NEAR, FAR, (MIN_SPREAD * (x[-1] - x[0])) ** 2])

    def lines(robustness: FloatArray) -> FloatArray:
        found = np.empty(len(chosen))
        lines_chunk(*series, robustness, chosen, widths, runs, limits, found)
        return found

    return robustly(x, y, places, lines, robust_steps)


def smooth(x: FloatArray, y: FloatArray, *, fraction: float, robust_steps: int = 3) -> FloatArray:
    """Return `lowess` of `y` (m,) on `x` (m,) in any order, fitted at points a hundredth of the range apart.

    Notes
    -----
    R counterpart: stats::lowess with its default delta.
    """
    if len(x) < 2:
        return y.copy()
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    fitted = np.empty_like(y)
    fitted[order] = lowess_of_many(
        ordered, y[order], fraction=fraction, robust_steps=robust_steps, delta=STEP * (ordered[-1] - ordered[0])
    )
    return fitted


def weighted_lowess(
    x: FloatArray, y: FloatArray, weights: FloatArray, *, span: float, iterations: int = 4, n_points: int = 200
) -> FloatArray:
    """Return the smoothed `y` (m,) on `x` (m,) in any order.

    Parameters
    ----------
    weights
        (m,) prior weights, positive.
    span
        Fraction of the total weight in each neighbourhood.
    iterations
        Number of passes; all but the first have bisquare weights.
    n_points
        Number of points at which lines are fitted, about; between them values are interpolated.

    Notes
    -----
    R counterpart: limma::weightedLowess.
    """
    order = np.argsort(x, kind="stable")
    x, y, weights = (as_float(each[order]) for each in (x, y, weights))
    seeds = _seeds(x, n_points)
    widths, runs = _neighbourhoods(x, weights, span, x[seeds])
    limits = np.array([0.0, 1.0, NARROW])
    robustness = np.ones(len(x))
    fitted = y
    for step in range(iterations):
        values = np.empty(len(seeds))
        lines_chunk(x, y, weights * robustness, seeds, np.maximum(widths, NARROW), runs, limits, values)
        for k in np.flatnonzero(widths < NARROW):
            near = slice(*runs[k])
            values[k] = np.average(y[near], weights=(weights * robustness)[near])
        fitted = np.interp(x, x[seeds], values)
        if step == iterations - 1:
            break
        residual = np.abs(y - fitted)
        limit = 6.0 * _weighted_median(residual, weights)
        if limit <= NARROW * residual.mean():
            break
        robustness = np.where(residual < limit, (1.0 - (residual / limit) ** 2) ** 2, 0.0)
    found = np.empty_like(fitted)
    found[order] = fitted
    return found


def _seeds(x: FloatArray, n_points: int) -> IntArray:
    """Return the indices of the first point, of each that is more than a step beyond the one before, and of the last.

    The step is chosen as if the largest gaps, up to `n_points` of them, needed no points.
    """
    gaps = np.sort(np.diff(x))[::-1]
    step = 0.0
    if n_points < len(x):
        without = gaps.sum() - np.concatenate(([0.0], np.cumsum(gaps[: n_points - 1])))
        step = float((without / (n_points - np.arange(len(without)))).min())
    seeds = [0]
    while seeds[-1] < len(x) - 1:
        beyond = int(np.searchsorted(x, x[seeds[-1]] + step, side="right"))
        seeds.append(min(max(beyond, seeds[-1] + 1), len(x) - 1))
    distinct = np.concatenate(([True], np.diff(x[seeds]) > 0))  # of tied points the first counts
    return as_int(np.searchsorted(x, x[np.array(seeds)[distinct]]))


def _neighbourhoods(x: FloatArray, weights: FloatArray, span: float, seeds: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the widths (k,) of the neighbourhoods of some points, and the runs of points in them (k, 2).

    Points are taken in the order of their distance, until their weight is the fraction `span` of the total.
    """
    cumulative = np.concatenate(([0.0], np.cumsum(weights)))
    wanted = np.inf if span >= 1 else span * cumulative[-1]

    def run(width: FloatArray) -> tuple[IntArray, IntArray]:
        return np.searchsorted(x, seeds - width), np.searchsorted(x, seeds + width, side="right")

    low, high = np.zeros(len(seeds)), np.full(len(seeds), x[-1] - x[0])
    high *= 1.0 + 4.0 * np.finfo(np.float64).eps  # so that it reaches all points from the outer ones
    for _ in range(64):
        middle = 0.5 * (low + high)
        left, right = run(middle)
        enough = cumulative[right] - cumulative[left] >= wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    left, right = run(high)
    widths = np.maximum(seeds - x[left], x[right - 1] - seeds)
    return as_float(widths), as_int(np.stack((left, right), axis=1))


def _weighted_median(values: FloatArray, weights: FloatArray) -> float:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    half = 0.5 * cumulative[-1]
    place = int(np.searchsorted(cumulative, half))
    if cumulative[place] == half:
        return float(0.5 * (values[order[place]] + values[order[place + 1]]))
    return float(values[order[place]])
