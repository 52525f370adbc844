"""Groups of samples, by columns of the sample sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from countnest.reporting.packed import Json

__all__ = ["grouped"]

_JOIN: Final = ", "


def grouped(samples: pd.DataFrame, names: Sequence[str]) -> Json:
    """Return the groups of samples that have the same values in some columns, in the order of their levels.

    Parameters
    ----------
    samples
        The sample sheet.
    names
        Columns of it; none for a single group.
    """
    if not names:
        return {"name": "all samples", "levels": ["all samples"], "codes": [0] * len(samples)}
    columns = [samples[name] for name in names]
    ranks = [_codes(column) for column in columns]
    cells, codes = np.unique(np.column_stack(ranks), axis=0, return_inverse=True)
    firsts = [int(np.flatnonzero(codes.reshape(-1) == place)[0]) for place in range(len(cells))]
    levels = [_JOIN.join(_text(column.iloc[first]) for column in columns) for first in firsts]
    return {"name": _JOIN.join(names), "levels": levels, "codes": codes.reshape(-1).tolist()}


def _codes(column: pd.Series) -> np.ndarray:
    """Return the place of each value among the different ones: by level, by size, or in the order of the samples."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.rank(method="dense").fillna(0).to_numpy()
    return pd.factorize(column)[0]


def _text(value: object) -> str:
    return "missing" if value is None or value != value else f"{value:g}" if isinstance(value, float) else str(value)
