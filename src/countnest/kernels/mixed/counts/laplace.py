"""The likelihood of a mixed model of counts with the random effects integrated out, and its gradient.

For each group the integral over u ~ N(0, 1) is by the method of Laplace, by its next order, or by adaptive
Gauss-Hermite quadrature, of which Laplace's method is the case of one node.

Sources: Tierney and Kadane (1986), doi:10.1080/01621459.1986.10478240; Shun and McCullagh (1995),
doi:10.1111/j.2517-6161.1995.tb02060.x; Liu and Pierce (1994), doi:10.1093/biomet/81.3.624.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.points import (
    COUNT,
    ETA,
    F1,
    F1_ALPHA,
    F2_ALPHA,
    F3,
    OFFSET,
    SHARE,
    SLOPE,
    WEIGHT,
    alpha_slope,
    log_density,
    mean_of,
    set_dispersion,
)
from countnest.kernels.mixed.counts.work import (
    CURVATURE,
    EFFECT,
    LEAST_ALPHA,
    NODE_ALPHA,
    NODE_SCORE,
    NODE_VALUE,
    SCORE,
    Problem,
    Work,
)

__all__ = ["group_mode", "marginal"]

MAX_STEPS = 100
# The longest step of a mode, and the one that is the last.
LONGEST, LAST = 2.0, 1e-7


@kernel
def group_mode(j: int, sigma: float, alpha: float, problem: Problem, work: Work) -> None:
    """Move the effect u of group j to the mode of its conditional density, by Newton's method between brackets."""
    sample, group = work.sample, work.group
    low, high = -math.inf, math.inf
    u = group[EFFECT, j]
    for _ in range(MAX_STEPS):
        slope, curvature = -u, 1.0
        for i in range(problem.first[j], problem.first[j + 1]):
            z = sigma * problem.column[i]
            mu = mean_of(sample[ETA, i] + z * u)
            inverse = 1.0 / (1.0 + alpha * mu)
            y = sample[COUNT, i]
            slope += z * (y - mu) * inverse
            curvature += z * z * mu * (1.0 + alpha * y) * inverse * inverse
        if slope > 0.0:
            low = u
        else:
            high = u
        step = min(max(slope / curvature, -LONGEST), LONGEST)
        new = u + step
        if not low <= new <= high:
            new = 0.5 * (low + high)
        u = new
        if not abs(step) > LAST:
            break
    group[EFFECT, j] = u


@kernel
def group_sums(j: int, sigma: float, alpha: float, problem: Problem, work: Work) -> tuple[float, ...]:
    """Write derivatives of the samples of group j at its mode; return sums over them.

    These are the log-likelihood, its derivative by alpha, and sums of z f1, z^2 w, z^3 f3, z f1_alpha, z^2 f2_alpha,
    where w is -f2.
    """
    sample = work.sample
    u = work.group[EFFECT, j]
    value, by_alpha, s1, s2, s3, a1, a2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(problem.first[j], problem.first[j + 1]):
        z, y = problem.column[i], sample[COUNT, i]
        eta = sample[ETA, i] + sigma * z * u
        mu = mean_of(eta)
        s = alpha * mu
        inverse = 1.0 / (1.0 + s)
        own, m, growth = log_density(y, eta, mu, alpha, i, sample)
        f1 = (y - mu) * inverse
        w = mu * (1.0 + alpha * y) * inverse * inverse
        f3 = -w * (1.0 - s) * inverse
        f1_alpha = -f1 * mu * inverse
        f2_alpha = mu * (2.0 * mu - y + s * y) * inverse * inverse * inverse
        sample[F1, i], sample[WEIGHT, i], sample[F3, i] = f1, w, f3
        sample[F1_ALPHA, i], sample[F2_ALPHA, i] = f1_alpha, f2_alpha
        value += own
        by_alpha += alpha_slope(y, mu, alpha, m, growth, sample[SLOPE, i])
        s1 += z * f1
        s2 += z * z * w
        s3 += z * z * z * f3
        a1 += z * f1_alpha
        a2 += z * z * f2_alpha
    return value, by_alpha, s1, s2, s3, a1, a2


@kernel
def next_order(
    j: int, sigma: float, alpha: float, curvature: float, problem: Problem, work: Work, sums_out: FloatArray
) -> float:
    """Return 5 h3^2 / (24 H^3) + h4 / (8 H^2) of group j, and write sums that its gradient needs (8,).

    These are, of z^k times: f3, f4, f5, f3_alpha, f4_alpha for k = 3, 4, 5, 3, 4.
    """
    sample = work.sample
    u = work.group[EFFECT, j]
    for k in range(5):
        sums_out[k] = 0.0
    for i in range(problem.first[j], problem.first[j + 1]):
        z, y = problem.column[i], sample[COUNT, i]
        mu = mean_of(sample[ETA, i] + sigma * z * u)
        f4, f5, f3_alpha, f4_alpha = higher(y, mu, alpha, sample[WEIGHT, i])
        sums_out[0] += z**3 * sample[F3, i]
        sums_out[1] += z**4 * f4
        sums_out[2] += z**5 * f5
        sums_out[3] += z**3 * f3_alpha
        sums_out[4] += z**4 * f4_alpha
    h3, h4 = sigma**3 * sums_out[0], sigma**4 * sums_out[1]
    more: float = 5.0 * h3 * h3 / (24.0 * curvature**3) + h4 / (8.0 * curvature**2)
    return more


