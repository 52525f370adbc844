"""The members of a saved file: text and arrays, whose sizes and shapes are checked before memory is taken for them."""

from __future__ import annotations

import math
import stat
import zipfile
from collections.abc import Iterable
from typing import IO, Any, NoReturn

import numpy as np
import numpy.typing as npt

from countnest.containers.memory import available_memory, bytes_shown
from countnest.errors import FileError, counted, listing
from countnest.files import FilePath

__all__ = ["HEADER", "Members", "array_name", "is_bounded"]

HEADER = "countnest.json"

# A file unpacks to at most these multiples of its own size, or to these numbers of bytes: text takes some twenty times
# its size as objects, and arrays of counts are rarely a hundred times smaller in a file.
ARRAYS_RATIO, ARRAYS_SIZE = 200, 64 << 20
TEXT_RATIO, TEXT_SIZE = 20, 16 << 20
MOST_MEMBERS = 100_000

ENCRYPTED, UNIX_MODE = 1, 16
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
KINDS = "biufU"
READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def array_name(place: int) -> str:
    """Return the name of the member that holds an array."""
    return f"array_{place}.npy"


def is_bounded(text: int, whole: int, size: int) -> bool:
    """Tell whether text of so many bytes, and so many bytes in all, are what a file of `size` bytes may unpack to."""
    return text <= max(TEXT_SIZE, TEXT_RATIO * size) and whole <= max(ARRAYS_SIZE, ARRAYS_RATIO * size)


class Members:
    """The members of an open file.

    Parameters
    ----------
    file
        A zip archive.
    size
        Its bytes.
    path
        Its name, for messages.

    Raises
    ------
    FileError
        Members that no saved data set has, or that would take more memory than the file can be worth.
    """

    def __init__(self, file: IO[bytes], size: int, path: FilePath) -> None:
        self._archive, self._path = zipfile.ZipFile(file), path
        infos = self._archive.infolist()
        self._check_kinds(infos)
        self._check_sizes(infos, size)
        self.unpacked = sum(info.file_size for info in infos)

    def text(self) -> bytes:
        """Return the header."""
        return self._archive.read(HEADER)

    def array(self, place: int) -> npt.NDArray[Any]:
        """Return an array.

        Raises
        ------
        FileError
            The array does not have the size that its header says, or is of a type that no saved array has.
        """
        name = array_name(place)
        with self._archive.open(name) as member:
            version = np.lib.format.read_magic(member)
            if version not in READ_HEADER:
                self._refuse(f"'{name}' has the format {version}")
            shape, _, dtype = READ_HEADER[version](member)
            found = self._archive.getinfo(name).file_size - member.tell()
        if dtype.kind not in KINDS or dtype.itemsize == 0 or dtype.subdtype is not None:
            self._refuse(f"'{name}' is of type {dtype}")
        if min(shape, default=0) < 0 or max(shape, default=0) > np.iinfo(np.int32).max:
            self._refuse(f"'{name}' has the shape {shape}")
        if (needed := math.prod(shape) * dtype.itemsize) != found:
            self._refuse(f"'{name}' has {found} bytes of values, but its shape {shape} takes {needed}")
        with self._archive.open(name) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))

    def _check_kinds(self, infos: list[zipfile.ZipInfo]) -> None:
        names = [info.filename for info in infos]
        expected = [HEADER, *map(array_name, range(len(names) - 1))]
        if names != expected:
            odd = [name for name, other in zip(names, expected, strict=False) if name != other]
            self._refuse(f"it holds {listing(odd) if odd else 'nothing'}, where a saved data set has something else")
        if len(names) > MOST_MEMBERS:
            self._refuse(f"it holds {counted(len(names), 'member')}")
        if any(info.flag_bits & ENCRYPTED or info.compress_type not in METHODS for info in infos):
            self._refuse("its members are encrypted or packed in another way")
        if any(stat.S_IFMT(info.external_attr >> UNIX_MODE) not in (0, stat.S_IFREG) for info in infos):
            self._refuse("its members are no plain files")

    def _check_sizes(self, infos: Iterable[zipfile.ZipInfo], size: int) -> None:
        sizes = [info.file_size for info in infos]
        whole = sum(sizes)
        if sum(info.compress_size for info in infos) > size or not is_bounded(sizes[0], whole, size):
            self._refuse(f"it has {size} bytes and would unpack to {whole}, {sizes[0]} of them text")
        available = available_memory()
        if available is not None and whole > available:
            raise FileError(
                f"'{self._path}' takes {bytes_shown(whole)} of memory, and {bytes_shown(available)} are there. Load it "
                "on a larger machine."
            )

    def _refuse(self, why: str) -> NoReturn:
        raise FileError(
            f"'{self._path}' does not hold what a saved data set holds: {why}. Give a file that save() wrote."
        )
