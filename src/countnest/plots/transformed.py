"""Transformed counts as figures of samples take them, checked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, counted, kind_of, listing

__all__ = ["checked_number", "transformed_table"]


def transformed_table(transformed: Transformed | pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return transformed counts, genes x samples, as a table of finite float64.

    Parameters
    ----------
    transformed
        The transformed counts, or their table.
    figure
        What is made of them, with the verb: 'principal components are'.
    """
    table = transformed.table if isinstance(transformed, Transformed) else transformed
    if not isinstance(table, pd.DataFrame):
        raise OptionError(
            f"{figure} made of transformed counts, not of {kind_of(table)}; give vst(dds) or a DataFrame, "
            "genes x samples."
        )
    try:
        values = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("the transformed counts have values that are not numbers; give vst(dds).") from None
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        raise OptionError(
            f"the transformed counts have missing or infinite values in {counted(int(wrong.sum()), 'gene')}: "
            f"{listing(table.index[wrong])}. Drop these genes."
        )
    return pd.DataFrame(values, index=table.index, columns=table.columns)


def checked_number(name: str, value: object) -> int:
    """Return a number of genes, 1 or more."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise OptionError(f"{name}={value!r} genes cannot be chosen; give a whole number of 1 or more.")
    return int(value)
