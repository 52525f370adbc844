"""The search for the variance ratios that minimise the criterion of a gene. t terms.

The search asks for evaluations at trial ratios, one after the other, and is told their values: the likelihood, a large
function, is then called in one place, and compiled into one caller.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.gene import Gene
from countnest.kernels.mixed.triangles import backward, factorise, forward

__all__ = ["DESCENT", "DONE", "FINAL", "LATTICE", "MEMORY", "NUMBERS", "STATES", "begin", "next_trial", "scale_ratios"]

# Ratios are in units that make the mean variance of a random term that of the residuals. Below `NONE` one counts as
# zero, and above `CAP` as infinite.
CAP, NONE = 1e8, 1e-8
ITERATIONS, HALVINGS = 200, 40
# A step of Newton's method that is this small, relative to the ratio, is the last: its square is below rounding.
STEP = 1e-8
# A slope that counts as zero, and a fall of the criterion that is rounding, relative to its value.
FLAT, ROUNDING = 1e-9, 1e-12
# Starts that are higher than the best minimum by more than this are left out.
NEARLY = 4.0
# How far a ratio goes in one step: towards the lowest, as a fraction of the way, and up, as a multiple.
DOWN, UP = 0.9, 10.0
# How a search ended: the numbers of `stats.mixed.records.Outcome`.
CONVERGED, SINGULAR, EXHAUSTED, FAILED, RANK_DEFICIENT = 0, 1, 2, 3, 9
# Phases: points of the lattice, which need values; a descent, which needs derivatives; the result.
LATTICE, DESCENT, FINAL, DONE = 0, 1, 2, 3
# Places in the state: phase, point of the lattice, best one, iterations, halvings, how it ended.
PHASE, POINT, BEST, ITERATION, HALVING, ENDED, STATES = 0, 1, 2, 3, 4, 5, 6
# Places in the numbers: the value at the ratios, the least value, the part of a step, the size of the slope.
VALUE_NOW, LEAST, FRACTION, SIZE, NUMBERS = 0, 1, 2, 3, 4
# Rows (., t) of memory: ratios, gradient, whether free, step, trial, the best ratios, the gradient at the trial; then
# the Hessian there.
RATIOS, GRADIENT, FREE, CHANGE, TRIAL, FOUND, SLOPE, MEMORY = 0, 1, 2, 3, 4, 5, 6, 7


@kernel
def scale_ratios(gene: Gene, bounded: bool, unit_out: FloatArray, lowest_out: FloatArray) -> None:
    """Write the unit (t,) of each ratio, samples over the trace of the kernel, and the lowest value (t,).

    The lowest is zero or, of a single term whose variance is free, minus one over the largest eigenvalue.
    """
    for k in range(len(unit_out)):
        trace, largest = 0.0, 0.0
        for level in range(len(gene.multiplicity)):
            eigenvalue = gene.eigenvalues[level, k] if gene.multiplicity[level] > 0.0 else 0.0
            trace += gene.multiplicity[level] * eigenvalue
            largest = max(largest, eigenvalue)
        unit_out[k] = gene.samples[0] / trace
        lowest_out[k] = 0.0 if bounded else -1.0 / largest


@kernel
def begin(
    lattice: FloatArray,
    unit: FloatArray,
    lowest: FloatArray,
    given: FloatArray,
    state: IntArray,
    numbers: FloatArray,
    memory: FloatArray,
) -> None:
    """Write the first trial: of the lattice or, without one, the ratios (t,) that are given."""
    for k in range(STATES):
        state[k] = 0
    state[BEST] = -1
    numbers[LEAST] = math.inf
    if len(lattice) > 0:
        lattice_trial(lattice, unit, lowest, state[POINT], memory[TRIAL])
    else:
        state[PHASE] = FINAL
        for k in range(len(given)):
            memory[TRIAL, k] = given[k]


@kernel
def next_trial(
    value: float,
    gene: Gene,
    reml: bool,
    lattice: FloatArray,
    unit: FloatArray,
    lowest: FloatArray,
    state: IntArray,
    numbers: FloatArray,
    heights: FloatArray,
    memory: FloatArray,
) -> None:
    """Take the value of the last trial, and write the next one and its phase.

    From the best point of a lattice on, Newton's method on the ratios that are not held at zero, each step projected
    and halved until the criterion falls. Other points of a single ratio that are lower than their neighbours, and
    nearly as low as the best, are begun from too: the criterion can have two minima.

    Parameters
    ----------
    lattice
        (points,) values for every ratio, increasing: in units, or as negative parts of the lowest.
    unit, lowest
        (t,) from `scale_ratios`.
    state, numbers, heights, memory
        (STATES,), (NUMBERS,), (points,) and (MEMORY + t, t) what the search knows.
    """
    if state[PHASE] == LATTICE:
        point = state[POINT]
        if len(unit) == 1:
            heights[point] = value
        if value < numbers[LEAST]:
            numbers[LEAST] = value
            state[BEST] = point
        state[POINT] += 1
        if state[POINT] < len(lattice) ** len(unit):
            lattice_trial(lattice, unit, lowest, state[POINT], memory[TRIAL])
        elif state[BEST] < 0:
            state[PHASE], state[ENDED] = DONE, RANK_DEFICIENT
        else:
            numbers[LEAST] = math.inf
            begin_descent(lattice, unit, lowest, state[BEST], state, memory)
            state[POINT] = -1
    elif state[PHASE] == DESCENT:
        ended = descend(value, gene, reml, unit, lowest, state, numbers, memory)
        if ended >= 0:
            keep(ended, state, numbers, memory)
            point = next_start(lattice, unit, state, numbers, heights)
            if point >= 0:
                begin_descent(lattice, unit, lowest, point, state, memory)
            else:
                finish(unit, lowest, state, memory)
    else:
        state[PHASE] = DONE


@kernel
def lattice_trial(lattice: FloatArray, unit: FloatArray, lowest: FloatArray, point: int, trial_out: FloatArray) -> None:
    """Write a point (t,) of the lattice."""
    for k in range(len(unit)):
        part = lattice[point % len(lattice)]
        trial_out[k] = part * unit[k] if part >= 0.0 else -part * lowest[k]
        point //= len(lattice)


@kernel
def begin_descent(
    lattice: FloatArray, unit: FloatArray, lowest: FloatArray, point: int, state: IntArray, memory: FloatArray
) -> None:
    """Write a point of the lattice as the first trial of a descent."""
    lattice_trial(lattice, unit, lowest, point, memory[TRIAL])
    state[PHASE], state[ITERATION], state[HALVING] = DESCENT, 0, 0


@kernel
def keep(ended: int, state: IntArray, numbers: FloatArray, memory: FloatArray) -> None:
    """Keep where a descent ended, if it is the lowest so far."""
    first = math.isinf(numbers[LEAST])
    if first or (numbers[VALUE_NOW] < numbers[LEAST] and ended != FAILED):
        numbers[LEAST] = numbers[VALUE_NOW]
        state[ENDED] = ended
        for k in range(memory.shape[1]):
            memory[FOUND, k] = memory[RATIOS, k]


@kernel
def next_start(lattice: FloatArray, unit: FloatArray, state: IntArray, numbers: FloatArray, heights: FloatArray) -> int:
    """Return the next point of the lattice that is lower than its neighbours, and nearly as low as the best; or -1."""
    if len(unit) > 1:
        return -1
    last = len(lattice) - 1
    for point in range(state[POINT] + 1, last + 1):
        lower = point == 0 or heights[point] < heights[point - 1]
        lower = lower and (point == last or heights[point] < heights[point + 1])
        if lower and point != state[BEST] and heights[point] <= numbers[LEAST] + NEARLY:
            state[POINT] = point
            return point
    return -1


@kernel
def finish(unit: FloatArray, lowest: FloatArray, state: IntArray, memory: FloatArray) -> None:
    """Write the result as the last trial, and what it is."""
    state[PHASE] = FINAL
    for k in range(len(unit)):
        ratio = memory[FOUND, k]
        memory[TRIAL, k] = ratio
        if state[ENDED] == CONVERGED and lowest[k] == 0.0 and ratio < NONE * unit[k]:
            state[ENDED] = SINGULAR
    for k in range(len(unit)):
        if memory[FOUND, k] > CAP * unit[k]:
            state[ENDED] = FAILED


@kernel
def descend(
    value: float,
    gene: Gene,
    reml: bool,
    unit: FloatArray,
    lowest: FloatArray,
    state: IntArray,
    numbers: FloatArray,
    memory: FloatArray,
) -> int:
    """Take the value and the derivatives at a trial, and write the next one; return how the descent ended, or -1."""
    ratios, gradient, trial, terms = memory[RATIOS], memory[GRADIENT], memory[TRIAL], len(unit)
    change = math.inf
    if state[ITERATION] > 0:
        expected, change = 0.0, 0.0
        for k in range(terms):
            expected += gradient[k] * (trial[k] - ratios[k])
            change = max(change, abs(trial[k] - ratios[k]) / max(abs(trial[k]), NONE * unit[k]))
        rounding = abs(expected) <= ROUNDING * (1.0 + abs(numbers[VALUE_NOW])) and math.isfinite(value)
        if not (value <= numbers[VALUE_NOW] + 1e-4 * expected or rounding):
            numbers[FRACTION] *= 0.5
            state[HALVING] += 1
            if state[HALVING] > HALVINGS:
                return FAILED if numbers[SIZE] > FLAT * max(1.0, abs(value)) else CONVERGED
            propose(unit, lowest, numbers[FRACTION], memory)
            return -1
    numbers[VALUE_NOW] = value
    for k in range(terms):
        ratios[k] = trial[k]
        gradient[k] = memory[SLOPE, k]
    if change < STEP:
        return CONVERGED
    if state[ITERATION] == ITERATIONS:
        return EXHAUSTED
    state[ITERATION] += 1
    numbers[SIZE] = 0.0
    for k in range(terms):
        held = lowest[k] == 0.0 and ratios[k] == 0.0 and gradient[k] >= 0.0
        memory[FREE, k] = 0.0 if held else 1.0
        numbers[SIZE] = max(numbers[SIZE], memory[FREE, k] * abs(gradient[k]) * max(ratios[k], 1e-3 * unit[k]))
    if numbers[SIZE] == 0.0:
        return CONVERGED
    if not direction(gene, memory, reml):
        return FAILED
    numbers[FRACTION], state[HALVING] = 1.0, 0
    propose(unit, lowest, 1.0, memory)
    return -1


@kernel
def direction(gene: Gene, memory: FloatArray, reml: bool) -> bool:
    """Write the step of the free ratios: Newton's, or Fisher's where the Hessian is not positive definite."""
    gradient, free, step, hessian = memory[GRADIENT], memory[FREE], memory[CHANGE], memory[MEMORY:]
    df, own = (gene.samples[0] - (gene.augmented.shape[1] - 1), 1) if reml else (gene.samples[0], 0)
    terms = gene.first.shape[1]
    packed = gene.forms[0]  # is not needed before the next evaluation
    for attempt in range(3):
        place = 0
        for k in range(terms):
            for j in range(k + 1):
                entry = hessian[k, j]
                if attempt > 0:
                    entry = gene.second[own, k, j] - gene.first[own, k] * gene.first[own, j] / df
                if free[k] == 0.0 or free[j] == 0.0:
                    entry = 1.0 if k == j else 0.0
                if k == j and attempt == 2:
                    entry *= 1.01
                packed[place] = entry
                place += 1
            step[k] = -gradient[k] * free[k]
        if factorise(packed, terms):
            forward(packed, terms, step)
            backward(packed, terms, step)
            return True
    return False


@kernel
def propose(unit: FloatArray, lowest: FloatArray, fraction: float, memory: FloatArray) -> None:
    """Write the trial that is a part of the step away."""
    for k in range(len(unit)):
        ratio = memory[RATIOS, k]
        low = ratio + DOWN * (lowest[k] - ratio) if lowest[k] < 0.0 else 0.0
        high = UP * (abs(ratio) + unit[k])
        memory[TRIAL, k] = min(max(ratio + fraction * memory[CHANGE, k], low), high)
