"""Penalised quasi-likelihood: mixed models of counts by linear mixed models of working responses.

G genes, n samples, p coefficients, t variance parameters, q random effects, natural logarithms.

Source: Breslow and Clayton (1993), doi:10.1080/01621459.1993.10594284.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.mixed.count_ends import packed
from countnest.stats.mixed.count_records import CountMixedFits, QuasiFits
from countnest.stats.mixed.effects import predicted_effects
from countnest.stats.mixed.general_parts import general_parts
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome
from countnest.stats.mixed.weights import normalized

__all__ = ["fit_pql"]

MAX_ITER = 10
# Squared change of the linear predictors, relative to their square, that ends the iterations.
TOLERANCE = 1e-6
# What the models without random terms say of their variances.
OF_VARIANCES = (Outcome.SINGULAR, Outcome.POISSON_LIMIT, Outcome.DISPERSION_BOUND)


@dataclass(slots=True, eq=False)
class _State:
    """What the last linear models were: linear predictors (G, n) without offsets, and the arrays of `QuasiFits`."""

    eta: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    theta: FloatArray
    residual: FloatArray
    effects: FloatArray
    outcome: IntArray


def fit_pql(counts: FloatArray, offset: FloatArray, model: MixedModel, start: CountMixedFits) -> QuasiFits:
    """Fit every gene, with known dispersions.

    Parameters
    ----------
    counts
        (G, n) whole numbers.
    offset
        (1, n) or (G, n).
    model
        With any random terms.
    start
        The models without random terms, whose dispersions are known from here on: see `laplace.fixed_effects`.

    Notes
    -----
    R counterpart: MASS::glmmPQL, with `family = negative.binomial(1 / dispersion)` or `poisson`. Its t tests have the
    degrees of freedom of containment.
    """
    n_genes, alpha = len(counts), np.where(np.isfinite(start.dispersion), start.dispersion, 0.0)
    outcome = np.where(np.isin(start.outcome, OF_VARIANCES), Outcome.CONVERGED, start.outcome)
    (n, p), q = model.matrix.shape, sum(term.n_levels * term.n_columns for term in model.terms)
    state = _State(
        ordered_predictors(start.coefficients, model.matrix), np.full((n_genes, p), np.nan),
        np.full((n_genes, p, p), np.nan), np.full((n_genes, model.n_parameters), np.nan), np.full(n_genes, np.nan),
        np.full((n_genes, q), np.nan), outcome,
    )  # fmt: skip
    offsets = np.broadcast_to(offset, counts.shape)
    going = np.asarray(np.isfinite(state.eta).all(axis=1))
    for _ in range(MAX_ITER):
        rows = np.flatnonzero(going)
        if not len(rows):
            break
        going[rows] = _step(state, rows, counts[rows], offsets[rows], alpha[rows], model)
    state.outcome[going & (state.outcome <= Outcome.SINGULAR)] = Outcome.ITERATIONS_EXHAUSTED
    return QuasiFits(
        state.coefficients, packed(state.covariance) * n / (n - p), state.theta, alpha, state.residual, state.effects,
        state.outcome,
    )  # fmt: skip


def ordered_predictors(coefficients: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return X beta (G, n), each gene's bits its own."""
    return as_float(np.einsum("gp,np->gn", coefficients, matrix))


def _step(
    state: _State, rows: IntArray, counts: FloatArray, offset: FloatArray, alpha: FloatArray, model: MixedModel
) -> BoolArray:
    """Fit the working responses of some genes by a linear mixed model; return which go on."""
    eta = state.eta[rows]
    mu = np.exp(eta + offset)
    working, weights = eta + counts / mu - 1.0, mu / (1.0 + alpha[:, np.newaxis] * mu)
    fits = fit_linear(working, model, weights, reml=False)
    solved = _one_column if len(model.terms) == 1 and model.terms[0].n_columns == 1 else _any_terms
    predicted, covariance = solved(working, weights, fits, model)
    new = ordered_predictors(fits.coefficients, model.matrix) + _random_part(predicted, model)
    lost = ~np.isfinite(new).all(axis=1)
    kept = rows[~lost]
    state.eta[kept], state.coefficients[kept], state.covariance[kept] = (
        new[~lost], fits.coefficients[~lost], covariance[~lost],
    )  # fmt: skip
    state.theta[kept] = (fits.theta * fits.sigma[:, np.newaxis])[~lost]
    state.residual[kept] = (fits.sigma * np.sqrt(weights.mean(axis=1)))[~lost]
    state.effects[kept] = predicted[~lost]
    fine = state.outcome[rows] <= Outcome.SINGULAR
    state.outcome[rows[fine]] = fits.outcome[fine]
    total = eta + offset
    change = ((new - eta) ** 2).sum(axis=1) >= TOLERANCE * ((new + offset) ** 2).sum(axis=1)
    return np.asarray(~lost & change & np.isfinite(total).all(axis=1))


def _random_part(effects: FloatArray, model: MixedModel) -> FloatArray:
    """Return what random effects (G, q) add to the linear predictors, (G, n)."""
    found, first = np.zeros((len(effects), len(model.matrix))), 0
    for term in model.terms:
        k = term.n_columns
        for column in range(k):
            found += effects[:, first + k * term.codes + column] * term.columns[:, column]
        first += k * term.n_levels
    return found


def _any_terms(
    working: FloatArray, weights: FloatArray, fits: LinearMixedFits, model: MixedModel
) -> tuple[FloatArray, FloatArray]:
    """Return predicted effects (G, q) and the covariance (G, p, p) of the coefficients of weighted linear models."""
    found = predicted_effects(working, model, weights, fits)
    effects = np.concatenate([each.values.reshape(len(working), -1) for each in found], axis=1)
    rows = np.eye(model.matrix.shape[1])
    parts = general_parts(working, model, normalized(weights), fits, rows, joint=True)
    return effects, square(parts.covariance) * (fits.sigma**2)[:, np.newaxis, np.newaxis]


def _one_column(
    working: FloatArray, weights: FloatArray, fits: LinearMixedFits, model: MixedModel
) -> tuple[FloatArray, FloatArray]:
    """Return what `_any_terms` does, of a model with one random term of one column."""
    term = model.terms[0]
    ratio, w = fits.theta[:, :1] ** 2, normalized(weights)
    x, z = model.matrix, term.matrix
    residual = working - ordered_predictors(fits.coefficients, x)
    inverse = ratio / (1.0 + ratio * np.einsum("gn,nq->gq", w, z**2))
    effects = inverse * np.einsum("gn,nq->gq", w * residual, z)
    cross = np.einsum("gn,nq,np->gqp", w, z, x)
    information = np.einsum("gn,ni,nj->gij", w, x, x) - np.einsum("gqi,gq,gqj->gij", cross, inverse, cross)
    out = np.full_like(information, np.nan)
    usable = np.isfinite(information).all(axis=(1, 2)) & (fits.sigma > 0.0)
    out[usable] = np.linalg.inv(information[usable]) * (fits.sigma[usable] ** 2)[:, np.newaxis, np.newaxis]
    return as_float(effects), out
