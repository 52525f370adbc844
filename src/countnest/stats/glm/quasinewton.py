"""Bounded quasi-Newton search (L-BFGS-B) for genes on which IRLS does not converge.

Source: Byrd, Lu, Nocedal and Zhu (1995), doi:10.1137/0916069. The likelihoods of these genes are almost flat in some
direction, so the result depends on the search itself. The settings are those of R's optim: gradients by central
differences, five corrections, a relative tolerance of 1e7 machine epsilons, bounds of 30 on the log2 scale.
"""

from __future__ import annotations

import numpy as np
import scipy.optimize
from threadpoolctl import threadpool_limits

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.irls import nb_log_objective_row
from countnest.parallel.run import Engine
from countnest.stats.glm.layout import Layout

__all__ = ["minimize_rows"]

BOUND = 30.0
OPTIONS = {"ftol": 1e7 * np.finfo(np.float64).eps, "gtol": 0.0, "maxcor": 5, "maxiter": 100, "maxfun": 1_000_000}


def minimize_rows(
    start: FloatArray,
    counts: FloatArray,
    factors: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    prior_sd: float,
    engine: Engine,
) -> tuple[FloatArray, BoolArray]:
    """Return log2 coefficients (G, p) of highest penalized likelihood, and whether each search succeeded (G,).

    `start` is (G, p) on the log2 scale, `prior_sd` the standard deviation of the normal prior on it.
    """
    found = np.empty_like(start)
    success = np.empty(len(start), dtype=np.bool_)

    def task(block: slice) -> None:
        for g in range(block.start, block.stop):
            f = factors[0] if len(factors) == 1 else factors[g]
            found[g], success[g] = _minimize_row(start[g], counts[g], f, float(alpha[g]), layout, prior_sd)

    with threadpool_limits(1, "blas"):  # the vectors are tiny, and waiting threads would cost more than they do
        engine.run(task, len(start), "fitting genes that did not converge by quasi-Newton search")
    return found, success


def _minimize_row(
    start: FloatArray, y: FloatArray, f: FloatArray, alpha: float, layout: Layout, prior_sd: float
) -> tuple[FloatArray, bool]:
    def loss(log2_beta: FloatArray) -> tuple[float, FloatArray]:
        gradient = np.empty_like(log2_beta)
        value = nb_log_objective_row(as_float(log2_beta), y, f, alpha, layout.cells, layout.n_cells, prior_sd, gradient)
        return value, gradient

    bounds = [(-BOUND, BOUND)] * len(start)
    result = scipy.optimize.minimize(  # type: ignore[call-overload] # the stubs lack a loss that returns its gradient
        loss, np.clip(start, -BOUND, BOUND), jac=True, method="L-BFGS-B", bounds=bounds, options=OPTIONS
    )
    return result.x, bool(result.success)
