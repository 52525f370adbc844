"""The nodes: dispersions around the trend at which the averaged test asks its question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float

__all__ = ["HIGH", "LOW", "Nodes", "cubic_interpolation"]

# The nodes lie between these natural logs of dispersion / trend.
LOW, HIGH = -4.5, 3.5
# Steps between nodes, and the residual degrees of freedom up to which the wide one is narrow enough.
WIDE, NARROW, WIDE_UP_TO = 0.5, 0.25, 12
# The trapezoid rule is right to 1e-5 when a step is at most this many standard deviations of a posterior, which are
# sqrt(2 / df) for large counts.
STEP_BY_SD = 1.25
# Of the dispersions at nodes, natural log.
LOWEST, HIGHEST = float(np.log(1e-8)), float(np.log(1e3))


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where likelihoods are evaluated, and how many points an integral has for each of them.

    Attributes
    ----------
    step
        Between nodes, natural log.
    fine
        Points of the integral for each step. With many samples the likelihood of a dispersion is narrow, but smooth:
        between nodes it is interpolated.
    """

    step: float = NARROW
    fine: int = 1

    @classmethod
    def of(cls, residual_df: float) -> Nodes:
        """Return the nodes for this number of residual degrees of freedom."""
        if residual_df <= WIDE_UP_TO:
            return cls(WIDE)
        fine = math.ceil(math.log2(NARROW / (STEP_BY_SD * math.sqrt(2.0 / residual_df))))
        return cls(NARROW, 2 ** max(fine, 0))

    @property
    def delta(self) -> FloatArray:
        """(K,) natural logs of dispersion / trend."""
        return as_float(np.arange(round(LOW / self.step), round(HIGH / self.step) + 1) * self.step)

    def log_dispersions(self, trend: FloatArray) -> FloatArray:
        """Return the log dispersions (G, K) at the nodes, from the trend at the mean of each gene (G,)."""
        return as_float(np.clip(np.log(trend)[:, np.newaxis] + self.delta, LOWEST, HIGHEST))

    def refined(self, values: FloatArray) -> FloatArray:
        """Return values (..., K) at the points of the integral (..., F), by cubic interpolation between nodes."""
        if self.fine == 1:
            return values
        n_nodes = values.shape[-1]
        table, first, _ = cubic_interpolation((n_nodes - 1) * self.fine + 1, self.fine)
        return as_float(sum(table[:, i] * values[..., first + i] for i in range(4)))

    def averaged_likelihoods(self, loglik: FloatArray) -> FloatArray:
        """Return the log-likelihoods (G, K) of priors that fall linearly from one node to its neighbours.

        These make the prior of `refined_prior`. Without points between nodes they are the likelihoods of the nodes.
        """
        if self.fine == 1:
            return loglik
        fine = self.refined(loglik)
        top = fine.max(axis=1, keepdims=True)
        values, found = np.exp(fine - top), np.zeros_like(loglik)
        for step in range(1 - self.fine, self.fine):
            share = 1.0 - abs(step) / self.fine
            nodes = np.arange(loglik.shape[1])
            points = nodes * self.fine + step
            inside = (points >= 0) & (points < values.shape[1])
            found[:, nodes[inside]] += share * values[:, points[inside]]
        return as_float(np.log(np.maximum(found, np.finfo(np.float64).tiny)) + top)

    def refined_prior(self, prior: FloatArray) -> FloatArray:
        """Return prior weights (G, F) of the points of the integral, by linear interpolation between nodes (G, K)."""
        if self.fine == 1:
            return prior
        place = np.arange((prior.shape[1] - 1) * self.fine + 1) / self.fine
        left = np.minimum(place.astype(np.int64), prior.shape[1] - 2)
        share = place - left
        found = (1.0 - share) * prior[:, left] + share * prior[:, left + 1]
        return as_float(found / found.sum(axis=1, keepdims=True))


@cache
def cubic_interpolation(n_points: int, every: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Return how points between knots are interpolated, of which every so many is one.

    That is the cubic Lagrange weights (m, 4), the first of the four knots (m,), and the knot at each point (m,), -1
    where there is none.
    """
    place = np.arange(n_points) / every
    n_knots = (n_points - 1) // every + 1
    knots = np.where(place == np.floor(place), place, -1).astype(np.int64)
    first = np.clip(np.floor(place) - 1, 0, max(n_knots - 4, 0)).astype(np.int64)
    t, table = place - first, np.ones((n_points, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                table[:, i] *= (t - j) / (i - j)
    return table, first, knots
