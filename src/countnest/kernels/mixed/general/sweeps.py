"""Linear mixed models of any random terms, for given variances of the random effects: sums, elimination, likelihood.

Samples that share levels, directly or through others, form a *component*; coefficients of random effects of different
components never meet. In a component, the coefficients of one term and one level are a *level*. Levels are eliminated
one after the other from the cross-products of all columns, so that only columns that meet in some sample cost anything:
one grouping factor, a nested chain and crossed factors are the same loop.

n samples, p fixed and c random columns, t variance parameters, m components, q random effects of the largest of them.
Relative covariance factor: L (c, c), triangles of the terms along the diagonal. V = W^-1 + Z LL' Z', W the weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.dense import cholesky
from countnest.kernels.compiler.jit import kernel

__all__ = ["Structure", "Work", "evaluate", "new_work", "sums_of_columns", "sums_of_response"]


class Structure(NamedTuple):
    """What all genes share.

    Attributes
    ----------
    basis
        (n, p) fixed columns.
    columns
        (n, c) random columns.
    component
        (n,) the component of each sample.
    place
        (n, c) where in its component the coefficient of a column is.
    pointer
        (m + 1,) the first level of each component.
    levels
        (levels, 2) the term of a level, and the place of its first coefficient.
    starts
        (terms + 1,) the first random column of each term.
    entries
        (t, 2) row and column in L of each variance parameter, term after term.
    firsts
        (terms + 1,) the first variance parameter of each term.
    """

    basis: FloatArray
    columns: FloatArray
    component: IntArray
    place: IntArray
    pointer: IntArray
    levels: IntArray
    starts: IntArray
    entries: IntArray
    firsts: IntArray


class Work(NamedTuple):
    """What one gene needs, made once for a chunk.

    Attributes
    ----------
    own, tail
        (m, q, q + p + 1) and (p + 1, p + 1) weighted cross-products: of the random columns of a component with
        themselves, with the fixed columns and with y; of the fixed columns and y.
    factor
        (c, c) L.
    whole, rows, small, where
        (q + p + 1, q + p + 1), (c, q + p + 1), (c, c), (q + p + 1,) of an elimination.
    inner, cross, residual
        (m, q, q) F = Z'V^-1 Z, (m, q, p) Z'V^-1 X and (m, q) Z'V^-1 (y - X beta), the last two once `whiten` has been
        called; the rows of the second are then multiplied by the inverse of the root of X'V^-1 X.
    root, score
        (p, p) lower Cholesky factor of X'V^-1 X, and (p,) its inverse times X'V^-1 y.
    """

    own: FloatArray
    tail: FloatArray
    factor: FloatArray
    whole: FloatArray
    rows: FloatArray
    small: FloatArray
    where: IntArray
    inner: FloatArray
    cross: FloatArray
    residual: FloatArray
    root: FloatArray
    score: FloatArray


def new_work(structure: Structure) -> Work:
    """Return the arrays for one gene at a time; not compiled."""
    p, c = structure.basis.shape[1], structure.columns.shape[1]
    m, q = len(structure.pointer) - 1, int(structure.place.max()) + 1
    width = q + p + 1
    return Work(
        np.zeros((m, q, width)),
        np.zeros((p + 1, p + 1)),
        np.zeros((c, c)),
        np.zeros((width, width)),
        np.zeros((c, width)),
        np.zeros((c, c)),
        np.zeros(width, dtype=np.int64),
        np.zeros((m, q, q)),
        np.zeros((m, q, p)),
        np.zeros((m, q)),
        np.zeros((p, p)),
        np.zeros(p),
    )


@kernel
def sums_of_columns(structure: Structure, weight: FloatArray, work: Work) -> None:
    """Write the cross-products of the columns with weights (n,)."""
    basis, columns = structure.basis, structure.columns
    n, p = basis.shape
    c = columns.shape[1]
    q = work.own.shape[1]
    work.own[:, :, : q + p] = 0.0
    work.tail[:p, :p] = 0.0
    for i in range(n):
        j = structure.component[i]
        for a in range(c):
            value = weight[i] * columns[i, a]
            if value == 0.0:
                continue
            row = structure.place[i, a]
            for b in range(c):
                work.own[j, row, structure.place[i, b]] += value * columns[i, b]
            for k in range(p):
                work.own[j, row, q + k] += value * basis[i, k]
        for k in range(p):
            value = weight[i] * basis[i, k]
            for h in range(k, p):
                work.tail[k, h] += value * basis[i, h]


@kernel
def sums_of_response(structure: Structure, y: FloatArray, weight: FloatArray, work: Work) -> None:
    """Write the cross-products with y (n,), weights (n,)."""
    basis, columns = structure.basis, structure.columns
    n, p = basis.shape
    c = columns.shape[1]
    last = work.own.shape[2] - 1
    work.own[:, :, last] = 0.0
    work.tail[:, p] = 0.0
    for i in range(n):
        value = weight[i] * y[i]
        j = structure.component[i]
        for a in range(c):
            work.own[j, structure.place[i, a], last] += value * columns[i, a]
        for k in range(p):
            work.tail[k, p] += value * basis[i, k]
        work.tail[p, p] += value * y[i]


@kernel
def level_rows(
    level: tuple[int, int, int, int], whole: FloatArray, factor: FloatArray, rows: FloatArray, where: IntArray
) -> int:
    """Write L'Z'V^-1 (Z, X, y) of a level, as in `sweep`, and where it is not zero; return at how many places."""
    start, first, k, _ = level
    for i in range(k):
        for b in range(k):
            rows[i, start + b] = 0.0
    count = 0
    for v in range(whole.shape[0]):
        there = False
        for i in range(k):
            there = there or whole[start + i, v] != 0.0
        if there:
            where[count] = v
            count += 1
            for i in range(k):
                entry = 0.0
                for a in range(i, k):
                    entry += factor[first + a, first + i] * whole[start + a, v]
                rows[i, v] = entry
    return count


@kernel
def sweep(
    level: tuple[int, int, int, int],
    whole: FloatArray,
    factor: FloatArray,
    rows: FloatArray,
    small: FloatArray,
    where: IntArray,
) -> float:
    """Eliminate the random effects of a level from `whole`, and return log |M|; M = L'Z'V^-1 Z L + I.

    The level is given by (its first place, its first column, the number of its columns, all places). V is that without
    its random effects before, and with them after. Of the rows of fixed columns and y only the upper triangle is kept.
    """
    start, first, k, q = level
    count = level_rows(level, whole, factor, rows, where)
    log_determinant = 0.0
    for i in range(k):
        for j in range(i + 1):
            entry = 1.0 if i == j else 0.0
            for b in range(j, k):
                entry += rows[i, start + b] * factor[first + b, first + j]
            for a in range(j):
                entry -= small[i, a] * small[j, a]
            if i == j:
                log_determinant += math.log(entry)
            small[i, j] = math.sqrt(entry) if i == j else entry / small[j, j]
    for x in range(count):
        v = where[x]
        for i in range(k):
            entry = rows[i, v]
            for a in range(i):
                entry -= small[i, a] * rows[a, v]
            rows[i, v] = entry / small[i, i]
    for x in range(count):
        u = where[x]
        for z in range(x, count):
            v = where[z]
            entry = 0.0
            for i in range(k):
                entry += rows[i, u] * rows[i, v]
            whole[u, v] -= entry
            if v < q and u != v:
                whole[v, u] = whole[u, v]
    return log_determinant


@kernel
def solve_fixed(whole: FloatArray, q: int, root: FloatArray, score: FloatArray) -> tuple[float, float]:
    """Write root and score of the fixed columns, and return log |X'V^-1 X| and y'Py; of `whole` that begins at q."""
    p = len(score)
    for k in range(p):
        for h in range(k, p):
            root[h, k] = whole[q + k, q + h]
    log_s = cholesky(root)
    square: float = whole[q + p, q + p]
    for k in range(p):
        entry = whole[q + k, q + p]
        for h in range(k):
            entry -= root[k, h] * score[h]
        score[k] = entry / root[k, k]
        square -= score[k] * score[k]
    return log_s, square


@kernel
def evaluate(theta: FloatArray, df: float, restricted: bool, structure: Structure, work: Work) -> tuple[float, float]:
    """Return the profiled deviance at variance parameters (t,), but for constants, and the sum of squares y'Py."""
    own, whole, tail, root, score = work.own, work.whole, work.tail, work.root, work.score
    factor, rows, small, where = work.factor, work.rows, work.small, work.where
    inner, cross, residual = work.inner, work.cross, work.residual
    pointer, levels, starts, entries = structure.pointer, structure.levels, structure.starts, structure.entries
    m, q, width = own.shape
    p = width - q - 1
    for r in range(len(theta)):
        factor[entries[r, 0], entries[r, 1]] = theta[r]
    for k in range(p + 1):
        for h in range(k, p + 1):
            whole[q + k, q + h] = tail[k, h]
    log_m = 0.0
    for j in range(m):
        for u in range(q):
            for v in range(width):
                whole[u, v] = own[j, u, v]
        for level in range(pointer[j], pointer[j + 1]):
            first = starts[levels[level, 0]]
            size = starts[levels[level, 0] + 1] - first
            log_m += sweep((levels[level, 1], first, size, q), whole, factor, rows, small, where)
        for u in range(q):
            for v in range(q):
                inner[j, u, v] = whole[u, v]
            for k in range(p):
                cross[j, u, k] = whole[u, q + k]
            residual[j, u] = whole[u, q + p]
    log_s, square = solve_fixed(whole, q, root, score)
    if not square > 0.0:
        return math.inf, square
    return log_m + (log_s if restricted else 0.0) + df * (1.0 + math.log(2.0 * math.pi * square / df)), square


@kernel
def whiten(work: Work) -> None:
    """Turn the rows of `cross` into those of orthonormal coefficients, and `residual` into Z'V^-1 (y - X beta)."""
    root, score, cross, residual = work.root, work.score, work.cross, work.residual
    m, q, p = cross.shape
    for j in range(m):
        for u in range(q):
            for k in range(p):
                entry = cross[j, u, k]
                for h in range(k):
                    entry -= root[k, h] * cross[j, u, h]
                entry /= root[k, k]
                cross[j, u, k] = entry
                residual[j, u] -= entry * score[k]
