"""Posterior distributions of contrasts: mixtures of normal distributions over a grid of sigma and log alpha.

At a node the coefficients have a normal distribution about their joint mode, and the node the weight of its restricted
likelihood times its prior density.

Source: Rue, Martino and Chopin (2009), doi:10.1111/j.1467-9868.2008.00700.x.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.fit import load_gene
from countnest.kernels.mixed.counts.restricted import forward, restricted
from countnest.kernels.mixed.counts.work import COEFFICIENT, EFFECT, LAST, Problem, Work, new_work

__all__ = ["ABOVE", "BELOW", "LOWER", "MEAN", "N_COLUMNS", "SD", "UPPER", "count_grid_chunk"]

# Columns of what is written for each contrast: moments, probabilities of either sign, ends of the interval.
MEAN, SD, BELOW, ABOVE, LOWER, UPPER, N_COLUMNS = 0, 1, 2, 3, 4, 5, 6
ROOT_HALF, DENSITY = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)
# Squared length of the last step to a mode, in standard errors: no gradient is taken.
NEAR = 1e-5
# Of the search for a quantile: standard deviations beyond the outermost nodes, steps, and when it ends.
BEYOND, MAX_STEPS, CLOSE = 10.0, 100, 1e-9


@kernel
def log_prior(sigma: float, alpha: float, work: Work) -> float:
    """Return the log density of sigma and log alpha, up to a constant."""
    value: float = -0.5 * work.prior[2] * sigma * sigma
    if work.prior[1] > 0.0:
        away = math.log(alpha) - work.prior[0]
        value -= 0.5 * work.prior[1] * away * away
    return value


@kernel
def extrapolate(line: bool, before: FloatArray, work: Work) -> None:
    """Move coefficients and effects as they moved from the node before, if on a line; keep those of this node."""
    p, q = work.vector.shape[1], work.group.shape[1]
    for m in range(p):
        here = work.vector[COEFFICIENT, m]
        if line:
            work.vector[COEFFICIENT, m] += here - before[m]
        before[m] = here
    for j in range(q):
        here = work.group[EFFECT, j]
        if line:
            work.group[EFFECT, j] += here - before[p + j]
        before[p + j] = here


@kernel
def visit(
    centre: FloatArray,
    width: FloatArray,
    reach: FloatArray,
    contrasts: FloatArray,
    problem: Problem,
    work: Work,
    solved: FloatArray,
    weight_out: FloatArray,
    nodes_out: FloatArray,
) -> None:
    """Write the weights (a, s) of the nodes of a gene, and means and standard deviations (2, k, a, s) there."""
    n_alpha, n_sigma = weight_out.shape
    low = max(centre[0] - reach[0] * width[0], 0.0)
    high = centre[0] + reach[0] * width[0]
    x, unused, largest = np.empty(2), np.empty(2), -math.inf
    before = np.empty(work.vector.shape[1] + work.group.shape[1])
    for a in range(n_alpha):
        shift = (2.0 * a / (n_alpha - 1) - 1.0) * reach[1] * width[1] if n_alpha > 1 else 0.0
        alpha = centre[1] * math.exp(shift)
        x[1] = math.sqrt(alpha)
        for turn in range(n_sigma):
            s = turn if a % 2 == 0 else n_sigma - 1 - turn
            x[0] = low + (high - low) * s / (n_sigma - 1)
            extrapolate(turn > 1, before, work)
            value = restricted(x, False, problem, work, unused) + log_prior(x[0], alpha, work)
            weight_out[a, s] = value if math.isfinite(value) else -math.inf
            largest = max(largest, weight_out[a, s])
            forward(work.factor, contrasts, solved)
            for k in range(contrasts.shape[0]):
                mean, variance = 0.0, 0.0
                for m in range(contrasts.shape[1]):
                    mean += contrasts[k, m] * work.vector[COEFFICIENT, m]
                    variance += solved[k, m] * solved[k, m]
                nodes_out[0, k, a, s], nodes_out[1, k, a, s] = mean, math.sqrt(variance)
    total = 0.0
    for a in range(n_alpha):
        for s in range(n_sigma):
            share = math.exp(weight_out[a, s] - largest)
            weight_out[a, s] = 0.5 * share if s == 0 or s == n_sigma - 1 else share
            total += weight_out[a, s]
    for a in range(n_alpha):
        for s in range(n_sigma):
            weight_out[a, s] /= total


@kernel
def mixture_tail(at: float, side: float, weight: FloatArray, mean: FloatArray, sd: FloatArray) -> tuple[float, float]:
    """Return the probability below (side = 1) or above (-1) a value in a mixture (a, s), and the density there."""
    tail, density = 0.0, 0.0
    for a in range(weight.shape[0]):
        for s in range(weight.shape[1]):
            z = (at - mean[a, s]) / sd[a, s]
            tail += weight[a, s] * 0.5 * math.erfc(-side * z * ROOT_HALF)
            density += weight[a, s] * DENSITY * math.exp(-0.5 * z * z) / sd[a, s]
    return tail, density


@kernel
def mixture_quantile(level: float, weight: FloatArray, mean: FloatArray, sd: FloatArray) -> float:
    """Return the value that a mixture is below with probability `level`, by Newton's method between brackets."""
    low, high, centre = math.inf, -math.inf, 0.0
    for a in range(weight.shape[0]):
        for s in range(weight.shape[1]):
            low = min(low, mean[a, s] - BEYOND * sd[a, s])
            high = max(high, mean[a, s] + BEYOND * sd[a, s])
            centre += weight[a, s] * mean[a, s]
    at, width = centre, high - low
    for _ in range(MAX_STEPS):
        below, density = mixture_tail(at, 1.0, weight, mean, sd)
        if below < level:
            low = at
        else:
            high = at
        new = at + (level - below) / density if density > 0.0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        if not abs(new - at) > CLOSE * width:
            return new
        at = new
    return at


