"""Robust regression: slopes that genes with effects of their own do not move."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["bisquare_slopes"]

# Tukey's bisquare: the tuning constant of 95 % efficiency, the rounds, the median absolute deviation of a normal.
TUNING, N_ROUNDS, NORMAL_MAD = 4.685, 30, 0.6745


def bisquare_slopes(response: FloatArray, predictors: FloatArray) -> FloatArray:
    """Return the slopes (k,) of the regression of a response (m,) on an intercept and predictors (m, k).

    Iteratively reweighted least squares with Tukey's bisquare weights, from those of ordinary least squares; the scale
    is the median absolute residual.

    Notes
    -----
    R counterpart: MASS::rlm(psi = psi.bisquare).
    """
    columns = np.column_stack([np.ones(len(response)), predictors])
    weights = np.ones(len(response))
    beta = np.zeros(columns.shape[1])
    for _ in range(N_ROUNDS):
        weighted = columns * weights[:, np.newaxis]
        beta = np.linalg.lstsq(weighted.T @ columns, weighted.T @ response, rcond=None)[0]
        residual = np.abs(response - columns @ beta)
        scale = float(np.median(residual)) / NORMAL_MAD
        if scale == 0.0:  # half of the points are on the line
            break
        weights = np.square(np.maximum(0.0, 1.0 - np.square(residual / (TUNING * scale))))
    return as_float(beta[1:])
