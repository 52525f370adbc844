"""Centring of columns far from zero, such as times in Unix seconds, where the model allows it.

Beside an intercept, or for the slope of a group beside a column of this group, the origin of a number is a matter of
taste: another one gives the same model. For arithmetic it is not, since all digits may go into what is common to the
samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float

__all__ = ["FAR", "VERY_FAR", "centred", "same_size"]

# Largest distances from the mean, as fractions of the largest number: numbers below the first are centred, those below
# the second have to be, and those below the third are equal but for their digits.
FAR, VERY_FAR, EQUAL = 0.1, 1e-5, 1e-12
# What is left of an indicator, by least squares, below this is nothing; and the digits of its weights.
NOTHING, DIGITS = 1e-8, 12


def centred(matrix: FloatArray, far: float = FAR, by: Sequence[int] | None = None) -> tuple[FloatArray, FloatArray]:
    """Return X' = X T, with the same column space as X, and T.

    Parameters
    ----------
    matrix
        X, shape (n, q).
    far
        Columns whose numbers other than zero differ from their mean by less than this fraction of the largest one are
        taken less this mean, where the columns that are not far from their origin span the indicator of these samples.
    by
        Places of the columns that may be taken off others; None: all.

    Returns
    -------
    matrix, change
        Shapes (n, q) and (q, q).
    """
    working, change = np.array(matrix, dtype=np.float64), np.eye(matrix.shape[1])
    size = np.abs(matrix).max(axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    scaled = matrix / size
    present = scaled != 0.0
    mean = scaled.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    spread = np.abs(np.where(present, scaled - mean, 0.0)).max(axis=0, initial=0.0)
    codes = np.isin(matrix, (-1.0, 0.0, 1.0)).all(axis=0)
    near = codes | (spread >= FAR) | (spread <= EQUAL)
    places = np.flatnonzero(~codes & (spread > EQUAL) & (spread < far))
    if by is not None:
        near &= np.isin(np.arange(len(near)), by)
    if not len(places) or not near.any():
        return working, change
    weights, spanned = _spanned(scaled[:, near], present[:, places])
    for place, weight in zip(places[spanned], weights.T[spanned], strict=True):
        middle = mean[place] * size[place]
        working[present[:, place], place] -= middle
        change[near, place] -= weight / size[near] * middle
    return working, change


def _spanned(columns: FloatArray, indicators: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the weights of columns (n, q) that give indicators (n, k), shape (q, k), and whether they do, (k,)."""
    wanted = indicators.astype(np.float64)
    weights = np.round(np.linalg.lstsq(columns, wanted, rcond=None)[0], DIGITS)
    return as_float(weights), np.abs(columns @ weights - wanted).max(axis=0) < NOTHING


def same_size(matrix: FloatArray, by: Sequence[int] | None = None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return X' = X T with numbers that are centred and columns whose largest number is one; T and its inverse, (q, q).

    Only the columns `by` are taken off others, where they are given.
    """
    working, change = centred(matrix, by=by)
    size = np.abs(working).max(axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    inverse = 2.0 * np.eye(len(change)) - change  # what is taken off is made of columns that stay as they are
    return as_float(working / size), as_float(change / size), as_float(inverse * size[:, np.newaxis])
