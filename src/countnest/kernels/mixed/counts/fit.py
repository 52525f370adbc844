"""Mixed models of counts, gene by gene."""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.laplace import marginal
from countnest.kernels.mixed.counts.points import COUNT, ETA, LOG_COUNT, OFFSET, mean_of
from countnest.kernels.mixed.counts.restricted import restricted
from countnest.kernels.mixed.counts.search import (
    AT,
    DONE,
    EVALUATIONS,
    LENGTH,
    MOVED,
    PHASE,
    TRIAL,
    TRIAL_SLOPE,
    VALUE,
    Search,
    advance,
    begin,
    new_search,
)
from countnest.kernels.mixed.counts.work import (
    COEFFICIENT,
    COEFFICIENT_ALPHA,
    COEFFICIENT_SIGMA,
    CURVATURE,
    EFFECT,
    EFFECT_ALPHA,
    EFFECT_SIGMA,
    KEPT,
    KEPT_ALPHA,
    KEPT_EFFECT,
    KEPT_EFFECT_ALPHA,
    KEPT_EFFECT_SIGMA,
    KEPT_SIGMA,
    Problem,
    Work,
    new_work,
)
from countnest.kernels.negbin.density import PRODUCT_BELOW

__all__ = [
    "ALPHA",
    "LOGLIK",
    "NEWTON",
    "N_FIT_COLUMNS",
    "RESTRICTED",
    "SIGMA",
    "SLOPE_ALPHA",
    "count_mixed_chunk",
    "load_gene",
]

# The methods; the others are `laplace.marginal` of that order.
RESTRICTED = 0
# Columns of the numbers of a fit (G, 5): the last are the squared length of the last step and the derivative by alpha.
SIGMA, ALPHA, LOGLIK, NEWTON, SLOPE_ALPHA, N_FIT_COLUMNS = 0, 1, 2, 3, 4, 5
# Of the starting values, where they are moments: dispersion of the first means, and ranges.
FIRST_ALPHA, LEAST_VARIANCE, LARGEST_VARIANCE, LEAST_START, LARGEST_START = 0.1, 0.01, 4.0, 0.005, 4.0
START_OFFSET = 0.5
# With a type: for a literal there would be another compilation.
FIRST_STAGE = np.int64(0)


@kernel
def load_gene(y: FloatArray, offset: FloatArray, problem: Problem, work: Work) -> None:
    """Put a gene into the work space, with coefficients by least squares of log counts, and no effects."""
    sample, vector = work.sample, work.vector
    n, p = problem.cell.shape[0], problem.rows.shape[1]
    for k in range(p):
        vector[COEFFICIENT, k] = 0.0
    for i in range(n):
        sample[COUNT, i], sample[OFFSET, i] = y[i], offset[i]
        sample[LOG_COUNT, i] = math.log(y[i]) if y[i] >= PRODUCT_BELOW else 0.0
        z = math.log(y[i] + START_OFFSET) - offset[i]
        for k in range(p):
            vector[COEFFICIENT, k] += problem.rows[problem.cell[i], k] * z / n
    for j in range(work.group.shape[1]):
        work.group[EFFECT, j] = 0.0
    work.state[0] = math.nan


@kernel
def moments(problem: Problem, work: Work) -> tuple[float, float]:
    """Return a standard deviation of the effects and a dispersion, by moments of residuals at means without effects."""
    sample = work.sample
    n, p = problem.cell.shape[0], problem.rows.shape[1]
    products, weights, squares, total = 0.0, 0.0, 0.0, 0.0
    for j in range(work.group.shape[1]):
        sum_r, sum_rr, sum_w, sum_ww = 0.0, 0.0, 0.0, 0.0
        for i in range(problem.first[j], problem.first[j + 1]):
            z, mu = problem.column[i], mean_of(sample[ETA, i])
            w = mu / (1.0 + mu)
            r = sample[COUNT, i] / mu - 1.0
            sum_r += w * z * r
            sum_rr += w * w * z * z * r * r
            sum_w += w * z * z
            sum_ww += w * w * z * z * z * z
            squares += w * (r * r - 1.0 / mu)
            total += w
        products += sum_r * sum_r - sum_rr
        weights += sum_w * sum_w - sum_ww
    inflated = n / max(n - p, 1)
    variance = inflated * products / weights if weights > 0.0 else 0.0
    alpha = inflated * squares / total - max(variance, 0.0)
    variance = min(max(variance, LEAST_VARIANCE), LARGEST_VARIANCE)
    return math.sqrt(variance), min(max(alpha, LEAST_START), LARGEST_START)


