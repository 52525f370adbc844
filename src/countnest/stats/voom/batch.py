"""Log counts without batch effects, for figures. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.linear.fits import LinearFits
from countnest.stats.linear.least_squares import independent_columns, lm_fit

__all__ = ["without_batches"]


def without_batches(
    values: FloatArray, design: FloatArray, columns: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return values (G, n) less the part of the batches in a linear model beside the design.

    Parameters
    ----------
    design
        (n, p) what is to stay.
    columns
        (n, m) batches, as sum-to-zero contrasts, and centred covariates: what is to go.
    weights
        (G, n), or (1, n), of the fit; None: all one.

    Notes
    -----
    R counterpart: limma::removeBatchEffect.
    """
    whole = np.column_stack([design, columns])
    kept = independent_columns(whole)
    fits: LinearFits = lm_fit(values, whole[:, kept], weights)
    part = np.array([k >= design.shape[1] for k in kept])
    beta = np.nan_to_num(fits.coefficients[:, part], nan=0.0)
    return values - beta @ whole[:, kept][:, part].T
