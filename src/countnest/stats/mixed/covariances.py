"""Covariances of random effects as functions of theta, and their derivatives. G genes, t variance parameters.

gamma are the entries of LL', the lower triangle of each term column by column, as theta has those of L; where variances
are free, theta are the ratios themselves.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.stats.mixed.records import LinearMixedFits, MixedModel

__all__ = [
    "curvature_of",
    "entries_of",
    "factors_of",
    "gamma_of",
    "in_given_columns",
    "is_singular",
    "jacobian_of",
    "nearest_singular",
    "relative_covariances",
    "unit_variances",
]

# An eigenvalue of LL' below this, of columns with mean square one, makes a fit singular.
SINGULAR = 1e-8
# Entries of L below this part of the largest of their term are zero.
ROUNDING = 1e-12


def entries_of(model: MixedModel) -> list[tuple[int, int, int]]:
    """Return term, row and column of each variance parameter."""
    return [
        (place, row, column)
        for place, term in enumerate(model.terms)
        for column in range(term.n_columns)
        for row in range(column, term.n_columns)
    ]


def relative_covariances(theta: FloatArray, model: MixedModel) -> tuple[FloatArray, ...]:
    """Return for each term the covariances (G, k, k) of its random effects, over the residual variance."""
    factors = factors_of(theta, model)
    return tuple(as_float(np.einsum("gij,gkj->gik", factor, factor)) for factor in factors)


def gamma_of(fits: LinearMixedFits, model: MixedModel) -> FloatArray:
    """Return the covariances (G, t) of the random effects, over the residual variance."""
    if not fits.bounded:
        return fits.theta
    relative = relative_covariances(fits.theta, model)
    return as_float(np.column_stack([relative[term][:, row, column] for term, row, column in entries_of(model)]))


def unit_variances(model: MixedModel) -> FloatArray:
    """Return the variance (t, n) that one unit of each entry of gamma gives each sample."""
    found = np.zeros((model.n_parameters, len(model.matrix)))
    for place, (term, row, column) in enumerate(entries_of(model)):
        columns = model.terms[term].columns
        found[place] = columns[:, row] * columns[:, column] * (1.0 if row == column else 2.0)
    return found


def jacobian_of(fits: LinearMixedFits, model: MixedModel) -> FloatArray:
    """Return the derivatives (G, t, t) of gamma (rows) in theta."""
    genes, t = fits.theta.shape
    found = np.zeros((genes, t, t))
    if not fits.bounded:
        found[:] = np.eye(t)
        return found
    factors, entries = factors_of(fits.theta, model), entries_of(model)
    for r, (term, u, v) in enumerate(entries):
        for i, (other, a, b) in enumerate(entries):
            if term != other:
                continue
            if u == a:
                found[:, r, i] += factors[term][:, v, b]
            if v == a:
                found[:, r, i] += factors[term][:, u, b]
    return found


def curvature_of(gradient: FloatArray, fits: LinearMixedFits, model: MixedModel) -> FloatArray:
    """Return the sums (G, t, t) of a gradient (G, t) in gamma times the second derivatives of gamma in theta."""
    genes, t = gradient.shape
    found = np.zeros((genes, t, t))
    entries = entries_of(model) if fits.bounded else []
    for r, (term, u, v) in enumerate(entries):
        for i, (one, a, b) in enumerate(entries):
            for j, (two, c, d) in enumerate(entries):
                if term == one == two and b == d:
                    found[:, i, j] += gradient[:, r] * (float(u == a and v == c) + float(u == c and v == a))
    return found


def factors_of(theta: FloatArray, model: MixedModel) -> list[FloatArray]:
    """Return for each term the covariance factors L (G, k, k)."""
    found = [np.zeros((len(theta), term.n_columns, term.n_columns)) for term in model.terms]
    for place, (term, row, column) in enumerate(entries_of(model)):
        found[term][:, row, column] = theta[:, place]
    return found


def is_singular(theta: FloatArray, model: MixedModel) -> BoolArray:
    """Return whether (G,) some covariance matrix of random effects is singular."""
    found = np.zeros(len(theta), dtype=np.bool_)
    known = np.isfinite(theta).all(axis=1)
    for covariance in relative_covariances(theta[known], model):
        found[known] |= np.linalg.eigvalsh(covariance)[:, 0] < SINGULAR
    return found


def nearest_singular(theta: FloatArray, model: MixedModel) -> FloatArray:
    """Return theta (G, t) with eigenvalues of zero in place of those that make covariance matrices singular."""
    out = np.empty_like(theta)
    lower = []
    for covariance in relative_covariances(theta, model):
        values, vectors = np.linalg.eigh(covariance)
        roots = vectors * np.sqrt(np.where(values < SINGULAR, 0.0, values))[:, np.newaxis, :]
        lower.append(_lower_triangle(as_float(roots)))
    for place, (term, row, column) in enumerate(entries_of(model)):
        out[:, place] = lower[term][:, row, column]
    return out


def in_given_columns(theta: FloatArray, model: MixedModel, scales: tuple[FloatArray, ...]) -> FloatArray:
    """Return theta (G, t) of the columns as given, from that of orthogonal ones; these @ `scales` are those given."""
    out = np.full_like(theta, np.nan)
    known = np.isfinite(theta).all(axis=1)
    lower = [
        _lower_triangle(as_float(np.linalg.solve(np.broadcast_to(scale, factor.shape), factor)))
        for factor, scale in zip(factors_of(theta[known], model), scales, strict=True)
    ]
    for place, (term, row, column) in enumerate(entries_of(model)):
        out[known, place] = lower[term][:, row, column]
    return out


def _lower_triangle(roots: FloatArray) -> FloatArray:
    """Return the lower triangles (G, k, k), diagonals at least zero, with the same LL' as some roots (G, k, k)."""
    upper = np.linalg.qr(np.swapaxes(roots, 1, 2), mode="r")
    lower = np.swapaxes(upper, 1, 2)
    diagonal = np.diagonal(lower, axis1=1, axis2=2)
    lower = lower * np.where(diagonal < 0, -1.0, 1.0)[:, np.newaxis, :]
    largest = np.abs(lower).max(axis=(1, 2), keepdims=True)
    return as_float(np.where(np.abs(lower) < ROUNDING * largest, 0.0, lower))
