"""A line search for a step of sufficient decrease and small slope.

The caller evaluates: `begin_line` sets the first step, and `accepts` takes value and slope there and sets the next.

Source: Moré and Thuente (1994), doi:10.1145/192115.192132.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["LINE_PLACES", "LOST", "START_SLOPE", "START_VALUE", "STEP", "accepts", "begin_line"]

# Places of the state: the step to evaluate next, the longest one; value and slope at the start.
STEP, LONGEST, START_VALUE, START_SLOPE = 0, 1, 2, 3
# The best step so far, the other end of the interval of uncertainty, value and slope at both.
BEST, BEST_VALUE, BEST_SLOPE, OTHER, OTHER_VALUE, OTHER_SLOPE = 4, 5, 6, 7, 8, 9
# Where the next step has to be; the width of the interval, and that before.
LOWER, UPPER, WIDTH, OLD_WIDTH = 10, 11, 12, 13
# Flags: the interval has a minimum in it; no step with sufficient decrease yet; a division by zero.
BRACKETED, FIRST_STAGE, LOST = 14, 15, 16
LINE_PLACES = 17
# Sufficient decrease, curvature, relative width of the bracket.
DECREASE, CURVATURE, NARROW = 1e-3, 0.9, 0.1


@kernel
def begin_line(value: float, slope: float, longest: float, state: FloatArray) -> None:
    """Begin at a point with `value` and a negative `slope`; the first step is 1, or `longest` if that is shorter."""
    for place in range(LINE_PLACES):
        state[place] = 0.0
    state[STEP] = longest if longest < 1.0 else 1.0
    state[LONGEST] = longest
    state[START_VALUE] = value
    state[START_SLOPE] = slope
    state[BEST_VALUE] = value
    state[BEST_SLOPE] = slope
    state[OTHER_VALUE] = value
    state[OTHER_SLOPE] = slope
    state[UPPER] = 5.0
    state[WIDTH] = longest
    state[OLD_WIDTH] = 2.0 * longest
    state[FIRST_STAGE] = 1.0


@kernel
def accepts(value: float, slope: float, state: FloatArray) -> bool:
    """Take value and slope at the step; return whether to stop there, otherwise set the next step."""
    step, test = state[STEP], DECREASE * state[START_SLOPE]
    limit = state[START_VALUE] + step * test
    enough = value <= limit
    if enough and slope >= 0.0:
        state[FIRST_STAGE] = 0.0
    lower, upper = state[LOWER], state[UPPER]
    if state[BRACKETED] > 0.0 and (step <= lower or step >= upper or upper - lower <= NARROW * upper):
        return True
    if step == state[LONGEST] and enough and slope <= test:
        return True
    if step == 0.0 and (value > limit or slope >= test):
        return True
    if enough and abs(slope) <= CURVATURE * -state[START_SLOPE]:
        return True
    # in the first stage, a step that is better but not by enough: of the function less the sufficient decrease
    t = test if state[FIRST_STAGE] > 0.0 and value <= state[BEST_VALUE] and value > limit else 0.0
    state[BEST_VALUE] -= state[BEST] * t
    state[BEST_SLOPE] -= t
    state[OTHER_VALUE] -= state[OTHER] * t
    state[OTHER_SLOPE] -= t
    new = interpolated(value - step * t, slope - t, state)
    state[BEST_VALUE] += state[BEST] * t
    state[BEST_SLOPE] += t
    state[OTHER_VALUE] += state[OTHER] * t
    state[OTHER_SLOPE] += t
    best, other = state[BEST], state[OTHER]
    width = abs(other - best)
    if state[BRACKETED] > 0.0:
        if width >= 0.66 * state[OLD_WIDTH]:
            new = best + 0.5 * (other - best)
        state[OLD_WIDTH] = state[WIDTH]
        state[WIDTH] = width
        lower = other if other < best else best
        upper = other if other > best else best
    else:
        lower = new + 1.1 * (new - best)
        upper = new + 4.0 * (new - best)
    new = 0.0 if new < 0.0 else new
    new = state[LONGEST] if new > state[LONGEST] else new
    if state[BRACKETED] > 0.0 and (new <= lower or new >= upper or upper - lower <= NARROW * upper):
        new = best
    state[LOWER] = lower
    state[UPPER] = upper
    state[STEP] = new
    return False


@kernel
def interpolated(f: float, d: float, state: FloatArray) -> float:
    """Return a new step by interpolation, given value and slope at the last one, and set the ends of the interval."""
    step, best, f_best, d_best = state[STEP], state[BEST], state[BEST_VALUE], state[BEST_SLOPE]
    other, lower, upper = state[OTHER], state[LOWER], state[UPPER]
    new: float
    higher = f > f_best
    opposite = d * math.copysign(1.0, d_best) < 0.0
    flatter = not higher and not opposite and abs(d) < abs(d_best)
    bracketed = state[BRACKETED] > 0.0
    if higher or opposite or flatter or bracketed:
        # the minimiser of the cubic with values fa, fb and slopes da, db at a, b
        a, fa, da, b, fb, db = step, f, d, other, state[OTHER_VALUE], state[OTHER_SLOPE]
        if higher or flatter:
            a, fa, da, b, fb, db = best, f_best, d_best, step, f, d
        elif opposite:
            b, fb, db = best, f_best, d_best
        theta = 3.0 * (fa - fb) / (b - a) + da + db
        size = abs(theta)
        size = abs(da) if abs(da) > size else size
        size = abs(db) if abs(db) > size else size
        share = theta / size
        inside = share * share - (da / size) * (db / size)
        gamma = size * math.sqrt(inside if inside > 0.0 else 0.0)
        if (step > best) if flatter else (b < a):
            gamma = -gamma
        if flatter:
            numerator, denominator = (gamma - d) + theta, (gamma + (d_best - d)) + gamma
        else:
            numerator, denominator = (gamma - da) + theta, ((gamma - da) + gamma) + db
        if b == a or size == 0.0 or denominator == 0.0:
            state[LOST] = 1.0
        r = numerator / denominator
        new = step + r * (best - step) if flatter else a + r * (b - a)
        if higher:  # the minimum is bracketed
            quadratic = best + ((d_best / ((f_best - f) / (step - best) + d_best)) / 2.0) * (step - best)
            if not abs(new - best) < abs(quadratic - best):
                new = new + (quadratic - new) / 2.0
        elif opposite:  # bracketed, too
            secant = step + (d / (d - d_best)) * (best - step)
            if not abs(new - step) > abs(secant - step):
                new = secant
        elif flatter:  # the cubic may have its minimum beyond, or none at all
            if not (r < 0.0 and gamma != 0.0):
                new = upper if step > best else lower
            secant = step + (d / (d - d_best)) * (best - step)
            if bracketed:
                if not abs(new - step) < abs(secant - step):
                    new = secant
                edge = step + 0.66 * (other - step)
                if (new > edge) if step > best else (new < edge):
                    new = edge
            elif not abs(new - step) > abs(secant - step):
                new = secant
    else:
        new = upper if step > best else lower
    if not (bracketed or higher or opposite):
        new = lower if new < lower else new
        new = upper if new > upper else new
    if higher or opposite:
        state[BRACKETED] = 1.0
    if higher:
        state[OTHER] = step
        state[OTHER_VALUE] = f
        state[OTHER_SLOPE] = d
    else:
        if opposite:
            state[OTHER] = best
            state[OTHER_VALUE] = f_best
            state[OTHER_SLOPE] = d_best
        state[BEST] = step
        state[BEST_VALUE] = f
        state[BEST_SLOPE] = d
    return new
