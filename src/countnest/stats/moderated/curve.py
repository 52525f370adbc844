"""Natural cubic spline regression on a few knots.

Source: Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 5.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["NaturalSpline"]


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
        basis = _basis((x - origin) / width, knots)
        coefficients, _, rank, _ = np.linalg.lstsq(basis * root[:, np.newaxis], y * root, rcond=None)
        return cls(knots, origin, width, as_float(coefficients), int(rank))

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the values of the curve at `x`."""
        return _basis((x - self.origin) / self.width, self.knots) @ self.coefficients


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
