"""Writing tables: whole files, exact numbers, the same bytes every time."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd

from countnest.errors import FileError
from countnest.files import FilePath, whole_file

__all__ = ["write_table"]

# Of compression: files a tenth larger than at level 9, in a sixth of the time.
_LEVEL = 2
_SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}


def write_table(frame: pd.DataFrame, path: FilePath) -> None:
    r"""Write a table with its index as the first column; the file appears whole or not at all.

    Parameters
    ----------
    frame
        The table. Numbers are written so that reading them gives the same numbers, missing values as `NA`.
    path
        The suffix decides the format: `.csv` with commas; `.tsv`, `.tab` and `.txt` with tabs; with `.gz` after it,
        compressed. The same table always gives the same bytes.

    Raises
    ------
    FileError
        The suffix is another one, or the file cannot be written.

    Notes
    -----
    R counterpart: `utils::write.csv`, `utils::write.table(sep = "\t", col.names = NA)`.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    compressed = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[:-1][-1:] if compressed else suffixes[-1:])
    if kind not in _SEPARATORS:
        raise FileError(
            f"Cannot write '{path}': the format is not known from its name; end it with "
            f"{', '.join(_SEPARATORS)}, and .gz after it to compress."
        )
    data = _text(frame, _SEPARATORS[kind])
    with whole_file(path) as draft:
        # a time in the header would make the bytes differ from one day to the next
        draft.write_bytes(gzip.compress(data, _LEVEL, mtime=0) if compressed else data)


def _text(frame: pd.DataFrame, separator: str) -> bytes:
    buffer = io.StringIO(newline="")
    # the same text, sooner: of arrays of numbers pandas first makes arrays of strings
    frame.astype(object).to_csv(buffer, sep=separator, na_rep="NA", lineterminator="\n")
    return buffer.getvalue().encode("utf-8")
