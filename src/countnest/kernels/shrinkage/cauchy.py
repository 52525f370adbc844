"""The posterior of a negative binomial GLM with a Cauchy prior on one coefficient, and its mode by Newton's method.

The other coefficients have normal priors. Source: Zhu, Ibrahim and Love (2018), doi:10.1093/bioinformatics/bty895.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.algebra.elimination import SAMPLE_CELL, Plan, cell_predictors, dense_information, gather_scores
from countnest.kernels.compiler.jit import kernel

__all__ = [
    "Gene",
    "Prior",
    "Work",
    "cauchy_curvature",
    "factorize",
    "highest_mode",
    "loss",
    "nb_cauchy_climb",
    "new_work",
]

MAX_ITER = 200
# The last step of a coefficient: the distance to the mode is squared by it, and what is left is far smaller.
LAST_STEP = 1e-8
# No coefficient (natural log) moves farther at once.
LARGEST_STEP = 5.0
ARMIJO = 1e-4
HALVINGS = 60
# Precision that holds a coefficient where it is, and that which lets it move: numbers, for a kernel would be compiled
# once for True and once for False.
HELD, FREE = 1e30, 0.0
# Two searches that end within this distance have found the same mode.
SAME_MODE = 1e-6
# Scale of a Cauchy prior that is flat.
FLAT = 100.0


class Prior(NamedTuple):
    """The coefficient with a Cauchy prior, the scale of that, and the precision of the normal prior of the others."""

    place: int
    scale: float
    precision: float


class Gene(NamedTuple):
    """Counts, log factors and observation weights (n,), and the dispersion."""

    y: FloatArray
    log_f: FloatArray
    v: FloatArray
    alpha: float


class Work(NamedTuple):
    """Work space of one gene: cells (C,), samples (n,), coefficients (p,) and a matrix (p, p)."""

    eta: FloatArray
    curvature: FloatArray
    score: FloatArray
    share: FloatArray
    step: FloatArray
    downhill: FloatArray
    ridge: FloatArray
    matrix: FloatArray


@kernel
def new_work(n_cells: int, n: int, p: int) -> Work:
    """Return the work space for one gene."""
    cells = np.empty((3, n_cells))
    rows = np.empty((3, p))
    return Work(cells[0], cells[1], cells[2], np.empty(n), rows[0], rows[1], rows[2], np.empty((p, p)))


# The posterior


@kernel
def likelihood_slopes(gene: Gene, plan: Plan, beta: FloatArray, work: Work) -> float:
    """Return the log-likelihood at `beta` (p,) but for a constant; write what its derivatives need.

    `work.score` and `work.curvature` are the sums over the cells of the first derivative by the linear predictor and of
    the negative second one; `work.share` is alpha mu / (1 + alpha mu) of every sample. The constant leaves out
    sum(y log f), too: the quasi-Newton search ends by the size of this very number.
    """
    cell_predictors(plan.index, plan.numbers, beta, work.eta)
    for c in range(work.eta.shape[0]):
        work.score[c] = 0.0
        work.curvature[c] = 0.0
    size = 1.0 / gene.alpha
    cell = plan.index[SAMPLE_CELL]
    total = 0.0
    for j in range(gene.y.shape[0]):
        c = plan.index[cell + j]
        y = gene.y[j]
        mu = math.exp(work.eta[c] + gene.log_f[j])
        spread = 1.0 + gene.alpha * mu
        work.share[j] = gene.alpha * mu / spread
        work.score[c] += gene.v[j] * (y - mu) / spread
        work.curvature[c] += gene.v[j] * (1.0 + gene.alpha * y) * (mu / spread) / spread
        total += gene.v[j] * (y * work.eta[c] - (y + size) * math.log(size + mu))
    return total


@kernel
def loss(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, work: Work) -> float:
    """Return the negative log posterior at `beta` (p,) but for a constant, and write its gradient: `work.downhill`."""
    total = -likelihood_slopes(gene, plan, beta, work)
    gather_scores(plan.index, plan.numbers, work.score, work.downhill)
    for k in range(beta.shape[0]):
        b = beta[k]
        if k == prior.place:
            total += math.log1p((b / prior.scale) ** 2)
            work.downhill[k] = 2.0 * b / (prior.scale * prior.scale + b * b) - work.downhill[k]
        else:
            total += 0.5 * prior.precision * b * b
            work.downhill[k] = prior.precision * b - work.downhill[k]
    return total


@kernel
def factorize(plan: Plan, prior: Prior, cauchy_curvature: float, work: Work) -> float:
    """Write the Cholesky factor of the negative Hessian of the log posterior; return its log det, NaN if not pd."""
    for k in range(work.ridge.shape[0]):
        work.ridge[k] = prior.precision
    work.ridge[prior.place] = cauchy_curvature
    dense_information(plan, work.curvature, work.ridge, work.matrix)
    return cholesky(work.matrix)


@kernel
def cauchy_curvature(b: float, scale: float) -> float:
    """Return the second derivative of log(1 + (b / scale)^2)."""
    square = scale * scale + b * b
    return 2.0 * (scale * scale - b * b) / (square * square)


# Newton's method


@kernel
def gain(t: float, gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, work: Work) -> float:
    """Return the gain in log posterior over `t` steps, as a difference that is free of cancellation.

    `work.eta` holds the steps of the cells' predictors.
    """
    size = 1.0 / gene.alpha
    cell = plan.index[SAMPLE_CELL]
    total = 0.0
    for j in range(gene.y.shape[0]):
        move = t * work.eta[plan.index[cell + j]]
        rise = (gene.y[j] + size) * math.log1p(work.share[j] * math.expm1(move))
        total += gene.v[j] * (gene.y[j] * move - rise)
    for k in range(beta.shape[0]):
        move = t * work.step[k]
        difference = move * (2.0 * beta[k] + move)  # of the squares
        if k == prior.place:
            total -= math.log1p(difference / (prior.scale * prior.scale + beta[k] * beta[k]))
        else:
            total -= 0.5 * prior.precision * difference
    return total


@kernel
def nb_cauchy_climb(gene: Gene, plan: Plan, prior: Prior, hold: float, beta: FloatArray, work: Work) -> bool:
    """Move `beta` (p,) uphill to a mode of the posterior by Newton's method; return whether it was reached.

    `hold` is `FREE`, or `HELD`, with which the coefficient at `prior.place` stays. Steps are halved until the posterior
    grows. Where it is not concave, the Cauchy prior's curvature is replaced by that of the parabola which touches it
    from below, so that the direction still leads uphill.
    """
    p = beta.shape[0]
    for _ in range(MAX_ITER):
        loss(gene, plan, prior, beta, work)
        b = beta[prior.place]
        if hold > FREE:
            work.downhill[prior.place] = 0.0
        curvature = hold if hold > FREE else cauchy_curvature(b, prior.scale)
        if math.isnan(factorize(plan, prior, curvature, work)) and math.isnan(
            factorize(plan, prior, 2.0 / (prior.scale * prior.scale + b * b), work)
        ):
            return False
        for k in range(p):
            work.step[k] = -work.downhill[k]
        cholesky_solve(work.matrix, work.step)
        largest = 0.0
        for k in range(p):
            largest = max(largest, abs(work.step[k]))
        if largest <= LAST_STEP:
            for k in range(p):
                beta[k] += work.step[k]
            return True
        if not math.isfinite(largest):
            return False
        slope = 0.0
        for k in range(p):
            work.step[k] *= min(1.0, LARGEST_STEP / largest)
            slope -= work.downhill[k] * work.step[k]
        cell_predictors(plan.index, plan.numbers, work.step, work.eta)
        t = 1.0
        halvings = 0
        while not gain(t, gene, plan, prior, beta, work) >= ARMIJO * t * slope:
            t *= 0.5
            halvings += 1
            if halvings > HALVINGS:
                return False
        for k in range(p):
            beta[k] += t * work.step[k]
    return False


@kernel
def highest_mode(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, near: FloatArray, work: Work) -> bool:
    """Move `beta` (p,) to the highest mode of the posterior; return whether one was reached.

    The posterior can have two modes, one by the likelihood's and one by zero: one search comes from the best
    coefficients without the prior, the other from the best of those that are zero at `prior.place`. `near` (p,) is work
    space.
    """
    for k in range(beta.shape[0]):
        near[k] = beta[k]
    near[prior.place] = 0.0
    no_prior = Prior(prior.place, FLAT, prior.precision)
    reached = nb_cauchy_climb(gene, plan, no_prior, FREE, beta, work)
    reached = nb_cauchy_climb(gene, plan, prior, FREE, beta, work) and reached
    near_reached = nb_cauchy_climb(gene, plan, prior, HELD, near, work)
    near_reached = nb_cauchy_climb(gene, plan, prior, FREE, near, work) and near_reached
    if near_reached and not (reached and abs(near[prior.place] - beta[prior.place]) <= SAME_MODE):
        if not reached or loss(gene, plan, prior, near, work) < loss(gene, plan, prior, beta, work):
            for k in range(beta.shape[0]):
                beta[k] = near[k]
        reached = True
    return reached
