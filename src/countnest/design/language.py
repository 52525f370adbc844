"""The closed language of formulas: the operators and functions that a formula may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NoReturn

from countnest.errors import FormulaError, listing, suggestion

__all__ = ["FACTOR_FUNCTIONS", "FUNCTIONS", "KNOWN_FUNCTIONS", "check_option", "near", "refuse", "shortened"]

# Functions that make a column a factor.
FACTOR_FUNCTIONS = frozenset({"C", "factor"})

SPLINE = ("df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation")

# Functions of columns with the names of their options. The first two options may be given by position.
FUNCTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys(("I", "abs", "center", "exp", "exp10", "exp2", "log", "log10", "log1p", "log2", "sqrt"), ())
    | {
        "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"),
        "cc": SPLINE,
        "cr": SPLINE,
        "cs": SPLINE,
        "poly": ("degree", "raw"),
        "scale": ("center", "scale", "ddof"),
        "standardize": ("center", "rescale", "ddof"),
    }
)
KNOWN_FUNCTIONS = tuple(sorted(FACTOR_FUNCTIONS.union(FUNCTIONS)))

# Largest number of columns of a spline or polynomial.
MOST_COLUMNS = 100
SHOWN = 80


def shortened(text: str) -> str:
    """Return a formula for messages: printable, and no longer than a line."""
    plain = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]}..."


def near(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'log'?)" if a known name is similar, otherwise ''."""
    found = suggestion(name, known).strip()
    return f" ({found[0].lower()}{found[1:]})" if found else ""


def refuse(formula: str, problem: str) -> NoReturn:
    """Raise `FormulaError` for a formula outside the language, and describe the language."""
    raise FormulaError(
        f"the formula '{shortened(formula)}' {problem}. A formula may use columns of the sample sheet, + - : * / ^ ( ) "
        f"and the functions {listing(KNOWN_FUNCTIONS, 50)}; compute anything else as a column of the sample sheet."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_knots(value: object) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) <= MOST_COLUMNS and all(map(_is_number, value))


_Option = tuple[Callable[[object], bool], str]
SIZE: _Option = (
    lambda value: type(value) is int and 1 <= value <= MOST_COLUMNS,
    f"a whole number from 1 to {MOST_COLUMNS}",
)
NUMBER: _Option = (_is_number, "a number")
LOGICAL: _Option = (lambda value: isinstance(value, bool), "True or False")
CHOICE: _Option = (lambda value: isinstance(value, int | float), "True, False or a number")
KNOTS: _Option = (_is_knots, f"a list of at most {MOST_COLUMNS} numbers")
EXTRAPOLATION = ("raise", "clip", "na", "zero", "extend")

OPTIONS: Mapping[str, _Option] = MappingProxyType(
    {
        "center": CHOICE,
        "constraints": (lambda value: value == "center", "'center'"),
        "ddof": NUMBER,
        "degree": SIZE,
        "df": SIZE,
        "extrapolation": (lambda value: value in EXTRAPOLATION, f"one of {listing(EXTRAPOLATION)}"),
        "include_intercept": LOGICAL,
        "knots": KNOTS,
        "lower_bound": NUMBER,
        "raw": LOGICAL,
        "rescale": CHOICE,
        "scale": CHOICE,
        "upper_bound": NUMBER,
    }
)


def check_option(function: str, option: str | None, value: object, formula: str) -> None:
    """Raise `FormulaError` unless a function takes this option with this value; `formula` is for messages."""
    known = FUNCTIONS[function]
    if option not in known:
        takes = f"takes {listing(known, 20)}" if known else "takes one argument and no options"
        refuse(formula, f"gives '{function}' the option '{option}', but it {takes}")
    accepted, words = OPTIONS[option]
    if not accepted(value):
        refuse(formula, f"gives '{function}' an option '{option}' which is not {words}")
