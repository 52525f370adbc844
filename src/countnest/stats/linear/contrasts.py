"""Contrasts of fitted linear models: exact, and as limma approximates them. G genes, p coefficients, k contrasts.

Source of the approximation: Smyth (2004), doi:10.2202/1544-6115.1027, for fits without weights, where it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.linear.fits import LinearFits, unscaled_errors

__all__ = ["ContrastFits", "contrast_fits"]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastFits:
    """Contrasts of the coefficients, with what joint tests need.

    Attributes
    ----------
    estimates, stdev_unscaled
        (G, k) estimates and their standard errors, were the variance 1; NaN where they are not determined.
    covariance
        (G, k, k) or (1, k, k) covariance matrices, were the variance 1, of exact contrasts; None for approximate ones.
    common
        (k, k) covariance matrix without weights.
    """

    estimates: FloatArray
    stdev_unscaled: FloatArray
    covariance: FloatArray | None
    common: FloatArray


def contrast_fits(
    fits: LinearFits, contrasts: FloatArray, *, approximate: bool = False, joint: bool = True
) -> ContrastFits:
    """Return contrasts (k, p) of the coefficients.

    Parameters
    ----------
    approximate
        Whether standard errors are computed as if the estimates of all genes were correlated as those of a gene without
        weights are. Exact ones use each gene's own covariance.
    joint
        Whether joint tests are to follow, which need covariance matrices.

    Notes
    -----
    R counterpart: limma::contrasts.fit, which is approximate; exact ones are those of a fit whose design has the
    contrasts as columns.
    """
    estimates = fits.estimates(contrasts)
    errors = _approximate_errors(fits, contrasts) if approximate else unscaled_errors(fits, contrasts)
    errors = np.where(np.isnan(estimates), np.nan, errors)
    covariance = None if approximate or not joint else fits.covariances(contrasts)
    return ContrastFits(estimates, errors, covariance, as_float(contrasts @ fits.common @ contrasts.T))


def _approximate_errors(fits: LinearFits, contrasts: FloatArray) -> FloatArray:
    used = (contrasts != 0).any(axis=0)
    common = fits.common[np.ix_(used, used)]
    scale = 1.0 / np.sqrt(np.diag(common))
    root = np.linalg.cholesky(common * np.outer(scale, scale)).T
    own = np.nan_to_num(fits.stdev_unscaled[:, used], nan=0.0)
    found = [np.sqrt((((own * contrast[used]) @ root.T) ** 2).sum(axis=1)) for contrast in contrasts]
    return as_float(np.column_stack(found))
