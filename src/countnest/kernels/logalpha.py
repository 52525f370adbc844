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
from countnest.kernels.elimination import N_CELLS, SAMPLE_CELL, cox_reid_trace, cox_reid_value, n_equations
from countnest.kernels.jit import kernel
from countnest.kernels.lanes import LANES, any_lane, as_lanes, exp, log, new_lanes, select
from countnest.kernels.special import digamma_from_log, lgamma_with_log

__all__ = ["nb_logalpha_fit_block", "nb_logalpha_grid_block", "nb_logalpha_slope", "nb_logalpha_value"]

# The line search stays within these values of log(alpha) and stops below LOWEST.
LOWER, UPPER = -30.0, 10.0
LOWEST = math.log(1e-9)
ARMIJO = 1e-4
FIRST_STEP = 1.0
GRID_POINTS = 20
# Samples of a smaller observation weight do not enter the Cox-Reid term.
MIN_WEIGHT = 1e-2


# Rows of the work space by sample (5, n).
INVERSE_MU, INFLATION, LOG_INFLATION, SHIFTED, LOG_SHIFTED = 0, 1, 2, 3, 4
# Rows of a gene's data (3, n), and of what the lanes exchange with the search.
COUNT, MEAN, WEIGHT = 0, 1, 2
POINT, CENTRE, RESULT = 0, 1, 2
# A lane is free, or has a gene at its start, one that searches, one that found a better point, one that is done.
FREE, START, SEARCH, RISEN, DONE = 0, 1, 2, 3, 4


@kernel
def nb_logalpha_value(
    log_alpha: float,
    y: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: float,
    prior_variance: float,
    by_sample: FloatArray,
    weight: FloatArray,
    equations: FloatArray,
) -> float:
    """Return the log posterior of log_alpha, up to terms free of it.

    This is a number of one gene or, with vectors in place of floats and arrays of vectors (see `lanes`), of several.

    Parameters
    ----------
    log_alpha
        Natural logarithm of the dispersion.
    y, mu, v
        (n,) counts, fitted means and observation weights.
    plan, numbers
        Of the design, see `elimination`.
    prior_mean, prior_variance
        Of the normal prior on log_alpha; an infinite variance means no prior.
    by_sample, weight, equations
        Work space (5, n), whose first row is 1 / mu, (C,), and of the length `elimination.n_equations`; left with what
        `nb_logalpha_slope` needs.
    """
    alpha = exp(log_alpha)
    r = 1.0 / alpha
    lgamma_r, _, _ = lgamma_with_log(r)
    cell = plan[SAMPLE_CELL]
    for c in range(weight.shape[0]):
        weight[c] = 0.0
    value = 0.0
    for j in range(y.shape[0]):
        inflation = 1.0 + mu[j] * alpha
        log_inflation = log(inflation)
        by_sample[INFLATION, j] = inflation
        by_sample[LOG_INFLATION, j] = log_inflation
        term = -r * log_inflation
        counted = y[j] != 0.0
        if any_lane(counted):
            lgamma_y, z, log_z = lgamma_with_log(y[j] + r)
            by_sample[SHIFTED, j] = z
            by_sample[LOG_SHIFTED, j] = log_z
            whole = lgamma_y - lgamma_r - y[j] * log(mu[j] + r) - r * log_inflation
            term = select(counted, whole, term)
        value += v[j] * term
        c = plan[cell + j]
        weight[c] = select(v[j] > MIN_WEIGHT, weight[c] + 1.0 / (by_sample[INVERSE_MU, j] + alpha), weight[c])
    log_determinant = cox_reid_value(plan, numbers, weight, equations)
    distance = log_alpha - prior_mean
    return value + (-0.5 * distance * distance / prior_variance - 0.5 * log_determinant)


