"""Linear mixed models of many genes. G genes, n samples, p columns, t terms."""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.contrasts import form_pairs, solve_rows
from countnest.kernels.mixed.gene import Gene, Inputs, evaluate, load, new_gene
from countnest.kernels.mixed.levels import DERIVATIVES, VALUE
from countnest.kernels.mixed.search import (
    CONVERGED,
    DESCENT,
    DONE,
    ENDED,
    FINAL,
    MEMORY,
    NUMBERS,
    PHASE,
    RANK_DEFICIENT,
    SLOPE,
    STATES,
    TRIAL,
    begin,
    next_trial,
    scale_ratios,
)
from countnest.kernels.mixed.triangles import backward

__all__ = ["mixed_chunk"]


@kernel
def mixed_chunk(
    inputs: Inputs,
    triangle: FloatArray,
    reml: bool,
    bounded: bool,
    lattice: FloatArray,
    ratios_out: FloatArray,
    outcome_out: IntArray,
    coefficients_out: FloatArray,
    values_out: FloatArray,
    rows: FloatArray,
    pairs: IntArray,
    covariance_out: FloatArray,
    slopes_out: FloatArray,
    bends_out: FloatArray,
    first_out: FloatArray,
    second_out: FloatArray,
) -> None:
    """Fit genes, or take their variance ratios as given, and write what tests of rows (k, p) consist of.

    With a_i = S^-1 l_i of row l_i and S = N without the response:

    Parameters
    ----------
    triangle
        (p, p) R: the model matrix is the columns times R.
    lattice
        (points,) see `next_trial`; without points the ratios are not searched for.
    ratios_out
        (G, t) variance ratios.
    outcome_out
        (G,) how the search ended. Genes for which another number than zero is given are left alone.
    coefficients_out
        (G, p) of the model matrix.
    values_out
        (2, G) minus twice the log-likelihood, without the term of the weights; and the residual sum of squares.
    pairs
        (c, 2) pairs (i, j) of rows; without pairs there are no derivatives either.
    covariance_out
        (G, c) a_i' S a_j.
    slopes_out
        (G, t, c) a_i' N_k a_j.
    bends_out
        (G, t (t + 1) / 2, c) the part of a_i' (N_kj - N_k S^-1 N_j) a_j that is symmetric in k and j.
    first_out, second_out
        (G, 3, t) and (G, 3, t, t); see `moments`.
    """
    gene = new_gene(inputs)
    terms, p = ratios_out.shape[1], inputs.columns.shape[1]
    unit, lowest, memory = np.ones(terms), np.zeros(terms), np.zeros((MEMORY + terms, terms))
    state, numbers, heights = np.zeros(STATES, dtype=np.int64), np.zeros(NUMBERS), np.zeros(len(lattice))
    solved, half = np.empty((len(rows), p)), np.empty((terms, len(rows), p))
    ratios = memory[TRIAL]
    for g in range(len(outcome_out)):
        if outcome_out[g] != CONVERGED:
            continue
        load(inputs, g, gene)
        scale_ratios(gene, bounded, unit, lowest)
        begin(lattice, unit, lowest, ratios_out[g], state, numbers, memory)
        value = math.nan
        while state[PHASE] != DONE:
            order = DERIVATIVES if state[PHASE] == DESCENT or (state[PHASE] == FINAL and len(pairs) > 0) else VALUE
            value = evaluate(ratios, gene, reml, order, memory[SLOPE], memory[MEMORY:])
            next_trial(value, gene, reml, lattice, unit, lowest, state, numbers, heights, memory)
        outcome_out[g] = state[ENDED] if math.isfinite(value) else RANK_DEFICIENT
        if outcome_out[g] == RANK_DEFICIENT:
            continue
        for k in range(terms):
            ratios_out[g, k] = ratios[k]
        values_out[0, g] = value
        finish(gene, triangle, coefficients_out[g], values_out[1, g : g + 1])
        if len(pairs) > 0:
            solve_rows(gene, rows, solved, half)
            form_pairs(gene, solved, half, rows, pairs, covariance_out[g], slopes_out[g], bends_out[g])
            for i in range(3):
                for k in range(terms):
                    first_out[g, i, k] = gene.first[i, k]
                    for j in range(terms):
                        second_out[g, i, k, j] = gene.second[i, k, j]


@kernel
def finish(gene: Gene, triangle: FloatArray, coefficients_out: FloatArray, square_out: FloatArray) -> None:
    """Write coefficients (p,) and the residual sum of squares from the Cholesky factor of the last evaluation."""
    p = len(coefficients_out)
    below = p * (p + 1) // 2
    for k in range(p):
        coefficients_out[k] = gene.factor[below + k]
    backward(gene.factor, p, coefficients_out)
    for i in range(p - 1, -1, -1):
        entry = coefficients_out[i] + gene.explained[i]
        for k in range(i + 1, p):
            entry -= triangle[i, k] * coefficients_out[k]
        coefficients_out[i] = entry / triangle[i, i]
    square_out[0] = gene.factor[below + p] ** 2
