"""The order of the levels of a factor: as given, by their numbers, as categories, or as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from countnest.design.levels.controls import is_control_word
from countnest.design.levels.numbers import by_number
from countnest.design.levels.text import known_level, level_text
from countnest.errors import SamplesError, listing, suggestion
from countnest.remedies import advised, option
from countnest.remedies import level_order as given_levels

__all__ = ["LevelOrder", "as_factor", "level_order", "order_sentences", "text_order_sentences"]

Source = Literal["named", "numbers", "ordered", "categories", "text"]

SOURCES: Mapping[Source, str] = {
    "named": "as given by",
    "numbers": "by their numbers",
    "ordered": "as the ordered categories",
    "categories": "as the categories",
    "text": "as text",
}
MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class LevelOrder:
    """The order of the levels of a factor, and its source.

    Attributes
    ----------
    levels
        The levels with samples. If the order is known it does not depend on the reference level; otherwise the
        reference is first.
    source
        'named' by the user, by 'numbers' in their names, 'ordered' categories; or, without a meaning, unordered
        'categories' or 'text'.
    dropped
        Levels without samples, which are left out.
    moved
        Whether the categories were in text order, as sorted by pandas, and were reordered by their numbers.
    first
        The category that preceded all others of such an order, which is the reference; None: the first level.
    """

    levels: tuple[str, ...]
    source: Source
    dropped: tuple[str, ...] = ()
    moved: bool = False
    first: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the order has a meaning, such as later or more."""
        return self.source in ("named", "numbers", "ordered")

    @property
    def is_as_text(self) -> bool:
        """Whether three or more levels are in text order, which may not be the intended one."""
        rest = self.levels[1:]  # the reference is first
        return not self.is_known and len(rest) > 1 and list(rest) == sorted(rest)

    @property
    def is_doubtful(self) -> bool:
        """Whether the levels are in text order and the numbers in them would give another."""
        return self.is_as_text and sorted(self.levels, key=_by_digits) != sorted(self.levels)

    @property
    def reference(self) -> str:
        """The default reference level."""
        return self.levels[0] if self.first is None else self.first

    def __str__(self) -> str:
        """'0 < 5 < 15 (by their numbers)'."""
        shown = (
            self.levels if len(self.levels) <= MOST_SHOWN else (*self.levels[: MOST_SHOWN - 2], "...", self.levels[-1])
        )
        source = SOURCES[self.source] + (f" {option('levels')}" if self.source == "named" else "")
        return f"{(' < ' if self.is_known else ', ').join(shown)} ({source})"


def level_order(column: pd.Series[Any], named: Iterable[Any] | None = None) -> LevelOrder:
    """Return the order of the levels of a column.

    Parameters
    ----------
    column
        Text, truth values, numbers or categories, without missing values.
    named
        All its levels in their order, as given by the user; they may include levels without samples.

    Returns
    -------
    LevelOrder
        As given. Otherwise as ordered categories; by the numbers in the levels if that order is clear; as categories;
        by value (numbers) or by code point (text). Categories in text order, as those of ``astype("category")``, count
        as text.

    Raises
    ------
    SamplesError
        A level is missing, given twice, or in another order than that of ordered categories; categories that are equal
        when written as text.

    Notes
    -----
    R counterpart: base::factor, whose levels are in text order in the locale of the session.
    """
    used = {level_text(value) for value in column}
    own = _own_order(column, used)
    if named is None:
        return own
    levels = _named_levels(named, own, str(column.name))
    if own.source == "ordered" and [level for level in levels if level in used] != list(own.levels):
        raise SamplesError(
            f"{given_levels(str(column.name), repr(levels))} contradicts the ordered categories of the column, "
            f"{listing(own.levels, 20)}. Leave out levels=, or make the column unordered: "
            f"samples['{column.name}'] = samples['{column.name}'].cat.as_unordered()."
        )
    return _used_of(levels, used, "named")


