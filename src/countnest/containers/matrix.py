"""The interface to counts in memory or in files: rows of some genes can be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float

__all__ = ["Chosen", "CountMatrix", "InMemory", "Replaced", "Rows", "consecutive"]

# Genes: consecutive ones, or places in increasing order.
Rows = slice | IntArray


class CountMatrix(ABC):
    """Counts (G, n) that are read by chunks of genes when they are needed.

    The bits that `read` returns do not depend on where the counts are kept, nor on the chunk.

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
        return Chosen(self, consecutive(genes))

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
class Replaced(CountMatrix):
    """Counts in which those of some genes are replaced.

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
    """Counts of some genes and samples of other counts, at any places in any order; None: all of them.

    Consecutive genes are a slice with a start and a stop.
    """

    source: CountMatrix
    genes: Rows | None
    samples: IntArray | None = None

    @property
    def gathered_cells(self) -> int:  # type: ignore[override]
        """Numbers to gather at once, as for the other counts."""
        return self.source.gathered_cells

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        n_genes, n = self.source.shape
        genes = slice(None) if self.genes is None else self.genes
        n_chosen = len(range(n_genes)[genes] if isinstance(genes, slice) else genes)
        return n_chosen, n if self.samples is None else len(self.samples)

    def read(self, genes: Rows, samples: slice | BoolArray | None = None) -> FloatArray:
        """Return these rows and columns of the other counts."""
        if self.samples is None:
            return self._rows(genes, samples)
        return as_float(self._rows(genes, None)[:, self.samples if samples is None else self.samples[samples]])

    def _rows(self, genes: Rows, samples: slice | BoolArray | None) -> FloatArray:
        if self.genes is None:
            return self.source.read(genes, samples)
        if not isinstance(self.genes, slice):
            wanted, back = np.unique(self.genes[genes], return_inverse=True)
            return as_float(self.source.read(consecutive(wanted), samples)[back])
        if not isinstance(genes, slice):
            return self.source.read(self.genes.start + genes, samples)
        rows = range(self.genes.start, self.genes.stop)[genes]
        return self.source.read(slice(rows.start, rows.stop, rows.step), samples)


def consecutive(places: IntArray) -> Rows:
    """Return increasing positions as a slice if they are consecutive, otherwise unchanged."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
