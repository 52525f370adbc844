"""Natural cubic spline regression on a few knots.

Sums are NumPy's, whose order does not depend on a linear algebra library and its threads.

Source: Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 5.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["NaturalSpline"]

# A column whose length falls below this fraction of its own depends on those before it.
DEPENDENT = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class NaturalSpline:
    """A curve that is cubic between its knots and a straight line beyond the outer two.

    Attributes
    ----------
    knots
        Distinct and ascending, of the covariate scaled to 0 ... 1.
    origin, width
        The least value of the covariate, and its range.
    coefficients
        Of the basis functions.
    rank
        Of the regression.
    """

    knots: FloatArray
    origin: float
    width: float
    coefficients: FloatArray
    rank: int

    @classmethod
    def regression(
        cls, x: FloatArray, y: FloatArray, probabilities: FloatArray, weights: FloatArray | None = None
    ) -> Self:
        """Return the curve of least squares through `y` (m,) at `x` (m,), with knots at quantiles of `x`.

        Parameters
        ----------
        probabilities
            Of the quantiles, ascending, from 0 to 1; equal quantiles are one knot.
        weights
            (m,) of the squares; None: all one.
        """
        origin = float(x.min())
        width = float(x.max()) - origin or 1.0
        knots = np.unique(np.quantile((x - origin) / width, probabilities))
        root = np.ones(len(x)) if weights is None else np.sqrt(weights)
        coefficients, rank = _least_squares(_basis((x - origin) / width, knots) * root[:, np.newaxis], y * root)
        return cls(knots, origin, width, coefficients, rank)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the values of the curve at `x`."""
        return as_float((_basis((x - self.origin) / self.width, self.knots) * self.coefficients).sum(axis=1))


def _basis(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Return the basis functions (m, K) of K >= 2 knots: 1, x, and a difference of truncated cubes for each inner knot.

    One knot leaves the constant.
    """
    columns = [np.ones_like(x)]
    if len(knots) > 1:
        columns.append(x)
        cubes = np.maximum(x[:, np.newaxis] - knots, 0.0) ** 3
        scaled = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
        columns.extend((scaled[:, :-1] - scaled[:, -1:]).T)
    return np.column_stack(columns)


def _least_squares(columns: FloatArray, y: FloatArray) -> tuple[FloatArray, int]:
    """Return the coefficients (K,) of columns (m, K), 0 for those that depend on earlier ones, and the rank.

    Columns are made orthogonal one after the other, twice, which is exact to rounding.
    """
    n_columns = columns.shape[1]
    basis: list[FloatArray] = []
    # of each orthonormal column, its weights in the columns as given
    weights: list[FloatArray] = []
    for k, given in enumerate(columns.T):
        column, own = given.copy(), np.zeros(n_columns)
        own[k] = 1.0
        for _ in range(2):
            for earlier, weight in zip(basis, weights, strict=True):
                share = float((earlier * column).sum())
                column -= share * earlier
                own -= share * weight
        length = float(np.sqrt((column * column).sum()))
        if length > DEPENDENT * float(np.sqrt((given * given).sum())):
            basis.append(column / length)
            weights.append(own / length)
    coefficients = np.zeros(n_columns)
    for column, weight in zip(basis, weights, strict=True):
        coefficients += float((column * y).sum()) * weight
    return coefficients, len(basis)
