"""Whether columns that a design lacks matter: their share of the residual variance of all genes together.

Source of the test by rotations: Langsrud (2005), doi:10.1007/s11222-005-4789-5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["LeftOut", "left_out", "towards_prediction"]

# A column of which less than this part is orthogonal to the design is in the design already.
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What columns that a design lacks explain of the residual variance, the mean over genes.

    Attributes
    ----------
    share
        The part of the residual sum of squares that they explain.
    expected
        The part that as many random columns explain: df / residual_df.
    most
        The part that the best possible columns, as many, would explain.
    p_value
        The part of the rotations of the residuals in which they explain as much.
    df, residual_df
        How many columns they are, without those of the design, and the degrees of freedom that the design leaves.
    """

    share: float
    expected: float
    most: float
    p_value: float
    df: int
    residual_df: int


def left_out(
    residuals: FloatArray, design: FloatArray, columns: FloatArray, rng: np.random.Generator, rotations: int = 999
) -> LeftOut:
    """Return what columns explain of residuals, and how often random columns explain as much.

    Every gene counts alike, whatever its variance. The samples of all genes are rotated together within the residual
    space, so that genes may be correlated; the test is exact for independent normal samples of equal variance.

    Parameters
    ----------
    residuals
        (m, n) of m genes, about the design; genes without any residual are left out.
    design
        (n, p) the design, of full column rank.
    columns
        (n, k) columns to ask about.
    rng
        Source of the rotations.
    rotations
        How many.
    """
    n, p = design.shape
    basis = np.linalg.qr(design, mode="complete")[0][:, p:]  # of the residual space, (n, d)
    inside = residuals @ basis
    size = (inside**2).sum(axis=1)
    inside = inside[size > 0] / np.sqrt(size[size > 0])[:, np.newaxis]
    covariance = inside.T @ inside / max(len(inside), 1)
    directions = _basis(basis.T @ _scaled(columns))
    df, d = directions.shape[1], n - p
    share = float(np.einsum("dk,de,ek->", directions, covariance, directions))
    random = np.linalg.qr(rng.standard_normal((rotations, d, df)))[0] if df else np.empty((rotations, d, 0))
    found = np.einsum("rdk,rdk->r", random, np.einsum("de,rek->rdk", covariance, random, optimize=True))
    most = float(np.linalg.eigvalsh(covariance)[::-1][:df].sum())
    p_value = (1.0 + float((found >= share * (1.0 - 1e-9)).sum())) / (rotations + 1.0)
    return LeftOut(share, df / d if d else 0.0, most, p_value, df, d)


def towards_prediction(residuals: FloatArray, design: FloatArray, columns: FloatArray) -> FloatArray:
    """Return residuals (m, n) with a sign: positive where they lie on the side that the other samples predict.

    What the residuals of a gene have along the columns predicts that of each sample, without what the sample itself
    adds: P r - r P_ii / (1 - h_i), with the projection P on the columns within the residual space. For independent
    normal samples of equal variance the prediction is independent of the residual, so that columns which do not matter
    leave a distribution symmetric about zero.

    Parameters
    ----------
    residuals, design, columns
        As in `left_out`.

    Returns
    -------
    FloatArray
        Missing for samples of which the others say nothing, such as the only one of a level.
    """
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    directions = basis @ _basis(basis.T @ _scaled(columns))
    own, left = (directions**2).sum(axis=1), (basis**2).sum(axis=1)  # P_ii and 1 - h_i
    part = own / np.where(left > 0, left, 1.0)
    predicted = (residuals @ directions) @ directions.T - residuals * part
    known = own * (1.0 - part) > _SMALLEST
    return as_float(np.where(known, residuals * np.sign(predicted), np.nan))


def _scaled(columns: FloatArray) -> FloatArray:
    """Return columns less their means, of length one; constant ones are zero."""
    centred = columns - columns.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return as_float(centred / np.where(length > 0, length, 1.0))


def _basis(columns: FloatArray) -> FloatArray:
    """Return an orthonormal basis (d, k) of what columns span."""
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return as_float(left[:, singular > np.sqrt(_SMALLEST)])
