"""The algebra of queries: functionals of cells as contrasts of coefficients, and whether they can be estimated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.centring import same_size
from countnest.design.design import Design

__all__ = ["contrast_matrix", "estimable", "functional", "is_mean", "sample_weights", "tidy"]

# Relative tolerance of estimability.
TOLERANCE = 1e-8

# Beyond this condition number columns are scaled to one size and numbers are centred; otherwise rounding errors would
# exceed the tolerance.
LARGEST_CONDITION = 1e7

# Weights closer than this to a fraction with a small denominator are replaced by that fraction.
ROUNDING = 1e-12
DENOMINATOR = 27_720 * 16  # the least common multiple of 1 to 12, and powers of 2


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Columns X' = X T of a matrix X (n, q), their pseudo-inverse (q, n), T and its inverse (q, q)."""

    matrix: FloatArray
    pseudo_inverse: FloatArray
    change: FloatArray
    inverse: FloatArray


@lru_cache(maxsize=8)
def _columns(design: Design) -> tuple[_Columns, _Columns]:
    """Return the unreduced and the fitted columns, scaled and centred if digits would be lost otherwise."""
    as_given = np.linalg.cond(design.matrix) <= LARGEST_CONDITION
    full, fitted = (_worked(matrix, bool(as_given)) for matrix in (design.full.matrix, design.matrix))
    return full, fitted


def _worked(matrix: FloatArray, as_given: bool) -> _Columns:
    unit = np.eye(matrix.shape[1])
    working, change, inverse = (matrix, unit, unit) if as_given else same_size(matrix)
    return _Columns(working, np.asarray(np.linalg.pinv(working), dtype=np.float64), change, inverse)


def contrast_matrix(design: Design, rows: FloatArray) -> FloatArray:
    """Return functionals of the unreduced coefficients, shape (k, q), as contrasts of the fitted ones, (k, p).

    With rows L and unreduced columns Xf, a = L pinv(Xf) are weights of the linear predictors of the samples, and the
    contrast is a X.
    """
    full, fitted = _columns(design)
    return tidy(rows @ full.change @ full.pseudo_inverse @ fitted.matrix @ fitted.inverse)


def tidy(values: FloatArray) -> FloatArray:
    """Return weights, shape (k, p), with simple fractions made exact."""
    near = np.round(values * DENOMINATOR) / DENOMINATOR
    scale = np.maximum(1.0, np.abs(values).max(axis=1, initial=0.0, keepdims=True))
    return np.where(np.abs(values - near) <= ROUNDING * scale, near, values) + 0.0


def functional(design: Design, matrix: FloatArray) -> FloatArray:
    """Return contrasts of the fitted coefficients, shape (k, p), as functionals of the unreduced ones, (k, q)."""
    full = _columns(design)[0]
    rows: FloatArray = sample_weights(design, matrix) @ full.matrix @ full.inverse
    return rows


def estimable(design: Design, rows: FloatArray) -> list[bool]:
    """Return whether each functional, shape (k, q), is a combination of the samples' linear predictors."""
    full = _columns(design)[0]
    finite = np.nan_to_num(rows) @ full.change
    gap = np.abs(finite @ full.pseudo_inverse @ full.matrix - finite).max(axis=1, initial=0.0)
    scale = np.maximum(1.0, np.abs(finite).max(axis=1, initial=0.0))
    return [bool(ok) for ok in (gap < TOLERANCE * scale) & np.isfinite(rows).all(axis=1)]


def sample_weights(design: Design, matrix: FloatArray) -> FloatArray:
    """Return the weights of the samples' linear predictors, shape (k, n), for contrasts of shape (k, p)."""
    fitted = _columns(design)[1]
    weights: FloatArray = matrix @ fitted.change @ fitted.pseudo_inverse
    return weights


def is_mean(design: Design, matrix: FloatArray) -> BoolArray:
    """Return which contrasts (k, p) are about a mean, not a difference: adding a constant to all log means changes it.

    None is, where the design cannot add a constant to all samples.
    """
    constant = sample_weights(design, np.eye(matrix.shape[1])).sum(axis=1)
    if np.abs(design.matrix @ constant - 1.0).max() >= TOLERANCE:
        return np.zeros(len(matrix), dtype=np.bool_)
    changed: BoolArray = np.abs(matrix @ constant) > TOLERANCE
    return changed
