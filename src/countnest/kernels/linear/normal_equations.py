"""Normal equations of many genes: their solutions and inverses, eight genes at a time.

Source: Golub and Van Loan (2013), Matrix Computations, section 4.1.2: A = L D L', without square roots.
"""

from __future__ import annotations

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, load_row, new_lanes

__all__ = ["normal_equations_chunk"]


@kernel
def decompose(triangle: FloatArray, factor: FloatArray) -> None:
    """Write L below the diagonal of `factor` (p, p), 1 / D on it and D L' above it, for a packed upper triangle."""
    p = factor.shape[0]
    place = 0
    for i in range(p):
        for j in range(i, p):
            entry = triangle[place]
            for k in range(i):
                entry = entry - factor[i, k] * factor[k, j]
            factor[i, j] = entry
            place += 1
        factor[i, i] = 1.0 / factor[i, i]
        for j in range(i + 1, p):
            factor[j, i] = factor[i, j] * factor[i, i]


@kernel
def invert(factor: FloatArray, inner: FloatArray, scaled: FloatArray) -> None:
    """Write M = L^-1 into the lower triangle of `inner` (p, p), and D^-1 M into that of `scaled` (p, p)."""
    p = factor.shape[0]
    for i in range(p):
        for j in range(i):
            entry = 0.0 - factor[i, j]
            for k in range(j + 1, i):
                entry = entry - factor[i, k] * inner[k, j]
            inner[i, j] = entry
            scaled[i, j] = entry * factor[i, i]
        inner[i, i] = 1.0
        scaled[i, i] = factor[i, i]


@kernel
def write_inverse(inner: FloatArray, scaled: FloatArray, triangle_out: FloatArray) -> None:
    """Write the packed upper triangle of M' D^-1 M."""
    p = inner.shape[0]
    place = 0
    for i in range(p):
        for j in range(i, p):
            entry = 0.0
            for k in range(j, p):
                entry = entry + inner[k, i] * scaled[k, j]
            triangle_out[place] = entry
            place += 1


@kernel
def write_solution(inner: FloatArray, scaled: FloatArray, right: FloatArray, solution_out: FloatArray) -> None:
    """Write M' D^-1 M times `right` (p,) into `solution_out` (p,)."""
    p = inner.shape[0]
    for i in range(p):
        solution_out[i] = 0.0 * right[i]
    for k in range(p):
        entry = 0.0
        for j in range(k + 1):
            entry = entry + inner[k, j] * right[j]
        for i in range(k + 1):
            solution_out[i] += scaled[k, i] * entry


@kernel
def normal_equations_chunk(
    triangles: FloatArray, right: FloatArray, inverse_out: FloatArray, solution_out: FloatArray
) -> None:
    """Solve the equations A x = b of all genes, and invert their matrices.

    Parameters
    ----------
    triangles
        (G, p (p + 1) / 2) the upper triangles of A, row by row; A is positive definite.
    right
        b (G, p)
    inverse_out, solution_out
        The upper triangles of the inverses, and x (G, p).
    """
    (n_genes, size), p = triangles.shape, right.shape[1]
    packed, sides, solutions = new_lanes(size), new_lanes(p), new_lanes(p)
    triangle, side, solution = as_lanes(packed), as_lanes(sides), as_lanes(solutions)
    factor = as_lanes(new_lanes(p * p).reshape(p, p, LANES))
    inner = as_lanes(new_lanes(p * p).reshape(p, p, LANES))
    scaled = as_lanes(new_lanes(p * p).reshape(p, p, LANES))
    for begin in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - begin)
        for lane in range(n_lanes):
            load_row(triangles, begin + lane, lane, packed)
            load_row(right, begin + lane, lane, sides)
        decompose(triangle, factor)
        invert(factor, inner, scaled)
        write_inverse(inner, scaled, triangle)
        write_solution(inner, scaled, side, solution)
        for lane in range(n_lanes):
            for k in range(size):
                inverse_out[begin + lane, k] = packed[k, lane]
            for k in range(p):
                solution_out[begin + lane, k] = solutions[k, lane]
