"""The normal equations of a design, X'WX + diag(ridge), by elimination that follows the design's structure.

Which columns of a model matrix meet in a sample is known before any gene is fitted. From that follow an order of
elimination with little fill, the entries that are ever different from zero (slots), and the list of all operations. A
family meets its own samples only: its column is eliminated at the cost of the few columns beside it, and the cost of a
nested or paired design follows its shared columns.

All of this is one array of integers, the plan, and one of numbers: a record of many arrays would cost more to pass than
the sums over it. `stats.glm.structure` makes them; the constants below are the places of the plan that hold sizes, and
where its sections begin:

- SAMPLE_CELL (n): the cell, or distinct row of X, of each sample.
- ENTRY (C + 1), COLUMN: where the non-zero entries of each cell begin, and their columns.
- PAIR (C + 1), PAIR_DIAGONAL (C), PAIR_SLOT: where the pairs of entries of each cell begin, first each with itself and
  then, from PAIR_DIAGONAL on, different ones, and their slots.
- ORDER (p), DIAGONAL (p): columns in the order of elimination, and their slots on the diagonal.
- BELOW (p + 1), BELOW_SLOT, BELOW_COLUMN: where the slots below each diagonal begin, the slots, and the columns that
  they belong to, which are eliminated later.
- UPDATE (p + 1), LEFT, RIGHT, OUT: where the updates of each elimination begin; an update takes the product of two
  slots, over the pivot, off a third.

The numbers are log |det| of the distinct rows where they are square (else NaN), the non-zero entries, and the products
of pairs.

Sources: George and Liu (1981), Computer Solution of Large Sparse Positive Definite Systems: symbolic elimination;
Takahashi, Fagan and Chin (1973): the entries of the inverse where the matrix is not zero.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import any_lane, exp, log, select

__all__ = [
    "N_PLACES",
    "Plan",
    "cell_predictors",
    "cox_reid_trace",
    "cox_reid_value",
    "dense_information",
    "factorize",
    "floored_means",
    "gather_scores",
    "information",
    "inverse_entries",
    "leverages",
    "n_equations",
    "solve",
]

N_CELLS, N_COLUMNS, N_SLOTS, N_ENTRIES = 0, 1, 2, 3
SAMPLE_CELL, ENTRY, COLUMN, PAIR, PAIR_DIAGONAL, PAIR_SLOT = 4, 5, 6, 7, 8, 9
ORDER, DIAGONAL, BELOW, BELOW_SLOT, BELOW_COLUMN = 10, 11, 12, 13, 14
UPDATE, LEFT, RIGHT, OUT = 15, 16, 17, 18
N_PLACES = 19
# Of the numbers: where the entries begin; the products of pairs come after them.
FIRST_ENTRY = 1
# A product of pivots is turned into its logarithm when it leaves this range.
SMALL, LARGE = 1e-200, 1e200


class Plan(NamedTuple):
    """The plan of a design: sizes, places and operations in `index`, and the numbers that they use."""

    index: IntArray  # type: ignore[assignment]  # in place of the method of tuples
    numbers: FloatArray


@kernel
def n_equations(plan: IntArray) -> int:
    """Return the length of the work space of normal equations: entries, factor and inverse by slot, 1 / pivots."""
    length: int = 3 * plan[N_SLOTS] + plan[N_COLUMNS]
    return length


@kernel
def cell_predictors(plan: IntArray, numbers: FloatArray, beta: FloatArray, eta_out: FloatArray) -> None:
    """Write the linear predictor of every cell, X beta, into `eta_out` (C,)."""
    entry, column = plan[ENTRY], plan[COLUMN]
    for c in range(plan[N_CELLS]):
        total = 0.0
        for k in range(plan[entry + c], plan[entry + c + 1]):
            total += numbers[FIRST_ENTRY + k] * beta[plan[column + k]]
        eta_out[c] = total


@kernel
def gather_scores(plan: IntArray, numbers: FloatArray, score: FloatArray, vector_out: FloatArray) -> None:
    """Write X's into `vector_out` (p,), from the cells' sums of scores s (C,)."""
    entry, column = plan[ENTRY], plan[COLUMN]
    for k in range(plan[N_COLUMNS]):
        vector_out[k] = 0.0
    for c in range(plan[N_CELLS]):
        for k in range(plan[entry + c], plan[entry + c + 1]):
            vector_out[plan[column + k]] += score[c] * numbers[FIRST_ENTRY + k]


@kernel
def information(plan: IntArray, numbers: FloatArray, weight: FloatArray, equations: FloatArray) -> None:
    """Write X'WX into the entries of `equations`, from the cells' sums of weights (C,)."""
    pair, pair_slot = plan[PAIR], plan[PAIR_SLOT]
    first = FIRST_ENTRY + plan[N_ENTRIES]
    for s in range(plan[N_SLOTS]):
        equations[s] = 0.0
    for c in range(plan[N_CELLS]):
        w = weight[c]
        for q in range(plan[pair + c], plan[pair + c + 1]):
            equations[plan[pair_slot + q]] += w * numbers[first + q]


@kernel
def dense_information(plan: Plan, weight: FloatArray, ridge: FloatArray, matrix_out: FloatArray) -> None:
    """Write the lower triangle of X'WX + diag(ridge) into `matrix_out` (p, p), for algebra that is not by the plan."""
    index, numbers, p = plan.index, plan.numbers, matrix_out.shape[0]
    for i in range(p):
        for j in range(i + 1):
            matrix_out[i, j] = 0.0
        matrix_out[i, i] = ridge[i]
    entry, column = index[ENTRY], index[COLUMN]
    for c in range(index[N_CELLS]):
        first = index[entry + c]
        for k in range(first, index[entry + c + 1]):
            scaled = weight[c] * numbers[FIRST_ENTRY + k]
            row = index[column + k]
            for m in range(first, k + 1):  # columns ascend within a cell
                matrix_out[row, index[column + m]] += scaled * numbers[FIRST_ENTRY + m]


