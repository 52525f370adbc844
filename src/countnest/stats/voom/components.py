"""Two components of variance for every gene, from squares whose expectations are linear in them.

Source: Smyth (2002), doi:10.1198/106186002871, the damped scoring steps. G genes, k squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float

__all__ = ["Squares", "variance_components"]

MAX_STEPS = 21
TOLERANCE = 1e-6
# Values below this are zero.
TINY = 1e-15
# Variances of squares are at least the largest one divided by this.
FLOOR = 1e3
MAX_DAMPING = 1e15
# In place of squares that are zero, of which a logarithm is taken.
SMALLEST = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Squares u of residuals with expectations within + between d, of G genes.

    Attributes
    ----------
    d, u
        (G, k) where `d` is zero, the square is among the rest.
    n_rest, rest
        (G,) number of squares with d = 0, and their sum.
    """

    d: FloatArray
    u: FloatArray
    n_rest: FloatArray
    rest: FloatArray

    def of(self, genes: BoolArray | IntArray) -> Squares:
        """Return the squares of some genes."""
        return Squares(self.d[genes], self.u[genes], self.n_rest[genes], self.rest[genes])

    @property
    def n_all(self) -> FloatArray:
        """(G,) number of squares."""
        return as_float((self.d > 0).sum(axis=1) + self.n_rest)

    def weighted(self, own: FloatArray, of_rest: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return sums (G,) of weights, and of weights times d and its square; weights (G, k), and (G,) of the rest."""
        own = np.where(self.d > 0, own, 0.0)
        first = own.sum(axis=1) + np.where(self.n_rest > 0, self.n_rest * of_rest, 0.0)
        return as_float(first), as_float((own * self.d).sum(axis=1)), as_float((own * self.d**2).sum(axis=1))

    def fitted(self, within: FloatArray, between: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return expectations (G, k) of squares with d > 0 (NaN: none), and the least and largest of all (G,)."""
        own = np.where(self.d > 0, within[:, np.newaxis] + between[:, np.newaxis] * self.d, np.nan)
        rest = np.where(self.n_rest > 0, within, np.nan)[:, np.newaxis]
        every = np.concatenate([own, rest], axis=1)
        return own, np.fmin.reduce(every, axis=1), np.fmax.reduce(every, axis=1)

    def deviance(self, own: FloatArray, within: FloatArray, least: FloatArray) -> FloatArray:
        """Return gamma deviances (G,) of expectations, infinite where one is negative.

        The squares of the rest count as if they were equal, which changes the deviance by a constant.
        """
        rest = np.where(self.n_rest > 0, self.rest / np.maximum(self.n_rest, 1.0), 1.0)
        at_rest = np.where(self.n_rest > 0, within, 1.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = np.nansum(_unit_deviance(self.u, own), axis=1) + self.n_rest * _unit_deviance(rest, at_rest)
        return np.where(least < 0, np.inf, total)


def _unit_deviance(u: FloatArray, expected: FloatArray) -> FloatArray:
    found = 2.0 * ((u - expected) / expected - np.log(np.maximum(u, SMALLEST) / expected))
    return np.where((u < TINY) & (expected < TINY), 0.0, found)


def variance_components(squares: Squares) -> tuple[FloatArray, FloatArray]:
    """Return the components (between, within), (G,) each; NaN where they are not determined.

    Notes
    -----
    R counterpart: statmod::mixedModel2Fit. The search ends where R's does, which is short of the maximum by up to 1e-6
    in the likelihood.
    """
    n = squares.n_all
    one, first, second = squares.weighted(np.ones_like(squares.d), np.ones_like(n))
    right = np.where(squares.d > 0, squares.u, 0.0).sum(axis=1) + squares.rest, (squares.u * squares.d).sum(axis=1)
    spread = one * second - first * first
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (one * right[1] - first * right[0]) / spread
        within = (right[0] - first * between) / one
        variance = spread / n / (n - 1.0)
    between[~(spread > 0)] = np.nan
    searched = (right[0] > 0) & (n > 2) & ((squares.d > TINY).sum(axis=1) > 1) & (variance > TINY)
    if searched.any():
        part = squares.of(searched)
        _, least, _ = part.fitted(within[searched], between[searched])
        start_within = np.where(least < 0, right[0][searched] / n[searched], within[searched])
        start_between = np.where(least < 0, 0.0, between[searched])
        within[searched], between[searched] = _search(part, start_within, start_between)
    return between, within


def _search(squares: Squares, within: FloatArray, between: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the components (within, between) by damped scoring steps from a start."""
    within, between = within.copy(), between.copy()
    active = np.ones(len(within), dtype=np.bool_)
    damping = np.zeros(len(within))
    for step in range(MAX_STEPS):
        part = squares.of(active)
        change = _Step(part, within[active], between[active], None if step == 0 else damping[active])
        within[active], between[active], damping[active], done = change.taken()
        active[active] = ~done
        if not active.any():
            break
    return within, between


class _Step:
    """One damped scoring step of some genes, from components (G,)."""

    def __init__(self, squares: Squares, within: FloatArray, between: FloatArray, damping: FloatArray | None) -> None:
        self.squares, self.within, self.between = squares, within, between
        own, least, largest = squares.fitted(within, between)
        self.deviance = squares.deviance(own, within, least)
        floor = largest**2 / FLOOR
        variance, of_rest = np.maximum(own**2, floor[:, np.newaxis]), np.maximum(within**2, floor)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.information = squares.weighted(1.0 / variance, 1.0 / of_rest)
            residual = np.where(squares.d > 0, (squares.u - own) / variance, 0.0)
            of_rest = np.where(squares.n_rest > 0, (squares.rest - squares.n_rest * within) / of_rest, 0.0)
        self.score = residual.sum(axis=1) + of_rest, (residual * squares.d).sum(axis=1)
        one, _, second = self.information
        self.damping = 0.25 * (one + second) if damping is None else damping
        self.most = np.maximum(one, second)

    def taken(self) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return components within and between, the damping of the next step, and which genes are done, (G,) each."""
        within, between = self.within.copy(), self.between.copy()
        damping, done = self.damping.copy(), np.zeros(len(within), dtype=np.bool_)
        waiting = np.arange(len(within))
        at_first = True
        while len(waiting):
            part = self.squares.of(waiting)
            step_within, step_between = self._solved(waiting, damping[waiting])
            new_within, new_between = self.within[waiting] + step_within, self.between[waiting] + step_between
            own, least, largest = part.fitted(new_within, new_between)
            deviance = part.deviance(own, new_within, least)
            exact = deviance < TINY * largest
            good = (deviance <= self.deviance[waiting]) | exact
            lost = ~good & ~(damping[waiting] < np.minimum(MAX_DAMPING * self.most[waiting], np.inf))
            taken = waiting[good]
            within[taken], between[taken] = new_within[good], new_between[good]
            gain = self.score[0][waiting] * step_within + self.score[1][waiting] * step_between
            done[waiting] = lost | (good & (exact | (gain < TOLERANCE)))
            if at_first:
                damping[taken] /= 10.0
            waiting = waiting[~good & ~lost]
            damping[waiting] *= 2.0
            at_first = False
        return within, between, damping, done

    def _solved(self, rows: IntArray, damping: FloatArray) -> tuple[FloatArray, FloatArray]:
        one, first, second = (each[rows] for each in self.information)
        one, second = one + damping, second + damping
        determinant = one * second - first * first
        left, right = (each[rows] for each in self.score)
        return (second * left - first * right) / determinant, (one * right - first * left) / determinant
