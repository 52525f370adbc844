"""Means, hat values, variances and log-likelihoods of a fitted negative binomial GLM.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import math
from typing import NamedTuple

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
    floored_means,
    information,
    inverse_entries,
    leverages,
    n_equations,
    solve,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, load_row, new_lanes, select
from countnest.kernels.negbin.density import nb_loglik_point, stirling_remainder

__all__ = [
    "nb_log_covariance_chunk",
    "nb_log_hat_chunk",
    "nb_log_inference_chunk",
    "nb_log_mean_chunk",
    "nb_log_variance_chunk",
]

# Rows of the numbers by sample (4, n), and of those by cell (3, C).
FACTOR, WEIGHT, MEAN, HAT = 0, 1, 2, 3
ETA, GLM_WEIGHT, SPARE = 0, 1, 2
BY_SAMPLE, BY_CELL, ONE = 4, 3, np.int64(1)


class Genes(NamedTuple):
    """Memory of fitted genes, one in each lane, and of their normal equations; `as_lanes` makes vectors of it.

    `by_sample` is (4, n, LANES), `beta` (p, LANES), `alpha` (1, LANES), `by_cell` (3, C, LANES).
    """

    by_sample: FloatArray
    beta: FloatArray
    alpha: FloatArray
    by_cell: FloatArray
    equations: FloatArray


@kernel
def new_genes(plan: IntArray, n: int) -> Genes:
    """Return the memory for genes of `n` samples."""
    n_cells = plan[N_CELLS]
    return Genes(
        new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES),
        new_lanes(plan[N_COLUMNS]),
        new_lanes(ONE),
        new_lanes(BY_CELL * n_cells).reshape(BY_CELL, n_cells, LANES),
        new_lanes(n_equations(plan)),
    )


@kernel
def load_genes(
    begin: int, factors: FloatArray, weights: FloatArray, alpha: FloatArray, beta: FloatArray, genes: Genes
) -> int:
    """Load the genes from `begin` on into the lanes; return how many: LANES, fewer at the end of the chunk."""
    n_lanes = min(LANES, len(alpha) - begin)
    f_lanes, v_lanes = genes.by_sample[FACTOR], genes.by_sample[WEIGHT]
    for lane in range(n_lanes):
        g = begin + lane
        load_row(factors, g, lane, f_lanes)
        load_row(weights, g, lane, v_lanes)
        load_row(beta, g, lane, genes.beta)
        genes.alpha[0, lane] = alpha[g]
    return n_lanes


@kernel
def write_means(plan: IntArray, numbers: FloatArray, min_mu: float, genes: Genes) -> None:
    """Write the means at the coefficients, `min_mu` at least, into the row MEAN."""
    by_sample, by_cell = as_lanes(genes.by_sample), as_lanes(genes.by_cell)
    cell_predictors(plan, numbers, as_lanes(genes.beta), by_cell[ETA])
    floored_means(plan, by_sample[FACTOR], min_mu, by_cell[ETA], by_cell[SPARE], by_sample[MEAN])


@kernel
def working_weights(plan: IntArray, alpha: float, v: FloatArray, mu: FloatArray, weight_out: FloatArray) -> None:
    """Write the summed GLM weights v mu / (1 + alpha mu) of the cells into `weight_out` (C,)."""
    cell = plan[SAMPLE_CELL]
    for c in range(weight_out.shape[0]):
        weight_out[c] = 0.0
    for j in range(mu.shape[0]):
        weight_out[plan[cell + j]] += v[j] * (mu[j] / (1.0 + alpha * mu[j]))


@kernel
def eliminate(plan: IntArray, numbers: FloatArray, ridge: FloatArray, genes: Genes) -> bool:
    """Factorize X'WX + diag(ridge) with the weights at the means; return whether it is positive definite."""
    by_sample, weight, equations = (
        as_lanes(genes.by_sample),
        as_lanes(genes.by_cell[GLM_WEIGHT]),
        as_lanes(genes.equations),
    )
    working_weights(plan, as_lanes(genes.alpha)[0], by_sample[WEIGHT], by_sample[MEAN], weight)
    information(plan, numbers, weight, equations)
    add_ridge(plan, ridge, equations)
    determinant = factorize(plan, equations)
    return determinant == determinant


@kernel
def inverse_form(plan: IntArray, numbers: FloatArray, regular: bool, contrast: FloatArray, genes: Genes) -> float:
    """Return c' A^-1 X'WX A^-1 c after `eliminate`, and write A^-1 c over c (p,); NaN where A is not `regular`."""
    solve(plan, as_lanes(genes.equations), contrast)
    weight = as_lanes(genes.by_cell[GLM_WEIGHT])
    entry, column = plan[ENTRY], plan[COLUMN]
    total = 0.0
    for c in range(plan[N_CELLS]):
        inner = 0.0
        for k in range(plan[entry + c], plan[entry + c + 1]):
            inner += numbers[FIRST_ENTRY + k] * contrast[plan[column + k]]
        total += weight[c] * inner * inner
    return select(regular, total, math.nan)


