"""Size factors: the arguments of their estimation, and the estimation for a plain table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.inputs import (
    given_control_genes,
    given_geo_means,
    given_locfunc,
    given_norm_matrix,
    given_numbers,
)
from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.containers.gene_info import without_annotation
from countnest.containers.matrix import InMemory
from countnest.errors import CountsError, listing, warn
from countnest.methods.normalization import Normalization, estimate_size_factors
from countnest.options import check_option
from countnest.parallel.run import Engine
from countnest.signature import checked_arguments
from countnest.stats.norm.size_factors import RatioType

__all__ = ["count_table", "estimate_size_factors_for_matrix", "given_normalization"]


def given_normalization(
    data: CountData,
    *,
    lengths: FloatArray | None,
    weights: FloatArray | None,
    locfunc: Any,  # noqa: ANN401 (checked here, as are the others)
    control_genes: Any,  # noqa: ANN401
    geo_means: Any,  # noqa: ANN401
    norm_matrix: Any,  # noqa: ANN401
) -> Normalization:
    """Return the inputs for the estimation of factors, checked and in the order of genes and samples."""
    return Normalization(
        location=given_locfunc(locfunc),
        control=None if control_genes is None else given_control_genes(control_genes, data.genes),
        geo_means=None if geo_means is None else given_geo_means(geo_means, data.genes),
        matrix=None if norm_matrix is None else given_norm_matrix(norm_matrix, data, "norm_matrix"),
        lengths=lengths,
        weights=weights,
    )


@checked_arguments
def estimate_size_factors_for_matrix(
    counts: pd.DataFrame | FloatArray,
    *,
    type: RatioType = "ratio",
    locfunc: Callable[[FloatArray], Any] | None = None,
    control_genes: Any = None,  # noqa: ANN401 (labels, truth values or positions)
    geo_means: Any = None,  # noqa: ANN401 (Series, sequence)
) -> pd.Series[float] | FloatArray:
    """Return the size factors of a table of counts, genes x samples.

    Parameters
    ----------
    counts
        Not negative; whole numbers are not required. Columns of a DataFrame that describe genes are left out.
    type
        "ratio" or "poscounts". Size factors of "poscounts" are not rescaled to a geometric mean of 1, unlike those of
        `DESeqDataSet.estimate_size_factors`.
    locfunc, control_genes, geo_means
        As there. `geo_means` take precedence over `type`; the size factors are then divided by their geometric mean.

    Returns
    -------
    pandas.Series or numpy.ndarray
        By sample for a DataFrame, otherwise an array (n,).

    Raises
    ------
    CountsError
        If the counts are not a table of numbers that are finite and not negative.
    NormalizationError
        If no gene qualifies, in all samples or in one.

    Notes
    -----
    R counterpart: DESeq2::estimateSizeFactorsForMatrix.
    """
    check_option("type", type, RatioType)
    if isinstance(counts, pd.DataFrame):
        counts = without_annotation(counts)
    values, genes = count_table(counts)
    if geo_means is not None and type == "poscounts":
        warn("geo_means are used, and type='poscounts' is not.")
    factors = estimate_size_factors(
        InMemory(values),
        type,
        location=given_locfunc(locfunc) or np.median,
        control=None if control_genes is None else given_control_genes(control_genes, genes),
        geo_means=None if geo_means is None else given_geo_means(geo_means, genes),
        centered=geo_means is not None,
        engine=Engine(n_threads=1),
    )
    if isinstance(counts, pd.DataFrame):
        return pd.Series(factors, index=counts.columns, name="sizeFactor")
    return factors


def count_table(counts: Any) -> tuple[FloatArray, pd.Index]:  # noqa: ANN401 (checked here)
    """Return counts (G, n) and the labels of the genes."""
    values = given_numbers(counts, "counts", CountsError)
    if values.ndim != 2 or 0 in values.shape:
        raise CountsError(f"counts must be a table, genes x samples, that is not empty; its shape is {values.shape}.")
    labelled = isinstance(counts, pd.DataFrame) and not isinstance(counts.index, pd.RangeIndex)
    genes = counts.index.map(str) if labelled else pd.Index([f"gene{i}" for i in range(1, len(values) + 1)])
    bad: BoolArray = ~(np.isfinite(values) & (values >= 0.0))
    if bad.any():
        raise CountsError(
            f"counts must be finite and not negative; {bad.sum()} of {bad.size} are not, such as {values[bad][0]}, "
            f"in {listing(genes[np.flatnonzero(bad.any(axis=1))])}."
        )
    return values, genes
