"""Posterior modes of a coefficient with a Cauchy prior, by a search that ends early, as that of R, or by a full one.

The early search is limited-memory BFGS with a line search for the strong Wolfe conditions; where two of them disagree,
BFGS goes on. Where they stop decides the third to fifth digit of a fold change of large counts, and which of two modes
is found. An end that is no mode, nor near one, does not count.

Sources: Zhu, Ibrahim and Love (2018), doi:10.1093/bioinformatics/bty895; Nocedal and Wright (2006), Numerical
Optimization, algorithms 3.5, 3.6 and 7.4; Nash (1990), Compact Numerical Methods for Computers, algorithm 21.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.dense import cholesky, cholesky_solve
from countnest.kernels.algebra.elimination import N_CELLS, Plan
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.shrinkage.cauchy import (
    Gene,
    Prior,
    Work,
    cauchy_curvature,
    factorize,
    highest_mode,
    loss,
    new_work,
)

__all__ = ["nb_cauchy_chunk", "nb_cauchy_descend", "new_memory"]

# Where the early search starts, with alternating signs; what it remembers; when it ends.
START = 0.1
MEMORY = 6
MAX_DESCENTS = 300
MAX_TRIALS = 100
DECREASE = 1e-4
FLATTER = 0.9
# A length this near to an end of the interval, as a fraction of it, is not tried.
INSIDE = 0.01
SMALL_CHANGE = 1e-8
SMALL_GRADIENT = 1e-8
# Added to the objective, so that its relative change is that of the number by which it was divided.
LIFT = 10.0
# Two early searches that end farther apart than this have not found the mode.
DISAGREE = 0.01
# The search that then goes on: its steps, how they shrink, and the gain of the log posterior at which it ends.
MAX_METRIC_STEPS = 100
SHORTER = 0.2
MAX_SHORTENINGS = 100
SMALL_GAIN = math.sqrt(np.finfo(np.float64).eps)
# Steps that do not change this number when added to it are none.
UNCHANGED = 10.0
# Of the gradient, for the curvature where the early search ends.
DIFFERENCE = 1e-3
# The early search has found a mode if Newton's method would go no farther than this, in posterior standard deviations.
# In the data sets of docs/parity.md it ends up to 0.26 ahead of the mode, as R's does.
NEAR_MODE = 0.3


class Memory(NamedTuple):
    """What a quasi-Newton search remembers: moves and changes of the gradient (m, p), their products (m,)."""

    moves: FloatArray
    changes: FloatArray
    products: FloatArray
    shares: FloatArray
    origin: FloatArray
    slope: FloatArray
    direction: FloatArray


@kernel
def new_memory(p: int) -> Memory:
    """Return the memory of one search."""
    rows = np.empty((3, p))
    return Memory(
        np.empty((MEMORY, p)), np.empty((MEMORY, p)), np.empty(MEMORY), np.empty(MEMORY), rows[0], rows[1], rows[2]
    )


@kernel
def scaled_loss(
    gene: Gene, plan: Plan, prior: Prior, divisor: float, beta: FloatArray, work: Work
) -> tuple[float, float]:
    """Return the objective of the search, and its slope along `work.step`; write its gradient, `work.downhill`."""
    value = loss(gene, plan, prior, beta, work) / divisor + LIFT
    along = 0.0
    for k in range(beta.shape[0]):
        work.downhill[k] /= divisor
        along += work.downhill[k] * work.step[k]
    return value, along


@kernel
def move(origin: FloatArray, t: float, step: FloatArray, beta_out: FloatArray) -> None:
    """Write origin + t step into `beta_out` (p,)."""
    for k in range(origin.shape[0]):
        beta_out[k] = origin[k] + t * step[k]


@kernel
def wolfe_search(
    t: float,
    value: float,
    gene: Gene,
    plan: Plan,
    prior: Prior,
    divisor: float,
    origin: FloatArray,
    beta: FloatArray,
    work: Work,
) -> float:
    """Move `beta` (p,) along `work.step` from `origin` to where the strong Wolfe conditions hold; return the objective.

    `t` is the first length tried, `value` the objective at the origin, whose gradient is in `work.downhill`; that at
    the end replaces it. NaN: no such place was found.
    """
    along = 0.0
    for k in range(beta.shape[0]):
        along += work.downhill[k] * work.step[k]
    if not along <= 0.0:
        return math.nan
    decrease, flat = DECREASE * along, -FLATTER * along
    low, low_value, low_along = 0.0, value, along
    high, high_value = 0.0, value
    bracketed = False
    for _ in range(MAX_TRIALS):
        if bracketed:  # the minimum of a parabola through both ends; the middle where it is not well inside
            rise, width, middle = high_value - low_value, high - low, (high + low) / 2.0
            t = (rise * low - middle * width * low_along) / (rise - width * low_along)
            if not (min(low, high) < t < max(low, high) and min(abs(t - low), abs(t - high)) >= INSIDE * abs(width)):
                t = middle
                if t in (low, high):
                    return math.nan
        move(origin, t, work.step, beta)
        here, here_along = scaled_loss(gene, plan, prior, divisor, beta, work)
        if here - value > t * decrease or ((bracketed or low > 0.0) and here >= low_value):
            high, high_value = t, here
            bracketed = True
            continue
        if abs(here_along) <= flat:
            return here
        if bracketed:
            if here_along * (high - low) >= 0.0:
                high, high_value = low, low_value
        else:
            high, high_value = low, low_value
            bracketed = here_along >= 0.0
        low, low_value, low_along = t, here, here_along
        t *= 2.0
    return math.nan


@kernel
def remembered_step(n_moves: int, memory: Memory, work: Work) -> None:
    """Write the step of limited-memory BFGS after `n_moves` moves into `work.step` (p,)."""
    p = work.step.shape[0]
    for k in range(p):
        work.step[k] = -work.downhill[k]
    newest = (n_moves - 1) % MEMORY
    kept = min(n_moves, MEMORY)
    for i in range(kept):
        j = (newest - i) % MEMORY
        memory.shares[j] = dot(memory.moves[j], work.step) / memory.products[j]
        for k in range(p):
            work.step[k] -= memory.shares[j] * memory.changes[j, k]
    stretch = memory.products[newest] / dot(memory.changes[newest], memory.changes[newest])
    for k in range(p):
        work.step[k] *= stretch
    for i in range(kept - 1, -1, -1):
        j = (newest - i) % MEMORY
        share = memory.shares[j] - dot(memory.changes[j], work.step) / memory.products[j]
        for k in range(p):
            work.step[k] += share * memory.moves[j, k]


@kernel
def dot(a: FloatArray, b: FloatArray) -> float:
    """Return a'b."""
    total = 0.0
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@kernel
def nb_cauchy_descend(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, memory: Memory, work: Work) -> bool:
    """Move `beta` (p,) downhill on the negative log posterior until it changes little; return whether it succeeded.

    The objective is divided by its value at zero, so that the search ends early for large counts.
    """
    p = beta.shape[0]
    for k in range(p):
        memory.origin[k] = 0.0
    divisor = max(1.0, loss(gene, plan, prior, memory.origin, work))
    value, _ = scaled_loss(gene, plan, prior, divisor, beta, work)
    for k in range(p):
        work.step[k] = -work.downhill[k]
    t = 1.0 / math.sqrt(dot(work.step, work.step))
    for iteration in range(MAX_DESCENTS):
        for k in range(p):
            memory.origin[k] = beta[k]
            memory.slope[k] = work.downhill[k]
        before = value
        value = wolfe_search(t, before, gene, plan, prior, divisor, memory.origin, beta, work)
        if math.isnan(value):
            return False
        steepness = math.sqrt(dot(work.downhill, work.downhill))
        if steepness <= SMALL_GRADIENT * max(1.0, math.sqrt(dot(beta, beta))):
            return True
        if abs(before - value) <= SMALL_CHANGE * max(abs(before), abs(value), 1.0):
            return True
        j = iteration % MEMORY
        for k in range(p):
            memory.moves[j, k] = beta[k] - memory.origin[k]
            memory.changes[j, k] = work.downhill[k] - memory.slope[k]
        memory.products[j] = dot(memory.moves[j], memory.changes[j])
        remembered_step(iteration + 1, memory, work)
        t = 1.0
    return False


