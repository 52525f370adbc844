"""Fits of linear mixed models: damped Newton steps with exact derivatives. Symbols: see `sweeps`.

The entries of L are free in sign, so that there are no bounds: a variance of zero is a stationary point like any other.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.general.derivatives import Sums, add_levels, close_sums, derivatives, in_factor
from countnest.kernels.mixed.general.sweeps import (
    Structure,
    Work,
    evaluate,
    whiten,
)

__all__ = ["CONVERGED", "FAILED", "STARTS", "descend", "next_start"]

MAX_EVALUATIONS = 200
# After so many, a search also ends where another step would gain nothing: gradients have large rounding there.
SLOW = 60
MAX_DAMPING = 1e12
# Deviances that differ by less than this part are the same: with large variances, it is their rounding.
NEAR = 1e-9
# How often a search goes on from a stationary point that is no minimum.
MAX_TURNS = 20
# The search ends where |gradient| max(|theta|, SMALL) is below this, and a few steps polish what it found.
STATIONARY = 1e-5
SMALL = 1e-3
MAX_POLISH = 6
# A column of L below this is zero, if that does not raise the deviance.
NEAR_ZERO = 1e-3
# Relative standard deviations of the second start, and those that are beyond the search.
LARGE, MAX_THETA = 3.0, 1e5
# Attempts with starts of their own, before those that leave something out.
STARTS = 2
# As in `stats.mixed.records.Outcome`.
CONVERGED, EXHAUSTED, FAILED, INDEFINITE = 0, 2, 3, 4


@kernel
def slope_size(theta: FloatArray, gradient: FloatArray) -> float:
    """Return the largest relative gradient."""
    most = 0.0
    for r in range(len(theta)):
        most = max(most, abs(gradient[r]) * max(abs(theta[r]), SMALL))
    return most


@kernel
def damped_step(hessian: FloatArray, gradient: FloatArray, damping: float, small: FloatArray, step: FloatArray) -> bool:
    """Write the step (t,) that minimises the quadratic with `damping` added to the Hessian; return False: none."""
    t = len(step)
    for r in range(t):
        step[r] = -gradient[r]
        for s in range(t):
            small[r, s] = hessian[r, s]
        small[r, r] += damping
    if math.isnan(cholesky(small)):
        return False
    cholesky_solve(small, step)
    return True


@kernel
def next_step(hessian: FloatArray, gradient: FloatArray, damping: float, small: FloatArray, step: FloatArray) -> float:
    """Write the step (t,) of the smallest damping, in units of the Hessian, that is at least `damping`; return that."""
    scale = 0.0
    for r in range(len(step)):
        scale = max(scale, abs(hessian[r, r]))
    while damping < MAX_DAMPING and not damped_step(hessian, gradient, damping * scale, small, step):
        damping = more(damping)
    return damping


@kernel
def more(damping: float) -> float:
    """Return the damping after a step that was none or too long."""
    return max(4.0 * damping, 1e-3)


@kernel
def gain(gradient: FloatArray, step: FloatArray) -> float:
    """Return by how much a Newton step (t,) lowers a quadratic."""
    total = 0.0
    for r in range(len(step)):
        total -= 0.5 * gradient[r] * step[r]
    return total


@kernel
def move(theta: FloatArray, step: FloatArray, limited: bool, trial: FloatArray) -> bool:
    """Write where a step (t,) leads, limited to twice the size of theta (t,) and one; return False: out of bounds."""
    longest, size = 0.0, 0.0
    for r in range(len(theta)):
        longest, size = max(longest, abs(step[r])), max(size, abs(theta[r]))
    shrink = min(1.0, (2.0 * size + 1.0) / longest) if limited and longest > 0.0 else 1.0
    for r in range(len(theta)):
        trial[r] = theta[r] + shrink * step[r]
    return size < MAX_THETA


@kernel
def descend(
    theta: FloatArray,
    most: float,
    df: float,
    restricted: bool,
    structure: Structure,
    work: Work,
    sums: Sums,
    space: FloatArray,
) -> tuple[int, float]:
    """Replace variance parameters (t,) by those of a minimum; return how the search ended and the deviance there.

    It ends at once, as failed, if the deviance at the start is not below `most`. Near the minimum, steps are taken as
    long as the gradient falls. `space` (2 t + 4, t) is memory.
    """
    t = len(theta)
    hessian, small = space[:t], space[t : 2 * t]
    gradient, step, trial = space[2 * t], space[2 * t + 1], space[2 * t + 2]
    trial[:] = theta
    found, size, damping, polished, turns = most, math.inf, 0.0, 0, 0
    for evaluation in range(MAX_EVALUATIONS):
        value, square = evaluate(trial, df, restricted, structure, work)
        if evaluation == 0 and not value < most:
            return FAILED, value
        if polished > 0 or value <= found + NEAR * (1.0 + abs(found)):
            whiten(work)
            add_levels(structure, work, restricted, sums)
            close_sums(restricted, sums)
            derivatives(square, df, True, sums)
            in_factor(structure, work, sums, gradient, hessian)
            now = slope_size(trial, gradient)
            if polished > 0 and not (now < size and value <= found + NEAR * (1.0 + abs(found))):
                return CONVERGED, found
            ended = polished > 0 and (polished == MAX_POLISH or not now < 0.5 * size)
            theta[:] = trial
            found, size = value, now
            damping = 0.0 if damping < 1e-3 else 0.1 * damping
            if ended or size == 0.0:
                return CONVERGED, found
            polished = polished + 1 if size < STATIONARY else 0
            damping = damping if polished == 0 else 0.0
        else:
            damping = more(damping)
        taken = next_step(hessian, gradient, damping, small, step)
        if polished > 0 and taken > 0.0:
            if turns == MAX_TURNS:
                return INDEFINITE, found
            polished, turns = 0, turns + 1
        if evaluation > SLOW and taken == 0.0 and gain(gradient, step) < NEAR * (1.0 + abs(found)):
            return CONVERGED, found
        damping = taken
        if not (damping < MAX_DAMPING and move(theta, step, polished == 0, trial)):
            return FAILED, found
    return EXHAUSTED, found


@kernel
def next_start(attempt: int, theta: FloatArray, structure: Structure, trial: FloatArray) -> bool:
    """Write the start (t,) of an attempt to improve theta (t,); return False if it has none.

    The attempts are: standard deviations of one; large ones where they are zero; each term left out; each column of L
    that is almost zero left out.
    """
    entries, firsts = structure.entries, structure.firsts
    t, terms = len(theta), len(firsts) - 1
    there = attempt == 0
    for r in range(t):
        diagonal = entries[r, 0] == entries[r, 1]
        trial[r] = theta[r]
        if attempt == 0:
            trial[r] = 1.0 if diagonal else 0.0
        elif attempt == 1:
            if diagonal and abs(theta[r]) < NEAR_ZERO:
                trial[r] = LARGE
                there = True
        elif attempt < STARTS + terms:
            if firsts[attempt - STARTS] <= r < firsts[attempt - STARTS + 1]:
                there = there or abs(theta[r]) >= NEAR_ZERO
                trial[r] = 0.0
        elif entries[r, 1] == entries[attempt - STARTS - terms, 1]:
            there = there or theta[r] != 0.0
            trial[r] = 0.0
    if attempt >= STARTS + terms:
        own = attempt - STARTS - terms
        there = there and entries[own, 0] == entries[own, 1]
        for r in range(t):
            there = there and not (entries[r, 1] == entries[own, 1] and abs(theta[r]) >= NEAR_ZERO)
    return there