@kernel
def add_ridge(plan: IntArray, ridge: FloatArray, equations: FloatArray) -> None:
    """Add `ridge` (p,) to the diagonal of the entries."""
    order, diagonal = plan[ORDER], plan[DIAGONAL]
    for j in range(plan[N_COLUMNS]):
        equations[plan[diagonal + j]] += ridge[plan[order + j]]


@kernel
def factorize(plan: IntArray, equations: FloatArray) -> float:
    """Eliminate; return the log-determinant, NaN where the matrix is not positive definite.

    Left are the pivots' reciprocals, and in place of the entries the columns of the factor times their pivots.
    """
    n_slots = plan[N_SLOTS]
    diagonal, update, left, right, out = plan[DIAGONAL], plan[UPDATE], plan[LEFT], plan[RIGHT], plan[OUT]
    log_determinant = 0.0
    product = 1.0
    first = plan[update]
    for j in range(plan[N_COLUMNS]):
        pivot = equations[plan[diagonal + j]]
        pivot = select(pivot > 0.0, pivot, math.nan)
        product = product * pivot
        outside = (product > LARGE) | (product < SMALL)
        if any_lane(outside):
            log_determinant = select(outside, log_determinant + log(product), log_determinant)
            product = select(outside, 1.0, product)
        reciprocal = 1.0 / pivot
        equations[3 * n_slots + j] = reciprocal
        last = plan[update + j + 1]
        for u in range(first, last):
            equations[plan[out + u]] -= equations[plan[left + u]] * reciprocal * equations[plan[right + u]]
        first = last
    return log_determinant + log(product)


@kernel
def solve(plan: IntArray, equations: FloatArray, rhs: FloatArray) -> None:
    """Replace `rhs` (p,) by the solution, after `factorize`."""
    n_slots, p = plan[N_SLOTS], plan[N_COLUMNS]
    order, below, below_slot, below_column = plan[ORDER], plan[BELOW], plan[BELOW_SLOT], plan[BELOW_COLUMN]
    for j in range(p):
        value = rhs[plan[order + j]] * equations[3 * n_slots + j]
        rhs[plan[order + j]] = value
        for q in range(plan[below + j], plan[below + j + 1]):
            rhs[plan[below_column + q]] -= equations[plan[below_slot + q]] * value
    for j in range(p - 1, -1, -1):
        value = 0.0
        for q in range(plan[below + j], plan[below + j + 1]):
            value += equations[plan[below_slot + q]] * rhs[plan[below_column + q]]
        rhs[plan[order + j]] -= value * equations[3 * n_slots + j]


@kernel
def inverse_entries(plan: IntArray, equations: FloatArray) -> None:
    """Write the entries of the inverse, slot by slot, after `factorize`."""
    n_slots = plan[N_SLOTS]
    diagonal, below, below_slot = plan[DIAGONAL], plan[BELOW], plan[BELOW_SLOT]
    update, left, right, out = plan[UPDATE], plan[LEFT], plan[RIGHT], plan[OUT]
    inverse = 2 * n_slots
    for j in range(plan[N_COLUMNS] - 1, -1, -1):
        first, last = plan[below + j], plan[below + j + 1]
        reciprocal = equations[3 * n_slots + j]
        for q in range(first, last):
            slot = plan[below_slot + q]
            equations[n_slots + slot] = equations[slot] * reciprocal
            equations[inverse + slot] = 0.0
        for u in range(plan[update + j], plan[update + j + 1]):
            a, b = plan[left + u], plan[right + u]
            known = equations[inverse + plan[out + u]]
            equations[inverse + b] -= equations[n_slots + a] * known
            if a != b:
                equations[inverse + a] -= equations[n_slots + b] * known
        value = reciprocal
        for q in range(first, last):
            slot = plan[below_slot + q]
            value = value - equations[n_slots + slot] * equations[inverse + slot]
        equations[inverse + plan[diagonal + j]] = value


