"""Arrays and tables in the form in which a page holds them: JSON, numbers as base64 of their bytes."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray

__all__ = ["Json", "as_json", "packed", "packed_column", "smallest_type"]

Json = dict[str, Any]

# Columns of text with fewer different values than this share of their length are held as codes of levels.
_FEW = 0.5


def packed(values: np.ndarray) -> Json:
    """Return an array as its type, shape and little-endian bytes in base64.

    Parameters
    ----------
    values
        Numbers of any shape.
    """
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    data = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {"type": kind, "shape": list(values.shape), "data": base64.b64encode(data.tobytes()).decode("ascii")}


def smallest_type(values: FloatArray) -> np.ndarray:
    """Return counts as the smallest type that holds them exactly: whole numbers of 1, 2 or 4 bytes, or float64."""
    whole = values.size == 0 or (bool(np.isfinite(values).all()) and bool((values == np.floor(values)).all()))
    if whole and (values.size == 0 or values.min() >= 0):
        largest = values.max(initial=0.0)
        for kind in (np.uint8, np.uint16, np.uint32):
            if largest <= np.iinfo(kind).max:
                return values.astype(kind)
    return values


def packed_column(column: pd.Series) -> Json:
    """Return a column of a table: numbers, truth values, or text; a missing value is NaN, or an empty text."""
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return {"kind": "flag", "values": packed(column.to_numpy(dtype=np.uint8))}
    if pd.api.types.is_numeric_dtype(column.dtype):
        return {"kind": "number", "values": packed(column.to_numpy(dtype=np.float64, na_value=np.nan))}
    text = ["" if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    levels = list(dict.fromkeys(text))
    if len(levels) > _FEW * len(text):
        return {"kind": "text", "values": text}
    codes = pd.Categorical(text, categories=levels).codes.astype(np.uint32)
    return {"kind": "level", "levels": levels, "values": packed(codes)}


def as_json(value: object) -> str:
    """Return JSON that can stand in a `<script>` of a page, whatever the texts in it are.

    Raises
    ------
    ValueError
        A number is not finite; arrays of such numbers are `packed`.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
