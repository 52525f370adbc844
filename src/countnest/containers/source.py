"""Tables of counts in files, and how their rows are read.

A slab is what is read together: consecutive rows in the type of the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from countnest.arrays import IntArray
from countnest.containers.array_file import ArrayFile, array_file

__all__ = ["Dense", "OpenTable", "Slab", "Source", "Sparse", "Values", "source_of"]

# Bytes of a slab, at most if the pieces of the file allow it. Pieces are read whole, so few of them do; of an array in
# one piece that lies by columns, a slab has a short stretch of every column.
PIECES, STRETCHES = 1 << 24, 1 << 26
# Bytes of the rows that can only be read together, beyond which a copy by rows is worth its time.
TOO_MANY = 1 << 27

Slab: TypeAlias = "npt.NDArray[Any] | sparse.csr_array"


@dataclass(frozen=True, slots=True, eq=False)
class Source(ABC):
    """A table of counts in a file, with the attributes that arrays have.

    Attributes
    ----------
    file
        Its counts.
    extent
        Rows and columns, as they are in the file.
    turned
        Whether its rows are the columns of the file.
    """

    file: ArrayFile
    extent: tuple[int, ...]
    turned: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.extent[::-1] if self.turned else self.extent

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.extent)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the counts."""
        return self.file.dtype

    @property
    def T(self) -> Source:
        """The transposed table."""
        return replace(self, turned=not self.turned)

    @property
    @abstractmethod
    def is_by_columns(self) -> bool:
        """Whether rows cannot be read a few at a time."""

    @abstractmethod
    def open(self) -> OpenTable:
        """Return the table, to be read by rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Source):
    """A table with all its zeros."""

    @property
    def is_by_columns(self) -> bool:
        """Whether the pieces of the file have too many rows."""
        if self.file.chunks is None:
            return False
        (rows, columns), unit = self.shape, self.file.chunks[1 if self.turned else 0]
        return min(unit, rows) * columns * self.dtype.itemsize > TOO_MANY

    def open(self) -> _OpenDense:
        """Return the table, to be read by rows."""
        return _OpenDense(self)

    def __str__(self) -> str:
        return str(self.file)


class _OpenDense:
    """An array that is open."""

    def __init__(self, source: Dense) -> None:
        self._array, self._turned = source.file.open(), source.turned
        rows, self._n = source.shape
        unit = source.file.chunks or (1, 1)
        self.unit, self._columns = unit[::-1] if source.turned else unit
        by_rows = not source.turned
        self.direct: npt.NDArray[Any] | None = None
        if isinstance(self._array, np.ndarray):
            table = self._array.T if source.turned else self._array
            by_rows = table.strides[1] == table.itemsize
            self.direct = table if by_rows else None
        aim = (PIECES if by_rows or source.file.chunks else STRETCHES) // (self._n * source.dtype.itemsize)
        self.starts = np.append(np.arange(0, rows, max(self.unit, aim // self.unit * self.unit)), rows)

    def slab(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        values = self._array[columns, rows].T if self._turned else self._array[rows, columns]
        return np.ascontiguousarray(values)

    def readable(self, columns: slice) -> slice:
        unit = self._columns
        return slice(columns.start // unit * unit, min(-(-columns.stop // unit) * unit, self._n))


@dataclass(frozen=True, slots=True, eq=False)
class Sparse(Source):
    """A table without its zeros: compressed rows (csr), one after the other, or columns (csc)."""

    indices: ArrayFile
    indptr: ArrayFile
    form: Literal["csr", "csc"]

    @property
    def is_by_columns(self) -> bool:
        """Whether columns stand one after the other."""
        return (self.form == "csr") == self.turned

    def open(self) -> _OpenSparse:
        """Return the table, to be read by rows."""
        assert not self.is_by_columns
        return _OpenSparse(self)

    def __str__(self) -> str:
        return f"'{self.file.place}'"


class _OpenSparse:
    """Compressed rows that are open."""

    unit = 1
    direct = None

    def __init__(self, source: Sparse) -> None:
        self._data, self._indices = source.file.open(), source.indices.open()
        self._indptr = np.asarray(source.indptr.open()[:]).astype(np.int64)
        self._n = source.shape[1]
        self.starts = _stretches(self._indptr, PIECES // (source.dtype.itemsize + source.indices.dtype.itemsize))

    def slab(self, rows: slice, columns: slice) -> sparse.csr_array:
        assert (columns.start, columns.stop) == (0, self._n)
        ends = self._indptr[rows.start : rows.stop + 1]
        there = slice(int(ends[0]), int(ends[-1]))
        data, indices = _plain(self._data[there]), np.asarray(self._indices[there])
        shape = (rows.stop - rows.start, self._n)
        found: sparse.csr_array = sparse.csr_array((data, indices, ends - ends[0]), shape=shape)
        return found

    def readable(self, columns: slice) -> slice:  # noqa: ARG002 (rows are read whole)
        return slice(0, self._n)


# A table of counts, in memory or in a file.
Values = npt.NDArray[Any] | sparse.csr_array | Source

# A table that is open in this process:
#   starts: first rows of the slabs, in increasing order, and the number of rows;
#   unit: rows that are stored in one piece;
#   direct: an array whose rows can as well be read by themselves, or None;
#   slab(rows, columns): counts of consecutive rows;
#   readable(columns): the consecutive columns that are read anyway where these are read.
OpenTable = _OpenDense | _OpenSparse


def _stretches(indptr: IntArray, aim: int) -> IntArray:
    """Return the starts of runs of rows with at most `aim` entries each, or one row, and the end."""
    starts, last = [0], len(indptr) - 1
    while starts[-1] < last:
        end = int(np.searchsorted(indptr, indptr[starts[-1]] + aim, side="right")) - 1
        starts.append(min(max(end, starts[-1] + 1), last))
    return np.array(starts, dtype=np.int64)


def _plain(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return numbers of a type that SciPy's sparse arrays have."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def source_of(value: object) -> Source | None:
    """Return the table in a file that a value refers to; None if it is something else, or in memory.

    Tables in files are memory-mapped NumPy arrays, datasets of h5py, arrays of zarr, and the sparse datasets of
    AnnData.
    """
    group, form = getattr(value, "group", None), getattr(value, "format", None)
    if group is None or form not in ("csr", "csc") or not hasattr(value, "to_memory"):
        file = array_file(value)
        return None if file is None else Dense(file, file.shape, turned=False)
    data, indices, indptr = (array_file(group[name]) for name in ("data", "indices", "indptr"))
    if data is None or indices is None or indptr is None:
        return None
    dataset: Any = value
    rows, columns = dataset.shape
    return Sparse(data, (int(rows), int(columns)), False, indices, indptr, form)
