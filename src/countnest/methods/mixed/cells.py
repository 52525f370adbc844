"""Means that mixed models predict for new cells."""

from __future__ import annotations

import numpy as np

from countnest.arrays import IntArray
from countnest.errors import OptionError
from countnest.methods.deseq2.access import NewCells, Prediction
from countnest.methods.mixed.protocol import MixedAccess
from countnest.stats.inference.interval import confidence_interval

__all__ = ["predicted_means"]


def predicted_means(access: MixedAccess, genes: IntArray, new: NewCells) -> Prediction:
    """Return the means of some genes (k,) in new cells, at random effects of zero.

    Raises
    ------
    OptionError
        Limits of new counts are asked for, or size factors for values that have none.
    """
    if new.count_level is not None:
        raise OptionError("count_interval= is for fits by DESeq2's method: the counts of a new group vary with it.")
    if access.is_log and (new.size_factors != 1.0).any():
        raise OptionError("size_factors= are for counts, and this fit is of log2 values: leave them out.")
    found = access.cells(new.contrasts)
    predictor, se = found.lfc[genes], found.se[genes]
    df = found.df[genes] if isinstance(found.df, np.ndarray) else found.df
    low = high = None
    if new.level is not None:
        low, high = confidence_interval(predictor, se, new.level, df)
    if access.is_log:
        return Prediction(predictor, low, high)
    with np.errstate(over="ignore"):
        mean, low, high = (
            None if each is None else np.exp2(each) * new.size_factors for each in (predictor, low, high)
        )
    assert mean is not None
    return Prediction(mean, low, high)
