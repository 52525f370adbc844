"""Maxima of many smooth functions at once: quasi-Newton steps, then Newton's method.

G functions of d parameters. All are asked together, but what one of them does depends on itself alone.

Source: Nocedal and Wright (2006), Numerical Optimization, ch. 3, 6 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float

__all__ = ["Ends", "Functions", "climb", "covariances_of", "polish", "turn_up"]

MAX_STEPS, SHORTEST = 200, 1e-10
ARMIJO, NOISE = 1e-4, 1e-13
# Steps of differences, in standard errors, and their range.
SHARE, SHORTEST_DIFFERENCE, LONGEST_DIFFERENCE = 1e-4, 1e-8, 1e-5
# Newton steps with one Hessian, and the squared length, in standard errors, of one that has arrived.
MAX_CHORDS, ARRIVED = 6, 1e-20
# Curvatures below this part of the largest are zero, in units of guessed standard errors.
FLAT = 1e-5
# Of guessed variances, the smallest; and steps along directions in which a stationary point is a minimum.
LEAST_VARIANCE = 1e-12
AWAY = (0.5, -0.5, 0.05, -0.05)


class Functions(Protocol):
    """The functions; a function may have a memory, which is kept where a point is."""

    def at(self, rows: IntArray, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return values (R,), gradients (R, d) and memories (R, m) of some functions."""
        ...

    def keep(self, rows: IntArray, memories: FloatArray) -> None:
        """Keep the memories of the points that some functions have moved to."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where the searches are; the arrays change.

    Attributes
    ----------
    points, values, slopes
        (G, d), (G,), (G, d).
    free, longest, bound
        (G, d) which parameters move, by how much at most in a step, and how large they become.
    inverse
        (G, d, d) guesses of the inverse of the negative Hessian.
    information
        (G, d, d) the negative Hessian.
    lengths
        (G,) squared length of the last Newton step, in standard errors.
    evaluations
        (G,)
    """

    points: FloatArray
    values: FloatArray
    slopes: FloatArray
    free: BoolArray
    longest: FloatArray
    bound: FloatArray
    inverse: FloatArray
    information: FloatArray
    lengths: FloatArray
    evaluations: IntArray

    @classmethod
    def of(
        cls, functions: Functions, points: FloatArray, free: BoolArray, limits: FloatArray, inverse: FloatArray
    ) -> Ends:
        """Return the beginnings; `limits` (2, d) are the longest steps and the bounds."""
        n, d = points.shape
        rows = np.arange(n)
        values, slopes, memories = functions.at(rows, points)
        functions.keep(rows, memories)
        longest, bound = (np.broadcast_to(each, (n, d)).copy() for each in limits)
        return cls(
            points.copy(), values, np.where(free, slopes, 0.0), free.copy(), longest, bound, inverse.copy(),
            np.full((n, d, d), np.nan), np.full(n, np.nan), np.ones(n, dtype=np.int64),
        )  # fmt: skip

    def ask(
        self, functions: Functions, rows: IntArray, points: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what functions have at points, without the slopes of what does not move."""
        values, slopes, memories = functions.at(rows, points)
        self.evaluations[rows] += 1
        return values, np.where(self.free[rows], slopes, 0.0), memories

    def move(
        self, functions: Functions, rows: IntArray, points: FloatArray, found: tuple[FloatArray, FloatArray, FloatArray]
    ) -> None:
        """Go to points (R, d), where this was found."""
        self.points[rows], self.values[rows], self.slopes[rows] = points, found[0], found[1]
        functions.keep(rows, found[2])

    def scales(self, rows: IntArray) -> FloatArray:
        """Return guesses of standard errors (R, d)."""
        return np.sqrt(np.maximum(np.diagonal(self.inverse[rows], axis1=1, axis2=2), LEAST_VARIANCE))


def climb(functions: Functions, ends: Ends, rows: IntArray, tolerance: float) -> None:
    """Climb until a step would gain less than `tolerance`, with steps by BFGS."""
    n = len(ends.values)
    steps, size, along = np.zeros_like(ends.points), np.ones(n), np.zeros(n)
    new, taken = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.int64)
    while len(rows):
        fresh = rows[new[rows]]
        taken[fresh] += 1
        size[fresh] = 1.0
        new[fresh] = False
        steps[fresh], along[fresh], whole = _directions(ends, fresh)
        done = ~(along > 0.0) | (taken > MAX_STEPS) | (size < SHORTEST)
        done[fresh] |= whole & (along[fresh] < tolerance)
        rows = rows[~done[rows]]
        if not len(rows):
            return
        points = ends.points[rows] + size[rows, np.newaxis] * steps[rows]
        points = as_float(np.clip(points, -ends.bound[rows], ends.bound[rows]))
        found = ends.ask(functions, rows, points)
        least = ends.values[rows] + ARMIJO * size[rows] * along[rows] - NOISE * (np.abs(ends.values[rows]) + 1.0)
        good = found[0] >= least
        size[rows[~good]] *= np.where(np.isfinite(found[0][~good]), 0.5, 0.1)
        better = rows[good]
        _update(ends, better, points[good], found[1][good])
        ends.move(functions, better, as_float(points[good]), (found[0][good], found[1][good], found[2][good]))
        _stop_at_bounds(ends, better)
        new[better] = True


def _directions(ends: Ends, rows: IntArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return steps (R, d), the slopes along them, and whether they were short enough as they were."""
    steps = _times(ends.inverse[rows], ends.slopes[rows]) * ends.free[rows]
    with np.errstate(divide="ignore"):
        cut = np.minimum((ends.longest[rows] / np.abs(steps)).min(axis=1), 1.0)
    steps = steps * cut[:, np.newaxis]
    return as_float(steps), as_float((steps * ends.slopes[rows]).sum(axis=1)), np.asarray(cut == 1.0)


def _update(ends: Ends, rows: IntArray, points: FloatArray, slopes: FloatArray) -> None:
    """Update the inverses of negative Hessians by steps to points (R, d) with slopes (R, d)."""
    step, change = points - ends.points[rows], ends.slopes[rows] - slopes
    along = (step * change).sum(axis=1)
    usable = along > 1e-14
    some, step, change, along = rows[usable], step[usable], change[usable], along[usable, np.newaxis, np.newaxis]
    turned = _times(ends.inverse[some], as_float(change))
    length = (turned * change).sum(axis=1)[:, np.newaxis, np.newaxis]
    outer = step[:, :, np.newaxis] * step[:, np.newaxis, :]
    mixed = turned[:, :, np.newaxis] * step[:, np.newaxis, :]
    ends.inverse[some] += (1.0 + length / along) / along * outer - (mixed + mixed.transpose(0, 2, 1)) / along


def _times(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return the products (R, d) of matrices (R, d, d) and vectors (R, d), each with its own bits."""
    return (matrices @ vectors[:, :, np.newaxis])[:, :, 0]


def _stop_at_bounds(ends: Ends, rows: IntArray) -> None:
    """Hold parameters that are at their bounds and would go on."""
    points = ends.points[rows]
    held = (np.abs(points) >= ends.bound[rows]) & (points * ends.slopes[rows] > 0.0)
    ends.free[rows] &= ~held
    ends.slopes[rows] = np.where(held, 0.0, ends.slopes[rows])


def polish(functions: Functions, ends: Ends, rows: IntArray) -> None:
    """Write Hessians, and take Newton steps with them as long as these become shorter."""
    ends.information[rows] = _differences(functions, ends, rows)
    spectrum = _spectra(ends, rows)
    steps, ends.lengths[rows] = _newton(spectrum, ends.slopes[rows])
    going = np.flatnonzero(ends.lengths[rows] >= ARRIVED)
    for _ in range(MAX_CHORDS):
        some = rows[going]
        if not len(some):
            break
        points = as_float(np.clip(ends.points[some] + steps[going], -ends.bound[some], ends.bound[some]))
        found = ends.ask(functions, some, points)
        after, lengths = _newton(tuple(each[going] for each in spectrum), found[1])
        better = (lengths < ends.lengths[some]) & (found[0] >= ends.values[some] - 1e-6 * (1.0 + np.abs(found[0])))
        ends.move(
            functions, some[better], as_float(points[better]), (found[0][better], found[1][better], found[2][better])
        )
        ends.lengths[some[better]] = lengths[better]
        steps[going] = after
        going = going[better & (lengths >= ARRIVED)]
    values, vectors, scales = spectrum
    least = np.maximum(FLAT * values[:, -1:], LEAST_VARIANCE)
    inverse = (vectors / np.maximum(np.abs(values), least)[:, np.newaxis, :]) @ vectors.transpose(0, 2, 1)
    ends.inverse[rows] = inverse * scales[:, :, np.newaxis] * scales[:, np.newaxis, :]
    ends.lengths[rows[values[:, 0] < -FLAT * np.abs(values).max(axis=1)]] = np.nan


def turn_up(functions: Functions, ends: Ends, rows: IntArray) -> None:
    """Leave stationary points that are no maxima, in the direction in which the function bends up most."""
    _, vectors, scales = _spectra(ends, rows)
    direction = vectors[:, :, 0] * scales
    for part in AWAY:
        points = as_float(np.clip(ends.points[rows] + part * direction, -ends.bound[rows], ends.bound[rows]))
        found = ends.ask(functions, rows, points)
        better = found[0] > ends.values[rows]
        ends.move(
            functions, rows[better], as_float(points[better]), (found[0][better], found[1][better], found[2][better])
        )
        rows, direction = rows[~better], direction[~better]


def _differences(functions: Functions, ends: Ends, rows: IntArray) -> FloatArray:
    """Return negative Hessians (R, d, d), those of what does not move one."""
    d = ends.points.shape[1]
    sizes = np.clip(SHARE * ends.scales(rows), SHORTEST_DIFFERENCE, LONGEST_DIFFERENCE)
    out = np.zeros((len(rows), d, d))
    for k in range(d):
        moving = ends.free[rows, k]
        some = rows[moving]
        if len(some):
            points = ends.points[some].copy()
            points[:, k] += sizes[moving, k]
            _, slopes, _ = ends.ask(functions, some, points)
            out[moving, k] = (ends.slopes[some] - slopes) / (points[:, k] - ends.points[some, k])[:, np.newaxis]
    free = ends.free[rows]
    both = free[:, :, np.newaxis] & free[:, np.newaxis, :]
    return as_float(np.where(both, 0.5 * (out + out.transpose(0, 2, 1)), np.eye(d)))


def _spectra(ends: Ends, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return eigenvalues and eigenvectors of negative Hessians in units of guessed standard errors, and these."""
    scales = as_float(np.where(ends.free[rows], ends.scales(rows), 1.0))
    scaled = ends.information[rows] * scales[:, :, np.newaxis] * scales[:, np.newaxis, :]
    values, vectors = np.linalg.eigh(np.where(np.isfinite(scaled), scaled, 0.0))
    return as_float(values), as_float(vectors), scales


def _newton(spectrum: tuple[FloatArray, ...], slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Newton steps (R, d) where there is curvature, and their squared lengths, with slopes elsewhere."""
    values, vectors, scales = spectrum
    flat = values <= FLAT * values[:, -1:]
    turned = _times(vectors.transpose(0, 2, 1), as_float(slopes * scales))
    steps = np.where(flat, 0.0, turned / np.where(flat, 1.0, values))
    lengths = (np.where(flat, turned, steps) * turned).sum(axis=1)
    return as_float(_times(vectors, as_float(steps)) * scales), as_float(lengths)


def covariances_of(ends: Ends) -> FloatArray:
    """Return the inverses (G, d, d) of the negative Hessians where there is curvature; zero of what does not move."""
    values, vectors, scales = _spectra(ends, np.arange(len(ends.values)))
    flat = values <= FLAT * values[:, -1:]
    weights = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, values))
    inverse = (vectors * weights[:, np.newaxis, :]) @ vectors.transpose(0, 2, 1)
    both = ends.free[:, :, np.newaxis] & ends.free[:, np.newaxis, :]
    return as_float(np.where(both, inverse * scales[:, :, np.newaxis] * scales[:, np.newaxis, :], 0.0))
