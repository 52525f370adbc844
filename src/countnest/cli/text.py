"""Tables and lists for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["gene_table", "level_text"]

_LABEL_WIDTH = 32  # with all columns, a line stays within 100 characters

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
    labels = _aligned(["gene", *map(_shortened, table.index)], str.ljust)
    return "\n".join("  ".join(row).rstrip() for row in zip(labels, *columns, strict=True))


def level_text(levels: Mapping[str, Sequence[object]]) -> str:
    """Return 'cell N052611, dex untrt' for levels that have the reference first."""
    return ", ".join(f"{variable} {values[0]}" for variable, values in levels.items()) or "none (no factors)"


def _cells(name: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[str]:
    texts = ["NA" if np.isnan(value) else _FORMATS[name](value) for value in values]
    return _aligned([name, *texts], str.rjust)


def _aligned(texts: list[str], justify: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, texts))
    return [justify(text, width) for text in texts]


def _shortened(label: object) -> str:
    text = str(label)
    return text if len(text) <= _LABEL_WIDTH else f"{text[: _LABEL_WIDTH - 3]}..."
