"""Random terms of a formula, for the samples of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import IntArray, as_float
from countnest.design.encoding import CodedMatrix
from countnest.design.language import shortened
from countnest.design.parsed import ParsedFormula, RandomFormula
from countnest.design.random.term import RandomTerm
from countnest.design.rank import find_dependence, zero_columns
from countnest.errors import DesignError, FormulaError, listing

__all__ = ["UsedVariables", "build_random", "random_notes", "used_variables"]


@dataclass(frozen=True, slots=True)
class UsedVariables:
    """The columns of the sample sheet that a formula uses with the left sides of its random terms.

    Attributes are those of `formula.ParsedFormula`.
    """

    variables: tuple[str, ...]
    categorical: frozenset[str]
    computed: frozenset[str]


def used_variables(parsed: ParsedFormula) -> UsedVariables:
    """Return the variables of the fixed part and of what varies between groups, without the grouping factors.

    Raises
    ------
    FormulaError
        A variable is a number in one part and a factor in another.
    """
    parts = [parsed, *(term.left for term in parsed.random)]
    variables = dict.fromkeys(name for part in parts for name in part.variables)
    categorical = frozenset().union(*(part.categorical for part in parts))
    plain = {name for part in parts for name in part.variables if name not in {*part.categorical, *part.computed}}
    if both := categorical & plain:
        raise FormulaError(
            f"the formula '{shortened(parsed.text)}' uses {listing(sorted(both))} both as it is and as a factor; use "
            "one, or make a second column."
        )
    return UsedVariables(tuple(variables), categorical, frozenset(variables) - plain - categorical)


def build_random(
    random: Sequence[RandomFormula],
    factors: Mapping[str, tuple[IntArray, tuple[str, ...]]],
    constant: Mapping[str, str],
    code: Callable[[ParsedFormula], CodedMatrix],
) -> tuple[RandomTerm, ...]:
    """Return the random terms of a formula for n samples.

    Parameters
    ----------
    random
        The terms of the formula.
    factors
        The level of each sample (n,), and the levels, of each column that a grouping factor is made of.
    constant
        Variables with one value in all samples, with the problem in a sentence.
    code
        Returns the columns of a left side, coded as the fixed part is.

    Raises
    ------
    DesignError
        A grouping factor has one level, or what varies between groups is constant or linearly dependent.
    """
    return tuple(_term(term, factors, constant, code) for term in random)


def _term(
    term: RandomFormula,
    factors: Mapping[str, tuple[IntArray, tuple[str, ...]]],
    constant: Mapping[str, str],
    code: Callable[[ParsedFormula], CodedMatrix],
) -> RandomTerm:
    chosen = [factors[name] for name in term.factors]
    codes, levels = _observed([each[0] for each in chosen], [each[1] for each in chosen])
    if len(levels) < 2:
        raise DesignError(
            f"the random term '({term.label})' needs two levels of '{term.group}' or more, and all samples have "
            f"'{levels[0]}'. Leave the term out."
        )
    fixed = [name for part in term.left.terms for name in part if name in constant]
    if fixed:
        raise DesignError(f"the random term '({term.label})': {constant[fixed[0]]}")
    coded = code(term.left)
    coded = coded.take(~zero_columns(coded.matrix))
    dependent = find_dependence(coded.matrix).dependent
    if dependent:
        raise DesignError(
            f"the random term '({term.label})' has columns that are combinations of others: "
            f"{listing(coded.columns[place] for place in dependent)}. Use fewer variables before the bar."
        )
    return RandomTerm(term.label, term.factors, codes, levels, as_float(np.array(coded.matrix)), coded.names)


def _observed(codes: Sequence[IntArray], levels: Sequence[tuple[str, ...]]) -> tuple[IntArray, tuple[str, ...]]:
    """Return the combinations of levels of several factors that occur: their codes (n,) and names, such as 'a:b'."""
    found, cell = np.unique(np.stack(list(codes)), axis=1, return_inverse=True)
    names = (":".join(own[code] for own, code in zip(levels, each, strict=True)) for each in found.T)
    return cell.ravel().astype(np.int64), tuple(names)


def random_notes(parsed: ParsedFormula, factors: Sequence[str]) -> list[str]:
    """Return notes on the random terms of a formula, given the names of all variables that are factors."""
    notes = []
    if parsed.random and parsed.intercept and not parsed.terms:
        notes.append(f"'{parsed.text}' has random terms only: its fixed part is an intercept, with nothing to compare.")
    doubled = [term for term in parsed.random if term.uncorrelated]
    kept = [term for term in doubled if any(name in factors for part in term.left.terms for name in part)]
    if kept:
        notes.append(
            "The double bar does not separate the levels of a factor, as in lme4: in "
            f"{listing(dict.fromkeys(f'({term.label})' for term in kept))} their effects may be correlated."
        )
    return notes