@kernel
def summarize(level: float, weight: FloatArray, mean: FloatArray, sd: FloatArray, row_out: FloatArray) -> None:
    """Write moments, tails and quantiles of a mixture (a, s) into `row_out` (6,)."""
    centre, square = 0.0, 0.0
    for a in range(weight.shape[0]):
        for s in range(weight.shape[1]):
            centre += weight[a, s] * mean[a, s]
    for a in range(weight.shape[0]):
        for s in range(weight.shape[1]):
            away = mean[a, s] - centre
            square += weight[a, s] * (away * away + sd[a, s] * sd[a, s])
    row_out[MEAN], row_out[SD] = centre, math.sqrt(square)
    for k in range(2):
        row_out[BELOW + k], _ = mixture_tail(0.0, 1.0 - 2.0 * k, weight, mean, sd)
        row_out[LOWER + k] = mixture_quantile(0.5 + (k - 0.5) * level, weight, mean, sd)


@kernel
def count_grid_chunk(
    counts: FloatArray,
    offset: FloatArray,
    centre: FloatArray,
    width: FloatArray,
    reach: FloatArray,
    prior: FloatArray,
    contrasts: FloatArray,
    level: float,
    weight: FloatArray,
    problem: Problem,
    posterior_out: FloatArray,
) -> None:
    """Write what the posterior distributions of contrasts are, for every gene of a chunk.

    Parameters
    ----------
    counts, offset
        (G, n), and (1, n) or (G, n), the samples as those of `problem`.
    centre, width
        (G, 2) sigma and alpha in the middle of the grid, and scales of sigma and log alpha.
    reach
        (2,) how many scales the grid reaches to either side.
    prior
        (G, 4) mean and precision of the log dispersion, precisions of sigma and of the coefficients.
    contrasts
        (k, p) of the coefficients of `problem`.
    level
        Probability of the interval.
    weight
        (a, s) work space, which says how many nodes log alpha and sigma have.
    posterior_out
        (G, k, 6), see the columns above.
    """
    work, n_contrasts = new_work(problem), contrasts.shape[0]
    work.state[LAST] = NEAR
    solved = np.empty(contrasts.shape)
    nodes = np.empty((2, n_contrasts, weight.shape[0], weight.shape[1]))
    for g in range(counts.shape[0]):
        for k in range(4):
            work.prior[k] = prior[g, k]
        load_gene(counts[g], offset[g if offset.shape[0] > 1 else 0], problem, work)
        visit(centre[g], width[g], reach, contrasts, problem, work, solved, weight, nodes)
        for k in range(n_contrasts):
            summarize(level, weight, nodes[0, k], nodes[1, k], posterior_out[g, k])
