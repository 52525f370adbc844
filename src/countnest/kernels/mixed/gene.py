"""One gene, and the memory to work on it: its likelihood at given variance ratios. t terms, m levels, q groups."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.levels import VALUE, group_sums, levels_forms
from countnest.kernels.mixed.likelihood import criterion, moments

__all__ = ["Gene", "Inputs", "evaluate", "load", "new_gene"]


class Inputs(NamedTuple):
    """What the genes of a chunk have; c coordinates.

    With weights all is summed gene by gene, over the groups `codes` of the only term. Without, genes share what their
    columns give: coordinates are the groups of the only term, scaled, or, where `basis` has columns, those vectors, the
    common eigenvectors of several terms.
    """

    values: FloatArray  # (G, n) responses
    weights: FloatArray  # (G, n) or (1, n); (0, n) without
    columns: FloatArray  # (n, p) fixed columns, with Q'Q = n
    column: FloatArray  # (n,) the random column of a single term
    codes: IntArray  # (n,)
    eigenvalues: FloatArray  # (m, t) of the levels; (., t) with weights
    multiplicity: FloatArray  # (m,) and, of the fixed columns, (m, packed)
    matrices: FloatArray
    level_of: IntArray  # (c,) the level of a coordinate, and the fixed columns there (c, p)
    coordinates: FloatArray
    sizes: FloatArray  # (c,) of the groups
    within: FloatArray  # (n, p) the fixed columns within groups
    basis: FloatArray  # (n, c), or (n, 0)


class Gene(NamedTuple):
    """A gene's sums, and memory."""

    eigenvalues: FloatArray  # (m, t), (m,), (m, packed) of levels
    multiplicity: FloatArray
    matrices: FloatArray
    sizes: FloatArray  # (q,), (q, p + 1), packed of groups
    means: FloatArray
    within: FloatArray
    samples: FloatArray  # (1,) number of samples with a weight
    forms: FloatArray
    traces: FloatArray
    factor: FloatArray
    first: FloatArray
    second: FloatArray
    augmented: FloatArray  # (n, p + 1)
    work: FloatArray
    explained: FloatArray  # (p,) coefficients that have been taken out of the response
    turned: FloatArray  # (c,)


@kernel
def new_gene(inputs: Inputs) -> Gene:
    """Return memory for the genes of a chunk, one after the other."""
    n, p = inputs.columns.shape
    shared = inputs.weights.shape[0] == 0
    q = 0 if shared else inputs.codes.max() + 1
    terms = inputs.eigenvalues.shape[1]
    m = len(inputs.multiplicity) if shared else q + 1
    packed = (p + 1) * (p + 2) // 2
    pairs = terms + terms * (terms + 1) // 2
    gene = Gene(
        np.zeros((m, terms)),
        np.zeros(m),
        np.zeros((m, packed)),
        np.zeros(q),
        np.zeros((q, p + 1)),
        np.zeros(packed),
        np.zeros(1),
        np.zeros((1 + pairs, packed)),
        np.zeros(pairs),
        np.zeros(packed),
        np.zeros((3, terms)),
        np.zeros((3, terms, terms)),
        np.zeros((n, p + 1)),
        np.zeros((2 + terms, p + 1, p + 1)),
        np.zeros(p),
        np.zeros(len(inputs.level_of)),
    )
    if shared:
        gene.samples[0] = n
        for level in range(m):
            gene.multiplicity[level] = inputs.multiplicity[level]
            for k in range(terms):
                gene.eigenvalues[level, k] = inputs.eigenvalues[level, k]
            for i in range(inputs.matrices.shape[1]):
                gene.matrices[level, i] = inputs.matrices[level, i]
    for i in range(n):
        for k in range(p):
            gene.augmented[i, k] = inputs.columns[i, k]
    return gene


