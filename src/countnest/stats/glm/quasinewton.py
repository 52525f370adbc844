"""Bounded quasi-Newton search for genes on which IRLS does not converge.

The likelihoods of these genes are almost flat in some direction, so the result depends on the search itself. The
settings are those of R's optim: gradients by central differences, five corrections, a relative tolerance of 1e7 machine
epsilons, bounds of 30 on the log2 scale; `lbfgsb` says why the search is our own.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.irls import nb_log_objective_row
from countnest.parallel.run import Engine
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.lbfgsb import minimize_in_box

__all__ = ["minimize_rows"]

BOUND = 30.0


def minimize_rows(
    start: FloatArray,
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    prior_sd: FloatArray,
    engine: Engine,
) -> tuple[FloatArray, BoolArray]:
    """Return log2 coefficients (G, p) of highest penalized likelihood, and whether each search succeeded (G,).

    `start` is (G, p) on the log2 scale, `prior_sd` (p,) the standard deviations of the normal priors on it.
    """
    found = np.empty_like(start)
    success = np.empty(len(start), dtype=np.bool_)

    def task(block: slice) -> None:
        for g in range(block.start, block.stop):
            f = factors[0] if len(factors) == 1 else factors[g]
            v = weights[0] if len(weights) == 1 else weights[g]
            found[g], success[g] = _minimize_row(start[g], counts[g], f, v, float(alpha[g]), layout, prior_sd)

    engine.run(task, len(start), "fitting genes that did not converge by quasi-Newton search")
    return found, success


def _minimize_row(
    start: FloatArray,
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    alpha: float,
    layout: Layout,
    prior_sd: FloatArray,
) -> tuple[FloatArray, bool]:
    def loss(log2_beta: FloatArray) -> tuple[float, FloatArray]:
        gradient = np.empty_like(log2_beta)
        value = nb_log_objective_row(
            as_float(log2_beta), y, f, v, alpha, layout.plan.index, layout.plan.numbers, prior_sd, gradient
        )
        return value, gradient

    minimum = minimize_in_box(loss, start, BOUND)
    return minimum.x, minimum.converged
