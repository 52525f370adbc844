"""Adjusted p-values."""

from __future__ import annotations

import numpy as np
import scipy.stats

from countnest.arrays import FloatArray
from countnest.options import PAdjust

__all__ = ["adjust"]

# What statsmodels calls the methods that R's p.adjust has.
STATSMODELS_NAMES = {
    "BY": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}


def adjust(p_values: FloatArray, method: PAdjust = "BH") -> FloatArray:
    """Return adjusted p-values (G,); missing ones stay missing and do not count.

    Parameters
    ----------
    p_values
        (G,) p-values, NaN where there is none.
    method
        "BH" (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x), "BY", "holm", "hochberg", "hommel",
        "bonferroni" or "none".

    Notes
    -----
    R counterpart: stats::p.adjust.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = _adjust_all(p_values[tested], method)
    return adjusted


def _adjust_all(p_values: FloatArray, method: PAdjust) -> FloatArray:
    if method == "none":
        return p_values
    if method == "BH":
        adjusted: FloatArray = scipy.stats.false_discovery_control(p_values, method="bh")
        return adjusted
    from statsmodels.stats.multitest import multipletests  # late: it takes a second to import

    return np.asarray(multipletests(p_values, method=STATSMODELS_NAMES[method])[1], dtype=np.float64)
