"""The steps of an analysis over blocks of genes: on threads here, or on the workers of a cluster.

A block is read when its turn comes, and what the steps need of it is gone when its numbers are known: the memory that a
step takes is that of its blocks, and of a few numbers for each gene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, IntArray, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.parallel.collected import Arrays, Collected
from countnest.parallel.pool import Pool, active_pool
from countnest.parallel.run import INSIDE, Engine
from countnest.progress import Mute

__all__ = ["Genes", "over_genes", "without_counts"]

# Numbers in the largest array of a block: eight megabytes, of which each thread has about a dozen.
BLOCK_CELLS = 1 << 20
# In the first blocks, before it is known how long one takes: some hundredths of a second in most studies.
FIRST_CELLS = 1 << 14
# Genes in a block at least: those of one vector register are worked on in step, and some take longer than others.
TOGETHER = 32
# Numbers that are sent to a worker at a time, at most; and jobs for each worker, at least, so that none waits long.
JOB_CELLS = 1 << 24
JOBS_PER_WORKER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Genes:
    """Genes with what belongs to them.

    Attributes
    ----------
    counts
        (G, n).
    factors
        (1, n) size factors or (G, n) normalization factors.
    weights
        (G, n) observation weights; None: all counts count alike.
    places
        (k,) which of the G genes are meant, in increasing order; None: all.
    """

    counts: CountMatrix
    factors: FloatArray
    weights: FloatArray | None = None
    places: IntArray | None = None

    def at(self, rows: BoolArray) -> Genes:
        """Return the genes `rows` (G,) of all genes."""
        return replace(self, places=None if rows.all() else np.flatnonzero(rows))

    def __len__(self) -> int:
        return self.counts.shape[0] if self.places is None else len(self.places)

    def read(self, block: slice) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Return counts, factors and weights of a block of these genes, to be read only."""
        rows = self._rows(block)
        return self.counts.read(rows), rows_of(self.factors, rows), rows_of(self.weights, rows)

    def part(self, block: slice) -> Genes:
        """Return a block of these genes by itself."""
        rows = self._rows(block)
        places = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return Genes(self.counts.part(places), rows_of(self.factors, rows), rows_of(self.weights, rows))

    def _rows(self, block: slice) -> slice | IntArray:
        """Return the places of a block; consecutive ones as a slice, which is read without a copy."""
        if self.places is None:
            return slice(block.start, min(block.stop, len(self)))
        places = self.places[block]
        if len(places) and places[-1] - places[0] == len(places) - 1:
            return slice(int(places[0]), int(places[-1]) + 1)
        return places


def over_genes(
    task: Callable[..., Arrays],
    genes: Genes,
    *by_gene: npt.NDArray[Any],
    engine: Engine,
    text: str | None = None,
    **shared: Any,  # noqa: ANN401 (arguments of the task)
) -> Arrays:
    """Return what a task says of every gene, an array for each of its answers.

    Parameters
    ----------
    task
        ``task(counts, factors, weights, *by_gene, engine=..., **shared)`` gets the rows of a block of genes and returns
        a tuple of arrays with one row for each of them. It is a function of a module, so that it can be sent to
        another process, and its numbers for a gene depend on that gene alone.
    genes
        k genes.
    by_gene
        Arrays (k, ...) of which the task gets the rows of the block.
    engine
        Threads, blocks, progress. Where `joblib.parallel_config` is in force its workers do the work, and `n_threads`
        is the number of threads of each of them.
    text
        Of the progress bar.
    shared
        What all blocks get.
    """
    pool = active_pool()
    if pool is not None and len(genes) > 1:
        return _on_workers(pool, task, genes, by_gene, shared, engine, text)
    return _here(task, genes, by_gene, shared, engine, text)


def _here(
    task: Callable[..., Arrays],
    genes: Genes,
    by_gene: Sequence[npt.NDArray[Any]],
    shared: Mapping[str, Any],
    engine: Engine,
    text: str | None = None,
) -> Arrays:
    """Return what a task says of every gene, by the threads of this process."""
    found = Collected(len(genes))

    def work(block: slice) -> None:
        found.put(block, task(*genes.read(block), *(values[block] for values in by_gene), engine=INSIDE, **shared))

    if len(genes):
        first, largest = (max(TOGETHER, cells // genes.counts.shape[1]) for cells in (FIRST_CELLS, BLOCK_CELLS))
        engine.run(work, len(genes), text, first=first, smallest=TOGETHER, largest=largest)
    else:
        work(slice(0, 0))
    return found.arrays


def without_counts(genes: Genes, samples: BoolArray, engine: Engine) -> BoolArray:
    """Return for which genes and sets of samples, (m, n) truth values, there is no count in any: (k, m)."""
    (empty,) = over_genes(_without_counts, replace(genes, weights=None), samples=samples, engine=engine)
    return empty


def _without_counts(
    counts: FloatArray,
    factors: FloatArray,  # noqa: ARG001 (tasks have it)
    weights: FloatArray | None,  # noqa: ARG001
    *,
    samples: BoolArray,
    engine: Engine,  # noqa: ARG001
) -> tuple[BoolArray]:
    positive = counts > 0
    empty = np.empty((len(counts), len(samples)), dtype=np.bool_)
    for i, chosen in enumerate(samples):
        np.logical_not(np.any(positive, axis=1, where=chosen), out=empty[:, i])
    return (empty,)


def _on_workers(
    pool: Pool,
    task: Callable[..., Arrays],
    genes: Genes,
    by_gene: Sequence[npt.NDArray[Any]],
    shared: Mapping[str, Any],
    engine: Engine,
    text: str | None,
) -> Arrays:
    """Return what a task says of every gene, by the workers of a cluster, which read their counts themselves."""
    n_jobs = max(JOBS_PER_WORKER * pool.n_workers, math.ceil(len(genes) * genes.counts.shape[1] / JOB_CELLS))
    size = math.ceil(len(genes) / n_jobs)
    blocks = [slice(start, min(start + size, len(genes))) for start in range(0, len(genes), size)]
    each = replace(engine, n_threads=engine.n_threads or 1, progress=Mute())

    def jobs() -> Iterator[tuple[Any, ...]]:
        for block in blocks:
            yield task, genes.part(block), [values[block] for values in by_gene], shared, each

    found = Collected(len(genes))
    progress = Mute() if text is None else engine.progress
    with progress.bar(len(genes), text or "") as advance:
        for block, answers in zip(blocks, pool.map(_here, jobs()), strict=True):
            found.put(block, answers)
            advance(block.stop - block.start)
    return found.arrays
