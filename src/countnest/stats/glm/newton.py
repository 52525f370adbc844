"""The maximum of the penalized likelihood, by Newton's method, for genes whose search stopped short of it.

With a log link and a given dispersion the negative binomial log-likelihood is concave in the coefficients. So Newton
steps, halved where they do not go up, end at the one maximum there is, wherever they start.

Source: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.subset import slices

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["distance_to_maximum", "maximize"]

MAX_ITER, MAX_HALVINGS = 200, 40
# A search has arrived when the next step is below this fraction of a standard error.
ARRIVED = 1e-7
# Linear predictors move by this at most in a step.
LONGEST_STEP = 5.0
# A sample with no count and a mean below this says nothing more: the likelihood could only gain this much.
NO_MEAN = 1e-4
# Two log-likelihoods are the same within this fraction of their size.
ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The arguments of `maximize` for some genes."""

    counts: FloatArray
    inputs: NBInputs
    matrix: FloatArray
    ridge: FloatArray

    def rows(self, rows: IntArray | slice) -> _Problem:
        """Return the problem of some genes."""
        return _Problem(self.counts[rows], self.inputs.at(rows), self.matrix, self.ridge)

    def times(self, beta: FloatArray) -> FloatArray:
        """Return X beta (G, n), gene by gene: a product of all at once would have bits that depend on their number."""
        return np.asarray((self.matrix @ beta[:, :, np.newaxis])[:, :, 0])

    def value(self, beta: FloatArray) -> FloatArray:
        """Return the penalized log-likelihoods (G,), without terms that do not depend on the coefficients."""
        eta = self.times(beta)
        alpha = self.inputs.dispersion[:, np.newaxis]
        growth = np.log1p(alpha * (self.inputs.size_factors * np.exp(eta)))
        loglik = (self.inputs.weights * (self.counts * eta - (self.counts + 1.0 / alpha) * growth)).sum(axis=1)
        return as_float(loglik - 0.5 * (self.ridge * beta**2).sum(axis=1))

    def step(self, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the Newton steps (G, p), and their lengths (G,) in standard errors of what the counts determine."""
        alpha, weights = self.inputs.dispersion[:, np.newaxis], self.inputs.weights
        mu = self.inputs.size_factors * np.exp(self.times(beta))
        grown = 1.0 + alpha * mu
        residual = weights * (self.counts - mu) / grown
        score = (self.matrix.T @ residual[:, :, np.newaxis])[:, :, 0] - self.ridge * beta
        weight = weights * mu * (1.0 + alpha * self.counts) / grown**2
        information = self.matrix.T @ (weight[:, :, np.newaxis] * self.matrix)
        step = as_float(np.linalg.solve(information + np.diag(self.ridge), score[:, :, np.newaxis])[:, :, 0])
        told = np.maximum(weight, weights * mu / grown) * ((self.counts > 0.0) | (mu > NO_MEAN))
        distance: FloatArray = np.sqrt((told * self.times(step) ** 2).sum(axis=1))
        return step, distance


def distance_to_maximum(
    beta: FloatArray, counts: FloatArray, inputs: NBInputs, layout: Layout, ridge: FloatArray
) -> FloatArray:
    """Return the distances (G,) of coefficients (G, p) from the penalized likelihood maximum, in standard errors.

    That is the length of the next Newton step in the metric of the information, the expected or the observed one: no
    contrast of the coefficients would move by more of its standard errors. Samples without counts whose means are next
    to zero are left out: what moves them only is not finite, or of no consequence. Other arguments are those of
    `maximize`.
    """
    problem = _Problem(counts, inputs, layout.matrix, ridge)
    distance = np.empty(len(beta))
    with np.errstate(over="ignore", invalid="ignore"):
        for part in slices(len(beta), layout.matrix.size):
            distance[part] = problem.rows(part).step(beta[part])[1]
    return distance


def maximize(
    start: FloatArray, counts: FloatArray, inputs: NBInputs, layout: Layout, ridge: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return the coefficients (G, p) of highest penalized likelihood, natural log, and whether they were reached (G,).

    Parameters
    ----------
    start
        (G, p) where to begin, finite.
    counts
        (G, n).
    inputs
        Size factors, dispersions and weights.
    layout
        Of the columns that are fitted, n rows.
    ridge
        (p,) prior precisions, natural log.
    """
    problem = _Problem(counts, inputs, layout.matrix, ridge)
    beta, arrived = start.copy(), np.zeros(len(start), dtype=np.bool_)
    if not beta.shape[1]:  # a null model without columns has nothing to search
        return beta, ~arrived
    with np.errstate(over="ignore", invalid="ignore"):
        for part in slices(len(beta), layout.matrix.size):
            beta[part], arrived[part] = _climb(problem.rows(part), beta[part])
    return beta, arrived


def _climb(problem: _Problem, start: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the ends of the searches of a chunk, and the mask of those that converged."""
    beta, arrived = start.copy(), np.zeros(len(start), dtype=np.bool_)
    left = np.arange(len(beta))
    for _ in range(MAX_ITER):
        part = problem.rows(left)
        step, distance = part.step(beta[left])
        arrived[left] = distance < ARRIVED
        going = np.isfinite(step).all(axis=1) & ~arrived[left]
        moved = _uphill(part, beta[left], np.where(going[:, np.newaxis], step, 0.0))
        going &= (moved != beta[left]).any(axis=1)
        beta[left] = moved
        left = left[going]
        if not len(left):
            break
    return beta, arrived


def _uphill(problem: _Problem, beta: FloatArray, step: FloatArray) -> FloatArray:
    """Return beta + step, steps halved until no likelihood falls; where none is left, beta."""
    before = problem.value(beta)
    least = before - ROUNDING * np.abs(before)
    longest = np.abs(problem.times(step)).max(axis=1, keepdims=True)
    share = LONGEST_STEP / np.maximum(longest, LONGEST_STEP)
    for _ in range(MAX_HALVINGS):
        falls = ~(problem.value(beta + share * step) >= least)
        if not falls.any():
            break
        share[falls] *= 0.5
    else:
        share[falls] = 0.0
    return as_float(beta + share * step)