@kernel
def shortened_step(
    value: float, along: float, gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, memory: Memory, work: Work
) -> tuple[float, float]:
    """Move `beta` (p,) from `memory.origin` along `work.step`, by a length that is shortened until the loss falls.

    `value` and `along` are the loss and its slope at the origin. Returns the loss and the length; NaN where no step is
    left.
    """
    t = 1.0
    for _ in range(MAX_SHORTENINGS):
        move(memory.origin, t, work.step, beta)
        unchanged = 0
        for k in range(beta.shape[0]):
            if UNCHANGED + beta[k] == UNCHANGED + memory.origin[k]:
                unchanged += 1
        if unchanged == beta.shape[0]:
            return math.nan, t
        here = loss(gene, plan, prior, beta, work)
        if here <= value + DECREASE * t * along:
            return here, t
        t *= SHORTER
    return math.nan, t


@kernel
def update_metric(t: float, memory: Memory, work: Work) -> bool:
    """Update the inverse Hessian `work.matrix` (p, p) after a move of `t` steps; return whether that was possible."""
    p = work.step.shape[0]
    for k in range(p):
        work.step[k] *= t
        memory.slope[k] = work.downhill[k] - memory.slope[k]
    bend = dot(work.step, memory.slope)
    if not bend > 0.0:
        return False
    for i in range(p):
        memory.direction[i] = 0.0
        for k in range(p):
            memory.direction[i] += work.matrix[i, k] * memory.slope[k]
    share = 1.0 + dot(memory.direction, memory.slope) / bend
    for i in range(p):
        for k in range(p):
            mixed = work.step[i] * memory.direction[k] + memory.direction[i] * work.step[k]
            work.matrix[i, k] += (share * work.step[i] * work.step[k] - mixed) / bend
    return True


