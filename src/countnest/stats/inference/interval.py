"""Confidence intervals of estimates."""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["confidence_interval"]


def confidence_interval(
    estimate: FloatArray, se: FloatArray, level: float, df: float | FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the lower and the upper ends (G,) of intervals around estimates (G,) with standard errors (G,).

    Parameters
    ----------
    estimate, se
        On any scale, which is that of the ends; an interval is missing where one of them is.
    level
        The probability with which an interval holds the true value, between 0 and 1.
    df
        Degrees of freedom of the t distribution, one number or (G,); None: the normal.
    """
    tail = 0.5 * (1.0 + level)
    quantile = scipy.special.ndtri(tail) if df is None else scipy.special.stdtrit(df, tail)
    reach: FloatArray = np.asarray(quantile * se, dtype=np.float64)
    return estimate - reach, estimate + reach
