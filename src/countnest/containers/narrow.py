"""Tables of genes as text that fits the screen."""

from __future__ import annotations

import shutil
from typing import Any

import pandas as pd

__all__ = ["GeneTable", "as_text"]

# What is left out first where a table is too wide; fold changes and adjusted p-values never are.
_SPARED = (
    "separated", "boundary", "padj_reason", "df", "lfcMLE", "padj_screen", "ciLower", "ciUpper", "stat", "lfcSE",
    "pvalue", "baseMean",
)  # fmt: skip
_KEPT = ("padj", "padj_stagewise", "svalue", "log2FoldChange")
_DIGITS = (6, 4, 3)
_WIDTH = 80  # where the output is no terminal


def as_text(table: pd.DataFrame, max_rows: int | None = None) -> str:
    """Return a table of genes as text no wider than the terminal, or 80 characters where there is none.

    Numbers get fewer digits first, then columns are left out, those that matter least first; the last line names them.
    """
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    for digits in _DIGITS:
        text = _text(table, max_rows, digits)
        if _fits(text, width):
            return text
    shown, left_out = table, []
    for name in _order_of_leaving(table):
        shown = shown.drop(columns=name)
        left_out.append(str(name))
        text = _text(shown, max_rows, _DIGITS[-2])
        if _fits(text, width):
            break
    return f"{text}\nnot shown: {', '.join(left_out)}" if left_out else text


def _order_of_leaving(table: pd.DataFrame) -> list[Any]:
    """Return the columns that may be left out: annotation, what is spared, several fold changes, symbols in front."""
    known = [name for name in _SPARED if name in table]
    others = [name for name in table if name not in (*_SPARED, *_KEPT)]
    changes = [name for name in others if str(name).startswith("log2FoldChange.")]
    symbols = [name for name in others[:1] if name == table.columns[0]]
    annotation = [name for name in others if name not in (*changes, *symbols)]
    return [*reversed(annotation), *known, *reversed(changes), *symbols]


def _text(table: pd.DataFrame, max_rows: int | None, digits: int) -> str:
    return table.to_string(max_rows=max_rows, float_format=f"{{:.{digits}g}}".format)


def _fits(text: str, width: int) -> bool:
    return max(map(len, text.splitlines()), default=0) <= width


class GeneTable(pd.DataFrame):
    """A DataFrame of genes that prints itself as wide as the terminal is; all that is made of it is a plain one."""

    @property
    def _constructor(self) -> Any:  # noqa: ANN401 (as pandas has it)
        return pd.DataFrame

    def __repr__(self) -> str:
        return as_text(self, pd.get_option("display.max_rows"))
