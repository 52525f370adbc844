"""Random terms in the text of a formula: what stands in ``(1 | family)``, and what is left without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NoReturn

from countnest.design.language import shortened
from countnest.design.terms import LONGEST, QUOTED
from countnest.errors import FormulaError

__all__ = ["Bar", "SplitFormula", "split_formula"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A random term as it is written.

    Attributes
    ----------
    left
        What varies between groups: '1', 'time', '0 + time'.
    group
        The grouping factor: 'family', 'site/plot'.
    uncorrelated
        Whether the bar is double, so that the effects vary independently.
    text
        The whole term with its parentheses.
    """

    left: str
    group: str
    uncorrelated: bool
    text: str


@dataclass(frozen=True, slots=True)
class SplitFormula:
    """A formula in two parts.

    Attributes
    ----------
    fixed
        The formula without its random terms, starting with '~'; '~ 1' if there is nothing else.
    bars
        The random terms in their order.
    """

    fixed: str
    bars: tuple[Bar, ...]


def split_formula(text: str) -> SplitFormula:
    """Split the random terms off a formula.

    A random term is a parenthesis with a bar, added to the others: ``(left | group)``, or ``(left || group)`` for
    effects that vary independently.

    Parameters
    ----------
    text
        The formula, starting with '~'.

    Raises
    ------
    FormulaError
        A bar stands outside of parentheses or inside a product, a function or a fixed term; a random term is
        subtracted, or lacks a side; parentheses do not match.

    Notes
    -----
    R counterpart: lme4::findbars and lme4::nobars.

    Examples
    --------
    >>> split = split_formula("~ treat1*treat2 + (1 | family)")
    >>> split.fixed, split.bars[0].group
    ('~ treat1*treat2', 'family')
    """
    if len(text) > LONGEST:  # the parser of the fixed part says so
        return SplitFormula(text, ())
    plain = re.sub(QUOTED, lambda match: "q" * len(match[0]), text)
    if "|" not in plain:
        return SplitFormula(text, ())
    written = _Written(text, plain, list(accumulate({"(": 1, ")": -1}.get(each, 0) for each in plain)))
    fixed, bars = [], []
    for item in _items(written):
        if "|" in plain[item.start : item.end]:
            bars.append(_bar(item, written))
        else:
            fixed.append(f"{item.sign} {text[item.start : item.end].strip()}")
    left = " ".join(fixed).removeprefix("+ ") or "1"
    return SplitFormula(f"~ {left}", tuple(bars))


@dataclass(frozen=True, slots=True)
class _Written:
    """A formula: its text, the same with quoted names made letters, and how many parentheses are open at each place."""

    text: str
    plain: str
    depths: list[int]

    def fail(self, at: int, problem: str) -> NoReturn:
        """Raise `FormulaError` for a problem at a place."""
        raise FormulaError(f"the formula '{shortened(self.text)}' {problem} (at character {self.past_space(at) + 1}).")

    def past_space(self, at: int) -> int:
        """Return the place of the next character that is no space."""
        return at + len(self.plain[at:]) - len(self.plain[at:].lstrip())


@dataclass(frozen=True, slots=True)
class _Item:
    """A term of the formula with the sign before it, and its places in the text."""

    sign: str
    start: int
    end: int


def _items(written: _Written) -> Iterator[_Item]:
    """Yield the terms that are added or subtracted outside of parentheses."""
    plain, depths, shown = written.plain, written.depths, shortened(written.text)
    if min(depths) < 0 or depths[-1] != 0:
        raise FormulaError(f"the formula '{shown}' cannot be read: the parentheses do not match.")
    start, sign = plain.find("~") + 1, "+"
    for at in range(start, len(plain)):
        if depths[at] == 0 and plain[at] in "+-":
            if plain[start:at].strip():
                yield _Item(sign, start, at)
                sign = plain[at]
            else:  # a sign before the first term, or two in a row
                sign = "-" if (sign == "-") != (plain[at] == "-") else "+"
            start = at + 1
    if not plain[start:].strip():
        raise FormulaError(f"the formula '{shown}' cannot be read: it ends where a variable is expected.")
    yield _Item(sign, start, len(plain))


def _bar(item: _Item, written: _Written) -> Bar:
    """Return the random term that an item is."""
    text = written.text[item.start : item.end].strip()
    start, end, around = _inside(item, written)
    depths = {written.depths[at] for at in range(item.start, item.end) if written.plain[at] == "|"}
    if not around and depths == {0}:
        written.fail(item.start, f"has '|' outside of parentheses; write '({shortened(text)})'")
    if not around or depths != {around}:
        written.fail(
            item.start,
            f"has '|' inside of '{shortened(text)}'; random terms are added to the others, as in '~ x + (1 | g)', "
            "and cannot be part of a product or a function",
        )
    if item.sign == "-":
        written.fail(item.start, f"subtracts the random term '{shortened(text)}'; leave it out instead")
    sides = re.split(r"\|\||\|", written.plain[start:end])
    if len(sides) != 2 or not all(side.strip() for side in sides):
        problem = f"has '{shortened(text)}', but a random term has one bar between two sides, as in '(1 | g)'"
        written.fail(item.start, problem)
    middle = start + len(sides[0])
    after = middle + (2 if written.plain.startswith("||", middle) else 1)
    left, group = written.text[start:middle].strip(), written.text[after:end].strip()
    return Bar(left, group, after - middle == 2, text)


def _inside(item: _Item, written: _Written) -> tuple[int, int, int]:
    """Return the places of what stands within the parentheses around an item, and how many of them there are."""
    start, end, around = item.start, item.end, 0
    while True:
        start = written.past_space(start)
        end = start + len(written.plain[start:end].rstrip())
        opened = written.plain[start] == "(" and end - start > 2
        if not opened or min(written.depths[start : end - 1]) < around + 1:
            return start, end, around
        start, end, around = start + 1, end - 1, around + 1
