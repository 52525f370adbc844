"""What a fitted negative binomial GLM is reported with: variances, leverages, means and log-likelihood.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    COLUMN,
    ENTRY,
    FIRST_ENTRY,
    N_CELLS,
    N_COLUMNS,
    SAMPLE_CELL,
    add_ridge,
    cell_predictors,
    factorize,
    information,
    inverse_entries,
    leverages,
    n_equations,
    solve,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, load_row, new_lanes, select
from countnest.kernels.negbin.density import nb_loglik_point
from countnest.kernels.negbin.irls import floored_means
from countnest.kernels.negbin.special import stirling_remainder

__all__ = ["nb_log_covariance_block", "nb_log_inference_block", "nb_log_variance_block"]

# Rows of the numbers by sample (4, n).
FACTOR, WEIGHT, MEAN, HAT = 0, 1, 2, 3
BY_SAMPLE, ONE = 4, np.int64(1)


@kernel
def working_weights(plan: IntArray, alpha: float, v: FloatArray, mu: FloatArray, weight_out: FloatArray) -> None:
    """Write the summed GLM weights v mu / (1 + alpha mu) of the cells into `weight_out` (C,)."""
    cell = plan[SAMPLE_CELL]
    for c in range(weight_out.shape[0]):
        weight_out[c] = 0.0
    for j in range(mu.shape[0]):
        weight_out[plan[cell + j]] += v[j] * (mu[j] / (1.0 + alpha * mu[j]))


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
def nb_log_inference_block(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    beta: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    only_means: bool,
    mu_out: FloatArray,
    variance_out: FloatArray,
    hat_out: FloatArray,
    loglik_out: FloatArray,
) -> None:
    """Write what follows from the estimates of `nb_log_irls_block`, which has the other arguments.

    Parameters
    ----------
    only_means
        Whether to leave out hat values, variances (but whether they are positive) and log-likelihoods.
    mu_out
        (G, n) floored means on entry, means that are not floored on return.
    variance_out
        (G, p) diagonal of A^-1 X'WX A^-1, A = X'WX + diag(ridge), with W from the floored means.
    hat_out
        (G, n) diagonal of the hat matrix.
    loglik_out
        (G,) log-likelihood at `mu_out`.
    """
    (n_genes, n), p, n_cells = counts.shape, plan[N_COLUMNS], plan[N_CELLS]
    data, coefficients, dispersion = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(p), new_lanes(ONE)
    f_lanes, v_lanes, mu_lanes = data[FACTOR], data[WEIGHT], data[MEAN]
    by_sample, b, a = as_lanes(data), as_lanes(coefficients), as_lanes(dispersion)
    f, v, mu, hat = by_sample[FACTOR], by_sample[WEIGHT], by_sample[MEAN], by_sample[HAT]
    by_cell = as_lanes(new_lanes(3 * n_cells).reshape(3, n_cells, LANES))
    eta, weight, score = by_cell[0], by_cell[1], by_cell[2]
    variances, unit = new_lanes(p), as_lanes(new_lanes(p))
    variance, equations = as_lanes(variances), as_lanes(new_lanes(n_equations(plan)))
    cell = plan[SAMPLE_CELL]
    for begin in range(0, n_genes, LANES):
        n_lanes = min(LANES, len(alpha) - begin)
        for lane in range(n_lanes):
            g = begin + lane
            load_row(factors, g, lane, f_lanes)
            load_row(weights, g, lane, v_lanes)
            load_row(beta, g, lane, coefficients)
            dispersion[0, lane] = alpha[g]
            load_row(mu_out, g, lane, mu_lanes)
        working_weights(plan, a[0], v, mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for k in range(p):
            variance[k] = select(regular, 1.0, math.nan)
        if not only_means:
            for k in range(p):
                for i in range(p):
                    unit[i] = 0.0
                unit[k] = 1.0
                variance[k] = inverse_form(plan, numbers, weight, regular, unit, equations)
            inverse_entries(plan, equations)
            leverages(plan, numbers, equations, score)
            for j in range(n):
                leverage = select(regular, score[plan[cell + j]], math.nan)
                hat[j] = v[j] * (mu[j] / (1.0 + a[0] * mu[j])) * leverage
        cell_predictors(plan, numbers, b, eta)
        floored_means(plan, f, 0.0, eta, score, mu)
        for lane in range(n_lanes):
            g = begin + lane
            for k in range(p):
                variance_out[g, k] = variances[k, lane]
            for j in range(n):
                mu_out[g, j] = data[MEAN, j, lane]
            if only_means:
                continue
            size = 1.0 / alpha[g]
            remainder = stirling_remainder(size)
            loglik = 0.0
            for j in range(n):
                hat_out[g, j] = data[HAT, j, lane]
                loglik += data[WEIGHT, j, lane] * nb_loglik_point(counts[g, j], mu_out[g, j], size, remainder)
            loglik_out[g] = loglik


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
    n, p, n_cells, n_contrasts = factors.shape[1], plan[N_COLUMNS], plan[N_CELLS], contrasts.shape[0]
    data, coefficients, dispersion = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(p), new_lanes(ONE)
    f_lanes, v_lanes = data[FACTOR], data[WEIGHT]
    by_sample, b, a = as_lanes(data), as_lanes(coefficients), as_lanes(dispersion)
    f, v, mu, contrast = by_sample[FACTOR], by_sample[WEIGHT], by_sample[MEAN], as_lanes(new_lanes(p))
    eta, weight, equations = (
        as_lanes(new_lanes(n_cells)),
        as_lanes(new_lanes(n_cells)),
        as_lanes(new_lanes(n_equations(plan))),
    )
    variances = new_lanes(n_contrasts)
    variance = as_lanes(variances)
    for begin in range(0, len(alpha), LANES):
        n_lanes = min(LANES, len(alpha) - begin)
        for lane in range(n_lanes):
            g = begin + lane
            load_row(factors, g, lane, f_lanes)
            load_row(weights, g, lane, v_lanes)
            load_row(beta, g, lane, coefficients)
            dispersion[0, lane] = alpha[g]
        cell_predictors(plan, numbers, b, eta)
        floored_means(plan, f, min_mu, eta, weight, mu)
        working_weights(plan, a[0], v, mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for i in range(n_contrasts):
            for k in range(p):
                contrast[k] = contrasts[i, k]
            variance[i] = inverse_form(plan, numbers, weight, regular, contrast, equations)
        for lane in range(n_lanes):
            for i in range(n_contrasts):
                variance_out[begin + lane, i] = variances[i, lane]


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
    n, p, n_cells, n_contrasts = factors.shape[1], plan[N_COLUMNS], plan[N_CELLS], contrasts.shape[0]
    data, coefficients, dispersion = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES), new_lanes(p), new_lanes(ONE)
    f_lanes, v_lanes = data[FACTOR], data[WEIGHT]
    by_sample, b, a = as_lanes(data), as_lanes(coefficients), as_lanes(dispersion)
    f, v, mu, contrast = by_sample[FACTOR], by_sample[WEIGHT], by_sample[MEAN], as_lanes(new_lanes(p))
    eta, weight, equations = (
        as_lanes(new_lanes(n_cells)),
        as_lanes(new_lanes(n_cells)),
        as_lanes(new_lanes(n_equations(plan))),
    )
    inner = as_lanes(new_lanes(n_contrasts * n_cells).reshape(n_contrasts, n_cells, LANES))
    totals = new_lanes(ONE)
    covariance = as_lanes(totals)
    for begin in range(0, len(alpha), LANES):
        n_lanes = min(LANES, len(alpha) - begin)
        for lane in range(n_lanes):
            g = begin + lane
            load_row(factors, g, lane, f_lanes)
            load_row(weights, g, lane, v_lanes)
            load_row(beta, g, lane, coefficients)
            dispersion[0, lane] = alpha[g]
        cell_predictors(plan, numbers, b, eta)
        floored_means(plan, f, min_mu, eta, weight, mu)
        working_weights(plan, a[0], v, mu, weight)
        regular = eliminate(plan, numbers, weight, ridge, equations)
        for i in range(n_contrasts):
            for k in range(p):
                contrast[k] = contrasts[i, k]
            solve(plan, equations, contrast)
            cell_predictors(plan, numbers, contrast, inner[i])
        for i in range(n_contrasts):
            for j in range(i + 1):
                covariance[0] = 0.0
                for c in range(n_cells):
                    covariance[0] += weight[c] * inner[i, c] * inner[j, c]
                covariance[0] = select(regular, covariance[0], math.nan)
                for lane in range(n_lanes):
                    covariance_out[begin + lane, i, j] = totals[0, lane]
                    covariance_out[begin + lane, j, i] = totals[0, lane]
