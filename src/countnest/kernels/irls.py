"""Negative binomial GLM with log link, by iteratively reweighted least squares with a small ridge.

Sources: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.cells import Cells, cell_predictor, gather, information, leverage
from countnest.kernels.jit import kernel
from countnest.kernels.negbin import nb_loglik_point
from countnest.kernels.smallmat import cholesky, cholesky_inverse, cholesky_solve
from countnest.kernels.special import (
    HALF_LOG_TWO_PI,
    log_factorial,
    log_rising_ratio,
    psi_remainder,
    stirling_remainder,
)

__all__ = [
    "nb_log_covariance_block",
    "nb_log_irls_block",
    "nb_log_objective_row",
    "nb_log_start_block",
    "nb_log_variance_block",
]

# A coefficient (natural log) beyond this has diverged.
LARGE_BETA = 30.0
# Pseudo-count of the starting values.
START_OFFSET = 0.1
# Of the gradient by central differences, log2 scale; and the box of the coefficients.
DIFFERENCE = 1e-3
BOX = 30.0
# What a non-finite objective is taken as.
HUGE = 1e300


class Work(NamedTuple):
    """Work space of one gene: cells (C,), samples (n,), coefficients (p,) and matrices (p, p)."""

    eta: FloatArray
    weight: FloatArray
    score: FloatArray
    mu: FloatArray
    step: FloatArray
    matrix: FloatArray
    inverse: FloatArray


@kernel
def new_work(n_cells: int, n: int, p: int) -> Work:
    """Return the work space for one gene."""
    return Work(
        np.empty(n_cells),
        np.empty(n_cells),
        np.empty(n_cells),
        np.empty(n),
        np.empty(p),
        np.empty((p, p)),
        np.empty((p, p)),
    )


@kernel
def nb_log_start_block(
    counts: FloatArray, factors: FloatArray, basis: FloatArray, triangle: FloatArray, beta_out: FloatArray
) -> None:
    """Write least squares starts of log(counts / factors + 0.1) on X = QR into `beta_out` (G, p).

    `basis` is Q (n, p), `triangle` R (p, p): back substitution of R beta = Q'z.
    """
    shared = factors.shape[0] == 1
    p = beta_out.shape[1]
    for g in range(counts.shape[0]):
        f = factors[0] if shared else factors[g]
        beta = beta_out[g]
        for k in range(p):
            beta[k] = 0.0
        for j in range(counts.shape[1]):
            z = math.log(counts[g, j] / f[j] + START_OFFSET)
            for k in range(p):
                beta[k] += basis[j, k] * z
        for k in range(p - 1, -1, -1):
            beta[k] /= triangle[k, k]
            for i in range(k):
                beta[i] -= beta[k] * triangle[i, k]


@kernel
def floored_mean(cells: Cells, f: FloatArray, beta: FloatArray, min_mu: float, work: Work) -> None:
    """Write the cells' predictors into `work.eta` and max(f exp(X beta), min_mu) into `work.mu`."""
    cell_predictor(cells, beta, work.eta)
    for c in range(work.eta.shape[0]):
        work.score[c] = math.exp(work.eta[c])
    for j in range(f.shape[0]):
        work.mu[j] = max(f[j] * work.score[cells.of_sample[j]], min_mu)


@kernel
def working_weights(cells: Cells, alpha: float, v: FloatArray, work: Work) -> None:
    """Write the summed GLM weights v mu / (1 + alpha mu) of the cells into `work.weight`."""
    for c in range(work.weight.shape[0]):
        work.weight[c] = 0.0
    for j in range(work.mu.shape[0]):
        work.weight[cells.of_sample[j]] += v[j] * (work.mu[j] / (1.0 + alpha * work.mu[j]))


