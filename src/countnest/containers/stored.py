"""Counts that stay in a file and are read block by block."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.matrix import CountMatrix, Rows
from countnest.containers.source import OpenSource, Slab, Source
from countnest.containers.working_copy import Folder, copied_by_genes
from countnest.errors import CountsError
from countnest.memory import available_memory, bytes_shown
from countnest.parallel.kept import Kept

__all__ = ["Stored", "stored_counts"]

# Slabs that are kept: that of the blocks at hand, which threads leave for the next one at different times.
SLABS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Stored(CountMatrix):
    """Counts (G, n) in a file, of which a few slabs are in memory.

    Sent to another process it is no more than the place of the file, and is read there.

    Attributes
    ----------
    reader
        The file as it is open in this process.
    folder
        The folder of a working copy, which is there as long as somebody refers to it; None: there is none.
    """

    reader: Reader
    folder: Folder | None = None
    gathered_cells = 1 << 26

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        return self.reader.shape

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return counts of the file, in a new array.

        Raises
        ------
        CountsError
            The file is no longer there, or is another one.
        """
        return self.reader.read(genes, samples)

    def whole(self) -> FloatArray:
        """Return all counts (G, n), in a new array.

        Raises
        ------
        CountsError
            The memory does not hold them.
        """
        n_genes, n = self.shape
        size, memory = 8.0 * n_genes * n, available_memory()
        if memory is not None and size > memory:
            raise CountsError(
                f"the counts are in a file, {self.reader.source}, and all of them at once take {bytes_shown(size)} of "
                f"memory, of which {bytes_shown(memory)} are available. The analysis and its results read them block "
                "by block; tables of counts, transformed or normalized counts, saving, and size factors of type "
                "'iterate' need all of them: take fewer genes or samples for these, or a machine with more memory."
            )
        return self.read(slice(0, n_genes))

    def __deepcopy__(self, _: object) -> Stored:
        return self


class Reader:
    """A table in a file as this process reads it: opened when it is needed, with the slabs that were read last.

    Parameters
    ----------
    source
        The table.
    turned
        Whether samples are its rows.
    token
        By which the readers of one table know each other in a worker, where every block of genes brings one.
    """

    def __init__(self, source: Source, turned: bool, token: str | None = None) -> None:
        self.source = source
        self._turned = turned
        self._token = token or uuid.uuid4().hex
        self._opened: Kept[OpenSource] = Kept(1)
        self._slabs: Kept[Slab] = Kept(SLABS)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reader_here, (self.source, self._turned, self._token)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        rows, columns = self.source.shape
        return (columns, rows) if self._turned else (rows, columns)

    def read(self, genes: Rows, samples: slice | BoolArray | None) -> FloatArray:
        """Return the counts of some genes, and of some samples only if they are named."""
        table = self._opened.get(None, self._open)
        n_genes, n = self.shape
        wanted = range(n_genes)[genes] if isinstance(genes, slice) else genes
        columns: slice | IntArray
        if samples is None or isinstance(samples, slice):
            chosen = range(n)[samples or slice(None)]
            columns, width = slice(chosen.start, chosen.stop, chosen.step), len(chosen)
        else:
            columns = np.flatnonzero(samples)
            width = len(columns)
        counts = np.empty((len(wanted), width))
        if table.direct is not None:
            counts[:] = _taken(table.direct, genes, columns)
            return counts
        around = slice(0, n)
        if isinstance(columns, slice) and columns.step == 1:
            readable = table.readable(columns)
            if 2 * (readable.stop - readable.start) <= n:  # the others are left alone
                around, columns = readable, slice(columns.start - readable.start, columns.stop - readable.start)
        for number, rows, places in _by_slab(wanted, table.starts):
            part = slice(int(table.starts[number]), int(table.starts[number + 1]))
            slab = self._slabs.get((number, around.start, around.stop), partial(table.slab, part, around))
            counts[rows] = _taken(slab, places, columns)
        return counts

    def _open(self) -> OpenSource:
        try:
            return self.source.open(self._turned)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise CountsError(
                f"the counts are in a file, {self.source}, which cannot be read: {error}. As long as they are used, "
                "the file must stay as it was and where it was, and be there for workers on other machines, too."
            ) from error


_READERS: Kept[Reader] = Kept(2)


def _reader_here(source: Source, turned: bool, token: str) -> Reader:
    """Return the reader of a table that another process has sent; the same one for all blocks of genes."""
    return _READERS.get(token, lambda: Reader(source, turned, token))


def _by_slab(wanted: range | IntArray, starts: IntArray) -> Iterator[tuple[int, slice, Rows]]:
    """Yield the number of a slab, which of the wanted genes are in it, and their places there."""
    if not len(wanted):
        return
    ascending = wanted if isinstance(wanted, np.ndarray) else np.arange(wanted.start, wanted.stop, wanted.step)
    first, last = (int(np.searchsorted(starts, gene, side="right")) - 1 for gene in (ascending[0], ascending[-1]))
    ends = np.searchsorted(ascending, starts[first : last + 2])
    for number, begin, end in zip(range(first, last + 1), ends[:-1], ends[1:], strict=True):
        if begin < end:
            places = ascending[begin:end] - starts[number]
            together = places[-1] - places[0] == len(places) - 1
            yield number, slice(begin, end), slice(places[0], places[-1] + 1) if together else places


def _taken(slab: Slab, genes: Rows, samples: slice | IntArray) -> FloatArray | Any:  # noqa: ANN401 (of any type)
    """Return the counts of some genes and samples of a slab, with their zeros, in any type."""
    if isinstance(slab, sparse.csr_array):
        return slab[genes].astype(np.float64).toarray()[:, samples]
    if isinstance(genes, slice) or isinstance(samples, slice):
        return slab[genes, samples]
    return slab[np.ix_(genes, samples)]


def stored_counts(source: Source, turned: bool) -> Stored:
    """Return counts that stay in a file.

    Parameters
    ----------
    source
        The table.
    turned
        Whether samples are its rows.

    Notes
    -----
    A table that can only be read by samples is copied, by genes, into a folder for temporary files, which is removed
    when the counts are no longer used.
    """
    if not source.is_by_samples(turned):
        return Stored(Reader(source, turned))
    copy, folder = copied_by_genes(source, turned)
    return Stored(Reader(copy, turned=False), folder)
