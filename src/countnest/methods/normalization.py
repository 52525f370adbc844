"""Size factors or normalization factors from what a caller gives: which argument goes before which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.matrix import CountMatrix
from countnest.errors import warn
from countnest.methods.chunks import Genes, over_genes
from countnest.methods.iterate import iterated_size_factors
from countnest.options import SizeFactorType
from countnest.parallel.run import Engine
from countnest.stats.norm.factors import normalization_factors, over_geometric_mean
from countnest.stats.norm.size_factors import (
    Location,
    RatioType,
    estimate_size_factors,
    factors_from_logs,
    is_centered,
    log_geometric_means,
    log_locations,
    usable_genes,
)

__all__ = ["Normalization", "estimate_factors"]

# Numbers that are read at once to gather the counts of samples.
READ_CELLS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Normalization:
    """What is given for the estimation of factors; see `stats.norm.size_factors.estimate_size_factors`.

    Attributes
    ----------
    location
        In place of the median; None: the median.
    control
        (G,) which genes are used; None: all.
    geo_means
        (G,) geometric means; None: of these counts.
    matrix
        (G, n) positive: what else the counts of a gene are proportional to.
    lengths
        (G, n) average transcript lengths, in place of `matrix`.
    weights
        (G, n) observation weights, which "iterate" heeds.
    """

    location: Location | None = None
    control: BoolArray | None = None
    geo_means: FloatArray | None = None
    matrix: FloatArray | None = None
    lengths: FloatArray | None = None
    weights: FloatArray | None = None

    def by_gene(self, kind: SizeFactorType) -> bool:
        """Return whether normalization factors (G, n) are estimated, and not size factors (1, n)."""
        return kind != "iterate" and (self.matrix is not None or self.lengths is not None)


def estimate_factors(counts: CountMatrix, kind: SizeFactorType, given: Normalization, engine: Engine) -> FloatArray:
    """Return size factors (1, n), or normalization factors (G, n) where a matrix or lengths are given.

    "iterate" uses nothing that is given; lengths go before a matrix; "poscounts" goes before `geo_means`.

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
        return iterated_size_factors(counts.whole(), engine, given.weights)[np.newaxis, :]
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
        return _size_factors(counts, kind, location, control, geo_means, engine)[np.newaxis]
    # As in R, the geometric means of "poscounts" are those of the counts, not of the counts over the matrix.
    values = counts.whole()
    means = np.exp(log_geometric_means(values, "poscounts")) if kind == "poscounts" else given.geo_means
    return normalization_factors(
        values, matrix, lambda k: estimate_size_factors(k, location=location, control=control, geo_means=means)
    )


def _size_factors(
    counts: CountMatrix,
    kind: RatioType,
    location: Location,
    control: BoolArray | None,
    geo_means: FloatArray | None,
    engine: Engine,
) -> FloatArray:
    """Return size factors (n,) as `stats.norm.size_factors.estimate_size_factors` has them, in bounded memory.

    The median of a sample takes all its counts: they are gathered for as many samples at a time as fit.
    """
    n = counts.shape[1]
    if geo_means is None:
        (log_means,) = over_genes(_log_means, Genes(counts, np.ones((1, n))), kind=kind, engine=engine)
    else:
        with np.errstate(divide="ignore"):
            log_means = np.log(geo_means)
    genes = usable_genes(log_means, control, given=geo_means is not None)
    log_means = log_means[genes]
    log_factors = np.empty(n)
    n_together = max(1, counts.gathered_cells // len(genes))
    n_read = max(1, READ_CELLS // n)
    for first in range(0, n, n_together):
        samples = slice(first, min(first + n_together, n))
        by_sample = np.empty((samples.stop - first, len(genes)))
        for start in range(0, len(genes), n_read):
            by_sample[:, start : start + n_read] = counts.read(genes[start : start + n_read], samples).T

        def task(block: slice, by_sample: FloatArray = by_sample, first: int = first) -> None:
            rows = slice(first + block.start, first + block.stop)
            log_factors[rows] = log_locations(by_sample[block], log_means, location, rows.start)

        engine.run(task, len(by_sample))
    return factors_from_logs(log_factors, centered=is_centered(kind, geo_means))


def _log_means(
    counts: FloatArray,
    factors: FloatArray,  # noqa: ARG001 (tasks have it)
    weights: FloatArray | None,  # noqa: ARG001
    *,
    kind: RatioType,
    engine: Engine,  # noqa: ARG001
) -> tuple[FloatArray]:
    return (log_geometric_means(counts, kind),)


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
