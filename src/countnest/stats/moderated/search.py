"""The root and the minimum of a function of one number, by Brent's methods.

Source: Brent (1973), Algorithms for Minimization without Derivatives, chapters 4 and 5. Where a search ends within its
tolerance is part of estimates that are compared with R, and so the steps are his to the letter; those of scipy's
`minimize_scalar` have another machine epsilon.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["find_minimum", "find_root"]

EPSILON = float(np.finfo(np.float64).eps)
MAX_STEPS = 1000
ROOT_EPSILON = EPSILON**0.5
GOLDEN = 0.5 * (3.0 - 5.0**0.5)


def find_root(
    function: Callable[[float], float], low: tuple[float, float], high: tuple[float, float], tolerance: float
) -> float:
    """Return where a continuous function is zero, between two points (x, value) whose values differ in sign.

    Notes
    -----
    R counterpart: stats::uniroot.
    """
    (a, fa), (b, fb) = low, high
    c, fc = a, fa
    for _ in range(MAX_STEPS):
        last = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 2.0 * EPSILON * abs(b) + 0.5 * tolerance
        middle = 0.5 * (c - b)
        if abs(middle) <= least or fb == 0:
            break
        step = middle
        if abs(last) >= least and abs(fa) > abs(fb):
            step = _interpolated(middle, (a, fa), (b, fb), (c, fc), (last, least))
        if abs(step) < least:
            step = least if step > 0 else -least
        a, fa = b, fb
        b += step
        fb = function(b)
        if (fb > 0) == (fc > 0) and fb != 0:
            c, fc = a, fa
    return b


def _interpolated(
    middle: float,
    a: tuple[float, float],
    b: tuple[float, float],
    c: tuple[float, float],
    limits: tuple[float, float],
) -> float:
    """Return the secant or inverse quadratic step from b; the bisection if it would go too far or gains too little."""
    last, least = limits
    s = b[1] / a[1]
    if a[0] == c[0]:
        p, q = 2.0 * middle * s, 1.0 - s
    else:
        q, r = a[1] / c[1], b[1] / c[1]
        p = s * (2.0 * middle * q * (q - r) - (b[0] - a[0]) * (r - 1.0))
        q = (q - 1.0) * (r - 1.0) * (s - 1.0)
    if p > 0:
        q = -q
    else:
        p = -p
    if p < 1.5 * middle * q - 0.5 * abs(least * q) and p < 0.5 * abs(last * q):
        return p / q
    return middle


def find_minimum(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return where a function has a minimum between two numbers, to `tolerance`; near an end if it lies there.

    Notes
    -----
    R counterpart: stats::optimize, with a tolerance of the fourth root of the machine epsilon if none is given.
    """
    a, b = low, high
    start = a + GOLDEN * (b - a)
    best = second = third = (start, function(start))
    step = before = 0.0
    for _ in range(MAX_STEPS):
        x = best[0]
        middle, least = 0.5 * (a + b), ROOT_EPSILON * abs(x) + tolerance / 3.0
        if abs(x - middle) <= 2.0 * least - 0.5 * (b - a):
            break
        parabolic = _parabolic_step(best, second, third) if abs(before) > least else None
        if parabolic is not None and abs(parabolic) < 0.5 * abs(before) and a < x + parabolic < b:
            before, step = step, parabolic
            if x + step - a < 2.0 * least or b - x - step < 2.0 * least:
                step = least if x < middle else -least
        else:
            before = (b if x < middle else a) - x
            step = GOLDEN * before
        at = x + (step if abs(step) >= least else (least if step > 0 else -least))
        new = (at, function(at))
        if new[1] <= best[1]:
            a, b = (a, x) if at < x else (x, b)
            best, second, third = new, best, second
        else:
            a, b = (at, b) if at < x else (a, at)
            if new[1] <= second[1] or second[0] == x:
                second, third = new, second
            elif new[1] <= third[1] or third[0] in (x, second[0]):
                third = new
    return best[0]


def _parabolic_step(best: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> float | None:
    """Return the step from the best point to the extremum of the parabola through three; None if there is none."""
    (x, fx), (w, fw), (v, fv) = best, second, third
    r, q = (x - w) * (fx - fv), (x - v) * (fx - fw)
    p, q = (x - v) * q - (x - w) * r, 2.0 * (q - r)
    return None if q == 0 else -p / q
