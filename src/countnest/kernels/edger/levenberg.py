"""Negative binomial GLMs with log link by Fisher scoring with Levenberg's damping, eight genes at once.

Iterations end, on the scale of the deviance, where those of edgeR end; or they go on to the optimum, the last ones by
Newton's method.

Sources: Levenberg (1944), doi:10.1090/qam/10666; McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    DIAGONAL,
    LEFT,
    N_CELLS,
    N_COLUMNS,
    N_SLOTS,
    OUT,
    RIGHT,
    SAMPLE_CELL,
    UPDATE,
    cell_predictors,
    gather_scores,
    information,
    n_equations,
    solve,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_exp
from countnest.kernels.compiler.simd import LANES, as_lanes, load_row, new_lanes, select
from countnest.kernels.edger.deviance import EXACT, unit_deviance

__all__ = ["levenberg_chunk"]

NO_COUNT = 1e-10
# The first damping, as a fraction of the largest information, and the least.
DAMPING, LEAST_DAMPING = 1e-6, 1e-13
# A search with more damping than this times the information has failed.
FAILED = 1e13
# A deviance below this fraction of the largest count is zero.
NO_DEVIANCE = 1e-13
# Near the optimum, where a step gains less, rounding decides which deviance is lower.
NEAR_GAIN = 1e-6
# From this gain on steps are Newton's, with observed information, if iterations go on to the optimum.
NEWTON_GAIN = 0.1
# On the way to the optimum iterations also end where steps do not become shorter, and where a coefficient goes to
# infinity: it moves by more than the second of these, and gains less than the third.
STALLED, RUNAWAY, RUNAWAY_GAIN = 0.9, 0.5, 1e-16
# A coefficient that goes to infinity moves by about one in each step: where one moves by more than `RUNAWAY` and gains
# less than this, every other step is so many times as long.
STRETCH_GAIN, STRETCH = 0.01, 6.0
# Rows of the numbers by sample, by column and of a gene.
COUNT, FACTOR, WEIGHT, MEAN, NEW_MEAN = 0, 1, 2, 3, 4
BETA, NEW_BETA, SCORE, STEP = 0, 1, 2, 3
ALPHA, DEVIANCE, NEW_DEVIANCE, LAMBDA, INFORMATION, GAINED, PIVOTS, TAKEN, LARGEST = 0, 1, 2, 3, 4, 5, 6, 7, 8
LAST_GAIN, LONGEST, NEWTON, LENGTH = 9, 10, 11, 12
BY_SAMPLE, BY_COLUMN, N_NUMBERS = np.int64(5), np.int64(4), np.int64(13)
# Rows of the state of a lane: its gene or none, iterations (-1: its start is not evaluated yet), trials of this one.
GENE, ITERATION, TRIAL, DONE, FREE = 0, 1, 2, 3, -1


@kernel
def starting_level(lane: int, data: FloatArray, alpha: float) -> float:
    """Return the log of the average of y / f of a lane, weighted by the information of means f."""
    total = 0.0
    weight = 0.0
    for j in range(data.shape[1]):
        f = data[FACTOR, j, lane]
        share = data[WEIGHT, j, lane] * f / (1.0 + alpha * f)
        total += data[COUNT, j, lane] / f * share
        weight += share
    return math.log(total / weight)


@kernel
def load_gene(
    g: int, lane: int, data: FloatArray, level: FloatArray, start: FloatArray, alpha: float,
    coefficients: FloatArray, ends: FloatArray,
) -> bool:  # fmt: skip
    """Put the start of a gene, whose data are there, into a lane; return False for one without counts."""
    largest = 0.0
    for j in range(data.shape[1]):
        largest = max(largest, data[COUNT, j, lane])
    if largest < NO_COUNT:
        return False
    given = not math.isnan(start[g, 0])
    common = 0.0 if given else starting_level(lane, data, alpha)
    for k in range(start.shape[1]):
        coefficients[BETA, k, lane] = start[g, k] if given else common * level[k]
    ends[ALPHA, lane], ends[LARGEST, lane] = alpha, largest
    ends[INFORMATION, lane], ends[LAST_GAIN, lane] = 0.0, NEWTON_GAIN if given else math.inf
    ends[LENGTH, lane] = STRETCH  # so that the first step is not long
    return True


@kernel
def normal_equations(
    y: FloatArray,
    v: FloatArray,
    mu: FloatArray,
    alpha: float,
    newton: float,
    plan: IntArray,
    weight: FloatArray,
    score: FloatArray,
) -> None:
    """Write the sums of GLM weights, observed ones in lanes with `newton` above 0, and of scores of the cells (C,)."""
    cell = plan[SAMPLE_CELL]
    for c in range(plan[N_CELLS]):
        weight[c] = 0.0
        score[c] = 0.0
    for j in range(y.shape[0]):
        c = plan[cell + j]
        part = 1.0 / (1.0 + alpha * mu[j])
        share = v[j] * part
        expected = share * mu[j]
        weight[c] += select(newton > 0.0, expected * (1.0 + alpha * y[j]) * part, expected)
        score[c] += share * (y[j] - mu[j])


@kernel
def largest_information(plan: IntArray, equations: FloatArray, before: float) -> float:
    """Return the largest entry on the diagonal, or the one before if that is larger."""
    diagonal = plan[DIAGONAL]
    largest = before
    for j in range(plan[N_COLUMNS]):
        entry = equations[plan[diagonal + j]]
        largest = select(entry > largest, entry, largest)
    return largest


@kernel
def add_damping(plan: IntArray, damping: float, equations: FloatArray) -> None:
    """Add the damping to the diagonal."""
    diagonal = plan[DIAGONAL]
    for j in range(plan[N_COLUMNS]):
        equations[plan[diagonal + j]] += damping


@kernel
def eliminate(plan: IntArray, equations: FloatArray) -> float:
    """Do what `factorize` does; return the sum of 1 / pivots, NaN where the matrix is not positive definite."""
    n_slots = plan[N_SLOTS]
    diagonal, update, left, right, out = plan[DIAGONAL], plan[UPDATE], plan[LEFT], plan[RIGHT], plan[OUT]
    total: float = 0.0 * equations[0]
    for j in range(plan[N_COLUMNS]):
        pivot = equations[plan[diagonal + j]]
        pivot = select(pivot > 0.0, pivot, math.nan)
        reciprocal = 1.0 / pivot
        total = total + reciprocal
        equations[3 * n_slots + j] = reciprocal
        for u in range(plan[update + j], plan[update + j + 1]):
            equations[plan[out + u]] -= equations[plan[left + u]] * reciprocal * equations[plan[right + u]]
    return total


@kernel
def gain_and_length(score: FloatArray, step: FloatArray, any_number: float) -> tuple[float, float]:
    """Return the gain that the score predicts for a step, and the step's longest component."""
    gain = 0.0 * any_number
    longest = 0.0 * any_number
    for k in range(step.shape[0]):
        gain = gain + score[k] * step[k]
        length = select(step[k] < 0.0, -step[k], step[k])
        longest = select(length > longest, length, longest)
    return gain, longest


