"""Satterthwaite's degrees of freedom. G genes, h parameters of the covariance, k rows.

Sources: Satterthwaite (1946), doi:10.2307/3002019; joint tests: Fai and Cornelius (1996),
doi:10.1080/00949659608811740.
R counterpart: lmerTest::contest.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["joint", "parameter_covariance", "row_df"]

# Directions in which the likelihood bends less than this are left out.
FLAT = 1e-8
# A variance below this fraction of the largest counts as zero: the rows of a joint test are dependent.
DEPENDENT = float(np.sqrt(np.finfo(np.float64).eps))
# Degrees of freedom that differ by less are equal.
EQUAL = 1e-8
# Variances of rows that differ by more than this factor, because of units, are made equal first.
GRADED = 1e6


def parameter_covariance(hessian: FloatArray) -> FloatArray:
    """Return the covariance (G, h, h) of parameters from the Hessian of minus twice the log-likelihood.

    Directions in which the Hessian is not positive do not count.
    """
    known = np.asarray(np.isfinite(hessian).all(axis=(1, 2)))
    values, vectors = np.linalg.eigh(np.where(known[:, np.newaxis, np.newaxis], hessian, np.eye(hessian.shape[1])))
    inverse = np.where(values > FLAT, 2.0 / np.where(values > FLAT, values, 1.0), 0.0)
    found = np.einsum("gim,gm,gjm->gij", vectors, inverse, vectors)
    return as_float(np.where(known[:, np.newaxis, np.newaxis], found, np.nan))


def row_df(variance: FloatArray, gradient: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the degrees of freedom (G, k) of variances (G, k) with gradients (G, h, k) in the parameters.

    `covariance` (G, h, h) is that of the parameters.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return as_float(2.0 * variance**2 / np.einsum("gik,gij,gjk->gk", gradient, covariance, gradient))


def joint(
    estimates: FloatArray, variance: FloatArray, gradient: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return F statistics, and the degrees of freedom tested and of the denominator, (G,) each.

    Parameters
    ----------
    estimates, variance, gradient
        (G, k) of the rows, their covariance (G, k, k), and its gradient (G, h, k, k).
    covariance
        (G, h, h) of the parameters.
    """
    known = np.asarray(np.isfinite(variance).all(axis=(1, 2)) & np.isfinite(estimates).all(axis=1))
    scale = _row_scales(np.where(known[:, np.newaxis], np.diagonal(variance, axis1=1, axis2=2), 1.0))
    scales = scale[:, :, np.newaxis] * scale[:, np.newaxis, :]
    estimates, variance, gradient = estimates * scale, variance * scales, gradient * scales[:, np.newaxis]
    values, vectors = np.linalg.eigh(np.where(known[:, np.newaxis, np.newaxis], variance, np.eye(variance.shape[1])))
    kept = values > DEPENDENT * values[:, -1:]
    turned = np.einsum("gkm,gk->gm", vectors, np.where(known[:, np.newaxis], estimates, 0.0))
    slopes = np.einsum("gkm,ghkj,gjm->ghm", vectors, np.nan_to_num(gradient), vectors)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(kept, turned**2 / values, 0.0)
        number = kept.sum(axis=1).astype(np.float64)
        statistic = each.sum(axis=1) / number
        df = _common_df(row_df(values, slopes, np.nan_to_num(covariance)), kept)
    return tuple(np.where(known, found, np.nan) for found in (statistic, number, df))  # type: ignore[return-value]


def _row_scales(variances: FloatArray) -> FloatArray:
    """Return factors (G, k) for rows with variances (G, k): 1 unless these differ widely."""
    smallest = np.where(variances > 0, variances, np.inf).min(axis=1, keepdims=True)
    graded = variances.max(axis=1, keepdims=True) > GRADED * smallest
    return as_float(np.where(graded & (variances > 0), 1.0 / np.sqrt(np.where(variances > 0, variances, 1.0)), 1.0))


def _common_df(df: FloatArray, kept: np.typing.NDArray[np.bool_]) -> FloatArray:
    """Return the denominator degrees of freedom (G,) from those of independent rows (G, k)."""
    number = kept.sum(axis=1)
    smallest = np.where(kept, df, np.inf).min(axis=1)
    largest = np.where(kept, df, -np.inf).max(axis=1)
    expected = np.where(kept, df / (df - 2.0), 0.0).sum(axis=1)
    found = np.where(smallest <= 2.0, 2.0, 2.0 * expected / (expected - number))
    mean = np.where(kept, df, 0.0).sum(axis=1) / number
    return as_float(np.where(largest - smallest < EQUAL, mean, found))
