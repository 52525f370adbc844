"""The record of linear models fitted to every gene. G genes, n samples, p coefficients, k contrasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float

__all__ = ["LinearFits", "unpacked"]


@dataclass(frozen=True, slots=True, eq=False)
class LinearFits:
    """Coefficients, and what their standard errors follow from.

    Attributes
    ----------
    coefficients
        (G, p) NaN where a gene's observed samples do not determine a coefficient beside the earlier ones.
    covariance
        (G, p (p + 1) / 2), or (1, ...) for all genes: the upper triangles of the covariance matrices of the
        coefficients of orthonormal columns, were the variance 1.
    triangle
        (p, p) R, which makes coefficients those of orthonormal columns.
    common
        (p, p) covariance of the coefficients without weights, and without missing values.
    sigma, df
        (G,) residual standard deviations, NaN without degrees of freedom, and the degrees of freedom.
    mean
        (G,) unweighted mean values.
    """

    coefficients: FloatArray
    covariance: FloatArray
    triangle: FloatArray
    common: FloatArray
    sigma: FloatArray
    df: FloatArray
    mean: FloatArray

    @property
    def stdev_unscaled(self) -> FloatArray:
        """(G, p) standard errors of the coefficients, were the variance 1."""
        found = unscaled_errors(self, np.eye(len(self.triangle)))
        return np.where(np.isnan(self.coefficients), np.nan, found)

    def fitted(self, design: FloatArray) -> FloatArray:
        """Return the fitted values (G, n) of the rows of a design (n, p); coefficients that are missing count as 0."""
        return as_float(np.nan_to_num(self.coefficients, nan=0.0) @ design.T)

    def estimates(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (k, p) of the coefficients as (G, k); NaN where a coefficient that counts is missing."""
        found = as_float(np.nan_to_num(self.coefficients, nan=0.0) @ contrasts.T)
        return np.where(self.lacking(contrasts), np.nan, found)

    def lacking(self, contrasts: FloatArray) -> BoolArray:
        """Return whether (G, k) contrasts (k, p) involve a coefficient that is missing."""
        missing = np.isnan(self.coefficients)
        if not missing.any():
            return np.zeros((len(missing), len(contrasts)), dtype=np.bool_)
        return np.asarray(missing.astype(np.float64) @ (contrasts != 0).T.astype(np.float64) > 0)

    def covariances(self, contrasts: FloatArray) -> FloatArray:
        """Return the covariance matrices (G, k, k), or (1, k, k), of contrasts (k, p), were the variance 1."""
        own = np.linalg.solve(self.triangle.T, contrasts.T)  # (p, k), of orthonormal columns
        (p, k), n_genes = own.shape, len(self.covariance)
        rows, columns = np.triu_indices(p)
        share = np.where(rows == columns, 0.5, 1.0)[:, np.newaxis]
        found = np.empty((n_genes, k, k))
        for i in range(k):
            one, other = own[:, i : i + 1], own[:, i:]
            products = share * (one[rows] * other[columns] + one[columns] * other[rows])
            found[:, i, i:] = found[:, i:, i] = self.covariance @ products
        return found


def unscaled_errors(fits: LinearFits, contrasts: FloatArray) -> FloatArray:
    """Return the standard errors (G, k) of contrasts (k, p), were the variance 1; whatever is missing counts as 0."""
    own = np.linalg.solve(fits.triangle.T, contrasts.T)
    rows, columns = np.triu_indices(len(own))
    products = own[rows] * own[columns] * np.where(rows == columns, 1.0, 2.0)[:, np.newaxis]
    variances = np.maximum(fits.covariance @ products, 0.0)
    return as_float(np.sqrt(np.broadcast_to(variances, (len(fits.coefficients), len(contrasts)))))


def unpacked(triangles: FloatArray, p: int) -> FloatArray:
    """Return symmetric matrices (G, p, p) from their upper triangles (G, p (p + 1) / 2)."""
    rows, columns = np.triu_indices(p)
    found = np.empty((len(triangles), p, p))
    found[:, rows, columns] = triangles
    found[:, columns, rows] = triangles
    return found
