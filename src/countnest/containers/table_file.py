"""Writing of tables: complete files, exact numbers, the same bytes every time."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
from isal import isal_zlib

from countnest.containers.table_text import table_text
from countnest.errors import FileError
from countnest.files import FilePath, check_path, whole_file

__all__ = ["check_ending", "write_json", "write_table"]

_SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_COMPRESSED: Final[dict[str, Callable[[bytes], bytes]]] = {
    # in the gzip format (31), with no time in the header, which would make the bytes differ from one day to the next;
    # files are a little smaller than those of zlib at level 2, and take a quarter of the time
    ".gz": lambda data: isal_zlib.compress(data, 2, 31),
    # imported when they are used: not every Python is built with them
    ".bz2": lambda data: bytes(importlib.import_module("bz2").compress(data)),
    ".xz": lambda data: bytes(importlib.import_module("lzma").compress(data)),
}


def write_table(table: pd.DataFrame, path: FilePath, label: str = "gene") -> None:
    r"""Write a table with its index as the first column; the file is written completely or not at all.

    Parameters
    ----------
    table
        The table. Numbers are written so that reading them gives the same numbers, missing values as `NA`.
    path
        The ending decides the format: `.csv` with commas; `.tsv`, `.tab` and `.txt` with tabs; with `.gz`, `.bz2` or
        `.xz` after it, compressed. The same table always gives the same bytes. A device gets commas.
    label
        Heading of the first column, where the index has no name.

    Raises
    ------
    FileError
        The ending is another one, or the file cannot be written.

    Notes
    -----
    R counterpart: `utils::write.csv`, `utils::write.table(sep = "\t", col.names = NA)`.
    """
    check_path(path)
    separator, compressed = _format(Path(path))
    data = table_text(table, separator, label).encode()
    with whole_file(path) as draft:
        draft.write_bytes(compressed(data) if compressed else data)


def check_ending(path: FilePath) -> None:
    """Raise `FileError` if `write_table` does not know the format of a file by its ending."""
    check_path(path)
    _format(Path(path))


def write_json(record: Mapping[str, Any], path: FilePath) -> None:
    """Write a record in the types of JSON, completely or not at all."""
    check_path(path)
    text = json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False)
    with whole_file(path) as draft:
        draft.write_bytes(f"{text}\n".encode())


def _format(path: Path) -> tuple[str, Callable[[bytes], bytes] | None]:
    """Return the separator and the compression of a file of this name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = _COMPRESSED.get(suffixes[-1]) if suffixes else None
    kind = "".join(suffixes[:-1][-1:] if compressed else suffixes[-1:])
    if kind in _SEPARATORS:
        return _SEPARATORS[kind], compressed
    if path.exists() and not path.is_file():  # a device; `whole_file` refuses folders
        return ",", None
    raise FileError(
        f"Cannot write '{path}': the format is not known from its name; end it with {', '.join(_SEPARATORS)}, and "
        f"{', '.join(_COMPRESSED)} after it to compress."
    )