def as_factor(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as a categorical of the values that occur; text has the order of `level_order`."""
    factor: pd.Series[Any] = column.astype("category").cat.remove_unused_categories()
    if factor.cat.ordered or not all(isinstance(level, str) for level in factor.cat.categories):
        return factor
    return factor.cat.reorder_categories(list(level_order(factor.dropna()).levels))


def order_sentences(orders: Mapping[str, LevelOrder], quiet: Sequence[str] = ()) -> list[str]:
    """Return 'order of minute: 0 < 5 < 15 (by their numbers)' for each known order other than text order.

    Text order is included if the numbers in the levels would give another, unless the factor is in `quiet`.
    """
    another = f"; {option('levels')} gives another"
    return [
        f"order of {name}: {order}{another if order.is_doubtful else ''}"
        for name, order in orders.items()
        if (order.is_known and list(order.levels) != sorted(order.levels)) or (order.is_doubtful and name not in quiet)
    ]


def text_order_sentences(orders: Mapping[str, LevelOrder], ordered: Mapping[str, str]) -> list[str]:
    """Return notes on factors compared by a method that depends on an order which is only that of text."""
    given = advised("levels= of the data set", "--levels")
    return [
        f"{name}[{method}] uses the order {orders[name]}; {given} gives another."
        for name, method in ordered.items()
        if name in orders and orders[name].is_as_text
    ]


def _by_digits(level: str) -> list[tuple[str, float]]:
    """Return a key that sorts text by the numbers in it: T2 before T10."""
    pieces = re.split(r"(\d+(?:\.\d+)?)", level)
    return [(text, float(number)) for text, number in zip(pieces[::2], [*pieces[1::2], "-1"], strict=True)]


def _own_order(column: pd.Series[Any], used: set[str]) -> LevelOrder:
    """Return the order of a column without a given one."""
    dtype = column.dtype
    if not isinstance(dtype, pd.CategoricalDtype):
        if pd.api.types.is_bool_dtype(dtype):
            return LevelOrder(tuple(sorted(used)), "text")
        if pd.api.types.is_numeric_dtype(dtype):
            return LevelOrder(tuple(dict.fromkeys(level_text(value) for value in sorted(set(column)))), "numbers")
        return _of_text(tuple(sorted(used)))
    names = [level_text(value) for value in dtype.categories]
    if len(set(names)) < len(names):
        raise SamplesError(
            f"the categories of '{column.name}' are not distinct when written as text: {listing(names)}."
        )
    if dtype.ordered:
        return _used_of(names, used, "ordered")
    plain = _used_of(names, used, "categories")
    numeric = not all(isinstance(value, str) for value in dtype.categories)
    return plain if len(plain.levels) < 2 else _of_categories(plain, is_text=not numeric)


def _by_number(levels: Sequence[str]) -> tuple[str, ...] | None:
    return by_number(levels, [level for level in levels if is_control_word(level)])


def _of_text(levels: tuple[str, ...]) -> LevelOrder:
    numbered = _by_number(levels)
    return LevelOrder(levels, "text") if numbered is None else LevelOrder(numbered, "numbers")


def _of_categories(plain: LevelOrder, *, is_text: bool) -> LevelOrder:
    """Return the order of unordered categories: by number if they are in that order or sorted as text."""
    levels = plain.levels
    numbered = _by_number(tuple(sorted(levels)))
    if numbered is None:
        return plain
    if numbered == levels:
        return LevelOrder(levels, "numbers", plain.dropped)
    if is_text and list(levels) == sorted(levels):
        return LevelOrder(numbered, "numbers", plain.dropped, moved=True)
    if levels == (levels[0], *(level for level in numbered if level != levels[0])):
        return LevelOrder(numbered, "numbers", plain.dropped, first=levels[0])
    return plain


def _used_of(names: Sequence[str], used: set[str], source: Source) -> LevelOrder:
    kept = tuple(name for name in names if name in used)
    return LevelOrder(kept, source, tuple(name for name in names if name not in used))


def _known(value: object, levels: Sequence[str]) -> str:
    """Return the level that a user gave; numbers may be written in any way, such as 5.0 for '5'."""
    text = known_level(value, levels)
    try:
        number = level_text(float(text))
    except ValueError:
        return text
    return number if text not in levels and number in levels else text


def _named_levels(named: Iterable[Any], own: LevelOrder, variable: str) -> list[str]:
    """Return the levels given by the user, which must include all that occur."""
    levels = [_known(value, own.levels) for value in named]
    twice = [level for place, level in enumerate(levels) if level in levels[:place]]
    if twice:
        raise SamplesError(f"{given_levels(variable, '...')} names {listing(dict.fromkeys(twice))} more than once.")
    missing = [level for level in own.levels if level not in levels]
    if missing:
        extra = {level: suggestion(level, missing) for level in levels if level not in own.levels}
        hint = next((f" '{level}' has no sample.{meant}" for level, meant in extra.items() if meant), "")
        raise SamplesError(
            f"{given_levels(variable, '...')} must name all levels that occur; it lacks {listing(missing)}.{hint} The "
            f"levels of '{variable}' are {listing(own.levels, 20)}."
        )
    return levels
