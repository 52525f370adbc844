"""The search for the variance ratios that minimise the criterion of a gene. t terms."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.gene import Gene, evaluate
from countnest.kernels.mixed.levels import DERIVATIVES, VALUE
from countnest.kernels.mixed.triangles import backward, factorise, forward

__all__ = ["CONVERGED", "MEMORY", "RANK_DEFICIENT", "scale_ratios", "search_ratios"]

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
# Rows (., t) of memory beside the Hessian.
MEMORY = 7


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
def search_ratios(
    gene: Gene,
    reml: bool,
    lattice: FloatArray,
    unit: FloatArray,
    lowest: FloatArray,
    heights: FloatArray,
    memory: FloatArray,
) -> int:
    """Write the best ratios into the first row of `memory`, and return how the search ended.

    From the best point of a lattice on, Newton's method on the ratios that are not held at zero, each step projected
    and halved until the criterion falls. Other points of a single ratio that are lower than their neighbours, and
    nearly as low as the best, are begun from too: the criterion can have two minima.

    Parameters
    ----------
    lattice
        (points,) values for every ratio, increasing: in units, or as negative parts of the lowest.
    unit, lowest
        (t,) from `scale_ratios`.
    heights
        (points,) memory.
    memory
        (MEMORY + t, t).
    """
    best = start(gene, reml, lattice, unit, lowest, heights, memory)
    if best < 0:
        return RANK_DEFICIENT
    ended = descend(gene, reml, unit, lowest, memory)
    if len(unit) > 1:
        return ended
    ratios, height, kept = memory[0], memory[5], memory[6]
    least = height[0]
    last = len(lattice) - 1
    for point in range(last + 1):
        lower = heights[point] < heights[max(point - 1, 0)] or point == 0
        lower = lower and (point == last or heights[point] < heights[point + 1])
        if point == best or not lower or heights[point] > least + NEARLY:
            continue
        kept[0] = ratios[0]
        ratios[0] = lattice[point] * unit[0] if lattice[point] >= 0.0 else -lattice[point] * lowest[0]
        other = descend(gene, reml, unit, lowest, memory)
        if height[0] < least and other != FAILED:
            least, ended = height[0], other
        else:
            ratios[0] = kept[0]
    return ended


@kernel
def descend(gene: Gene, reml: bool, unit: FloatArray, lowest: FloatArray, memory: FloatArray) -> int:
    """Move the ratios, the first row of `memory`, to a minimum; return how that ended. The sixth has its value."""
    terms = len(unit)
    ratios, gradient, free, step, hessian = memory[0], memory[1], memory[2], memory[3], memory[MEMORY:]
    df, own = (gene.samples[0] - (gene.augmented.shape[1] - 1), 1) if reml else (gene.samples[0], 0)
    ended = EXHAUSTED
    for _ in range(ITERATIONS):
        value = evaluate(ratios, gene, reml, DERIVATIVES, gradient, hessian)
        memory[5, 0] = value
        size = 0.0
        for k in range(terms):
            held = lowest[k] == 0.0 and ratios[k] == 0.0 and gradient[k] >= 0.0
            free[k] = 0.0 if held else 1.0
            size = max(size, free[k] * abs(gradient[k]) * max(ratios[k], 1e-3 * unit[k]))
        if size == 0.0:
            ended = CONVERGED
            break
        if not direction(gene, memory, df, own):
            return FAILED
        if not moved(gene, reml, unit, lowest, value, memory):
            ended = FAILED if size > FLAT * max(1.0, abs(value)) else CONVERGED
            break
        change = 0.0
        for k in range(terms):
            change = max(change, abs(step[k]) / max(abs(ratios[k]), NONE * unit[k]))
        if change < STEP:
            ended = CONVERGED
            break
    for k in range(terms):
        if ended == CONVERGED and lowest[k] == 0.0 and ratios[k] < NONE * unit[k]:
            ended = SINGULAR
    for k in range(terms):
        if ratios[k] > CAP * unit[k]:
            ended = FAILED
    return ended


@kernel
def start(
    gene: Gene,
    reml: bool,
    lattice: FloatArray,
    unit: FloatArray,
    lowest: FloatArray,
    heights: FloatArray,
    memory: FloatArray,
) -> int:
    """Write the best point of the lattice into the first row of `memory`; return its number, or -1: there is none."""
    terms, number = len(unit), len(lattice)
    ratios, trial = memory[0], memory[4]
    least, best = math.inf, -1
    for point in range(number**terms):
        rest = point
        for k in range(terms):
            part = lattice[rest % number]
            trial[k] = part * unit[k] if part >= 0.0 else -part * lowest[k]
            rest //= number
        value = evaluate(trial, gene, reml, VALUE, memory[1], memory[MEMORY:])
        if terms == 1:
            heights[point] = value
        if value < least:
            least, best = value, point
            for k in range(terms):
                ratios[k] = trial[k]
    return best


@kernel
def direction(gene: Gene, memory: FloatArray, df: float, own: int) -> bool:
    """Write the step of the free ratios: Newton's, or Fisher's where the Hessian is not positive definite."""
    gradient, free, step, hessian = memory[1], memory[2], memory[3], memory[MEMORY:]
    terms = len(free)
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
def moved(gene: Gene, reml: bool, unit: FloatArray, lowest: FloatArray, value: float, memory: FloatArray) -> bool:
    """Go along a step, made shorter until the criterion falls; return whether it does. `memory` has what was gone."""
    ratios, gradient, step, trial = memory[0], memory[1], memory[3], memory[4]
    fraction = 1.0
    for _ in range(HALVINGS):
        expected = 0.0
        for k in range(len(unit)):
            low = ratios[k] + DOWN * (lowest[k] - ratios[k]) if lowest[k] < 0.0 else 0.0
            high = UP * (abs(ratios[k]) + unit[k])
            trial[k] = min(max(ratios[k] + fraction * step[k], low), high)
            expected += gradient[k] * (trial[k] - ratios[k])
        new = evaluate(trial, gene, reml, VALUE, gradient, memory[MEMORY:])
        if new <= value + 1e-4 * expected or (abs(expected) <= ROUNDING * (1.0 + abs(value)) and math.isfinite(new)):
            memory[5, 0] = new
            for k in range(len(unit)):
                step[k] = trial[k] - ratios[k]
                ratios[k] = trial[k]
            return True
        fraction *= 0.5
    return False
