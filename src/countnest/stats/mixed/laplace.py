"""Negative binomial and Poisson mixed models of all genes, by likelihood or restricted likelihood.

log mu = offset + x'beta + z u_g, u_g ~ N(0, sigma^2), and counts with variance mu + alpha mu^2; several terms, or a
term with several columns, are fitted by `joint_fits`. G genes, n samples, p coefficients, q groups; everything in
natural logarithms.

Sources: Breslow and Clayton (1993), doi:10.1080/01621459.1993.10594284; Kristensen and others (2016),
doi:10.18637/jss.v070.i05, whose likelihoods these are; Cox and Reid (1987), doi:10.1111/j.2517-6161.1987.tb01422.x.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.errors import OptionError
from countnest.kernels.mixed.counts.fit import ALPHA, LOGLIK, NEWTON, RESTRICTED, SIGMA
from countnest.kernels.mixed.counts.search import MAX_RHO, MAX_SIGMA
from countnest.stats.glm.separation import separated
from countnest.stats.mixed.count_ends import (
    CONVERGED,
    FAILED,
    RESTARTS,
    SEPARATED_PRECISION,
    Settings,
    inverse_where_positive,
    packed,
    unusable,
)
from countnest.stats.mixed.count_problem import CountProblem, Found
from countnest.stats.mixed.count_records import CountMixedFits, ShrunkenDispersion
from countnest.stats.mixed.joint_fits import fit_joint
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects
from countnest.stats.mixed.scales import of_usual_size

__all__ = ["fit_counts", "fit_with", "fixed_effects"]

# Orders of `kernels.mixed.counts.laplace`.
METHODS = {"laplace": 1, "laplace4": 2, "agq": 1}
NODES = 9


def fit_counts(
    counts: FloatArray,
    offset: FloatArray,
    model: MixedModel,
    *,
    reml: bool = True,
    method: str = "laplace",
    nodes: int = NODES,
    dispersion: float | FloatArray | ShrunkenDispersion | None = None,
) -> CountMixedFits:
    """Fit the mixed model of every gene; a gene that cannot be fitted has an outcome, never an exception.

    Parameters
    ----------
    counts
        (G, n) whole numbers.
    offset
        (1, n) or (G, n) natural logarithms of size factors or normalization factors.
    model
        With any random terms. Without any it is the GLM, which serves for comparisons of likelihoods.
    reml
        Integrate the coefficients out as well. Standard errors by likelihood are too small in small studies.
    method
        How random effects are integrated out: "laplace"; "laplace4", with the next order; "agq", adaptive Gauss-Hermite
        quadrature. The last two have no restricted likelihood, and take one random term with one column.
    nodes
        Of "agq".
    dispersion
        Given, one or (G,); 0 is the Poisson distribution. None: estimated. `ShrunkenDispersion`: with a prior.

    Raises
    ------
    OptionError
        If the method is unknown or has no restricted likelihood.
    DesignError
        If the model has another random term than one of one column, and the method is not "laplace".

    Notes
    -----
    R counterparts: glmmTMB::glmmTMB(family = nbinom2, REML = reml) for "laplace"; its standard errors are those of
    `full_covariance`. lme4::glmer(nAGQ = nodes) for "agq".
    """
    if method not in METHODS:
        raise OptionError(f"method={method!r} must be one of {', '.join(map(repr, METHODS))}.")
    if reml and method != "laplace":
        raise OptionError(f"method={method!r} has no restricted likelihood: use method='laplace', or reml=False.")
    n_genes, fixed = len(counts), not model.terms
    start, prior = np.full((n_genes, 2), np.nan), np.zeros((n_genes, 4))
    if fixed:
        model, start[:, 0] = _of_one_group(model.matrix), 0.0
    free = np.array([not fixed, dispersion is None or isinstance(dispersion, ShrunkenDispersion)])
    if isinstance(dispersion, ShrunkenDispersion):
        prior[:, 0], prior[:, 1] = dispersion.log_trend, dispersion.prior_sd**-2
        start[:, 1] = np.exp(dispersion.log_trend)
    elif dispersion is not None:
        start[:, 1] = dispersion
    settings = Settings(start, prior, free, RESTRICTED if reml else METHODS[method])
    if model.n_parameters > 1 and method == "laplace":
        return fit_joint(counts, offset, model, settings)
    model, unit = of_usual_size(model)
    found = fit_with(counts, offset, CountProblem.of(model, nodes if method == "agq" else 1), settings)
    return _without_terms(found) if fixed else _in_units(found, unit)


def _in_units(fits: CountMixedFits, unit: float) -> CountMixedFits:
    """Return the fits of a column that was divided by a number for the column as it was given."""
    if unit == 1.0:
        return fits
    names = ("theta", "theta_se", "effects", "effect_sd")
    return replace(fits, **{name: getattr(fits, name) / unit for name in names})


def _of_one_group(matrix: FloatArray) -> MixedModel:
    """Return the mixed model of one group, which is the model without random effects where its variance is zero."""
    whole = RandomEffects(np.zeros(len(matrix), dtype=np.int64), np.ones((len(matrix), 1)), "1 | all")
    return MixedModel(matrix, (whole,))


def _without_terms(fits: CountMixedFits) -> CountMixedFits:
    """Return the fits of one group with a variance of zero as those of a model without random terms."""
    names = ("theta", "theta_se", "effects", "effect_sd")
    return replace(fits, **{name: getattr(fits, name)[:, :0] for name in names})


def fixed_effects(
    counts: FloatArray, offset: FloatArray, matrix: FloatArray, dispersion: FloatArray | float | None = None
) -> CountMixedFits:
    """Return the models without random effects, by maximum likelihood; dispersions are estimated or given.

    They are the mixed models of one group with a variance of zero.
    """
    n_genes = len(counts)
    start = np.zeros((n_genes, 2))
    start[:, 1] = np.nan if dispersion is None else dispersion
    settings = Settings(start, np.zeros((n_genes, 4)), np.array([False, dispersion is None]), 1)
    return fit_with(counts, offset, CountProblem.of(_of_one_group(matrix)), settings)


def fit_with(counts: FloatArray, offset: FloatArray, problem: CountProblem, settings: Settings) -> CountMixedFits:
    """Fit every gene by settings; see `fit_counts`."""
    n_genes, (p, _) = len(counts), problem.shape
    outcome = np.full(n_genes, Outcome.CONVERGED, dtype=np.int64)
    outcome[~counts.any(axis=1)] = Outcome.CONSTANT
    given = None if settings.free[1] else settings.start[:, 1]
    outcome[unusable(counts, offset, given, settings.prior)] = Outcome.NOT_FINITE
    rows = np.flatnonzero(outcome == Outcome.CONVERGED)
    flat = np.asarray(separated(as_float(counts[rows]), np.eye(p), problem.layout).any(axis=1))
    settings = settings.at(rows)
    settings.prior[flat, 3] = np.maximum(settings.prior[flat, 3], SEPARATED_PRECISION)
    y = problem.sorted(counts[rows])
    found = problem.fit(y, problem.sorted(_at(offset, rows)), settings)
    again = np.flatnonzero(np.isin(_outcomes(found, flat, settings.free), FAILED))
    _try_other_starts(found, again, y, problem.sorted(_at(offset, rows)), problem, settings)
    outcome[rows] = _outcomes(found, flat, settings.free)
    return _fits(outcome, rows, found, problem, settings)


def _at(offset: FloatArray, rows: IntArray) -> FloatArray:
    return offset if len(offset) == 1 else offset[rows]


def _outcomes(found: Found, flat: BoolArray, free: BoolArray) -> IntArray:
    """Return how the fits ended; `flat` (G,) are genes with a separated coefficient."""
    numbers = found.numbers
    length, alpha = numbers[:, NEWTON], numbers[:, ALPHA]
    outcome = np.full(len(numbers), Outcome.CONVERGED, dtype=np.int64)
    outcome[free[1] & (alpha == 0.0)] = Outcome.POISSON_LIMIT
    outcome[free[0] & (numbers[:, SIGMA] == 0.0)] = Outcome.SINGULAR
    outcome[free[1] & (alpha >= 0.999 * MAX_RHO**2)] = Outcome.DISPERSION_BOUND
    outcome[free[0] & _at_most(numbers)] = Outcome.DISPERSION_BOUND
    outcome[flat] = Outcome.SEPARATED
    outcome[~(length <= CONVERGED)] = Outcome.SEARCH_FAILED
    outcome[np.isnan(length)] = Outcome.HESSIAN_INDEFINITE
    return outcome


def _at_most(numbers: FloatArray) -> BoolArray:
    """Return which standard deviations (G,) are at their bound."""
    return np.asarray(numbers[:, SIGMA] >= 0.999 * MAX_SIGMA)


def _try_other_starts(
    found: Found, genes: IntArray, counts: FloatArray, offset: FloatArray, problem: CountProblem, settings: Settings
) -> None:
    """Fit genes that failed from other starting values, and keep what is better: an end of the search, then a value."""
    for start in RESTARTS:
        if not len(genes):
            return
        other = problem.fit(counts[genes], _at(offset, genes), settings.at(genes, np.array(start)))
        ended, before = (_end(each) for each in (other.numbers, found.numbers[genes]))
        gain = np.nan_to_num(other.numbers[:, LOGLIK], nan=-np.inf) > np.nan_to_num(
            found.numbers[genes, LOGLIK], nan=-np.inf
        )
        better = (ended & ~before) | ((ended == before) & gain)
        for name in ("beta", "numbers", "effects", "information", "evaluations"):
            getattr(found, name)[genes[better]] = getattr(other, name)[better]


def _end(numbers: FloatArray) -> BoolArray:
    """Return which fits converged."""
    return np.asarray(numbers[:, NEWTON] <= CONVERGED)


def _fits(outcome: IntArray, rows: IntArray, found: Found, problem: CountProblem, settings: Settings) -> CountMixedFits:
    """Return the record of all genes, of what was found for some of them."""
    n_genes, alpha, reml = len(outcome), found.numbers[:, ALPHA], settings.method == RESTRICTED
    given, full, variances = _covariances(found.information, ~np.isnan(found.numbers[:, NEWTON]))
    loglik = found.numbers[:, LOGLIK] - (problem.log_volume if reml else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = settings.free[1] & (alpha > 0.0) & (variances[:, 1] > 0.0)
        dispersion_se = np.where(known, 2.0 * np.sqrt(variances[:, 1] / alpha), np.nan)

    def whole(values: FloatArray) -> FloatArray:
        out = np.full((n_genes, *values.shape[1:]), np.nan)
        out[rows] = values
        return out

    evaluations = np.zeros(n_genes, dtype=np.int64)
    evaluations[rows] = found.evaluations
    return CountMixedFits(
        coefficients=whole(problem.coefficients(found.beta)),
        theta=whole(found.numbers[:, SIGMA, np.newaxis]),
        dispersion=whole(alpha),
        loglik=whole(loglik),
        covariance=whole(packed(problem.covariance(given))),
        full_covariance=whole(packed(problem.covariance(full))),
        theta_se=whole(np.where(_at_most(found.numbers), np.nan, np.sqrt(variances[:, 0]))[:, np.newaxis]),
        log_dispersion_se=whole(dispersion_se),
        effects=whole(found.effects[:, 0]),
        effect_sd=whole(found.effects[:, 1]),
        outcome=outcome,
        evaluations=evaluations,
        reml=reml,
    )


def _covariances(information: FloatArray, regular: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the covariance of the coefficients given the rest, the whole one, and variances (G, 2) of sigma and rho.

    `information` (G, p + 2, p + 2) are negative Hessians of sigma, rho and coefficients. Those that are not `regular`
    (G,), positive definite, are inverted where they are positive.
    """
    given = inverse_where_positive(information[:, 2:, 2:], regular)
    every = inverse_where_positive(information, regular)
    return given, as_float(every[:, 2:, 2:]), as_float(np.diagonal(every, axis1=1, axis2=2)[:, :2])
