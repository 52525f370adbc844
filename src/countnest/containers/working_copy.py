"""A copy of counts that were stored by samples, for reading them by genes."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from countnest.containers.source import Slab, Source, Sparse, source_of
from countnest.drafts import Draft
from countnest.errors import CountsError
from countnest.memory import bytes_shown

__all__ = ["Folder", "copied_by_genes"]

# Bytes of the samples that are copied at a time: a gene should get a stretch of its row, not a few numbers.
BAND = 1 << 27
# Types of the copy: the first one that holds all counts. What is no count is copied too, for the door to name it.
KINDS = (np.uint16, np.uint32, np.float64)


class Folder:
    """A temporary folder that is removed when nobody refers to it any more, and at the end of the process.

    One of a process that was killed is removed by the next process that makes one.

    Sent to another process, it is None: there, nobody removes it.
    """

    def __init__(self) -> None:
        draft = Draft(Path(tempfile.gettempdir()), "countnest-counts-")
        self.path = draft.path
        self._end = weakref.finalize(self, _remove, draft, os.getpid())

    def __reduce__(self) -> tuple[Any, ...]:
        return _nobody, ()

    def __deepcopy__(self, _: object) -> Folder:
        return self


def _nobody() -> None:
    return None


def _remove(draft: Draft, process: int) -> None:
    """Remove a folder, in the process that made it and in none of its children."""
    if os.getpid() == process:
        draft.remove()


def copied_by_genes(source: Source, turned: bool) -> tuple[Source, Folder]:
    """Return a copy, genes x samples, of a table that is stored by samples, and the folder that it is in.

    Raises
    ------
    CountsError
        The disk does not hold it.
    """
    folder = Folder()
    path = folder.path / "counts.npy"
    note = f"the counts in {source} are stored by samples: they are copied, by genes, to {folder.path}"
    logging.getLogger("countnest").info(note)
    for kind in KINDS:
        copy = _copied(source, turned, path, np.dtype(kind))
        if copy is not None:
            return copy, folder
    raise AssertionError("the last type holds everything")


def _copied(source: Source, turned: bool, path: Path, kind: np.dtype[Any]) -> Source | None:
    """Return the copy in `path`; None where the type does not hold all counts."""
    shape = source.shape[::-1] if turned else source.shape
    _require_room(path.parent, float(np.prod(shape, dtype=np.float64)) * kind.itemsize, source)
    target = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    for samples, band in _bands(source, turned, kind.itemsize):
        if not _holds(kind, band.data if isinstance(band, sparse.csr_array) else band):
            return None
        if isinstance(band, sparse.csr_array):
            target[:, samples] = band.astype(kind).toarray().T
        else:
            target[:, samples] = band
    target.flush()
    return source_of(target)


def _require_room(folder: Path, size: float, source: Source) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise CountsError(
            f"the counts in {source} are stored by samples and must be copied to be read by genes, which takes "
            f"{bytes_shown(size)} of the disk with {tempfile.gettempdir()!r}, where {bytes_shown(free)} are free. Set "
            "$TMPDIR to a folder with more room, or store the counts by genes: as CSC, where samples are the rows."
        )


def _bands(source: Source, turned: bool, itemsize: int) -> Iterator[tuple[slice, Slab]]:
    """Yield samples with their counts: (G, b) an array, or (b, G) a sparse one in which each entry stands once."""
    n_genes, n = source.shape[::-1] if turned else source.shape
    widest = max(1, BAND // (n_genes * max(itemsize, source.dtype.itemsize)))
    genes = slice(0, n_genes)
    if isinstance(source, Sparse):
        by_sample = source.open(not turned)  # samples in place of genes
        for start, stop in pairwise(by_sample.starts):
            for samples in _parts(int(start), int(stop), widest):
                band = by_sample.slab(samples, genes)
                assert isinstance(band, sparse.csr_array)
                if not band.has_canonical_format:
                    band = band.astype(np.float64)
                    band.sum_duplicates()
                yield samples, band
        return
    table = source.open(turned)
    piece = table.readable(slice(0, 1)).stop
    for samples in _parts(0, n, max(piece, widest // piece * piece)):
        yield samples, table.slab(genes, samples)


def _parts(start: int, stop: int, width: int) -> Iterator[slice]:
    for first in range(start, stop, width):
        yield slice(first, min(first + width, stop))


def _holds(kind: np.dtype[Any], values: Any) -> bool:  # noqa: ANN401
    """Return whether a type holds all values, without a change."""
    if kind.kind == "f" or not values.size:
        return True
    fits = values.min() >= 0 and values.max() <= np.iinfo(kind).max  # no number is neither
    return bool(fits) and (values.dtype.kind != "f" or bool(np.all(np.floor(values) == values)))
