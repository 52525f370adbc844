"""Degrees of freedom of effects whose slopes vary between groups: at most as many as the groups leave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.design.random.groupings import Grouping

__all__ = ["slope_limits"]

# What is left of a column of length one that others span, and the singular values of such columns.
TOLERANCE = 1e-9


def slope_limits(matrix: FloatArray, found: Sequence[Grouping]) -> FloatArray:
    """Return the largest degrees of freedom of each fixed column that random slopes allow.

    Random effects contain a fixed column if it is, within each level of the grouping factor, a multiple of theirs:
    ``(time | subject)`` contains ``time`` and ``time:group``. The limit is the rank that these effects add to the fixed
    columns, and to the effects of factors above that do not contain the column: the subjects, less the two slopes.
    Columns that only random intercepts contain, and the intercept, have no limit here.

    Parameters
    ----------
    matrix
        Shape (n, p), the fixed columns.
    found
        The grouping factors, those with few levels first.

    Returns
    -------
    FloatArray
        Shape (p,); infinite where there is no limit.

    Notes
    -----
    SAS Institute, SAS/STAT User's Guide, the MIXED procedure, DDFM=CONTAIN.
    """
    fixed = _unit(matrix)
    limits = np.full(fixed.shape[1], np.inf)
    effects = np.ptp(matrix, axis=0) > 0
    holds = [_contained(each, fixed) for each in found]
    for place, grouping in enumerate(found):
        above = [i for i in range(place) if grouping.is_within(found[i])]
        slopes = [(column, held & effects) for column, held in _by_slope(grouping, fixed, holds[place])]
        for column, held in slopes:
            for j in np.flatnonzero(held):
                base = np.hstack([fixed, *(_unit(found[i].matrix) for i in above if not holds[i][j])])
                limits[j] = min(limits[j], _added_rank(grouping, column, base))
    return limits


def _by_slope(grouping: Grouping, fixed: FloatArray, contained: BoolArray) -> list[tuple[FloatArray, BoolArray]]:
    """Return the columns with random slopes, each with the fixed columns (p,) that its effects contain.

    Fixed columns that only several slopes together contain are slopes of their own.
    """
    is_slope = np.ptp(grouping.columns, axis=0) > 0
    held = [_is_spanned(_without(grouping, column, fixed)) for column in grouping.columns.T]
    rest = contained & ~np.any(held, axis=0)
    found = [(grouping.columns[:, k], held[k]) for k in np.flatnonzero(is_slope)]
    return found + [(fixed[:, j], np.arange(len(rest)) == j) for j in np.flatnonzero(rest)]


def _added_rank(grouping: Grouping, column: FloatArray, base: FloatArray) -> int:
    """Return the rank that the effects of one column, one for each level, add to other columns."""
    own = np.unique(grouping.codes[column != 0]).size
    return own + _rank(_without(grouping, column, base)) - _rank(base)


def _without(grouping: Grouping, column: FloatArray, columns: FloatArray) -> FloatArray:
    """Return columns (n, q) less what one column (n,) explains of them within each level."""
    codes, m = grouping.codes, grouping.n_levels
    squares = np.bincount(codes, column**2, minlength=m)
    products = np.zeros((m, columns.shape[1]))
    np.add.at(products, codes, column[:, np.newaxis] * columns)
    slopes = products / np.where(squares > 0, squares, 1.0)[:, np.newaxis]
    left: FloatArray = columns - slopes[codes] * column[:, np.newaxis]
    return left


def _contained(grouping: Grouping, fixed: FloatArray) -> BoolArray:
    """Tell which fixed columns (p,) all random effects of a factor together span."""
    left = fixed.copy()
    for level in range(grouping.n_levels):
        own = grouping.codes == level
        left[own] -= grouping.columns[own] @ np.linalg.lstsq(grouping.columns[own], fixed[own], rcond=None)[0]
    return _is_spanned(left)


def _is_spanned(left: FloatArray) -> BoolArray:
    spanned: BoolArray = np.linalg.norm(left, axis=0) <= TOLERANCE
    return spanned


def _unit(columns: FloatArray) -> FloatArray:
    length = np.linalg.norm(columns, axis=0)
    unit: FloatArray = columns / np.where(length > 0, length, 1.0)
    return unit


def _rank(columns: FloatArray) -> int:
    return int(np.linalg.matrix_rank(columns, tol=TOLERANCE))
