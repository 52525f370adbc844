"""The nodes: dispersions around the trend at which the averaged test asks its question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.kernels.negbin.nodes import nb_node_loglik_chunk, nb_node_ratio_chunk, nb_node_variance_chunk
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["Nodes", "node_logliks", "node_ratios", "node_variances"]

# The nodes lie between these natural logs of dispersion / trend.
LOW, HIGH = -4.5, 3.5
# Steps between nodes, and the residual degrees of freedom up to which the wide one is narrow enough.
WIDE, NARROW, WIDE_UP_TO = 0.5, 0.25, 12
# The trapezoid rule is right to 1e-5 when a step is at most this many standard deviations of a posterior, which are
# sqrt(2 / df) for large counts.
STEP_BY_SD = 1.25
# Of the dispersions at nodes, natural log.
LOWEST, HIGHEST = float(np.log(1e-8)), float(np.log(1e3))
# Means below this say nothing about the dispersion: an empty cell has the same information at every node.
LEAST_MEAN = 1e-6
# The determinant is smooth in the log dispersion: it is computed at nodes that are this far apart.
KNOT_DISTANCE = 1.0


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
        table, first, _ = _interpolation((n_nodes - 1) * self.fine + 1, self.fine)
        return as_float(sum(table[:, i] * values[..., first + i] for i in range(4)))

    def refined_prior(self, prior: FloatArray) -> FloatArray:
        """Return the prior weights (F,) of the points of the integral, by linear interpolation from nodes (K,)."""
        place = np.arange((len(prior) - 1) * self.fine + 1) / self.fine
        found = np.interp(place, np.arange(len(prior)), prior)
        return as_float(found / found.sum())


def node_logliks(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    log_alpha: FloatArray,
    layout: Layout,
    *,
    every: int | None = None,
) -> FloatArray:
    """Return the Cox-Reid adjusted log-likelihoods (G, K) of the dispersions, up to terms free of them.

    Parameters
    ----------
    counts, mu
        (G, n) counts and means of the full model.
    weights
        (1, n) or (G, n) observation weights.
    log_alpha
        (G, K), as `Nodes.log_dispersions` returns them.
    layout
        Of the model matrix.
    every
        Of so many nodes one has its own determinant, the others interpolate; 1: all have. None: all where that is
        cheap, with as many cells as columns, else those that are 1 apart.
    """
    n_nodes = log_alpha.shape[1]
    if every is None:
        every = round(KNOT_DISTANCE * (n_nodes - 1) / (HIGH - LOW))
        every = 1 if layout.n_cells == layout.n_coefficients else every
    table, first, knots = _interpolation(n_nodes, every)
    plan, loglik = layout.working.plan, np.empty_like(log_alpha)
    nb_node_loglik_chunk(
        counts, np.maximum(mu, LEAST_MEAN), weights, log_alpha, table, first, knots, plan.index, plan.numbers, loglik
    )
    return loglik


def node_ratios(
    counts: FloatArray, mu: FloatArray, null_mu: FloatArray, weights: FloatArray, log_alpha: FloatArray
) -> FloatArray:
    """Return the likelihood ratio statistics (G, K), at least 0, of means (G, n) against those of the null model."""
    ratio = np.empty_like(log_alpha)
    nb_node_ratio_chunk(counts, mu, null_mu, weights, log_alpha, ratio)
    return ratio


def node_variances(
    contrasts: FloatArray, beta: FloatArray, inputs: NBInputs, log_alpha: FloatArray, layout: Layout
) -> FloatArray:
    """Return the variances (G, k, K) of contrasts (k, p) of the coefficients (G, p), natural log.

    Means are floored at `inputs.min_mu`; its dispersion is not used. See `stats.glm.variance.contrast_variance`.
    """
    if layout.standard is not None:
        contrasts, beta = layout.standard.contrasts(contrasts), layout.standard.taken(beta)
    plan, variance = layout.working.plan, np.empty((len(beta), len(contrasts), log_alpha.shape[1]))
    nb_node_variance_chunk(
        as_float(contrasts), beta, inputs.size_factors, inputs.weights, log_alpha, plan.index, plan.numbers,
        RIDGE_LOG2 * layout.ridge / LN2**2, inputs.min_mu, variance,
    )  # fmt: skip
    return variance


@cache
def _interpolation(n_points: int, every: int) -> tuple[FloatArray, IntArray, IntArray]:
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