@kernel
def guess_inverse(work: Work, search: Search) -> None:
    """Write a guess of the inverse Hessian, from the joint mode at the point."""
    point, inverse, group = search.point, search.inverse, work.group
    d = point.shape[1]
    for k in range(d):
        for m in range(d):
            inverse[k, m] = 0.0
    sigma, alpha = point[AT, 0], point[AT, 1] * point[AT, 1]
    by_sigma, by_rho = 1.0, 1.0
    if sigma != 0.0:
        for j in range(group.shape[1]):
            share = (group[CURVATURE, j] - 1.0) / group[CURVATURE, j]
            by_sigma += 2.0 * share * share / (sigma * sigma)
    if alpha > 0.0:
        by_rho += 4.0 * work.prior[1] / alpha
        for i in range(work.sample.shape[1]):
            mu = mean_of(work.sample[ETA, i])
            share = alpha * mu / (1.0 + alpha * mu)
            by_rho += 2.0 * share * share / alpha
    inverse[0, 0], inverse[1, 1] = 1.0 / by_sigma, 1.0 / by_rho
    if d > 2:
        inverse_of(work.factor, inverse, point[TRIAL])


@kernel
def inverse_of(factor: FloatArray, inverse_out: FloatArray, column: FloatArray) -> None:
    """Write the inverse of a matrix (p, p), given its Cholesky factor, into the last rows and columns of another."""
    p = factor.shape[0]
    first = inverse_out.shape[0] - p
    for k in range(p):
        for m in range(p):
            value = 1.0 if m == k else 0.0
            for a in range(m):
                value -= factor[m, a] * column[a]
            column[m] = value / factor[m, m]
        for m in range(p - 1, -1, -1):
            value = column[m]
            for a in range(m + 1, p):
                value -= factor[a, m] * column[a]
            column[m] = value / factor[m, m]
            inverse_out[first + m, first + k] = column[m]


@kernel
def keep_mode(work: Work) -> None:
    """Keep the joint mode and its derivatives, from which `from_mode` tells the modes of other points."""
    vector, group = work.vector, work.group
    for a in range(vector.shape[1]):
        vector[KEPT, a] = vector[COEFFICIENT, a]
        vector[KEPT_SIGMA, a], vector[KEPT_ALPHA, a] = vector[COEFFICIENT_SIGMA, a], vector[COEFFICIENT_ALPHA, a]
    for j in range(group.shape[1]):
        group[KEPT_EFFECT, j] = group[EFFECT, j]
        group[KEPT_EFFECT_SIGMA, j], group[KEPT_EFFECT_ALPHA, j] = group[EFFECT_SIGMA, j], group[EFFECT_ALPHA, j]


@kernel
def from_mode(d_sigma: float, d_alpha: float, work: Work) -> None:
    """Write into `work` the joint mode that is to be expected where sigma and alpha differ from those of the kept."""
    vector, group = work.vector, work.group
    for a in range(vector.shape[1]):
        vector[COEFFICIENT, a] = vector[KEPT, a] + d_sigma * vector[KEPT_SIGMA, a] + d_alpha * vector[KEPT_ALPHA, a]
    for j in range(group.shape[1]):
        group[EFFECT, j] = (
            group[KEPT_EFFECT, j] + d_sigma * group[KEPT_EFFECT_SIGMA, j] + d_alpha * group[KEPT_EFFECT_ALPHA, j]
        )


@kernel
def objective(x: FloatArray, method: int, problem: Problem, work: Work, slope_out: FloatArray) -> float:
    """Return the log-likelihood and the log densities of priors at x, and write the gradient."""
    if method == RESTRICTED:
        value: float = restricted(x, True, problem, work, slope_out)
    else:
        value = marginal(x, method, problem, work, slope_out)
    value -= 0.5 * work.prior[2] * x[0] * x[0]
    slope_out[0] -= work.prior[2] * x[0]
    if work.prior[1] > 0.0:
        away = math.log(max(x[1] * x[1], 1e-300)) - work.prior[0]
        value -= 0.5 * work.prior[1] * away * away
        slope_out[1] -= 2.0 * work.prior[1] * away / x[1]
    return value


@kernel
def write_information(restricted_: bool, work: Work, search: Search, information_out: FloatArray) -> None:
    """Write the negative Hessian (p + 2, p + 2) whose inverse is the covariance of sigma, rho and coefficients.

    Of a restricted likelihood, whose Hessian A is that of sigma and rho alone: with the derivatives J of the
    coefficients by these, the matrix that has the inverse (A^-1, A^-1 J; J' A^-1, S^-1 + J' A^-1 J).
    """
    d, p = search.point.shape[1], work.factor.shape[0]
    for k in range(d):
        for m in range(d):
            information_out[k, m] = search.hessian[k, m]
    if not restricted_:
        return
    vector, factor = work.vector, work.factor
    for a in range(p):
        for b in range(p):
            total = 0.0
            for c in range(min(a, b) + 1):
                total += factor[a, c] * factor[b, c]
            information_out[2 + a, 2 + b] = total
    for k in range(2):
        scale = 1.0 if k == 0 else 2.0 * search.point[AT, 1]
        for a in range(p):  # derivatives by the parameters of the search
            vector[COEFFICIENT_SIGMA + k, a] *= scale if search.free[k] == 1 else 0.0
        for a in range(p):
            total = 0.0
            for b in range(p):
                total += information_out[2 + a, 2 + b] * vector[COEFFICIENT_SIGMA + k, b]
            information_out[k, 2 + a] = information_out[2 + a, k] = -total
    for k in range(2):
        for m in range(2):
            for a in range(p):
                information_out[k, m] -= information_out[k, 2 + a] * vector[COEFFICIENT_SIGMA + m, a]


