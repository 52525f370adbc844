"""The search for the maximum of a likelihood of mixed models of counts: BFGS, then Newton's method.

The parameters are sigma, rho = sqrt(alpha) and, without integration over them, the coefficients. The likelihoods are
even in sigma and smooth in rho^2, so that no parameter is bounded below: zero is an ordinary stationary point.

The search asks for one value and gradient after the other: `begin` and `advance` write the next point into the row
TRIAL, and `advance` is told the value there. So the likelihood is called at one place, and compiled into one.

Source: Nocedal and Wright (2006), Numerical Optimization, ch. 6 and 7.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.compiler.jit import kernel

__all__ = [
    "AT",
    "DONE",
    "EVALUATIONS",
    "LENGTH",
    "MAX_RHO",
    "MAX_SIGMA",
    "MOVED",
    "PHASE",
    "SLOPE",
    "TRIAL",
    "TRIAL_SLOPE",
    "VALUE",
    "Search",
    "advance",
    "begin",
    "new_search",
]

# Rows of the numbers by parameter (7, d).
AT, SLOPE, STEP, TRIAL, TRIAL_SLOPE, CHANGE, TURNED = 0, 1, 2, 3, 4, 5, 6
# Places of the counts: what the next value is for, evaluations, iterations, the number of a difference, the round of
# climb and Newton steps, whether the point has just moved, and whether sigma or rho may be zero.
PHASE, EVALUATIONS, ITERATION, INDEX, ROUND, MOVED, N_COUNTS = 0, 1, 2, 3, 4, 5, 6
BEGIN, CLIMB, DIFFERENCE, CHORD, SNAP, LAST, DONE = 0, 1, 2, 3, 4, 5, 6
# The parts of `advance`; ASK: the next point is there.
ASK, DIRECTION, STEP_PART, DIFFERENCE_PART, DECOMPOSITION, ROUND_PART, ZERO = 0, 1, 2, 3, 4, 5, 6
# Places of the numbers: the value at the point, the size of the step, the slope along it, the squared length of
# Newton's step in standard errors, and the step of a difference.
VALUE, SIZE, ALONG, LENGTH, DISTANCE, N_NUMBERS = 0, 1, 2, 3, 4, 5
MAX_ITERATIONS, SHORTEST = 200, 1e-10
ARMIJO, NOISE = 1e-4, 1e-13
# The largest rho, of a dispersion of 1000, and the largest sigma, of families that differ by factors of exp(16).
MAX_RHO, MAX_SIGMA = math.sqrt(1e3), 16.0
# The longest steps of sigma and of coefficients.
LONGEST_SIGMA, LONGEST = 1.0, 2.0
# Steps of differences, in standard errors, and their range.
SHARE, SHORTEST_DIFFERENCE, LONGEST_DIFFERENCE = 1e-4, 1e-8, 1e-5
MAX_CHORDS = 6
# Squared lengths of Newton's step: where the search has arrived, and where it may end.
ARRIVED, ENOUGH = 1e-20, 1e-12
# Climbs end by these gains, one after the other, until Newton's method arrives.
TOLERANCES = (1e-7, 1e-10, 1e-13)
# A standard deviation, or root of a dispersion, below this is zero where the likelihood does not fall by it.
VANISHING, NO_LOSS = 1e-4, 1e-8


class Search(NamedTuple):
    """Memory of a search over d parameters.

    Attributes
    ----------
    point
        (7, d) the point and its gradient, a step, another point and its gradient, and work space.
    free
        (d,) 1 for parameters that move.
    inverse
        (d, d) what BFGS has for the inverse of the negative Hessian.
    hessian, factor
        (d, d) the negative Hessian and its Cholesky factor.
    count, number
        See the places above.
    """

    point: FloatArray
    free: IntArray
    inverse: FloatArray
    hessian: FloatArray
    factor: FloatArray
    count: IntArray  # type: ignore[assignment]  # in place of the method of tuples
    number: FloatArray


@kernel
def new_search(d: int) -> Search:
    """Return memory for d parameters."""
    return Search(
        np.zeros((7, d)), np.ones(d, dtype=np.int64), np.zeros((d, d)), np.zeros((d, d)), np.zeros((d, d)),
        np.zeros(N_COUNTS, dtype=np.int64), np.zeros(N_NUMBERS),
    )  # fmt: skip


@kernel
def begin(search: Search) -> None:
    """Ask for the value at the point."""
    search.count[PHASE] = BEGIN
    search.count[EVALUATIONS] = search.count[ITERATION] = search.count[ROUND] = search.count[MOVED] = 0
    search.number[SIZE] = search.number[LENGTH] = math.nan
    stay(search)


@kernel
def stay(search: Search) -> None:
    """Ask for the point itself."""
    for k in range(search.point.shape[1]):
        search.point[TRIAL, k] = search.point[AT, k]


@kernel
def accept(value: float, search: Search) -> None:
    """Make the trial point the point."""
    point = search.point
    for k in range(point.shape[1]):
        point[AT, k], point[SLOPE, k] = point[TRIAL, k], point[TRIAL_SLOPE, k]
    search.number[VALUE] = value
    search.count[MOVED] = 1


@kernel
def advance(value: float, search: Search, may_vanish: bool) -> None:
    """Take the value and gradient at the trial point, and ask for the next one, until the phase is DONE.

    count[MOVED] is then 1 where the trial point that the value belongs to has become the point. `may_vanish` says
    whether a dispersion of almost zero may become zero. Each part is called at one place and returns the next one.
    """
    count = search.count
    count[EVALUATIONS] += 1
    count[MOVED] = 0
    for k in range(search.free.shape[0]):
        if search.free[k] == 0:
            search.point[TRIAL_SLOPE, k] = 0.0
    part = take(value, search)
    while part != ASK:
        if part == DIRECTION:
            part = new_direction(search)
        elif part == STEP_PART:
            part = ask_for_step(search)
        elif part == DIFFERENCE_PART:
            part = ask_for_difference(search)
        elif part == DECOMPOSITION:
            part = decompose_hessian(search)
        elif part == ROUND_PART:
            part = next_round(search)
        else:
            part = ask_for_zero(search, may_vanish)


@kernel
def take(value: float, search: Search) -> int:
    """Take what was asked for; return the next part."""
    count, number = search.count, search.number
    phase = count[PHASE]
    if phase == CLIMB:
        enough = number[VALUE] + ARMIJO * number[SIZE] * number[ALONG] - NOISE * (abs(number[VALUE]) + 1.0)
        if value >= enough:
            update_inverse(search)
            accept(value, search)
            return DIRECTION
        number[SIZE] *= 0.5 if math.isfinite(value) else 0.1
        if number[SIZE] > SHORTEST:
            return STEP_PART
        count[INDEX] = 0
        return DIFFERENCE_PART
    if phase == DIFFERENCE:
        differentiated(search)
        return DIFFERENCE_PART
    if phase == CHORD:
        return polished(value, search)
    if phase != SNAP or value >= number[VALUE] - NO_LOSS:
        accept(value, search)
    if phase == BEGIN:
        return DIRECTION
    count[INDEX] += 1
    if phase == LAST:
        count[PHASE] = DONE
    return ASK if phase == LAST else ZERO


@kernel
def ask_for_zero(search: Search, may_vanish: bool) -> int:
    """Ask for the point with sigma or rho at zero where they have all but vanished; else for the point, at last."""
    point, count = search.point, search.count
    stay(search)
    while count[INDEX] < 2:
        k = count[INDEX]
        if search.free[k] == 1 and abs(point[AT, k]) < VANISHING and (k == 0 or may_vanish):
            point[TRIAL, k] = 0.0
            return ASK
        count[INDEX] += 1
    count[PHASE] = LAST
    return ASK


@kernel
def new_direction(search: Search) -> int:
    """Write a step by BFGS; return the next part, the differences where it is short."""
    point, count, d = search.point, search.count, search.point.shape[1]
    for k in range(2):
        if abs(point[AT, k]) >= (MAX_SIGMA if k == 0 else MAX_RHO) and point[AT, k] * point[SLOPE, k] > 0.0:
            search.free[k] = 0
            point[SLOPE, k] = 0.0
    cut = 1.0
    for k in range(d):
        total = 0.0
        for m in range(d):
            total += search.inverse[k, m] * point[SLOPE, m]
        point[STEP, k] = total if search.free[k] else 0.0
        longest = LONGEST_SIGMA if k == 0 else LONGEST
        if k == 1:
            longest = max(0.5, abs(point[AT, 1]))
        if abs(total) * cut > longest:
            cut = longest / abs(total)
    along = 0.0
    for k in range(d):
        point[STEP, k] *= cut
        along += point[STEP, k] * point[SLOPE, k]
    count[ITERATION] += 1
    if count[ITERATION] > MAX_ITERATIONS or not along > 0.0 or (cut == 1.0 and along < TOLERANCES[count[ROUND]]):
        count[INDEX] = 0
        return DIFFERENCE_PART
    search.number[SIZE], search.number[ALONG] = 1.0, along
    count[PHASE] = CLIMB
    return STEP_PART


@kernel
def ask_for_step(search: Search) -> int:
    """Ask for the point and its step."""
    point, size = search.point, search.number[SIZE]
    for k in range(point.shape[1]):
        point[TRIAL, k] = point[AT, k] + size * point[STEP, k]
    point[TRIAL, 0] = min(max(point[TRIAL, 0], -MAX_SIGMA), MAX_SIGMA)
    point[TRIAL, 1] = min(max(point[TRIAL, 1], -MAX_RHO), MAX_RHO)
    return ASK


@kernel
def update_inverse(search: Search) -> None:
    """Update the inverse of the negative Hessian by the step from the point to the trial point."""
    point, inverse, d = search.point, search.inverse, search.point.shape[1]
    along, length = 0.0, 0.0
    for k in range(d):
        point[STEP, k] = point[TRIAL, k] - point[AT, k]
        point[CHANGE, k] = point[SLOPE, k] - point[TRIAL_SLOPE, k]
        along += point[STEP, k] * point[CHANGE, k]
    if not along > 1e-14:
        return
    for k in range(d):
        total = 0.0
        for m in range(d):
            total += inverse[k, m] * point[CHANGE, m]
        point[TURNED, k] = total
        length += total * point[CHANGE, k]
    scale = (1.0 + length / along) / along
    for k in range(d):
        for m in range(d):
            s_k, s_m = point[STEP, k], point[STEP, m]
            inverse[k, m] += scale * s_k * s_m - (point[TURNED, k] * s_m + s_k * point[TURNED, m]) / along


@kernel
def ask_for_difference(search: Search) -> int:
    """Ask for the point and a little more of a parameter; after the last one return the next part."""
    count, hessian = search.count, search.hessian
    d = hessian.shape[0]
    while count[INDEX] < d and search.free[count[INDEX]] == 0:
        for m in range(d):
            hessian[count[INDEX], m] = 1.0 if m == count[INDEX] else 0.0
        count[INDEX] += 1
    if count[INDEX] == d:
        return DECOMPOSITION
    count[PHASE] = DIFFERENCE
    k = count[INDEX]
    h = SHARE * math.sqrt(max(search.inverse[k, k], 0.0))
    stay(search)
    search.point[TRIAL, k] += min(max(h, SHORTEST_DIFFERENCE), LONGEST_DIFFERENCE)
    search.number[DISTANCE] = search.point[TRIAL, k] - search.point[AT, k]
    return ASK


@kernel
def differentiated(search: Search) -> None:
    """Take the gradient at the end of a difference."""
    point, k = search.point, search.count[INDEX]
    for m in range(point.shape[1]):
        search.hessian[k, m] = (point[SLOPE, m] - point[TRIAL_SLOPE, m]) / search.number[DISTANCE]
    search.count[INDEX] += 1


@kernel
def decompose_hessian(search: Search) -> int:
    """Make the negative Hessian symmetric, and write Newton's step if it is positive definite."""
    hessian, factor, d = search.hessian, search.factor, search.hessian.shape[0]
    for k in range(d):
        for m in range(k + 1):
            hessian[k, m] = hessian[m, k] = factor[k, m] = 0.5 * (hessian[k, m] + hessian[m, k])
    search.count[INDEX] = 0
    if math.isnan(cholesky(factor)):
        search.number[LENGTH] = math.nan
        return ROUND_PART
    search.number[LENGTH] = newton_step(search)
    if search.number[LENGTH] < ARRIVED:
        return ROUND_PART
    search.count[PHASE], search.number[SIZE] = CHORD, 1.0
    return STEP_PART


