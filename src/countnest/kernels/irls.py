"""Negative binomial GLM with log link, by iteratively reweighted least squares with a small ridge.

Sources: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.elimination import (
    COLUMN,
    ENTRY,
    FIRST_ENTRY,
    N_CELLS,
    N_COLUMNS,
    SAMPLE_CELL,
    add_ridge,
    cell_predictors,
    factorize,
    gather_scores,
    information,
    inverse_entries,
    leverages,
    n_equations,
    new_equations,
    solve,
)
from countnest.kernels.jit import kernel
from countnest.kernels.lanes import LANES, as_lanes, exp, lanewise, new_lanes, select
from countnest.kernels.negbin import nb_loglik_point
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
# Beyond this, log(1 + x) is as accurate as log1p(x) needs to be, and faster.
DIRECT_LOG = 0.5
# Rows of a gene's data (5, n), and of the numbers beside them.
COUNT, FACTOR, LOG_FACTOR, WEIGHT, MEAN = 0, 1, 2, 3, 4
ALPHA, CONSTANT, DEVIANCE, DETERMINANT = 0, 1, 2, 3
# A lane without a gene; a gene that goes on.
FREE, CONTINUED = -1, -1
# Of the gradient by central differences, log2 scale; and the box of the coefficients.
DIFFERENCE = 1e-3
BOX = 30.0
# What a non-finite objective is taken as.
HUGE = 1e300


@lanewise
@kernel
def log_growth(x: float) -> float:
    """Return log(1 + x)."""
    return math.log(1.0 + x) if x > DIRECT_LOG else math.log1p(x)


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
def floored_means(
    plan: IntArray,
    numbers: FloatArray,
    f: FloatArray,
    beta: FloatArray,
    min_mu: float,
    eta: FloatArray,
    rate: FloatArray,
    mu: FloatArray,
) -> None:
    """Write X beta and exp(X beta) of the cells into `eta`, `rate` (C,), max(f exp(X beta), min_mu) into `mu` (n,)."""
    cell_predictors(plan, numbers, beta, eta)
    for c in range(eta.shape[0]):
        rate[c] = exp(eta[c])
    cell = plan[SAMPLE_CELL]
    for j in range(f.shape[0]):
        mean = f[j] * rate[plan[cell + j]]
        mu[j] = select(mean < min_mu, min_mu, mean)


@kernel
def working_weights(plan: IntArray, alpha: float, v: FloatArray, mu: FloatArray, weight_out: FloatArray) -> None:
    """Write the summed GLM weights v mu / (1 + alpha mu) of the cells into `weight_out` (C,)."""
    cell = plan[SAMPLE_CELL]
    for c in range(weight_out.shape[0]):
        weight_out[c] = 0.0
    for j in range(mu.shape[0]):
        weight_out[plan[cell + j]] += v[j] * (mu[j] / (1.0 + alpha * mu[j]))


@kernel
def log_constant(y: FloatArray, alpha: float, v: FloatArray) -> float:
    """Return the terms of the log-likelihood of a gene that do not depend on its means."""
    r = 1.0 / alpha
    remainder = stirling_remainder(r)
    psi_rest = psi_remainder(r)
    constant = 0.0
    for j in range(y.shape[0]):
        if y[j] > 0.0:
            rise, _ = log_rising_ratio(y[j], alpha, remainder, psi_rest)
            constant += v[j] * (rise - log_factorial(y[j]))
    return constant


@kernel
def working_response(
    y: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    min_mu: float,
    plan: IntArray,
    eta: FloatArray,
    mu: FloatArray,
    weight_out: FloatArray,
    score_out: FloatArray,
) -> None:
    """Write the sums of the GLM weights and of the weighted working responses of the cells (C,)."""
    cell = plan[SAMPLE_CELL]
    log_min_mu = math.log(min_mu) if min_mu > 0.0 else -np.inf
    for c in range(weight_out.shape[0]):
        weight_out[c] = 0.0
        score_out[c] = 0.0
    for j in range(y.shape[0]):
        c = plan[cell + j]
        m = mu[j]
        share = v[j] / (1.0 + alpha * m)
        # working response less linear predictor; the logarithm differs only where the mean is floored
        residual = y[j] - m
        residual = select(m == min_mu, residual + m * (log_min_mu - log_f[j] - eta[c]), residual)
        weight_out[c] += share * m
        score_out[c] += share * residual


@kernel
def deviance(
    y: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    constant: float,
    min_mu: float,
    plan: IntArray,
    eta: FloatArray,
    mu: FloatArray,
) -> float:
    """Return -2 times the log-likelihood; `constant` is `log_constant`."""
    cell = plan[SAMPLE_CELL]
    log_min_mu = math.log(min_mu) if min_mu > 0.0 else -np.inf
    r = 1.0 / alpha
    loglik = constant
    for j in range(y.shape[0]):
        growth = log_growth(alpha * mu[j])
        log_mu = select(mu[j] == min_mu, log_min_mu, log_f[j] + eta[plan[cell + j]])
        loglik = loglik + v[j] * (y[j] * log_mu - (y[j] + r) * growth)
    return -2.0 * loglik


@kernel
def load_gene(
    g: int,
    lane: int,
    counts: FloatArray,
    factors: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    beta: FloatArray,
    data: FloatArray,
    coefficients: FloatArray,
    ends: FloatArray,
) -> None:
    """Copy what is known of a gene, its dispersion and its coefficients into a lane."""
    own, weighted = g if factors.shape[0] > 1 else 0, g if weights.shape[0] > 1 else 0
    for j in range(counts.shape[1]):
        data[COUNT, j, lane] = counts[g, j]
        data[FACTOR, j, lane] = factors[own, j]
        data[LOG_FACTOR, j, lane] = log_factors[own, j]
        data[WEIGHT, j, lane] = weights[weighted, j]
    for k in range(beta.shape[1]):
        coefficients[k, lane] = beta[g, k]
    ends[ALPHA, lane] = alpha[g]


@kernel
def iterate(
    counts: FloatArray,
    factors: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta_out: FloatArray,
    mu_out: FloatArray,
    n_iter_out: IntArray,
) -> None:
    """Iterate `beta_out` to the ridge maximum likelihood estimates, with the arguments of `nb_log_irls_block`.

    `max_iter` iterations mean no convergence: of the deviance, by a coefficient beyond 30 or a number lost. `mu_out` is
    left with the floored means of the last accepted coefficients. A gene that is done leaves its lane to the next one.
    """
    (n_genes, n), p, n_cells = counts.shape, plan[N_COLUMNS], plan[N_CELLS]
    data, coefficients, steps, ends = new_lanes(5 * n).reshape(5, n, LANES), new_lanes(p), new_lanes(p), new_lanes(4)
    y, f, log_f, v = as_lanes(data[COUNT]), as_lanes(data[FACTOR]), as_lanes(data[LOG_FACTOR]), as_lanes(data[WEIGHT])
    mu, beta, step, at = as_lanes(data[MEAN]), as_lanes(coefficients), as_lanes(steps), as_lanes(ends)
    eta, weight, score = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells))
    equations = as_lanes(new_lanes(n_equations(plan)))
    gene, iteration, old_deviance = np.full(LANES, FREE), np.empty(LANES, np.int64), np.empty(LANES)
    taken = done = 0
    while done < n_genes:
        for lane in range(LANES):
            if gene[lane] == FREE and taken < n_genes:
                load_gene(
                    taken, lane, counts, factors, log_factors, weights, alpha, beta_out, data, coefficients, ends
                )
                ends[CONSTANT, lane] = log_constant(
                    counts[taken], alpha[taken], weights[taken if weights.shape[0] > 1 else 0]
                )
                gene[lane], iteration[lane], old_deviance[lane] = taken, 0, 0.0
                taken += 1
        floored_means(plan, numbers, f, beta, min_mu, eta, score, mu)
        at[DEVIANCE] = deviance(y, log_f, v, at[ALPHA], at[CONSTANT], min_mu, plan, eta, mu)
        working_response(y, log_f, v, at[ALPHA], min_mu, plan, eta, mu, weight, score)
        information(plan, numbers, weight, equations)
        add_ridge(plan, ridge, equations)
        gather_scores(plan, numbers, score, step)
        for k in range(p):
            step[k] -= ridge[k] * beta[k]
        at[DETERMINANT] = factorize(plan, equations)
        solve(plan, equations, step)
        for lane in range(LANES):
            g = gene[lane]
            if g == FREE:
                continue
            ended = max_iter if iteration[lane] == max_iter else CONTINUED
            if iteration[lane] > 0:
                new = ends[DEVIANCE, lane]
                change = abs(new - old_deviance[lane]) / (abs(new) + 0.1)
                if iteration[lane] > 1 and change < tol:
                    ended = iteration[lane]
                elif math.isnan(change):
                    ended = max_iter
                old_deviance[lane] = new
            if ended == CONTINUED:
                iteration[lane] += 1
                if math.isnan(ends[DETERMINANT, lane]):
                    ended = max_iter
                else:
                    for k in range(p):
                        coefficients[k, lane] += steps[k, lane]
                        if abs(coefficients[k, lane]) > LARGE_BETA:
                            ended = max_iter
            if ended != CONTINUED:
                n_iter_out[g] = ended
                for k in range(p):
                    beta_out[g, k] = coefficients[k, lane]
                for j in range(n):
                    mu_out[g, j] = data[MEAN, j, lane]
                gene[lane] = FREE
                done += 1


@kernel
def nb_log_irls_block(
    counts: FloatArray,
    factors: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    tol: float,
    max_iter: int,
    only_means: bool,
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
    plan, numbers
        Of the design, see `elimination`.
    ridge
        (p,) prior precisions.
    only_means
        Whether to leave out hat values, variances (but whether they are positive) and log-likelihoods.
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
    iterate(
        counts, factors, log_factors, weights, alpha, plan, numbers, ridge, min_mu, tol, max_iter,
        beta_out, mu_out, n_iter_out,
    )  # fmt: skip
    (n_genes, n), p, n_cells = counts.shape, plan[N_COLUMNS], plan[N_CELLS]
    data, coefficients, steps, ends = new_lanes(5 * n).reshape(5, n, LANES), new_lanes(p), new_lanes(p), new_lanes(4)
    f, v, mu = as_lanes(data[FACTOR]), as_lanes(data[WEIGHT]), as_lanes(data[MEAN])
    beta, step, at = as_lanes(coefficients), as_lanes(steps), as_lanes(ends)
    spread, hats = new_lanes(p), new_lanes(n)
    variance, hat = as_lanes(spread), as_lanes(hats)
    eta, weight, score = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_cells))
    equations = as_lanes(new_lanes(n_equations(plan)))
    cell = plan[SAMPLE_CELL]
    for first in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - first)
        for lane in range(n_lanes):
            g = first + lane
            load_gene(g, lane, counts, factors, log_factors, weights, alpha, beta_out, data, coefficients, ends)
            for j in range(n):
                data[MEAN, j, lane] = mu_out[g, j]
        working_weights(plan, at[ALPHA], v, mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for k in range(p):
            variance[k] = select(regular, 1.0, math.nan)
        if not only_means:
            for k in range(p):
                for i in range(p):
                    step[i] = 0.0
                step[k] = 1.0
                variance[k] = inverse_form(plan, numbers, weight, regular, step, equations)
            inverse_entries(plan, equations)
            leverages(plan, numbers, equations, score)
            for j in range(n):
                leverage = select(regular, score[plan[cell + j]], math.nan)
                hat[j] = v[j] * (mu[j] / (1.0 + at[ALPHA] * mu[j])) * leverage
        floored_means(plan, numbers, f, beta, 0.0, eta, score, mu)
        for lane in range(n_lanes):
            g = first + lane
            for k in range(p):
                variance_out[g, k] = spread[k, lane]
            for j in range(n):
                mu_out[g, j] = data[MEAN, j, lane]
            if only_means:
                continue
            size = 1.0 / alpha[g]
            remainder = stirling_remainder(size)
            loglik = 0.0
            for j in range(n):
                hat_out[g, j] = hats[j, lane]
                loglik += data[WEIGHT, j, lane] * nb_loglik_point(counts[g, j], mu_out[g, j], size, remainder)
            loglik_out[g] = loglik


@kernel
def eliminate(
    plan: IntArray, numbers: FloatArray, weight: FloatArray, ridge: FloatArray, equations: FloatArray
) -> bool:
    """Factorize X'WX + diag(ridge) for the cells' sums of weights (C,); return whether it is positive definite."""
    information(plan, numbers, weight, equations)
    add_ridge(plan, ridge, equations)
    determinant = factorize(plan, equations)
    return determinant == determinant


@kernel
def inverse_form(
    plan: IntArray, numbers: FloatArray, weight: FloatArray, regular: bool, contrast: FloatArray, equations: FloatArray
) -> float:
    """Return c' A^-1 X'WX A^-1 c after `eliminate`, and write A^-1 c over c (p,); NaN where A is not `regular`."""
    solve(plan, equations, contrast)
    entry, column = plan[ENTRY], plan[COLUMN]
    total = 0.0
    for c in range(plan[N_CELLS]):
        inner = 0.0
        for k in range(plan[entry + c], plan[entry + c + 1]):
            inner += numbers[FIRST_ENTRY + k] * contrast[plan[column + k]]
        total += weight[c] * inner * inner
    return select(regular, total, math.nan)


@kernel
def nb_log_variance_block(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    variance_out: FloatArray,
) -> None:
    """Write the variances c' A^-1 X'WX A^-1 c of contrasts (k, p) of `beta` (G, p) into `variance_out` (G, k)."""
    shared = factors.shape[0] == 1
    eta, weight = np.empty(plan[N_CELLS]), np.empty(plan[N_CELLS])
    mu, step, equations = np.empty(factors.shape[1]), np.empty(plan[N_COLUMNS]), new_equations(plan)
    for g in range(beta.shape[0]):
        floored_means(plan, numbers, factors[0] if shared else factors[g], beta[g], min_mu, eta, weight, mu)
        working_weights(plan, alpha[g], weights[0] if weights.shape[0] == 1 else weights[g], mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for i in range(contrasts.shape[0]):
            for k in range(contrasts.shape[1]):
                step[k] = contrasts[i, k]
            variance_out[g, i] = inverse_form(plan, numbers, weight, regular, step, equations)


@kernel
def nb_log_covariance_block(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    covariance_out: FloatArray,
) -> None:
    """Write the covariances C A^-1 X'WX A^-1 C' of contrasts C (k, p) into `covariance_out` (G, k, k)."""
    n_rows, n_cells = contrasts.shape[0], plan[N_CELLS]
    shared = factors.shape[0] == 1
    eta, weight, mu = np.empty(n_cells), np.empty(n_cells), np.empty(factors.shape[1])
    step, equations = np.empty(plan[N_COLUMNS]), new_equations(plan)
    inner, row = np.empty((n_rows, n_cells)), np.empty(n_cells)
    for g in range(beta.shape[0]):
        floored_means(plan, numbers, factors[0] if shared else factors[g], beta[g], min_mu, eta, weight, mu)
        working_weights(plan, alpha[g], weights[0] if weights.shape[0] == 1 else weights[g], mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for i in range(n_rows):
            for k in range(contrasts.shape[1]):
                step[k] = contrasts[i, k] if regular else math.nan
            if regular:
                solve(plan, equations, step)
            cell_predictors(plan, numbers, step, row)
            for c in range(n_cells):
                inner[i, c] = row[c]
        for i in range(n_rows):
            for j in range(i + 1):
                total = 0.0
                for c in range(n_cells):
                    total += weight[c] * inner[i, c] * inner[j, c]
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
    plan: IntArray,
    numbers: FloatArray,
    prior_sd: FloatArray,
    means: FloatArray,
) -> float:
    """Return the negative log-likelihood and normal prior of log2 coefficients; 1e300 where it is not finite.

    `means` (C,) is work space.
    """
    cell_predictors(plan, numbers, log2_beta, means)
    cell = plan[SAMPLE_CELL]
    for c in range(means.shape[0]):
        means[c] = 2.0 ** means[c]
    total = 0.0
    rest = 0.0
    for j in range(y.shape[0]):
        term = v[j] * nb_loglik_point(y[j], f[j] * means[plan[cell + j]], size, remainder)
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
    plan: IntArray,
    numbers: FloatArray,
    prior_sd: FloatArray,
    gradient_out: FloatArray,
) -> float:
    """Return the loss of log2 coefficients (p,), and write its gradient, by central differences within the box.

    `v` (n,) are observation weights, `prior_sd` (p,) the standard deviations of the normal priors on the log2 scale.
    The differences and their rounding, and
    not the exact derivative, decide where a quasi-Newton search stops on these flat likelihoods.
    """
    means = np.empty(plan[N_CELLS])
    size = 1.0 / alpha
    remainder = stirling_remainder(size)
    loss = penalized_loss(log2_beta, y, f, v, size, remainder, plan, numbers, prior_sd, means)
    moved = log2_beta.copy()
    for k in range(log2_beta.shape[0]):
        at = log2_beta[k]
        up = min(at + DIFFERENCE, BOX)
        down = max(at - DIFFERENCE, -BOX)
        width_up = up - at if up == BOX else DIFFERENCE
        width_down = at - down if down == -BOX else DIFFERENCE
        moved[k] = up
        above = penalized_loss(moved, y, f, v, size, remainder, plan, numbers, prior_sd, means)
        moved[k] = down
        below = penalized_loss(moved, y, f, v, size, remainder, plan, numbers, prior_sd, means)
        moved[k] = at
        gradient_out[k] = (above - below) / (width_up + width_down)
    return loss
