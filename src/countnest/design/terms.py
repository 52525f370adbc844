"""The terms of a formula, expanded as in R from its text; nothing is evaluated.

A set of terms is a dict without values, which keeps their order. A term is a whole number: bit i represents the i-th
factor, so that `or` gives the product of terms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from countnest.design.language import refuse, shortened
from countnest.errors import FormulaError

__all__ = ["DEEPEST", "LONGEST", "QUOTED", "Token", "balanced", "read_terms", "tokens"]

# Text in quotes or backticks, which replacements must not change.
QUOTED = r"(`[^`]*`|'[^']*'|\"[^\"]*\")"

LONGEST = 10_000  # characters
DEEPEST = 50  # nested parentheses
MOST_TERMS = 1_000
MOST_PRODUCTS = 1_000_000

SPACE = re.compile(r"\s*")
WORD = re.compile(r"[\w.]+")
NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
OPERATOR = re.compile(r"\*\*|[-+:*/^()]")
BACKTICKS = re.compile(r"`([^`]+)`")
CALLED = re.compile(r"\s*\(")
INSIDE = re.compile(rf"{QUOTED}|[()]")

Terms = dict[int, None]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a formula: a column, a call with its parentheses, a number, an operator, or the end."""

    kind: Literal["column", "call", "number", "operator", "end"]
    text: str


def tokens(formula: str) -> list[Token]:
    """Return the tokens of a formula after '~'; raise `FormulaError` if it is too long or has invalid characters."""
    if len(formula) > LONGEST:
        raise FormulaError(
            f"the formula '{shortened(formula)}' is too long: it has {len(formula)} characters, and at most {LONGEST} "
            "are read."
        )
    found, at = [], _past_space(formula, len("~") if formula.startswith("~") else 0)
    while at < len(formula):
        token, at = _next_token(formula, at)
        found.append(token)
        at = _past_space(formula, at)
    return [*found, Token("end", "")]


def _past_space(formula: str, at: int) -> int:
    match = SPACE.match(formula, at)
    return match.end() if match else at


def _next_token(formula: str, at: int) -> tuple[Token, int]:
    """Return the token that begins at a position, and where it ends."""
    quoted = BACKTICKS.match(formula, at)
    if quoted:
        return Token("column", quoted[1]), quoted.end()
    word = WORD.match(formula, at)
    if word:
        opening = CALLED.match(formula, word.end())
        if opening:
            end = balanced(formula, opening.end())
            return Token("call", f"{word[0]}({formula[opening.end() : end]}"), end
        if not word[0].strip("."):
            raise FormulaError(f"the formula '{shortened(formula)}' uses '.'; name the variables instead.")
        return Token("number" if NUMBER.fullmatch(word[0]) else "column", word[0]), word.end()
    operator = OPERATOR.match(formula, at)
    if operator is None:
        refuse(formula, f"has {formula[at]!r}, which has no meaning in a formula")
    return Token("operator", operator[0].replace("**", "^")), operator.end()


