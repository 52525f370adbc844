"""Text where counts should be: decimal commas, thousands separators, words for missing values, labels."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from countnest.errors import counted, listing
from countnest.remedies import advised

__all__ = ["text_remedy"]

_ROWS = 2000  # how many rows are looked at
_MANY = 3  # rows with words in all columns, at most: more of them are not a few lines about the samples

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?P<mark>[,.'’\s])\d{3}(?:(?P=mark)\d{3})*")
_BOTH = re.compile(r"[+-]?\d{1,3}(?P<mark>[,.'’\s])\d{3}(?:(?P=mark)\d{3})*(?P<point>[.,])\d+")
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_MISSING = {"", "-", "--", ".", "?", "na", "n/a", "#n/a", "nan", "nd", "n.d.", "null", "none", "missing"}


class _Cell(NamedTuple):
    """A text cell and its kind."""

    kind: str
    gene: object
    sample: object
    text: str
    mark: str = ""


def text_remedy(frame: pd.DataFrame, columns: list[int]) -> str:
    """Return advice on the columns, given by position, that are not numbers."""
    cells, n_numbers = _cells(frame, columns)
    kinds = {cell.kind for cell in cells}
    first = {kind: next(cell for cell in cells if cell.kind == kind) for kind in kinds}
    rows = list(dict.fromkeys(cell.gene for cell in cells if cell.kind == "words"))
    few_rows = "words" in kinds and len(rows) <= _MANY and n_numbers > len(cells)
    by_sample = Counter(cell.sample for cell in cells if cell.kind == "words")
    words = by_sample.total()
    scattered = "words" in kinds and 2 * max(by_sample.values()) < min(len(frame), _ROWS)
    if "both" in kinds:
        return _both(first["both"])
    if "comma" in kinds:
        return _comma(first["comma"])
    if "thousands" in kinds:
        return _thousands(first["thousands"])
    if few_rows and words == len(rows) * frame.shape[1]:
        return (
            f"The {'rows' if len(rows) > 1 else 'row'} {listing(rows)} {'hold' if len(rows) > 1 else 'holds'} text in "
            f"every column, such as {first['words'].text!r}: what describes the samples belongs in the sample sheet. "
            + advised(f"Drop it: counts.drop(index={rows!r}).astype(float).", "Delete it.")
        )
    if few_rows or scattered:
        return f"{_named(first['words'], words)} is not a number. Correct it{_converted()}."
    if "words" in kinds:
        name = frame.columns[columns[0]]
        return advised(
            f"A column with labels belongs in the index: counts.set_index({name!r}); columns that describe the "
            "genes may then stay; numbers stored as text can be converted: counts.astype(float).",
            "The labels of the genes belong in the first column of the file. Delete other columns without counts.",
        )
    if "missing" in kinds:
        number = sum(cell.kind == "missing" for cell in cells)
        return (
            f"{_named(first['missing'], number)} is not a number. Write 0 where nothing was counted, or drop these "
            f"genes or samples{_converted()}."
        )
    return advised("Numbers stored as text or as objects can be converted: counts.astype(float).", "")


def _converted() -> str:
    """Return the last step of a correction in Python; a corrected file is read as numbers."""
    return advised(", and convert: counts.astype(float)", "")


def _named(cell: _Cell, number: int) -> str:
    others = f", as in {counted(number, 'cell')}," if number > 1 else ""
    return f"{cell.text!r} in gene {str(cell.gene)!r}, sample {str(cell.sample)!r}{others}"


def _comma(cell: _Cell) -> str:
    how = advised(
        "Read the file with decimal points, pd.read_csv(path, index_col=0, sep=';', decimal=',')",
        "Write decimal points in the file",
    )
    return (
        f"{_named(cell, 1)} has a decimal comma. {how}; counts are whole numbers, so estimated ones must then be "
        "rounded."
    )


def _thousands(cell: _Cell) -> str:
    return f"{_named(cell, 1)} has a thousands separator. Write the numbers without it" + advised(
        f", or read the file with pd.read_csv(path, index_col=0, thousands={cell.mark!r}).", "."
    )


def _both(cell: _Cell) -> str:
    point = "," if cell.mark != "," else "."
    how = advised(
        f"Read the file with pd.read_csv(path, index_col=0, thousands={cell.mark!r}, decimal={point!r})",
        "Write the numbers without thousands separators, and with decimal points",
    )
    return (
        f"{_named(cell, 1)} has thousands separators and decimals. {how}; counts are whole numbers, so estimated "
        "ones must then be rounded."
    )


def _cells(frame: pd.DataFrame, columns: list[int]) -> tuple[list[_Cell], int]:
    """Return the cells of some columns that are not plain numbers, and the number of those that are."""
    found, n_numbers = [], 0
    for place in columns:
        column = frame.iloc[:_ROWS, place]
        for gene, value in zip(column.index, column, strict=True):
            text, missing = str(value), not isinstance(value, str) and bool(np.all(pd.isna(value)))
            kind, mark = ("missing", "") if missing else _kind(text)
            if kind == "number":
                n_numbers += 1
            else:
                found.append(_Cell(kind, gene, frame.columns[place], text, mark))
    return found, n_numbers


def _kind(text: str) -> tuple[str, str]:
    """Return the kind of a text cell, and its thousands separator."""
    bare = text.strip()
    if _PLAIN.fullmatch(bare):
        return "number", ""
    if bare.lower() in _MISSING:
        return "missing", ""
    for kind, pattern in (("thousands", _THOUSANDS), ("both", _BOTH)):
        found = pattern.fullmatch(bare)
        if found is not None and found["mark"] != found.groupdict().get("point"):
            return kind, found["mark"]
    return ("comma", "") if _COMMA.fullmatch(bare) else ("words", "")
