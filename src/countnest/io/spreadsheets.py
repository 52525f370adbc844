"""Tables of counts in Parquet files and in workbooks of Excel."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from typing import Any

import pandas as pd

from countnest.containers.given import file_remedy
from countnest.errors import CountsError, FileError, OptionError, listing, suggestion
from countnest.files import FilePath
from countnest.io.optional import optional_library
from countnest.remedies import given

__all__ = ["excel_frame", "parquet_frame"]

# Only an empty cell is missing: genes may be called NA.
_AS_IT_IS: Any = {"header": None, "dtype": object, "keep_default_na": False, "na_values": [""]}
_ZIP = b"PK\x03\x04"


def parquet_frame(data: bytes, path: FilePath) -> pd.DataFrame:
    """Return the table in the bytes of a Parquet file; labels are its index, or else the first column."""
    optional_library("pyarrow", "parquet", f"'{path}', a Parquet file,")
    try:
        frame = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except (OSError, ValueError) as error:
        raise FileError(f"'{path}' cannot be read as Parquet: {error}. Was it copied completely?") from error
    if isinstance(frame.index, pd.RangeIndex) and frame.shape[1] > 1:
        frame = frame.set_index(frame.columns[0])
    return _labelled(frame)


def excel_frame(data: bytes, path: FilePath, sheet: str | None = None) -> pd.DataFrame:
    """Return the table in a sheet of a workbook, the first one if `sheet` is None; labels are its first column."""
    if not data.startswith(_ZIP):
        raise FileError(f"'{path}' is a workbook of an old Excel (.xls). Save it as .xlsx, or as 'CSV UTF-8'.")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise _unreadable(path, "it is incomplete or damaged")
    optional_library("openpyxl", "excel", f"'{path}', a workbook of Excel,")
    try:
        with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            names = [str(name) for name in book.sheet_names]
            known = sheet is None or sheet in names
            cells = pd.read_excel(book, sheet_name=sheet or names[0], **_AS_IT_IS) if known else None
    except Exception as error:  # of the archive, of XML, of styles
        raise _unreadable(path, str(error)) from error
    if cells is None:
        raise OptionError(
            f"{given('sheet', sheet)} is not in '{path}'; its sheets are {listing(names)}.{suggestion(sheet, names)}"
        )
    return _table_of(cells, path)


def _unreadable(path: FilePath, reason: str) -> FileError:
    remedy = str(file_remedy("x.xlsx")).replace("'x.xlsx'", repr(str(path)))
    return FileError(
        f"'{path}' is a workbook of Excel, or another archive, and not a text file (UTF-8); it cannot be read: "
        f"{reason}. If it is complete, {remedy}."
    )


def _table_of(cells: pd.DataFrame, path: FilePath) -> pd.DataFrame:
    """Return a table with its first row as names of columns, and its first column as labels."""
    cells = cells.dropna(axis=0, how="all").dropna(axis=1, how="all")
    if len(cells) < 2 or cells.shape[1] < 2:
        raise FileError(f"'{path}': the sheet has no table; it needs a header, and a row for each label.")
    names = ["" if pd.isna(name) else str(name) for name in cells.iloc[0]]
    if "" in names[1:]:
        raise CountsError(
            f"'{path}': column {names[1:].index('') + 2} has no name in the header; name it or remove it."
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise CountsError(f"'{path}': the header has names more than once: {listing(repeated)}. Rename or drop them.")
    frame = cells.iloc[1:].set_axis(names, axis=1).set_index(names[0])
    return _labelled(frame.infer_objects())


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with labels as text, whole numbers without a decimal point."""
    labels = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in frame.index]
    columns = [str(name) for name in frame.columns]
    table: pd.DataFrame = frame.set_axis(pd.Index(labels), axis=0).set_axis(pd.Index(columns), axis=1)
    table.index.name = frame.index.name or None
    return table
