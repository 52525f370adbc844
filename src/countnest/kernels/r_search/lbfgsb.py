"""Bounded limited-memory quasi-Newton minimisation, with the subspace step truncated at the bounds.

The caller evaluates: `first_point` writes the first point, and `next_point` takes value and gradient there and writes
the next one, until the search is over. So the function may be a kernel or not.

Sources: Byrd, Lu, Nocedal and Zhu (1995), doi:10.1137/0916069 (generalized Cauchy point; subspace minimisation by the
direct primal method, truncated at the first bound that it meets); Moré and Thuente (1994), doi:10.1145/192115.192132
(line search). R's optim has this method of 1995. Later versions, SciPy's among them, project the subspace step onto the
box instead of truncating it, and end elsewhere where a likelihood is flat and a bound is met.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.algebra.dense import lu_solve
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.r_search.line_search import (
    LINE_PLACES,
    LOST,
    START_SLOPE,
    START_VALUE,
    STEP,
    accepts,
    begin_line,
)

__all__ = ["CONVERGED", "EVALUATE", "FAILED", "N_PLACES", "N_ROWS", "first_point", "next_point"]

# What `next_point` returns; and, inside, that a line search is to begin.
EVALUATE, CONVERGED, FAILED, BEGIN = 0, 1, 2, 3
# What `cauchy_point` returns instead of a number of variables.
LOST_PATH, STILL = -1, -2
# Places of the state, after those of the line search: whether there was a value; iterations; evaluations of the line
# search; the number of pairs since the memory was empty; the scale of the identity below them; whether the newest pair
# came with the last iteration; whether a pair came that no subspace step used.
BEGUN, ITERATION, EVALUATION, N_PAIRS, SCALE, FRESH, GAP = range(LINE_PLACES, LINE_PLACES + 7)
N_PLACES = LINE_PLACES + 7
# Pairs of steps and changes of the gradient that are remembered.
MEMORY = 5
# Rows of the work space (N_ROWS + 2 p, p): the point of the last iteration and its gradient; the direction of the
# line search and the point at its step 1; the Cauchy point, the way there, which variables are free (1 or 0), when each
# meets its bound, the path; an image under the matrix; the pairs. From N_ROWS on there is the matrix of the quadratic
# model, and one of equations.
AT, GRADIENT, DIRECTION, TARGET, CAUCHY, MOVED, FREE, MEETS, PATH, IMAGE = range(10)
STEPS, CHANGES = 10, 10 + MEMORY
N_ROWS = 10 + 2 * MEMORY

EPSILON = float(np.finfo(np.float64).eps)
MAX_EVALUATIONS = 20
LONGEST_STEP = 1e10


@kernel
def first_point(start: FloatArray, bound: float, state: FloatArray, point_out: FloatArray) -> None:
    """Begin a search over |x_k| <= `bound`; write the first point, `start` in the box, into `point_out` (p,).

    `state` is (N_PLACES,).
    """
    for k in range(start.shape[0]):
        point_out[k] = min(max(start[k], -bound), bound)
    for place in range(N_PLACES):
        state[place] = 0.0
    state[SCALE] = 1.0


@kernel
def next_point(
    value: float,
    gradient: FloatArray,
    bound: float,
    factor: float,
    max_iter: int,
    state: FloatArray,
    work: FloatArray,
    point: FloatArray,
) -> int:
    """Take value and gradient at `point` (p,), and write the next point to evaluate there, or where the search ended.

    Parameters
    ----------
    value, gradient, point
        See above.
    bound
        Of every coordinate.
    factor
        The search ends when an iteration gains less than `factor` machine epsilons, relative to the value (at least 1).
    max_iter
        Of iterations.
    state, work
        (N_PLACES,) and (N_ROWS + 2 p, p), kept from one call to the next.

    Returns
    -------
    int
        EVALUATE, CONVERGED or FAILED. `state[START_VALUE]` is the value where the search ended.

    Notes
    -----
    In the compact form of the method, the inner products of a new pair are entered at the next subspace step. Where an
    iteration has no free variable there is none, and at the following one the factorisation fails; this is kept. Then,
    and where an arithmetic failure or a line search without an end says that the memory misleads, it is given up.
    """
    p = work.shape[1]
    slope, arrived = 0.0, True
    if state[BEGUN] > 0.0:
        for k in range(p):
            slope += gradient[k] * work[DIRECTION, k]
        arrived = accepts(value, slope, state)
    outcome = BEGIN
    if arrived:
        old = state[START_VALUE]
        done = old - value <= EPSILON * factor * max(abs(old), abs(value), 1.0)
        if state[BEGUN] > 0.0:
            update_pairs(gradient, slope, state, work)
            state[ITERATION] += 1.0
            outcome = CONVERGED if done else FAILED if state[ITERATION] > max_iter else BEGIN
        state[BEGUN] = 1.0
        state[START_VALUE] = value
        for k in range(p):
            work[AT, k] = point[k]
            work[GRADIENT, k] = gradient[k]
    else:
        state[EVALUATION] += 1.0
        if state[EVALUATION] < MAX_EVALUATIONS and state[LOST] == 0.0:
            outcome = EVALUATE
    misled = not arrived
    while outcome == BEGIN:
        if misled:  # once more, from steepest descent
            if state[N_PAIRS] == 0.0:
                outcome = FAILED
                break
            state[N_PAIRS] = 0.0
            state[SCALE] = 1.0
            state[GAP] = 0.0
        write_model(state, work)
        n_free = cauchy_point(bound, work)
        usable = n_free >= 0
        if usable and state[N_PAIRS] > 0.0:
            if n_free == 0 and state[FRESH] > 0.0:
                state[GAP] = 1.0
            if n_free > 0:
                usable = state[GAP] == 0.0 and subspace_minimum(bound, work)
        misled = True
        if n_free == STILL:
            outcome = CONVERGED
        elif usable and start_line_search(bound, state, work):
            outcome = EVALUATE
    step = state[STEP]
    row = AT if outcome != EVALUATE else TARGET
    if outcome != EVALUATE or step == 1.0:
        for k in range(p):
            point[k] = work[row, k]
    else:
        for k in range(p):
            point[k] = step * work[DIRECTION, k] + work[AT, k]
    return outcome


@kernel
def update_pairs(gradient: FloatArray, slope: float, state: FloatArray, work: FloatArray) -> None:
    """Store the step of the line search and the change of the gradient, unless its curvature is lost in rounding.

    `gradient` (p,) is the new one, and `slope` its component along the direction of the search.
    """
    p = work.shape[1]
    length, before = state[STEP], state[START_SLOPE]
    curvature = (slope - before) * length
    state[FRESH] = 0.0
    if not curvature > -EPSILON * before * length:
        return
    state[FRESH] = 1.0
    pair = int(state[N_PAIRS]) % MEMORY  # in the place of the oldest
    squares = 0.0
    for k in range(p):
        change = gradient[k] - work[GRADIENT, k]
        squares += change * change
        work[STEPS + pair, k] = length * work[DIRECTION, k]
        work[CHANGES + pair, k] = change
    state[N_PAIRS] += 1.0
    state[SCALE] = squares / curvature


@kernel
def start_line_search(bound: float, state: FloatArray, work: FloatArray) -> bool:
    """Start a line search towards the minimum of the model; return False if the function does not fall that way."""
    longest, slope = LONGEST_STEP, 0.0
    for k in range(work.shape[1]):
        at = work[AT, k]
        way = work[CAUCHY, k] - at
        slope += work[GRADIENT, k] * way
        work[DIRECTION, k] = way
        work[TARGET, k] = min(max(at + way, -bound), bound)
        left = math.copysign(bound, way) - at
        if left * way < 0.0 or (left == 0.0 and way != 0.0):
            longest = 0.0
        elif abs(way) * longest > abs(left):
            longest = left / way
        if not math.isfinite(way):
            return False
    if slope >= 0.0:
        return False
    begin_line(state[START_VALUE], slope, longest if state[ITERATION] > 0.0 else 1.0, state)
    state[EVALUATION] = 0.0
    return True


@kernel
def write_model(state: FloatArray, work: FloatArray) -> None:
    """Write the matrix (p, p) of the quadratic model, by BFGS updates of a multiple of the identity."""
    p = work.shape[1]
    for i in range(p):
        for j in range(p):
            work[N_ROWS + i, j] = state[SCALE] if i == j else 0.0
    n_pairs = int(state[N_PAIRS])
    for number in range(max(0, n_pairs - MEMORY), n_pairs):  # from the oldest on
        m = number % MEMORY
        lost, gained = 0.0, 0.0
        for i in range(p):
            image = 0.0
            for j in range(p):
                image += work[N_ROWS + i, j] * work[STEPS + m, j]
            work[IMAGE, i] = image
            lost += work[STEPS + m, i] * image
            gained += work[STEPS + m, i] * work[CHANGES + m, i]
        for i in range(p):
            image, change = work[IMAGE, i], work[CHANGES + m, i]
            for j in range(p):
                less = work[N_ROWS + i, j] - image * work[IMAGE, j] / lost
                work[N_ROWS + i, j] = less + change * work[CHANGES + m, j] / gained


@kernel
def cauchy_point(bound: float, work: FloatArray) -> int:
    """Write the first minimum of the model along the projected gradient path, and which variables are free there.

    Return the number of the free variables; LOST_PATH where the numbers give no point, STILL where the box does not let
    one follow the gradient.
    """
    p = work.shape[1]
    n_moving = 0
    for k in range(p):
        slope = work[GRADIENT, k]
        work[CAUCHY, k] = work[AT, k]
        work[MOVED, k] = 0.0
        work[MEETS, k] = np.inf
        if slope < 0.0:
            work[MEETS, k] = (work[AT, k] - bound) / slope
        elif slope > 0.0:
            work[MEETS, k] = (work[AT, k] + bound) / slope
        work[FREE, k] = 1.0 if work[MEETS, k] > 0.0 else 0.0
        work[PATH, k] = -slope if work[FREE, k] > 0.0 and slope != 0.0 else 0.0
        n_moving += 1 if work[PATH, k] != 0.0 else 0
    if n_moving == 0:
        return STILL
    best, reached, first = 0.0, 0.0, -1
    while True:
        square, downhill, bend, curvature = 0.0, 0.0, 0.0, 0.0
        for i in range(p):
            image, ahead = 0.0, work[PATH, i]
            for j in range(p):
                image += work[N_ROWS + i, j] * work[PATH, j]
            square += ahead * ahead
            downhill += work[GRADIENT, i] * ahead
            bend += image * work[MOVED, i]
            curvature += image * ahead
        if first >= 0:
            if curvature == 0.0:
                return LOST_PATH
            best = -(downhill + bend) / curvature
        elif curvature > 0.0:
            best = square / curvature
        first, next_one = -1, np.inf
        for k in range(p):
            if work[FREE, k] > 0.0 and work[MEETS, k] < next_one:
                first, next_one = k, work[MEETS, k]
        if first < 0 or best < next_one - reached:
            break
        for k in range(p):
            work[MOVED, k] += (next_one - reached) * work[PATH, k]
        reached = next_one
        work[CAUCHY, first] = math.copysign(bound, work[PATH, first])
        work[MOVED, first] = work[CAUCHY, first] - work[AT, first]
        work[FREE, first] = 0.0
        work[PATH, first] = 0.0
        n_moving -= 1
        if n_moving == 0:
            break
    n_free = 0
    for k in range(p):
        n_free += 1 if work[FREE, k] > 0.0 else 0
        if work[PATH, k] != 0.0:
            work[CAUCHY, k] = work[AT, k] + (reached + (0.0 if best < 0.0 else best)) * work[PATH, k]
    return n_free


@kernel
def subspace_minimum(bound: float, work: FloatArray) -> bool:
    """Move the Cauchy point to the minimum of the model over the free variables, or to the first bound on the way.

    Return False where the equations are singular.
    """
    p = work.shape[1]
    step, equations = work[PATH], work[N_ROWS + p :]
    for k in range(p):
        work[MOVED, k] = work[CAUCHY, k] - work[AT, k]
    for i in range(p):  # the variables that are not free do not move
        free = work[FREE, i] > 0.0
        image = 0.0
        for j in range(p):
            image += work[N_ROWS + i, j] * work[MOVED, j]
        step[i] = -(work[GRADIENT, i] + image) if free else 0.0
        for j in range(p):
            equations[i, j] = 1.0 if i == j else 0.0
            if free and work[FREE, j] > 0.0:
                equations[i, j] = work[N_ROWS + i, j]
    if not lu_solve(equations, step):
        return False
    first, share = -1, 1.0
    for k in range(p):
        if step[k] != 0.0:
            fraction = ((-bound if step[k] < 0.0 else bound) - work[CAUCHY, k]) / step[k]
            if fraction < share:
                first, share = k, fraction
    share = 0.0 if share < 0.0 else share
    for k in range(p):
        work[CAUCHY, k] += share * step[k]
    if first >= 0:
        work[CAUCHY, first] = math.copysign(bound, step[first])
    return True
