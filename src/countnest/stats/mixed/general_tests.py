"""Standard errors and degrees of freedom of linear mixed models with any random terms, for contrasts and joint tests.

Sources: Kenward and Roger (1997), doi:10.2307/2533558; Fai and Cornelius (1996), doi:10.1080/00949659608811740;
Kuznetsova, Brockhoff and Christensen (2017), doi:10.18637/jss.v082.i13; Halekoh and Hojsgaard (2014),
doi:10.18637/jss.v059.i09. G genes, n samples, p coefficients, k contrasts, t variance parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.stats.mixed.general import fit_general, normalized
from countnest.stats.mixed.moments import Moments, moments_of
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome, fits_of

__all__ = ["expected_inverse", "general_contrast_tests", "general_joint_tests"]

DegreesOfFreedom = Literal["kenward-roger", "satterthwaite", "residual", "infinite"]

# Genes whose moments are in memory together.
GENES = 512
# Eigenvalues below these are zero: of an information matrix, of a Hessian.
NO_INFORMATION = 1e-10
NO_CURVATURE = 1e-8
# Of the covariance of contrasts, as a part of the largest.
DEPENDENT = float(np.sqrt(np.finfo(np.float64).eps))


def general_contrast_tests(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray = "kenward-roger",
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return estimates, standard errors and degrees of freedom of contrasts (k, p), (G, k) each; NaN without a fit.

    Parameters
    ----------
    df
        "kenward-roger" also adjusts the standard errors; it is defined for the restricted likelihood, for which fits by
        the other one are made again. "residual" is samples less coefficients. An array (G, k), (k,) or (G, 1) is used
        as it is.

    Notes
    -----
    R counterpart: lmerTest::contest1D, pbkrtest::vcovAdj and Lb_ddf, which ignore weights: here the residual covariance
    is the inverse of the weights.
    """
    out = np.full((3, len(y), len(contrasts)), np.nan)
    name = df if isinstance(df, str) else "given"
    for part in _parts(y, model, weights, fits, name):
        pieces = _pieces(part, name)
        out[0, part.genes] = np.einsum("gj,kj->gk", part.fits.coefficients, contrasts)
        out[1, part.genes], out[2, part.genes] = _rows(pieces, contrasts)
        if name == "residual":
            out[2, part.genes] = (_counts(part) - model.matrix.shape[1])[:, np.newaxis]
    if not isinstance(df, str):
        out[2] = np.where(np.isnan(out[1]), np.nan, df)
    return out[0], out[1], out[2]


