"""What tests of a gene consist of, at given variance ratios. p columns, t terms."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.gene import Gene
from countnest.kernels.mixed.triangles import backward, forward, multiply

__all__ = ["form_pairs", "solve_rows"]


@kernel
def solve_rows(gene: Gene, rows: FloatArray, solved_out: FloatArray, half_out: FloatArray) -> None:
    """Write S^-1 l (k, p), and L^-1 N_k S^-1 l (t, k, p)."""
    p = rows.shape[1]
    for i in range(len(rows)):
        for m in range(p):
            solved_out[i, m] = rows[i, m]
        forward(gene.factor, p, solved_out[i])
        backward(gene.factor, p, solved_out[i])
        for k in range(len(half_out)):
            multiply(gene.forms[1 + k], p, solved_out[i], half_out[k, i])
            forward(gene.factor, p, half_out[k, i])


@kernel
def form_pairs(
    gene: Gene,
    solved: FloatArray,
    half: FloatArray,
    rows: FloatArray,
    pairs: IntArray,
    covariance_out: FloatArray,
    slopes_out: FloatArray,
    bends_out: FloatArray,
) -> None:
    """Write the forms of each pair of rows; see `fit.mixed_chunk`."""
    terms, p = len(half), rows.shape[1]
    product = np.empty(p)
    for c in range(len(pairs)):
        i, j = pairs[c, 0], pairs[c, 1]
        covariance_out[c] = dot(solved[i], rows[j])
        place = 0
        for k in range(terms):
            multiply(gene.forms[1 + k], p, solved[j], product)
            slopes_out[k, c] = dot(solved[i], product)
            for m in range(k + 1):
                multiply(gene.forms[1 + terms + place], p, solved[j], product)
                across = 0.5 * (dot(half[k, i], half[m, j]) + dot(half[m, i], half[k, j]))
                bends_out[place, c] = dot(solved[i], product) - across
                place += 1


@kernel
def dot(one: FloatArray, other: FloatArray) -> float:
    """Return the product of two vectors."""
    total = 0.0
    for i in range(len(one)):
        total += one[i] * other[i]
    return total