@kernel
def higher(y: float, mu: float, alpha: float, w: float) -> tuple[float, float, float, float]:
    """Return f4 and f5, and the derivatives of f3 and f4 by alpha."""
    s = alpha * mu
    inverse = 1.0 / (1.0 + s)
    c = 1.0 + alpha * y
    p4 = (1.0 - 4.0 * s + s * s) * inverse * inverse
    f4 = -w * p4
    f5 = -w * (1.0 - 11.0 * s + 11.0 * s * s - s * s * s) * inverse * inverse * inverse
    m = mu * inverse
    f3_alpha = -y * m * (1.0 - s) * inverse * inverse + c * m * m * (4.0 - 2.0 * s) * inverse * inverse
    f4_alpha = -y * m * p4 * inverse + c * m * m * (8.0 - 14.0 * s + 2.0 * s * s) * inverse * inverse * inverse
    return f4, f5, f3_alpha, f4_alpha


@kernel
def quadrature(
    j: int, sigma: float, alpha: float, mode_value: float, problem: Problem, work: Work
) -> tuple[float, float, float]:
    """Return the log of the sum over the nodes of group j, over what Laplace's method has for it.

    Returned too are the means, by the shares of the nodes in the sum, of the slope h' there, and of the node times it.
    The shares are in row NODE_VALUE, for each node; with them are averaged f1 of each sample, into row F1, and what
    the nodes have by sigma and alpha, into their rows of `work.node`.
    """
    sample, node, nodes = work.sample, work.node, problem.nodes
    u, root = work.group[EFFECT, j], math.sqrt(work.group[CURVATURE, j])
    begin, end = problem.first[j], problem.first[j + 1]
    largest = -math.inf
    for k in range(nodes.shape[1]):
        at = u + nodes[0, k] / root
        value, by_alpha, score = -0.5 * at * at, 0.0, 0.0
        for i in range(begin, end):
            z, y = problem.column[i], sample[COUNT, i]
            eta = sample[ETA, i] + sigma * z * at
            mu = mean_of(eta)
            own, m, growth = log_density(y, eta, mu, alpha, i, sample)
            f1 = (y - mu) / (1.0 + alpha * mu)
            work.node_f1[k, i - begin] = f1
            value += own
            by_alpha += alpha_slope(y, mu, alpha, m, growth, sample[SLOPE, i])
            score += z * f1
        node[NODE_VALUE, k] = value - mode_value + nodes[1, k]
        node[NODE_ALPHA, k], node[NODE_SCORE, k] = by_alpha, score
        largest = max(largest, node[NODE_VALUE, k])
    total = 0.0
    for k in range(nodes.shape[1]):
        node[NODE_VALUE, k] = math.exp(node[NODE_VALUE, k] - largest)
        total += node[NODE_VALUE, k]
    for i in range(begin, end):
        sample[F1, i] = 0.0
    slope, moment = 0.0, 0.0
    by_alpha, by_sigma = 0.0, 0.0
    for k in range(nodes.shape[1]):
        share = node[NODE_VALUE, k] / total
        at = u + nodes[0, k] / root
        h1 = sigma * node[NODE_SCORE, k] - at
        slope += share * h1
        moment += share * nodes[0, k] * h1
        by_alpha += share * node[NODE_ALPHA, k]
        by_sigma += share * at * node[NODE_SCORE, k]
        for i in range(begin, end):
            sample[F1, i] += share * work.node_f1[k, i - begin]
    node[NODE_ALPHA, 0], node[NODE_SCORE, 0] = by_alpha, by_sigma
    return largest + math.log(total), slope, moment


