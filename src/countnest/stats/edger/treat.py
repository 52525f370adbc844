"""Tests against a threshold of the fold change, from likelihood ratios at its two ends. G genes.

Source: McCarthy and Smyth (2009), doi:10.1093/bioinformatics/btp053. The interval null hypothesis, every fold change
below the threshold, is averaged over; the worst case is its end that fits the gene best.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray

__all__ = ["TreatNull", "normal_roots", "treat_p_value"]

TreatNull = Literal["interval", "worst.case"]

# How far beyond the nearer end of the interval the average reaches where the gene is far from both.
REACH = 1.470402


def treat_p_value(roots: tuple[FloatArray, FloatArray], within: BoolArray, null: TreatNull = "interval") -> FloatArray:
    """Return p-values (G,) of the hypothesis that the fold change is within the threshold.

    Parameters
    ----------
    roots
        (G,) roots of likelihood ratio statistics against the two ends of the interval, at least 0, on the normal scale.
    within
        (G,) whether the estimate is within the threshold.
    null
        "interval" or "worst.case".

    Notes
    -----
    R counterpart: edgeR::glmTreat. P-values of genes with missing roots are missing, and do not move those of others.
    """
    near, far = np.minimum(*roots), np.maximum(*roots)
    near = np.where(within, near, -near)
    if null == "worst.case":
        return np.asarray(scipy.special.ndtr(-far) + scipy.special.ndtr(near))
    beyond = _mean_tail(-far, -far + REACH) + _mean_tail(near - REACH, near)
    between = 2.0 * _mean_tail(-far, near)
    found = np.where(far + near > REACH, beyond, between)
    return np.where(np.isnan(far + near), np.nan, found)


def normal_roots(log_p: FloatArray) -> FloatArray:
    """Return the standard normal quantiles (G,) beyond which lie tails, given as logarithms."""
    return -_quantile_of_log(log_p)


def _mean_tail(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the mean of the normal distribution function between two points."""

    def integral(x: FloatArray) -> FloatArray:
        return np.asarray(x * scipy.special.ndtr(x) + np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi))

    length = high - low
    same = length == 0.0
    with np.errstate(invalid="ignore"):
        mean = (integral(high) - integral(low)) / np.where(same, 1.0, length)
    return np.where(same, scipy.special.ndtr(low), mean)


def _quantile_of_log(log_p: FloatArray) -> FloatArray:
    return np.asarray(scipy.special.ndtri_exp(log_p))
