"""Fits of mixed models of counts with several random terms or columns. G genes, n samples, p coefficients.

A search may end at a variance of zero that is not the best: it begins again with a large one there.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.kernels.mixed.counts.fit import RESTRICTED
from countnest.kernels.mixed.counts.search import MAX_RHO, MAX_SIGMA
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.separation import separated
from countnest.stats.mixed.climb import Ends, covariances_of
from countnest.stats.mixed.count_ends import (
    CONVERGED,
    RESTARTS,
    SEPARATED_PRECISION,
    Settings,
    inverse_where_positive,
    packed,
    unusable,
)
from countnest.stats.mixed.count_records import CountMixedFits
from countnest.stats.mixed.covariances import SINGULAR, entries_of, factors_of, is_singular
from countnest.stats.mixed.joint import Details, JointLikelihood, first_points, maximum
from countnest.stats.mixed.joint_problem import JointProblem
from countnest.stats.mixed.records import MixedModel, Outcome

__all__ = ["fit_joint"]

# Another start counts if it is better by this; the standard deviation that it has in place of zero.
BETTER, LARGE = 1e-9, 0.7


def fit_joint(counts: FloatArray, offset: FloatArray, model: MixedModel, settings: Settings) -> CountMixedFits:
    """Fit the mixed model of every gene by Laplace's method; a gene that cannot be fitted has an outcome.

    Parameters
    ----------
    counts, offset
        (G, n); (1, n) or (G, n), natural log.
    model
        With any random terms.
    settings
        Dispersions and their prior, and whether the likelihood is the restricted one; all variances are estimated.
    """
    n_genes, problem = len(counts), JointProblem.of(model)
    t, p, _ = problem.shape
    outcome = np.full(n_genes, Outcome.CONVERGED, dtype=np.int64)
    outcome[~counts.any(axis=1)] = Outcome.CONSTANT
    given = None if settings.free[1] else settings.start[:, 1]
    outcome[unusable(counts, offset, given, settings.prior)] = Outcome.NOT_FINITE
    rows = np.flatnonzero(outcome == Outcome.CONVERGED)
    layout = Layout.of(model.matrix, as_given=True)
    flat = np.asarray(separated(as_float(counts[rows]), np.eye(p), layout).any(axis=1))
    settings = settings.at(rows)
    settings.prior[flat, 3] = np.maximum(settings.prior[flat, 3], SEPARATED_PRECISION)
    offset, restricted = offset if len(offset) == 1 else offset[rows], settings.method == RESTRICTED
    likelihood = JointLikelihood(problem, counts[rows], offset, settings.prior, restricted)
    free = np.ones(likelihood.size, dtype=np.bool_)
    free[t] = given is None
    start = first_points(likelihood, settings.start[:, 1])
    ends = maximum(likelihood, start, free)
    _try_again(likelihood, ends, start, free)
    outcome[rows] = _outcomes(problem, ends, flat, bool(free[t]))
    return _record(outcome, rows, likelihood, ends)


def _try_again(likelihood: JointLikelihood, ends: Ends, start: FloatArray, free: BoolArray) -> None:
    """Begin again where a variance is zero and others are not, and where the search failed; keep what is better."""
    model, t = likelihood.problem.model, likelihood.problem.shape[0]
    diagonal = np.array([row == column for _, row, column in entries_of(model)])
    theta = ends.points[:, :t]
    zero = diagonal & _of_singular_terms(theta, model)
    if t > 1:
        points = ends.points[:, : t + 1].copy()
        points[:, :t] = np.where(zero, LARGE, np.where(_of_singular_terms(theta, model), 0.0, theta))
        _take(likelihood, ends, np.flatnonzero(zero.any(axis=1)), as_float(points), free)
    for sigma, alpha in RESTARTS:
        failed = np.flatnonzero(~(ends.lengths <= CONVERGED))
        if not len(failed):
            return
        points = np.zeros((len(start), t + 1))
        points[:, :t] = np.where(diagonal, sigma, 0.0)
        points[:, t] = np.sqrt(alpha) if free[t] else start[:, t]
        _take(likelihood, ends, failed, points, free)


def _of_singular_terms(theta: FloatArray, model: MixedModel) -> BoolArray:
    """Return which entries (G, t) belong to terms whose covariance is singular."""
    singular = []
    for factor in factors_of(theta, model):
        squares = np.einsum("gij,gkj->gik", factor, factor)
        lost = ~np.isfinite(squares).all(axis=(1, 2))
        values = np.linalg.eigvalsh(np.where(lost[:, np.newaxis, np.newaxis], 1.0, squares))
        singular.append(~lost & (values[:, 0] < SINGULAR))
    return np.column_stack([singular[term] for term, _, _ in entries_of(model)])


def _take(likelihood: JointLikelihood, ends: Ends, genes: IntArray, points: FloatArray, free: BoolArray) -> None:
    """Search from other points (G, t + 1) for some genes, and keep what is better: ends of searches, then values."""
    if not len(genes):
        return
    some = likelihood.of(genes)
    other = maximum(some, points[genes], free)
    done, before = other.lengths <= CONVERGED, ends.lengths[genes] <= CONVERGED
    low = -np.inf
    gain = np.nan_to_num(other.values, nan=low) > np.nan_to_num(ends.values[genes], nan=low) + BETTER
    better = (done & ~before) | ((done == before) & gain)
    ends.evaluations[genes] += other.evaluations
    for field in fields(Ends):
        if field.name != "evaluations":
            getattr(ends, field.name)[genes[better]] = getattr(other, field.name)[better]
    likelihood.keep(genes[better], as_float(some.modes[better]))


def _outcomes(problem: JointProblem, ends: Ends, flat: BoolArray, estimated: bool) -> IntArray:
    """Return how the fits ended; `flat` (G,) are genes with a separated coefficient."""
    t = problem.shape[0]
    rho, outcome = ends.points[:, t], np.full(len(flat), Outcome.CONVERGED, dtype=np.int64)
    outcome[estimated & (rho == 0.0)] = Outcome.POISSON_LIMIT
    outcome[is_singular(ends.points[:, :t], problem.model)] = Outcome.SINGULAR
    outcome[estimated & (rho**2 >= 0.999 * MAX_RHO**2)] = Outcome.DISPERSION_BOUND
    outcome[(np.abs(ends.points[:, :t]) >= 0.999 * MAX_SIGMA).any(axis=1)] = Outcome.DISPERSION_BOUND
    outcome[flat] = Outcome.SEPARATED
    outcome[~(ends.lengths <= CONVERGED)] = Outcome.SEARCH_FAILED
    outcome[np.isnan(ends.lengths)] = Outcome.HESSIAN_INDEFINITE
    return outcome


def _record(outcome: IntArray, rows: IntArray, likelihood: JointLikelihood, ends: Ends) -> CountMixedFits:
    """Return the record of all genes, of what was found for some of them."""
    problem, reml = likelihood.problem, likelihood.restricted
    (t, p, _), n_genes = problem.shape, len(outcome)
    details = likelihood.details(np.arange(len(rows)), ends.points, reml)
    given, full, covariance = _covariances(likelihood, ends, details)
    alpha = ends.points[:, t] ** 2
    effects, deviations = problem.effects(ends.points[:, :t], details.modes, details.blocks)
    beta = details.modes[:, -p:] if reml else ends.points[:, t + 1 :]
    variances = covariance[:, t, t]
    with np.errstate(divide="ignore", invalid="ignore"):
        of_alpha = np.where((alpha > 0.0) & (variances > 0.0), 2.0 * np.sqrt(variances / alpha), np.nan)
        of_theta = np.sqrt(problem.theta_variances(ends.points[:, :t], as_float(covariance[:, :t, :t])))
        of_theta[~ends.free[:, :t].all(axis=1)] = np.nan  # at the bound

    def whole(values: FloatArray) -> FloatArray:
        out = np.full((n_genes, *values.shape[1:]), np.nan)
        out[rows] = values
        return out

    evaluations = np.zeros(n_genes, dtype=np.int64)
    evaluations[rows] = ends.evaluations
    return CountMixedFits(
        coefficients=whole(problem.coefficients(as_float(beta))),
        theta=whole(problem.theta(ends.points[:, :t])),
        dispersion=whole(alpha),
        loglik=whole(ends.values - (problem.log_volume if reml else 0.0)),
        covariance=whole(packed(problem.covariance(given))),
        full_covariance=whole(packed(problem.covariance(full))),
        theta_se=whole(of_theta),
        log_dispersion_se=whole(of_alpha),
        effects=whole(effects),
        effect_sd=whole(deviations),
        outcome=outcome,
        evaluations=evaluations,
        reml=reml,
    )


def _covariances(
    likelihood: JointLikelihood, ends: Ends, details: Details
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the covariance (G, p, p) of the coefficients given the rest, the whole one, and that of the parameters."""
    t, covariance = likelihood.problem.shape[0], covariances_of(ends)
    if not likelihood.restricted:
        own = ends.information[:, t + 1 :, t + 1 :]
        given = inverse_where_positive(own, np.asarray(ends.lengths <= CONVERGED))
        return given, as_float(covariance[:, t + 1 :, t + 1 :]), covariance
    information = as_float(details.root @ details.root.transpose(0, 2, 1))
    given = inverse_where_positive(information, np.asarray(ends.lengths <= CONVERGED))
    moves = details.moves.copy()
    moves[:, t] *= 2.0 * ends.points[:, t, np.newaxis]
    return given, as_float(given + moves.transpose(0, 2, 1) @ covariance @ moves), covariance
