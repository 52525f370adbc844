"""The adjusted p-values of Benjamini and Hochberg.

Source: Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["benjamini_hochberg"]


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Return the adjusted p-values (m,) of p-values (m,), none of them missing.

    The adjusted p-value at rank i is the smallest m p / j of those at ranks j >= i.

    Notes
    -----
    It is written out here because every analysis needs it: `scipy.stats` and `statsmodels` have it too, and to import
    one of them would take a large part of a short analysis. R counterpart: stats::p.adjust(method = "BH").
    """
    m = len(p_values)
    descending = np.argsort(p_values)[::-1]
    scaled = p_values[descending] * (m / np.arange(m, 0, -1))
    adjusted = np.empty(m)
    adjusted[descending] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted
