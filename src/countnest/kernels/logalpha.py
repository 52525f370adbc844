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
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.cells import Cells, cox_reid
from countnest.kernels.jit import kernel
from countnest.kernels.special import lgamma_digamma

__all__ = ["nb_logalpha_fit_block", "nb_logalpha_grid_block", "nb_logalpha_posterior_row"]

# The line search stays within these values of log(alpha) and stops below LOWEST.
LOWER, UPPER = -30.0, 10.0
LOWEST = math.log(1e-9)
ARMIJO = 1e-4
FIRST_STEP = 1.0
GRID_POINTS = 20
# Samples of a smaller observation weight do not enter the Cox-Reid term.
MIN_WEIGHT = 1e-2


class Work(NamedTuple):
    """Work space of one gene: sums over cells (C,), zeros (p,) and matrices (p, p)."""

    weight: FloatArray
    squared: FloatArray
    quad: FloatArray
    no_ridge: FloatArray
    matrix: FloatArray
    inverse: FloatArray


@kernel
def new_work(n_cells: int, p: int) -> Work:
    """Return the work space for one gene."""
    return Work(
        np.empty(n_cells), np.empty(n_cells), np.empty(n_cells), np.zeros(p), np.empty((p, p)), np.empty((p, p))
    )


@kernel
def nb_logalpha_posterior_row(
    log_alpha: float,
    y: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    cells: Cells,
    prior_mean: float,
    prior_variance: float,
    work: Work,
) -> tuple[float, float]:
    """Return the log posterior of log_alpha, up to terms free of it, and its derivative.

    Parameters
    ----------
    log_alpha
        Natural logarithm of the dispersion.
    y, mu, v
        (n,) counts, fitted means and observation weights.
    prior_mean, prior_variance
        Of the normal prior on log_alpha; an infinite variance means no prior.
    """
    alpha = math.exp(log_alpha)
    r = 1.0 / alpha
    lgamma_r, digamma_r = lgamma_digamma(r)
    for c in range(work.weight.shape[0]):
        work.weight[c] = 0.0
        work.squared[c] = 0.0
    value = 0.0
    slope = 0.0
    for j in range(y.shape[0]):
        inflation = 1.0 + mu[j] * alpha
        log_inflation = math.log(inflation)
        lgamma_y, digamma_y = lgamma_digamma(y[j] + r)
        value += v[j] * (lgamma_y - lgamma_r - y[j] * math.log(mu[j] + r) - r * log_inflation)
        slope += v[j] * (
            digamma_r + log_inflation - mu[j] * alpha * (1.0 / inflation) - digamma_y + y[j] * (1.0 / (mu[j] + r))
        )
        if v[j] > MIN_WEIGHT:
            w = 1.0 / (1.0 / mu[j] + alpha)
            c = cells.of_sample[j]
            work.weight[c] += w
            work.squared[c] += w * w
    log_determinant, trace = cox_reid(
        cells, work.weight, work.squared, work.no_ridge, work.matrix, work.inverse, work.quad
    )
    distance = log_alpha - prior_mean
    value = value + (-0.5 * distance * distance / prior_variance - 0.5 * log_determinant)
    slope = (1.0 / (alpha * alpha) * slope + 0.5 * trace) * alpha - distance / prior_variance
    return value, slope


@kernel
def nb_logalpha_fit_row(
    start: float,
    y: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    cells: Cells,
    prior_mean: float,
    prior_variance: float,
    tol: float,
    max_iter: int,
    work: Work,
) -> tuple[float, int, float, float]:
    """Maximise the log posterior by steps along its gradient with backtracking.

    Returns log_alpha, the number of iterations, and the log posterior at the start and at the end.
    """
    a = start
    value, slope = nb_logalpha_posterior_row(a, y, mu, v, cells, prior_mean, prior_variance, work)
    initial = value
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
        new_value, new_slope = nb_logalpha_posterior_row(candidate, y, mu, v, cells, prior_mean, prior_variance, work)
        if -new_value <= -value - step * ARMIJO * slope * slope:
            accepted += 1
            a = candidate
            change = new_value - value
            if change < tol:
                value = new_value
                break
            if a < LOWEST:
                break
            value = new_value
            slope = new_slope
            step = min(1.1 * step, FIRST_STEP)
            if accepted % 5 == 0:
                step *= 0.5
        else:
            step *= 0.5
    return a, iteration, initial, value


@kernel
def nb_logalpha_fit_block(
    start: FloatArray,
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    cells: Cells,
    n_cells: int,
    p: int,
    prior_mean: FloatArray,
    prior_variance: float,
    tol: float,
    max_iter: int,
    log_alpha_out: FloatArray,
    n_iter_out: IntArray,
    initial_out: FloatArray,
    final_out: FloatArray,
) -> None:
    """Fit the log dispersion of every gene of a block; see `nb_logalpha_fit_row`.

    Vectors are (G,), `weights` are (1, n) or (G, n).
    """
    work = new_work(n_cells, p)
    for g in range(counts.shape[0]):
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        a, n_iter, initial, final = nb_logalpha_fit_row(
            start[g], counts[g], mu[g], v, cells, prior_mean[g], prior_variance, tol, max_iter, work
        )
        log_alpha_out[g] = a
        n_iter_out[g] = n_iter
        initial_out[g] = initial
        final_out[g] = final


@kernel
def nb_logalpha_grid_row(
    low: float,
    high: float,
    y: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    cells: Cells,
    prior_mean: float,
    prior_variance: float,
    work: Work,
) -> float:
    """Return the first maximiser of the log posterior among equally spaced points from `low` to `high`."""
    best = low
    best_value = -np.inf
    for k in range(GRID_POINTS):
        a = low + (high - low) * k / (GRID_POINTS - 1)
        value, _ = nb_logalpha_posterior_row(a, y, mu, v, cells, prior_mean, prior_variance, work)
        if value > best_value:
            best_value = value
            best = a
    return best


@kernel
def nb_logalpha_grid_block(
    low: float,
    high: float,
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    cells: Cells,
    n_cells: int,
    p: int,
    prior_mean: FloatArray,
    prior_variance: float,
    log_alpha_out: FloatArray,
) -> None:
    """Maximise by a grid on [low, high] and a second, finer one around its best point, for every gene of a block."""
    work = new_work(n_cells, p)
    spacing = (high - low) / (GRID_POINTS - 1)
    for g in range(counts.shape[0]):
        y, m, centre = counts[g], mu[g], prior_mean[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        best = nb_logalpha_grid_row(low, high, y, m, v, cells, centre, prior_variance, work)
        log_alpha_out[g] = nb_logalpha_grid_row(
            best - spacing, best + spacing, y, m, v, cells, centre, prior_variance, work
        )
