"""Whether a value from a file is of the type that a field of a record has."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

__all__ = ["is_of_type"]


def is_of_type(value: object, hint: Any) -> bool:  # noqa: ANN401 (any annotation)
    """Tell whether a value is of an annotated type.

    Parameters
    ----------
    value
        What was read.
    hint
        A class, None, a literal of words, an array with its type of numbers, or a union of these. A whole number is
        taken for a float, a logical value is not; functions are never in a file.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(is_of_type(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and value.dtype == np.dtype(get_args(parts[1])[0])
    if origin is Callable or hint is Callable:
        return False
    if hint is None:
        return value is None
    if hint in (int, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, origin or hint)
