"""What tests and predictions of linear mixed models need, at given variances. Symbols: see `sweeps`."""

from __future__ import annotations

from typing import NamedTuple

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.general.derivatives import Sums, add_levels, close_sums, derivatives, in_factor
from countnest.kernels.mixed.general.sweeps import (
    Structure,
    Work,
    evaluate,
    sums_of_columns,
    sums_of_response,
    whiten,
)

__all__ = ["KernelMoments", "moments_chunk", "predictions_chunk"]


class KernelMoments(NamedTuple):
    """Arrays by gene; see `stats.mixed.moments.Moments`."""

    root: FloatArray
    fixed: FloatArray
    trace: FloatArray
    information: FloatArray
    jacobian: FloatArray
    hessian: FloatArray
    slope: FloatArray
    products: FloatArray


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
    df: FloatArray,
    restricted: bool,
    out: KernelMoments,
) -> None:
    """Write what tests of genes y (G, n) need at theta (G, t), with `df` (G,).

    Products of length 0 are not computed.
    """
    t = len(structure.entries)
    for g in range(y.shape[0]):
        weight = weights[0 if weights.shape[0] == 1 else g]
        square = at_given(y[g], weight, theta[g], structure, work)
        add_levels(structure, work, restricted, sums)
        close_sums(restricted, sums)
        derivatives(square, df[g], False, sums)
        in_factor(structure, work, sums, out.slope[g], out.hessian[g])
        out.root[g] = work.root
        out.fixed[g] = sums.fixed
        out.trace[g] = sums.trace
        out.information[g] = sums.information
        out.jacobian[g] = sums.jacobian
        for i in range(t):
            out.slope[g, i] = 0.0
            for r in range(t):
                out.slope[g, i] -= sums.jacobian[r, i] * sums.square[r]
        if out.products.shape[0] > 0:
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
