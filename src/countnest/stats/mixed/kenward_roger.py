"""Kenward and Roger's adjusted covariance and degrees of freedom. G genes, m kernels of random effects, k rows.

The covariance of the responses is linear in its parameters, and what follows does not depend on which basis of it is
taken: here the kernels K_1 .. K_m and, last, the covariance V itself, beside which the residual variance needs no
terms of its own.

Source: Kenward and Roger (1997), doi:10.2307/2533558. R counterpart: pbkrtest::vcovAdj, Lb_ddf, KRmodcomp; without
weights, for which those do not hold.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["adjusted", "information_inverse", "joint", "row_df"]

# Relative to the largest eigenvalue of the information, scaled to a unit diagonal: a direction without information.
FLAT = 1e-10
# As in pbkrtest: a correction below this counts as zero, and denominators this near to 2 are not scaled.
NO_CORRECTION, NEAR_TWO = 1e-10, 0.01


def information_inverse(products: FloatArray, traces: FloatArray, df: FloatArray) -> FloatArray:
    """Return the inverse (G, m + 1, m + 1) of twice the expected information about the parameters.

    Parameters
    ----------
    products, traces
        (G, m, m) tr P K_k P K_j and (G, m) tr P K_k, were sigma 1.
    df
        (G,) samples minus coefficients.
    """
    m = traces.shape[1]
    information = np.empty((len(traces), m + 1, m + 1))
    information[:, :m, :m] = products
    information[:, :m, m] = traces
    information[:, m, :m] = traces
    information[:, m, m] = df
    known = np.asarray(np.isfinite(information).all(axis=(1, 2)))
    information = np.where(known[:, np.newaxis, np.newaxis], information, np.eye(m + 1))
    diagonal = np.einsum("gii->gi", information)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scales = scale[:, :, np.newaxis] * scale[:, np.newaxis, :]
    values, vectors = np.linalg.eigh(information * scales)
    inverse = np.where(values > FLAT, 1.0 / np.where(values > FLAT, values, 1.0), 0.0)
    found = np.einsum("gim,gm,gjm->gij", vectors, inverse, vectors) * scales
    return as_float(np.where(known[:, np.newaxis, np.newaxis], found, np.nan))


def adjusted(covariance: FloatArray, bends: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return adjusted covariances (G, c) of pairs of rows, were sigma 1.

    Parameters
    ----------
    covariance
        (G, c) a_i' S a_j, with a = S^-1 l of row l and S = X'V^-1 X.
    bends
        (G, m, m, c) a_i' X'V^-1 K_k P K_j V^-1 X a_j.
    inverse
        (G, m + 1, m + 1) from `information_inverse`.
    """
    m = bends.shape[1]
    return as_float(covariance + 4.0 * np.einsum("gkj,gkjc->gc", inverse[:, :m, :m], bends))


def row_df(covariance: FloatArray, slopes: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return the degrees of freedom (G, k) of single rows.

    Parameters
    ----------
    covariance
        (G, k) l'S^-1 l, not adjusted.
    slopes
        (G, m, k) a'X'V^-1 K_k V^-1 X a.
    inverse
        (G, m + 1, m + 1) from `information_inverse`.

    Notes
    -----
    This is what the formulas of several rows come to. pbkrtest takes the long way, which is 0 / 0 at two degrees of
    freedom and inaccurate near them.
    """
    gradient = np.concatenate([slopes, covariance[:, np.newaxis]], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return as_float(covariance**2 / np.einsum("gik,gij,gjk->gk", gradient, inverse, gradient))


def joint(
    estimates: FloatArray, covariance: FloatArray, adjusted: FloatArray, slopes: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return scaled F statistics and the degrees of freedom of the denominator, (G,) each, of k independent rows.

    Parameters
    ----------
    estimates
        (G, k) over sigma.
    covariance, adjusted
        (G, k, k) of the estimates, were sigma 1.
    slopes
        (G, m, k, k) of the covariance in the ratios; see `row_df`.
    inverse
        (G, m + 1, m + 1) from `information_inverse`.
    """
    k = estimates.shape[1]
    if k == 1:
        df = row_df(covariance[:, 0], slopes[:, :, 0], inverse)[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            return as_float(estimates[:, 0] ** 2 / adjusted[:, 0, 0]), df
    known = np.asarray(np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(estimates).all(axis=1))
    fill = np.where(known[:, np.newaxis, np.newaxis], 0.0, np.eye(k))
    safe = np.where(known[:, np.newaxis, np.newaxis], covariance, fill)
    gradient = np.concatenate([np.nan_to_num(slopes), safe[:, np.newaxis]], axis=1)
    parts = np.linalg.solve(safe[:, np.newaxis], gradient)
    traces = np.einsum("gikk->gi", parts)
    weight = 2.0 * np.nan_to_num(inverse)
    one = np.einsum("gij,gi,gj->g", weight, traces, traces)
    two = np.einsum("gij,gikl,gjlk->g", weight, parts, parts)
    scale, df = _scale_and_df(one, two, float(k))
    whole = np.where(known[:, np.newaxis, np.newaxis], adjusted, fill)
    values = np.where(known[:, np.newaxis], estimates, 0.0)
    solved = np.linalg.solve(whole, values[:, :, np.newaxis])[:, :, 0]
    statistic = scale * (values * solved).sum(axis=1) / k
    return as_float(np.where(known, statistic, np.nan)), as_float(np.where(known, df, np.nan))


def _scale_and_df(one: FloatArray, two: FloatArray, q: float) -> tuple[FloatArray, FloatArray]:
    """Return the scale of F and the degrees of freedom (G,) from the two sums of traces, A1 and A2."""
    with np.errstate(invalid="ignore", divide="ignore"):
        b = (one + 6.0 * two) / (2.0 * q)
        g = ((q + 1.0) * one - (q + 4.0) * two) / ((q + 2.0) * two)
        t = 3.0 * q + 2.0 * (1.0 - g)
        zero = 1.0 + g / t * b
        zero = np.where(np.abs(zero) < NO_CORRECTION, 0.0, zero)
        first, second = 1.0 - (q - g) / t * b, 1.0 - (q + 2.0 - g) / t * b
        top = 1.0 - two / q
        ratio = np.where((top == 0.0) & (first == 0.0), 1.0, top / first)
        rho = ratio**2 * zero / (q * second)
        df = 4.0 + (q + 2.0) / (q * rho - 1.0)
        scale = np.where(np.abs(df - 2.0) < NEAR_TWO, 1.0, df * top / (df - 2.0))
    return as_float(scale), as_float(df)