@kernel
def newton_step(search: Search) -> float:
    """Write Newton's step from the gradient and the factor of the Hessian; return its squared length."""
    point, d = search.point, search.point.shape[1]
    for k in range(d):
        point[STEP, k] = point[SLOPE, k]
    cholesky_solve(search.factor, point[STEP])
    length = 0.0
    for k in range(d):
        length += point[STEP, k] * point[SLOPE, k]
    return length


@kernel
def polished(value: float, search: Search) -> int:
    """Take Newton's step if the next one is shorter, and write that; return the next part."""
    point, number, d = search.point, search.number, search.point.shape[1]
    for k in range(d):
        point[CHANGE, k], point[SLOPE, k] = point[SLOPE, k], point[TRIAL_SLOPE, k]
    after = newton_step(search)
    if not after < number[LENGTH] or value < number[VALUE] - 1e-6 * (1.0 + abs(value)):
        for k in range(d):
            point[SLOPE, k] = point[CHANGE, k]
        return ROUND_PART
    accept(value, search)
    number[LENGTH] = after
    search.count[INDEX] += 1
    return ROUND_PART if after < ARRIVED or search.count[INDEX] == MAX_CHORDS else STEP_PART


@kernel
def next_round(search: Search) -> int:
    """End the search where Newton's step is short; else climb further first."""
    count = search.count
    if search.number[LENGTH] < ENOUGH or count[ROUND] == len(TOLERANCES) - 1:
        count[PHASE], count[INDEX] = SNAP, 0
        return ZERO
    count[ROUND] += 1
    return DIRECTION
