"""Mixed models of counts with several random terms or columns, by likelihood or restricted likelihood.

log mu = offset + x'beta + z'L u with u ~ N(0, I), and counts with variance mu + alpha mu^2. The kernels give the
likelihood of a gene by Laplace's method, with its gradient; the search is for all genes at once. The entries of L are
free in sign: a variance of zero is a stationary point like others. G genes, n samples, p coefficients, t variance
parameters, m unknowns; natural logarithms.

Source: Kristensen et al. (2016), doi:10.18637/jss.v070.i05.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.kernels.mixed.counts.search import MAX_RHO, MAX_SIGMA
from countnest.kernels.mixed.joint.likelihood import details_chunk, joint_chunk, new_work
from countnest.kernels.mixed.joint.work import JointWork
from countnest.stats.mixed.climb import Ends, climb, polish, turn_up
from countnest.stats.mixed.covariances import entries_of, is_singular, nearest_singular
from countnest.stats.mixed.joint_problem import JointProblem

__all__ = ["Details", "JointLikelihood", "first_points", "maximum"]

# Climbs end by these gains, one after the other, until a Newton step is short enough.
TOLERANCES, ENOUGH = (1e-7, 1e-10, 1e-13, 1e-13, 1e-13, 1e-13), 1e-12
# The longest steps of entries of L, and of coefficients.
LONGEST_THETA, LONGEST = 1.0, 2.0
# A root of a dispersion below this is zero, and a covariance singular, where the likelihood does not fall by it.
VANISHING, NO_LOSS = 1e-4, 1e-8
# Starting values: the dispersion of the first means, and ranges.
FIRST_ALPHA, LEAST_VARIANCE, LARGEST_VARIANCE, LEAST_START, LARGEST_START = 0.1, 0.01, 4.0, 0.005, 4.0
START_OFFSET, LARGEST_ETA = 0.5, 300.0


class JointLikelihood:
    """The log-likelihoods of genes, each with the mode of its unknowns, from which the next mode is looked for.

    Parameters
    ----------
    problem
        The model.
    counts, offset
        (G, n); (1, n) or (G, n).
    prior
        (G, 4) as in `count_problem.Settings`; the precision of standard deviations is not used.
    restricted
        Whether coefficients are integrated out; if not, they are parameters behind theta and the root of alpha.
    """

    def __init__(
        self, problem: JointProblem, counts: FloatArray, offset: FloatArray, prior: FloatArray, restricted: bool
    ) -> None:
        """Begin without random effects, with coefficients by least squares of log counts."""
        t, p, q = problem.shape
        self.problem, self.counts, self.offset = problem, counts, offset
        self.prior, self.restricted = prior, restricted
        self.size = t + 1 + (0 if restricted else p)
        self.work: JointWork = new_work(problem.joint)
        self.modes = np.zeros((len(counts), q + p))
        basis = problem.layout.structure.basis
        z = np.log(counts + START_OFFSET) - offset
        self.modes[:, q:] = (z[:, np.newaxis] @ basis)[:, 0] / len(basis)

    def of(self, genes: IntArray) -> JointLikelihood:
        """Return the log-likelihoods of some genes."""
        offset = self.offset if len(self.offset) == 1 else self.offset[genes]
        some = JointLikelihood(self.problem, self.counts[genes], offset, self.prior[genes], self.restricted)
        some.keep(np.arange(len(genes)), self.modes[genes])
        return some

    def at(self, rows: IntArray, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return values (R,), gradients (R, d) and modes (R, m) of some genes at points (R, d)."""
        values, slopes, modes = self.plain(rows, points, self.restricted)
        mean, precision = self.prior[rows, 0], self.prior[rows, 1]
        t = self.problem.shape[0]
        rho = points[:, t]
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.log(np.maximum(rho**2, 1e-300)) - mean
            values -= np.where(precision > 0.0, 0.5 * precision * away**2, 0.0)
            slopes[:, t] -= np.where(precision > 0.0, 2.0 * precision * away / rho, 0.0)
        return values, slopes, modes

    def plain(self, rows: IntArray, points: FloatArray, restricted: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the same without the prior of dispersions, restricted or not."""
        modes = self.modes[rows]
        values, slopes = np.empty(len(rows)), np.empty(points.shape)
        joint_chunk(
            rows, points, self.counts, self.offset, as_float(self.prior[:, 3]), restricted, self.problem.joint,
            self.work, modes, values, slopes,
        )  # fmt: skip
        return values, slopes, modes

    def means(self, points: FloatArray) -> FloatArray:
        """Return the means (G, n) of the counts at points (G, d), with the random effects that are kept."""
        joint, q = self.problem.joint, len(self.problem.level)
        eta = self.offset + (self.modes[:, np.newaxis, q:] @ self.problem.layout.structure.basis.T)[:, 0]
        for r, (row, column) in enumerate(joint.entries):
            eta = eta + points[:, r, np.newaxis] * joint.columns[:, row] * self.modes.take(
                joint.place[:, column], axis=1
            )
        return as_float(np.exp(np.clip(eta, -LARGEST_ETA, LARGEST_ETA)))

    def keep(self, rows: IntArray, memories: FloatArray) -> None:
        """Keep modes (R, m)."""
        self.modes[rows] = memories

    def details(self, rows: IntArray, points: FloatArray, restricted: bool) -> Details:
        """Return what belongs to fits of some genes."""
        t, p, q = self.problem.shape
        k = max(term.n_columns for term in self.problem.model.terms)
        found = Details(
            np.zeros((len(rows), p, p)), np.zeros((len(rows), t + 1, p)), np.zeros((len(rows), q, k)), self.modes[rows]
        )
        details_chunk(
            rows, points, self.counts, self.offset, as_float(self.prior[:, 3]), restricted, self.problem.level,
            self.problem.joint, self.work, found.modes, found.root, found.moves, found.blocks,
        )  # fmt: skip
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """What belongs to fits, see `kernels.mixed.joint.likelihood.details_chunk`, and the modes (R, m) there."""

    root: FloatArray
    moves: FloatArray
    blocks: FloatArray
    modes: FloatArray


def first_points(likelihood: JointLikelihood, alpha: FloatArray) -> FloatArray:
    """Return theta and the root of the dispersion (G, t + 1) by moments of residuals; alpha (G,) where it is known.

    The likelihood keeps the coefficients without random effects.
    """
    problem, rows = likelihood.problem, np.arange(len(likelihood.counts))
    t, p, _ = problem.shape
    points = np.zeros((len(rows), t + 1))
    points[:, t] = np.sqrt(FIRST_ALPHA)
    likelihood.keep(rows, likelihood.plain(rows, points, True)[2])
    mu = likelihood.means(points)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights, residuals = mu / (1.0 + mu), likelihood.counts / mu - 1.0
        inflated = mu.shape[1] / max(mu.shape[1] - p, 1)
        spread = (weights * (residuals**2 - 1.0 / mu)).sum(axis=1) / weights.sum(axis=1)
        variances = inflated * _products(problem, weights, residuals)
        moments = inflated * spread - np.maximum(variances, 0.0).sum(axis=1)
    share = np.nan_to_num(variances, nan=LEAST_VARIANCE) / len(problem.model.terms)
    places = [r for r, (_, row, column) in enumerate(entries_of(problem.model)) if row == column]
    points[:, places] = np.sqrt(np.clip(share, LEAST_VARIANCE, LARGEST_VARIANCE))
    moments = np.clip(np.nan_to_num(moments, nan=FIRST_ALPHA), LEAST_START, LARGEST_START)
    points[:, t] = np.sqrt(np.where(np.isnan(alpha), moments, alpha))
    return points


def _products(problem: JointProblem, weights: FloatArray, residuals: FloatArray) -> FloatArray:
    """Return the variance (G, c) of each random coefficient by products of residuals within levels."""
    found, first = [], 0
    for term in problem.model.terms:
        order = np.argsort(term.codes, kind="stable")
        groups = np.concatenate([[0], np.cumsum(np.bincount(term.codes))[:-1]])
        for column in problem.layout.structure.columns[:, first : first + term.n_columns].T:
            own, size = weights * residuals * column, weights * column**2
            sums = [
                (np.add.reduceat(each.take(order, axis=1), groups, axis=1) ** 2).sum(axis=1) - (each**2).sum(axis=1)
                for each in (own, size)
            ]
            found.append(np.where(sums[1] > 0.0, sums[0] / sums[1], 0.0))
        first += term.n_columns
    return as_float(np.column_stack(found))


def maximum(likelihood: JointLikelihood, start: FloatArray, free: BoolArray) -> Ends:
    """Return where the search ends that begins at points (G, t + 1): theta, and the root of the dispersion.

    `free` (d,) are the parameters that move. The likelihood keeps the modes there.
    """
    rows = np.arange(len(start))
    t, p, _ = likelihood.problem.shape
    likelihood.keep(rows, likelihood.plain(rows, start, True)[2])
    details = likelihood.details(rows, start, True)
    inverse = _guess(likelihood, start, details)
    points = start if likelihood.restricted else as_float(np.hstack([start, details.modes[:, -p:]]))
    limits = np.full((2, likelihood.size), np.inf)
    limits[0], limits[0, :t] = LONGEST, LONGEST_THETA
    limits[1, :t], limits[1, t] = MAX_SIGMA, MAX_RHO
    ends = Ends.of(likelihood, points, np.broadcast_to(free, points.shape), limits, inverse)
    ends.longest[:, t] = np.maximum(0.5, np.abs(start[:, t]))
    fitted = rows = rows[np.isfinite(ends.values)]
    for tolerance in TOLERANCES:
        climb(likelihood, ends, rows, tolerance)
        _vanish(likelihood, ends, rows)
        polish(likelihood, ends, rows)
        rows = rows[~(ends.lengths[rows] < ENOUGH)]
        turn_up(likelihood, ends, rows[np.isnan(ends.lengths[rows])])
    _vanish(likelihood, ends, fitted)
    return ends


def _guess(likelihood: JointLikelihood, points: FloatArray, details: Details) -> FloatArray:
    """Return guesses of the inverse of the negative Hessian at points (G, t + 1)."""
    problem = likelihood.problem
    (t, p, q), d = problem.shape, likelihood.size
    found = np.zeros((len(points), d, d))
    share = 1.0 - details.blocks[:, np.arange(q), np.arange(q) - problem.level]
    entries = problem.joint.entries
    for r, (row, column) in enumerate(entries):
        one, other = (share.take(np.flatnonzero(problem.column == own), axis=1) for own in (row, column))
        diagonal = int(np.flatnonzero((entries == row).all(axis=1))[0])
        both = (2.0 if row == column else 1.0) * (one * other).sum(axis=1)
        found[:, r, r] = 1.0 / (1.0 + both / np.maximum(points[:, diagonal] ** 2, LEAST_VARIANCE))
    alpha = np.maximum(points[:, t] ** 2, LEAST_VARIANCE)
    mu = likelihood.means(points)
    with np.errstate(over="ignore", invalid="ignore"):
        size = 1.0 / (1.0 + 1.0 / (alpha[:, np.newaxis] * mu))
    found[:, t, t] = 1.0 / (1.0 + (2.0 * (size**2).sum(axis=1) + 4.0 * likelihood.prior[:, 1]) / alpha)
    if d > t + 1:
        usable = (np.diagonal(details.root, axis1=1, axis2=2) > 0.0).all(axis=1)
        usable &= np.isfinite(details.root).all(axis=(1, 2))
        found[:, t + 1 :, t + 1 :] = np.eye(p)
        turned = np.linalg.inv(details.root[usable])
        found[usable, t + 1 :, t + 1 :] = turned.transpose(0, 2, 1) @ turned
    return found


def _vanish(likelihood: JointLikelihood, ends: Ends, rows: IntArray) -> None:
    """Let covariances that are almost singular, and dispersions of almost zero, be so where no likelihood is lost."""
    model, t = likelihood.problem.model, likelihood.problem.shape[0]
    theta, rho = ends.points[rows, :t], ends.points[rows, t]
    near = is_singular(theta, model) & ends.free[rows, 0]
    small = (np.abs(rho) < VANISHING) & (rho != 0.0) & ends.free[rows, t] & (likelihood.prior[rows, 1] == 0.0)
    for which, part in ((near, slice(0, t)), (small, slice(t, t + 1))):
        some = rows[which]
        points = ends.points[some]
        points[:, part] = nearest_singular(points[:, part], model) if part.start == 0 else 0.0
        found = ends.ask(likelihood, some, as_float(points))
        good = found[0] >= ends.values[some] - NO_LOSS
        ends.move(likelihood, some[good], as_float(points[good]), (found[0][good], found[1][good], found[2][good]))
