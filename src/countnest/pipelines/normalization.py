"""Size factors or normalization factors from what a caller gives: which argument goes before which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.errors import warn
from countnest.options import SizeFactorType
from countnest.parallel.run import Engine
from countnest.pipelines.iterate import iterated_size_factors
from countnest.stats.norm.factors import normalization_factors, over_geometric_mean
from countnest.stats.norm.size_factors import Location, estimate_size_factors, log_geometric_means

__all__ = ["Normalization", "estimate_factors"]


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


def estimate_factors(counts: FloatArray, kind: SizeFactorType, given: Normalization, engine: Engine) -> FloatArray:
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
        return iterated_size_factors(counts, engine, given.weights)[np.newaxis, :]
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
        return estimate_size_factors(counts, kind, location=location, control=control, geo_means=geo_means)[np.newaxis]
    # As in R, the geometric means of "poscounts" are those of the counts, not of the counts over the matrix.
    means = np.exp(log_geometric_means(counts, "poscounts")) if kind == "poscounts" else given.geo_means
    return normalization_factors(
        counts, matrix, lambda k: estimate_size_factors(k, location=location, control=control, geo_means=means)
    )


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
