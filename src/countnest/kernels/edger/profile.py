"""Adjusted profile likelihoods of dispersions: eight genes at once.

Source: McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042; Cox and Reid (1987). The likelihood is written with
ratios of counts and means, so that nothing large cancels, down to dispersions of zero.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    DIAGONAL,
    LEFT,
    N_CELLS,
    N_COLUMNS,
    N_SLOTS,
    OUT,
    RIGHT,
    SAMPLE_CELL,
    UPDATE,
    information,
    n_equations,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_log, fast_log1p
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, load_row, new_lanes, select
from countnest.kernels.negbin.density import stirling_series

__all__ = ["profile_chunk"]

HALF_LOG_TWO_PI = 0.9189385332046727
# Below this argument as many factors take the gamma function to where its series is accurate.
SERIES_FROM = 10.0
# Smaller dispersions and means are zero.
LEAST_DISPERSION, LEAST_MEAN = 1e-30, 1e-300
# A pivot below this has no information.
NO_INFORMATION = 1e-10
COUNT, WEIGHT, MEAN, TERM = 0, 1, 2, 3
BY_SAMPLE = np.int64(4)


@kernel
def gamma_ratio(x: float, m: float, away: float) -> float:
    """Return log Gamma(x) + x - x log m for x > 0 and m > 0; `away` is x - m, which rounding may have lost."""
    small = x < SERIES_FROM
    z = select(small, x + SERIES_FROM, x)
    leading = x * fast_log1p(select(small, 0.0, away / m))
    value = HALF_LOG_TWO_PI + stirling_series(z) - 0.5 * fast_log(z)
    if any_lane(small):
        product = x
        for k in range(1, int(SERIES_FROM)):
            product = product * (x + float(k))
        shift = x * fast_log(z / m) + (z - x) * fast_log(z) - (z - x) - fast_log(select(small, product, 1.0))
        leading = select(small, shift, leading)
    return value + leading


@kernel
def loglik(y: float, mu: float, r: float, rate: float, term: float) -> float:
    """Return log NB(y; mu, dispersion 1 / r); `rate` is `gamma_ratio(r, r, 0)`. 0 where the mean is 0.

    `term` is y log(y + 1) - y - log y!.
    """
    some = mu > LEAST_MEAN
    mean = select(some, mu, 1.0)
    value: float = gamma_ratio(y + r, mean + r, y - mean) - rate + y * fast_log(mean / (y + 1.0)) + term
    result: float = select(some, value, 0.0)
    return result


@kernel
def adjustment(plan: IntArray, equations: FloatArray, floor_share: float) -> float:
    """Eliminate; return half of the log determinant, with pivots that have no information as the least one.

    These count `floor_share` of their logarithm, others half.
    """
    n_slots = plan[N_SLOTS]
    diagonal, update, left, right, out = plan[DIAGONAL], plan[UPDATE], plan[LEFT], plan[RIGHT], plan[OUT]
    total: float = 0.0 * equations[0]
    for j in range(plan[N_COLUMNS]):
        pivot = equations[plan[diagonal + j]]
        lost = pivot < NO_INFORMATION
        pivot = select(lost, NO_INFORMATION, pivot)
        total = total + select(lost, floor_share, 0.5) * fast_log(pivot)
        reciprocal = 1.0 / pivot
        equations[3 * n_slots + j] = reciprocal
        for u in range(plan[update + j], plan[update + j + 1]):
            equations[plan[out + u]] -= equations[plan[left + u]] * reciprocal * equations[plan[right + u]]
    return total


@kernel
def profile_lanes(by_sample: FloatArray, alpha: float, plan: IntArray, weighted: bool, weight: FloatArray) -> float:
    """Return the log-likelihoods, and write the sums of GLM weights of the cells (C,)."""
    y, v, mu, term = by_sample[COUNT], by_sample[WEIGHT], by_sample[MEAN], by_sample[TERM]
    cell = plan[SAMPLE_CELL]
    for c in range(plan[N_CELLS]):
        weight[c] = 0.0
    r = 1.0 / alpha
    rate = gamma_ratio(r, r, 0.0)
    total = 0.0 * alpha
    for j in range(y.shape[0]):
        weight[plan[cell + j]] += v[j] * mu[j] / (1.0 + alpha * mu[j])
        if weighted:
            r = select(v[j] > 0.0, v[j], 1.0) / alpha
            rate = gamma_ratio(r, r, 0.0)
            total = total + loglik(v[j] * y[j], v[j] * mu[j], r, rate, term[j])
        else:
            total = total + loglik(y[j], mu[j], r, rate, term[j])
    return total


@kernel
def profile_chunk(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    terms: FloatArray,
    alpha: float,
    plan: IntArray,
    numbers: FloatArray,
    floor_share: float,
    profile_out: FloatArray,
) -> None:
    """Write the adjusted log-likelihoods at means (G, n) and one dispersion into `profile_out` (G,).

    Parameters
    ----------
    counts, weights
        (G, n), and (1, n) or (G, n) observation weights.
    terms
        (G, n) y log(y + 1) - y - log y! of the counts y times their weights.
    plan, numbers
        Of the design, see `elimination`.
    floor_share
        See `adjustment`.
    """
    n_genes, n = counts.shape
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    by_sample = as_lanes(data)
    count_lanes, weight_lanes, mean_lanes, term_lanes = data[COUNT], data[WEIGHT], data[MEAN], data[TERM]
    weight, equations = as_lanes(new_lanes(plan[N_CELLS])), as_lanes(new_lanes(n_equations(plan)))
    ends = new_lanes(np.int64(2))
    of_gene = as_lanes(ends)
    least = max(alpha, LEAST_DISPERSION)
    weighted = weights.shape[0] > 1
    for j in range(n):
        weighted = weighted or weights[0, j] != 1.0
    for lane in range(LANES):
        ends[0, lane] = least
        load_row(weights, 0, lane, weight_lanes)
    for start in range(0, n_genes, LANES):
        size = min(LANES, n_genes - start)
        for lane in range(size):
            load_row(counts, start + lane, lane, count_lanes)
            if weights.shape[0] > 1:
                load_row(weights, start + lane, lane, weight_lanes)
            load_row(mu, start + lane, lane, mean_lanes)
            load_row(terms, start + lane, lane, term_lanes)
        value = profile_lanes(by_sample, of_gene[0], plan, weighted, weight)
        information(plan, numbers, weight, equations)
        of_gene[1] = value - adjustment(plan, equations, floor_share)
        for lane in range(size):
            profile_out[start + lane] = ends[1, lane]
