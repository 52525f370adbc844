"""Tables of genes as text that fits the terminal."""

from __future__ import annotations

import shutil
from typing import Any

import pandas as pd

__all__ = ["GeneTable", "as_text"]

# What is left out of a table that is too wide, first things first; those of a group stand or go together. The fold
# changes of a joint test are one group. What only an argument adds, such as intervals, stays longest.
_CHANGES = "log2FoldChange."
_SPARED: tuple[tuple[str, ...], ...] = (
    ("separated",), ("padj_reason",), ("df",), ("padj_screen",), (_CHANGES,), ("stat",), ("lfcSE",),
    ("pvalue",), ("baseMean",), ("lfcMLE",), ("ciLower", "ciUpper"),
)  # fmt: skip
_KEPT = ("contrast", "padj", "padj_stagewise", "svalue", "log2FoldChange")
_DIGITS = (6, 4, 3)
_WIDTH = 80  # where the output is no terminal


def as_text(table: pd.DataFrame, max_rows: int | None = None) -> str:
    """Return a table of genes as text no wider than the terminal, or 80 characters without one.

    Numbers get fewer digits first, then columns are left out, those that matter least first; the last line names them,
    in the order of the table. The column that names the comparison of a row is never left out.
    """
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    for digits in _DIGITS:
        text = _text(table, max_rows, digits)
        if _fits(text, width):
            return text
    shown = table
    for names in _order_of_leaving(table):
        shown = shown.drop(columns=names)
        text = _text(shown, max_rows, _DIGITS[-2])
        if _fits(text, width):
            break
    left_out = [str(name) for name in table if name not in shown]
    return f"{text}\nnot shown: {', '.join(left_out)}" if left_out else text


def _order_of_leaving(table: pd.DataFrame) -> list[list[Any]]:
    """Return the columns that may be left out, in groups: annotation, less important results, symbols in front."""
    groups = [[name for name in table if _is_one_of(str(name), group)] for group in _SPARED]
    named = {*_KEPT, *(name for group in groups for name in group)}
    others = [name for name in table if name not in named]
    front = list(table)[: list(table).index("baseMean")] if "baseMean" in table else []
    symbols = [[name] for name in others if name in front]
    annotation = [[name] for name in others if name not in front]
    return [*reversed(annotation), *(group for group in groups if group), *symbols]


def _is_one_of(name: str, group: tuple[str, ...]) -> bool:
    return name in group or (_CHANGES in group and name.startswith(_CHANGES))


def _text(table: pd.DataFrame, max_rows: int | None, digits: int) -> str:
    return table.to_string(max_rows=max_rows, float_format=f"{{:.{digits}g}}".format)


def _fits(text: str, width: int) -> bool:
    return max(map(len, text.splitlines()), default=0) <= width


class GeneTable(pd.DataFrame):
    """A DataFrame of genes that prints to the width of the terminal; tables derived from it are plain ones."""

    @property
    def _constructor(self) -> Any:  # noqa: ANN401 (as pandas has it)
        return pd.DataFrame

    def __repr__(self) -> str:
        return as_text(self, pd.get_option("display.max_rows"))
