"""The text of levels of factors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.errors import ContrastError, listing, suggestion

__all__ = ["known_level", "level_codes", "level_text", "require_level", "unknown_level"]

BOOLEANS = ("TRUE", "FALSE")


def level_text(value: object) -> str:
    """Return the name of a level as R writes it: ``TRUE`` for True, ``1`` for 1.0, otherwise its text."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).upper()
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.15g}"
    return str(value)


def known_level(value: object, levels: Collection[str]) -> str:
    """Return the name of a level that a user gave; a truth value is written as in the levels.

    Examples
    --------
    >>> known_level("True", ["FALSE", "TRUE"]), known_level(True, ["False", "True"]), known_level("a", ["b"])
    ('TRUE', 'True', 'a')
    """
    text = level_text(value)
    if text not in levels and text.upper() in BOOLEANS:
        return next((level for level in levels if level.upper() == text.upper()), text)
    return text


def level_codes(factor: pd.Series[Any], levels: Sequence[str]) -> IntArray:
    """Return the level of each sample of a categorical, shape (n,), as a position in `levels`."""
    places = {level: place for place, level in enumerate(levels)}
    own = np.array([places.get(level, -1) for level in factor.cat.categories], dtype=np.int64)
    codes: IntArray = own[np.asarray(factor.cat.codes, dtype=np.int64)]
    return codes


def unknown_level(level: str, factor: str, levels: Collection[str]) -> str:
    """Return the message that a factor has no such level."""
    return f"'{level}' is not a level of '{factor}'.{suggestion(level, levels)} The levels are {listing(levels, 20)}."


def require_level(level: str, factor: str, levels: Collection[str]) -> None:
    """Raise `ContrastError` unless a factor has this level."""
    if level not in levels:
        raise ContrastError(unknown_level(level, factor, levels))
