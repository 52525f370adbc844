"""The restricted likelihood of a mixed model of counts: coefficients and random effects are both integrated out.

The integral is by the method of Laplace, about the joint mode of the coefficients b and the effects u of the groups,
at given standard deviation sigma and dispersion alpha. With weights w = -f2 the negative Hessian of the log joint
density has the blocks X'WX, c_j = sigma sum z w x for each group, and H_j = 1 + sigma^2 sum z^2 w;
S = X'WX - sum c_j c_j' / H_j.

Source: Tierney and Kadane (1986), doi:10.1080/01621459.1986.10478240; Cox and Reid (1987),
doi:10.1111/j.2517-6161.1987.tb01422.x, whose adjusted likelihood this is at sigma = 0.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.points import (
    COUNT,
    ETA,
    F1,
    F1_ALPHA,
    F2_ALPHA,
    F3,
    OFFSET,
    SLOPE,
    WEIGHT,
    alpha_slope,
    log_density,
    mean_of,
    set_dispersion,
)
from countnest.kernels.mixed.counts.work import (
    COEFFICIENT,
    COEFFICIENT_ALPHA,
    COEFFICIENT_SIGMA,
    CURVATURE,
    EFFECT,
    EFFECT_ALPHA,
    EFFECT_SIGMA,
    LAST,
    LEAST_ALPHA,
    OLD,
    OLD_TURN,
    SCORE,
    STEP,
    TURN,
    Problem,
    Work,
)

__all__ = ["joint_mode", "restricted"]

LOG_TWO_PI = 1.8378770664093455
MAX_STEPS = 200
# The longest step of a coefficient, and the smallest part of a step.
WHOLE, SMALLEST = 4.0, 1e-6


@kernel
def predictors(problem: Problem, work: Work) -> None:
    """Write the linear predictors without random effects."""
    n_cells, p = problem.rows.shape
    for c in range(n_cells):
        total = 0.0
        for k in range(p):
            total += problem.rows[c, k] * work.vector[COEFFICIENT, k]
        work.cell[0, c] = total
    for i in range(problem.cell.shape[0]):
        work.sample[ETA, i] = work.sample[OFFSET, i] + work.cell[0, problem.cell[i]]


@kernel
def weigh(sigma: float, alpha: float, problem: Problem, work: Work) -> None:
    """Write f1 and w of the samples, and their sums over cells and groups."""
    sample, group, cell = work.sample, work.group, work.cell
    for c in range(cell.shape[1]):
        cell[1, c] = 0.0
        cell[2, c] = 0.0
    for j in range(group.shape[1]):
        score, curvature, u = 0.0, 0.0, sigma * group[EFFECT, j]
        for i in range(problem.first[j], problem.first[j + 1]):
            z, y = problem.column[i], sample[COUNT, i]
            mu = mean_of(sample[ETA, i] + z * u)
            inverse = 1.0 / (1.0 + alpha * mu)
            f1 = (y - mu) * inverse
            w = mu * (1.0 + alpha * y) * inverse * inverse
            sample[F1, i], sample[WEIGHT, i] = f1, w
            score += z * f1
            curvature += z * z * w
            cell[1, problem.cell[i]] += f1
            cell[2, problem.cell[i]] += w
        group[SCORE, j], group[CURVATURE, j] = score, 1.0 + sigma * sigma * curvature


@kernel
def decompose(sigma: float, problem: Problem, work: Work) -> float:
    """Write the sums c_j and the Cholesky factor of S; return log |S|."""
    rows, cross, s = problem.rows, work.cross, work.factor
    n_cells, p = rows.shape
    for a in range(p):
        for b in range(a + 1):
            s[a, b] = 0.0
        s[a, a] = work.prior[3]
    for c in range(n_cells):
        weight = work.cell[2, c]
        for a in range(p):
            scaled = weight * rows[c, a]
            for b in range(a + 1):
                s[a, b] += scaled * rows[c, b]
    for j in range(work.group.shape[1]):
        for a in range(p):
            cross[j, a] = 0.0
        for i in range(problem.first[j], problem.first[j + 1]):
            share = sigma * problem.column[i] * work.sample[WEIGHT, i]
            for a in range(p):
                cross[j, a] += share * rows[problem.cell[i], a]
        inverse = 1.0 / work.group[CURVATURE, j]
        for a in range(p):
            scaled = cross[j, a] * inverse
            for b in range(a + 1):
                s[a, b] -= scaled * cross[j, b]
    return cholesky(s)


@kernel
def solve_joint(work: Work, vector: FloatArray, effects: FloatArray) -> None:
    """Replace the right-hand sides (p,) and (q,) by the solution of the joint equations."""
    group, cross = work.group, work.cross
    p, q = vector.shape[0], effects.shape[0]
    for j in range(q):
        scaled = effects[j] / group[CURVATURE, j]
        for a in range(p):
            vector[a] -= scaled * cross[j, a]
    cholesky_solve(work.factor, vector)
    for j in range(q):
        total = effects[j]
        for a in range(p):
            total -= cross[j, a] * vector[a]
        effects[j] = total / group[CURVATURE, j]


@kernel
def write_scores(sigma: float, problem: Problem, work: Work) -> None:
    """Write the gradient of the log joint density into the rows STEP and TURN."""
    n_cells, p = problem.rows.shape
    for a in range(p):
        total = -work.prior[3] * work.vector[COEFFICIENT, a]
        for c in range(n_cells):
            total += problem.rows[c, a] * work.cell[1, c]
        work.vector[STEP, a] = total
    for j in range(work.group.shape[1]):
        work.group[TURN, j] = sigma * work.group[SCORE, j] - work.group[EFFECT, j]


@kernel
def joint_mode(sigma: float, alpha: float, problem: Problem, work: Work) -> float:
    """Move coefficients and effects to their joint mode by damped Newton steps; return log |S| there.

    The log joint density is concave: a step goes too far where the density falls there faster than it rose, and is
    then halved. NaN where a number is lost.
    """
    vector, group = work.vector, work.group
    length, size, last = 0.0, 0.0, False
    log_determinant = math.nan
    for _ in range(MAX_STEPS):
        predictors(problem, work)
        weigh(sigma, alpha, problem, work)
        write_scores(sigma, problem, work)
        if size > SMALLEST and not last and not slope_along(work) > -length:
            size *= 0.5
            move(-size, work)
            continue
        log_determinant = decompose(sigma, problem, work)
        if last or math.isnan(log_determinant):
            break
        for a in range(vector.shape[1]):
            vector[OLD, a] = vector[STEP, a]
        for j in range(group.shape[1]):
            group[OLD_TURN, j] = group[TURN, j]
        solve_joint(work, vector[OLD], group[OLD_TURN])
        length, largest = slope_along(work), 0.0
        for a in range(vector.shape[1]):
            largest = max(largest, abs(vector[OLD, a]))
        size = WHOLE / largest if largest > WHOLE else 1.0
        move(size, work)
        last = length < work.state[LAST]
    return log_determinant


@kernel
def slope_along(work: Work) -> float:
    """Return the slope of the log joint density along the step."""
    total = 0.0
    for a in range(work.vector.shape[1]):
        total += work.vector[STEP, a] * work.vector[OLD, a]
    for j in range(work.group.shape[1]):
        total += work.group[TURN, j] * work.group[OLD_TURN, j]
    return total


@kernel
def move(size: float, work: Work) -> None:
    """Move coefficients and effects by a part of the step."""
    for a in range(work.vector.shape[1]):
        work.vector[COEFFICIENT, a] += size * work.vector[OLD, a]
    for j in range(work.group.shape[1]):
        work.group[EFFECT, j] += size * work.group[OLD_TURN, j]


@kernel
def restricted(x: FloatArray, slopes: bool, problem: Problem, work: Work, gradient_out: FloatArray) -> float:
    """Return the restricted log-likelihood at x = (sigma, rho), alpha = rho^2, and write its gradient if `slopes`.

    The mode is looked for from coefficients and effects in `work`, and left there; with `slopes` so are its
    derivatives. NaN where a number is lost.
    """
    sigma, alpha = x[0], x[1] * x[1]
    if alpha < LEAST_ALPHA:
        alpha = 0.0
    if alpha != work.state[0]:
        set_dispersion(alpha, work.sample)
        work.state[0] = alpha
    log_determinant = joint_mode(sigma, alpha, problem, work)
    group, p = work.group, problem.rows.shape[1]
    value: float = 0.5 * p * LOG_TWO_PI - 0.5 * log_determinant + densities(sigma, alpha, slopes, problem, work)
    for j in range(group.shape[1]):
        value -= 0.5 * (group[EFFECT, j] * group[EFFECT, j] + math.log(group[CURVATURE, j]))
    for k in range(p):
        value -= 0.5 * work.prior[3] * work.vector[COEFFICIENT, k] * work.vector[COEFFICIENT, k]
    if slopes:
        mode_slopes(sigma, problem, work)
        by_sigma, by_alpha = restricted_slopes(sigma, problem, work)
        gradient_out[0] = by_sigma
        gradient_out[1] = 2.0 * x[1] * by_alpha
        work.state[1] = by_alpha
    return value


@kernel
def densities(sigma: float, alpha: float, slopes: bool, problem: Problem, work: Work) -> float:
    """Return the log-likelihood of the counts at the mode, and write further derivatives of the samples if `slopes`.

    The derivative of the log-likelihood by alpha goes to `work.sums`.
    """
    sample, total, total_slope = work.sample, 0.0, 0.0
    for j in range(work.group.shape[1]):
        u = sigma * work.group[EFFECT, j]
        for i in range(problem.first[j], problem.first[j + 1]):
            y = sample[COUNT, i]
            eta = sample[ETA, i] + problem.column[i] * u
            mu = mean_of(eta)
            value, m, growth = log_density(y, eta, mu, alpha, i, sample)
            total += value
            if slopes:
                total_slope += alpha_slope(y, mu, alpha, m, growth, sample[SLOPE, i])
                s = alpha * mu
                inverse = 1.0 / (1.0 + s)
                sample[F3, i] = -sample[WEIGHT, i] * (1.0 - s) * inverse
                sample[F1_ALPHA, i] = -sample[F1, i] * mu * inverse
                sample[F2_ALPHA, i] = mu * (2.0 * mu - y + s * y) * inverse * inverse * inverse
    work.sums[0] = total_slope
    return total


@kernel
def mode_slopes(sigma: float, problem: Problem, work: Work) -> None:
    """Write the derivatives of the joint mode by sigma and alpha: rows of `vector` and of `group`."""
    sample, group, vector, cell = work.sample, work.group, work.vector, work.cell
    n_cells, p = problem.rows.shape
    for c in range(n_cells):
        cell[1, c] = 0.0
        cell[2, c] = 0.0
    for j in range(group.shape[1]):
        u, weight, alpha_score = group[EFFECT, j], 0.0, 0.0
        for i in range(problem.first[j], problem.first[j + 1]):
            z = problem.column[i]
            cell[1, problem.cell[i]] -= sample[WEIGHT, i] * z * u
            cell[2, problem.cell[i]] += sample[F1_ALPHA, i]
            weight += z * z * sample[WEIGHT, i]
            alpha_score += z * sample[F1_ALPHA, i]
        group[EFFECT_SIGMA, j] = group[SCORE, j] - sigma * u * weight
        group[EFFECT_ALPHA, j] = sigma * alpha_score
    for a in range(p):
        by_sigma, by_alpha = 0.0, 0.0
        for c in range(n_cells):
            by_sigma += problem.rows[c, a] * cell[1, c]
            by_alpha += problem.rows[c, a] * cell[2, c]
        vector[COEFFICIENT_SIGMA, a] = by_sigma
        vector[COEFFICIENT_ALPHA, a] = by_alpha
    for k in range(2):
        solve_joint(work, vector[COEFFICIENT_SIGMA + k], group[EFFECT_SIGMA + k])


@kernel
def forward(factor: FloatArray, values: FloatArray, values_out: FloatArray) -> None:
    """Write the solutions of L x = v for the rows v of `values` (m, p), L the lower triangle of `factor`."""
    p = factor.shape[0]
    for k in range(values.shape[0]):
        for a in range(p):
            total = values[k, a]
            for b in range(a):
                total -= factor[a, b] * values_out[k, b]
            values_out[k, a] = total / factor[a, a]


@kernel
def restricted_slopes(sigma: float, problem: Problem, work: Work) -> tuple[float, float]:
    """Return the derivatives of the restricted log-likelihood by sigma and alpha, after `mode_slopes`."""
    sample, group, vector, cell = work.sample, work.group, work.vector, work.cell
    solved, n_cells, p = work.solved, problem.rows.shape[0], problem.rows.shape[1]
    for c in range(n_cells):
        by_sigma, by_alpha = 0.0, 0.0
        for a in range(p):
            by_sigma += problem.rows[c, a] * vector[COEFFICIENT_SIGMA, a]
            by_alpha += problem.rows[c, a] * vector[COEFFICIENT_ALPHA, a]
        cell[0, c], cell[1, c] = by_sigma, by_alpha
    q = group.shape[1]
    forward(work.factor, work.cross, solved)
    d_sigma, d_alpha = 0.0, work.sums[0]
    for j in range(q):
        inverse, u = 1.0 / group[CURVATURE, j], group[EFFECT, j]
        d_sigma += u * group[SCORE, j]
        for i in range(problem.first[j], problem.first[j + 1]):
            z, c = problem.column[i], problem.cell[i]
            shift = sigma * z * inverse
            quad, mixed = 0.0, 0.0
            for a in range(p):
                own = solved[q + c, a] - shift * solved[j, a]
                quad += own * own
                mixed += own * solved[j, a]
            leverage = quad + sigma * z * shift
            other = z * inverse * (sigma * z - mixed)
            eta_sigma = z * u + cell[0, c] + sigma * z * group[EFFECT_SIGMA, j]
            eta_alpha = cell[1, c] + sigma * z * group[EFFECT_ALPHA, j]
            d_sigma += 0.5 * leverage * sample[F3, i] * eta_sigma - sample[WEIGHT, i] * other
            d_alpha += 0.5 * leverage * (sample[F2_ALPHA, i] + sample[F3, i] * eta_alpha)
    return d_sigma, d_alpha
