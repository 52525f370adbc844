"""Tests of fixed coefficients of linear mixed models. G genes, n samples, p coefficients, k contrasts.

Sources: see `kenward_roger` and `satterthwaite`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import ContrastError, OptionError
from countnest.stats.mixed import kenward_roger, satterthwaite
from countnest.stats.mixed.covariances import curvature_of, gamma_of, jacobian_of
from countnest.stats.mixed.general_parts import general_parts
from countnest.stats.mixed.level_parts import parts_of
from countnest.stats.mixed.levels import levels_model
from countnest.stats.mixed.linear import checked, fit_linear
from countnest.stats.mixed.parts import Parts, independent, square
from countnest.stats.mixed.records import JointMixedTests, LinearMixedFits, MixedModel, MixedTests
from countnest.stats.mixed.scales import standardized
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["DegreesOfFreedom", "contrast_tests", "df_left", "joint_tests", "parts_at", "residual_df"]

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
    model, fits = standardized(model, _suited(y, model, weights, fits, df))
    contrasts = _prepared(model, contrasts, df)
    parts = parts_at(y, model, weights, fits, contrasts)
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
    return MixedTests(estimates, se, as_float(found), statistic)


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
    model, fits = standardized(model, _suited(y, model, weights, fits, df))
    contrasts = _prepared(model, contrasts, df)
    rows = contrasts if isinstance(df, str) and df == "satterthwaite" else independent(contrasts)
    parts = parts_at(y, model, weights, fits, rows, joint=True)
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
    model, fits = standardized(model, fits)
    parts = parts_at(y, model, weights, fits, np.eye(model.matrix.shape[1])[:1])
    ratios = gamma_of(fits, model)
    left = (ratios * parts.traces).sum(axis=1)
    return as_float(df_left(parts, model) - 2.0 * left + np.einsum("gk,gkj,gj->g", ratios, parts.products, ratios))


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


def _prepared(model: MixedModel, contrasts: FloatArray, df: DegreesOfFreedom | FloatArray) -> FloatArray:
    """Return contrasts (k, p); see `contrast_tests` for the errors."""
    if isinstance(df, str) and df not in RULES:
        raise OptionError(f"df={df!r} is not known: give one of {', '.join(map(repr, RULES))}, or numbers.")
    contrasts = np.atleast_2d(as_float(contrasts))
    if contrasts.shape[1] != model.matrix.shape[1]:
        raise ContrastError(
            f"Contrasts of {contrasts.shape[1]} coefficients do not fit a model of {model.matrix.shape[1]}."
        )
    return contrasts


def parts_at(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    *,
    joint: bool = False,
) -> Parts:
    """Return the parts of tests of contrasts (k, p) at the fits of any model; see `parts.parts_of`."""
    y, scaled = checked(y, model, weights)
    levels = levels_model(model, weighted=scaled is not None)
    if levels is None:
        return general_parts(y, model, scaled, fits, contrasts, joint=joint)
    return parts_of(y, levels, scaled, fits, contrasts, joint=joint)


def df_left(parts: Parts, model: MixedModel) -> FloatArray:
    """Return the samples with a weight minus coefficients (G,)."""
    return parts.samples - float(model.matrix.shape[1])


def _inverse(parts: Parts, model: MixedModel) -> FloatArray:
    return kenward_roger.information_inverse(parts.products, parts.traces, df_left(parts, model))


def _given_df(df: str | FloatArray, parts: Parts, model: MixedModel) -> FloatArray:
    """Return degrees of freedom (G, 1), or numbers as they are given."""
    if not isinstance(df, str):
        return as_float(df)
    left = df_left(parts, model)
    return (np.full_like(left, np.inf) if df == "infinite" else left)[:, np.newaxis]


def _gradient(
    parts: Parts, fits: LinearMixedFits, model: MixedModel, covariance: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradient of variances (G, t + 1, ...), and the covariance (G, t + 1, t + 1) of the parameters.

    The parameters are theta, or the ratios where variances are free, and log sigma; variances are those were sigma 1.
    """
    genes, t = fits.theta.shape
    traces, products = (parts.traces, parts.products) if fits.reml else (parts.plain_traces, parts.plain_products)
    df = df_left(parts, model) if fits.reml else parts.samples
    nu = df[:, np.newaxis, np.newaxis]
    jacobian = jacobian_of(fits, model)
    in_ratios = 2.0 * nu * parts.cross_squares - products
    hessian = np.empty((genes, t + 1, t + 1))
    hessian[:, :t, :t] = np.einsum("gri,grs,gsj->gij", jacobian, in_ratios, jacobian)
    hessian[:, :t, :t] += curvature_of(traces - nu[:, :, 0] * parts.squares, fits, model)
    hessian[:, :t, t] = 2.0 * nu[:, :, 0] * np.einsum("gri,gr->gi", jacobian, parts.squares)
    hessian[:, t, :t] = hessian[:, :t, t]
    hessian[:, t, t] = 4.0 * df
    turned = np.einsum("gri,gr...->gi...", jacobian, slopes)
    gradient = np.concatenate([turned, 2.0 * covariance[:, np.newaxis]], axis=1)
    return gradient, satterthwaite.parameter_covariance(hessian)


def _wald(estimates: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return F statistics (G,) of estimates (G, k) with their covariance (G, k, k); NaN where a value is missing."""
    known = np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(estimates).all(axis=1)
    found = np.full(len(estimates), np.nan)
    solved = np.linalg.solve(covariance[known], estimates[known][:, :, np.newaxis])[:, :, 0]
    found[known] = (estimates[known] * solved).sum(axis=1) / estimates.shape[1]
    return found
