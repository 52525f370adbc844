"""Derivatives of the likelihood of linear mixed models, in the entries of LL' and of L. Symbols: see `sweeps`.

gamma_r is an entry of LL' in one term, dV/dgamma_r = Z E_r Z', and P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.general.sweeps import Structure, Work

__all__ = ["Sums", "add_levels", "close_sums", "derivatives", "in_factor", "new_sums"]


class Sums(NamedTuple):
    """Traces and quadratic forms of t variance parameters.

    Attributes
    ----------
    trace, information
        (t,) tr(P dV_r) and (t, t) tr(P dV_r P dV_s), or with V^-1 for P if the likelihood is not restricted.
    square, curve
        (t,) y'P dV_r P y and (t, t) y'P dV_r P dV_s P y.
    fixed
        (t, p, p) X'V^-1 dV_r V^-1 X of orthonormal coefficients.
    tie
        (t, p) X'V^-1 dV_r P y of orthonormal coefficients.
    gradient, hessian
        (t,) and (t, t) of a likelihood in gamma.
    jacobian
        (t, t) of gamma (rows) in theta.
    """

    trace: FloatArray
    information: FloatArray
    square: FloatArray
    curve: FloatArray
    fixed: FloatArray
    tie: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    jacobian: FloatArray


def new_sums(structure: Structure) -> Sums:
    """Return the arrays for one gene at a time; not compiled."""
    t, p = len(structure.entries), structure.basis.shape[1]
    return Sums(
        np.zeros(t),
        np.zeros((t, t)),
        np.zeros(t),
        np.zeros((t, t)),
        np.zeros((t, p, p)),
        np.zeros((t, p)),
        np.zeros(t),
        np.zeros((t, t)),
        np.zeros((t, t)),
    )


@kernel
def level_sums(
    level: tuple[int, int, int, int, int],
    entries: IntArray,
    inner: FloatArray,
    cross: FloatArray,
    residual: FloatArray,
    restricted: bool,
    trace: FloatArray,
    square: FloatArray,
    fixed: FloatArray,
    tie: FloatArray,
) -> None:
    """Add what a level contributes to sums with one parameter.

    The level is given by (component, parameters from, to, places less columns, number).
    """
    m, p = level[0], cross.shape[2]
    for r in range(level[1], level[2]):
        i, j = entries[r, 0] + level[3], entries[r, 1] + level[3]
        both = 1.0 if i == j else 2.0
        value = inner[m, i, j]
        for k in range(p):
            left, right = cross[m, i, k], cross[m, j, k]
            if restricted:
                value -= left * right
            tie[r, k] += left * residual[m, i] if i == j else left * residual[m, j] + right * residual[m, i]
            for h in range(p):
                entry = left * cross[m, j, h]
                fixed[r, k, h] += entry if i == j else entry + right * cross[m, i, h]
        trace[r] += both * value
        square[r] += both * residual[m, i] * residual[m, j]


@kernel
def pair_sums(
    one: tuple[int, int, int, int, int],
    two: tuple[int, int, int, int, int],
    entries: IntArray,
    inner: FloatArray,
    other: FloatArray,
    residual: FloatArray,
    information: FloatArray,
    curve: FloatArray,
) -> None:
    """Add tr(E_r F E_s G) and e'E_r F E_s e for two levels, as in `level_sums`; `other` (columns, columns) is G."""
    m, shift, move = one[0], one[3], two[3]
    for r in range(one[1], one[2]):
        a, b = entries[r, 0], entries[r, 1]
        for s in range(r if one[4] == two[4] else two[1], two[2]):
            c, d = entries[s, 0], entries[s, 1]
            trace, bend = 0.0, 0.0
            for first in range(1 if a == b else 2):
                i, j = (a, b) if first == 0 else (b, a)
                for second in range(1 if c == d else 2):
                    k, h = (c, d) if second == 0 else (d, c)
                    value = inner[m, j + shift, k + move]
                    trace += value * other[h, i]
                    bend += value * residual[m, i + shift] * residual[m, h + move]
            information[r, s] += trace
            curve[r, s] += bend
            if one[4] != two[4] or r != s:
                information[s, r] += trace
                curve[s, r] += bend


