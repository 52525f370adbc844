"""Where an array in a file is: enough to read it in this process or in another one.

h5py and zarr stay optional. Who gives an array of theirs has imported them; a worker imports what it needs.
"""

from __future__ import annotations

import importlib
import os
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ArrayFile", "array_file"]


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile(ABC):
    """An array in a file.

    Attributes
    ----------
    place
        Absolute path of the file or folder; for zarr, perhaps another kind of store.
    shape, dtype
        Of the array.
    """

    place: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def open(self) -> Any:  # noqa: ANN401 (arrays of several libraries)
        """Return the array, of which slices can be read from any thread; it is closed when nobody refers to it.

        Raises
        ------
        OSError, ValueError, KeyError
            The file is not there, or is another one.
        """
        array = self._opened()
        if tuple(array.shape) != self.shape or array.dtype != self.dtype:
            raise ValueError(f"it now holds an array of shape {tuple(array.shape)}, type {array.dtype}")
        return array

    @abstractmethod
    def _opened(self) -> Any: ...  # noqa: ANN401

    @property
    def unit(self) -> tuple[int, ...]:
        """Along each axis, what is stored in one piece."""
        return (1,) * len(self.shape)

    @property
    def is_in_pieces(self) -> bool:
        """Whether it is stored in pieces that are read whole, perhaps compressed."""
        return False

    def __str__(self) -> str:
        return f"'{self.place}'"


@dataclass(frozen=True, slots=True, eq=False)
class _Mapped(ArrayFile):
    """An array that the system maps into the memory.

    Attributes
    ----------
    start
        Its first byte in the file.
    strides
        Bytes from one element to the next along each axis, not negative.
    """

    start: int
    strides: tuple[int, ...]

    def _opened(self) -> npt.NDArray[Any]:
        last = sum((length - 1) * step for length, step in zip(self.shape, self.strides, strict=True))
        span = last + self.dtype.itemsize
        if os.path.getsize(self.place) < self.start + span:
            raise ValueError("it is shorter than it was")
        held = np.memmap(self.place, dtype=np.uint8, mode="r", offset=self.start, shape=(span,))
        return np.ndarray(self.shape, self.dtype, buffer=held, strides=self.strides)


@dataclass(frozen=True, slots=True, eq=False)
class _HDF5(ArrayFile):
    """A dataset of an HDF5 file."""

    name: str
    chunks: tuple[int, ...] | None

    def _opened(self) -> Any:  # noqa: ANN401
        return importlib.import_module("h5py").File(self.place, "r")[self.name]  # open as long as the dataset is

    @property
    def unit(self) -> tuple[int, ...]:
        return self.chunks or (1,) * len(self.shape)

    @property
    def is_in_pieces(self) -> bool:
        return self.chunks is not None

    def __str__(self) -> str:
        return f"'{self.place}' ({self.name})"


@dataclass(frozen=True, slots=True, eq=False)
class _Zarr(ArrayFile):
    """An array of a zarr store."""

    path: str
    chunks: tuple[int, ...]

    def _opened(self) -> Any:  # noqa: ANN401
        # Opened anew, so that it is missed where it is not: an array that came from elsewhere would say zero.
        within = {"path": self.path} if self.path else {}
        return importlib.import_module("zarr").open_array(store=self.place, mode="r", **within)

    @property
    def unit(self) -> tuple[int, ...]:
        return self.chunks

    @property
    def is_in_pieces(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"'{self.place}'" + (f" ({self.path})" if self.path else "")


def array_file(value: object) -> ArrayFile | None:
    """Return where the array is in a file; None where it is not, or is not known to be."""
    if isinstance(value, np.ndarray):
        return _mapped_file(value)
    if isinstance(value, _class_of("h5py", "Dataset")):
        return _hdf5_file(value)
    if isinstance(value, _class_of("zarr", "Array")):
        return _zarr_file(value)
    return None


def _class_of(library: str, name: str) -> Any:  # noqa: ANN401 (for isinstance)
    """Return a class of a library if it has been imported; nothing is an instance otherwise."""
    return getattr(sys.modules.get(library), name, ())


def _mapped_file(array: npt.NDArray[Any]) -> _Mapped | None:
    """Return the place of a memory-mapped array, or of a view of one.

    One of mode "c" may have been changed in memory alone.
    """
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode == "c" or min(array.strides, default=0) < 0:
        return None
    if root.filename is None:
        return None
    ahead = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    start = int(root.offset) + int(ahead)
    return _Mapped(os.path.abspath(str(root.filename)), array.shape, array.dtype, start, array.strides)


def _hdf5_file(dataset: Any) -> _HDF5 | None:  # noqa: ANN401
    path = os.path.abspath(str(dataset.file.filename))
    if dataset.file.driver not in ("sec2", "stdio", "direct") or dataset.name is None or not os.path.isfile(path):
        return None  # not on a disk
    shape = tuple(dataset.shape or ())
    return _HDF5(path, shape, dataset.dtype, str(dataset.name), dataset.chunks)


def _zarr_file(array: Any) -> _Zarr:  # noqa: ANN401
    store = array.store
    folder = getattr(store, "root", getattr(store, "path", None))  # of version 3, of version 2
    local = isinstance(folder, (str, os.PathLike)) and os.path.isdir(folder)
    place = os.path.abspath(str(folder)) if local else store
    return _Zarr(place, tuple(array.shape), array.dtype, str(array.path or ""), tuple(array.chunks))
