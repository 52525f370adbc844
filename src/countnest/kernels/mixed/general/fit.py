"""Linear mixed models with any random terms, gene after gene. Symbols: see `sweeps`."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.general.derivatives import Sums
from countnest.kernels.mixed.general.newton import CONVERGED, FAILED, STARTS, descend, next_start
from countnest.kernels.mixed.general.sweeps import Structure, Work, evaluate, sums_of_columns, sums_of_response

__all__ = ["fit_general_chunk", "prepare_chunk"]

# As in `stats.mixed.records.Outcome`.
CONSTANT, DEFICIENT, NOT_FINITE = 8, 9, 10
# A pivot below this part of its diagonal entry leaves a column undetermined.
NO_PIVOT = 1e-10
# A variance below this part of the mean square is that of a constant.
NO_VARIANCE = 1e-10
# Another start counts if its deviance is lower by this, a column of L left out if it is higher by no more than this.
BETTER, NO_WORSE = 1e-9, 1e-10


@kernel
def prepare_row(
    y: FloatArray, weight: FloatArray, basis: FloatArray, own: FloatArray, start: FloatArray
) -> tuple[int, int]:
    """Write y (n,) without the fixed columns, and their coefficients (p,); return outcome and number of samples.

    The basis is orthogonal, the fit unweighted; samples without weight count as absent.
    """
    n, p = basis.shape
    count, mean = 0, 0.0
    for i in range(n):
        if not (math.isfinite(y[i]) and math.isfinite(weight[i]) and weight[i] >= 0.0):
            return NOT_FINITE, 0
        if weight[i] > 0.0:
            count += 1
            mean += y[i]
    if count <= p:
        return DEFICIENT, count
    mean /= count
    for k in range(p):
        total, length = 0.0, 0.0
        for i in range(n):
            total += basis[i, k] * y[i]
            length += basis[i, k] * basis[i, k]
        start[k] = total / length
    square, around = 0.0, 0.0
    for i in range(n):
        entry = y[i]
        for k in range(p):
            entry -= basis[i, k] * start[k]
        own[i] = entry
        if weight[i] > 0.0:
            square += y[i] * y[i]
            around += (y[i] - mean) * (y[i] - mean)
    return (CONSTANT if around <= NO_VARIANCE * square else CONVERGED), count


@kernel
def determined(work: Work, p: int) -> bool:
    """Return whether the fixed columns are linearly independent with the weights of a gene, and y has residuals."""
    for k in range(p):
        for h in range(k, p):
            work.root[h, k] = work.tail[k, h]
    for k in range(p):
        pivot = work.root[k, k]
        for h in range(k):
            pivot -= work.root[k, h] * work.root[k, h]
        if not pivot > NO_PIVOT * work.root[k, k]:
            return False
        work.root[k, k] = math.sqrt(pivot)
        for m in range(k + 1, p):
            entry = work.root[m, k]
            for h in range(k):
                entry -= work.root[m, h] * work.root[k, h]
            work.root[m, k] = entry / work.root[k, k]
    return True


@kernel
def left_over(work: Work, p: int) -> float:
    """Return the residual sum of squares without random effects, by the root that `determined` left."""
    square: float = work.tail[p, p]
    for k in range(p):
        entry = work.tail[k, p]
        for h in range(k):
            entry -= work.root[k, h] * work.score[h]
        work.score[k] = entry / work.root[k, k]
        square -= work.score[k] * work.score[k]
    return square


@kernel
def reflect(theta: FloatArray, structure: Structure) -> None:
    """Turn the sign of columns of L whose diagonal entry is negative."""
    entries = structure.entries
    for r in range(len(theta)):
        if entries[r, 0] == entries[r, 1] and theta[r] < 0.0:
            for s in range(len(theta)):
                if entries[s, 1] == entries[r, 1]:
                    theta[s] = -theta[s]


@kernel
def write_coefficients(work: Work, out: FloatArray) -> None:
    """Write the fixed coefficients (p,) of the last evaluation."""
    root, score = work.root, work.score
    p = len(out)
    for k in range(p - 1, -1, -1):
        entry = score[k]
        for h in range(k + 1, p):
            entry -= root[h, k] * out[h]
        out[k] = entry / root[k, k]


@kernel
def prepare_chunk(
    y: FloatArray,
    weights: FloatArray,
    basis: FloatArray,
    residual_out: FloatArray,
    start_out: FloatArray,
    count_out: IntArray,
    outcome_out: IntArray,
) -> None:
    """Write y (G, n) without the fixed columns, coefficients (G, p), numbers of samples and outcomes (G,)."""
    for g in range(y.shape[0]):
        weight = weights[0 if weights.shape[0] == 1 else g]
        outcome_out[g], count_out[g] = prepare_row(y[g], weight, basis, residual_out[g], start_out[g])


@kernel
def fit_general_chunk(
    residual: FloatArray,
    weights: FloatArray,
    squares: FloatArray,
    df: FloatArray,
    restricted: bool,
    structure: Structure,
    work: Work,
    sums: Sums,
    space: FloatArray,
    coefficient_out: FloatArray,
    theta_out: FloatArray,
    measure_out: FloatArray,
    outcome_out: IntArray,
) -> None:
    """Fit genes with weights (G, n) or (1, n), which `prepare_chunk` left with residuals (G, n), on `df` (G,).

    Outputs are coefficients (G, p) of the residuals, theta (G, t), the residual variance and the deviance (G, 2), but
    for the weights. Genes with an outcome already are left alone, others get one. `squares` (G,) are sums of squares
    of y, `space` (2 t + 4, t) is memory.
    """
    p, t, terms = structure.basis.shape[1], len(structure.entries), len(structure.firsts) - 1
    start = space[2 * t + 3]
    shared, fresh = weights.shape[0] == 1, True
    for g in range(residual.shape[0]):
        if outcome_out[g] != CONVERGED:
            continue
        weight = weights[0 if shared else g]
        if fresh or not shared:
            sums_of_columns(structure, weight, work)
            fresh = False
        sums_of_response(structure, residual[g], weight, work)
        if not determined(work, p):
            outcome_out[g] = DEFICIENT
            continue
        if not left_over(work, p) > NO_VARIANCE * NO_VARIANCE * squares[g]:
            outcome_out[g] = CONSTANT
            continue
        theta, outcome, found = theta_out[g], FAILED, math.inf
        for attempt in range(STARTS + terms + t):
            if not next_start(attempt, theta, structure, start):
                continue
            most = found - BETTER if attempt < STARTS + terms else found + NO_WORSE
            bound = math.inf if attempt < STARTS else most
            ended, value = descend(start, bound, df[g], restricted, structure, work, sums, space)
            if value < most:
                outcome, found = ended, value
                theta[:] = start
        reflect(theta, structure)
        value, square = evaluate(theta, df[g], restricted, structure, work)
        write_coefficients(work, coefficient_out[g])
        measure_out[g, 0], measure_out[g, 1] = square / df[g], value
        outcome_out[g] = outcome