@kernel
def nb_logalpha_slope(
    log_alpha: float,
    y: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_mean: float,
    prior_variance: float,
    by_sample: FloatArray,
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
    for j in range(y.shape[0]):
        own = digamma_r + by_sample[LOG_INFLATION, j] - mu[j] * alpha * (1.0 / by_sample[INFLATION, j])
        term = own - digamma_r
        counted = y[j] != 0.0
        if any_lane(counted):
            digamma_y = digamma_from_log(y[j] + r, by_sample[SHIFTED, j], by_sample[LOG_SHIFTED, j])
            term = select(counted, own - digamma_y + y[j] * (1.0 / (mu[j] + r)), term)
        slope += v[j] * term
        w = 1.0 / (by_sample[INVERSE_MU, j] + alpha)
        c = plan[cell + j]
        squared[c] = select(v[j] > MIN_WEIGHT, squared[c] + w * w, squared[c])
    trace = cox_reid_trace(plan, numbers, weight, squared, equations, quad)
    return (1.0 / (alpha * alpha) * slope + 0.5 * trace) * alpha - (log_alpha - prior_mean) / prior_variance


@kernel
def load_gene(
    g: int,
    lane: int,
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    data: FloatArray,
    by_sample: FloatArray,
) -> None:
    """Copy a gene's counts, means and weights, and the inverse of its means, into a lane."""
    shared = weights.shape[0] == 1
    for j in range(counts.shape[1]):
        data[COUNT, j, lane] = counts[g, j]
        data[MEAN, j, lane] = mu[g, j]
        data[WEIGHT, j, lane] = weights[0, j] if shared else weights[g, j]
        by_sample[INVERSE_MU, j, lane] = 1.0 / mu[g, j]


@kernel
def nb_logalpha_fit_block(
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
    data, sample, ends = new_lanes(3 * n).reshape(3, n, LANES), new_lanes(5 * n).reshape(5, n, LANES), new_lanes(3)
    y, m, v = as_lanes(data[COUNT]), as_lanes(data[MEAN]), as_lanes(data[WEIGHT])
    by_sample, at = as_lanes(sample), as_lanes(ends)
    weight, squared, quad = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells))
    equations = as_lanes(new_lanes(n_equations(plan)))
    a, value, slope, step = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    gene, iteration, accepted = np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    status = np.full(LANES, FREE)
    taken = done = 0
    while done < n_genes:
        for lane in range(LANES):
            if status[lane] == FREE and taken < n_genes:
                g = order[taken]
                load_gene(g, lane, counts, mu, weights, data, sample)
                ends[POINT, lane], ends[CENTRE, lane] = start[g], prior_mean[g]
                gene[lane], a[lane], status[lane] = g, start[g], START
                step[lane], iteration[lane], accepted[lane] = FIRST_STEP, 0, 0
                taken += 1
        at[RESULT] = nb_logalpha_value(
            at[POINT], y, m, v, plan, numbers, at[CENTRE], prior_variance, by_sample, weight, equations
        )
        risen = False
        for lane in range(LANES):
            new_value = ends[RESULT, lane]
            if status[lane] == START:
                initial_out[gene[lane]] = value[lane] = new_value
                risen = True
            elif status[lane] == SEARCH:
                if not -new_value <= -value[lane] - step[lane] * ARMIJO * slope[lane] * slope[lane]:
                    step[lane] *= 0.5  # also where the value is NaN
                    continue
                accepted[lane] += 1
                a[lane] = ends[POINT, lane]
                change = new_value - value[lane]
                if change < tol or a[lane] >= LOWEST:
                    value[lane] = new_value
                status[lane] = DONE if change < tol or a[lane] < LOWEST else RISEN
                risen = risen or status[lane] == RISEN
        if risen:
            at[RESULT] = nb_logalpha_slope(
                at[POINT], y, m, v, plan, numbers, at[CENTRE], prior_variance, by_sample, weight, squared, quad,
                equations,
            )  # fmt: skip
        for lane in range(LANES):
            if status[lane] == START or status[lane] == RISEN:
                slope[lane] = ends[RESULT, lane]
                if status[lane] == RISEN:
                    step[lane] = min(1.1 * step[lane], FIRST_STEP)
                    if accepted[lane] % 5 == 0:
                        step[lane] *= 0.5
                status[lane] = SEARCH
            if status[lane] == SEARCH and iteration[lane] < max_iter:
                iteration[lane] += 1
                step[lane] = shortened(step[lane], a[lane], slope[lane])
                ends[POINT, lane] = a[lane] + step[lane] * slope[lane]
            elif status[lane] == SEARCH or status[lane] == DONE:
                log_alpha_out[gene[lane]] = a[lane]
                n_iter_out[gene[lane]] = iteration[lane]
                final_out[gene[lane]] = value[lane]
                status[lane] = FREE
                done += 1


@kernel
def shortened(step: float, a: float, slope: float) -> float:
    """Return a step that ends within the limits."""
    proposal = a + step * slope
    if proposal < LOWER:
        step = (LOWER - a) / slope
    if proposal > UPPER:
        step = (UPPER - a) / slope
    return step


@kernel
def nb_logalpha_grid_block(
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
    """Maximise by a grid on [low, high] and a second, finer one around its best point, for every gene of a block."""
    (n_genes, n), n_cells = counts.shape, plan[N_CELLS]
    data, sample, ends = new_lanes(3 * n).reshape(3, n, LANES), new_lanes(5 * n).reshape(5, n, LANES), new_lanes(3)
    y, m, v = as_lanes(data[COUNT]), as_lanes(data[MEAN]), as_lanes(data[WEIGHT])
    by_sample, at = as_lanes(sample), as_lanes(ends)
    weight, equations = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_equations(plan)))
    spacing = (high - low) / (GRID_POINTS - 1)
    for g in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - g)
        for lane in range(n_lanes):
            load_gene(g + lane, lane, counts, mu, weights, data, sample)
            ends[CENTRE, lane] = prior_mean[g + lane]
        first, last, best = low, high, low
        for _ in range(2):
            best, best_value = first, -np.inf
            for k in range(GRID_POINTS):  # the first maximiser of equally spaced points
                a = first + (last - first) * float(k) / float(GRID_POINTS - 1)
                value = nb_logalpha_value(
                    a, y, m, v, plan, numbers, at[CENTRE], prior_variance, by_sample, weight, equations
                )
                better = value > best_value
                best_value, best = select(better, value, best_value), select(better, a, best)
            first, last = best - spacing, best + spacing
        at[RESULT] = best
        for lane in range(n_lanes):
            log_alpha_out[g + lane] = ends[RESULT, lane]
