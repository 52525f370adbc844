"""Checks of the values of columns of the sample sheet that a design uses."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from countnest.errors import SamplesError, counted, kind_of, listing

__all__ = ["number_objects", "refuse_objects"]

# Types of levels and numbers. Dates are not included, because columns of dates are refused; missing values are checked
# elsewhere.
_PLAIN = (str, bool, np.bool_, Real, Decimal, pd.Interval, pd.Period)


def refuse_objects(column: pd.Series[Any], variable: str) -> None:
    """Raise `SamplesError` if a column has lists, dicts or other objects, which have no meaning as levels."""
    dtype = column.dtype
    values: Iterable[object] = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else column
    if not isinstance(dtype, pd.CategoricalDtype) and dtype != np.dtype(object):
        return
    odd = [value for value in values if _is_odd(value)]
    if not odd:
        return
    where = [label for label, value in zip(column.index, column, strict=True) if _is_odd(value)]
    kinds = ", ".join(dict.fromkeys(kind_of(value) for value in odd))
    raise SamplesError(
        f"the variable '{variable}' holds {kinds} in {counted(len(where), 'sample')} ({listing(where)}); a "
        f"design can use only text and numbers. In sample {str(where[0])!r} it is {_shown(odd[0])}. Convert the column "
        f"to text or numbers, for example samples['{variable}'] = samples['{variable}'].astype(str)."
    )


def number_objects(column: pd.Series[Any], variable: str) -> list[str]:
    """Return a warning if a column of objects, which becomes a factor, has decimals or fractions."""
    if column.dtype != np.dtype(object):
        return []
    kinds = dict.fromkeys(kind_of(value) for value in column if isinstance(value, (Decimal, Fraction)))
    if not kinds or not all(isinstance(value, (Real, Decimal)) for value in column):
        return []
    return [
        f"the variable '{variable}' holds numbers as objects ({', '.join(kinds)}) and is used as a factor with one "
        f"coefficient for each value. For a slope write samples['{variable}'] = samples['{variable}'].astype(float)."
    ]


def _is_odd(value: object) -> bool:
    missing = value is None or value is pd.NA or value is pd.NaT
    return not missing and not isinstance(value, _PLAIN)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