@kernel
def means_and_deviance(
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    alpha: float,
    mode: int,
    plan: IntArray,
    eta: FloatArray,
    mu: FloatArray,
) -> float:
    """Write the means of cells' predictors into `mu` (n,), and return the deviance; `eta` is used up."""
    for c in range(plan[N_CELLS]):
        eta[c] = fast_exp(eta[c])
    cell = plan[SAMPLE_CELL]
    total = 0.0 * alpha
    for j in range(y.shape[0]):
        mean = f[j] * eta[plan[cell + j]]
        mu[j] = mean
        total = total + v[j] * unit_deviance(y[j], mean, alpha, mode)
    return total


@kernel
def is_enough(mode: int, limit: float, gain: float, last: float, longest: float) -> bool:
    """Return whether iterations end with a step of that gain, whose longest component is `longest`."""
    if gain < limit or mode != EXACT:
        return gain < limit
    return (gain < NEAR_GAIN and gain > STALLED * last) or (gain < RUNAWAY_GAIN and longest > RUNAWAY)


@kernel
def judge(
    mode: int, limit: float, max_iter: int | np.int64, state: IntArray, ends: FloatArray, failed_out: FloatArray
) -> None:
    """Decide for every lane whether its step is taken, on its damping, and whether its gene is done."""
    for lane in range(LANES):
        ends[TAKEN, lane] = 0.0
        g = state[GENE, lane]
        if g == FREE:
            continue
        new, gain = ends[NEW_DEVIANCE, lane], ends[GAINED, lane]
        if state[ITERATION, lane] < 0:  # the start
            ends[TAKEN, lane], state[ITERATION, lane] = 1.0, 0
            continue
        low = new / ends[LARGEST, lane] < NO_DEVIANCE
        near = mode == EXACT and gain < NEAR_GAIN and not math.isnan(new)
        if not math.isnan(ends[PIVOTS, lane]) and (new <= ends[DEVIANCE, lane] or low or near):
            state[ITERATION, lane] += 1
            ends[TAKEN, lane] = 1.0
            enough = is_enough(mode, limit, gain, ends[LAST_GAIN, lane], ends[LONGEST, lane])
            ends[LAST_GAIN, lane] = gain
            state[DONE, lane] = enough or low or state[ITERATION, lane] >= max_iter
            if state[TRIAL, lane] == 0:
                ends[LAMBDA, lane] /= 10.0
            state[TRIAL, lane] = 0
        else:
            ends[LAMBDA, lane] *= 10.0 if math.isnan(ends[PIVOTS, lane]) else 2.0
            state[TRIAL, lane] += 1
            if not ends[LAMBDA, lane] / ends[INFORMATION, lane] <= FAILED:
                state[ITERATION, lane] += 1
                state[DONE, lane], failed_out[g] = 1, 1.0


