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
    new_equations,
    solve,
)
from countnest.kernels.jit import kernel
from countnest.kernels.negbin import nb_loglik_point
from countnest.kernels.special import (
    log_factorial,
    log_rising_ratio,
    psi_remainder,
    stirling_remainder,
)

__all__ = [
    "nb_log_covariance_block",
    "nb_log_irls_block",
    "nb_log_start_block",
    "nb_log_variance_block",
]

# A coefficient (natural log) beyond this has diverged.
LARGE_BETA = 30.0
# Pseudo-count of the starting values.
START_OFFSET = 0.1
# Beyond this, log(1 + x) is as accurate as log1p(x) needs to be, and faster.
DIRECT_LOG = 0.5


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
        rate[c] = math.exp(eta[c])
    cell = plan[SAMPLE_CELL]
    for j in range(f.shape[0]):
        mu[j] = max(f[j] * rate[plan[cell + j]], min_mu)


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
def nb_log_irls_row(
    y: FloatArray,
    f: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    constant: float,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta: FloatArray,
    eta: FloatArray,
    weight: FloatArray,
    score: FloatArray,
    mu: FloatArray,
    step: FloatArray,
    equations: FloatArray,
) -> int:
    """Iterate `beta` (p,) in place to the ridge maximum likelihood estimate; return the number of iterations.

    `v` (n,) are observation weights, `constant` is `log_constant`, `ridge` (p,) the precisions of the coefficients'
    priors. `max_iter` iterations mean no convergence: of the deviance, by a coefficient beyond 30 or a number lost.
    `mu` (n,) is left with the floored means of the last accepted coefficients; `eta`, `weight`, `score` (C,), `step`
    (p,) and `equations` are work space.
    """
    p = beta.shape[0]
    r = 1.0 / alpha
    cell = plan[SAMPLE_CELL]
    log_min_mu = math.log(min_mu) if min_mu > 0.0 else -np.inf
    floored_means(plan, numbers, f, beta, min_mu, eta, score, mu)
    old_deviance = 0.0
    for iteration in range(1, max_iter + 1):
        for c in range(weight.shape[0]):
            weight[c] = 0.0
            score[c] = 0.0
        for j in range(y.shape[0]):
            c = plan[cell + j]
            m = mu[j]
            share = v[j] / (1.0 + alpha * m)
            # working response less linear predictor; the logarithm differs only where the mean is floored
            residual = y[j] - m
            if m == min_mu:
                residual += m * (log_min_mu - log_f[j] - eta[c])
            weight[c] += share * m
            score[c] += share * residual
        information(plan, numbers, weight, equations)
        add_ridge(plan, ridge, equations)
        gather_scores(plan, numbers, score, step)
        for k in range(p):
            step[k] -= ridge[k] * beta[k]
        if math.isnan(factorize(plan, equations)):
            return max_iter
        solve(plan, equations, step)
        large = False
        for k in range(p):
            beta[k] += step[k]
            large = large or abs(beta[k]) > LARGE_BETA
        if large:
            return max_iter
        floored_means(plan, numbers, f, beta, min_mu, eta, score, mu)
        loglik = constant
        for j in range(y.shape[0]):
            m = mu[j]
            inflation = alpha * m
            growth = math.log(1.0 + inflation) if inflation > DIRECT_LOG else math.log1p(inflation)
            log_mu = log_min_mu if m == min_mu else log_f[j] + eta[plan[cell + j]]
            loglik += v[j] * (y[j] * log_mu - (y[j] + r) * growth)
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
    n, p, n_cells = counts.shape[1], plan[N_COLUMNS], plan[N_CELLS]
    shared = factors.shape[0] == 1
    eta, weight, score = np.empty(n_cells), np.empty(n_cells), np.empty(n_cells)
    mu, step, equations = np.empty(n), np.empty(p), new_equations(plan)
    for g in range(counts.shape[0]):
        y = counts[g]
        f = factors[0] if shared else factors[g]
        log_f = log_factors[0] if shared else log_factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        a = alpha[g]
        beta = beta_out[g]
        constant = log_constant(y, a, v)
        n_iter_out[g] = nb_log_irls_row(
            y, f, log_f, v, a, constant, plan, numbers, ridge, min_mu, tol, max_iter, beta,
            eta, weight, score, mu, step, equations,
        )  # fmt: skip
        working_weights(plan, a, v, mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for k in range(p):
            variance_out[g, k] = 1.0 if regular else math.nan
        if not only_means:
            for k in range(p):
                for i in range(p):
                    step[i] = 0.0
                step[k] = 1.0
                variance_out[g, k] = inverse_form(plan, numbers, weight, regular, step, equations)
            if regular:
                inverse_entries(plan, equations)
                leverages(plan, numbers, equations, score)
            else:
                score[:] = np.nan
            cell = plan[SAMPLE_CELL]
            for j in range(n):
                hat_out[g, j] = v[j] * (mu[j] / (1.0 + a * mu[j])) * score[plan[cell + j]]
        floored_means(plan, numbers, f, beta, 0.0, eta, score, mu)
        for j in range(n):
            mu_out[g, j] = mu[j]
        if only_means:
            continue
        size = 1.0 / a
        remainder = stirling_remainder(size)
        loglik = 0.0
        for j in range(n):
            loglik += v[j] * nb_loglik_point(y[j], mu[j], size, remainder)
        loglik_out[g] = loglik


@kernel
def eliminate(
    plan: IntArray, numbers: FloatArray, weight: FloatArray, ridge: FloatArray, equations: FloatArray
) -> bool:
    """Factorize X'WX + diag(ridge) for the cells' sums of weights (C,); return whether it is positive definite."""
    information(plan, numbers, weight, equations)
    add_ridge(plan, ridge, equations)
    return not math.isnan(factorize(plan, equations))


@kernel
def inverse_form(
    plan: IntArray, numbers: FloatArray, weight: FloatArray, regular: bool, contrast: FloatArray, equations: FloatArray
) -> float:
    """Return c' A^-1 X'WX A^-1 c after `eliminate`, and write A^-1 c over c (p,); NaN where A is not `regular`."""
    if not regular:
        return math.nan
    solve(plan, equations, contrast)
    entry, column = plan[ENTRY], plan[COLUMN]
    total = 0.0
    for c in range(plan[N_CELLS]):
        inner = 0.0
        for k in range(plan[entry + c], plan[entry + c + 1]):
            inner += numbers[FIRST_ENTRY + k] * contrast[plan[column + k]]
        total += weight[c] * inner * inner
    return total


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
