"""Bounded minimisation of a function written in Python, by the search that `kernels.r_search.lbfgsb` describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.r_search.lbfgsb import CONVERGED, EVALUATE, N_PLACES, N_ROWS, first_point, next_point
from countnest.kernels.r_search.line_search import START_VALUE

__all__ = ["Minimum", "minimize_in_box"]

Objective = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """Where a search ended: the point (p,), its value, and whether it converged."""

    x: FloatArray
    value: float
    converged: bool


def minimize_in_box(
    objective: Objective, start: FloatArray, bound: float, *, factor: float = 1e7, max_iter: int = 100
) -> Minimum:
    """Minimise a function, given with its gradient, over |x_k| <= `bound`.

    The search ends when an iteration gains less than `factor` machine epsilons, relative to the value (at least 1).
    """
    p = len(start)
    x, state, work = np.empty(p), np.empty(N_PLACES), np.empty((N_ROWS + 2 * p, p))
    outcome = EVALUATE
    with np.errstate(all="ignore"):  # a loss that is no number ends the search
        first_point(as_float(start), float(bound), state, x)
        while outcome == EVALUATE:
            value, gradient = objective(x.copy())
            outcome = next_point(
                float(value), as_float(gradient), float(bound), float(factor), max_iter, state, work, x
            )
    return Minimum(x, float(state[START_VALUE]), outcome == CONVERGED)
