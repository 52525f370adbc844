"""Degrees of freedom by containment: a coefficient is compared with the groups within which it is constant."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.design.random.groupings import Grouping, groupings
from countnest.design.random.slopes import slope_limits

__all__ = ["containment_df"]


def containment_df(design: Design, contrasts: FloatArray) -> FloatArray:
    """Return the denominator degrees of freedom of contrasts by containment.

    Grouping factors i = 1, 2, ... from coarse to fine have m_i levels, and the samples are the last, with n. A column
    of the model matrix belongs to the coarsest factor within whose levels it is constant, or to the samples. The
    degrees of freedom of level i are ``m_i - (m_(i-1) + p_i)``, p_i being the number of its columns, and m_0 one where
    there is an intercept. The intercept takes the largest, a contrast the smallest of its columns. They do not depend
    on the counts.

    A column whose slope varies between the levels of a factor has at most the rank that these slopes add to the fixed
    columns, see `slopes.slope_limits`: with ``(time | subject)`` the effect of time has one less than there are
    subjects.

    Factors that are not nested are taken one by one, each with the factors it is nested in above it; below them are
    the samples, less the dimensions that all factors span.

    Parameters
    ----------
    design
        A design with random terms, n samples and p coefficients.
    contrasts
        Shape (k, p).

    Returns
    -------
    FloatArray
        Shape (k,); NaN where none are left.

    Notes
    -----
    Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section 2.4.2, doi:10.1007/b98882. R counterpart:
    the denDF of nlme::lme, which does not count that slopes are random; without an intercept, it has one more within
    all groups than there are. The limits of slopes are those of DDFM=CONTAIN of SAS PROC MIXED.
    """
    by_column = np.minimum(_by_column(design), slope_limits(design.matrix, groupings(design.random)))
    used = np.abs(contrasts) > 1e-12 * np.abs(contrasts).max(axis=1, initial=0.0, keepdims=True)
    df: FloatArray = np.where(used, by_column, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(df) & (df > 0), df, np.nan)


def _by_column(design: Design) -> FloatArray:
    """Return the degrees of freedom (p,) of each column of the model matrix by the rule of nlme."""
    found, matrix = groupings(design.random), design.matrix
    n, p = matrix.shape
    owner = np.full(p, len(found))  # the samples
    for place in reversed(range(len(found))):
        owner[found[place].is_constant(matrix)] = place
    is_intercept = np.ptp(matrix, axis=0) == 0
    owned = [int((~is_intercept & (owner == place)).sum()) for place in range(len(found) + 1)]
    lowest = int(design.intercept)
    above = [max([lowest, *(g.n_levels for g in found[:i] if found[i].is_within(g))]) for i in range(len(found))]
    df = [g.n_levels - (m + q) for g, m, q in zip(found, above, owned[:-1], strict=True)]
    df.append(n - (_dimensions(found) + owned[-1]))
    values = np.array(df, dtype=np.float64)
    by_column: FloatArray = np.where(is_intercept, values.max(), values[owner])
    return by_column


def _dimensions(found: tuple[Grouping, ...]) -> int:
    """Return the number of dimensions that the levels of all factors span."""
    finest = found[-1]
    if all(finest.is_within(other) for other in found[:-1]):
        return finest.n_levels
    return int(np.linalg.matrix_rank(np.hstack([np.eye(each.n_levels)[each.codes] for each in found])))
