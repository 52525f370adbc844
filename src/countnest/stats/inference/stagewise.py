"""Stage-wise testing: genes first, then the hypotheses of each gene that passed.

Source: Van den Berge, Soneson, Robinson and Clement (2017), doi:10.1186/s13059-017-1277-0.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["stagewise"]


def stagewise(screened: FloatArray, confirm: FloatArray, alpha: float) -> FloatArray:
    """Return adjusted p-values (G, k) of the hypotheses of each gene; missing for genes that do not pass the screen.

    A gene passes where the adjusted p-value of its joint hypothesis is at most `alpha`. Its k hypotheses are then
    adjusted among themselves by Holm's method, the first step of which counts k - 1 hypotheses: at least one is false
    in a gene that passed (Shaffer 1986, doi:10.1080/01621459.1986.10478341). The result is scaled by the fraction of
    genes that passed, so that it can be compared with `alpha`; the proportion of genes with a false confirmation is
    then controlled at that level.

    Parameters
    ----------
    screened
        (G,) adjusted p-values of the joint hypotheses, NaN where there is none.
    confirm
        (G, k) p-values of the single hypotheses.
    alpha
        Level of the overall false discovery rate.
    """
    adjusted = np.full(confirm.shape, np.nan)
    passed = screened <= alpha
    if not passed.any():
        return adjusted
    scale = np.count_nonzero(~np.isnan(screened)) / np.count_nonzero(passed)
    within = _holm(confirm[passed]) * scale
    adjusted[passed] = np.clip(np.fmax(within, screened[passed, np.newaxis]), 0.0, 1.0)
    adjusted[np.isnan(confirm)] = np.nan
    return adjusted


def _holm(p_values: FloatArray) -> FloatArray:
    """Return Holm's adjusted p-values along the rows of (G, k), the first step counting k - 1 hypotheses."""
    k = p_values.shape[1]
    order = np.argsort(p_values, axis=1)
    steps = np.maximum(np.arange(k, 0, -1), 1.0)
    steps[0] = max(k - 1, 1)
    ordered = np.maximum.accumulate(np.take_along_axis(p_values, order, axis=1) * steps, axis=1)
    adjusted = np.empty_like(ordered)
    np.put_along_axis(adjusted, order, ordered, axis=1)
    return adjusted
