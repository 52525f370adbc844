"""Columns of a table as plain values: arrays, lists and text, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from countnest.errors import FileError

__all__ = ["decode_column", "encode_column"]

# Kinds of NumPy arrays: logical values, whole numbers with and without sign, others; dates and spans of time.
NUMBERS = "biuf"
TIMES = "mM"
MISSING = "NA"


def encode_column(column: pd.Series[Any], where: str) -> dict[str, Any]:
    """Return a column as a dict of arrays, lists, numbers and text; `where` names it in errors.

    Raises
    ------
    FileError
        The column holds something else than numbers, text, logical values, categories and dates.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "type": "categories",
            "codes": column.cat.codes.to_numpy(),
            "categories": encode_column(dtype.categories.to_series(), where),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, np.dtype) and dtype.kind in NUMBERS:
        return {"type": "numbers", "values": column.to_numpy()}
    if isinstance(dtype, np.dtype) and dtype.kind in TIMES:
        return {"type": "times", "values": column.to_numpy().view(np.int64), "dtype": dtype.str}
    if isinstance(dtype, np.dtype) or pd.api.types.is_string_dtype(dtype):
        return {"type": "values", "values": [_plain(value, where) for value in column], "dtype": str(dtype)}
    kind = getattr(dtype, "kind", "O")
    if kind in NUMBERS and hasattr(dtype, "numpy_dtype"):
        missing = column.isna().to_numpy(dtype=np.bool_)
        values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return {"type": "masked", "values": values, "missing": missing, "dtype": str(dtype)}
    raise FileError(
        f"the data set cannot be saved: {where} is of type {dtype}; make it text or numbers, or drop the column."
    )


def _plain(value: Any, where: str) -> Any:  # noqa: ANN401 (an element of an object column)
    """Return an element that JSON can hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if value is pd.NA or value is pd.NaT:
        return (MISSING,)
    raise FileError(
        f"the data set cannot be saved: {where} holds a value of type {type(value).__name__}; make it text or "
        "numbers, or drop the column."
    )


def decode_column(held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (an array of NumPy or pandas)
    """Return the values of a column that `encode_column` took apart."""
    kind = held["type"]
    values: Any = held["values"] if kind != "categories" else held["codes"]
    if kind == "categories":
        categories = pd.Index(decode_column(held["categories"]))
        return pd.Categorical.from_codes(values, categories=categories, ordered=held["ordered"])
    if kind == "numbers":
        return values
    if kind == "times":
        return values.view(_checked(np.dtype(held["dtype"]).kind in TIMES, held))
    if kind == "masked":
        dtype: Any = pd.api.types.pandas_dtype(held["dtype"])
        found: Any = pd.Series(values, dtype=_checked(hasattr(dtype, "numpy_dtype"), held)).array
        found[held["missing"]] = pd.NA
        return found
    if kind == "values":
        text = _checked(held["dtype"] == "object" or held["dtype"].startswith("str"), held)
        return _text_array([pd.NA if isinstance(value, tuple) else value for value in values], text)
    raise ValueError(f"'{kind}' is no type of column")


def _checked(right: bool, held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (the name of a type)
    """Return the type of the values of a column, which a file could name otherwise."""
    if not right:
        raise ValueError(f"'{held['dtype']}' is no type of such a column")
    return held["dtype"]


def _text_array(values: list[Any], dtype: str) -> Any:  # noqa: ANN401 (an array of NumPy or pandas)
    whole: Any = np.empty(len(values), dtype=object)
    whole[:] = values
    return whole if dtype == "object" else pd.Series(whole, dtype=dtype).array