def general_joint_tests(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray = "kenward-roger",
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return F statistics, degrees of freedom tested and those of the denominator, (G,) each, of contrasts (k, p) = 0.

    Parameters are those of `general_contrast_tests`; an array `df` has shape (G,). Rows that depend on others do not
    count.

    Notes
    -----
    R counterpart: lmerTest::contestMD, and pbkrtest::KRmodcomp, whose scaled statistic this is.
    """
    out = np.full((3, len(y)), np.nan)
    name = df if isinstance(df, str) else "given"
    for part in _parts(y, model, weights, fits, name):
        pieces = _pieces(part, name)
        estimates = np.einsum("gj,kj->gk", part.fits.coefficients, contrasts)
        if name == "satterthwaite":
            out[:, part.genes] = _joint_satterthwaite(pieces, contrasts, estimates)
        else:
            out[:, part.genes] = _joint_kenward_roger(pieces, contrasts, estimates)
        if name == "residual":
            out[2, part.genes] = _counts(part) - model.matrix.shape[1]
    if not isinstance(df, str):
        out[2] = np.where(np.isnan(out[0]), np.nan, df)
    return out[0], out[1], out[2]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some genes that have a fit, by their indices among all."""

    genes: IntArray
    y: FloatArray
    model: MixedModel
    weights: FloatArray | None
    fits: LinearMixedFits


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """What degrees of freedom follow from.

    Attributes
    ----------
    adjusted
        (G, p, p) adjustment of the whitened covariance, an identity matrix before.
    derivatives
        (G, s, p, p) derivatives of the whitened covariance in parameters of the variance.
    inverse
        (G, s, s) covariance of these parameters; None: they are known.
    """

    moments: Moments
    sigma: FloatArray
    adjusted: FloatArray
    derivatives: FloatArray
    inverse: FloatArray | None


def _parts(y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits, df: str) -> list[_Part]:
    """Return the genes with a fit, in parts that fit the memory; by the restricted likelihood where that is needed."""
    own = None if weights is None else normalized(weights)
    if df == "kenward-roger" and not fits.reml:
        fits = fit_general(y, model, weights)
    fitted = np.flatnonzero(fits.outcome < Outcome.CONSTANT)
    parts = []
    for first in range(0, len(fitted), GENES):
        genes = fitted[first : first + GENES]
        some = own if own is None or len(own) == 1 else own[genes]
        parts.append(_Part(genes, y[genes], model, some, fits_of(fits, genes)))
    return parts


def _counts(part: _Part) -> FloatArray:
    """Return the number of samples (G,) or (1,) with weight."""
    n = part.model.matrix.shape[0]
    return np.array([float(n)]) if part.weights is None else as_float((part.weights > 0).sum(axis=1))


def _pieces(part: _Part, df: str) -> _Pieces:
    roger = df == "kenward-roger"
    moments = moments_of(
        part.y, part.model, part.weights, part.fits, restricted=roger or part.fits.reml, products=roger
    )
    genes, _, p, _ = moments.fixed.shape
    unit = np.broadcast_to(np.eye(p), (genes, p, p))
    if roger:
        inverse = expected_inverse(moments)
        derivatives = np.concatenate([unit[:, np.newaxis], moments.fixed], axis=1)
        return _Pieces(moments, part.fits.sigma, _adjusted(moments, inverse), derivatives, inverse)
    if df == "satterthwaite":
        return _Pieces(moments, part.fits.sigma, unit, *_observed(moments, part.fits.sigma))
    return _Pieces(moments, part.fits.sigma, unit, moments.fixed, None)


def expected_inverse(moments: Moments) -> FloatArray:
    """Return twice the inverse (G, t + 1, t + 1) of the expected information, the residual variance first.

    The basis of covariances is V and its derivatives, in which nothing beyond `moments` is needed.
    """
    genes, t = moments.trace.shape
    information = np.zeros((genes, t + 1, t + 1))
    information[:, 0, 0] = moments.df
    information[:, 0, 1:] = information[:, 1:, 0] = moments.trace
    information[:, 1:, 1:] = moments.information
    return 2.0 * _inverse(information, NO_INFORMATION)


def _inverse(matrices: FloatArray, least: float) -> FloatArray:
    """Return the inverses (G, s, s) on the eigenspaces of eigenvalues above `least`."""
    values, vectors = np.linalg.eigh(matrices)
    with np.errstate(divide="ignore"):
        inverse = np.where(values > least, 1.0 / values, 0.0)
    return as_float((vectors * inverse[:, np.newaxis, :]) @ np.swapaxes(vectors, 1, 2))


def _adjusted(moments: Moments, inverse: FloatArray) -> FloatArray:
    """Return the whitened covariance (G, p, p) of the coefficients, adjusted for estimated variances."""
    genes, t, p, _ = moments.fixed.shape
    bracket = np.zeros((genes, p, p))
    for r in range(t):
        for s in range(r, t):
            weight = inverse[:, r + 1, s + 1] * (1.0 if r == s else 2.0)
            change = moments.products[:, r, s] - moments.fixed[:, r] @ moments.fixed[:, s]
            bracket += weight[:, np.newaxis, np.newaxis] * change
    return as_float(np.eye(p) + bracket + np.swapaxes(bracket, 1, 2))


def _observed(moments: Moments, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return derivatives of the whitened relative covariance in theta and log sigma, and the covariance of these."""
    genes, t, p, _ = moments.fixed.shape
    hessian = np.zeros((genes, t + 1, t + 1))
    hessian[:, :t, :t] = moments.hessian
    hessian[:, t, :t] = hessian[:, :t, t] = -2.0 * moments.slope / sigma[:, np.newaxis] ** 2
    hessian[:, t, t] = 4.0 * moments.df
    derivatives = np.zeros((genes, t + 1, p, p))
    derivatives[:, :t] = np.einsum("gri,grjk->gijk", moments.jacobian, moments.fixed)
    derivatives[:, t] = 2.0 * np.eye(p)
    return derivatives, 2.0 * _inverse(hessian, NO_CURVATURE)


def _forms(pieces: _Pieces, rows: FloatArray) -> FloatArray:
    """Return the derivatives (G, k, s) of the variances of whitened contrasts (G, k, p)."""
    found = [np.einsum("gkj,gkj->gk", rows @ each, rows) for each in np.moveaxis(pieces.derivatives, 1, 0)]
    return as_float(np.stack(found, axis=2))


def _row_df(variance: FloatArray, forms: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return degrees of freedom (G, k) of variances (G, k), their derivatives (G, k, s) and covariances (G, s, s)."""
    spread = np.einsum("gks,gks->gk", forms @ inverse, forms)
    with np.errstate(divide="ignore", invalid="ignore"):
        return as_float(2.0 * variance**2 / spread)


def _rows(pieces: _Pieces, contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return standard errors and degrees of freedom (G, k)."""
    rows = pieces.moments.whitened(contrasts)
    variance = np.einsum("gkj,gkj->gk", rows, rows)
    adjusted = np.einsum("gkj,gkj->gk", rows @ pieces.adjusted, rows)
    se = as_float(np.sqrt(np.maximum(adjusted, 0.0)) * pieces.sigma[:, np.newaxis])
    if pieces.inverse is None:
        return se, np.full_like(se, np.inf)
    return se, _row_df(variance, _forms(pieces, rows), pieces.inverse)


def _joint_satterthwaite(pieces: _Pieces, contrasts: FloatArray, estimates: FloatArray) -> FloatArray:
    """Return statistic, degrees of freedom and those of the denominator, (3, G)."""
    rows = pieces.moments.whitened(contrasts)
    values, vectors = np.linalg.eigh(rows @ np.swapaxes(rows, 1, 2))
    counted = values > DEPENDENT * values[:, -1:]
    n_counted = counted.sum(axis=1)
    turned = np.swapaxes(vectors, 1, 2) @ rows
    assert pieces.inverse is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        t_squared = np.einsum("gkm,gk->gm", vectors, estimates) ** 2 / values / pieces.sigma[:, np.newaxis] ** 2
        single = _row_df(values, _forms(pieces, turned), pieces.inverse)
        statistic = np.where(counted, t_squared, 0.0).sum(axis=1) / n_counted
        total = np.where(counted, single / (single - 2.0), 0.0).sum(axis=1)
        found = 2.0 * total / (total - n_counted)
    least = np.where(counted, single, np.inf).min(axis=1)
    most = np.where(counted, single, -np.inf).max(axis=1)
    mean = np.where(counted, single, 0.0).sum(axis=1) / n_counted
    found = np.where(least <= 2.0, 2.0, found)
    found = np.where(most - least < 1e-8, mean, found)
    return np.stack([statistic, n_counted.astype(np.float64), found])


def _joint_kenward_roger(pieces: _Pieces, contrasts: FloatArray, estimates: FloatArray) -> FloatArray:
    """Return statistic, degrees of freedom and those of the denominator, (3, G); infinite for known variances."""
    kept = _independent(contrasts)
    contrasts, estimates = contrasts[kept], estimates[:, kept]
    q = len(contrasts)
    rows = pieces.moments.whitened(contrasts)
    lower = np.linalg.cholesky(rows @ np.swapaxes(rows, 1, 2))
    rows = np.linalg.solve(lower, rows)
    scores = np.linalg.solve(lower, estimates[:, :, np.newaxis])[:, :, 0] / pieces.sigma[:, np.newaxis]
    covariance = rows @ pieces.adjusted @ np.swapaxes(rows, 1, 2)
    solved = np.linalg.solve(covariance, scores[:, :, np.newaxis])[:, :, 0]
    statistic = np.einsum("gk,gk->g", scores, solved) / q
    if pieces.inverse is None:
        return np.stack([statistic, np.full(len(statistic), float(q)), np.full(len(statistic), np.inf)])
    inner = rows[:, np.newaxis] @ pieces.derivatives @ np.swapaxes(rows, 1, 2)[:, np.newaxis]
    trace = np.trace(inner, axis1=2, axis2=3)
    first = np.einsum("gr,grs,gs->g", trace, pieces.inverse, trace)
    flat = inner.reshape(*trace.shape, -1)
    second = np.einsum("grs,grj,gsj->g", pieces.inverse, flat, flat)
    scale, found = _scaled(first, second, q)
    return np.stack([scale * statistic, np.full(len(statistic), float(q)), found])


def _independent(contrasts: FloatArray) -> list[int]:
    """Return the rows that do not depend on earlier ones."""
    kept: list[int] = []
    for row in range(len(contrasts)):
        if np.linalg.matrix_rank(contrasts[[*kept, row]]) > len(kept):
            kept.append(row)
    return kept


def _scaled(first: FloatArray, second: FloatArray, q: int) -> tuple[FloatArray, FloatArray]:
    """Return scale of the statistic and degrees of freedom (G,) from A1, A2 of Kenward and Roger; q rows."""
    if q == 1:
        return np.ones_like(first), 2.0 / second
    b = (first + 6.0 * second) / (2.0 * q)
    g = ((q + 1) * first - (q + 4) * second) / ((q + 2) * second)
    total = 3.0 * q + 2.0 * (1.0 - g)
    v0 = 1.0 + g / total * b
    v0 = np.where(np.abs(v0) < NO_INFORMATION, 0.0, v0)
    v1 = 1.0 - (q - g) / total * b
    v2 = 1.0 - (q + 2.0 - g) / total * b
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (1.0 - second / q) / v1
        ratio = np.where(np.isnan(ratio), 1.0, ratio)
        rho = ratio**2 * v0 / v2 / q
        df = 4.0 + (q + 2.0) / (q * rho - 1.0)
        scale = np.where(np.abs(df - 2.0) < 0.01, 1.0, df * (1.0 - second / q) / (df - 2.0))
    return as_float(scale), as_float(df)