@kernel
def variable_metric(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, memory: Memory, work: Work) -> bool:
    """Move `beta` (p,) downhill on the negative log posterior by BFGS; return whether the search succeeded.

    The metric starts as the identity and is reset where a step gains nearly nothing; where the first step after that
    gains no more, the search ends. The gain is seen relative to an objective that is -1 at the start.
    """
    p = beta.shape[0]
    start = loss(gene, plan, prior, beta, work)
    if not math.isfinite(start):
        return False
    value = start
    fresh = True
    since = 0  # updates of the metric since it was the identity
    for _ in range(MAX_METRIC_STEPS):
        while True:
            if fresh:
                since = 0
                for i in range(p):
                    for k in range(p):
                        work.matrix[i, k] = 1.0 if i == k else 0.0
            along = 0.0
            for i in range(p):
                memory.origin[i] = beta[i]
                memory.slope[i] = work.downhill[i]
            for i in range(p):
                work.step[i] = 0.0
                for k in range(p):
                    work.step[i] -= work.matrix[i, k] * work.downhill[k]
                along += work.step[i] * work.downhill[i]
            here, t = math.nan, 0.0
            if along < 0.0:
                here, t = shortened_step(value, along, gene, plan, prior, beta, memory, work)
            if abs(here - value) > SMALL_GAIN * (abs(1.0 + start - value) + SMALL_GAIN):
                break
            if not math.isnan(here):
                value = here
            # the next direction is from the gradient of the origin, too
            for k in range(p):
                work.downhill[k] = memory.slope[k]
            if fresh:
                return True
            fresh = True
        value = here
        since += 1
        fresh = not update_metric(t, memory, work) or since > 2 * p
    return True


@kernel
def early_mode(
    gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, other: FloatArray, memory: Memory, work: Work
) -> bool:
    """Move `beta` (p,) to the end of a search from alternating coefficients; return whether it is a mode.

    A second search comes from the opposite coefficients. Where they disagree, another search goes on from the end of
    the first. `other` (p,) is work space.
    """
    p = beta.shape[0]
    for k in range(p):
        beta[k] = START if k % 2 == 0 else -START
        other[k] = -beta[k]
    agree = nb_cauchy_descend(gene, plan, prior, beta, memory, work)
    agree = nb_cauchy_descend(gene, plan, prior, other, memory, work) and agree
    for k in range(p):
        agree = agree and abs(beta[k] - other[k]) <= DISAGREE
    return agree or variable_metric(gene, plan, prior, beta, memory, work)


