"""Checks of the arguments of a simulation, with messages that tell what to give instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from countnest.errors import OptionError

__all__ = [
    "correlation",
    "interval",
    "level_names",
    "number",
    "probability",
    "whole_number",
    "whole_numbers",
]


def whole_number(name: str, value: object, *, least: int = 1) -> int:
    """Return `value` as an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}={value!r} cannot be used; give a whole number of at least {least}.")
    return int(value)


def whole_numbers(name: str, value: object, size: int | None = None) -> tuple[int, ...]:
    """Return `value` as a tuple of integers of at least 1; a single number is repeated `size` times."""
    if size is not None and not isinstance(value, Sequence):
        return (whole_number(name, value),) * size
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise OptionError(f"{name}={value!r} cannot be used; give a sequence of whole numbers such as (3, 3).")
    if size is not None and len(value) != size:
        raise OptionError(f"{name} has {len(value)} numbers for {size} levels; give {size}, or one number for all.")
    return tuple(whole_number(f"{name}[{place}]", item) for place, item in enumerate(value))


def number(name: str, value: object, *, above: bool = False) -> float:
    """Return `value` as a finite number of at least 0, or above 0 if `above`."""
    found = _as_float(value)
    if not math.isfinite(found) or found < 0 or (above and found == 0):
        kind = "above 0" if above else "that is 0 or more"
        raise OptionError(f"{name}={value!r} cannot be used; give a finite number {kind}.")
    return found


def probability(name: str, value: object, of: str = "genes") -> float:
    """Return `value` as a number from 0 to 1, the fraction of what `of` names."""
    found = _as_float(value)
    if not 0 <= found <= 1:
        raise OptionError(f"{name}={value!r} cannot be used; give the fraction of the {of}, a number from 0 to 1.")
    return found


def correlation(name: str, value: object) -> float:
    """Return `value` as a number from -1 to 1."""
    found = _as_float(value)
    if not -1 <= found <= 1:
        raise OptionError(f"{name}={value!r} cannot be used; give a number from -1 to 1, 0 for none.")
    return found


def interval(name: str, value: object, of: str = "mean") -> tuple[float, float]:
    """Return `value` as two numbers above 0, the smaller first; `of` says what they are."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise OptionError(f"{name}={value!r} cannot be used; give two numbers, the smallest and the largest {of}.")
    low, high = (number(f"{name}[{place}]", item, above=True) for place, item in enumerate(value))
    if low > high:
        raise OptionError(f"{name}={value!r} cannot be used; give the smaller number first.")
    return low, high


def level_names(name: str, value: object) -> tuple[str, ...]:
    """Return `value` as a tuple of two or more different names."""
    names = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if len(names) < 2 or not all(isinstance(item, str) and item.strip() for item in names):
        raise OptionError(f"{name}={value!r} cannot be used; give the names of two or more levels, such as ('A', 'B').")
    if len(set(names)) < len(names):
        raise OptionError(f"{name}={value!r} names a level twice; give different names.")
    return names


def _as_float(value: object) -> float:
    """Return a real number as a float, anything else as NaN."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
