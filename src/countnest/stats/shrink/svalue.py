"""s-values: the expected share of wrong signs among a gene and those more certain than it."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["s_values"]


def s_values(rates: FloatArray) -> FloatArray:
    """Return s-values (G,) from false sign rates (G,): the running means of the sorted rates.

    Of genes with the same rate the first has the smallest s-value. Missing rates stay missing and do not count.

    Parameters
    ----------
    rates
        Local false sign rates, or probabilities that an effect has the other sign or is small.

    References
    ----------
    Stephens (2017), False discovery rates: a new deal, doi:10.1093/biostatistics/kxw041.

    Notes
    -----
    R counterpart: apeglm::svalue.
    """
    values = np.full(len(rates), np.nan)
    known = np.flatnonzero(~np.isnan(rates))
    order = known[np.argsort(rates[known], kind="stable")]
    values[order] = np.cumsum(rates[order]) / np.arange(1, len(order) + 1)
    return values