@kernel
def load(inputs: Inputs, g: int, gene: Gene) -> None:
    """Write the sums of gene g into `gene`.

    What the columns explain by plain least squares is taken out of the response before, so that nothing is lost to
    rounding where that is much.
    """
    n, p = inputs.columns.shape
    for k in range(p):
        gene.explained[k] = 0.0
    for i in range(n):
        for k in range(p):
            gene.explained[k] += inputs.columns[i, k] * inputs.values[g, i]
    for k in range(p):
        gene.explained[k] /= n
    for i in range(n):
        rest = inputs.values[g, i]
        for k in range(p):
            rest -= inputs.columns[i, k] * gene.explained[k]
        gene.augmented[i, p] = rest
    if inputs.weights.shape[0] == 0:
        sum_by_level(inputs, gene)
        return
    weight = inputs.weights[g if inputs.weights.shape[0] > 1 else 0]
    gene.samples[0] = 0.0
    for i in range(n):
        if weight[i] > 0.0:
            gene.samples[0] += 1.0
    group_sums(gene.augmented, weight, inputs.column, inputs.codes, gene.sizes, gene.means, gene.within)
    groups_as_levels(gene)


@kernel
def sum_by_level(inputs: Inputs, gene: Gene) -> None:
    """Write the rows of the response into the matrices of the levels, of a gene without weights."""
    n, p = inputs.columns.shape
    below, sparse = p * (p + 1) // 2, inputs.basis.shape[1] == 0
    for level in range(len(gene.multiplicity)):
        for k in range(p + 1):
            gene.matrices[level, below + k] = 0.0
    for c in range(len(gene.turned)):
        gene.turned[c] = 0.0
    for i in range(n):
        value = gene.augmented[i, p]
        if sparse:
            gene.turned[inputs.codes[i]] += inputs.column[i] * value
        else:
            for c in range(len(gene.turned)):
                gene.turned[c] += inputs.basis[i, c] * value
    for c in range(len(gene.turned)):
        if sparse:
            gene.turned[c] = gene.turned[c] / math.sqrt(inputs.sizes[c]) if inputs.sizes[c] > 0.0 else 0.0
        value, level = gene.turned[c], inputs.level_of[c]
        for k in range(p):
            gene.matrices[level, below + k] += value * inputs.coordinates[c, k]
        gene.matrices[level, below + p] += value * value
    if sparse:
        for i in range(n):
            size = inputs.sizes[inputs.codes[i]]
            value = gene.augmented[i, p]
            if size > 0.0:
                value -= inputs.column[i] * gene.turned[inputs.codes[i]] / math.sqrt(size)
            for k in range(p):
                gene.matrices[0, below + k] += value * inputs.within[i, k]
            gene.matrices[0, below + p] += value * value


@kernel
def groups_as_levels(gene: Gene) -> None:
    """Make a level of every group, and of what is within them."""
    gene.multiplicity[0] = gene.samples[0]
    for i in range(len(gene.within)):
        gene.matrices[0, i] = gene.within[i]
    for j in range(len(gene.sizes)):
        size, place = gene.sizes[j], 0
        gene.eigenvalues[j + 1, 0] = size
        gene.multiplicity[j + 1] = 1.0 if size > 0.0 else 0.0
        gene.multiplicity[0] -= gene.multiplicity[j + 1]
        for k in range(gene.means.shape[1]):
            factor = size * gene.means[j, k]
            for m in range(k + 1):
                gene.matrices[j + 1, place + m] = factor * gene.means[j, m]
            place += k + 1


@kernel
def evaluate(
    ratios: FloatArray, gene: Gene, reml: bool, order: float, gradient_out: FloatArray, hessian_out: FloatArray
) -> float:
    """Return minus twice the profiled log-likelihood; see `criterion`.

    Its derivatives (t,), (t, t) in the ratios, and what they consist of, are written unless `order` is `VALUE`.
    """
    p, n = gene.augmented.shape[1] - 1, gene.samples[0]
    log_determinant = levels_forms(
        ratios, gene.eigenvalues, gene.multiplicity, gene.matrices, order, gene.forms, gene.traces
    )
    value = criterion(log_determinant, gene.forms[0], p, n, reml, gene.factor)
    if order == VALUE or not math.isfinite(value):
        return value
    moments(gene.factor, gene.forms, gene.traces, p, gene.first, gene.second, gene.work)
    own, df = (1, n - p) if reml else (0, n)
    for k in range(len(ratios)):
        gradient_out[k] = gene.first[own, k] - df * gene.first[2, k]
        for j in range(len(ratios)):
            curvature = 2.0 * gene.second[2, k, j] - gene.first[2, k] * gene.first[2, j]
            hessian_out[k, j] = df * curvature - gene.second[own, k, j]
    return value
