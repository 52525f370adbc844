"""Negative binomial GLM with log link, by a bounded quasi-Newton search, for the genes that IRLS loses.

The likelihoods of these genes are almost flat in some direction, and where a search stops follows from the rounding of
its objective. So the gradient is that of central differences, as in R's optim, and sums are in the order of samples.
A difference in one coefficient moves the means of the few cells that the coefficient meets: the others' terms are kept,
and summed again.

Source: Byrd, Lu, Nocedal and Zhu (1995), doi:10.1137/0916069.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.kernels.algebra.elimination import N_CELLS, SAMPLE_CELL, cell_predictors
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.density import (
    HALF_LOG_TWO_PI,
    nb_loglik_constants,
    nb_loglik_rest,
    nb_loglik_zero,
    stirling_remainder,
)
from countnest.kernels.r_search.lbfgsb import CONVERGED, EVALUATE, N_PLACES, N_ROWS, first_point, next_point

__all__ = ["nb_log_search_chunk"]

# Of the gradient by central differences, log2 scale; and the box of the coefficients.
DIFFERENCE = 1e-3
BOX = 30.0
# What a non-finite objective is taken as.
HUGE = 1e300
# Rows of the work space of the samples (5, n): what of a log-likelihood the mean has no part in, the terms that are
# kept, and those of the last evaluation; of the cells (3, C): linear predictors that go with them, and means.
REST, SCALE, LOG_SHARE, KEPT_TERM, TERM = 0, 1, 2, 3, 4
KEPT_ETA, ETA, RATE = 0, 1, 2


@kernel
def begin_objective(y: FloatArray, size: float, of_samples: FloatArray, of_cells: FloatArray) -> None:
    """Write the terms that all evaluations of a gene share into the work space; `size` is 1 / dispersion."""
    remainder = stirling_remainder(size)
    for j in range(y.shape[0]):
        if y[j] > 0.0:
            rest, scale, log_share = nb_loglik_constants(y[j], size, remainder)
            of_samples[REST, j], of_samples[SCALE, j], of_samples[LOG_SHARE, j] = rest, scale, log_share
    for c in range(of_cells.shape[1]):
        of_cells[KEPT_ETA, c] = math.nan


@kernel
def penalized_loss(
    log2_beta: FloatArray,
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    size: float,
    plan: IntArray,
    numbers: FloatArray,
    prior_sd: FloatArray,
    of_samples: FloatArray,
    of_cells: FloatArray,
) -> float:
    """Return the negative log-likelihood and normal prior of log2 coefficients; 1e300 where it is not finite.

    Terms are computed in cells whose linear predictor is not the one that is kept.
    """
    cell = plan[SAMPLE_CELL]
    kept, eta, rate = of_cells[KEPT_ETA], of_cells[ETA], of_cells[RATE]
    cell_predictors(plan, numbers, log2_beta, eta)
    for c in range(eta.shape[0]):
        if eta[c] != kept[c]:
            rate[c] = 2.0 ** eta[c]
    total = 0.0
    rest = 0.0
    for j in range(y.shape[0]):
        c = plan[cell + j]
        if eta[c] == kept[c]:
            term = of_samples[KEPT_TERM, j]
        elif y[j] == 0.0:
            term = v[j] * nb_loglik_zero(f[j] * rate[c], size)
        else:
            term = v[j] * nb_loglik_rest(
                y[j], f[j] * rate[c], size, of_samples[REST, j], of_samples[SCALE, j], of_samples[LOG_SHARE, j]
            )
        of_samples[TERM, j] = term
        partial = total + term  # summed with compensation (Neumaier)
        rest += (total - partial) + term if abs(total) >= abs(term) else (term - partial) + total
        total = partial
    prior = 0.0
    for k in range(log2_beta.shape[0]):
        x = log2_beta[k] / prior_sd[k]
        prior -= HALF_LOG_TWO_PI + 0.5 * x * x + math.log(prior_sd[k])
    loss = -(total + rest + prior)
    return loss if math.isfinite(loss) else HUGE


@kernel
def nb_log_objective_row(
    log2_beta: FloatArray,
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    size: float,
    plan: IntArray,
    numbers: FloatArray,
    prior_sd: FloatArray,
    of_samples: FloatArray,
    of_cells: FloatArray,
    gradient_out: FloatArray,
) -> float:
    """Return the loss of log2 coefficients (p,), and write its gradient, by central differences within the box.

    `v` (n,) are observation weights, `prior_sd` (p,) the standard deviations of the normal priors on the log2 scale,
    `of_samples` (5, n) and `of_cells` (3, C) work space after `begin_objective`; `log2_beta` is left as it was. The
    differences and their rounding, and not the exact derivative, decide where a quasi-Newton search stops on these flat
    likelihoods.
    """
    loss = penalized_loss(log2_beta, y, f, v, size, plan, numbers, prior_sd, of_samples, of_cells)
    for j in range(y.shape[0]):
        of_samples[KEPT_TERM, j] = of_samples[TERM, j]
    for c in range(of_cells.shape[1]):
        of_cells[KEPT_ETA, c] = of_cells[ETA, c]
    for k in range(log2_beta.shape[0]):
        at = log2_beta[k]
        up = min(at + DIFFERENCE, BOX)
        down = max(at - DIFFERENCE, -BOX)
        width_up = up - at if up == BOX else DIFFERENCE
        width_down = at - down if down == -BOX else DIFFERENCE
        log2_beta[k] = up
        above = penalized_loss(log2_beta, y, f, v, size, plan, numbers, prior_sd, of_samples, of_cells)
        log2_beta[k] = down
        below = penalized_loss(log2_beta, y, f, v, size, plan, numbers, prior_sd, of_samples, of_cells)
        log2_beta[k] = at
        gradient_out[k] = (above - below) / (width_up + width_down)
    return loss


@kernel
def nb_log_search_chunk(
    start: FloatArray,
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    prior_sd: FloatArray,
    factor: float,
    max_iter: int,
    log2_beta_out: FloatArray,
    converged_out: BoolArray,
) -> None:
    """Search for the log2 coefficients of highest penalized likelihood of every gene of a chunk.

    Parameters
    ----------
    start
        (G, p) log2 coefficients; beyond the box, its bounds are taken.
    counts
        (G, n).
    factors
        (1, n) size factors or (G, n) normalization factors.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    plan, numbers
        Of the design, see `elimination`.
    prior_sd
        (p,) standard deviations of the normal priors, log2.
    factor, max_iter
        When to end, see `lbfgsb.next_point`.
    log2_beta_out
        (G, p) where each search ended.
    converged_out
        (G,) whether it converged.
    """
    n, p = counts.shape[1], start.shape[1]
    of_samples, of_cells = np.empty((5, n)), np.empty((3, plan[N_CELLS]))
    state, work, gradient = np.empty(N_PLACES), np.empty((N_ROWS + 2 * p, p)), np.empty(p)
    for g in range(counts.shape[0]):
        y = counts[g]
        f = factors[0] if factors.shape[0] == 1 else factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        size = 1.0 / alpha[g]
        begin_objective(y, size, of_samples, of_cells)
        point = log2_beta_out[g]
        first_point(start[g], BOX, state, point)
        outcome = EVALUATE
        while outcome == EVALUATE:
            loss = nb_log_objective_row(point, y, f, v, size, plan, numbers, prior_sd, of_samples, of_cells, gradient)
            outcome = next_point(loss, gradient, BOX, factor, max_iter, state, work, point)
        converged_out[g] = outcome == CONVERGED
