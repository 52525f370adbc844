"""Comparisons of the levels of one factor: pairs, differences from the reference, trends, given weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from countnest.design.levels.text import known_level, level_text, require_level
from countnest.errors import ContrastError, listing, suggestion
from countnest.options import is_number

__all__ = ["METHODS", "ORDERED", "WORDS", "Comparison", "compare"]

# Weights of a comparison must sum to zero within this.
TOLERANCE = 1e-9

TREND_NAMES = ("linear", "quadratic", "cubic", "quartic")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Weights of levels of a factor, summing to zero, with a label such as 'B - A'."""

    label: str
    weights: Mapping[str, float]


Method = Callable[[Sequence[str]], list[Comparison]]


def compare(levels: Sequence[str], how: object, factor: str) -> list[Comparison]:
    """Return the comparisons of the levels of a factor.

    Parameters
    ----------
    levels
        The levels: for the methods in `ORDERED` in their order, otherwise with the reference first.
    how
        A pair ``("E", "None")``: the first minus the second, either of which may be a list, whose mean is taken; a
        list of pairs; one of 'reference', 'pairwise', 'consecutive', 'deviation', 'helmert', 'mean_change', 'poly',
        'linear'; a dict of weights ``{"A": -1, "B": 1}``; or a dict of such dicts by name. 'poly' and 'linear', its
        first contrast, take the levels as equally spaced.
    factor
        The name of the factor, for messages.

    Raises
    ------
    ContrastError
        Unknown method or level, weights that do not sum to zero, or fewer than two levels.
    """
    if isinstance(how, str):
        return _by_method(levels, how, factor)
    if isinstance(how, Mapping):
        return _by_weights(levels, how, factor)
    if isinstance(how, (list, tuple)) and how:
        if all(isinstance(item, tuple) and len(item) == 2 for item in how):
            return [_pair(levels, item[0], item[1], factor) for item in how]
        if len(how) == 2:
            return [_pair(levels, how[0], how[1], factor)]
    raise ContrastError(
        f"{factor}={how!r} is not a comparison: use two levels such as ('{levels[-1]}', '{levels[0]}'), one of "
        f"{listing(WORDS, 20)}, or weights such as {{'{levels[-1]}': 1, '{levels[0]}': -1}}."
    )


def _by_method(levels: Sequence[str], method: str, factor: str) -> list[Comparison]:
    if method not in WORDS:
        raise ContrastError(
            f"{factor}='{method}' is not a method of comparing levels; use one of {listing(WORDS, 20)}."
            f"{suggestion(method, WORDS)}"
        )
    if len(levels) < 2:
        raise ContrastError(f"there is only one level of '{factor}' to compare here: {listing(levels)}.")
    return WORDS[method](levels)


def _by_weights(levels: Sequence[str], how: Mapping[Any, Any], factor: str) -> list[Comparison]:
    if how and all(isinstance(value, Mapping) for value in how.values()):
        return [_weighted(levels, str(label), weights, factor) for label, weights in how.items()]
    return [_weighted(levels, _formula(how) if _numeric(how) else "", how, factor)]


def _numeric(weights: Mapping[Any, Any]) -> bool:
    return all(is_number(value) for value in weights.values())


def _formula(weights: Mapping[Any, Any]) -> str:
    """Return weights as text: '0.5*B - A'."""
    pieces = []
    for level, weight in weights.items():
        size = f"{abs(float(weight)):.4g}"
        pieces.append(f"{'-' if weight < 0 else '+'} {'' if size == '1' else f'{size}*'}{level_text(level)}")
    return " ".join(pieces).removeprefix("+ ")


