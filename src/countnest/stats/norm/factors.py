"""Normalization factors: effects by gene and sample, such as transcript lengths, and sequencing depth.

Source: Soneson, Love and Robinson (2015), doi:10.12688/f1000research.7563.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.norm.size_factors import row_mean

__all__ = ["normalization_factors", "over_geometric_mean"]


def over_geometric_mean(values: FloatArray) -> FloatArray:
    """Return positive values (G, n), each row divided by its geometric mean."""
    scaled: FloatArray = values / np.exp(row_mean(np.log(values)))[:, np.newaxis]
    return scaled


def normalization_factors(
    counts: FloatArray, matrix: FloatArray, size_factors_of: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return normalization factors (G, n): a matrix, times the size factors that remain, over row geometric means.

    Parameters
    ----------
    counts
        (G, n).
    matrix
        (G, n), positive: what the counts of every gene are proportional to, apart from depth.
    size_factors_of
        Returns size factors (n,) of counts (G, n); it is given the counts divided by the matrix.

    Notes
    -----
    R counterpart: DESeq2::estimateSizeFactors(normMatrix=).
    """
    return over_geometric_mean(matrix * size_factors_of(counts / matrix))
