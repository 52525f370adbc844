"""Negative binomial GLM with log link, by iteratively reweighted least squares with a small ridge.

Sources: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    N_CELLS,
    N_COLUMNS,
    SAMPLE_CELL,
    add_ridge,
    cell_predictors,
    factorize,
    floored_means,
    gather_scores,
    information,
    n_equations,
    solve,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, lanewise, load_row, new_lanes, select
from countnest.kernels.negbin.density import (
    log_factorial,
    log_rising_ratio,
    psi_remainder,
    stirling_remainder,
)

__all__ = [
    "nb_log_irls_chunk",
    "nb_log_start_chunk",
]

# A coefficient (natural log) beyond this has diverged.
LARGE_BETA = 30.0
# Pseudo-count of the starting values.
START_OFFSET = 0.1
# Beyond this, log(1 + x) is as accurate as log1p(x) needs to be, and faster.
DIRECT_LOG = 0.5
# Rows of the numbers by sample (5, n) and by column (2, p), and of those of a gene.
COUNT, FACTOR, LOG_FACTOR, WEIGHT, MEAN = 0, 1, 2, 3, 4
BETA, STEP = 0, 1
ALPHA, CONSTANT, DEVIANCE, BEFORE, DETERMINANT = 0, 1, 2, 3, 4
BY_SAMPLE, N_NUMBERS = 5, np.int64(5)
# Rows of the state of a lane, which has no gene or one in an iteration.
GENE, ITERATION, DONE, FREE = 0, 1, 2, -1


@lanewise
@kernel
def log_growth(x: float) -> float:
    """Return log(1 + x)."""
    return math.log(1.0 + x) if x > DIRECT_LOG else math.log1p(x)


@kernel
def nb_log_start_chunk(
    counts: FloatArray, factors: FloatArray, basis: FloatArray, triangle: FloatArray, beta_out: FloatArray
) -> None:
    """Write starting values into `beta_out` (G, p), by least squares of log(counts / factors + 0.1) on X = QR.

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
def take_steps(tol: float, max_iter: int, state: IntArray, coefficients: FloatArray, ends: FloatArray) -> None:
    """Take the step of every lane whose gene has not converged, by the change of its deviance."""
    for lane in range(LANES):
        iteration, now = state[ITERATION, lane], ends[DEVIANCE, lane]
        change = abs(now - ends[BEFORE, lane]) / (abs(now) + 0.1)
        lost = iteration > 0 and math.isnan(change)
        done = state[GENE, lane] == FREE or lost or iteration >= max_iter or (iteration > 1 and change < tol)
        if not done:
            ends[BEFORE, lane] = now if iteration > 0 else 0.0
            state[ITERATION, lane] += 1
            lost = math.isnan(ends[DETERMINANT, lane])
            if not lost:
                for k in range(coefficients.shape[1]):
                    coefficients[BETA, k, lane] += coefficients[STEP, k, lane]
                    lost = lost or abs(coefficients[BETA, k, lane]) > LARGE_BETA
            done = lost
        if lost:
            state[ITERATION, lane] = max_iter
        state[DONE, lane] = done


@kernel
def nb_log_irls_chunk(
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
    """Find the ridge maximum likelihood estimates of every gene of a chunk.

    A gene that is done leaves its lane to the next one.

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
    beta_out
        (G, p) starts on entry, estimates on return; natural log.
    mu_out
        (G, n) floored means of the last coefficients that were accepted.
    n_iter_out
        (G,) iterations; `max_iter` means no convergence: of the deviance, by a coefficient beyond 30 or a number lost.
    """
    (n_genes, n), p, n_cells = counts.shape, plan[N_COLUMNS], plan[N_CELLS]
    data, coefficients = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(2 * p).reshape(2, p, LANES)
    ends = new_lanes(N_NUMBERS)
    by_sample, by_column, of_gene = as_lanes(data), as_lanes(coefficients), as_lanes(ends)
    y_lanes, f_lanes, log_f_lanes, v_lanes = data[COUNT], data[FACTOR], data[LOG_FACTOR], data[WEIGHT]
    beta_lanes = coefficients[BETA]
    y, f, log_f, v, mu = by_sample[COUNT], by_sample[FACTOR], by_sample[LOG_FACTOR], by_sample[WEIGHT], by_sample[MEAN]
    beta, step = by_column[BETA], by_column[STEP]
    by_cell = as_lanes(new_lanes(3 * n_cells).reshape(3, n_cells, LANES))
    eta, weight, score = by_cell[0], by_cell[1], by_cell[2]
    equations = as_lanes(new_lanes(n_equations(plan)))
    state = np.full((3, LANES), FREE)
    taken = done = 0
    while done < n_genes:
        for lane in range(LANES):
            if state[GENE, lane] == FREE and taken < n_genes:
                state[GENE, lane], state[ITERATION, lane] = taken, 0
                g = state[GENE, lane]
                taken += 1
                load_row(counts, g, lane, y_lanes)
                load_row(factors, g, lane, f_lanes)
                load_row(log_factors, g, lane, log_f_lanes)
                load_row(weights, g, lane, v_lanes)
                load_row(beta_out, g, lane, beta_lanes)
                ends[ALPHA, lane], ends[BEFORE, lane] = alpha[g], 0.0
                ends[CONSTANT, lane] = log_constant(counts[g], alpha[g], weights[g if weights.shape[0] > 1 else 0])
        cell_predictors(plan, numbers, beta, eta)
        floored_means(plan, f, min_mu, eta, score, mu)
        of_gene[DEVIANCE] = deviance(y, log_f, v, of_gene[ALPHA], of_gene[CONSTANT], min_mu, plan, eta, mu)
        working_response(y, log_f, v, of_gene[ALPHA], min_mu, plan, eta, mu, weight, score)
        information(plan, numbers, weight, equations)
        add_ridge(plan, ridge, equations)
        gather_scores(plan, numbers, score, step)
        for k in range(p):
            step[k] -= ridge[k] * beta[k]
        of_gene[DETERMINANT] = factorize(plan, equations)
        solve(plan, equations, step)
        take_steps(tol, max_iter, state, coefficients, ends)
        for lane in range(LANES):
            g = state[GENE, lane]
            if g != FREE and state[DONE, lane]:
                n_iter_out[g] = state[ITERATION, lane]
                for k in range(p):
                    beta_out[g, k] = coefficients[BETA, k, lane]
                for j in range(n):
                    mu_out[g, j] = data[MEAN, j, lane]
                state[GENE, lane] = FREE
                done += 1
