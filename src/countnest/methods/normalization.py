"""Size factors or normalization factors, and which of the given inputs takes precedence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.matrix import CountMatrix, InMemory
from countnest.errors import OptionError, warn
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.options import SizeFactorType
from countnest.parallel.run import Engine
from countnest.stats.norm.factors import normalization_factors, over_geometric_mean
from countnest.stats.norm.size_factors import (
    Location,
    RatioType,
    log_geometric_means,
    log_size_factors,
    size_factors_from_logs,
    usable_genes,
)

__all__ = ["Normalization", "estimate_factors", "estimate_size_factors"]

# Estimates size factors (n,) and a model in turn, from counts (G, n).
IteratedFactors = Callable[[FloatArray, Engine, FloatArray | None], FloatArray]
# Numbers that are read at once to gather the counts of samples.
READ_SIZE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Normalization:
    """Inputs of the estimation of factors; see `estimate_size_factors`.

    Attributes
    ----------
    location
        In place of the median; None: the median.
    control
        (G,) which genes are used; None: all.
    geo_means
        (G,) geometric means; None: of these counts.
    matrix
        (G, n) positive: known effects on the counts, such as GC content.
    lengths
        (G, n) average transcript lengths, in place of `matrix`.
    weights
        (G, n) observation weights, which "iterate" uses.
    iterated
        Returns the size factors (n,) of "iterate", from counts, engine and weights; a method with a model has it.
    """

    location: Location | None = None
    control: BoolArray | None = None
    geo_means: FloatArray | None = None
    matrix: FloatArray | None = None
    lengths: FloatArray | None = None
    weights: FloatArray | None = None
    iterated: IteratedFactors | None = None

    def by_gene(self, kind: SizeFactorType) -> bool:
        """Return whether normalization factors (G, n) are estimated, and not size factors (1, n)."""
        return kind != "iterate" and (self.matrix is not None or self.lengths is not None)


def estimate_factors(counts: CountMatrix, kind: SizeFactorType, given: Normalization, engine: Engine) -> FloatArray:
    """Return size factors (1, n), or normalization factors (G, n) where a matrix or lengths are given.

    "iterate" uses nothing that is given; lengths take precedence over a matrix, and "poscounts" over `geo_means`.

    Warns
    -----
    CountnestWarning
        Something is given and not used.

    Notes
    -----
    R counterpart: DESeq2::estimateSizeFactors.
    """
    engine.progress.step("estimating size factors")
    if kind == "iterate":
        _warn_unused(given, _WRITTEN, "type='iterate'")
        if given.iterated is None:
            raise OptionError("type='iterate' is for negative binomial models: use it with a DESeqDataSet.")
        return given.iterated(counts.whole(), engine, given.weights)[np.newaxis, :]
    if kind == "poscounts":
        _warn_unused(given, ("geo_means",), "type='poscounts'")
    matrix = given.matrix
    if given.lengths is not None:
        engine.progress.note("using 'avg_tx_length', correcting for library size")
        _warn_unused(given, ("matrix",), "avg_tx_length")
        matrix = over_geometric_mean(given.lengths)
    elif matrix is not None:
        engine.progress.note("using 'norm_matrix', adding normalization factors which correct for library size")
    location, control = given.location or np.median, given.control
    if matrix is None:
        geo_means = given.geo_means if kind == "ratio" else None
        return estimate_size_factors(
            counts, kind, location=location, control=control, geo_means=geo_means, engine=engine
        )[np.newaxis]
    # As in R, the geometric means of "poscounts" are those of the counts, not of the counts over the matrix.
    values = counts.whole()
    means = np.exp(log_geometric_means(values, "poscounts")) if kind == "poscounts" else given.geo_means
    return normalization_factors(
        values,
        matrix,
        lambda k: estimate_size_factors(
            InMemory(k), location=location, control=control, geo_means=means, engine=engine
        ),
    )


def estimate_size_factors(
    counts: CountMatrix,
    kind: RatioType = "ratio",
    *,
    location: Location = np.median,
    control: BoolArray | None = None,
    geo_means: FloatArray | None = None,
    centered: bool | None = None,
    engine: Engine,
) -> FloatArray:
    """Return the size factors (n,) of counts (G, n), in bounded memory.

    s_j = exp(median over genes of log K_ij - log geometric mean_i), over genes with K_ij > 0 and a finite mean.

    Parameters
    ----------
    counts
        (G, n), not negative.
    kind
        How the geometric means are taken, see `stats.norm.size_factors.log_geometric_means`; without effect when they
        are given.
    location
        In place of the median: a function of the log ratios of a sample.
    control
        (G,) which genes are used; None: all.
    geo_means
        (G,) geometric means to use, not negative; a gene with 0 is left out.
    centered
        Divide the size factors by their geometric mean. None: for "poscounts" and for given means.
    engine
        Threads, chunks, progress.

    Raises
    ------
    NormalizationError
        If no gene qualifies, in all samples or in one.

    Notes
    -----
    R counterparts: DESeq2::estimateSizeFactors, which centers the factors of "poscounts", and
    DESeq2::estimateSizeFactorsForMatrix, which does not.
    """
    n = counts.shape[1]
    if geo_means is None:
        log_means = over_genes(_log_means_chunk, Genes(counts, np.ones((1, n))), kind=kind, engine=engine)
    else:
        with np.errstate(divide="ignore"):
            log_means = np.log(geo_means)
    genes = usable_genes(log_means, control, given=geo_means is not None)
    log_means, log_factors = log_means[genes], np.empty(n)
    for samples, by_sample in _samples_of(counts, genes):

        def task(rows: slice, by_sample: FloatArray = by_sample, first: int = samples.start) -> None:
            found = log_size_factors(by_sample[rows], log_means, location, first + rows.start)
            log_factors[first + rows.start : first + rows.stop] = found

        engine.run(task, len(by_sample))
    if centered is None:
        centered = kind == "poscounts" or geo_means is not None
    return size_factors_from_logs(log_factors, centered=centered)


def _log_means_chunk(chunk: GeneChunk, *, kind: RatioType) -> FloatArray:
    return log_geometric_means(chunk.counts, kind)


def _samples_of(counts: CountMatrix, genes: IntArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield samples, as many at a time as fit, and their counts of some genes, samples x genes."""
    n = counts.shape[1]
    n_together = max(1, counts.gathered_cells // len(genes))
    n_read = max(1, READ_SIZE // n)
    for first in range(0, n, n_together):
        samples = slice(first, min(first + n_together, n))
        by_sample = np.empty((samples.stop - first, len(genes)))
        for start in range(0, len(genes), n_read):
            by_sample[:, start : start + n_read] = counts.read(genes[start : start + n_read], samples).T
        yield samples, by_sample


# How a caller wrote what a field of `Normalization` holds.
_WRITTEN = {
    "location": "locfunc",
    "control": "control_genes",
    "geo_means": "geo_means",
    "matrix": "norm_matrix",
    "lengths": "avg_tx_length",
}


def _warn_unused(given: Normalization, fields: Iterable[str], used: str) -> None:
    unused = [_WRITTEN[field] for field in fields if getattr(given, field) is not None]
    if unused:
        warn(f"{used} is used, and {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not.")
