"""Tests of fixed coefficients of linear mixed models. G genes, n samples, p coefficients, k contrasts.

Sources: see `kenward_roger` and `satterthwaite`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import ContrastError, OptionError
from countnest.stats.mixed import kenward_roger, satterthwaite
from countnest.stats.mixed.levels import LevelsModel, levels_model
from countnest.stats.mixed.linear import checked, fit_linear
from countnest.stats.mixed.parts import Parts, parts_of, ratios_of, square
from countnest.stats.mixed.records import JointMixedTests, LinearMixedFits, MixedModel, MixedTests
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["DegreesOfFreedom", "contrast_tests", "joint_tests", "residual_df"]

DegreesOfFreedom = Literal["kenward-roger", "satterthwaite", "residual", "infinite"]
RULES = ("kenward-roger", "satterthwaite", "residual", "infinite")


def contrast_tests(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray = "kenward-roger",
) -> MixedTests:
    """Return t tests of contrasts (k, p) of the coefficients, each by itself.

    Parameters
    ----------
    y, model, weights
        What `fits` were fitted to.
    df
        How many degrees of freedom: "kenward-roger", which adjusts standard errors too; "satterthwaite"; "residual",
        samples minus coefficients; "infinite"; or numbers that broadcast to (G, k).

    Raises
    ------
    ContrastError
        If contrasts do not have p columns.
    OptionError
        If `df` is none of these.

    Notes
    -----
    Kenward and Roger's method is one for REML: fits by the other likelihood are made again for it.

    R counterpart: lmerTest::contest1D, with ddf = "Kenward-Roger" or "Satterthwaite".
    """
    fits = _suited(y, model, weights, fits, df)
    y, scaled, contrasts, levels = _prepared(y, model, weights, contrasts, df)
    parts = parts_of(y, levels, scaled, fits, contrasts)
    covariance = parts.covariance
    if isinstance(df, str) and df == "kenward-roger":
        inverse = _inverse(parts, model)
        found = kenward_roger.row_df(covariance, parts.slopes, inverse)
        covariance = kenward_roger.adjusted(covariance, parts.bends, inverse)
    elif isinstance(df, str) and df == "satterthwaite":
        found = satterthwaite.row_df(covariance, *_gradient(parts, fits, model, covariance, parts.slopes))
    else:
        found = np.broadcast_to(_given_df(df, parts, model), covariance.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        se = fits.sigma[:, np.newaxis] * np.sqrt(covariance)
        estimates = as_float(np.einsum("gp,kp->gk", fits.coefficients, contrasts))
        statistic = estimates / se
    return MixedTests(estimates, se, as_float(found), statistic, log_f_tail(statistic**2, 1.0, found))


def joint_tests(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray = "kenward-roger",
) -> JointMixedTests:
    """Return F tests of all contrasts (k, p) at once; arguments are those of `contrast_tests`.

    Contrasts may depend on each other: as many degrees of freedom are tested as are independent. Numbers in `df`
    broadcast to (G,).

    Notes
    -----
    R counterpart: lmerTest::contestMD; pbkrtest::KRmodcomp, whose scaled F this is by Kenward and Roger's method.
    """
    fits = _suited(y, model, weights, fits, df)
    y, scaled, contrasts, levels = _prepared(y, model, weights, contrasts, df)
    rows = contrasts if isinstance(df, str) and df == "satterthwaite" else independent(contrasts)
    parts = parts_of(y, levels, scaled, fits, rows, joint=True)
    covariance, slopes = square(parts.covariance), square(parts.slopes)
    estimates = as_float(np.einsum("gp,kp->gk", fits.coefficients, rows)) / fits.sigma[:, np.newaxis]
    number = np.where(np.isfinite(fits.sigma), float(len(rows)), np.nan)
    if isinstance(df, str) and df == "satterthwaite":
        statistic, number, found = satterthwaite.joint(
            estimates, covariance, *_gradient(parts, fits, model, covariance, slopes)
        )
    elif isinstance(df, str) and df == "kenward-roger":
        inverse = _inverse(parts, model)
        whole = square(kenward_roger.adjusted(parts.covariance, parts.bends, inverse))
        statistic, found = kenward_roger.joint(estimates, covariance, whole, slopes, inverse)
    else:
        found = np.broadcast_to(_given_df(df, parts, model).reshape(-1), number.shape)
        statistic = _wald(estimates, covariance)
    return JointMixedTests(statistic, number, as_float(found), log_f_tail(statistic, number, found))


def residual_df(y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits) -> FloatArray:
    """Return the degrees of freedom (G,) of the residuals about fixed and predicted random effects, n - 2 tr H + tr HH.

    H is the matrix that makes fitted values of responses.
    """
    y, scaled, row, levels = _prepared(y, model, weights, np.eye(model.matrix.shape[1])[:1], "residual")
    parts = parts_of(y, levels, scaled, fits, row)
    ratios = ratios_of(fits)
    left = (ratios * parts.traces).sum(axis=1)
    return as_float(_df_left(parts, model) - 2.0 * left + np.einsum("gk,gkj,gj->g", ratios, parts.products, ratios))


def independent(contrasts: FloatArray) -> FloatArray:
    """Return orthonormal rows (rank, p) that span those of contrasts (k, p)."""
    _, values, rows = np.linalg.svd(contrasts, full_matrices=False)
    rank = int((values > len(rows) * np.finfo(np.float64).eps * values.max(initial=0.0)).sum())
    if rank == 0:
        raise ContrastError("All contrasts are zero: a joint test needs one that is not.")
    return contrasts if rank == len(contrasts) else as_float(rows[:rank])


def _suited(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    df: DegreesOfFreedom | FloatArray,
) -> LinearMixedFits:
    """Return fits by REML where the rule asks for them."""
    if not isinstance(df, str) or df != "kenward-roger" or fits.reml:
        return fits
    return fit_linear(y, model, weights, bounded=fits.bounded)


def _prepared(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray,
) -> tuple[FloatArray, FloatArray | None, FloatArray, LevelsModel]:
    """Return responses, weights, contrasts and levels; see `contrast_tests` for the errors."""
    if isinstance(df, str) and df not in RULES:
        raise OptionError(f"df={df!r} is not known: give one of {', '.join(map(repr, RULES))}, or numbers.")
    y, scaled = checked(y, model, weights)
    contrasts = np.atleast_2d(as_float(contrasts))
    if contrasts.shape[1] != model.matrix.shape[1]:
        raise ContrastError(
            f"Contrasts of {contrasts.shape[1]} coefficients do not fit a model of {model.matrix.shape[1]}."
        )
    levels = levels_model(model, weighted=scaled is not None)
    if levels is None:
        raise OptionError("This model takes the general method.")
    return y, scaled, contrasts, levels


def _df_left(parts: Parts, model: MixedModel) -> FloatArray:
    return parts.samples - float(model.matrix.shape[1])


def _inverse(parts: Parts, model: MixedModel) -> FloatArray:
    return kenward_roger.information_inverse(parts.products, parts.traces, _df_left(parts, model))


def _given_df(df: str | FloatArray, parts: Parts, model: MixedModel) -> FloatArray:
    """Return degrees of freedom (G, 1), or numbers as they are given."""
    if not isinstance(df, str):
        return as_float(df)
    left = _df_left(parts, model)
    return (np.full_like(left, np.inf) if df == "infinite" else left)[:, np.newaxis]


def _gradient(
    parts: Parts, fits: LinearMixedFits, model: MixedModel, covariance: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradient of variances (G, t + 1, ...), and the covariance (G, t + 1, t + 1) of the parameters.

    The parameters are theta, or the ratios where variances are free, and log sigma; variances are those were sigma 1.
    """
    genes, terms = fits.theta.shape
    traces, products = (parts.traces, parts.products) if fits.reml else (parts.plain_traces, parts.plain_products)
    df = _df_left(parts, model) if fits.reml else parts.samples
    nu = df[:, np.newaxis, np.newaxis]
    in_ratios = 2.0 * nu * parts.cross_squares - products
    scale = 2.0 * fits.theta if fits.bounded else np.ones((genes, terms))
    hessian = np.empty((genes, terms + 1, terms + 1))
    hessian[:, :terms, :terms] = scale[:, :, np.newaxis] * scale[:, np.newaxis, :] * in_ratios
    if fits.bounded:
        places = np.arange(terms)
        hessian[:, places, places] += 2.0 * (traces - nu[:, :, 0] * parts.squares)
    hessian[:, :terms, terms] = 2.0 * nu[:, :, 0] * scale * parts.squares
    hessian[:, terms, :terms] = hessian[:, :terms, terms]
    hessian[:, terms, terms] = 4.0 * df
    shape = (genes, terms) + (1,) * (slopes.ndim - 2)
    gradient = np.concatenate([scale.reshape(shape) * slopes, 2.0 * covariance[:, np.newaxis]], axis=1)
    return gradient, satterthwaite.parameter_covariance(hessian)


def _wald(estimates: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return F statistics (G,) of estimates (G, k) with their covariance (G, k, k); NaN where a value is missing."""
    known = np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(estimates).all(axis=1)
    found = np.full(len(estimates), np.nan)
    solved = np.linalg.solve(covariance[known], estimates[known][:, :, np.newaxis])[:, :, 0]
    found[known] = (estimates[known] * solved).sum(axis=1) / estimates.shape[1]
    return found