@kernel
def prepare(stage: int | np.int64, start: FloatArray, problem: Problem, work: Work, search: Search) -> None:
    """Ask for the starting point after the first evaluation, and begin the search after the second one.

    The first is at first means, without effects; `start` is NaN where moments there are to give it.
    """
    point = search.point
    if stage == 0:
        sigma, alpha = moments(problem, work)
        point[TRIAL, 0] = sigma if math.isnan(start[0]) else start[0]
        point[TRIAL, 1] = math.sqrt(alpha if math.isnan(start[1]) else start[1])
        return
    point[AT, 0], point[AT, 1] = point[TRIAL, 0], point[TRIAL, 1]
    for k in range(2, point.shape[1]):
        point[AT, k] = work.vector[COEFFICIENT, k - 2]
    guess_inverse(work, search)
    begin(search)


@kernel
def count_mixed_chunk(
    counts: FloatArray,
    offset: FloatArray,
    start: FloatArray,
    prior: FloatArray,
    free: IntArray,
    method: int,
    problem: Problem,
    beta_out: FloatArray,
    fit_out: FloatArray,
    effects_out: FloatArray,
    information_out: FloatArray,
    evaluations_out: IntArray,
) -> None:
    """Fit the mixed model of every gene of a chunk.

    Parameters
    ----------
    counts
        (G, n), the samples as those of `problem`.
    offset
        (1, n) or (G, n) natural log.
    start
        (G, 2) sigma and dispersion, which are kept where they are not free; NaN: by moments.
    prior
        (G, 4) mean and precision of the log dispersion, precisions of sigma and of the coefficients.
    free
        (2,) 1 where sigma and the dispersion are estimated.
    method
        0: restricted likelihood, 1: likelihood by Laplace's method or quadrature, 2: by the next order.
    beta_out
        (G, p) coefficients of the columns of `problem`.
    fit_out
        (G, 5), see the columns above.
    effects_out
        (G, 2, q) modes of the random effects, and their conditional standard deviations.
    information_out
        (G, p + 2, p + 2), see `write_information`.
    evaluations_out
        (G,) of the likelihood.
    """
    p, q = problem.rows.shape[1], problem.first.shape[0] - 1
    work, search = new_work(problem), new_search(2 if method == RESTRICTED else 2 + p)
    point = search.point
    for g in range(counts.shape[0]):
        for k in range(4):
            work.prior[k] = prior[g, k]
        load_gene(counts[g], offset[g if offset.shape[0] > 1 else 0], problem, work)
        search.free[0], search.free[1], search.count[PHASE] = free[0], free[1], 0
        point[TRIAL, 0], point[TRIAL, 1] = 0.0, math.sqrt(FIRST_ALPHA)
        stage = FIRST_STAGE
        while search.count[PHASE] != DONE:
            if method == RESTRICTED and stage > 1:
                from_mode(point[TRIAL, 0] - point[AT, 0], point[TRIAL, 1] ** 2 - point[AT, 1] ** 2, work)
            value = objective(point[TRIAL], method if stage > 1 else RESTRICTED, problem, work, point[TRIAL_SLOPE])
            if stage > 1:
                advance(value, search, work.prior[1] == 0.0)
            else:
                prepare(stage, start[g], problem, work, search)
            if stage == 1 or search.count[MOVED] == 1:
                keep_mode(work)
            stage += 1
        sigma = abs(point[AT, 0])
        for k in range(p):
            beta_out[g, k] = work.vector[COEFFICIENT, k] if method == RESTRICTED else point[AT, 2 + k]
        fit_out[g, SIGMA], fit_out[g, ALPHA] = sigma, point[AT, 1] * point[AT, 1]
        fit_out[g, LOGLIK], fit_out[g, NEWTON] = search.number[VALUE], search.number[LENGTH]
        fit_out[g, SLOPE_ALPHA] = work.state[1]
        for j in range(q):
            effects_out[g, 0, j] = point[AT, 0] * work.group[EFFECT, j]
            effects_out[g, 1, j] = sigma / math.sqrt(work.group[CURVATURE, j])
        write_information(method == RESTRICTED, work, search, information_out[g])
        evaluations_out[g] = search.count[EVALUATIONS]
