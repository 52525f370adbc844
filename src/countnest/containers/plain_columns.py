"""Tables in the plain types that files of AnnData hold: numbers, truth values, text and categories of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from countnest.errors import listing, warn

__all__ = ["plain_names", "plain_table"]

# What HDF5 takes for a folder, and a name that AnnData uses itself.
_SLASH, _INDEX = "/", "_index"


def plain_table(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return a table whose columns an AnnData file can hold, with an index of text; values stay, where types can.

    Truth values and numbers stay; categories become text unless they are numbers; text with missing values becomes
    categories, since such files have no missing text; dates and all else become text.

    Parameters
    ----------
    table
        Any DataFrame.
    what
        What it is, for the warning: 'the sample sheet'.

    Warns
    -----
    CountnestWarning
        Columns are renamed, because their names cannot stand in a file.
    """
    names = plain_names(table.columns, f"columns of {what}")
    columns = {name: _plain(table.iloc[:, place]) for place, name in enumerate(names)}
    index = pd.Index([str(label) for label in table.index], dtype=object)
    return pd.DataFrame({name: column.set_axis(index) for name, column in columns.items()}, index=index)


def plain_names(names: Iterable[object], what: str) -> list[str]:
    """Return different names, of text, without what AnnData files do not take; a warning tells those that change."""
    given, made = list(names), list[str]()
    for name in given:
        plain = str(name).replace(_SLASH, "|")
        plain = {_INDEX: "index", "": "_", ".": "_"}.get(plain, plain)
        while plain in made:
            plain += "_"
        made.append(plain)
    changed = [f"{old} -> {new}" for old, new in zip(given, made, strict=True) if old != new]
    if changed:
        warn(f"{what} are renamed, since files of AnnData do not take their names: {listing(changed)}.")
    return made


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        kept = column.cat.remove_unused_categories() if column.cat.categories.isna().any() else column
        categories = kept.cat.categories
        if pd.api.types.is_numeric_dtype(categories.dtype):
            return kept
        return kept.cat.rename_categories([str(each) for each in categories])
    if pd.api.types.is_float_dtype(column.dtype):
        return column.astype(np.float64) if isinstance(column.dtype, pd.api.extensions.ExtensionDtype) else column
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype):
        return column
    return _plain_objects(column.astype(object))


def _plain_objects(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return objects as truth values or numbers, if they are, or as text; missing text makes categories."""
    there = column.notna()
    if there.any() and all(isinstance(value, (bool, np.bool_)) for value in column[there]):
        return column.astype("boolean")
    if there.any() and all(_is_number(value) for value in column[there]):
        return column.astype(np.float64)
    if there.all():
        return column.map(str).astype(object)
    return pd.Series(pd.Categorical(column.where(~there, column[there].map(str))), index=column.index)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