@kernel
def take(taken: float, old: FloatArray, new: FloatArray) -> None:
    """Replace what is old by what is new, in the lanes whose step is taken."""
    yes = taken > 0.5
    for k in range(old.shape[0]):
        old[k] = select(yes, new[k], old[k])


@kernel
def levenberg_chunk(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    level: FloatArray,
    mode: int,
    limit: float,
    max_iter: int | np.int64,
    beta_out: FloatArray,
    mu_out: FloatArray,
    deviance_out: FloatArray,
    n_iter_out: IntArray,
    failed_out: FloatArray,
) -> None:
    """Fit every gene of a chunk; a gene that is done leaves its lane to the next one.

    Parameters
    ----------
    counts
        (G, n), not negative; fractions are allowed.
    factors
        (1, n) or (G, n) exponentials of the offsets.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    plan, numbers
        Of the design, see `elimination`.
    level
        (p,) coefficients whose predictors are nearest to 1 in all samples.
    mode
        Of the deviances, see `deviance`.
    limit
        Iterations end where a step gains less deviance.
    beta_out
        (G, p) starts on entry, NaN where there is none; estimates on return, natural log, NaN without counts.
    mu_out, deviance_out
        (G, n) means, (G,) deviances.
    n_iter_out, failed_out
        (G,) iterations, and 1 where no damping was enough.
    """
    (n_genes, n), p, n_cells = counts.shape, plan[N_COLUMNS], plan[N_CELLS]
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    coefficients = new_lanes(BY_COLUMN * p).reshape(BY_COLUMN, p, LANES)
    ends = new_lanes(N_NUMBERS)
    by_sample, by_column, of_gene = as_lanes(data), as_lanes(coefficients), as_lanes(ends)
    y_lanes, f_lanes, v_lanes = data[COUNT], data[FACTOR], data[WEIGHT]
    y, f, v, mu, new_mu = by_sample[COUNT], by_sample[FACTOR], by_sample[WEIGHT], by_sample[MEAN], by_sample[NEW_MEAN]
    beta, new_beta, score, step = by_column[BETA], by_column[NEW_BETA], by_column[SCORE], by_column[STEP]
    by_cell = as_lanes(new_lanes(3 * n_cells).reshape(3, n_cells, LANES))
    eta, weight, cell_score = by_cell[0], by_cell[1], by_cell[2]
    equations = as_lanes(new_lanes(n_equations(plan)))
    state = np.full((4, LANES), FREE)
    stretch_gain = STRETCH_GAIN if mode == EXACT else -math.inf
    taken = done = 0
    for lane in range(min(LANES, n_genes)):  # rows that all genes share stay
        load_row(factors, 0, lane, f_lanes)
        load_row(weights, 0, lane, v_lanes)
    while done < n_genes:
        for lane in range(LANES):
            while state[GENE, lane] == FREE and taken < n_genes:
                g = taken
                taken += 1
                n_iter_out[g], failed_out[g] = 0, 0.0
                load_row(counts, g, lane, y_lanes)
                if factors.shape[0] > 1:
                    load_row(factors, g, lane, f_lanes)
                if weights.shape[0] > 1:
                    load_row(weights, g, lane, v_lanes)
                if load_gene(g, lane, data, level, beta_out, alpha[g], coefficients, ends):
                    state[GENE, lane], state[ITERATION, lane], state[TRIAL, lane], state[DONE, lane] = g, -1, 0, 0
                else:
                    for k in range(p):
                        beta_out[g, k] = math.nan
                    for j in range(n):
                        mu_out[g, j] = 0.0
                    deviance_out[g] = 0.0
                    done += 1
        for lane in range(LANES):
            ends[NEWTON, lane] = 1.0 if mode == EXACT and ends[LAST_GAIN, lane] <= NEWTON_GAIN else 0.0
        normal_equations(y, v, mu, of_gene[ALPHA], of_gene[NEWTON], plan, weight, cell_score)
        information(plan, numbers, weight, equations)
        gather_scores(plan, numbers, cell_score, score)
        of_gene[INFORMATION] = largest_information(plan, equations, of_gene[INFORMATION])
        for lane in range(LANES):
            if state[ITERATION, lane] < 0:
                ends[INFORMATION, lane] = 0.0
            elif state[ITERATION, lane] == 0 and state[TRIAL, lane] == 0:
                ends[LAMBDA, lane] = max(DAMPING * ends[INFORMATION, lane], LEAST_DAMPING)
        add_damping(plan, of_gene[LAMBDA], equations)
        for k in range(p):
            step[k] = score[k]
        of_gene[PIVOTS] = eliminate(plan, equations)
        solve(plan, equations, step)
        of_gene[GAINED], of_gene[LONGEST] = gain_and_length(score, step, of_gene[ALPHA])
        runs = (of_gene[LENGTH] == 1.0) & (of_gene[LONGEST] > RUNAWAY) & (of_gene[GAINED] < stretch_gain)
        of_gene[LENGTH] = select(runs, STRETCH, 1.0)
        for k in range(p):
            new_beta[k] = beta[k] + of_gene[LENGTH] * step[k]
        for lane in range(LANES):
            if state[ITERATION, lane] < 0:
                for k in range(p):
                    coefficients[NEW_BETA, k, lane] = coefficients[BETA, k, lane]
        cell_predictors(plan, numbers, new_beta, eta)
        of_gene[NEW_DEVIANCE] = means_and_deviance(y, f, v, of_gene[ALPHA], mode, plan, eta, new_mu)
        judge(mode, limit, max_iter, state, ends, failed_out)
        take(of_gene[TAKEN], beta, new_beta)
        take(of_gene[TAKEN], mu, new_mu)
        of_gene[DEVIANCE] = select(of_gene[TAKEN] > 0.5, of_gene[NEW_DEVIANCE], of_gene[DEVIANCE])
        for lane in range(LANES):
            g = state[GENE, lane]
            if g != FREE and state[DONE, lane] == 1:
                n_iter_out[g], deviance_out[g] = state[ITERATION, lane], ends[DEVIANCE, lane]
                for k in range(p):
                    beta_out[g, k] = coefficients[BETA, k, lane]
                for j in range(n):
                    mu_out[g, j] = data[MEAN, j, lane]
                state[GENE, lane] = FREE
                done += 1
