"""The text of a file, unpacked; files that are not text are refused with advice."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from countnest.containers.given import file_remedy
from countnest.errors import FileError, suggestion
from countnest.files import FilePath, check_path

__all__ = ["STAR_REMEDY", "file_text"]

STAR_REMEDY = (
    "Its columns of counts are 1: unstranded, 2: the first read on the strand of the gene (htseq-count -s yes), 3: the "
    "second read on it (-s reverse, as most stranded kits have it). Read one of them for every sample, such as "
    "pd.read_csv(path, sep='\\t', header=None, index_col=0)[3], join them by pd.concat(..., axis=1), and give the "
    "table to DESeqDataSet, which leaves out the rows N_unmapped to N_ambiguous."
)
_BEGINNINGS = {b"PK\x03\x04": "x.xlsx", b"\x89HDF": "x.h5ad"}
_SAVE_AS_TEXT = "Save the table as comma- or tab-separated text in UTF-8 (in Excel: 'CSV UTF-8')."


def file_text(path: FilePath) -> str:
    """Return the text of a file, unpacked, with Unix line endings."""
    check_path(path)
    data = _bytes(path)
    _refuse_other_kinds(data, path)
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (EOFError, OSError, zlib.error) as error:
        raise FileError(f"'{path}' cannot be unpacked: {error}. Was it copied completely?") from error
    except UnicodeDecodeError as error:
        raise FileError(f"'{path}' is not UTF-8 text. {_save_as_text(path)}") from error
    if "\0" in text:
        raise FileError(f"'{path}' is not a text file. {_save_as_text(path)}")
    if text.startswith("%%MatrixMarket"):
        raise FileError(f"'{path}' is a matrix without labels: {file_remedy('matrix.mtx')}.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bytes(path: FilePath) -> bytes:
    place = Path(path).expanduser()
    if place.is_dir():
        raise FileError(f"'{path}' is a folder; give the name of a file.")
    try:
        return place.read_bytes()
    except FileNotFoundError as error:
        beside = sorted(file.name for file in place.parent.iterdir()) if place.parent.is_dir() else []
        raise FileError(f"'{path}' does not exist.{suggestion(place.name, beside)}") from error
    except OSError as error:
        raise FileError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _save_as_text(path: FilePath) -> str:
    remedy = file_remedy(path)
    return _SAVE_AS_TEXT if remedy is None else f"By its name, {remedy}."


def _refuse_other_kinds(data: bytes, path: FilePath) -> None:
    """Raise for a workbook or an HDF5 file, whatever its name is."""
    for beginning, name in _BEGINNINGS.items():
        if data.startswith(beginning):
            remedy = str(file_remedy(name)).replace(repr(name), repr(str(path)))
            kind = "a workbook of Excel, or another archive" if name == "x.xlsx" else "a file of HDF5, such as .h5ad"
            raise FileError(f"'{path}' is {kind}, and not a text file (UTF-8): {remedy}.")
