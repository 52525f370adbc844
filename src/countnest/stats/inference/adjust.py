"""Adjusted p-values."""

from __future__ import annotations

import numpy as np
import scipy.stats

from countnest.arrays import FloatArray

__all__ = ["benjamini_hochberg"]


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Return Benjamini-Hochberg adjusted p-values (G,); missing ones stay missing and do not count.

    Source: Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.

    Notes
    -----
    R counterpart: stats::p.adjust(method = "BH").
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = scipy.stats.false_discovery_control(p_values[tested], method="bh")
    return adjusted
