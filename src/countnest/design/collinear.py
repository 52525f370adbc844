"""Nearly collinear columns of a model matrix, whose estimates are mostly noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.arrays import FloatArray
from countnest.centring import centred
from countnest.errors import listing

__all__ = ["collinearity_warnings", "scaled_condition"]

# At this condition number other columns determine a column to four digits.
LARGEST_CONDITION = 1e4
# Columns with more than this share of the largest weight are part of a near dependence.
SHARE = 0.1


def collinearity_warnings(matrix: FloatArray, columns: Sequence[str]) -> list[str]:
    """Return a warning if columns of X (n, p), of full rank, are nearly collinear."""
    condition, weights = scaled_condition(matrix)
    if condition <= LARGEST_CONDITION:
        return []
    near = [column for column, weight in zip(columns, weights, strict=True) if weight > SHARE * weights.max()]
    return [
        f"the columns {listing(near, 8)} of the design are nearly collinear: the condition number of the scaled "
        f"columns is {condition:.1e}. These samples can hardly separate their effects, so standard errors are very "
        "large. Leave out one of the columns, or replace it by its difference from the other."
    ]


def scaled_condition(matrix: FloatArray) -> tuple[float, FloatArray]:
    """Return the condition number of X (n, p), and the size of each column's weight (p,) in its nearest dependence.

    Columns are scaled to length one, so that units make no difference. Numbers are centred if the model has an
    intercept or, for the slope of a group, a column of this group, so that origins make no difference. With an
    intercept all columns are centred, and it is left out.
    """
    p = matrix.shape[1]
    codes = np.isin(matrix, (-1.0, 0.0, 1.0)).all(axis=0)
    if codes.all():
        return 1.0, np.zeros(p)
    scaled, _ = centred(matrix / np.abs(matrix).max(axis=0), far=np.inf)
    constant = (matrix == matrix[0]).all(axis=0)
    if constant.any():
        scaled -= scaled.mean(axis=0)
    used = np.flatnonzero(~constant)
    if not len(used):
        return 1.0, np.zeros(p)
    _, singular, rows = np.linalg.svd(scaled[:, used] / np.linalg.norm(scaled[:, used], axis=0), full_matrices=False)
    weights = np.zeros(p)
    weights[used] = np.abs(rows[-1])
    return float(singular[0] / max(singular[-1], np.finfo(np.float64).tiny)), weights
