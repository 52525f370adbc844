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
from countnest.kernels.edger.deviance import EXACT
from countnest.kernels.edger.levenberg import levenberg_chunk
from countnest.kernels.edger.one_group import one_way_chunk
from countnest.kernels.negbin.density import stirling_series

__all__ = ["grid_chunk", "profile_chunk"]

HALF_LOG_TWO_PI = 0.9189385332046727
# Below this argument as many factors take the gamma function to where its series is accurate.
SERIES_FROM = 10.0
# Smaller dispersions and means are zero.
LEAST_DISPERSION, LEAST_MEAN = 1e-30, 1e-300
# A pivot below this has no information.
NO_INFORMATION = 1e-10
COUNT, WEIGHT, MEAN = 0, 1, 2
BY_SAMPLE = np.int64(3)
# Genes whose fits at all dispersions are made before those of the next genes.
BLOCK = 256
# Of the fits; whole numbers with a type, for each literal one there would be another compilation.
ONE_WAY_TOLERANCE, ONE_WAY_MAX_ITER, MAX_ITER = 1e-10, np.int64(50), np.int64(250)


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
def loglik(y: float, mu: float, r: float, rate: float) -> float:
    """Return log NB(y; mu, dispersion 1 / r); `rate` is `gamma_ratio(r, r, 0)`. 0 where the mean is 0."""
    some = mu > LEAST_MEAN
    mean = select(some, mu, 1.0)
    one = y + 1.0
    value: float = gamma_ratio(y + r, mean + r, y - mean) - rate - gamma_ratio(one, one, 0.0)
    value = value + y * fast_log(mean / one) - fast_log(one) + 1.0
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
def profile_lanes(
    y: FloatArray, v: FloatArray, mu: FloatArray, alpha: float, plan: IntArray, weighted: bool, weight: FloatArray
) -> float:
    """Return the log-likelihoods, and write the sums of GLM weights of the cells (C,)."""
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
            total = total + loglik(v[j] * y[j], v[j] * mu[j], r, rate)
        else:
            total = total + loglik(y[j], mu[j], r, rate)
    return total


@kernel
def profile_chunk(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    alpha: float,
    plan: IntArray,
    numbers: FloatArray,
    floor_share: float,
    profile_out: FloatArray,
) -> None:
    """Write the adjusted log-likelihoods at means (G, n) and one dispersion into `profile_out` (G,)."""
    n_genes, n = counts.shape
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    by_sample = as_lanes(data)
    weight, equations = as_lanes(new_lanes(plan[N_CELLS])), as_lanes(new_lanes(n_equations(plan)))
    ends = new_lanes(np.int64(2))
    of_gene = as_lanes(ends)
    least = max(alpha, LEAST_DISPERSION)
    weighted = weights.shape[0] > 1
    for j in range(n):
        weighted = weighted or weights[0, j] != 1.0
    for lane in range(LANES):
        ends[0, lane] = least
    for start in range(0, n_genes, LANES):
        size = min(LANES, n_genes - start)
        for lane in range(size):
            load_row(counts, start + lane, lane, data[COUNT])
            load_row(weights, start + lane, lane, data[WEIGHT])
            load_row(mu, start + lane, lane, data[MEAN])
        value = profile_lanes(by_sample[COUNT], by_sample[WEIGHT], by_sample[MEAN], of_gene[0], plan, weighted, weight)
        information(plan, numbers, weight, equations)
        of_gene[1] = value - adjustment(plan, equations, floor_share)
        for lane in range(size):
            profile_out[start + lane] = ends[1, lane]


@kernel
def extrapolate(beta: FloatArray, before: FloatArray, k: int) -> None:
    """Move the coefficients (G, p) found at dispersion k - 1 to where they are heading, from those at k - 2.

    `before` has these on entry, and those of k - 1 on return.
    """
    for g in range(beta.shape[0]):
        for c in range(beta.shape[1]):
            here = beta[g, c]
            if k > 1:
                beta[g, c] += here - before[g, c]
            before[g, c] = here


@kernel
def grid_chunk(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    grid: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    level: FloatArray,
    samples: IntArray,
    first: IntArray,
    mode: int,
    limit: float,
    floor_share: float,
    start: FloatArray,
    profile_out: FloatArray,
) -> None:
    """Write the adjusted profile log-likelihoods of dispersions into `profile_out` (G, K).

    Each fit starts from the one at the dispersion before; where deviances are exact, from where it is heading.

    Parameters
    ----------
    counts, factors, weights
        (G, n), and (1, n) or (G, n), see `levenberg`.
    grid
        (K,) dispersions.
    plan, numbers, level, samples, first
        Of the design. With as many groups as columns each is fitted by itself.
    mode, limit
        See `levenberg`.
    floor_share
        See `adjustment`.
    start
        (G, p) coefficients, or (G, C) rates of groups: starts at the first dispersion on entry, NaN where there is
        none; on return, what was found at the last one.
    """
    (n_genes, n), p = counts.shape, plan[N_COLUMNS]
    one_way = plan[N_CELLS] == p
    alpha, mu, deviance = np.empty(BLOCK), np.empty((BLOCK, n)), np.empty(BLOCK)
    before = np.empty((BLOCK, start.shape[1]))
    n_iter, failed, value = np.empty(BLOCK, np.int64), np.empty(BLOCK), np.empty(BLOCK)
    for begin in range(0, n_genes, BLOCK):
        end = min(begin + BLOCK, n_genes)
        size = end - begin
        y = counts[begin:end]
        f = factors[begin:end] if factors.shape[0] > 1 else factors
        v = weights[begin:end] if weights.shape[0] > 1 else weights
        beta = start[begin:end]
        for k in range(grid.shape[0]):
            alpha[:] = grid[k]
            if mode == EXACT:
                extrapolate(beta, before[:size], k)
            if one_way:
                one_way_chunk(
                    y, f, v, alpha[:size], samples, first, ONE_WAY_TOLERANCE, ONE_WAY_MAX_ITER, beta, mu[:size]
                )
            else:
                levenberg_chunk(
                    y, f, v, alpha[:size], plan, numbers, level, mode, limit, MAX_ITER,
                    beta, mu[:size], deviance[:size], n_iter[:size], failed[:size],
                )  # fmt: skip
            profile_chunk(y, mu[:size], v, grid[k], plan, numbers, floor_share, value[:size])
            for g in range(size):
                profile_out[begin + g, k] = value[g]
