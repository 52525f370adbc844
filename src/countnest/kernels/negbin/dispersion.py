"""The log posterior of a = log(dispersion): Cox-Reid adjusted profile likelihood, log-normal prior, its maximisation.

Sources: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, methods; Cox and Reid (1987),
doi:10.1111/j.2517-6161.1987.tb01422.x; McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042.

Rounding matters here. For small dispersions the log-likelihood is a difference of values near lgamma(1e8), and its
rounding errors exceed the gain of the last steps, so that they decide where a line search ends. Every expression is
therefore evaluated in the order of the formula as R evaluates it, which is why this file does not use the
cancellation-free forms of `special.log_rising_ratio`.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import N_CELLS, SAMPLE_CELL, cox_reid_trace, cox_reid_value, n_equations
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, exp, load_row, log, new_lanes, select
from countnest.kernels.negbin.density import digamma_from_log, lgamma_with_log

__all__ = ["nb_logalpha_fit_chunk", "nb_logalpha_grid_chunk", "nb_logalpha_slope", "nb_logalpha_value"]

# The line search stays within these values of log(alpha) and stops below LOWEST.
LOWER, UPPER = -30.0, 10.0
LOWEST = math.log(1e-9)
ARMIJO = 1e-4
FIRST_STEP = 1.0
GRID_POINTS = 20
# Samples of a smaller observation weight do not enter the Cox-Reid term.
MIN_WEIGHT = 1e-2
# Rows of the numbers by sample (9, n): what is known of a gene, then work space.
COUNT, MEAN, WEIGHT, INVERSE_MEAN, INFLATION, LOG_INFLATION, LGAMMA, SHIFTED, LOG_SHIFTED = 0, 1, 2, 3, 4, 5, 6, 7, 8
BY_SAMPLE = 9
# Of many samples, counts that occur again and again have their gamma function once: different counts for each sample
# at most. Rows of the numbers by different count: the count, then as by sample.
FEW, MANY_SAMPLES = 0.25, 64
DIFFERENT, OF_LGAMMA, OF_SHIFTED, OF_LOG_SHIFTED = 0, 1, 2, 3
BY_COUNT = 4
# Rows of the numbers of a search: where it is and what it proposes, in log(alpha); the centre of the prior; the result
# of an evaluation; value and slope where it is, and the step.
AT, POINT, CENTRE, RESULT, VALUE, SLOPE, STEP = 0, 1, 2, 3, 4, 5, 6
N_NUMBERS = np.int64(7)
# A lane is free, or has a gene at its start, one that searches, one that found a better point, one that is done.
FREE, START, SEARCH, RISEN, DONE = 0, 1, 2, 3, 4
# Rows of its counters.
STATUS, GENE, ITERATION, ACCEPTED = 0, 1, 2, 3


@kernel
def nb_logalpha_value(
    log_alpha: float,
    by_sample: FloatArray,
    is_known: bool,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: float,
    prior_variance: float,
    weight: FloatArray,
    equations: FloatArray,
) -> float:
    """Return the log posterior of log_alpha, up to terms free of it.

    This is a number of one gene or, with vectors in place of floats and arrays of vectors (see `simd`), of several.

    Parameters
    ----------
    log_alpha
        Natural logarithm of the dispersion.
    by_sample
        (9, n): counts, means, observation weights and 1 / mu; the other rows are written.
    is_known
        Whether the gamma function of the counts has been written already, see `spread`.
    plan, numbers
        Of the design, see `elimination`.
    prior_mean, prior_variance
        Of the normal prior on log_alpha; an infinite variance means no prior.
    weight, equations
        Work space (C,) and of the length `elimination.n_equations`, left with what `nb_logalpha_slope` needs.
    """
    alpha = exp(log_alpha)
    r = 1.0 / alpha
    lgamma_r, _, _ = lgamma_with_log(r)
    cell = plan[SAMPLE_CELL]
    for c in range(weight.shape[0]):
        weight[c] = 0.0
    value = 0.0
    for j in range(by_sample.shape[1]):
        y, mu, v = by_sample[COUNT, j], by_sample[MEAN, j], by_sample[WEIGHT, j]
        inflation = 1.0 + mu * alpha
        log_inflation = log(inflation)
        by_sample[INFLATION, j] = inflation
        by_sample[LOG_INFLATION, j] = log_inflation
        term = -r * log_inflation
        counted = y != 0.0
        if any_lane(counted):
            if not is_known:
                lgamma_y, z, log_z = lgamma_with_log(y + r)
                by_sample[LGAMMA, j] = lgamma_y
                by_sample[SHIFTED, j] = z
                by_sample[LOG_SHIFTED, j] = log_z
            whole = by_sample[LGAMMA, j] - lgamma_r - y * log(mu + r) - r * log_inflation
            term = select(counted, whole, term)
        value += v * term
        c = plan[cell + j]
        weight[c] = select(v > MIN_WEIGHT, weight[c] + 1.0 / (by_sample[INVERSE_MEAN, j] + alpha), weight[c])
    log_determinant = cox_reid_value(plan, numbers, weight, equations)
    distance = log_alpha - prior_mean
    return value + (-0.5 * distance * distance / prior_variance - 0.5 * log_determinant)


@kernel
def nb_logalpha_slope(
    log_alpha: float,
    by_sample: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: float,
    prior_variance: float,
    weight: FloatArray,
    squared: FloatArray,
    quad: FloatArray,
    equations: FloatArray,
) -> float:
    """Return the derivative of the log posterior at the log_alpha where `nb_logalpha_value` was evaluated last.

    `squared`, `quad` (C,) are work space.
    """
    alpha = exp(log_alpha)
    r = 1.0 / alpha
    _, z, log_z = lgamma_with_log(r)
    digamma_r = digamma_from_log(r, z, log_z)
    cell = plan[SAMPLE_CELL]
    for c in range(squared.shape[0]):
        squared[c] = 0.0
    slope = 0.0
    for j in range(by_sample.shape[1]):
        y, mu, v = by_sample[COUNT, j], by_sample[MEAN, j], by_sample[WEIGHT, j]
        own = digamma_r + by_sample[LOG_INFLATION, j] - mu * alpha * (1.0 / by_sample[INFLATION, j])
        term = own - digamma_r
        counted = y != 0.0
        if any_lane(counted):
            digamma_y = digamma_from_log(y + r, by_sample[SHIFTED, j], by_sample[LOG_SHIFTED, j])
            term = select(counted, own - digamma_y + y * (1.0 / (mu + r)), term)
        slope += v * term
        w = 1.0 / (by_sample[INVERSE_MEAN, j] + alpha)
        c = plan[cell + j]
        squared[c] = select(v > MIN_WEIGHT, squared[c] + w * w, squared[c])
    trace = cox_reid_trace(plan, numbers, weight, squared, equations, quad)
    return (1.0 / (alpha * alpha) * slope + 0.5 * trace) * alpha - (log_alpha - prior_mean) / prior_variance


@kernel
def different_counts(counts: FloatArray, g: int, lane: int, seen: IntArray, table: FloatArray, place: IntArray) -> int:
    """Write the distinct counts of a gene into a lane of `table`, and the index of each count in it into `place`.

    Return their number, or one more than the table has places, `table.shape[1]`, if there are too many. `seen` (n,) is
    -1 before and after.
    """
    n, most = counts.shape[1], table.shape[1]
    found = 0
    for j in range(n):
        y = counts[g, j]
        if not 0.0 <= y < n or y != math.floor(y):
            found = most + 1
            break
        k = int(y)
        if seen[k] < 0:
            if found == most:
                found = most + 1
                break
            seen[k] = found
            table[DIFFERENT, found, lane] = y
            found += 1
        place[j, lane] = seen[k]
    for j in range(n):
        if 0.0 <= counts[g, j] < n:
            seen[int(counts[g, j])] = -1
    return found


@kernel
def spread(
    log_alpha: float,
    n_different: int,
    by_count: FloatArray,
    table: FloatArray,
    place: IntArray,
    data: FloatArray,
) -> None:
    """Write the gamma function of the counts into `data` (9, n, LANES), from that of the different counts."""
    r = 1.0 / exp(log_alpha)
    for d in range(n_different):
        lgamma_y, z, log_z = lgamma_with_log(by_count[DIFFERENT, d] + r)
        by_count[OF_LGAMMA, d] = lgamma_y
        by_count[OF_SHIFTED, d] = z
        by_count[OF_LOG_SHIFTED, d] = log_z
    for j in range(place.shape[0]):
        for lane in range(LANES):
            d = place[j, lane]
            data[LGAMMA, j, lane] = table[OF_LGAMMA, d, lane]
            data[SHIFTED, j, lane] = table[OF_SHIFTED, d, lane]
            data[LOG_SHIFTED, j, lane] = table[OF_LOG_SHIFTED, d, lane]


@kernel
def accept_points(search: FloatArray, state: IntArray, tol: float, initial_out: FloatArray) -> bool:
    """Accept the proposed points, or halve the steps; return whether any lane needs a slope."""
    needed = False
    for lane in range(LANES):
        value, before, slope = search[RESULT, lane], search[VALUE, lane], search[SLOPE, lane]
        if state[STATUS, lane] == START:
            search[VALUE, lane] = value
            initial_out[state[GENE, lane]] = value
            needed = True
        elif state[STATUS, lane] == SEARCH:
            if -value <= -before - search[STEP, lane] * ARMIJO * slope * slope:  # NaN is no gain
                state[ACCEPTED, lane] += 1
                search[AT, lane] = search[POINT, lane]
                small, low = value - before < tol, search[AT, lane] < LOWEST
                if small or not low:
                    search[VALUE, lane] = value
                state[STATUS, lane] = DONE if small or low else RISEN
                needed = needed or state[STATUS, lane] == RISEN
            else:
                search[STEP, lane] *= 0.5
    return needed


@kernel
def next_points(search: FloatArray, state: IntArray, max_iter: int) -> None:
    """Write the next point of every lane, from the slope where it started or rose; after `max_iter` a lane is done."""
    for lane in range(LANES):
        if state[STATUS, lane] == START or state[STATUS, lane] == RISEN:
            search[SLOPE, lane] = search[RESULT, lane]
            if state[STATUS, lane] == RISEN:
                search[STEP, lane] = min(1.1 * search[STEP, lane], FIRST_STEP)
                if state[ACCEPTED, lane] % 5 == 0:
                    search[STEP, lane] *= 0.5
            state[STATUS, lane] = SEARCH
        if state[STATUS, lane] == SEARCH and state[ITERATION, lane] >= max_iter:
            state[STATUS, lane] = DONE
        elif state[STATUS, lane] == SEARCH:
            state[ITERATION, lane] += 1
            at, step, slope = search[AT, lane], search[STEP, lane], search[SLOPE, lane]
            proposal = at + step * slope
            if proposal < LOWER:
                step = (LOWER - at) / slope
            if proposal > UPPER:
                step = (UPPER - at) / slope
            search[STEP, lane] = step
            search[POINT, lane] = at + step * slope


@kernel
def nb_logalpha_fit_chunk(
    order: IntArray,
    start: FloatArray,
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: FloatArray,
    prior_variance: float,
    tol: float,
    max_iter: int,
    log_alpha_out: FloatArray,
    n_iter_out: IntArray,
    initial_out: FloatArray,
    final_out: FloatArray,
) -> None:
    """Maximise the log posterior of every gene by steps along its gradient with backtracking.

    Vectors are (G,), `counts` and `mu` (G, n), `weights` (1, n) or (G, n). Written are log_alpha, the number of
    iterations, and the log posterior at the start and at the end.

    A gene that is done leaves its lane to the next one of `order`. What a zero or a small count spares or costs is
    saved or paid for all lanes together, so that genes of similar counts should follow each other.
    """
    (n_genes, n), n_cells = counts.shape, plan[N_CELLS]
    data, search = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(N_NUMBERS)
    y_lanes, mu_lanes, v_lanes = data[COUNT], data[MEAN], data[WEIGHT]
    by_sample, numbers_of = as_lanes(data), as_lanes(search)
    by_cell = as_lanes(new_lanes(3 * n_cells).reshape(3, n_cells, LANES))
    weight, squared, quad = by_cell[0], by_cell[1], by_cell[2]
    equations = as_lanes(new_lanes(n_equations(plan)))
    state = np.zeros((4, LANES), np.int64)
    most = max(int(FEW * n), 1) if n >= MANY_SAMPLES else 1
    table = new_lanes(BY_COUNT * most).reshape(BY_COUNT, most, LANES)
    by_count = as_lanes(table)
    place, seen = np.zeros((n, LANES), np.int64), np.full(n, -1)
    different = np.zeros(LANES, np.int64)
    taken = done = 0
    while done < n_genes:
        for lane in range(LANES):
            if state[STATUS, lane] == FREE and taken < n_genes:
                g = order[taken]
                taken += 1
                load_row(counts, g, lane, y_lanes)
                load_row(mu, g, lane, mu_lanes)
                load_row(weights, g, lane, v_lanes)
                for j in range(n):
                    data[INVERSE_MEAN, j, lane] = 1.0 / mu[g, j]
                search[AT, lane], search[POINT, lane] = start[g], start[g]
                search[CENTRE, lane], search[STEP, lane] = prior_mean[g], FIRST_STEP
                state[STATUS, lane], state[GENE, lane] = START, g
                state[ITERATION, lane], state[ACCEPTED, lane] = 0, 0
                if n >= MANY_SAMPLES:
                    different[lane] = different_counts(counts, g, lane, seen, table, place)
        n_different = different.max()
        is_known = n >= MANY_SAMPLES and n_different <= most
        if is_known:
            spread(numbers_of[POINT], n_different, by_count, table, place, data)
        numbers_of[RESULT] = nb_logalpha_value(
            numbers_of[POINT], by_sample, is_known, plan, numbers, numbers_of[CENTRE], prior_variance, weight, equations
        )
        if accept_points(search, state, tol, initial_out):
            numbers_of[RESULT] = nb_logalpha_slope(
                numbers_of[POINT], by_sample, plan, numbers, numbers_of[CENTRE], prior_variance,
                weight, squared, quad, equations,
            )  # fmt: skip
        next_points(search, state, max_iter)
        for lane in range(LANES):
            if state[STATUS, lane] == DONE:
                g = state[GENE, lane]
                log_alpha_out[g] = search[AT, lane]
                n_iter_out[g] = state[ITERATION, lane]
                final_out[g] = search[VALUE, lane]
                state[STATUS, lane], different[lane] = FREE, 0
                done += 1


@kernel
def nb_logalpha_grid_chunk(
    low: float,
    high: float,
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: FloatArray,
    prior_variance: float,
    log_alpha_out: FloatArray,
) -> None:
    """Maximise by a grid on [low, high] and a second, finer one around its best point, for every gene of a chunk."""
    (n_genes, n), n_cells = counts.shape, plan[N_CELLS]
    data, search = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(N_NUMBERS)
    y_lanes, mu_lanes, v_lanes = data[COUNT], data[MEAN], data[WEIGHT]
    by_sample, numbers_of = as_lanes(data), as_lanes(search)
    weight, equations = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_equations(plan)))
    spacing = (high - low) / (GRID_POINTS - 1)
    is_known = n < 0  # a literal False would be another compilation
    for begin in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - begin)
        for lane in range(n_lanes):
            g = begin + lane
            load_row(counts, g, lane, y_lanes)
            load_row(mu, g, lane, mu_lanes)
            load_row(weights, g, lane, v_lanes)
            for j in range(n):
                data[INVERSE_MEAN, j, lane] = 1.0 / mu[g, j]
            search[CENTRE, lane] = prior_mean[g]
        for again in range(2):
            first = low if again == 0 else numbers_of[AT] - spacing
            last = high if again == 0 else numbers_of[AT] + spacing
            numbers_of[AT], numbers_of[VALUE] = first, -np.inf
            for k in range(GRID_POINTS):  # the first maximiser of equally spaced points
                numbers_of[POINT] = first + (last - first) * float(k) / float(GRID_POINTS - 1)
                value = nb_logalpha_value(
                    numbers_of[POINT],
                    by_sample,
                    is_known,
                    plan,
                    numbers,
                    numbers_of[CENTRE],
                    prior_variance,
                    weight,
                    equations,
                )
                better = value > numbers_of[VALUE]
                numbers_of[VALUE] = select(better, value, numbers_of[VALUE])
                numbers_of[AT] = select(better, numbers_of[POINT], numbers_of[AT])
        for lane in range(n_lanes):
            log_alpha_out[begin + lane] = search[AT, lane]