def _weighted(levels: Sequence[str], label: str, weights: Mapping[Any, Any], factor: str) -> Comparison:
    """Return a comparison with given weights, checked."""
    named = {known_level(level, levels): weight for level, weight in weights.items()}
    for level in named:
        require_level(level, factor, levels)
    if not _numeric(named):
        raise ContrastError(f"the weights of the levels of '{factor}' must be finite numbers: {dict(weights)!r}.")
    nonzero = {level: float(weight) for level, weight in named.items() if weight}
    if not nonzero:
        raise ContrastError(f"the weights of the levels of '{factor}' are all zero.")
    total = math.fsum(nonzero.values())
    if abs(total) > TOLERANCE * max(map(abs, nonzero.values())):
        raise ContrastError(
            f"the weights of the levels of '{factor}' add up to {total:g}; the weights of a comparison must sum to 0: "
            f"{dict(weights)!r}."
        )
    return Comparison(label, nonzero)


def _pair(levels: Sequence[str], high: object, low: object, factor: str) -> Comparison:
    """Return the first side minus the second."""
    lists = [list(side) if isinstance(side, (list, tuple)) else [side] for side in (high, low)]
    sides = [[known_level(level, levels) for level in side] for side in lists]
    for level in itertools.chain(*sides):
        require_level(level, factor, levels)
    both = set(sides[0]) & set(sides[1])
    if both or not all(sides):
        raise ContrastError(
            f"the two sides of a comparison of '{factor}' must be different levels; got {high!r} and {low!r}."
        )
    return _means_differ(sides[0], sides[1])


def _means_differ(high: Sequence[str], low: Sequence[str], label: str = "") -> Comparison:
    """Return the mean of some levels minus the mean of others."""
    names = [side[0] if len(side) == 1 else f"mean({', '.join(side)})" for side in (high, low)]
    weights = {**dict.fromkeys(high, 1 / len(high)), **dict.fromkeys(low, -1 / len(low))}
    return Comparison(label or " - ".join(names), weights)


def _deviation(levels: Sequence[str]) -> list[Comparison]:
    share = 1 / len(levels)
    return [
        Comparison(f"{level} - mean", {other: float(other == level) - share for other in levels}) for level in levels
    ]


def _poly(levels: Sequence[str]) -> list[Comparison]:
    """Return orthogonal polynomials over the positions of the levels, with the smallest integers as weights."""
    k = len(levels)
    names = [TREND_NAMES[i] if i < len(TREND_NAMES) else f"degree {i + 1}" for i in range(k - 1)]
    found = []
    basis = [[Fraction(1)] * k]
    for degree in range(1, k):
        column = [Fraction(place) ** degree for place in range(k)]
        for earlier in basis:
            slope = _dot(column, earlier) / _dot(earlier, earlier)
            column = [x - slope * e for x, e in zip(column, earlier, strict=True)]
        basis.append(column)
        scale = math.lcm(*(x.denominator for x in column))
        whole = [int(x * scale) for x in column]
        size = math.gcd(*whole)
        found.append({level: float(x // size) for level, x in zip(levels, whole, strict=True) if x})
    return [Comparison(name, weights) for name, weights in zip(names, found, strict=True)]


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


METHODS: Mapping[str, Method] = {
    "reference": lambda levels: [_means_differ([level], levels[:1]) for level in levels[1:]],
    "pairwise": lambda levels: [_means_differ([high], [low]) for low, high in itertools.combinations(levels, 2)],
    "consecutive": lambda levels: [_means_differ([high], [low]) for low, high in itertools.pairwise(levels)],
    "deviation": _deviation,
    "helmert": lambda levels: [_means_differ([levels[i]], levels[:i]) for i in range(1, len(levels))],
    "mean_change": lambda levels: [_means_differ(levels[i:], levels[:i]) for i in range(1, len(levels))],
    "poly": _poly,
}

# All names of methods; 'linear' is a part of one, the others span all differences of the levels.
WORDS: Mapping[str, Method] = {**METHODS, "linear": lambda levels: _poly(levels)[:1]}

# Methods whose comparisons depend on the order of the levels.
ORDERED = frozenset({"consecutive", "helmert", "mean_change", "poly", "linear"})
