"""Values in one file: arrays, numbers, text, tables and records, but no code.

The file is a zip archive: `countnest.json` describes the content and refers to arrays, which are members in NumPy's
format (`numpy.load` reads them too). Sizes and shapes are checked before memory is taken for them. The same content
always gives the same bytes.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from countnest.errors import FileError, listing
from countnest.files import FilePath, check_path, whole_file
from countnest.io.values import ARRAY_KINDS, Decoder, Encoder, UnknownRecordError, record_types
from countnest.memory import available_memory, bytes_shown
from countnest.remedies import advised
from countnest.version import installed_version

__all__ = ["FORMAT", "UNREADABLE", "is_bounded", "read_archive", "write_archive"]

# Raised when a file can no longer be read by an earlier version of this module.
FORMAT = 3
HEADER = "countnest.json"

# A file unpacks to at most these multiples of its own size, or to these numbers of bytes: text takes some twenty times
# its size as objects, and arrays of counts are rarely a hundred times smaller in a file.
ARRAYS_RATIO, ARRAYS_SIZE = 200, 64 << 20
TEXT_RATIO, TEXT_SIZE = 20, 16 << 20
MOST_MEMBERS = 100_000

# Members have no time of their own: the same content gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16
UNIX = 3
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What goes wrong where a file holds something else: also too deep, too large, of another type, not of this kind of zip.
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, TypeError, ValueError, AttributeError,
    AssertionError, ArithmeticError, RuntimeError, MemoryError,
)  # fmt: skip


def write_archive(content: Mapping[str, Any], path: FilePath, records: Iterable[type] = ()) -> None:
    """Write named values; the file is written completely or not at all.

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
    encoder = Encoder(record_types(records))
    tree = {name: encoder.encode(value, name) for name, value in content.items()}
    header = {"format": FORMAT, "countnest": installed_version(), "content": tree}
    text = _as_bytes(json.dumps(header, allow_nan=False, ensure_ascii=False, separators=(",", ":")))
    with whole_file(path) as draft, draft.open("wb") as file:
        if not _write_members(file, text, encoder.arrays, zipfile.ZIP_DEFLATED):
            _write_members(file, text, encoder.arrays, zipfile.ZIP_STORED)


def _as_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 10) : error.end + 10]
        raise FileError(
            f"the data set cannot be saved: it holds text that is not valid Unicode, a lone surrogate in {around!r}. "
            "Correct the label or the value; text that was read with another encoding is a common cause."
        ) from error


def _write_members(file: IO[bytes], text: bytes, arrays: Sequence[npt.NDArray[Any]], method: int) -> bool:
    """Write text and arrays, and return whether the file is large enough to be read again (see `is_bounded`)."""
    file.seek(0)
    file.truncate()
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(_member(HEADER, method), "w", force_zip64=True) as member:
            member.write(text)
        for number, array in enumerate(arrays):
            with archive.open(_member(_array_name(number), method), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        whole = sum(info.file_size for info in archive.infolist())
    return is_bounded(len(text), whole, file.seek(0, 2))


def _member(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, NO_TIME)
    info.compress_type = method
    info.external_attr, info.create_system = READABLE, UNIX
    return info


def _array_name(number: int) -> str:
    """Return the name of the member that holds an array."""
    return f"array_{number}.npy"


def is_bounded(text: int, whole: int, size: int) -> bool:
    """Return whether a file of `size` bytes may unpack to `whole` bytes, of which `text` bytes are text."""
    return text <= max(TEXT_SIZE, TEXT_RATIO * size) and whole <= max(ARRAYS_SIZE, ARRAYS_RATIO * size)


def read_archive(path: FilePath, records: Iterable[type] = ()) -> dict[str, Any]:
    """Read an archive of `write_archive`; of dataclasses, only `records` and the types of their fields are built.

    Raises
    ------
    FileError
        There is no such file, it is of another kind, damaged, incomplete, or of a newer format.
    """
    with _opened(path) as file, zipfile.ZipFile(file) as archive:
        unpacked = _checked_size(archive, file.seek(0, 2), path)
        header = json.loads(archive.read(HEADER), parse_constant=_refuse_constant)
        if type(header["format"]) is not int or header["format"] < 1:
            raise ValueError(f"{header['format']!r} is not a format")
        if header["format"] > FORMAT:
            raise FileError(
                f"'{path}' has format {header['format']}, written by countnest {header['countnest']}; this is "
                f"countnest {installed_version()}, which reads formats up to {FORMAT}. Install a newer countnest."
            )
        arrays: dict[int, npt.NDArray[Any]] = {}

        def array(number: int) -> npt.NDArray[Any]:
            if number not in arrays:
                arrays[number] = _read_array(archive, _array_name(number))
            return arrays[number]

        decoder = Decoder(record_types(records), array, unpacked)
        try:
            return {name: decoder.decode(value) for name, value in header["content"].items()}
        except UnknownRecordError as error:
            raise FileError(
                f"'{path}' was written by countnest {header['countnest']} and {error}, unlike countnest "
                f"{installed_version()}. Read it with the version that wrote it."
            ) from error


def _refuse_constant(name: str) -> None:
    """Refuse what JSON does not have."""
    raise ValueError(f"{name} is not a JSON number")


@contextmanager
def _opened(path: FilePath) -> Iterator[IO[bytes]]:
    """Yield the open file; every failure becomes a `FileError`."""
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
        writer = advised("save()", "countnest run --save")
        raise FileError(
            f"'{path}' does not hold what a saved data set holds: {type(error).__name__}: {error}. Give a file that "
            f"{writer} wrote; if this is one, it is damaged or incomplete: copy it again from where it came from."
        ) from error


def _checked_size(archive: zipfile.ZipFile, size: int, path: FilePath) -> int:
    """Return the bytes of all members, unpacked, of an archive that is a saved data set by its members.

    Raises
    ------
    ValueError
        Members that no saved data set has, or that would take more memory than the file can be worth.
    FileError
        They take more memory than there is.
    """
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if not names or names != [HEADER, *map(_array_name, range(len(names) - 1))] or len(names) > MOST_MEMBERS:
        raise ValueError(f"its members are {listing(names)}")
    if any(info.compress_type not in METHODS for info in infos):
        raise ValueError("its members are packed in another way")
    whole = sum(info.file_size for info in infos)
    if sum(info.compress_size for info in infos) > size or not is_bounded(infos[0].file_size, whole, size):
        raise ValueError(f"it has {size} bytes and would unpack to {whole}, {infos[0].file_size} of them text")
    available = available_memory()
    if available is not None and whole > available:
        raise FileError(
            f"'{path}' takes {bytes_shown(whole)} of memory, and {bytes_shown(available)} are available. Load it on a "
            "larger machine."
        )
    return whole


def _read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """Return an array whose size agrees with its header; anything else is a `ValueError`."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"'{name}' has the format {version}")
        shape, _, dtype = readers[version](member)
        if dtype.kind not in ARRAY_KINDS or dtype.itemsize == 0 or dtype.subdtype is not None:
            raise ValueError(f"'{name}' is of type {dtype}")
        needed, found = math.prod(shape) * dtype.itemsize, archive.getinfo(name).file_size - member.tell()
        if min(shape, default=0) < 0 or needed != found:
            raise ValueError(f"'{name}' has the shape {shape}, which takes {needed} bytes, but there are {found}")
        member.seek(0)
        array = np.lib.format.read_array(member, allow_pickle=False)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))