@kernel
def marginal(x: FloatArray, order: int, problem: Problem, work: Work, gradient_out: FloatArray) -> float:
    """Return the log-likelihood at x = (sigma, rho, coefficients (p,)), alpha = rho^2, and write its gradient.

    `order` is 1 for Laplace's method or quadrature, 2 for the next order. NaN or infinite where a number is lost.
    """
    sample, group = work.sample, work.group
    sigma, alpha = x[0], x[1] * x[1]
    if alpha < LEAST_ALPHA:
        alpha = 0.0
    if alpha != work.state[0]:
        set_dispersion(alpha, sample)
        work.state[0] = alpha
    n_cells, p = problem.rows.shape
    for c in range(n_cells):
        total = 0.0
        for k in range(p):
            total += problem.rows[c, k] * x[2 + k]
        work.cell[0, c] = total
        work.cell[1, c] = 0.0
    for i in range(sample.shape[1]):
        sample[ETA, i] = sample[OFFSET, i] + work.cell[0, problem.cell[i]]
    loglik, by_sigma, by_alpha = 0.0, 0.0, 0.0
    for j in range(group.shape[1]):
        group_mode(j, sigma, alpha, problem, work)
        value, g_sigma, g_alpha = group_marginal(j, sigma, alpha, order, problem, work)
        loglik += value
        by_sigma += g_sigma
        by_alpha += g_alpha
    for i in range(sample.shape[1]):
        work.cell[1, problem.cell[i]] += sample[SHARE, i]
    gradient_out[0], gradient_out[1] = by_sigma, 2.0 * x[1] * by_alpha
    work.state[1] = by_alpha
    for k in range(p):
        total = -work.prior[3] * x[2 + k]
        for c in range(n_cells):
            total += problem.rows[c, k] * work.cell[1, c]
        gradient_out[2 + k] = total
        loglik -= 0.5 * work.prior[3] * x[2 + k] * x[2 + k]
    return loglik


@kernel
def group_marginal(
    j: int, sigma: float, alpha: float, order: int, problem: Problem, work: Work
) -> tuple[float, float, float]:
    """Return the log-likelihood of group j at its mode, and its derivatives by sigma and alpha.

    Row SHARE has its derivatives by the linear predictors of the samples.
    """
    sample, group = work.sample, work.group
    value, by_alpha, s1, s2, s3, a1, a2 = group_sums(j, sigma, alpha, problem, work)
    u = group[EFFECT, j]
    curvature = 1.0 + sigma * sigma * s2
    group[CURVATURE, j], group[SCORE, j] = curvature, s1
    skew = -(sigma**3) * s3  # derivative of the curvature by u
    u_sigma, u_alpha = (s1 - sigma * u * s2) / curvature, sigma * a1 / curvature
    c_sigma = 2.0 * sigma * s2 - sigma * sigma * u * s3 + skew * u_sigma
    c_alpha = -sigma * sigma * a2 + skew * u_alpha
    by_sigma, scale, pull = u * s1, 0.5 / curvature, 0.0
    value -= 0.5 * u * u
    kept = value
    value -= 0.5 * math.log(curvature)
    if problem.nodes.shape[1] > 1:
        more, pull, moment = quadrature(j, sigma, alpha, kept, problem, work)
        value += more
        by_alpha, by_sigma = work.node[NODE_ALPHA, 0], work.node[NODE_SCORE, 0]
        scale += 0.5 * moment / (curvature * math.sqrt(curvature))
    by_sigma += pull * u_sigma - scale * c_sigma
    by_alpha += pull * u_alpha - scale * c_alpha
    h3_share, h4_share = 0.0, 0.0
    if order > 1:
        sums = work.sums
        more = next_order(j, sigma, alpha, curvature, problem, work, sums)
        h3, h4, h5 = sigma**3 * sums[0], sigma**4 * sums[1], sigma**5 * sums[2]
        value += math.log(1.0 + more)
        over = 1.0 / (1.0 + more)
        h3_share, h4_share = over * 10.0 * h3 / (24.0 * curvature**3), over / (8.0 * curvature**2)
        c_share = -over * (15.0 * h3 * h3 / (24.0 * curvature**4) + h4 / (4.0 * curvature**3))
        by_sigma += c_share * c_sigma + h3_share * (3.0 * sigma**2 * sums[0] + sigma**3 * u * sums[1] + h4 * u_sigma)
        by_sigma += h4_share * (4.0 * sigma**3 * sums[1] + sigma**4 * u * sums[2] + h5 * u_sigma)
        by_alpha += c_share * c_alpha + h3_share * (sigma**3 * sums[3] + h4 * u_alpha)
        by_alpha += h4_share * (sigma**4 * sums[4] + h5 * u_alpha)
        scale -= c_share
        pull += h3_share * h4 + h4_share * h5
    for i in range(problem.first[j], problem.first[j + 1]):
        z = problem.column[i]
        move = -sigma * z * sample[WEIGHT, i] / curvature
        share = sample[F1, i] + pull * move - scale * (-sigma * sigma * z * z * sample[F3, i] + skew * move)
        if order > 1:
            mu = mean_of(sample[ETA, i] + sigma * z * u)
            f4, f5, _, _ = higher(sample[COUNT, i], mu, alpha, sample[WEIGHT, i])
            share += h3_share * sigma**3 * z**3 * f4 + h4_share * sigma**4 * z**4 * f5
        sample[SHARE, i] = share
    return value, by_sigma, by_alpha