@kernel
def nb_log_irls_row(
    y: FloatArray,
    f: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    cells: Cells,
    ridge: FloatArray,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta: FloatArray,
    work: Work,
) -> int:
    """Iterate `beta` (p,) in place to the ridge maximum likelihood estimate; return the number of iterations.

    `v` (n,) are observation weights, `ridge` (p,) the precisions of the coefficients' priors.
    `max_iter` iterations mean no convergence: of the deviance, by a coefficient beyond 30 or a number lost.
    `work.mu` holds the floored means of the last accepted coefficients.
    """
    p = beta.shape[0]
    r = 1.0 / alpha
    remainder = stirling_remainder(r)
    psi_rest = psi_remainder(r)
    constant = 0.0
    for j in range(y.shape[0]):
        rise, _ = log_rising_ratio(y[j], alpha, remainder, psi_rest)
        constant += v[j] * (rise - log_factorial(y[j]))
    log_min_mu = math.log(min_mu) if min_mu > 0.0 else -np.inf
    floored_mean(cells, f, beta, min_mu, work)
    old_deviance = 0.0
    for iteration in range(1, max_iter + 1):
        for c in range(work.weight.shape[0]):
            work.weight[c] = 0.0
            work.score[c] = 0.0
        for j in range(y.shape[0]):
            c = cells.of_sample[j]
            mu = work.mu[j]
            w = v[j] * (mu / (1.0 + alpha * mu))
            # working response less linear predictor; the logarithm differs only where the mean is floored
            residual = (y[j] - mu) / mu
            if mu == min_mu:
                residual += log_min_mu - log_f[j] - work.eta[c]
            work.weight[c] += w
            work.score[c] += w * residual
        information(cells, work.weight, ridge, work.matrix)
        gather(cells, work.score, work.step)
        for k in range(p):
            work.step[k] -= ridge[k] * beta[k]
        if math.isnan(cholesky(work.matrix)):
            return max_iter
        cholesky_solve(work.matrix, work.step)
        large = False
        for k in range(p):
            beta[k] += work.step[k]
            large = large or abs(beta[k]) > LARGE_BETA
        if large:
            return max_iter
        floored_mean(cells, f, beta, min_mu, work)
        loglik = constant
        for j in range(y.shape[0]):
            mu = work.mu[j]
            log_mu = log_min_mu if mu == min_mu else log_f[j] + work.eta[cells.of_sample[j]]
            loglik += v[j] * (y[j] * log_mu - (y[j] + r) * math.log1p(alpha * mu))
        deviance = -2.0 * loglik
        change = abs(deviance - old_deviance) / (abs(deviance) + 0.1)
        if math.isnan(change):
            return max_iter
        if iteration > 1 and change < tol:
            return iteration
        old_deviance = deviance
    return max_iter


@kernel
def nb_log_irls_block(
    counts: FloatArray,
    factors: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    cells: Cells,
    n_cells: int,
    ridge: FloatArray,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta_out: FloatArray,
    variance_out: FloatArray,
    mu_out: FloatArray,
    hat_out: FloatArray,
    loglik_out: FloatArray,
    n_iter_out: IntArray,
) -> None:
    """Fit every gene of a block.

    Parameters
    ----------
    counts
        (G, n).
    factors, log_factors
        (1, n) size factors or (G, n) normalization factors, and their logarithms.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    ridge
        (p,) prior precisions.
    beta_out
        (G, p) starts on entry, estimates on return; natural log.
    variance_out
        (G, p) diagonal of A^-1 X'WX A^-1, A = X'WX + diag(ridge), with W from the floored means.
    mu_out
        (G, n) means, not floored.
    hat_out
        (G, n) diagonal of the hat matrix.
    loglik_out, n_iter_out
        (G,) log-likelihood at `mu_out`, and iterations; `max_iter` means no convergence.
    """
    n, p = counts.shape[1], beta_out.shape[1]
    shared = factors.shape[0] == 1
    work = new_work(n_cells, n, p)
    for g in range(counts.shape[0]):
        f = factors[0] if shared else factors[g]
        log_f = log_factors[0] if shared else log_factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        a = alpha[g]
        beta = beta_out[g]
        n_iter_out[g] = nb_log_irls_row(counts[g], f, log_f, v, a, cells, ridge, min_mu, tol, max_iter, beta, work)
        working_weights(cells, a, v, work)
        ridge_inverse(cells, ridge, work)
        for k in range(p):
            variance_out[g, k] = sandwich(cells, work.weight, work.inverse[k])
        leverage(cells, work.inverse, work.score)
        for j in range(n):
            hat_out[g, j] = v[j] * (work.mu[j] / (1.0 + a * work.mu[j])) * work.score[cells.of_sample[j]]
        floored_mean(cells, f, beta, 0.0, work)
        size = 1.0 / a
        remainder = stirling_remainder(size)
        loglik = 0.0
        for j in range(n):
            mu_out[g, j] = work.mu[j]
            loglik += v[j] * nb_loglik_point(counts[g, j], work.mu[j], size, remainder)
        loglik_out[g] = loglik


@kernel
def ridge_inverse(cells: Cells, ridge: FloatArray, work: Work) -> None:
    """Write (X'WX + diag(ridge))^-1 into `work.inverse`, from `work.weight`; NaN where it does not exist."""
    information(cells, work.weight, ridge, work.matrix)
    if math.isnan(cholesky(work.matrix)):
        work.inverse[:] = np.nan
    else:
        cholesky_inverse(work.matrix, work.inverse)


@kernel
def sandwich(cells: Cells, weight: FloatArray, u: FloatArray) -> float:
    """Return u' X'WX u."""
    total = 0.0
    for c in range(weight.shape[0]):
        inner = cell_product(cells, c, u)
        total += weight[c] * inner * inner
    return total


