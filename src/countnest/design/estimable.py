"""The algebra of questions: functionals of cells as contrasts of coefficients, and whether they can be estimated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.coded import CodedDesign

__all__ = ["contrast_matrix", "estimable", "functional", "sample_weights", "tidy"]

# A functional is estimable when it is so within this fraction.
TOLERANCE = 1e-8

# Weights nearer than this to a fraction with a small denominator are that fraction.
ROUNDING = 1e-12
DENOMINATOR = 27_720 * 16  # the least common multiple of 1 to 12, and powers of 2


@lru_cache(maxsize=8)
def _inverses(design: CodedDesign) -> tuple[FloatArray, FloatArray]:
    """Return the pseudo-inverses of the unreduced (q, n) and of the fitted (p, n) columns."""
    full, fitted = (np.asarray(np.linalg.pinv(x), dtype=np.float64) for x in (design.full.matrix, design.matrix))
    return full, fitted


def contrast_matrix(design: CodedDesign, rows: FloatArray) -> FloatArray:
    """Return functionals of the unreduced coefficients, shape (k, q), as contrasts of the fitted ones, (k, p).

    With L the rows and Xf the unreduced columns a = L pinv(Xf) are weights of the linear predictors of the samples,
    and the contrast is a X.
    """
    return tidy(rows @ _inverses(design)[0] @ design.matrix)


def tidy(values: FloatArray) -> FloatArray:
    """Return weights, shape (k, p), with those that are simple fractions but for rounding errors made exact."""
    near = np.round(values * DENOMINATOR) / DENOMINATOR
    scale = np.maximum(1.0, np.abs(values).max(axis=1, initial=0.0, keepdims=True))
    return np.where(np.abs(values - near) <= ROUNDING * scale, near, values) + 0.0


def functional(design: CodedDesign, matrix: FloatArray) -> FloatArray:
    """Return contrasts of the fitted coefficients, shape (k, p), as functionals of the unreduced ones, (k, q)."""
    rows: FloatArray = sample_weights(design, matrix) @ design.full.matrix
    return rows


def estimable(design: CodedDesign, rows: FloatArray) -> list[bool]:
    """Return whether each functional, shape (k, q), is a combination of the samples' linear predictors."""
    full = design.full.matrix
    finite = np.nan_to_num(rows)
    gap = np.abs(finite @ _inverses(design)[0] @ full - finite).max(axis=1, initial=0.0)
    scale = np.maximum(1.0, np.abs(finite).max(axis=1, initial=0.0))
    return [bool(ok) for ok in (gap < TOLERANCE * scale) & np.isfinite(rows).all(axis=1)]


def sample_weights(design: CodedDesign, matrix: FloatArray) -> FloatArray:
    """Return the weights of the samples' linear predictors, shape (k, n), for contrasts of shape (k, p)."""
    weights: FloatArray = matrix @ _inverses(design)[1]
    return weights