@kernel
def other_factor(
    rows: tuple[int, int, int, int],
    columns: tuple[int, int, int, int],
    inner: FloatArray,
    cross: FloatArray,
    restricted: bool,
    out: FloatArray,
) -> bool:
    """Write F, or F - 2 N with N = F - Z'PZ, between two levels; return False where F is zero there.

    The levels are given by (component, columns from, to, places less columns).
    """
    m, move, shift = rows[0], rows[3], columns[3]
    there = False
    for a in range(rows[1], rows[2]):
        for b in range(columns[1], columns[2]):
            there = there or inner[m, a + move, b + shift] != 0.0
    if there:
        for a in range(rows[1], rows[2]):
            for b in range(columns[1], columns[2]):
                value = inner[m, a + move, b + shift]
                if restricted:
                    for k in range(cross.shape[2]):
                        value -= 2.0 * cross[m, a + move, k] * cross[m, b + shift, k]
                out[a, b] = value
    return there


@kernel
def add_levels(structure: Structure, work: Work, restricted: bool, sums: Sums) -> None:
    """Write the sums over all levels, and pairs of levels of a component, once an evaluation is whitened."""
    pointer, levels, starts = structure.pointer, structure.levels, structure.starts
    entries, firsts = structure.entries, structure.firsts
    inner, cross, residual, small = work.inner, work.cross, work.residual, work.small
    trace, square, fixed, tie = sums.trace, sums.square, sums.fixed, sums.tie
    information, curve = sums.information, sums.curve
    trace[:] = 0.0
    square[:] = 0.0
    information[:] = 0.0
    curve[:] = 0.0
    tie[:] = 0.0
    fixed[:] = 0.0
    for j in range(len(pointer) - 1):
        last = pointer[j + 1]
        for one in range(pointer[j], last):
            term = levels[one, 0]
            shift = levels[one, 1] - starts[term]
            left = (j, firsts[term], firsts[term + 1], shift, one)
            level_sums(left, entries, inner, cross, residual, restricted, trace, square, fixed, tie)
            columns = (j, starts[term], starts[term + 1], shift)
            for two in range(one, last):
                other = levels[two, 0]
                move = levels[two, 1] - starts[other]
                rows = (j, starts[other], starts[other + 1], move)
                if other_factor(rows, columns, inner, cross, restricted, small):
                    right = (j, firsts[other], firsts[other + 1], move, two)
                    pair_sums(left, right, entries, inner, small, residual, information, curve)


@kernel
def close_sums(restricted: bool, sums: Sums) -> None:
    """Complete the sums over levels by what the fixed columns take away."""
    information, curve, fixed, tie = sums.information, sums.curve, sums.fixed, sums.tie
    t, p = tie.shape
    for r in range(t):
        for s in range(t):
            for k in range(p):
                curve[r, s] -= tie[r, k] * tie[s, k]
                for h in range(p if restricted else 0):
                    information[r, s] += fixed[r, k, h] * fixed[s, k, h]


@kernel
def derivatives(square: float, df: float, profiled: bool, sums: Sums) -> None:
    """Write gradient and Hessian, in gamma, of the deviance with sums of squares y'Py = `square` on `df`.

    Profiled, the variance is y'Py / df wherever gamma is; otherwise it is held at that value.
    """
    t = len(sums.trace)
    scale = df / square
    for r in range(t):
        sums.gradient[r] = sums.trace[r] - scale * sums.square[r]
        for s in range(t):
            value = 2.0 * scale * sums.curve[r, s] - sums.information[r, s]
            if profiled:
                value -= scale * sums.square[r] * sums.square[s] / square
            sums.hessian[r, s] = value


@kernel
def in_factor(structure: Structure, work: Work, sums: Sums, gradient: FloatArray, hessian: FloatArray) -> None:
    """Write gradient (t,) and Hessian (t, t) in theta, the entries of L, from those in gamma; and the Jacobian."""
    entries, factor, jacobian = structure.entries, work.factor, sums.jacobian
    t = len(entries)
    for r in range(t):
        u, v = entries[r]
        for i in range(t):
            a, b = entries[i]
            value = 0.0
            if u == a:
                value += factor[v, b]
            if v == a:
                value += factor[u, b]
            jacobian[r, i] = value
    hessian[:] = 0.0
    for i in range(t):
        gradient[i] = 0.0
        for r in range(t):
            gradient[i] += jacobian[r, i] * sums.gradient[r]
            if jacobian[r, i] == 0.0:
                continue
            for j in range(t):
                for s in range(t):
                    hessian[i, j] += jacobian[r, i] * sums.hessian[r, s] * jacobian[s, j]
    for r in range(t):
        u, v = entries[r]
        for i in range(t):
            for j in range(t):
                if entries[i, 1] != entries[j, 1]:
                    continue
                a, c = entries[i, 0], entries[j, 0]
                if u == a and v == c:
                    hessian[i, j] += sums.gradient[r]
                if u == c and v == a:
                    hessian[i, j] += sums.gradient[r]