@kernel
def leverages(plan: IntArray, numbers: FloatArray, equations: FloatArray, leverage_out: FloatArray) -> None:
    """Write x' A^-1 x of every cell into `leverage_out` (C,), after `inverse_entries`."""
    pair, pair_diagonal, pair_slot = plan[PAIR], plan[PAIR_DIAGONAL], plan[PAIR_SLOT]
    first, inverse = FIRST_ENTRY + plan[N_ENTRIES], 2 * plan[N_SLOTS]
    for c in range(plan[N_CELLS]):
        own = 0.0
        for q in range(plan[pair + c], plan[pair_diagonal + c]):
            own += numbers[first + q] * equations[inverse + plan[pair_slot + q]]
        mixed = 0.0
        for q in range(plan[pair_diagonal + c], plan[pair + c + 1]):
            mixed += numbers[first + q] * equations[inverse + plan[pair_slot + q]]
        leverage_out[c] = own + 2.0 * mixed


@kernel
def cox_reid_value(plan: IntArray, numbers: FloatArray, weight: FloatArray, equations: FloatArray) -> float:
    """Return log det(X'WX), from the cells' sums of W (C,); NaN where X'WX is not positive definite.

    Columns that only cells without weight have are left out. `equations` are left as `cox_reid_trace` needs them.
    """
    log_determinant: float = 2.0 * numbers[0]
    if plan[N_CELLS] == plan[N_COLUMNS]:
        for c in range(plan[N_CELLS]):
            log_determinant = log_determinant + log(select(weight[c] > 0.0, weight[c], 1.0))
    matrix = needs_matrix(plan, weight)
    if not any_lane(matrix):
        return log_determinant
    information(plan, numbers, weight, equations)
    diagonal = plan[DIAGONAL]
    for j in range(plan[N_COLUMNS]):
        pivot = equations[plan[diagonal + j]]
        equations[plan[diagonal + j]] = select(pivot == 0.0, 1.0, pivot)
    return select(matrix, factorize(plan, equations), log_determinant)


@kernel
def cox_reid_trace(
    plan: IntArray,
    numbers: FloatArray,
    weight: FloatArray,
    squared: FloatArray,
    equations: FloatArray,
    quad: FloatArray,
) -> float:
    """Return tr[(X'WX)^-1 X'W^2 X] after `cox_reid_value`, from the cells' sums of W and of W^2 (C,).

    `quad` (C,) is work space.
    """
    trace = 0.0
    if plan[N_CELLS] == plan[N_COLUMNS]:  # x' (X'WX)^-1 x is 1 / weight
        for c in range(plan[N_CELLS]):
            trace = trace + squared[c] / select(weight[c] > 0.0, weight[c], 1.0)
    matrix = needs_matrix(plan, weight)
    if not any_lane(matrix):
        return trace
    inverse_entries(plan, equations)
    leverages(plan, numbers, equations, quad)
    full = 0.0
    for c in range(plan[N_CELLS]):
        full = full + squared[c] * quad[c]
    return select(matrix, full, trace)


@kernel
def needs_matrix(plan: IntArray, weight: FloatArray) -> bool:
    """Return whether X'WX is needed: with as many cells as columns, each with weight, its determinant is a product."""
    lost = select(weight[0] > 0.0, 0.0, 1.0)
    if plan[N_CELLS] != plan[N_COLUMNS]:
        return lost >= 0.0
    for c in range(plan[N_CELLS]):
        lost = select(weight[c] > 0.0, lost, 1.0)
    return lost > 0.0


@kernel
def floored_means(
    plan: IntArray, f: FloatArray, min_mu: float, eta: FloatArray, rate: FloatArray, mu: FloatArray
) -> None:
    """Write exp(eta) of the cells into `rate` (C,), and the means max(f rate, min_mu) into `mu` (n,)."""
    for c in range(eta.shape[0]):
        rate[c] = exp(eta[c])
    cell = plan[SAMPLE_CELL]
    for j in range(f.shape[0]):
        mean = f[j] * rate[plan[cell + j]]
        mu[j] = select(mean < min_mu, min_mu, mean)
