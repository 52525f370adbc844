"""Counts that stay in a file and are read chunk by chunk."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.matrix import CountMatrix, Rows, consecutive
from countnest.containers.source import OpenTable, Slab, Source, source_of
from countnest.drafts import Draft
from countnest.errors import CountsError
from countnest.memory import available_memory, bytes_shown
from countnest.parallel.kept import Kept

__all__ = ["Stored", "stored_counts"]

# Slabs that are kept: that of the chunks in work, which threads leave for the next one at different times.
SLABS = 3
# Bytes of the samples that are copied at a time: a gene should get a stretch of its row, not a few numbers.
BAND = 1 << 27


class Stored(CountMatrix):
    """Counts (G, n) in a file, which is opened when it is needed; the slabs that were read last stay in memory.

    Sent to another process it is no more than the place of the file, and is read there.

    Parameters
    ----------
    source
        The table, genes x samples.
    token
        By which the copies of one table are recognised in a worker, where every chunk of genes brings one.
    """

    gathered_cells = 1 << 26

    def __init__(self, source: Source, token: str | None = None) -> None:
        self.source = source
        self._token = token or uuid.uuid4().hex
        self._opened: Kept[OpenTable] = Kept(1)
        self._slabs: Kept[Slab] = Kept(SLABS)

    def __reduce__(self) -> tuple[Any, ...]:
        return _stored_here, (self.source, self._token)

    def __deepcopy__(self, _: object) -> Stored:
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        n_genes, n = self.source.shape
        return n_genes, n

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
                f"the counts are in a file, {self.source}, and all of them at once take {bytes_shown(size)} of "
                f"memory, of which {bytes_shown(memory)} are available. The analysis and its results read them block "
                "by block; tables of counts, transformed or normalized counts, saving, and size factors of type "
                "'iterate' need all of them: take fewer genes or samples for these, or a machine with more memory."
            )
        return self.read(slice(0, n_genes))

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return counts of the file, in a new array.

        Raises
        ------
        CountsError
            The file is no longer there, or is another one.
        """
        table = self._opened.get(None, self._open)
        n_genes, n = self.shape
        wanted = np.arange(n_genes)[genes]
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
        for part, rows, places in _by_slab(wanted, table.starts):
            slab = self._slabs.get((part.start, around.start, around.stop), partial(table.slab, part, around))
            counts[rows] = _taken(slab, places, columns)
        return counts

    def _open(self) -> OpenTable:
        try:
            return self.source.open()
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise CountsError(
                f"the counts are in a file, {self.source}, which cannot be read: {error}. As long as they are used, "
                "the file must not be changed or moved, and workers on other machines must see it under the same path."
            ) from error


_STORED: Kept[Stored] = Kept(2)


def _stored_here(source: Source, token: str) -> Stored:
    """Return counts that another process has sent; the same object for all chunks of genes."""
    return _STORED.get(token, lambda: Stored(source, token))


def _by_slab(wanted: IntArray, starts: IntArray) -> Iterator[tuple[slice, slice, Rows]]:
    """Yield the rows of a slab, which of the wanted genes are in it, and their places there."""
    if not len(wanted):
        return
    first, last = (int(np.searchsorted(starts, gene, side="right")) - 1 for gene in (wanted[0], wanted[-1]))
    ends = np.searchsorted(wanted, starts[first : last + 2])
    for number, begin, end in zip(range(first, last + 1), ends[:-1], ends[1:], strict=True):
        if begin < end:
            rows = slice(int(starts[number]), int(starts[number + 1]))
            yield rows, slice(begin, end), consecutive(wanted[begin:end] - rows.start)


def _taken(slab: Slab, genes: Rows, samples: slice | IntArray) -> FloatArray | Any:  # noqa: ANN401 (of any type)
    """Return the counts of some genes and samples of a slab, with their zeros, in any type."""
    if isinstance(slab, sparse.csr_array):
        return slab[genes].astype(np.float64).toarray()[:, samples]
    if isinstance(genes, slice) or isinstance(samples, slice):
        return slab[genes, samples]
    return slab[np.ix_(genes, samples)]


def stored_counts(source: Source) -> Stored:
    """Return counts that stay in a file, given the table, genes x samples.

    A table that can only be read by samples, such as sparse counts as AnnData writes them, is copied by genes into a
    folder for temporary files, which is removed when the counts are no longer used and at the end of the process.

    Raises
    ------
    CountsError
        The disk does not hold the copy.

    Notes
    -----
    For 20,000 genes of 1,000 samples the copy takes 3 s, and the analysis 70 s.
    """
    if not source.is_by_columns:
        return Stored(source)
    draft = Draft(Path(tempfile.gettempdir()), "countnest-counts-")
    try:
        counts = Stored(_copied(source, draft.path / "counts.npy"))
    except BaseException:
        draft.remove()
        raise
    weakref.finalize(counts, _remove, draft, os.getpid())
    return counts


def _remove(draft: Draft, process: int) -> None:
    """Remove a folder, in the process that made it but not in its children."""
    if os.getpid() == process:
        draft.remove()


def _copied(source: Source, path: Path) -> Source:
    """Return a copy by genes of a table that is stored by samples; values that are no counts are copied unchanged."""
    note = f"the counts in {source} are stored by samples: they are copied, by genes, to {path.parent}"
    logging.getLogger("countnest").info(note)
    n_genes, n = source.shape
    kind = np.promote_types(source.dtype, np.float32 if source.dtype.kind == "f" else np.int32)
    size, free = float(n_genes) * n * kind.itemsize, shutil.disk_usage(path.parent).free
    if size > free:
        raise CountsError(
            f"the counts in {source} are stored by samples and must be copied to be read by genes, which takes "
            f"{bytes_shown(size)} of the disk with {tempfile.gettempdir()!r}, where {bytes_shown(free)} are free. Set "
            "$TMPDIR to a folder with more room, or store the counts by genes: as CSC, where samples are the rows."
        )
    target = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=(n_genes, n))
    by_sample = source.T.open()
    width = max(by_sample.unit, BAND // (n_genes * kind.itemsize) // by_sample.unit * by_sample.unit)
    for start in range(0, n, width):
        samples = slice(start, min(start + width, n))
        band = by_sample.slab(samples, slice(0, n_genes))
        target[:, samples] = (band.astype(kind).toarray() if isinstance(band, sparse.csr_array) else band).T
    target.flush()
    copy = source_of(target)
    assert copy is not None
    return copy