@kernel
def distance_ahead(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, direction: FloatArray, work: Work) -> float:
    """Return the Newton step of the shrunken coefficient at `beta` (p,), in posterior standard deviations.

    Infinite where the posterior is not curved like one at a mode. `direction` (p,) is work space.
    """
    loss(gene, plan, prior, beta, work)
    if math.isnan(factorize(plan, prior, cauchy_curvature(beta[prior.place], prior.scale), work)):
        return math.inf
    for k in range(beta.shape[0]):
        work.step[k] = -work.downhill[k]
        direction[k] = 0.0
    direction[prior.place] = 1.0
    cholesky_solve(work.matrix, work.step)
    cholesky_solve(work.matrix, direction)
    ahead: float = abs(work.step[prior.place]) / math.sqrt(direction[prior.place])
    return ahead


@kernel
def differenced_hessian(gene: Gene, plan: Plan, prior: Prior, beta: FloatArray, moved: FloatArray, work: Work) -> float:
    """Write the Cholesky factor of the negative Hessian of the log posterior by differences of its gradient.

    Returns its log det, NaN if not positive definite. Where the prior is narrower than the differences, they see less
    of its curvature than there is. `moved` (p,) is work space.
    """
    p = beta.shape[0]
    for i in range(p):
        for k in range(i + 1):
            work.matrix[i, k] = 0.0
    for i in range(p):
        moved[i] = beta[i]
    for i in range(p):
        for sign in (1.0, -1.0):
            moved[i] = beta[i] + sign * DIFFERENCE
            loss(gene, plan, prior, moved, work)
            for k in range(p):
                work.matrix[max(i, k), min(i, k)] += sign * work.downhill[k] / (4.0 * DIFFERENCE)
            work.matrix[i, i] += sign * work.downhill[i] / (4.0 * DIFFERENCE)
        moved[i] = beta[i]
    return cholesky(work.matrix)


# All genes


@kernel
def nb_cauchy_chunk(
    counts: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: Plan,
    place: int,
    scale: float,
    precision: float,
    early: bool,
    beta_out: FloatArray,
    variance_out: FloatArray,
    reached_out: IntArray,
) -> None:
    """Find the posterior mode of every gene of a chunk.

    Parameters
    ----------
    counts
        (G, n).
    log_factors
        (1, n) or (G, n) logarithms of the size or normalization factors.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    place, scale, precision
        See `Prior`.
    early
        Whether to search as R does, which ends early.
    beta_out
        (G, p) starts on entry (not used by the early search), posterior modes on return; natural log.
    variance_out
        (G,) element of the inverse of the negative Hessian for the coefficient at `place`; NaN where it is not
        positive definite.
    reached_out
        (G,) whether a mode was reached, 1 or 0; by the early search, but for `NEAR_MODE`.
    """
    n, p = counts.shape[1], beta_out.shape[1]
    work = new_work(plan.index[N_CELLS], n, p)
    memory = new_memory(p)
    other = np.empty(p)
    prior = Prior(place, scale, precision)
    for g in range(counts.shape[0]):
        gene = Gene(
            counts[g],
            log_factors[0] if log_factors.shape[0] == 1 else log_factors[g],
            weights[0] if weights.shape[0] == 1 else weights[g],
            alpha[g],
        )
        beta = beta_out[g]
        if early:
            reached = early_mode(gene, plan, prior, beta, other, memory, work)
            reached = reached and distance_ahead(gene, plan, prior, beta, other, work) <= NEAR_MODE
        else:
            reached = highest_mode(gene, plan, prior, beta, other, work)
        reached_out[g] = 1 if reached else 0
        if early:
            log_det = differenced_hessian(gene, plan, prior, beta, other, work)
        else:
            loss(gene, plan, prior, beta, work)
            log_det = factorize(plan, prior, cauchy_curvature(beta[place], scale), work)
        if math.isnan(log_det):
            variance_out[g] = np.nan
            continue
        for k in range(p):
            work.step[k] = 0.0
        work.step[place] = 1.0
        cholesky_solve(work.matrix, work.step)
        variance_out[g] = work.step[place]
