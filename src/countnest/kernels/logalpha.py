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
from countnest.kernels.elimination import N_CELLS, SAMPLE_CELL, cox_reid_trace, cox_reid_value, new_equations
from countnest.kernels.jit import kernel
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


@kernel
def invert_means(mu: FloatArray, by_sample: FloatArray) -> None:
    """Write 1 / mu into the work space: the same in every evaluation for a gene."""
    for j in range(mu.shape[0]):
        by_sample[INVERSE_MU, j] = 1.0 / mu[j]


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
    """Return the log posterior of log_alpha, up to terms free of it; `invert_means` comes first.

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
        Work space (5, n), (C,) and of `elimination.new_equations`, left with what `nb_logalpha_slope` needs.
    """
    alpha = math.exp(log_alpha)
    r = 1.0 / alpha
    lgamma_r, _, _ = lgamma_with_log(r)
    cell = plan[SAMPLE_CELL]
    for c in range(weight.shape[0]):
        weight[c] = 0.0
    value = 0.0
    for j in range(y.shape[0]):
        inflation = 1.0 + mu[j] * alpha
        log_inflation = math.log(inflation)
        by_sample[INFLATION, j] = inflation
        by_sample[LOG_INFLATION, j] = log_inflation
        if y[j] == 0.0:
            value += v[j] * (-r * log_inflation)
        else:
            lgamma_y, z, log_z = lgamma_with_log(y[j] + r)
            by_sample[SHIFTED, j] = z
            by_sample[LOG_SHIFTED, j] = log_z
            value += v[j] * (lgamma_y - lgamma_r - y[j] * math.log(mu[j] + r) - r * log_inflation)
        if v[j] > MIN_WEIGHT:
            weight[plan[cell + j]] += 1.0 / (by_sample[INVERSE_MU, j] + alpha)
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
    alpha = math.exp(log_alpha)
    r = 1.0 / alpha
    _, z, log_z = lgamma_with_log(r)
    digamma_r = digamma_from_log(r, z, log_z)
    cell = plan[SAMPLE_CELL]
    for c in range(squared.shape[0]):
        squared[c] = 0.0
    slope = 0.0
    for j in range(y.shape[0]):
        own = digamma_r + by_sample[LOG_INFLATION, j] - mu[j] * alpha * (1.0 / by_sample[INFLATION, j])
        if y[j] == 0.0:
            slope += v[j] * (own - digamma_r)
        else:
            digamma_y = digamma_from_log(y[j] + r, by_sample[SHIFTED, j], by_sample[LOG_SHIFTED, j])
            slope += v[j] * (own - digamma_y + y[j] * (1.0 / (mu[j] + r)))
        if v[j] > MIN_WEIGHT:
            w = 1.0 / (by_sample[INVERSE_MU, j] + alpha)
            squared[plan[cell + j]] += w * w
    trace = cox_reid_trace(plan, numbers, weight, squared, equations, quad)
    return (1.0 / (alpha * alpha) * slope + 0.5 * trace) * alpha - (log_alpha - prior_mean) / prior_variance


@kernel
def nb_logalpha_fit_block(
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
    """
    n_cells = plan[N_CELLS]
    by_sample = np.empty((5, counts.shape[1]))
    weight, squared, quad = np.empty(n_cells), np.empty(n_cells), np.empty(n_cells)
    equations = new_equations(plan)
    for g in range(counts.shape[0]):
        y, m, centre = counts[g], mu[g], prior_mean[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        a = start[g]
        invert_means(m, by_sample)
        value = nb_logalpha_value(a, y, m, v, plan, numbers, centre, prior_variance, by_sample, weight, equations)
        slope = nb_logalpha_slope(
            a, y, m, v, plan, numbers, centre, prior_variance, by_sample, weight, squared, quad, equations
        )
        initial_out[g] = value
        step = FIRST_STEP
        accepted = 0
        iteration = 0
        while iteration < max_iter:
            iteration += 1
            proposal = a + step * slope
            if proposal < LOWER:
                step = (LOWER - a) / slope
            if proposal > UPPER:
                step = (UPPER - a) / slope
            candidate = a + step * slope
            new_value = nb_logalpha_value(
                candidate, y, m, v, plan, numbers, centre, prior_variance, by_sample, weight, equations
            )
            if not -new_value <= -value - step * ARMIJO * slope * slope:  # so that NaN is no gain
                step *= 0.5
                continue
            accepted += 1
            a = candidate
            change = new_value - value
            if change < tol:
                value = new_value
                break
            if a < LOWEST:
                break
            value = new_value
            slope = nb_logalpha_slope(
                a, y, m, v, plan, numbers, centre, prior_variance, by_sample, weight, squared, quad, equations
            )
            step = min(1.1 * step, FIRST_STEP)
            if accepted % 5 == 0:
                step *= 0.5
        log_alpha_out[g] = a
        n_iter_out[g] = iteration
        final_out[g] = value


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
    by_sample = np.empty((5, counts.shape[1]))
    weight, equations = np.empty(plan[N_CELLS]), new_equations(plan)
    spacing = (high - low) / (GRID_POINTS - 1)
    for g in range(counts.shape[0]):
        y, m, centre = counts[g], mu[g], prior_mean[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        invert_means(m, by_sample)
        first, last = low, high
        best = low
        for _ in range(2):
            best = first
            best_value = -np.inf
            for k in range(GRID_POINTS):  # the first maximiser of equally spaced points
                a = first + (last - first) * k / (GRID_POINTS - 1)
                value = nb_logalpha_value(
                    a, y, m, v, plan, numbers, centre, prior_variance, by_sample, weight, equations
                )
                if value > best_value:
                    best_value = value
                    best = a
            first, last = best - spacing, best + spacing
        log_alpha_out[g] = best
