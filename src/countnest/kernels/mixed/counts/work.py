"""What the kernels of mixed models of counts share: the problem of all genes, and memory for one of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

# The number of rows of the numbers by sample, see `points`.
N_SAMPLE_ROWS = 13
# Rows of the numbers by group (10, q): the random effect over its standard deviation, the curvature H of the log joint
# density along it, the slope that the samples have, a step, the one before, and derivatives of the mode.
# The mode and its derivatives are kept at the point where a search is.
EFFECT, CURVATURE, SCORE, TURN, OLD_TURN, EFFECT_SIGMA, EFFECT_ALPHA = 0, 1, 2, 3, 4, 5, 6
KEPT_EFFECT, KEPT_EFFECT_SIGMA, KEPT_EFFECT_ALPHA, N_GROUP_ROWS = 7, 8, 9, 10
# Rows of the numbers by coefficient (8, p): the same of the coefficients.
COEFFICIENT, STEP, OLD, COEFFICIENT_SIGMA, COEFFICIENT_ALPHA = 0, 1, 2, 3, 4
KEPT, KEPT_SIGMA, KEPT_ALPHA, N_VECTOR_ROWS = 5, 6, 7, 8
# Rows of the numbers by node (3, K).
NODE_VALUE, NODE_ALPHA, NODE_SCORE = 0, 1, 2
# Place in `Work.state`, and its value where gradients are taken: errors after a step are like its squared length.
LAST, EXACT = 2, 1e-11
# Dispersions below this are zero.
LEAST_ALPHA = 1e-30


class Problem(NamedTuple):
    """What all genes share. The samples stand group by group.

    Attributes
    ----------
    rows
        (C, p) distinct rows of the model matrix, whose columns are orthogonal.
    cell
        (n,) the row of each sample.
    first
        (q + 1,) where the samples of each group begin.
    column
        (n,) the column whose coefficient varies between groups.
    nodes
        (2, K) nodes of a Gauss-Hermite rule for exp(-x^2 / 2), and log(weight / sqrt(2 pi)) + x^2 / 2; one: zeros.
    """

    rows: FloatArray
    cell: IntArray
    first: IntArray
    column: FloatArray
    nodes: FloatArray


class Work(NamedTuple):
    """Memory for a gene.

    Attributes
    ----------
    sample
        (N_SAMPLE_ROWS, n), see `points`.
    group
        (10, q).
    cross
        (q + C, p) sums sigma z w x of the groups, and the rows of the problem.
    cell
        (3, C) linear predictors and sums over samples.
    factor
        (p, p) a Cholesky factor.
    solved
        (q + C, p) the rows of `cross`, divided by that factor.
    vector
        (8, p).
    node, node_f1
        (3, K) and (K, n).
    sums
        (8,).
    state
        (3,) the dispersion of the constants in `sample`; the derivative of the log-likelihood by it; the squared
        length, in standard errors, of a step to the joint mode that is the last one.
    prior
        (4,) mean and precision of the log dispersion, precision of sigma, precision of the coefficients.
    """

    sample: FloatArray
    group: FloatArray
    cross: FloatArray
    cell: FloatArray
    factor: FloatArray
    solved: FloatArray
    vector: FloatArray
    node: FloatArray
    node_f1: FloatArray
    sums: FloatArray
    state: FloatArray
    prior: FloatArray


@kernel
def new_work(problem: Problem) -> Work:
    """Return memory for genes of a problem."""
    n_cells, p = problem.rows.shape
    n, q, n_nodes = problem.cell.shape[0], problem.first.shape[0] - 1, problem.nodes.shape[1]
    cross = np.zeros((q + n_cells, p))
    for c in range(n_cells):
        for a in range(p):
            cross[q + c, a] = problem.rows[c, a]
    state = np.zeros(3)
    state[0], state[LAST] = math.nan, EXACT
    return Work(
        np.zeros((N_SAMPLE_ROWS, n)), np.zeros((N_GROUP_ROWS, q)), cross, np.zeros((3, n_cells)), np.zeros((p, p)),
        np.zeros((q + n_cells, p)), np.zeros((N_VECTOR_ROWS, p)), np.zeros((3, n_nodes)), np.zeros((n_nodes, n)),
        np.zeros(8), state, np.zeros(4),
    )  # fmt: skip
