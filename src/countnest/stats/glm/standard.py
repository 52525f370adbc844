"""Working columns of a model matrix: the same model, whatever the units and the origin of its numbers.

The search for coefficients is bounded, and a small ridge lies on them. Both are meant for columns of zeros and ones. A
dose between 0 and 0.00001 (in M) needs coefficients of a million, a calendar year an intercept far from every sample:
there the bound and the ridge would decide the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.centring import VERY_FAR, centred
from countnest.stats.glm.householder import householder_qr, inverse_triangle, ordered_product

__all__ = ["Standard", "standardize"]

# Standard deviations of columns of numbers that are fitted as they are; others are taken in thousands or thousandths.
SMALL, LARGE, PREFIX = 1.0 / 16.0, 1e3, 1e3
# Beyond this the ridge on the other coefficients would hold back that of a number: their squares, as one unit of what
# is new in the number takes them along, over the sum of squares of what is new.
LONG_WAY = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Working columns X' = X T of a model matrix X, in which its genes are fitted.

    Attributes
    ----------
    matrix
        X', (n, p).
    change
        T, (p, p): coefficients of X are T times those of X'.
    inverse
        Its inverse.
    ridge
        (p,) ridges of the coefficients of X' as multiples of the usual one. Columns in thousandths have that which
        their coefficients had before; those in thousands the usual one, which is less.
    """

    matrix: FloatArray
    change: FloatArray
    inverse: FloatArray
    ridge: FloatArray

    def given_back(self, beta: FloatArray) -> FloatArray:
        """Return coefficients (G, p) of the columns of X, from those of X'; gene by gene the same bits."""
        return as_float(ordered_product(beta, self.change.T))

    def taken(self, beta: FloatArray) -> FloatArray:
        """Return coefficients (G, p) of the columns of X', from those of X; gene by gene the same bits."""
        return as_float(ordered_product(beta, self.inverse.T))

    def contrasts(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (k, p) of the coefficients of X', from those of the coefficients of X."""
        return as_float(ordered_product(contrasts, self.change))

    def contrasts_of_given(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (k, p) of the coefficients of X, from those of the coefficients of X'."""
        return as_float(ordered_product(contrasts, self.inverse))


def standardize(matrix: FloatArray) -> Standard | None:
    """Return the working columns of X (n, p), of full column rank; None where they are those of X.

    So they are where all columns hold codes (0, 1, -1), and for most numbers: R's estimates are right there. Numbers
    whose standard deviation, beside the codes, is very small or very large are taken in thousands or thousandths: a
    dose is fitted alike in M, mM and nM. Where numbers are far from their origin, such as a calendar year, what the
    codes do not explain of them is taken, less what earlier numbers explain. Numbers whose digits hardly tell the
    samples apart, such as a time in Unix seconds, are taken less their mean before anything else.
    """
    working, change = centred(matrix, far=VERY_FAR)
    found = _standardized(working)
    if (change == np.eye(len(change))).all():
        return found
    p = len(change)
    found = found or Standard(as_float(working), np.eye(p), np.eye(p), np.ones(p))
    inverse = found.inverse @ (2.0 * np.eye(p) - change)  # what is taken off is made of columns that stay as they are
    return replace(found, change=as_float(change @ found.change), inverse=as_float(inverse))


def _standardized(matrix: FloatArray) -> Standard | None:
    """Return the working columns of numbers that are not very far from their origin."""
    codes = _codes(matrix)
    if codes.all():
        return None
    n, p = matrix.shape
    k = int(np.count_nonzero(codes))
    order = np.concatenate([np.flatnonzero(codes), np.flatnonzero(~codes)])
    size = np.abs(matrix[:, order]).max(axis=0)
    _, triangle = householder_qr(matrix[:, order] / size)
    left = triangle[k:, k:]  # of the numbers, beside the codes
    factor = np.ones(p)
    factor[order[k:]] = _prefixes(np.sqrt(np.sum(left**2, axis=0) / n) * size[k:])
    change, inverse = _orthogonal(triangle, k)
    norm = np.abs(np.diag(left))  # of the orthogonal numbers
    if (np.sum((change[:, k:] / (size * factor[order])[:, np.newaxis]) ** 2, axis=0) > LONG_WAY * norm**2).any():
        unit = size.copy()
        unit[k:] *= _prefixes(norm / np.sqrt(n) * size[k:])
        back = np.argsort(order)
        change = (change / size[:, np.newaxis] * unit)[np.ix_(back, back)]
        inverse = (inverse / unit[:, np.newaxis] * size)[np.ix_(back, back)]
        return Standard(as_float(ordered_product(matrix, change)), as_float(change), as_float(inverse), np.ones(p))
    if (factor == 1.0).all():
        return None
    return Standard(as_float(matrix * factor), np.diag(factor), np.diag(1.0 / factor), np.minimum(factor, 1.0) ** 2)


def _orthogonal(triangle: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return T and its inverse, (p, p), that make the last p - k columns of X = QR orthogonal to all before them.

    T is unit upper triangular: a determinant of X'WX stays what it is.
    """
    left = triangle[k:, k:] / np.diag(triangle)[k:, np.newaxis]
    explained = ordered_product(inverse_triangle(triangle[:k, :k]), triangle[:k, k:])
    change, inverse = np.eye(len(triangle)), np.eye(len(triangle))
    change[k:, k:] = inverse_triangle(left)
    change[:k, k:] = -ordered_product(explained, change[k:, k:])
    inverse[k:, k:], inverse[:k, k:] = left, explained
    return change, inverse


def _codes(matrix: FloatArray) -> BoolArray:
    """Return the mask of columns that hold only 0, 1 and -1."""
    return np.asarray(np.isin(matrix, (-1.0, 0.0, 1.0)).all(axis=0))


def _prefixes(spread: FloatArray) -> FloatArray:
    """Return the powers of a thousand that numbers of such standard deviations are multiplied by."""
    up = np.ceil(np.log(SMALL / spread) / np.log(PREFIX))
    down = np.ceil(np.log(spread / LARGE) / np.log(PREFIX))
    return as_float(np.where(spread < SMALL, PREFIX**up, np.where(spread > LARGE, PREFIX**-down, 1.0)))
