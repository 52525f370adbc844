"""The levels of grouping factors in the sample sheet."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.design.levels.order import level_order
from countnest.design.levels.text import level_text
from countnest.design.levels.typos import refuse_same_looking, typo_warnings
from countnest.design.samples import checked_column, samples_of
from countnest.errors import warn

__all__ = ["grouping_factor"]


def grouping_factor(sheet: pd.DataFrame, name: str) -> tuple[IntArray, tuple[str, ...]]:
    """Return the level of each sample (n,), and the levels; numbers become levels.

    Raises
    ------
    SamplesError
        Missing values, dates, or levels without a visible difference.

    Warns
    -----
    CountnestWarning
        Levels that may be misspelt.
    """
    column = checked_column(sheet, name)
    samples = samples_of(column)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        refuse_same_looking(samples, name)
        for message in typo_warnings(samples, name):
            warn(message)
    levels = level_order(column.rename(name), None).levels
    places = {level: place for place, level in enumerate(levels)}
    return np.array([places[level_text(value)] for value in column], dtype=np.int64), levels
