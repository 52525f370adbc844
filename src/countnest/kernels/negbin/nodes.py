"""Likelihoods at several dispersions of a gene: what the averaged likelihood ratio test integrates over.

The means stay those of the fit while the dispersion varies: they depend on it to second order only.

Sources: Cox and Reid (1987), doi:10.1111/j.2517-6161.1987.tb01422.x; Loader (2000), Fast and accurate computation of
binomial probabilities.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import N_CELLS, N_COLUMNS, SAMPLE_CELL, cox_reid_value, n_equations
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_log, fast_log1p
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, exp, load_row, new_lanes, select
from countnest.kernels.negbin.density import HALF_LOG_TWO_PI, SERIES_FROM, lgamma_with_log, stirling_series
from countnest.kernels.negbin.inference import eliminate, inverse_form, load_genes, new_genes, write_means

__all__ = ["nb_node_loglik_chunk", "nb_node_ratio_chunk", "nb_node_variance_chunk"]

# Rows of the numbers by sample: counts, means, weights, and means of the null model.
COUNT, MEAN, WEIGHT, NULL_MEAN = 0, 1, 2, 3
BY_SAMPLE, ONE = 4, np.int64(1)


@kernel
def stirling_rest(r: float) -> float:
    """Return lgamma(r) - [(r - 1/2) log r - r + log(2 pi)/2] for any r > 0."""
    rest = stirling_series(r)
    small = r < SERIES_FROM
    if any_lane(small):
        value, _, _ = lgamma_with_log(r)
        rest = select(small, value - ((r - 0.5) * fast_log(r) - r + HALF_LOG_TWO_PI), rest)
    return rest


@kernel
def log_product(y: float, alpha: float) -> float:
    """Return the logarithm of (1 + alpha) (1 + 2 alpha) ... (1 + (y - 1) alpha) for counts below 10."""
    most = select(y < SERIES_FROM, y, SERIES_FROM)  # the lanes of larger counts are not used
    product = 1.0
    k = 1.0
    more = k < most
    while any_lane(more):
        product = select(more, product * (1.0 + k * alpha), product)
        k = k + 1.0
        more = k < most
    return fast_log(product)


@kernel
def stirling_of_inverse(inverse: float) -> float:
    """Return `density.stirling_series` of x >= 10, from 1 / x."""
    u = inverse * inverse
    series = 1.0 / 1188.0 - u * (691.0 / 360360.0)
    series = 1.0 / 1260.0 - u * (1.0 / 1680.0 - u * series)
    return (1.0 / 12.0 - u * (1.0 / 360.0 - u * series)) * inverse


@kernel
def log1p_of_inverse(x: float, total: float, inverse: float) -> float:
    """Return log(1 + x), from 1 + x and its inverse as they are rounded."""
    return fast_log(total) - ((total - 1.0) - x) * inverse


@kernel
def node_loglik(alpha: float, by_sample: FloatArray, plan: IntArray, weight: FloatArray) -> float:
    """Return the log-likelihood of a gene at one dispersion, and write the cells' sums of GLM weights (C,).

    Terms that do not depend on the dispersion are left out. With r = 1 / alpha and x = y + r, what is left of a count
    is log[Gamma(x) / (Gamma(r) r^y)] - x log(1 + alpha m). By Stirling's formula the first term is x log(1 + alpha y)
    and what stays small; both logarithms keep their digits where the dispersion is small and x is large.
    """
    r = 1.0 / alpha
    rest = stirling_rest(r)
    cell = plan[SAMPLE_CELL]
    for c in range(weight.shape[0]):
        weight[c] = 0.0
    value = 0.0
    for j in range(by_sample.shape[1]):
        y, m, v = by_sample[COUNT, j], by_sample[MEAN, j], by_sample[WEIGHT, j]
        x, of_mean, of_count = y + r, 1.0 + alpha * m, 1.0 + alpha * y
        share, inverse = 1.0 / of_mean, 1.0 / of_count
        growth = log1p_of_inverse(alpha * y, of_count, inverse)
        own = stirling_of_inverse(alpha * inverse) - rest - 0.5 * growth - y
        small = x < SERIES_FROM
        if any_lane(small):
            own = select(small, log_product(y, alpha) - x * growth, own)
        value = value + v * (x * (growth - log1p_of_inverse(alpha * m, of_mean, share)) + own)
        weight[plan[cell + j]] += v * m * share
    return value


@kernel
def nb_node_loglik_chunk(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    log_alpha: FloatArray,
    table: FloatArray,
    first: IntArray,
    knots: IntArray,
    plan: IntArray,
    numbers: FloatArray,
    loglik_out: FloatArray,
) -> None:
    """Write the Cox-Reid adjusted log-likelihood of every gene at every node into `loglik_out` (G, K).

    Parameters
    ----------
    counts, mu
        (G, n) counts and means above zero.
    weights
        (1, n) or (G, n) observation weights.
    log_alpha
        (G, K) natural logarithms of the dispersions.
    table, first
        (K, 4) weights of the four determinants from `first` (K,) on that give that of each node.
    knots
        (K,) the index of each node among those whose determinants are computed; -1: its own is interpolated.
    plan, numbers
        Of the design, see `elimination`.
    loglik_out
        Up to terms that do not depend on the dispersion.
    """
    (n_genes, n), n_cells, n_nodes = counts.shape, plan[N_CELLS], log_alpha.shape[1]
    data, alphas, values = (
        new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES),
        new_lanes(n_nodes),
        new_lanes(n_nodes),
    )
    dets = new_lanes(n_nodes)
    y_lanes, mu_lanes, v_lanes = data[COUNT], data[MEAN], data[WEIGHT]
    by_sample, alpha_of, value_of, det_of = as_lanes(data), as_lanes(alphas), as_lanes(values), as_lanes(dets)
    weight, equations = as_lanes(new_lanes(n_cells)), as_lanes(new_lanes(n_equations(plan)))
    for begin in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - begin)
        for lane in range(n_lanes):
            load_row(counts, begin + lane, lane, y_lanes)
            load_row(mu, begin + lane, lane, mu_lanes)
            load_row(weights, begin + lane, lane, v_lanes)
            load_row(log_alpha, begin + lane, lane, alphas)
        for k in range(n_nodes):
            value_of[k] = node_loglik(exp(alpha_of[k]), by_sample, plan, weight)
            if knots[k] >= 0:
                det_of[knots[k]] = cox_reid_value(plan, numbers, weight, equations)
        for k in range(n_nodes):
            if knots[k] >= 0:
                value_of[k] -= 0.5 * det_of[knots[k]]
            else:
                i = first[k]
                value_of[k] -= 0.5 * (
                    table[k, 0] * det_of[i]
                    + table[k, 1] * det_of[i + 1]
                    + table[k, 2] * det_of[i + 2]
                    + table[k, 3] * det_of[i + 3]
                )
        for lane in range(n_lanes):
            for k in range(n_nodes):
                loglik_out[begin + lane, k] = values[k, lane]


@kernel
def nb_node_ratio_chunk(
    counts: FloatArray,
    mu: FloatArray,
    null_mu: FloatArray,
    weights: FloatArray,
    log_alpha: FloatArray,
    ratio_out: FloatArray,
) -> None:
    """Write 2 [l(mu) - l(null mu)], not below zero, at every node into `ratio_out` (G, K).

    `counts`, `mu` and `null_mu` are (G, n), the means above zero; `weights` are (1, n) or (G, n), `log_alpha` (G, K).
    """
    (n_genes, n), n_nodes = counts.shape, log_alpha.shape[1]
    data, alphas, values = (
        new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES),
        new_lanes(n_nodes),
        new_lanes(n_nodes),
    )
    y_lanes, mu_lanes, v_lanes, null_lanes = data[COUNT], data[MEAN], data[WEIGHT], data[NULL_MEAN]
    by_sample, alpha_of, value_of = as_lanes(data), as_lanes(alphas), as_lanes(values)
    for begin in range(0, n_genes, LANES):
        n_lanes = min(LANES, n_genes - begin)
        for lane in range(n_lanes):
            load_row(counts, begin + lane, lane, y_lanes)
            load_row(mu, begin + lane, lane, mu_lanes)
            load_row(null_mu, begin + lane, lane, null_lanes)
            load_row(weights, begin + lane, lane, v_lanes)
            load_row(log_alpha, begin + lane, lane, alphas)
        shared = 0.0
        for j in range(n):
            y = by_sample[COUNT, j]
            counted = y != 0.0
            quotient = by_sample[MEAN, j] / by_sample[NULL_MEAN, j]
            shared = shared + select(counted, by_sample[WEIGHT, j] * y * fast_log(quotient), 0.0)
        for k in range(n_nodes):
            alpha = exp(alpha_of[k])
            r = 1.0 / alpha
            total = shared
            for j in range(n):
                m = by_sample[NULL_MEAN, j]
                growth = fast_log1p(alpha * (by_sample[MEAN, j] - m) / (1.0 + alpha * m))
                total = total - by_sample[WEIGHT, j] * (by_sample[COUNT, j] + r) * growth
            value_of[k] = total
            value_of[k] = select(value_of[k] > 0.0, 2.0 * value_of[k], 0.0)
        for lane in range(n_lanes):
            for k in range(n_nodes):
                ratio_out[begin + lane, k] = values[k, lane]


@kernel
def nb_node_variance_chunk(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    log_alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    variance_out: FloatArray,
) -> None:
    """Write the variances c' A^-1 X'WX A^-1 c, A = X'WX + diag(ridge), at every node into `variance_out` (G, k, K).

    `contrasts` are (k, p), of coefficients `beta` (G, p), natural log; means are floored at `min_mu`.
    """
    p, n_contrasts, n_nodes = plan[N_COLUMNS], contrasts.shape[0], log_alpha.shape[1]
    genes, contrast, variances = new_genes(plan, factors.shape[1]), as_lanes(new_lanes(p)), new_lanes(ONE)
    variance = as_lanes(variances)
    first = np.empty(len(beta))
    for begin in range(0, len(beta), LANES):
        for lane in range(min(LANES, len(beta) - begin)):
            first[begin + lane] = math.exp(log_alpha[begin + lane, 0])
        n_lanes = load_genes(begin, factors, weights, first, beta, genes)
        write_means(plan, numbers, min_mu, genes)
        for k in range(n_nodes):
            for lane in range(n_lanes):
                genes.alpha[0, lane] = math.exp(log_alpha[begin + lane, k])
            regular = eliminate(plan, numbers, ridge, genes)
            for i in range(n_contrasts):
                for m in range(p):
                    contrast[m] = contrasts[i, m]
                variance[0] = inverse_form(plan, numbers, regular, contrast, genes)
                for lane in range(n_lanes):
                    variance_out[begin + lane, i, k] = variances[0, lane]
