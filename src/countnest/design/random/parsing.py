"""Random terms of a formula, parsed, and expanded: ``(x || g)`` into ``(1 | g) + (0 + x | g)``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from countnest.design.expression import Expression, read_factor, require_known
from countnest.design.language import shortened
from countnest.design.parsed import ParsedFormula, RandomFormula
from countnest.design.terms import DEEPEST, Token, tokens
from countnest.errors import FormulaError

if TYPE_CHECKING:
    from countnest.design.random.grammar import Bar

__all__ = ["parse_bars"]

# Factors whose observed combinations are the groups of a random term.
Group = tuple[str, ...]


def parse_bars(
    bars: Sequence[Bar], known: Sequence[str], formula: str, parse: Callable[[str], ParsedFormula]
) -> tuple[RandomFormula, ...]:
    """Return the random terms of a formula, in their order.

    Parameters
    ----------
    bars
        The terms as they are written.
    known
        Columns of the sample sheet.
    formula
        The whole formula, for messages.
    parse
        Parses a formula without random terms.

    Raises
    ------
    FormulaError
        A side of a term cannot be read, nothing varies, or an effect varies between the same groups in two terms.
    """
    found = tuple(term for bar in bars for term in _expanded(bar, known, formula, parse))
    for one, other in itertools.combinations(found, 2):
        if set(one.factors) == set(other.factors) and one.parts & other.parts:
            _refuse_twice(one, other, formula)
    return found


def _refuse_twice(one: RandomFormula, other: RandomFormula, formula: str) -> None:
    first, second = (f"'({shortened(term.label)})'" for term in (one, other))
    if one.parts == other.parts:
        problem = f"{first} twice" if first == second else f"{first} and {second}, which are the same"
    else:
        problem = (
            f"{first} and {second}, which share an effect: a term has an intercept unless it begins with '0 +', as in "
            "'(0 + x | g)'"
        )
    raise FormulaError(f"the formula '{shortened(formula)}' has {problem}. Leave one of them out.")


def _expanded(
    bar: Bar, known: Sequence[str], formula: str, parse: Callable[[str], ParsedFormula]
) -> Iterator[RandomFormula]:
    """Yield the terms that a written term stands for, those of the first group first."""

    def name_of(token: Token) -> str:
        return _column(token, known, formula)

    groups, left = _groups(bar, name_of), parse(f"~ {bar.left}")
    if not left.intercept and not left.terms:
        raise FormulaError(
            f"the formula '{shortened(formula)}' has '{shortened(bar.text)}', in which nothing varies between groups; "
            "write '(1 | g)' for an intercept, '(0 + x | g)' for a slope."
        )
    sides = [(" ".join(bar.left.split()), left)]
    if bar.uncorrelated:
        constant = [("1", replace(left, terms=()))] if left.intercept else []
        slopes = [(f"0 + {':'.join(term)}", replace(left, intercept=False, terms=(term,))) for term in left.terms]
        sides = [*constant, *slopes]
    for factors in groups:
        for label, side in sides:
            yield RandomFormula(f"{label} | {':'.join(factors)}", side, factors, bar.uncorrelated)


def _column(token: Token, known: Sequence[str], formula: str) -> str:
    """Return the column of a grouping factor, possibly wrapped in ``factor()``."""
    if token.kind == "call":
        factor = read_factor(token.text, known, formula)
        if isinstance(factor, Expression):
            raise FormulaError(
                f"the formula '{shortened(formula)}' groups by '{shortened(factor.name)}'; a grouping factor is a "
                "column of the sample sheet, so make it one."
            )
        return factor.name
    require_known(token.text, known, formula)
    return token.text


def _groups(bar: Bar, name_of: Callable[[Token], str]) -> list[Group]:
    """Return the groups of a random term: one, or with ``a / b`` those of ``a`` and those of ``a:b``.

    Parameters
    ----------
    bar
        The random term.
    name_of
        Returns the name of the factor of a token; called for each in order.

    Raises
    ------
    FormulaError
        The grouping factor is not made of names, ':' and '/'.
    """
    return _GroupReader(bar, name_of).read()


class _GroupReader:
    """A parser of a grouping factor: names with ':' and '/', and parentheses."""

    def __init__(self, bar: Bar, name_of: Callable[[Token], str]) -> None:
        self.bar, self.name_of = bar, name_of
        self.tokens, self.at, self.depth = tokens(bar.group), 0, 0

    def read(self) -> list[Group]:
        """Return the groups."""
        found = self._nested()
        if self.tokens[self.at].kind != "end":
            self._refuse()
        return found

    def _take(self, operator: str) -> bool:
        token = self.tokens[self.at]
        taken = token.kind == "operator" and token.text == operator
        self.at += taken
        return taken

    def _nested(self) -> list[Group]:
        found = self._crossed()
        while self._take("/"):
            outer = _together(found)
            found = [*found, *(_together([outer, inner]) for inner in self._crossed())]
        return found

    def _crossed(self) -> list[Group]:
        found = self._name()
        while self._take(":"):
            found = [_together([left, right]) for right in self._name() for left in found]
        return found

    def _name(self) -> list[Group]:
        if self._take("("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise FormulaError(f"'{shortened(self.bar.text)}' has more than {DEEPEST} nested parentheses.")
            found = self._nested()
            self.depth -= 1
            if not self._take(")"):
                self._refuse()
            return found
        token = self.tokens[self.at]
        if token.kind not in ("column", "call"):
            self._refuse()
        self.at += 1
        return [(self.name_of(token),)]

    def _refuse(self) -> NoReturn:
        raise FormulaError(
            f"the random term '{shortened(self.bar.text)}' has the grouping factor '{shortened(self.bar.group)}'; a "
            "grouping factor is a column of the sample sheet, or several with ':' or '/', as in (1 | site / plot). "
            "Factors that are crossed have a term each: (1 | a) + (1 | b)."
        )


def _together(groups: list[Group]) -> Group:
    return tuple(dict.fromkeys(name for group in groups for name in group))
