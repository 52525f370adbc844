"""Tables of counts in files, as they lie there, and how the genes of one are read.

A slab is what is read together: the counts of consecutive genes in the type of the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from countnest.arrays import IntArray
from countnest.containers.array_file import ArrayFile, array_file

__all__ = ["Dense", "OpenSource", "Slab", "Source", "Sparse", "source_of"]

# Bytes of a slab, at most if the pieces of the file allow it. Pieces are read whole, so few of them do; of an array in
# one piece that lies by samples, a slab has a short stretch of every sample.
PIECES, STRETCHES = 1 << 24, 1 << 26
# Bytes of the genes that can only be read together, beyond which a copy by genes is worth its time.
TOO_MANY = 1 << 27

Slab: TypeAlias = "npt.NDArray[Any] | sparse.csr_array"


class OpenSource(ABC):
    """A table of counts that is open in this process.

    Attributes
    ----------
    starts
        First genes of the slabs, in increasing order, and the number of genes.
    direct
        (G, n) array whose rows can as well be read by themselves; None: there is none.
    """

    starts: IntArray
    direct: npt.NDArray[Any] | None = None

    @abstractmethod
    def slab(self, genes: slice, samples: slice) -> Slab:
        """Return the counts (k, m) of some genes and samples."""

    @abstractmethod
    def readable(self, samples: slice) -> slice:
        """Return the consecutive samples that are read anyway where these are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Source(ABC):
    """A table of counts in a file."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, as they are in the file."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Type of the counts."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @abstractmethod
    def is_by_samples(self, turned: bool) -> bool:
        """Return whether genes cannot be read a few at a time; `turned`: samples are the rows."""

    @abstractmethod
    def open(self, turned: bool) -> OpenSource:
        """Return the table, to be read by genes; `turned`: samples are the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Source):
    """A table with all its zeros."""

    file: ArrayFile

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, as they are in the file."""
        return self.file.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the counts."""
        return self.file.dtype

    def is_by_samples(self, turned: bool) -> bool:
        """Return whether the pieces of the file have too many genes."""
        genes, samples = (1, 0) if turned else (0, 1)
        together = min(self.file.unit[genes], self.shape[genes]) * self.shape[samples] * self.dtype.itemsize
        return self.file.is_in_pieces and together > TOO_MANY

    def open(self, turned: bool) -> OpenSource:
        """Return the table, to be read by genes."""
        return _OpenDense(self.file, turned)

    def __str__(self) -> str:
        return str(self.file)


class _OpenDense(OpenSource):
    """An array that is open."""

    def __init__(self, file: ArrayFile, turned: bool) -> None:
        self._array = file.open()
        self._turned = turned
        (n_genes, self._n), (genes, self._unit) = ((pair[::-1] if turned else pair) for pair in (file.shape, file.unit))
        by_genes = not turned
        if isinstance(self._array, np.ndarray):
            table = self._array.T if turned else self._array
            by_genes = table.strides[1] == table.itemsize
            self.direct = table if by_genes else None
        aim = (PIECES if by_genes or file.is_in_pieces else STRETCHES) // (self._n * file.dtype.itemsize)
        step = max(genes, aim // genes * genes)
        self.starts = np.append(np.arange(0, n_genes, step), n_genes)

    def slab(self, genes: slice, samples: slice) -> npt.NDArray[Any]:
        """Return the counts of some genes and samples."""
        values = self._array[samples, genes].T if self._turned else self._array[genes, samples]
        return np.ascontiguousarray(values)

    def readable(self, samples: slice) -> slice:
        """Return all samples whose pieces are met."""
        unit = self._unit
        return slice(samples.start // unit * unit, min(-(-samples.stop // unit) * unit, self._n))


@dataclass(frozen=True, slots=True, eq=False)
class Sparse(Source):
    """A table without its zeros: compressed rows (csr), one after the other, or columns (csc)."""

    data: ArrayFile
    indices: ArrayFile
    indptr: ArrayFile
    extent: tuple[int, int]
    by: Literal["csr", "csc"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, as they are in the file."""
        return self.extent

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the counts."""
        return self.data.dtype

    def is_by_samples(self, turned: bool) -> bool:
        """Return whether samples stand one after the other."""
        return (self.by == "csr") == turned

    def open(self, turned: bool) -> OpenSource:
        """Return the table, to be read by genes."""
        assert not self.is_by_samples(turned)
        return _OpenSparse(self, self.shape[0 if turned else 1])

    def __str__(self) -> str:
        return f"'{self.data.place}'"


class _OpenSparse(OpenSource):
    """Compressed rows of genes that are open."""

    def __init__(self, source: Sparse, n: int) -> None:
        self._data, self._indices = source.data.open(), source.indices.open()
        self._indptr = np.asarray(source.indptr.open()[:]).astype(np.int64)
        self._n = n
        aim = PIECES // (source.data.dtype.itemsize + source.indices.dtype.itemsize)
        self.starts = _stretches(self._indptr, aim)

    def slab(self, genes: slice, samples: slice) -> sparse.csr_array:
        """Return the counts of some genes."""
        assert (samples.start, samples.stop) == (0, self._n)
        ends = self._indptr[genes.start : genes.stop + 1]
        there = slice(int(ends[0]), int(ends[-1]))
        data, indices = _plain(self._data[there]), np.asarray(self._indices[there])
        shape = (genes.stop - genes.start, self._n)
        found: sparse.csr_array = sparse.csr_array((data, indices, ends - ends[0]), shape=shape)
        return found

    def readable(self, samples: slice) -> slice:  # noqa: ARG002 (genes are read whole)
        """Return all samples."""
        return slice(0, self._n)


def _stretches(indptr: IntArray, aim: int) -> IntArray:
    """Return where stretches of rows begin that have no more than `aim` entries each, or one row, and the end."""
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
    """Return the table in a file that is meant; None where the value is something else, or in memory.

    Tables in files are memory-mapped NumPy arrays, datasets of h5py, arrays of zarr, and the sparse datasets of
    AnnData.
    """
    group, form = getattr(value, "group", None), getattr(value, "format", None)
    if group is None or form not in ("csr", "csc") or not hasattr(value, "to_memory"):
        file = array_file(value)
        return None if file is None else Dense(file)
    data, indices, indptr = (array_file(group[name]) for name in ("data", "indices", "indptr"))
    if data is None or indices is None or indptr is None:
        return None
    dataset: Any = value
    rows, columns = dataset.shape
    return Sparse(data, indices, indptr, (int(rows), int(columns)), form)
