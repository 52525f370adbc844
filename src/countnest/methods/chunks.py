"""The one loop over genes: chunk after chunk, on threads here, or on the workers of a cluster.

A chunk is read when its turn comes, and freed when its results are known: a step takes the memory of the chunks being
worked on, and of a few numbers for each gene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, IntArray, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.parallel.collected import Collected
from countnest.parallel.pool import Pool, active_pool
from countnest.parallel.run import Engine
from countnest.progress import Mute
from countnest.stats.glm.inputs import NBInputs

__all__ = ["GeneChunk", "Genes", "expand", "over_genes", "without_counts"]

Result = TypeVar("Result")
ByGene = Mapping[str, npt.NDArray[Any]]

# Numbers in the largest array of a chunk: eight megabytes, of which each thread has about a dozen.
CHUNK_SIZE = 1 << 20
# In the first chunks, before it is known how long one takes: some hundredths of a second in most studies.
FIRST_CHUNK_SIZE = 1 << 14
# Genes in a chunk at least: those of one vector register are worked on in step, and some take longer than others.
MIN_GENES = 32
# Numbers that are sent to a worker at a time, at most; and jobs for each worker, at least, so that none waits long.
JOB_SIZE = 1 << 24
JOBS_PER_WORKER = 4


@dataclass(frozen=True, slots=True, eq=False)
class GeneChunk:
    """Data of some genes, as a task gets it; read-only.

    Attributes
    ----------
    counts
        (k, n); (k, 0) where the task does without.
    size_factors
        (1, n) size factors or (k, n) normalization factors.
    weights
        (k, n) observation weights; None: all one.
    by_gene
        Other arrays (k, ...) by name, also ``chunk["name"]``.
    """

    counts: FloatArray
    size_factors: FloatArray
    weights: FloatArray | None
    by_gene: ByGene

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.by_gene[name]

    def inputs(self, min_mu: float = 0.5) -> NBInputs:
        """Return the inputs of negative binomial GLMs of these genes, with the array "dispersion"."""
        return NBInputs(self.size_factors, self["dispersion"], self.weights, min_mu)


@dataclass(frozen=True, slots=True, eq=False)
class Genes:
    """All genes with their data, and which of them are selected.

    Attributes
    ----------
    counts
        (G, n); None for tasks that do without.
    size_factors
        (1, n) size factors or (G, n) normalization factors.
    weights
        (G, n) observation weights; None: all one.
    by_gene
        Other arrays (G, ...) by name.
    index
        (k,) which of the G genes are selected, in increasing order; None: all.
    """

    counts: CountMatrix | None
    size_factors: FloatArray
    weights: FloatArray | None = None
    by_gene: ByGene = field(default_factory=dict)
    index: IntArray | None = None

    def where(self, rows: BoolArray) -> Genes:
        """Return the same genes with those of `rows` (G,) selected."""
        return replace(self, index=None if rows.all() else np.flatnonzero(rows))

    def with_arrays(self, **by_gene: npt.NDArray[Any]) -> Genes:
        """Return the genes with more arrays (G, ...)."""
        return replace(self, by_gene={**self.by_gene, **by_gene})

    def __len__(self) -> int:
        return self.n_genes if self.index is None else len(self.index)

    @property
    def n_genes(self) -> int:
        """Number of all genes, G."""
        if self.counts is not None:
            return self.counts.shape[0]
        return len(next(iter(self.by_gene.values())))

    @property
    def n_samples(self) -> int:
        """Number of samples, n."""
        return len(self.size_factors[0])

    def read(self, rows: slice | IntArray) -> GeneChunk:
        """Return the genes at some rows."""
        by_gene = {name: values[rows] for name, values in self.by_gene.items()}
        counts = self._no_counts(rows) if self.counts is None else self.counts.read(rows)
        return GeneChunk(counts, rows_of(self.size_factors, rows), rows_of(self.weights, rows), by_gene)

    def part(self, rows: slice | IntArray) -> Genes:
        """Return the genes at some rows by themselves, to be sent to another process."""
        index = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        by_gene = {name: values[rows] for name, values in self.by_gene.items()}
        counts = None if self.counts is None else self.counts.part(index)
        return Genes(counts, rows_of(self.size_factors, rows), rows_of(self.weights, rows), by_gene)

    def rows(self, chunk: slice) -> slice | IntArray:
        """Return the rows of some of the selected genes; consecutive ones as a slice, which is read without a copy."""
        if self.index is None:
            return slice(chunk.start, min(chunk.stop, len(self)))
        index = self.index[chunk]
        if len(index) and index[-1] - index[0] == len(index) - 1:
            return slice(int(index[0]), int(index[-1]) + 1)
        return index

    def _no_counts(self, rows: slice | IntArray) -> FloatArray:
        return np.empty((rows.stop - rows.start if isinstance(rows, slice) else len(rows), 0))


def over_genes(
    task: Callable[..., Result],
    genes: Genes,
    *,
    engine: Engine,
    text: str | None = None,
    **shared: Any,  # noqa: ANN401 (arguments of the task)
) -> Result:
    """Run a task on every gene, chunk by chunk, and return its results joined.

    Parameters
    ----------
    task
        ``task(chunk, **shared)`` gets a `GeneChunk` and returns an array, or a record of arrays, with one row for each
        of its genes. It is a function of a module, so that it can be sent to another process, and its numbers for a
        gene depend on that gene alone.
    genes
        The genes; those that are not selected are missing in the result (NaN, False or -1).
    engine
        Threads, chunks, progress. Where `joblib.parallel_config` is in force its workers do the work, and `n_threads`
        is the number of threads of each of them.
    text
        Label of the progress bar; None: no bar.
    shared
        Arguments of the task that are the same for all chunks.

    Returns
    -------
    Result
        The array (G, ...), or the record of arrays (G, ...).
    """
    pool = active_pool()
    if pool is not None and len(genes) > 1:
        return _on_workers(pool, task, genes, shared, engine, text)
    return _here(task, genes, shared, engine, text)


def _here(
    task: Callable[..., Result], genes: Genes, shared: Mapping[str, Any], engine: Engine, text: str | None = None
) -> Result:
    """Run a task on every gene on the threads of this process."""
    found = Collected[Result](genes.n_genes)

    def work(chunk: slice) -> None:
        rows = genes.rows(chunk)
        found.put(rows, task(genes.read(rows), **shared))

    if len(genes):
        first, largest = (max(MIN_GENES, size // genes.n_samples) for size in (FIRST_CHUNK_SIZE, CHUNK_SIZE))
        engine.run(work, len(genes), text, first=first, smallest=MIN_GENES, largest=largest)
    else:
        work(slice(0, 0))
    return found.result


def _on_workers(
    pool: Pool,
    task: Callable[..., Result],
    genes: Genes,
    shared: Mapping[str, Any],
    engine: Engine,
    text: str | None,
) -> Result:
    """Run a task on every gene on the workers of a cluster, which read their counts themselves."""
    n_jobs = max(JOBS_PER_WORKER * pool.n_workers, math.ceil(len(genes) * genes.n_samples / JOB_SIZE))
    size = math.ceil(len(genes) / n_jobs)
    chunks = [slice(start, min(start + size, len(genes))) for start in range(0, len(genes), size)]
    each = replace(engine, n_threads=engine.n_threads or 1, progress=Mute())

    def jobs() -> Iterator[tuple[Any, ...]]:
        for chunk in chunks:
            yield task, genes.part(genes.rows(chunk)), shared, each

    found = Collected[Result](genes.n_genes)
    progress = Mute() if text is None else engine.progress
    with progress.bar(len(genes), text or "") as advance:
        for chunk, result in zip(chunks, pool.map(_here, jobs()), strict=True):
            found.put(genes.rows(chunk), result)
            advance(chunk.stop - chunk.start)
    return found.result


def without_counts(genes: Genes, samples: BoolArray, engine: Engine) -> BoolArray:
    """Return the mask (G, m) of genes without a count in sets of samples, (m, n) truth values."""
    return over_genes(_without_counts, replace(genes, weights=None), samples=samples, engine=engine)


def _without_counts(chunk: GeneChunk, *, samples: BoolArray) -> BoolArray:
    positive = chunk.counts > 0
    empty = np.empty((len(positive), len(samples)), dtype=np.bool_)
    for i, chosen in enumerate(samples):
        np.logical_not(np.any(positive, axis=1, where=chosen), out=empty[:, i])
    return empty


def expand(rows: BoolArray, values: FloatArray) -> FloatArray:
    """Return `values` of the genes `rows` (G,) at their places among all genes; NaN elsewhere."""
    whole = np.full((len(rows), *values.shape[1:]), np.nan)
    whole[rows] = values
    return whole
