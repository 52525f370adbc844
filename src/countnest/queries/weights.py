"""Weights of comparisons: finite numbers of a size with which the arithmetic of tests can be done."""

from __future__ import annotations

import math
from numbers import Real
from typing import TypeGuard

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import ContrastError

__all__ = ["is_number", "is_of_size", "mistaken_numbers", "require_usable"]

# Variances have the squares of weights as factors: beyond these the squares, or the sums of them, are no numbers.
LARGEST, SMALLEST = 1e100, 1e-100


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number; True and False are none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number beyond all floats
        return False


def is_of_size(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number that can be computed with, up to 1e100."""
    return is_number(value) and abs(value) <= LARGEST


def mistaken_numbers(values: object) -> str:
    """Return what NumPy would make numbers of though it is none: 'True or False', 'text', or '' where all is well.

    Looks at the elements of an array, a sequence or sequences of them.
    """
    try:
        elements = np.array(values, dtype=object).ravel()
    except ValueError:  # sequences of different shapes
        return ""
    if any(isinstance(element, (bool, np.bool_)) for element in elements):
        return "True or False"
    return "text" if any(isinstance(element, (str, bytes)) for element in elements) else ""


def require_usable(weights: FloatArray, what: str) -> None:
    """Raise `ContrastError` unless every row of weights (k, p), or the only one (p,), can be tested.

    The largest weight of a row must be from 1e-100 to 1e100 in size; a row of zeros is left to the caller.
    """
    sizes = np.abs(np.atleast_2d(weights)).max(axis=1, initial=0.0)
    usable = (sizes == 0) | ((sizes >= SMALLEST) & (sizes <= LARGEST))
    if not usable.all():
        size = sizes[~usable][0]
        shown = f"{size:.3g}" if np.isfinite(size) else "not finite"
        raise ContrastError(
            f"{what} cannot be computed with: the largest weight of a comparison must be from {SMALLEST:g} to "
            f"{LARGEST:g} in size, and here it is {shown}. Comparisons have weights near 1; scale yours."
        )
