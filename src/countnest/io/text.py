"""The text of a file, unpacked; files that are not text are refused with advice."""

from __future__ import annotations

import gzip
import importlib
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from countnest.containers.given import file_remedy
from countnest.errors import FileError, listing, suggestion
from countnest.files import FilePath, check_path

__all__ = ["file_bytes", "file_text", "text_of", "unpacked"]

_BEGINNINGS = {b"PK\x03\x04": "x.xlsx", b"\x89HDF": "x.h5ad"}
_WORKBOOK = "xl/workbook.xml"
_OF_THE_SYSTEM = "__MACOSX/"
_ZIP: Final = b"PK\x03\x04"
# Not every Python is built with the modules of the last two.
_PACKED: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": lambda data: bytes(importlib.import_module("bz2").decompress(data)),
    b"\xfd7zXZ": lambda data: bytes(importlib.import_module("lzma").decompress(data)),
}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS_TEXT = "Save the table as comma- or tab-separated text in UTF-8 (in Excel: 'CSV UTF-8')."


def file_text(path: FilePath) -> str:
    """Return the text of a file, unpacked, with Unix line endings."""
    return text_of(file_bytes(path), path)


def text_of(data: bytes, path: FilePath) -> str:
    """Return the text in the bytes of a file: UTF-8, or UTF-16 with its mark, as Excel writes 'Unicode text'.

    It may be packed: with gzip, bzip2 or xz, or in a zip archive by itself.
    """
    data = unpacked(data, path)
    _refuse_other_kinds(data, path)
    try:
        text = data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"'{path}' is not UTF-8 text. {_save_as_text(path)}") from error
    if "\0" in text:
        raise FileError(f"'{path}' is not a text file. {_save_as_text(path)}")
    if text.startswith("%%MatrixMarket"):
        raise FileError(f"'{path}' is a matrix without labels: {file_remedy('matrix.mtx')}.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unpacked(data: bytes, path: FilePath) -> bytes:
    """Return the content of a packed file, and any other bytes unchanged."""
    if data.startswith(_ZIP):
        return _only_member(data, path)
    unpack = next((unpack for start, unpack in _PACKED.items() if data.startswith(start)), None)
    if unpack is None:
        return data
    try:
        return unpack(data)
    except Exception as error:  # each library has its own kinds
        raise FileError(f"'{path}' cannot be unpacked: {error}. Was it copied completely?") from error


def _only_member(data: bytes, path: FilePath) -> bytes:
    """Return the only file in a zip archive; a workbook of Excel, and what cannot be opened, unchanged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            members = [name for name in names if not name.startswith(_OF_THE_SYSTEM)]
            if _WORKBOOK in members:
                return data
            if len(members) == 1:
                return archive.read(members[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return data
    raise FileError(
        f"'{path}' is a zip archive of {len(members)} files: {listing(members)}. Unpack it, and give the files."
    )


def file_bytes(path: FilePath) -> bytes:
    """Return the bytes of a file."""
    check_path(path)
    place = Path(path).expanduser()
    if place.is_dir():
        inside = sorted(file.name for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
        such = f" It holds {listing(inside)}." if inside else ""
        raise FileError(f"'{path}' is a folder; give the name of a file.{such}")
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
