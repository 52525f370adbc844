"""Counts as the steps of an analysis see them: something of which the rows of some genes can be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float

__all__ = ["Chosen", "CountMatrix", "InMemory", "Replaced", "Rows", "Selected"]

# Genes: consecutive ones, or places in increasing order.
Rows = slice | IntArray


class CountMatrix(ABC):
    """Counts (G, n) of which blocks of genes are read when they are needed.

    The bits that `read` returns do not depend on where the counts are kept, nor on the block.

    Attributes
    ----------
    gathered_cells
        Numbers to gather at once where all genes of a sample are needed: few where reading is cheap, and many where
        it is not, for everything is read again for the next samples.
    """

    __slots__ = ()
    gathered_cells = 1 << 21

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples, (G, n)."""

    @abstractmethod
    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return the counts of some genes, and of some samples only if they are named; not to be written to."""

    @property
    def n_bytes(self) -> float:
        """Memory that the counts take, or what is read of them at a time."""
        n_genes, n = self.shape
        return 8.0 * min(n_genes * n, self.gathered_cells)

    def part(self, genes: IntArray) -> CountMatrix:
        """Return the counts of some genes as something that can be sent to another process."""
        together = len(genes) and genes[-1] - genes[0] == len(genes) - 1
        return Selected(self, slice(int(genes[0]), int(genes[-1]) + 1) if together else genes)

    def whole(self) -> FloatArray:
        """Return all counts (G, n); not to be written to."""
        return self.read(slice(0, self.shape[0]))


@dataclass(frozen=True, slots=True, eq=False)
class InMemory(CountMatrix):
    """Counts (G, n) that are an array."""

    values: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        n_genes, n = self.values.shape
        return n_genes, n

    @property
    def n_bytes(self) -> float:
        """Memory of the array."""
        return float(self.values.nbytes)

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return rows of the array, consecutive ones without a copy."""
        if samples is None:
            return self.values[genes]
        if isinstance(genes, slice):
            return as_float(self.values[genes, samples])
        places = np.arange(self.shape[1])[samples]
        return as_float(self.values[np.ix_(genes, places)])

    def part(self, genes: IntArray) -> CountMatrix:
        """Return these rows and no others."""
        return InMemory(self.values[genes])


@dataclass(frozen=True, slots=True, eq=False)
class Selected(CountMatrix):
    """The counts of some genes, at increasing places in other counts; consecutive ones from `start` to `stop`."""

    source: CountMatrix
    places: Rows

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        n_genes, n = self.source.shape
        places = self.places
        return len(range(n_genes)[places] if isinstance(places, slice) else places), n

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return what the other counts have at these places."""
        places = self.places
        if not isinstance(places, slice):
            return self.source.read(places[genes], samples)
        if not isinstance(genes, slice):
            return self.source.read(places.start + genes, samples)
        rows = range(places.start, places.stop)[genes]
        return self.source.read(slice(rows.start, rows.stop, rows.step), samples)


@dataclass(frozen=True, slots=True, eq=False)
class Replaced(CountMatrix):
    """Counts in which those of some genes are others.

    Attributes
    ----------
    source
        (G, n) the counts.
    places
        (k,) the genes, in increasing order.
    values
        (k, n) their counts.
    """

    source: CountMatrix
    places: IntArray
    values: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        return self.source.shape

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return the counts, the replaced ones among them."""
        wanted = np.arange(self.shape[0])[genes] if isinstance(genes, slice) else genes
        found = self.source.read(genes, samples)
        _, here, there = np.intersect1d(wanted, self.places, assume_unique=True, return_indices=True)
        if not len(here):
            return found
        found = found.copy()
        found[here] = self.values[there] if samples is None else self.values[there][:, samples]
        return found

    def part(self, genes: IntArray) -> CountMatrix:
        """Return the counts of some genes, with the replaced ones among them and no others."""
        _, here, there = np.intersect1d(genes, self.places, assume_unique=True, return_indices=True)
        return Replaced(self.source.part(genes), here, self.values[there])


@dataclass(frozen=True, slots=True, eq=False)
class Chosen(CountMatrix):
    """Counts of some genes and samples of other counts, at any places in any order; None: all of them."""

    source: CountMatrix
    genes: IntArray | None
    samples: IntArray | None

    @property
    def gathered_cells(self) -> int:  # type: ignore[override]
        """Numbers to gather at once, as of the other counts."""
        return self.source.gathered_cells

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        n_genes, n = self.source.shape
        return n_genes if self.genes is None else len(self.genes), n if self.samples is None else len(self.samples)

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return what the other counts have at these places."""
        if self.genes is None:
            found = self.source.read(genes)
        else:
            wanted, back = np.unique(self.genes[genes], return_inverse=True)
            together = len(wanted) and wanted[-1] - wanted[0] == len(wanted) - 1
            found = self.source.read(slice(int(wanted[0]), int(wanted[-1]) + 1) if together else wanted)[back]
        if self.samples is not None:
            found = found[:, self.samples]
        return as_float(found if samples is None else found[:, samples])
