"""Orthonormal bases of the residual space of a linear model, in which the residuals of genes can be compared.

Without weights all genes have the same model, and one basis does. With weights every gene has a residual space of its
own. A decomposition by Householder reflections, gene by gene, gives bases that are near each other as long as no
pivot is near zero; in designs of indicators some pivots are zero but for rounding, and then the signs of coordinates
differ from gene to gene. Aligned bases are the ones nearest to a common basis instead: they vary smoothly with the
weights. n samples, p coefficients, d = n - p.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["aligned_coordinates", "householder_coordinates", "residual_basis"]

# A pivot below this fraction of the length of its column is zero, and its reflection has the sign of +0.
ZERO_PIVOT = 1e-10


def residual_basis(design: FloatArray) -> FloatArray:
    """Return an orthonormal basis (n, d) of what is orthogonal to the columns of a design (n, p) of full rank.

    It is that of Householder reflections of the columns in their order; pivots that are zero but for rounding count as
    zero, so that the basis does not depend on rounding.
    """
    n, p = design.shape
    work = design.astype(np.float64, copy=True)
    length = np.sqrt((work * work).sum(axis=0))
    basis = np.eye(n)
    for k in range(min(p, n - 1)):
        reflection = work[k:, k].copy()
        pivot = 0.0 if abs(reflection[0]) < ZERO_PIVOT * length[k] else reflection[0]
        reflection[0] = pivot + np.copysign(np.sqrt(reflection @ reflection), pivot)
        reflection /= np.sqrt(reflection @ reflection)
        work[k:] -= 2.0 * np.outer(reflection, reflection @ work[k:])
        basis[:, k:] -= 2.0 * np.outer(basis[:, k:] @ reflection, reflection)
    return as_float(basis[:, p:])


def aligned_coordinates(values: FloatArray, model: FloatArray, basis: FloatArray) -> FloatArray:
    """Return the residuals (k, d) of genes in the orthonormal bases that are nearest to a common basis.

    Parameters
    ----------
    values
        (k, n) of which the residuals are taken.
    model
        Q (k, n, p), or (1, n, p) for all genes: orthonormal columns of the model.
    basis
        B (n, d) orthonormal; the basis of a gene is M (M'M)^-1/2, with M = (I - QQ')B.

    Notes
    -----
    With C = Q'B and the eigenvectors V and values c^2 of CC', the coordinates M'y become
    (M'M)^-1/2 M'y = M'y + C'V f(c) V'C M'y, where f = 1 / (s (1 + s)) and s^2 = 1 - c^2: the matrices are p x p.
    """
    own = values[:, np.newaxis, :] @ model
    fitted = (own @ np.swapaxes(model, 1, 2))[:, 0]
    plain = (values - fitted) @ basis  # (k, d)
    cosines = np.swapaxes(model, 1, 2) @ basis  # (k, p, d)
    squares, vectors = np.linalg.eigh(cosines @ np.swapaxes(cosines, 1, 2))
    sines = np.sqrt(np.maximum(1.0 - squares, np.finfo(np.float64).eps))
    turned = np.swapaxes(vectors, 1, 2) @ cosines
    along = (turned @ plain[:, :, np.newaxis]) / (sines * (1.0 + sines))[:, :, np.newaxis]
    return as_float(plain + (np.swapaxes(turned, 1, 2) @ along)[:, :, 0])


def householder_coordinates(values: FloatArray, model: FloatArray) -> FloatArray:
    """Return the residuals (k, d) of genes in the bases that LAPACK's Householder reflections give.

    Parameters
    ----------
    values
        (k, n)
    model
        (k, n, p), or (1, n, p) for all genes: the columns of the model, in their order.

    Notes
    -----
    R counterpart: the residual effects of stats::qr.qty(qr(X), y), the numbers that limma's tests of gene sets use.
    """
    whole = np.linalg.qr(model, mode="complete")[0][:, :, model.shape[2] :]
    return as_float((values[:, np.newaxis, :] @ whole)[:, 0])
