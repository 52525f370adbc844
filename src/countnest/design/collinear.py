"""Columns of a model matrix that nearly depend on each other: what is estimated of them is mostly noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.arrays import FloatArray
from countnest.centring import centred
from countnest.errors import listing

__all__ = ["collinearity_warnings", "scaled_condition"]

# A condition number beyond this is that of a column which others give to four digits.
LARGEST_CONDITION = 1e4
# Columns take part in a near dependence with more than this share of its largest weight.
SHARE = 0.1


def collinearity_warnings(matrix: FloatArray, columns: Sequence[str]) -> list[str]:
    """Return a warning where columns of X (n, p), of full rank, nearly depend on each other."""
    condition, weights = scaled_condition(matrix)
    if condition <= LARGEST_CONDITION:
        return []
    near = [column for column, weight in zip(columns, weights, strict=True) if weight > SHARE * weights.max()]
    return [
        f"the columns {listing(near, 8)} of the design are nearly collinear: the condition number of the scaled "
        f"columns is {condition:.1e}. These samples hardly tell their effects apart, so that standard errors are very "
        "large. Leave one of the columns out, or replace one by its difference from the other, if that was meant."
    ]


def scaled_condition(matrix: FloatArray) -> tuple[float, FloatArray]:
    """Return the condition number of X (n, p), and the size of each column's weight (p,) in its nearest dependence.

    Columns have length one, so that units make no difference. Nor does the origin of a number: it is taken less its
    mean where the model has an intercept, or, for the slope of a group, a column of this group. So are all columns
    beside an intercept, which is then left out.
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
