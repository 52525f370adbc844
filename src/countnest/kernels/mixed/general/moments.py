"""What tests and predictions of linear mixed models need, at given variances. Symbols: see `sweeps`."""

from __future__ import annotations

from typing import NamedTuple

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.general.derivatives import Sums, add_levels, close_sums
from countnest.kernels.mixed.general.sweeps import (
    Structure,
    Work,
    evaluate,
    sums_of_columns,
    sums_of_response,
    whiten,
)

__all__ = ["Moments", "moments_chunk", "predictions_chunk"]


class Moments(NamedTuple):
    """Arrays by gene, written by `moments_chunk`. Whitened: of coefficients whose covariance is that of the residuals.

    Attributes
    ----------
    root
        (G, p, p) lower Cholesky factors of X'V^-1 X.
    fixed
        (G, t, p, p) X'V^-1 dV_r V^-1 X, whitened, with dV_r = Z E_r Z'.
    products
        (G, t, t, p, p) X'V^-1 dV_r V^-1 dV_s V^-1 X, whitened, for r <= s.
    traces, informations
        (G, 2, t) tr(V^-1 dV_r) and tr(P dV_r); (G, 2, t, t) tr(V^-1 dV_r V^-1 dV_s) and tr(P dV_r P dV_s).
    squares, curves
        (G, t) y'P dV_r P y and (G, t, t) y'P dV_r P dV_s P y, over y'P y.
    """

    root: FloatArray
    fixed: FloatArray
    products: FloatArray
    traces: FloatArray
    informations: FloatArray
    squares: FloatArray
    curves: FloatArray


@kernel
def at_given(y: FloatArray, weight: FloatArray, theta: FloatArray, structure: Structure, work: Work) -> float:
    """Evaluate a gene y (n,) at theta (t,), whiten, and return the sum of squares."""
    sums_of_columns(structure, weight, work)
    sums_of_response(structure, y, weight, work)
    _, square = evaluate(theta, 1.0, True, structure, work)
    whiten(work)
    return square


@kernel
def pair_products(
    inner: FloatArray, cross: FloatArray, left: tuple[int, int], right: tuple[int, int], out: FloatArray
) -> None:
    """Add X'V^-1 dV_r V^-1 dV_s V^-1 X (p, p), of orthonormal coefficients, for one pair of levels."""
    p = cross.shape[1]
    for one in range(1 if left[0] == left[1] else 2):
        i, j = left[one], left[1 - one]
        for two in range(1 if right[0] == right[1] else 2):
            k, h = right[two], right[1 - two]
            value = inner[j, k]
            if value == 0.0:
                continue
            for a in range(p):
                for b in range(p):
                    out[a, b] += value * cross[i, a] * cross[h, b]


@kernel
def products(structure: Structure, work: Work, out: FloatArray) -> None:
    """Write X'V^-1 dV_r V^-1 dV_s V^-1 X (t, t, p, p), of orthonormal coefficients, for r <= s."""
    entries, firsts, starts, levels = structure.entries, structure.firsts, structure.starts, structure.levels
    out[:] = 0.0
    for j in range(len(structure.pointer) - 1):
        inner, cross = work.inner[j], work.cross[j]
        for one in range(structure.pointer[j], structure.pointer[j + 1]):
            for two in range(structure.pointer[j], structure.pointer[j + 1]):
                term, other = levels[one, 0], levels[two, 0]
                shift, move = levels[one, 1] - starts[term], levels[two, 1] - starts[other]
                for r in range(firsts[term], firsts[term + 1]):
                    left = (entries[r, 0] + shift, entries[r, 1] + shift)
                    for s in range(max(r, firsts[other]), firsts[other + 1]):
                        right = (entries[s, 0] + move, entries[s, 1] + move)
                        pair_products(inner, cross, left, right, out[r, s])


@kernel
def moments_chunk(
    y: FloatArray,
    weights: FloatArray,
    structure: Structure,
    work: Work,
    sums: Sums,
    theta: FloatArray,
    out: Moments,
) -> None:
    """Write the moments of genes y (G, n) at theta (G, t)."""
    t = len(structure.entries)
    for g in range(y.shape[0]):
        weight = weights[0 if weights.shape[0] == 1 else g]
        square = at_given(y[g], weight, theta[g], structure, work)
        for which in range(2):
            add_levels(structure, work, which == 1, sums)
            close_sums(which == 1, sums)
            out.traces[g, which] = sums.trace
            out.informations[g, which] = sums.information
        out.root[g] = work.root
        out.fixed[g] = sums.fixed
        for r in range(t):
            out.squares[g, r] = sums.square[r] / square
            for s in range(t):
                out.curves[g, r, s] = sums.curve[r, s] / square
        products(structure, work, out.products[g])


@kernel
def predictions_chunk(
    y: FloatArray,
    weights: FloatArray,
    structure: Structure,
    work: Work,
    theta: FloatArray,
    residual_out: FloatArray,
    own_out: FloatArray,
) -> None:
    """Write Z'V^-1 (y - X beta) (G, m, q), and of each level its own part of Z'V^-1 Z, (G, m, q, columns of a term).

    Genes y (G, n) at theta (G, t).
    """
    pointer, levels, starts = structure.pointer, structure.levels, structure.starts
    for g in range(y.shape[0]):
        weight = weights[0 if weights.shape[0] == 1 else g]
        at_given(y[g], weight, theta[g], structure, work)
        residual_out[g] = work.residual
        for j in range(len(pointer) - 1):
            for level in range(pointer[j], pointer[j + 1]):
                begin = levels[level, 1]
                for a in range(starts[levels[level, 0] + 1] - starts[levels[level, 0]]):
                    for b in range(starts[levels[level, 0] + 1] - starts[levels[level, 0]]):
                        own_out[g, j, begin + a, b] = work.inner[j, begin + a, begin + b]
