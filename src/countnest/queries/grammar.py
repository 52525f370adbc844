"""Queries in one line of text, for the shell and for files: ``treat2[E - None] : treat1[B - A] | treat3=H``."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from countnest.design.design import Design
from countnest.design.levels.text import known_level, unknown_level
from countnest.errors import ContrastError, kind_of, listing, suggestion
from countnest.queries.effects import comparison_query
from countnest.queries.level_contrasts import WORDS
from countnest.queries.query import Query, stack
from countnest.queries.slopes import Slope

__all__ = ["parse_query"]

WORD = re.compile(r"`[^`]*`|[^\W\d][\w.]*")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
DEEPEST = 20  # nested calls


def parse_query(design: Design, text: str) -> Query:
    """Return the query that a line of text describes.

    A query has terms joined by ``:``, which ``|`` and conditions may follow. A term is ``factor[high - low]``,
    ``factor[method]``, ``number[to - from]`` or ``slope(number)``, ``slope(number, sd)``, ``slope(number, 10)``. A
    condition is a factor, for one row per level, or ``variable=value``; commas separate several conditions.
    ``mean(query)`` averages the rows of a query, ``joint(query; query; ...)`` tests all rows together. Levels with
    unusual characters can be quoted, and variables put in backticks.

    Parameters
    ----------
    design
        A design that was made from a formula.
    text
        The line.

    Raises
    ------
    ContrastError
        The line cannot be parsed, with a mark under the place, or the design cannot answer it.

    Examples
    --------
    ``treat2[E - None] : treat1[pairwise]``, ``slope(age) | treat2``, ``joint(treat2[E - None] : treat1[reference])``
    """
    if not isinstance(text, str):
        raise ContrastError(f"a query is a line of text, such as 'dex[trt - untrt]'; got {kind_of(text)}.")
    return _Reader(design, text).read()


class _Reader:
    """A parser that reads a line from left to right."""

    def __init__(self, design: Design, text: str) -> None:
        self.design, self.text, self.at, self.depth = design, text, 0, 0

    def read(self) -> Query:
        """Return the query of the whole line."""
        query = self._query()
        if self._peek():
            self._fail(f"'{self._peek()}' is not expected here")
        return query

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        line = self.text.replace("\n", " ").replace("\t", " ")
        end = "" if problem.endswith(("?", ".")) else "."
        raise ContrastError(f"the query cannot be read: {problem}{end}\n  {line}\n  {' ' * place}^")

    def _peek(self) -> str:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _start(self) -> int:
        self._peek()
        return self.at

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            self._fail(f"'{character}' expected here")
        self.at += 1

    def _query(self) -> Query:
        word = self._call(("mean", "joint"))
        if word is None:
            return self._simple_query()
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f"more than {DEEPEST} nested calls of mean and joint")
        queries = [self._query()]
        while self._peek() == ";":
            self.at += 1
            queries.append(self._query())
        self._expect(")")
        self.depth -= 1
        together = stack(queries) if len(queries) > 1 else queries[0]
        return together.average() if word == "mean" else together.joint()

    def _call(self, names: tuple[str, ...]) -> str | None:
        """Read one of the names and its opening parenthesis, and return the name; None if something else follows."""
        self._peek()
        match = re.compile(rf"({'|'.join(names)})\s*\(").match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[1]

    def _simple_query(self) -> Query:
        start = self._start()
        comparisons: dict[str, object] = {}
        self._term(comparisons)
        while self._peek() == ":":
            self.at += 1
            self._term(comparisons)
        by, at = self._conditions()
        try:
            return comparison_query(self.design, comparisons, by=by, at=at)
        except ContrastError as error:
            raise ContrastError(f"{error}\n  in the query: {self.text[start:].strip()}") from error

    def _term(self, comparisons: dict[str, object]) -> None:
        """Read one comparison."""
        start = self._start()
        name, how = self._slope() if self._call(("slope",)) else self._levels()
        if name in comparisons:
            self._fail(f"'{name}' is compared twice", start)
        comparisons[name] = how

    def _levels(self) -> tuple[str, object]:
        name = self._variable()
        self._expect("[")
        return name, self._comparison(name)

    def _variable(self) -> str:
        self._peek()
        match = WORD.match(self.text, self.at)
        if match is None:
            self._fail("the name of a variable expected here")
        name = match[0].strip("`")
        if name not in self.design.variables:
            known = self.design.variables
            if name in (*self.design.names, *self.design.columns):
                self._fail(f"'{name}' is a coefficient, which dds.contrast('{name}') takes; a query names variables")
            self._fail(
                f"'{name}' is not a variable of the design.{suggestion(name, known)} Its variables are "
                f"{listing(known, 20)}"
            )
        self.at = match.end()
        return name

    def _slope(self) -> tuple[str, Slope]:
        name = self._variable()
        if name in self.design.levels:
            self._fail(
                f"'{name}' is a factor and has no slope; compare its levels, {name}[reference], or test their trend, "
                f"{name}[linear]"
            )
        values = []
        while self._peek() == ",":
            self.at += 1
            start = self._start()
            values.append(self._until(",)"))
            if values[-1] != "sd" and _as_number(values[-1]) is None:
                self._fail("'sd' or a number expected here", start)
        self._expect(")")
        if len(values) > 2 or (len(values) == 2 and "sd" in values):
            self._fail("slope takes a variable and 'sd', a number of units, or two values", self.at - 1)
        if len(values) == 2:
            return name, Slope(from_=float(values[0]), to=float(values[1]))
        return name, Slope(per=None if not values else "sd" if values[0] == "sd" else float(values[0]))

    def _until(self, stops: str) -> str:
        """Read the text up to one of some characters outside quotes."""
        self._peek()
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in stops:
            match = QUOTED.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1
        return self.text[start : self.at].strip()

    def _comparison(self, name: str) -> object:
        """Read the comparison in brackets."""
        start = self._start()
        inside = self._until("]")
        if not inside:
            self._fail("a comparison expected here, such as 'high - low' or 'reference'", start)
        end = self.at
        self._expect("]")
        if name not in self.design.levels:
            return self._number_pair(inside, start)
        if inside in WORDS and inside not in self.design.levels[name]:
            return inside
        return self._pair(name, inside, start, end)

    def _pair(self, name: str, inside: str, start: int, end: int) -> tuple[str, str]:
        """Return the two levels of 'high - low', whose names may contain '-'."""
        levels = self.design.levels[name]
        dashes = [match.start() for match in re.finditer("-", inside)]
        for dash in dashes:
            high, low = (known_level(_unquoted(side), levels) for side in (inside[:dash], inside[dash + 1 :]))
            if high in levels and low in levels:
                return high, low
        if not dashes:
            self._fail(f"'high - low' or one of {listing(WORDS, 20)} expected here.{suggestion(inside, WORDS)}", start)
        return self._unknown_level(name, inside, dashes, start, end)

    def _unknown_level(self, name: str, inside: str, dashes: list[int], start: int, end: int) -> NoReturn:
        """Raise `ContrastError` naming the side of 'high - low' that is not a level."""
        levels = self.design.levels[name]
        dash = next((i for i in dashes if inside[i - 1 : i + 2] == " - "), dashes[0])
        high, low = (_unquoted(side) for side in (inside[:dash], inside[dash + 1 :]))
        wrong = high if high not in levels else low
        place = start if high not in levels else min(start + dash + 1 + _spaces(inside[dash + 1 :]), end)
        self._fail(
            unknown_level(wrong, name, levels),
            place,
        )

    def _number_pair(self, inside: str, start: int) -> tuple[float, float]:
        match = re.fullmatch(r"(.+?)\s-\s(.+)", inside)
        numbers = [_as_number(side) for side in match.groups()] if match else []
        if len(numbers) != 2 or None in numbers:
            self._fail("two numbers, 'to - from', expected here", start)
        return float(numbers[0] or 0.0), float(numbers[1] or 0.0)

    def _conditions(self) -> tuple[list[str], dict[str, Any]]:
        """Read the factors of 'by' and the values of 'at'."""
        by: list[str] = []
        at: dict[str, Any] = {}
        if self._peek() != "|":
            return by, at
        self.at += 1
        while True:
            start = self._start()
            name = self._variable()
            if name in by or name in at:
                self._fail(f"'{name}' is given twice", start)
            if self._peek() == "=":
                self.at += 1
                at[name] = self._value(name)
            elif name in self.design.levels:
                by.append(name)
            else:
                self._fail(f"'{name}' is a number: '{name}=value' expected", start)
            if self._peek() != ",":
                return by, at
            self.at += 1

    def _value(self, name: str) -> str | float:
        """Read the value after '='."""
        start = self._start()
        value = _unquoted(self._until(",;)"))
        value = known_level(value, self.design.levels.get(name, ()))
        if name not in self.design.levels:
            number = _as_number(value)
            if number is None:
                self._fail(f"a number expected here, because '{name}' is numeric", start)
            return number
        levels = self.design.levels[name]
        if value not in levels:
            self._fail(unknown_level(value, name, levels), start)
        return value


def _unquoted(text: str) -> str:
    plain = text.strip()
    return plain[1:-1] if QUOTED.fullmatch(plain) else plain


def _spaces(text: str) -> int:
    return len(text) - len(text.lstrip())


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