@kernel
def write_hat_values(plan: IntArray, numbers: FloatArray, regular: bool, genes: Genes) -> None:
    """Write the diagonals of the hat matrices into the row HAT, after `eliminate`; NaN where A is not `regular`."""
    by_sample, leverage, equations = (
        as_lanes(genes.by_sample),
        as_lanes(genes.by_cell[SPARE]),
        as_lanes(genes.equations),
    )
    v, mu, hat, a = by_sample[WEIGHT], by_sample[MEAN], by_sample[HAT], as_lanes(genes.alpha)[0]
    inverse_entries(plan, equations)
    leverages(plan, numbers, equations, leverage)
    cell = plan[SAMPLE_CELL]
    for j in range(mu.shape[0]):
        hat[j] = v[j] * (mu[j] / (1.0 + a * mu[j])) * select(regular, leverage[plan[cell + j]], math.nan)


@kernel
def nb_log_mean_chunk(
    beta: FloatArray, factors: FloatArray, plan: IntArray, numbers: FloatArray, mu_out: FloatArray
) -> None:
    """Write f exp(X beta) of coefficients (G, p) into `mu_out` (G, n); `factors` are (1, n) or (G, n)."""
    eta, rate = np.empty(plan[N_CELLS]), np.empty(plan[N_CELLS])
    for g in range(beta.shape[0]):
        f = factors[0] if factors.shape[0] == 1 else factors[g]
        cell_predictors(plan, numbers, beta[g], eta)
        floored_means(plan, f, 0.0, eta, rate, mu_out[g])


@kernel
def nb_log_hat_chunk(
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    hat_out: FloatArray,
) -> None:
    """Write the diagonals of the hat matrices at coefficients (G, p), means floored at `min_mu`, into `hat_out`."""
    n = factors.shape[1]
    genes = new_genes(plan, n)
    for begin in range(0, len(alpha), LANES):
        n_lanes = load_genes(begin, factors, weights, alpha, beta, genes)
        write_means(plan, numbers, min_mu, genes)
        regular = eliminate(plan, numbers, ridge, genes)
        write_hat_values(plan, numbers, regular, genes)
        for lane in range(n_lanes):
            for j in range(n):
                hat_out[begin + lane, j] = genes.by_sample[HAT, j, lane]


@kernel
def nb_log_inference_chunk(
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
    """Write means, variances, hat values and log-likelihoods at the estimates of `nb_log_irls_chunk`.

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
    n, p = counts.shape[1], plan[N_COLUMNS]
    genes, unit, variances = new_genes(plan, n), as_lanes(new_lanes(p)), new_lanes(p)
    variance, mu_lanes = as_lanes(variances), genes.by_sample[MEAN]
    for begin in range(0, len(alpha), LANES):
        n_lanes = load_genes(begin, factors, weights, alpha, beta, genes)
        for lane in range(n_lanes):
            load_row(mu_out, begin + lane, lane, mu_lanes)
        regular = eliminate(plan, numbers, ridge, genes)
        for k in range(p):
            variance[k] = select(regular, 1.0, math.nan)
        if not only_means:
            for k in range(p):
                for i in range(p):
                    unit[i] = 0.0
                unit[k] = 1.0
                variance[k] = inverse_form(plan, numbers, regular, unit, genes)
            write_hat_values(plan, numbers, regular, genes)
        write_means(plan, numbers, 0.0, genes)
        for lane in range(n_lanes):
            g = begin + lane
            for k in range(p):
                variance_out[g, k] = variances[k, lane]
            for j in range(n):
                mu_out[g, j] = genes.by_sample[MEAN, j, lane]
            if only_means:
                continue
            size = 1.0 / alpha[g]
            remainder = stirling_remainder(size)
            loglik = 0.0
            for j in range(n):
                hat_out[g, j] = genes.by_sample[HAT, j, lane]
                loglik += genes.by_sample[WEIGHT, j, lane] * nb_loglik_point(
                    counts[g, j], mu_out[g, j], size, remainder
                )
            loglik_out[g] = loglik


@kernel
def nb_log_variance_chunk(
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
    p, n_contrasts = plan[N_COLUMNS], contrasts.shape[0]
    genes, contrast = new_genes(plan, factors.shape[1]), as_lanes(new_lanes(p))
    variances = new_lanes(n_contrasts)
    variance = as_lanes(variances)
    for begin in range(0, len(alpha), LANES):
        n_lanes = load_genes(begin, factors, weights, alpha, beta, genes)
        write_means(plan, numbers, min_mu, genes)
        regular = eliminate(plan, numbers, ridge, genes)
        for i in range(n_contrasts):
            for k in range(p):
                contrast[k] = contrasts[i, k]
            variance[i] = inverse_form(plan, numbers, regular, contrast, genes)
        for lane in range(n_lanes):
            for i in range(n_contrasts):
                variance_out[begin + lane, i] = variances[i, lane]


@kernel
def nb_log_covariance_chunk(
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
    p, n_cells, n_contrasts = plan[N_COLUMNS], plan[N_CELLS], contrasts.shape[0]
    genes, contrast = new_genes(plan, factors.shape[1]), as_lanes(new_lanes(p))
    inner = as_lanes(new_lanes(n_contrasts * n_cells).reshape(n_contrasts, n_cells, LANES))
    totals = new_lanes(ONE)
    covariance, weight = as_lanes(totals), as_lanes(genes.by_cell[GLM_WEIGHT])
    for begin in range(0, len(alpha), LANES):
        n_lanes = load_genes(begin, factors, weights, alpha, beta, genes)
        write_means(plan, numbers, min_mu, genes)
        regular = eliminate(plan, numbers, ridge, genes)
        for i in range(n_contrasts):
            for k in range(p):
                contrast[k] = contrasts[i, k]
            solve(plan, as_lanes(genes.equations), contrast)
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
