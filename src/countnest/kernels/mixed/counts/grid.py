"""The nodes of a posterior: a lattice of sigma and log alpha, as far as restricted likelihood times prior reach.

The lattice begins at sigma = 0, about which the density is even, so that sums over it are accurate far beyond its
spacing (the trapezoidal rule). It is explored from the centre, row after row of the same alpha, and a row ends where
the density has become small. At a node coefficients b and random effects u have a joint mode, which is expected from
the nodes beside it and found by Newton's method.

Source: Rue, Martino and Chopin (2009), doi:10.1111/j.1467-9868.2008.00700.x.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.dense import cholesky
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.fit import load_gene
from countnest.kernels.mixed.counts.mixture import N_COLUMNS, chi2_tail, summarize
from countnest.kernels.mixed.counts.points import set_dispersion
from countnest.kernels.mixed.counts.restricted import (
    LOG_TWO_PI,
    decompose,
    densities,
    forward,
    joint_mode,
    move,
    predictors,
    slope_along,
    solve_joint,
    weigh,
    write_scores,
)
from countnest.kernels.mixed.counts.work import (
    COEFFICIENT,
    CURVATURE,
    EFFECT,
    LAST,
    OLD,
    OLD_TURN,
    STEP,
    TURN,
    Problem,
    Work,
    new_work,
)

__all__ = ["count_grid_chunk"]

# Where a row ends: the logarithm of the density is so far below the highest.
CUT = 6.0
# Squared length, in standard errors, of a last step to a mode, whose derivatives are those before it: at the first node
# and at others; and of one that is too long for Newton's method by itself.
FIRST_NEAR, NEAR, FAR, LAST_OF_FAR = 1e-8, 0.02, 1.0, 1e-3
MAX_STEPS = 20
# Nodes of a gene, and of a row to either side of the centre.
MAX_NODES, WINDOW = 256, 32
# Rows whose modes are kept: the first, and three others in turn.
N_KEPT = 4


class Nodes(NamedTuple):
    """Memory for the nodes of a gene.

    Attributes
    ----------
    weight
        (N,) logarithms of the densities.
    mean, sd
        (k, N) conditional means and standard deviations of contrasts.
    distance
        (N,) squared distance of the first contrasts from zero.
    solved, gram
        (k, p) and (j, j) work space.
    state
        (4, 2 WINDOW + 3, p + q) coefficients and sigma u at the nodes of rows.
    seen
        (4, 2 WINDOW + 3) 1 where there are any.
    """

    weight: FloatArray
    mean: FloatArray
    sd: FloatArray
    distance: FloatArray
    solved: FloatArray
    gram: FloatArray
    state: FloatArray
    seen: IntArray


@kernel
def node_value(sigma: float, alpha: float, near: float, problem: Problem, work: Work) -> float:
    """Return the log density at a node, up to a constant, and move coefficients and effects to their joint mode.

    Second derivatives are those before the last step, whose squared length is below `near`. NaN where a number is lost.
    """
    vector, group = work.vector, work.group
    p, log_determinant, length = vector.shape[1], math.nan, math.nan
    for _ in range(MAX_STEPS):
        predictors(problem, work)
        weigh(sigma, alpha, problem, work)
        write_scores(sigma, problem, work)
        log_determinant = decompose(sigma, problem, work)
        for a in range(p):
            vector[OLD, a] = vector[STEP, a]
        for j in range(group.shape[1]):
            group[OLD_TURN, j] = group[TURN, j]
        solve_joint(work, vector[OLD], group[OLD_TURN])
        length = slope_along(work)
        if not length > near:
            break
        if length > FAR:
            joint_mode(sigma, alpha, problem, work)
        else:
            move(1.0, work)
    value: float = 0.5 * (p * LOG_TWO_PI - log_determinant + length) + densities(sigma, alpha, False, problem, work)
    for j in range(group.shape[1]):
        value -= 0.5 * (group[EFFECT, j] * group[EFFECT, j] + math.log(group[CURVATURE, j]))
    for k in range(p):
        value -= 0.5 * work.prior[3] * vector[COEFFICIENT, k] * vector[COEFFICIENT, k]
    move(1.0, work)
    return value + log_prior(sigma, alpha, work)


@kernel
def log_prior(sigma: float, alpha: float, work: Work) -> float:
    """Return the log density of sigma and log alpha, up to a constant."""
    value: float = -0.5 * work.prior[2] * sigma * sigma
    if work.prior[1] > 0.0:
        away = math.log(alpha) - work.prior[0]
        value -= 0.5 * work.prior[1] * away * away
    return value


@kernel
def expect(sigma: float, row: int, before: tuple[int, int], at: int, side: int, nodes: Nodes, work: Work) -> None:
    """Write the mode to be expected at the place `at` of a row into `work`, from the nodes beside it.

    The place was come to upwards (side 1) or downwards (-1), or is the first of its row (0); `before` are the two rows
    before, -1 where there are none. From the node beside, the mode moves as it did in the row before, or along the row.
    """
    state, seen = nodes.state, nodes.seen
    origin, beside = row if side != 0 else before[0], at - side
    if origin < 0:
        return
    ahead, behind, to, fro = -1, -1, at, at
    if side == 0:
        if before[1] >= 0 and seen[before[1], at] == 1:
            ahead, behind = before[0], before[1]
    elif before[0] >= 0 and seen[before[0], at] == 1 and seen[before[0], beside] == 1:
        ahead, behind, fro = before[0], before[0], beside
    elif seen[row, beside - side] == 1:
        ahead, behind, to, fro = row, row, beside, beside - side
    p = work.vector.shape[1]
    for m in range(state.shape[2]):
        value = state[origin, beside, m]
        if ahead >= 0:
            value += state[ahead, to, m] - state[behind, fro, m]
        if m < p:
            work.vector[COEFFICIENT, m] = value
        else:
            work.group[EFFECT, m - p] = value / sigma if sigma > 0.0 else 0.0


@kernel
def keep(sigma: float, row: int, at: int, nodes: Nodes, work: Work) -> None:
    """Keep the mode of a node."""
    p = work.vector.shape[1]
    for m in range(p):
        nodes.state[row, at, m] = work.vector[COEFFICIENT, m]
    for j in range(work.group.shape[1]):
        nodes.state[row, at, p + j] = sigma * work.group[EFFECT, j]
    nodes.seen[row, at] = 1


@kernel
def write_contrasts(node: int, contrasts: FloatArray, n_joint: int, nodes: Nodes, work: Work) -> None:
    """Write means and standard deviations of contrasts at a node, and how far the first `n_joint` are from zero."""
    solved, gram = nodes.solved, nodes.gram
    forward(work.factor, contrasts, solved)
    for k in range(contrasts.shape[0]):
        mean, variance = 0.0, 0.0
        for m in range(contrasts.shape[1]):
            mean += contrasts[k, m] * work.vector[COEFFICIENT, m]
            variance += solved[k, m] * solved[k, m]
        nodes.mean[k, node], nodes.sd[k, node] = mean, math.sqrt(variance)
    if n_joint == 0:
        return
    for k in range(n_joint):
        for j in range(k + 1):
            total = 0.0
            for m in range(contrasts.shape[1]):
                total += solved[k, m] * solved[j, m]
            gram[k, j] = total
    distance = 0.0 if math.isfinite(cholesky(gram)) else math.nan
    for k in range(n_joint):
        rest = nodes.mean[k, node]
        for j in range(k):
            rest -= gram[k, j] * solved[j, 0]
        solved[k, 0] = rest / gram[k, k]
        distance += solved[k, 0] * solved[k, 0]
    nodes.distance[node] = distance


@kernel
def explore_row(
    point: tuple[float, float],
    places: tuple[int, int],
    row: int,
    before: tuple[int, int],
    contrasts: FloatArray,
    n_joint: int,
    found: tuple[int, float],
    problem: Problem,
    work: Work,
    nodes: Nodes,
) -> tuple[int, int, float]:
    """Explore the nodes of the same alpha; return how many nodes there are now, the best place, and its log density.

    `point` are alpha and the spacing of sigma; `places` the centre of all rows and the first node of this one; `found`
    the number of nodes so far and the highest log density.
    """
    (alpha, spacing), (centre, first), (count, top) = point, places, found
    set_dispersion(alpha, work.sample)
    nodes.seen[row] = 0
    highest, best = -math.inf, first
    for side in (1, -1):
        s = first if side == 1 else first - 1
        while s >= 0 and abs(s - centre) <= WINDOW and count < nodes.weight.shape[0]:
            sigma, at = s * spacing, s - centre + WINDOW + 1
            expect(sigma, row, before, at, 0 if s == first else side, nodes, work)
            value = node_value(sigma, alpha, NEAR if count > 0 else FIRST_NEAR, problem, work)
            if not math.isfinite(value):
                break
            nodes.weight[count] = value - math.log(2.0) if s == 0 else value
            write_contrasts(count, contrasts, n_joint, nodes, work)
            count += 1
            keep(sigma, row, at, nodes, work)
            if value > highest:
                highest, best = value, s
            if not value > max(top, highest) - CUT:
                break
            s += side
    return count, best, highest


@kernel
def explore(
    centre: FloatArray,
    step: FloatArray,
    contrasts: FloatArray,
    n_joint: int,
    problem: Problem,
    work: Work,
    nodes: Nodes,
) -> int:
    """Explore the lattice of a gene from its centre, sigma and alpha; return how many nodes there are."""
    middle = round(centre[0] / step[0])
    top, count, start = -math.inf, 0, middle
    for side in (1, -1):
        last, before_last = (0 if side == -1 else -1), -1
        best, a = start, (0 if side == 1 else -1)
        while count < nodes.weight.shape[0]:
            row = 0 if a == 0 else 1 + abs(a) % (N_KEPT - 1)
            point = (centre[1] * math.exp(a * step[1]), step[0])
            count, best, highest = explore_row(
                point, (middle, best), row, (last, before_last), contrasts, n_joint, (count, top), problem, work, nodes
            )
            top = max(top, highest)
            if a == 0:
                start = best
            if step[1] == 0.0 or not highest > top - CUT:
                break
            last, before_last, a = row, last, a + side
        if step[1] == 0.0:
            break
    return count


@kernel
def normalize(weight: FloatArray) -> None:
    """Replace logarithms of weights by weights whose sum is 1."""
    top, total = -math.inf, 0.0
    for i in range(weight.shape[0]):
        top = max(top, weight[i])
    for i in range(weight.shape[0]):
        weight[i] = math.exp(weight[i] - top)
        total += weight[i]
    for i in range(weight.shape[0]):
        weight[i] /= total


@kernel
def new_nodes(contrasts: FloatArray, n_joint: int, problem: Problem) -> Nodes:
    """Return memory for the nodes of genes of a problem."""
    k, p = contrasts.shape
    q, places = problem.first.shape[0] - 1, 2 * WINDOW + 3
    return Nodes(
        np.empty(MAX_NODES), np.empty((k, MAX_NODES)), np.empty((k, MAX_NODES)), np.zeros(MAX_NODES), np.empty((k, p)),
        np.empty((n_joint, n_joint)), np.zeros((N_KEPT, places, p + q)), np.zeros((N_KEPT, places), dtype=np.int64),
    )  # fmt: skip


@kernel
def count_grid_chunk(
    counts: FloatArray,
    offset: FloatArray,
    centre: FloatArray,
    step: FloatArray,
    prior: FloatArray,
    contrasts: FloatArray,
    n_joint: int,
    threshold: float,
    level: float,
    problem: Problem,
    posterior_out: FloatArray,
    joint_out: FloatArray,
) -> None:
    """Write what the posterior distributions of contrasts are, for every gene of a chunk.

    Parameters
    ----------
    counts, offset
        (G, n), and (1, n) or (G, n), the samples as those of `problem`.
    centre, step
        (G, 2) sigma and alpha in the middle of the lattice, and its spacings in sigma and log alpha; a second spacing
        of 0: alpha is known.
    prior
        (G, 4) mean and precision of the log dispersion, precisions of sigma and of the coefficients.
    contrasts
        (k, p) of the coefficients of `problem`.
    n_joint
        How many of the contrasts, the first, are tested jointly; they are linearly independent.
    threshold
        Of probabilities of larger and smaller values, see `mixture`.
    level
        Probability of intervals; 0: none.
    posterior_out
        (G, k, 8), see the columns of `mixture`.
    joint_out
        (G,) probabilities that the first contrasts are farther from their mean than zero is, averaged over the nodes.
    """
    work, nodes = new_work(problem), new_nodes(contrasts, n_joint, problem)
    work.state[LAST] = LAST_OF_FAR
    for g in range(counts.shape[0]):
        for k in range(4):
            work.prior[k] = prior[g, k]
        load_gene(counts[g], offset[g if offset.shape[0] > 1 else 0], problem, work)
        count = explore(centre[g], step[g], contrasts, n_joint, problem, work, nodes)
        weight = nodes.weight[:count]
        normalize(weight)
        for k in range(contrasts.shape[0]):
            if count > 0:
                summarize(threshold, level, weight, nodes.mean[k, :count], nodes.sd[k, :count], posterior_out[g, k])
            else:
                for column in range(N_COLUMNS):
                    posterior_out[g, k, column] = math.nan
        if n_joint > 0:
            joint_out[g] = 0.0 if count > 0 else math.nan
            for i in range(count):
                joint_out[g] += weight[i] * chi2_tail(nodes.distance[i], n_joint)
