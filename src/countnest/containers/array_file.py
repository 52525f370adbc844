"""Locations of arrays in files: enough to read an array in this process or in another one.

h5py and zarr are optional. A caller who gives an array of theirs has imported them; a worker imports what it needs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from mmap import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ArrayFile", "array_file"]


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile:
    """An array in a file.

    Attributes
    ----------
    place
        Absolute path of the file or folder; for zarr, perhaps another kind of store.
    name
        Of the array in the file; empty where there is only one.
    shape, dtype
        Of the array.
    chunks
        What is stored in one piece along each axis, and read whole; None: any part can be read.
    opener
        Function of this module that opens the array, given `place`.
    """

    place: Any
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None
    opener: Callable[[Any], Any]

    def open(self) -> Any:  # noqa: ANN401 (arrays of several libraries)
        """Return the array, of which slices can be read from any thread; it is closed when it is no longer used.

        Raises
        ------
        OSError, ValueError, KeyError
            The file is not there, or is another one.
        """
        array = self.opener(self.place)
        if tuple(array.shape) != self.shape or array.dtype != self.dtype:
            raise ValueError(f"it now holds an array of shape {tuple(array.shape)}, type {array.dtype}")
        return array

    def __str__(self) -> str:
        return f"'{self.place}'" + (f" ({self.name})" if self.name else "")


def array_file(value: object) -> ArrayFile | None:
    """Return the location of an array in a file; None if it is not in a file, as far as is known."""
    if isinstance(value, np.ndarray):
        return _mapped_file(value)
    if isinstance(value, _class_of("h5py", "Dataset")):
        return _hdf5_file(value)
    if isinstance(value, _class_of("zarr", "Array")):
        return _zarr_file(value)
    return None


def _class_of(library: str, name: str) -> Any:  # noqa: ANN401 (for isinstance)
    """Return a class of a library if that has been imported, otherwise () of which nothing is an instance."""
    return getattr(sys.modules.get(library), name, ())


def _mapped_file(array: npt.NDArray[Any]) -> ArrayFile | None:
    """Return the location of a memory-mapped array, or of a view of one.

    One of mode "c" may have been changed in memory alone.
    """
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode == "c" or min(array.strides, default=0) < 0:
        return None
    if root.filename is None:
        return None
    start = int(root.offset) + array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    opener = partial(_open_mapped, start=start, shape=array.shape, dtype=array.dtype, strides=array.strides)
    return ArrayFile(os.path.abspath(str(root.filename)), "", array.shape, array.dtype, None, opener)


def _open_mapped(
    path: str, start: int, shape: tuple[int, ...], dtype: np.dtype[Any], strides: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Map an array whose first byte in the file is `start`; `strides` are bytes from one element to the next."""
    span = sum((length - 1) * step for length, step in zip(shape, strides, strict=True)) + dtype.itemsize
    if os.path.getsize(path) < start + span:
        raise ValueError("it is shorter than it was")
    held = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=(span,))
    return np.ndarray(shape, dtype, buffer=held, strides=strides)


def _hdf5_file(dataset: Any) -> ArrayFile | None:  # noqa: ANN401
    path = os.path.abspath(str(dataset.file.filename))
    if dataset.file.driver not in ("sec2", "stdio", "direct") or dataset.name is None or not os.path.isfile(path):
        return None  # not on a disk
    name, shape = str(dataset.name), tuple(dataset.shape or ())
    return ArrayFile(path, name, shape, dataset.dtype, dataset.chunks, partial(_open_hdf5, name=name))


def _open_hdf5(path: str, name: str) -> Any:  # noqa: ANN401
    return importlib.import_module("h5py").File(path, "r")[name]  # open as long as the dataset is


def _zarr_file(array: Any) -> ArrayFile:  # noqa: ANN401
    store, name = array.store, str(array.path or "")
    folder = getattr(store, "root", getattr(store, "path", None))  # of version 3, of version 2
    local = isinstance(folder, (str, os.PathLike)) and os.path.isdir(folder)
    place = os.path.abspath(str(folder)) if local else store
    opener = partial(_open_zarr, within={"path": name} if name else {})
    return ArrayFile(place, name, tuple(array.shape), array.dtype, tuple(array.chunks), opener)


def _open_zarr(store: Any, within: dict[str, str]) -> Any:  # noqa: ANN401
    # Opened again, so that a missing store is an error: the array that was given would read as zero.
    return importlib.import_module("zarr").open_array(store=store, mode="r", **within)
