"""Records of an analysis in one file: arrays, numbers, text and tables, and nothing that could run.

The file is a zip archive: `countnest.json` says what there is and refers to arrays, which are members in NumPy's format
(`numpy.load` reads them too). Its last 64 bytes, the comment of the archive, are the SHA-256 of everything before them,
so that any damage is found before anything is read. The same content always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import IO, Any, get_args, get_type_hints

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.errors import FileError, listing
from countnest.files import FilePath, check_path, whole_file
from countnest.io.columns import decode_column, encode_column
from countnest.io.members import HEADER, Members, array_name, is_bounded
from countnest.io.typed import is_of_type
from countnest.version import installed_version

__all__ = ["FORMAT", "UNREADABLE", "read_archive", "record_types", "write_archive"]

# Raised when a file can no longer be read by an earlier version of this module.
FORMAT = 2

SIGNATURE = b"PK\x03\x04"
NAME_AT = 30  # where the name of the first member stands in a zip archive
DIGEST_LENGTH = 64
CHUNK = 1 << 20
# Members have no time of their own: the same content gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16
UNIX = 3
# What goes wrong where a file holds something else: also too deep, too large, of another type, not of this kind of zip.
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, TypeError, ValueError, AttributeError,
    AssertionError, ArithmeticError, RuntimeError, MemoryError,
)  # fmt: skip
NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def record_types(roots: Iterable[type]) -> dict[str, type]:
    """Return dataclasses and all that their fields can hold, by name: nothing else is ever built from a file.

    Raises
    ------
    ValueError
        Two different records have the same name.
    """
    found: dict[str, type] = {}
    open_: list[Any] = list(roots)
    while open_:
        kind = open_.pop()
        open_ += get_args(kind)
        if not (isinstance(kind, type) and is_dataclass(kind)) or found.get(kind.__name__) is kind:
            continue
        if kind.__name__ in found:
            raise ValueError(f"two records have the name '{kind.__name__}'; files need a name of its own for each.")
        found[kind.__name__] = kind
        open_ += get_type_hints(kind).values()
    return found


def write_archive(content: Mapping[str, Any], path: FilePath, records: Iterable[type] = ()) -> None:
    """Write named values; the file appears whole or not at all.

    Parameters
    ----------
    content
        None, numbers, text, arrays, lists, tuples, dicts with text as keys, data frames, indexes, and records, nested
        in each other. An array that occurs twice is written once.
    path
        The file.
    records
        Dataclasses that the content may hold; the types of their fields, which may be dataclasses too, come with them.

    Raises
    ------
    FileError
        A value is something else, such as a function; or the file cannot be written.
    """
    writing = _Writing(record_types(records))
    tree = {name: writing.encode(value, name) for name, value in content.items()}
    header = {"format": FORMAT, "countnest": installed_version(), "content": tree}
    text = _as_bytes(json.dumps(header, allow_nan=False, ensure_ascii=False, separators=(",", ":")))
    with whole_file(path) as draft, draft.open("w+b") as file:
        if not _write_members(file, text, writing.arrays, zipfile.ZIP_DEFLATED):
            _write_members(file, text, writing.arrays, zipfile.ZIP_STORED)
        digest = _digest(file, file.seek(0, 2) - DIGEST_LENGTH)
        file.seek(-DIGEST_LENGTH, 2)
        file.write(digest)


def _as_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 10) : error.end + 10]
        raise FileError(
            f"the data set cannot be saved: it holds text that is not valid Unicode, a lone surrogate in {around!r}. "
            "Mend the label or the value; text that was read with another encoding is a common cause."
        ) from error


def _write_members(file: IO[bytes], text: bytes, arrays: Sequence[npt.NDArray[Any]], method: int) -> bool:
    """Write text and arrays, and tell whether the file is as large as one that unpacks to them has to be."""
    file.seek(0)
    file.truncate()
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(_member(HEADER, method), "w", force_zip64=True) as member:
            member.write(text)
        for place, array in enumerate(arrays):
            with archive.open(_member(array_name(place), method), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        archive.comment = b"0" * DIGEST_LENGTH
        whole = sum(info.file_size for info in archive.infolist())
    return is_bounded(len(text), whole, file.seek(0, 2))


def read_archive(path: FilePath, records: Iterable[type] = ()) -> dict[str, Any]:
    """Return what `write_archive` wrote; of dataclasses, only `records` and the types of their fields are built.

    Raises
    ------
    FileError
        There is no such file, it is of another kind, damaged, incomplete, or of a newer format.
    """
    with _opened(path) as file:
        size = file.seek(0, 2)
        _check_whole(file, size, path)
        members = Members(file, size, path)
        header = json.loads(members.text(), parse_constant=_refuse_constant)
        if type(header["format"]) is not int or header["format"] < 1:
            raise ValueError(f"{header['format']!r} is no format")
        if header["format"] > FORMAT:
            raise FileError(
                f"'{path}' has format {header['format']}, written by countnest {header['countnest']}; this is "
                f"countnest {installed_version()}, which reads formats up to {FORMAT}. Install a newer countnest."
            )
        reading = _Reading(members, path, str(header["countnest"]), record_types(records))
        return {name: reading.decode(value) for name, value in header["content"].items()}


def _refuse_constant(name: str) -> None:
    """Refuse what JSON does not have."""
    raise ValueError(f"{name} is no number of JSON")


@contextmanager
def _opened(path: FilePath) -> Iterator[IO[bytes]]:
    """Yield the open file; what goes wrong becomes a `FileError`."""
    check_path(path)
    try:
        with Path(path).expanduser().open("rb") as file:
            yield file
    except FileError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"there is no file '{path}'. Check the name and the folder.") from error
    except IsADirectoryError as error:
        raise FileError(f"'{path}' is a folder. Give the name of a file.") from error
    except OSError as error:
        raise FileError(f"cannot read '{path}': {error.strerror or error}.") from error
    except UNREADABLE as error:
        raise FileError(
            f"'{path}' does not hold what a saved data set holds ({type(error).__name__}: {error}). Save it again."
        ) from error


def _check_whole(file: IO[bytes], size: int, path: FilePath) -> None:
    """Raise `FileError` unless the file is one of ours and as it was written."""
    file.seek(0)
    start = file.read(NAME_AT + len(HEADER))
    if start[: len(SIGNATURE)] != SIGNATURE or start[NAME_AT:] != HEADER.encode():
        what = "is empty" if not start else "is not a data set that countnest saved"
        raise FileError(f"'{path}' {what}. Give a file that save() wrote.")
    body = max(size - DIGEST_LENGTH, 0)
    digest = _digest(file, body)
    file.seek(body)
    if file.read() != digest:
        raise FileError(
            f"'{path}' is damaged or incomplete: its {size} bytes are not those that were written. Copy it again from "
            "where it came from, or save the data set again."
        )


def _digest(file: IO[bytes], length: int) -> bytes:
    """Return the SHA-256 of the first bytes of a file, as text."""
    digest = hashlib.sha256()
    file.seek(0)
    while length > 0 and (chunk := file.read(min(CHUNK, length))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest().encode()


def _member(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, NO_TIME)
    info.compress_type = method
    info.external_attr, info.create_system = READABLE, UNIX
    return info


class _Writing:
    """Values as JSON, and the arrays that it refers to."""

    def __init__(self, records: Mapping[str, type]) -> None:
        self._records = records
        self.arrays: list[npt.NDArray[Any]] = []
        self._places: dict[int, int] = {}

    def encode(self, value: Any, where: str) -> Any:  # noqa: ANN401 (values of many types, JSON)
        """Return a value as JSON; `where` names it in errors."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"number": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray):
            return {"array": self._place(value, where)}
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}
        if isinstance(value, Mapping):
            return {"dict": [[self.encode(k, where), self.encode(v, f"{where}[{k!r}]")] for k, v in value.items()]}
        if isinstance(value, pd.DataFrame):
            columns = [encode_column(value.iloc[:, i], f"{where}[{name!r}]") for i, name in enumerate(value.columns)]
            parts = {"columns": value.columns, "index": value.index, "values": columns}
            return {"frame": self.encode(parts, where)}
        if isinstance(value, pd.RangeIndex):  # kept apart: it says that there are no labels
            parts = {"name": value.name, "range": [value.start, value.stop, value.step]}
            return {"index": self.encode(parts, where)}
        if isinstance(value, pd.Index):
            column = encode_column(value.to_series(), where)
            return {"index": self.encode({"name": value.name, "values": column}, where)}
        name = type(value).__name__
        if self._records.get(name) is type(value) and is_dataclass(value):
            held = {field.name: getattr(value, field.name) for field in fields(value)}
            return {"record": name, "fields": {k: self.encode(v, f"{where}.{k}") for k, v in held.items()}}
        raise _unsaved(value, where)

    def _place(self, array: npt.NDArray[Any], where: str) -> int:
        if array.dtype.kind not in "biufU":
            raise _unsaved(array, where)
        if id(array) not in self._places:
            self._places[id(array)] = len(self.arrays)
            self.arrays.append(array)  # which also keeps its id from being used again
        return self._places[id(array)]


