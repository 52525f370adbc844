"""Weights of observations in linear mixed models. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError

__all__ = ["log_determinant", "normalized"]


def normalized(weights: FloatArray) -> FloatArray:
    """Return weights (G, n) or (1, n) over their mean in each gene.

    A weight of zero leaves a sample out of a gene, and does not count in the mean: the gene's numbers are those without
    the sample.

    Raises
    ------
    OptionError
        If a weight is negative or not finite.
    """
    weights = np.atleast_2d(as_float(weights))
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise OptionError("Weights must be finite numbers that are not negative; a weight of 0 leaves a sample out.")
    there = (weights > 0).sum(axis=1, keepdims=True)
    total = weights.sum(axis=1, keepdims=True)
    return as_float(weights * (there / np.where(total > 0, total, 1.0)))


def log_determinant(weights: FloatArray) -> FloatArray:
    """Return the sum (G,) or (1,) of the logarithms of the weights that are not zero."""
    return as_float(np.log(np.where(weights > 0, weights, 1.0)).sum(axis=1))