def balanced(formula: str, at: int) -> int:
    """Return the end of the parenthesis that was opened before a position."""
    depth = 1
    for match in INSIDE.finditer(formula, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    raise FormulaError(f"the formula '{shortened(formula)}' cannot be read: the parentheses do not match.")


def read_terms(formula: str, name_of: Callable[[Token], str]) -> tuple[bool, list[tuple[str, ...]]]:
    """Return whether a formula has an intercept, and its other terms.

    Parameters
    ----------
    formula
        The right-hand side; it may begin with '~'.
    name_of
        Returns the name of the factor of a column or a call; called for each in order.

    Returns
    -------
    intercept : bool
    terms
        In R's order: by degree, then as written. Each is a tuple of factors in order of appearance.

    Raises
    ------
    FormulaError
        The formula cannot be parsed, is nested too deeply, or has too many terms.

    Notes
    -----
    R counterpart: stats::terms.formula. As in R, ``0`` and ``- 1`` remove the intercept of the whole model
    wherever they occur; unlike in R, a number cannot be part of a product.
    """
    return _Reader(formula, name_of).read()


class _Reader:
    """A parser that reads a formula from left to right."""

    def __init__(self, formula: str, name_of: Callable[[Token], str]) -> None:
        self.formula, self.name_of = formula, name_of
        self.tokens, self.at, self.depth = tokens(formula), 0, 0
        self.places: dict[str, int] = {}
        self.intercept, self.adding, self.work = True, True, 0

    def read(self) -> tuple[bool, list[tuple[str, ...]]]:
        """Return the intercept and the terms of the whole formula."""
        terms = self._sum()
        if self._next.text == ")":
            self._fail("the parentheses do not match")
        if self._next.kind != "end":
            refuse(self.formula, f"cannot be read: an operator is missing before '{shortened(self._next.text)}'")
        names = list(self.places)
        in_order = sorted(terms, key=int.bit_count)
        return self.intercept, [tuple(n for i, n in enumerate(names) if term >> i & 1) for term in in_order]

    @property
    def _next(self) -> Token:
        return self.tokens[self.at]

    def _take(self, operators: str) -> str:
        """Read one of some operators and return it; '' if something else follows."""
        token = self._next
        if token.kind != "operator" or token.text not in operators:
            return ""
        self.at += 1
        return token.text

    def _fail(self, problem: str) -> NoReturn:
        raise FormulaError(f"the formula '{shortened(self.formula)}' cannot be read: {problem}.")

    def _sum(self) -> Terms:
        terms: Terms = {}
        operator = "+"
        while operator:
            minus = 0
            while sign := self._take("+-"):
                minus += sign == "-"
            before = self.adding
            self.adding = before ^ ((operator == "-") + minus) % 2 == 1
            found = {} if self._number() else self._product()
            self.adding = before
            if operator == "-" and not minus:
                terms = {term: None for term in terms if term not in found}
            elif not minus:
                terms = self._bounded(terms | found)
            operator = self._take("+-")
        return terms

    def _number(self) -> bool:
        """Read a number that is a term; False if something else follows."""
        token, after = self._next, self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind != "number" or after.text in (":", "*", "/", "^"):
            return False
        if token.text not in ("0", "1"):
            self._fail(f"it adds '{shortened(token.text)}', but only 0 and 1 have a meaning")
        self.intercept = self.adding if token.text == "1" else not self.adding
        self.at += 1
        return True

    def _product(self) -> Terms:
        left = self._interaction()
        while operator := self._take("*/"):
            right = self._interaction()
            if operator == "*":
                left = self._bounded(left | right | self._cross(left, right))
            else:
                whole = 0
                for term in left:
                    whole |= term
                left = self._bounded(left | self._cross({whole: None} if left else {}, right))
        return left

    def _interaction(self) -> Terms:
        left = self._power()
        while self._take(":"):
            left = self._bounded(self._cross(left, self._power()))
        return left

    def _power(self) -> Terms:
        base = terms = self._primary()
        while self._take("^"):
            exponent, self.at = self._next, self.at + 1
            digits = exponent.text.lstrip("0")
            if exponent.kind != "number" or not digits.isdecimal():
                self._fail("the power is not a whole number of 1 or more")
            for _ in range(int(digits[:9]) - 1):
                more = self._bounded(self._cross(terms, base))
                if list(more) == list(terms):
                    break  # higher powers add nothing
                terms = more
            base = terms
        return terms

    def _primary(self) -> Terms:
        token = self._next
        if token.kind == "number":
            self._fail(f"it multiplies by '{shortened(token.text)}'; only 0 and 1 have a meaning, as terms")
        if token.kind == "end":
            self._fail("it ends where a variable is expected")
        self.at += 1
        if token.kind == "operator":
            if token.text != "(":
                self._fail(f"a variable is expected where '{token.text}' stands")
            return self._parenthesis()
        return {1 << self.places.setdefault(self.name_of(token), len(self.places)): None}

    def _parenthesis(self) -> Terms:
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f"more than {DEEPEST} nested parentheses")
        terms = self._sum()
        if not self._take(")"):
            if self._next.kind == "end":
                self._fail("the parentheses do not match")
            refuse(self.formula, f"cannot be read: an operator is missing before '{shortened(self._next.text)}'")
        self.depth -= 1
        return terms

    def _cross(self, left: Terms, right: Terms) -> Terms:
        """Return the products of all terms of two sets."""
        self.work += len(left) * len(right)
        if self.work > MOST_PRODUCTS:
            self._refuse_many()
        return {a | b: None for a in left for b in right}

    def _bounded(self, terms: Terms) -> Terms:
        if len(terms) > MOST_TERMS:
            self._refuse_many()
        return terms

    def _refuse_many(self) -> NoReturn:
        raise FormulaError(
            f"the formula '{shortened(self.formula)}' has more than {MOST_TERMS} terms. Use fewer variables, or lower "
            "powers."
        )
