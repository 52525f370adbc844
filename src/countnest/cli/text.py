"""Tables and lists for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from countnest.containers.gene_info import symbols_of
from countnest.queries.query import Query

__all__ = ["gene_table", "level_text", "row_sentences", "wrapped"]

_WIDTH = 100
_UNBROKEN = "\N{NO-BREAK SPACE}"
_MOST_CELLS = 8
_LABEL_WIDTH = 32  # with all columns and without symbols, a line stays within 100 characters
_SYMBOL_WIDTH = 14

_FORMATS: dict[str, Callable[[float], str]] = {
    "baseMean": "{:.1f}".format,
    "log2FoldChange": "{:.2f}".format,
    "lfcSE": "{:.2f}".format,
    "stat": "{:.2f}".format,
    "pvalue": "{:.2e}".format,
    "padj": "{:.2e}".format,
}


def gene_table(table: pd.DataFrame) -> str:
    """Return rows of a table of results as aligned text, rounded for reading."""
    names = [name for name in _FORMATS if name in table]
    columns = [_cells(name, table[name].to_numpy(dtype=np.float64)) for name in names]
    labels = [_aligned(["gene", *map(_shortened, table.index)], str.ljust)]
    symbols = symbols_of(table)
    if symbols is not None:
        labels.append(_aligned([_shortened(text, _SYMBOL_WIDTH) for text in (symbols.name, *symbols)], str.ljust))
    return "\n".join("  ".join(row).rstrip() for row in zip(*labels, *columns, strict=True))


def level_text(levels: Mapping[str, Sequence[object]]) -> str:
    """Return 'cell N052611, dex untrt' for levels that have the reference first."""
    return ", ".join(f"{variable} {values[0]}" for variable, values in levels.items()) or "none (no factors)"


def wrapped(head: str, pieces: Sequence[str], separator: str, indent: int) -> str:
    """Return a list as lines of at most 100 characters, broken between its items where possible."""
    whole = [" ".join(piece.split()).replace(" ", _UNBROKEN) for piece in pieces]
    text = f"{head} {separator.join(whole)}".strip()
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_on_hyphens=False
    )
    return "\n".join(lines).replace(_UNBROKEN, " ")


def row_sentences(row: Query) -> list[str]:
    """Return lines that explain a query of one row: its cells or coefficients, and whether it compares blocks."""
    _, *lines = row.explain().splitlines()
    cells = [line for line in lines if line.startswith("    ")]
    others = [line.strip() for line in lines if not line.startswith("    ")]
    hidden = [f"and {len(cells) - _MOST_CELLS} more"] if len(cells) > _MOST_CELLS else []
    sentences = [wrapped(others[0], [*cells[:_MOST_CELLS], *hidden], "; ", 4)]
    return [*sentences, wrapped(others[-1], [], "", 4)] if row.stratum == "between" else sentences


def _cells(name: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[str]:
    texts = ["NA" if np.isnan(value) else _FORMATS[name](value) for value in values]
    return _aligned([name, *texts], str.rjust)


def _aligned(texts: list[str], justify: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, texts))
    return [justify(text, width) for text in texts]


def _shortened(label: object, width: int = _LABEL_WIDTH) -> str:
    text = str(label)
    return text if len(text) <= width else f"{text[: width - 3]}..."