@kernel
def cell_product(cells: Cells, c: int, u: FloatArray) -> float:
    """Return x_c' u."""
    inner = 0.0
    for k in range(cells.start[c], cells.start[c + 1]):
        inner += cells.value[k] * u[cells.column[k]]
    return inner


@kernel
def nb_log_variance_block(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    cells: Cells,
    n_cells: int,
    ridge: FloatArray,
    min_mu: float,
    variance_out: FloatArray,
) -> None:
    """Write the variances c' A^-1 X'WX A^-1 c of contrasts (k, p) of `beta` (G, p) into `variance_out` (G, k)."""
    shared = factors.shape[0] == 1
    work = new_work(n_cells, factors.shape[1], beta.shape[1])
    for g in range(beta.shape[0]):
        floored_mean(cells, factors[0] if shared else factors[g], beta[g], min_mu, work)
        working_weights(cells, alpha[g], weights[0] if weights.shape[0] == 1 else weights[g], work)
        ridge_inverse(cells, ridge, work)
        for i in range(contrasts.shape[0]):
            apply_inverse(work.inverse, contrasts[i], work.step)
            variance_out[g, i] = sandwich(cells, work.weight, work.step)


@kernel
def apply_inverse(inverse: FloatArray, contrast: FloatArray, product_out: FloatArray) -> None:
    """Write A^-1 c into `product_out` (p,)."""
    for k in range(contrast.shape[0]):
        total = 0.0
        for m in range(contrast.shape[0]):
            total += inverse[k, m] * contrast[m]
        product_out[k] = total


@kernel
def nb_log_covariance_block(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    cells: Cells,
    n_cells: int,
    ridge: FloatArray,
    min_mu: float,
    covariance_out: FloatArray,
) -> None:
    """Write the covariances C A^-1 X'WX A^-1 C' of contrasts C (k, p) into `covariance_out` (G, k, k)."""
    n_rows = contrasts.shape[0]
    shared = factors.shape[0] == 1
    work = new_work(n_cells, factors.shape[1], beta.shape[1])
    inner = np.empty((n_rows, n_cells))
    for g in range(beta.shape[0]):
        floored_mean(cells, factors[0] if shared else factors[g], beta[g], min_mu, work)
        working_weights(cells, alpha[g], weights[0] if weights.shape[0] == 1 else weights[g], work)
        ridge_inverse(cells, ridge, work)
        for i in range(n_rows):
            apply_inverse(work.inverse, contrasts[i], work.step)
            for c in range(n_cells):
                inner[i, c] = cell_product(cells, c, work.step)
        for i in range(n_rows):
            for j in range(i + 1):
                total = 0.0
                for c in range(n_cells):
                    total += work.weight[c] * inner[i, c] * inner[j, c]
                covariance_out[g, i, j] = total
                covariance_out[g, j, i] = total


@kernel
def penalized_loss(
    log2_beta: FloatArray,
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    size: float,
    remainder: float,
    cells: Cells,
    prior_sd: FloatArray,
    means: FloatArray,
) -> float:
    """Return the negative log-likelihood and normal prior of log2 coefficients; 1e300 where it is not finite.

    `means` (C,) is work space.
    """
    cell_predictor(cells, log2_beta, means)
    for c in range(means.shape[0]):
        means[c] = 2.0 ** means[c]
    total = 0.0
    rest = 0.0
    for j in range(y.shape[0]):
        term = v[j] * nb_loglik_point(y[j], f[j] * means[cells.of_sample[j]], size, remainder)
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
    alpha: float,
    cells: Cells,
    n_cells: int,
    prior_sd: FloatArray,
    gradient_out: FloatArray,
) -> float:
    """Return the loss of log2 coefficients (p,), and write its gradient, by central differences within the box.

    `v` (n,) are observation weights, `prior_sd` (p,) the standard deviations of the normal priors on the log2 scale.
    The differences and their rounding, and
    not the exact derivative, decide where a quasi-Newton search stops on these flat likelihoods.
    """
    means = np.empty(n_cells)
    size = 1.0 / alpha
    remainder = stirling_remainder(size)
    loss = penalized_loss(log2_beta, y, f, v, size, remainder, cells, prior_sd, means)
    moved = log2_beta.copy()
    for k in range(log2_beta.shape[0]):
        at = log2_beta[k]
        up = min(at + DIFFERENCE, BOX)
        down = max(at - DIFFERENCE, -BOX)
        width_up = up - at if up == BOX else DIFFERENCE
        width_down = at - down if down == -BOX else DIFFERENCE
        moved[k] = up
        above = penalized_loss(moved, y, f, v, size, remainder, cells, prior_sd, means)
        moved[k] = down
        below = penalized_loss(moved, y, f, v, size, remainder, cells, prior_sd, means)
        moved[k] = at
        gradient_out[k] = (above - below) / (width_up + width_down)
    return loss
