"""Bounded quasi-Newton search for genes on which IRLS does not converge.

The likelihoods of these genes are almost flat in some direction, so the result depends on the search itself. The
settings are those of R's optim: gradients by central differences, five corrections, a relative tolerance of 1e7 machine
epsilons, bounds of 30 on the log2 scale; `kernels.r_search.lbfgsb` says why the search is our own.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float, rows_of
from countnest.kernels.r_search.negbin import nb_log_search_block
from countnest.parallel.run import Engine
from countnest.stats.glm.layout import Layout

__all__ = ["minimize_rows"]

# A search ends when an iteration gains less than this many machine epsilons, or after this many iterations.
FACTOR = 1e7
MAX_ITER = 100


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
    start = as_float(start)
    found = np.empty_like(start)
    success = np.empty(len(start), dtype=np.bool_)

    def task(block: slice) -> None:
        nb_log_search_block(
            start[block], counts[block], rows_of(factors, block), rows_of(weights, block), alpha[block],
            layout.plan.index, layout.plan.numbers, prior_sd, FACTOR, MAX_ITER, found[block], success[block],
        )  # fmt: skip

    engine.run(task, len(start), "fitting genes that did not converge by quasi-Newton search")
    return found, success
