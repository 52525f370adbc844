"""Bounded quasi-Newton search for genes on which IRLS does not converge.

The likelihoods of these genes are almost flat in some direction, so the result depends on the search itself. The
settings are those of R's optim: gradients by central differences, five corrections, a relative tolerance of 1e7 machine
epsilons, bounds of 30 on the log2 scale; `kernels.r_search.lbfgsb` says why the search is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.r_search.negbin import nb_log_search_chunk
from countnest.stats.glm.inputs import NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["search_rows"]

# A search ends when an iteration gains less than this many machine epsilons, or after this many iterations.
FACTOR = 1e7
MAX_ITER = 100


def search_rows(
    start: FloatArray, counts: FloatArray, inputs: NBInputs, layout: Layout, prior_sd: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return log2 coefficients (G, p) of highest penalized likelihood, and whether each search succeeded (G,).

    `start` is (G, p) on the log2 scale, `prior_sd` (p,) the standard deviations of the normal priors on it.
    """
    start = as_float(start)
    found = np.empty_like(start)
    success = np.empty(len(start), dtype=np.bool_)
    nb_log_search_chunk(
        start, counts, inputs.size_factors, inputs.weights, inputs.dispersion,
        layout.plan.index, layout.plan.numbers, prior_sd, FACTOR, MAX_ITER, found, success,
    )  # fmt: skip
    return found, success