def _unsaved(value: object, where: str) -> FileError:
    if "trend" in where.split("."):
        return FileError(
            "the data set cannot be saved: the dispersion trend is a function of yours (fit_type=), and a file holds "
            "no code. Use fit_type='parametric', 'local' or 'mean'; or save counts and results as tables, and run the "
            "analysis again."
        )
    if callable(value):
        return FileError(
            f"the data set cannot be saved: {where} is a function that you gave ({type(value).__name__}), and a file "
            "holds no code. Save counts and results as tables, and run the analysis again."
        )
    return FileError(f"the data set cannot be saved: {where} is of type {type(value).__name__}, which a file lacks.")


class _Reading:
    """JSON and arrays as values."""

    def __init__(self, members: Members, path: FilePath, version: str, records: Mapping[str, type]) -> None:
        self._records = records
        self._members = members
        self._path = path
        self._version = version
        self._arrays: dict[int, npt.NDArray[Any]] = {}
        self._cells = 0

    def decode(self, tree: Any) -> Any:  # noqa: ANN401 (JSON, values of many types)
        if not isinstance(tree, dict):
            return tree
        if "record" in tree:
            return self._record(tree["record"], tree["fields"])
        ((kind, held),) = tree.items()
        if kind == "number":
            return NON_FINITE[held]
        if kind == "array":
            return self._array(held)
        if kind in ("list", "tuple"):
            items = [self.decode(item) for item in held]
            return items if kind == "list" else tuple(items)
        if kind == "dict":
            return {self.decode(key): self.decode(value) for key, value in held}
        parts = self.decode(held)
        if kind == "index" and "range" in parts:
            start, stop, step = parts["range"]
            return pd.RangeIndex(start, stop, step, name=parts["name"])
        if kind == "index":
            return pd.Index(self._column(parts["values"]), name=parts["name"])
        if kind == "frame":
            return self._frame(parts["columns"], parts["index"], parts["values"])
        raise ValueError(f"'{kind}' is not known")

    def _frame(self, names: pd.Index, index: pd.Index, held: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        values = [self._column(column) for column in held]
        if any(len(column) != len(index) for column in values):
            raise ValueError("columns of a table have different lengths")
        columns = [pd.Series(column, index=index) for column in values]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
        return frame.set_axis(names, axis=1)

    def _column(self, held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (an array of NumPy or pandas)
        """Return the values of a column; all columns have no more cells than the file has bytes when it is unpacked."""
        part = held
        while part["type"] == "categories":
            self._cells += len(part["codes"])
            part = part["categories"]
        self._cells += len(part["values"])
        if self._cells > self._members.unpacked:
            raise ValueError(f"tables of {self._cells} cells in {self._members.unpacked} bytes")
        return decode_column(held)

    def _array(self, place: object) -> npt.NDArray[Any]:
        if not isinstance(place, int):  # '1' and '01' would be two copies of one array
            raise TypeError(f"{place!r} is no array")
        if place not in self._arrays:
            self._arrays[place] = self._members.array(place)
        return self._arrays[place]

    def _record(self, name: str, held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one of the records)
        """Return a record; fields that the file lacks have their defaults."""
        kind: Any = self._records.get(name)
        known = {field.name: field for field in fields(kind)} if kind else {}
        unknown = [f"{name}.{field}" for field in held if field not in known] if kind else [name]
        lacking = [
            f"{name}.{field.name}"
            for field in known.values()
            if field.name not in held and field.default is MISSING and field.default_factory is MISSING
        ]
        if unknown or lacking:
            raise FileError(
                f"'{self._path}' was written by countnest {self._version} and "
                f"{'holds ' + listing(unknown) if unknown else 'lacks ' + listing(lacking)}, unlike countnest "
                f"{installed_version()}. Read it with the version that wrote it."
            )
        values = {field: self.decode(value) for field, value in held.items()}
        hints = get_type_hints(kind)
        wrong = [f"{name}.{field}" for field, value in values.items() if not is_of_type(value, hints[field])]
        if wrong:
            raise TypeError(f"{listing(wrong)}: another type")
        return kind(**values)
