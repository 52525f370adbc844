"""Checks of weights of coefficients, levels and rows: finite numbers of a size that allows arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.design.levels.text import known_level
from countnest.errors import ContrastError
from countnest.options import is_number

__all__ = ["check_weights", "is_of_size", "mistaken_numbers", "require_usable"]

# Variances contain squares of weights: beyond these limits the squares or their sums overflow or underflow.
LARGEST, SMALLEST = 1e100, 1e-100


def is_of_size(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number of at most 1e100 in size."""
    return is_number(value) and abs(value) <= LARGEST


def mistaken_numbers(values: object) -> str:
    """Name the values that NumPy would convert to numbers by mistake, 'True or False' or 'text'; '' if none.

    The elements of an array, a sequence or nested sequences are looked at.
    """
    try:
        elements = np.array(values, dtype=object).ravel()
    except ValueError:  # sequences of different shapes
        return ""
    if any(isinstance(element, (bool, np.bool_)) for element in elements):
        return "True or False"
    return "text" if any(isinstance(element, (str, bytes)) for element in elements) else ""


def require_usable(weights: FloatArray, what: str) -> None:
    """Raise `ContrastError` unless every row of weights, (k, p) or (p,), has its largest from 1e-100 to 1e100 in size.

    Rows of zeros are left to the caller.
    """
    sizes = np.abs(np.atleast_2d(weights)).max(axis=1, initial=0.0)
    usable = (sizes == 0) | ((sizes >= SMALLEST) & (sizes <= LARGEST))
    if not usable.all():
        size = sizes[~usable][0]
        shown = f"{size:.3g}" if np.isfinite(size) else "not finite"
        raise ContrastError(
            f"{what} is out of range: the largest weight of a comparison must be from {SMALLEST:g} to "
            f"{LARGEST:g} in size, and it is {shown}. Scale the weights to be near 1."
        )


def check_weights(design: Design, weights: object) -> None:
    """Raise `ContrastError` unless the weights are a known keyword or non-negative weights of known levels."""
    if isinstance(weights, str):
        if weights not in ("equal", "proportional"):
            raise ContrastError(f"weights='{weights}' is not known; use 'equal', 'proportional' or a dict of factors.")
        return
    if not isinstance(weights, Mapping) or not all(isinstance(value, Mapping) for value in weights.values()):
        raise ContrastError(
            f"weights={weights!r}: use 'equal', 'proportional' or a dict such as {{'treat1': {{'A': 0.7, 'B': 0.3}}}}."
        )
    for factor, given in weights.items():
        design.require_variable(factor)
        if factor not in design.levels:
            raise ContrastError(f"weights for '{factor}': it is not a factor, so it has no levels to average over.")
        for level in given:
            design.require_level(factor, known_level(level, design.levels[factor]))
        usable = all(is_of_size(weight) and weight >= 0 for weight in given.values())
        if not usable or not any(given.values()):
            raise ContrastError(f"the weights of the levels of '{factor}' must be positive numbers or zero: {given!r}.")
