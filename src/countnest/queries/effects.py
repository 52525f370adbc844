"""Queries about cells: effects of a variable, interactions of several variables, means, single cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.design.levels.options import refuse_unordered
from countnest.design.levels.text import known_level
from countnest.errors import ContrastError, listing, warn
from countnest.options import names_given
from countnest.queries.cells import (
    Cell,
    Weights,
    cell_rows,
    describe,
    empty_combinations,
    in_cell,
    level_cells,
    parent_level,
    possible_levels,
)
from countnest.queries.estimable import contrast_matrix, estimable
from countnest.queries.level_contrasts import ORDERED, Comparison, compare
from countnest.queries.query import Query
from countnest.queries.rows import NamedCell, Row
from countnest.queries.slopes import Slope, finite_change, slope_of
from countnest.queries.weights import check_weights, is_of_size
from countnest.remedies import advised

__all__ = ["cell", "comparison_query", "effect", "interaction", "means"]


# Cells with their weights.
Terms = Sequence[tuple[Cell, float]]


def effect(
    design: Design,
    variable: str,
    *,
    levels: object = None,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    weights: Weights = "equal",
    per: float | str | None = None,
    from_: float | None = None,
    to: float | None = None,
) -> Query:
    """Return the query for the effect of a variable.

    Factors that are not mentioned are averaged over: crossed factors with equal weights over all their levels, nested
    factors over the levels that occur. Numbers are held at their mean.

    Parameters
    ----------
    design
        A design that was made from a formula.
    variable
        A factor, whose levels are compared, or a number, whose slope is taken.
    levels
        How levels are compared: a pair ``("B", "A")`` for B - A, a method such as 'pairwise', or weights; by default
        each level with the reference.
    by
        Factors; there is one row for each combination of their levels.
    at
        Levels of factors and values of numbers to hold fixed.
    weights
        Weights of the levels averaged over: 'equal', 'proportional' to their samples, or a dict by factor.
    per
        For a number: 'sd' for the slope per standard deviation, or a number of units; by default one unit.
    from_, to
        For a number: the change from one value to another, instead of the slope.

    Returns
    -------
    Query
        One row for each comparison and each combination of `by`.

    Raises
    ------
    ContrastError
        Unknown variable or level; a comparison across the parents of a nested factor; no samples in a cell.
    """
    design.require_variable(variable)
    if variable in design.levels:
        if per is not None or from_ is not None or to is not None:
            raise ContrastError(f"'{variable}' is a factor; 'per', 'from_' and 'to' are for numbers.")
        how: object = "reference" if levels is None else levels
    else:
        if levels is not None:
            raise ContrastError(f"'{variable}' is a number, so it has no levels; use per=, or from_= and to=.")
        how = _slope(variable, per, from_, to)
    return comparison_query(design, {variable: how}, by=by, at=at, weights=weights)


def _slope(variable: str, per: float | str | None, from_: float | None, to: float | None) -> Slope:
    if (from_ is None) != (to is None) or (per is not None and from_ is not None):
        raise ContrastError(f"effect of '{variable}': give either 'per', or both 'from_' and 'to'.")
    return Slope(per=per, from_=from_, to=to)


def interaction(
    design: Design,
    *,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    weights: Weights = "equal",
    **comparisons: object,
) -> Query:
    """Return the query for how the effect of a variable differs between levels of others.

    Parameters
    ----------
    design
        A design that was made from a formula.
    by, at, weights
        As for `effect`.
    **comparisons
        How each variable is compared: a factor as by `levels` of `effect`; a number by 'slope' or a pair of values:
        ``interaction(design, treat2=("E", "None"), treat1="pairwise")``.

    Returns
    -------
    Query
        One row for each combination of the comparisons.

    Raises
    ------
    ContrastError
        As for `effect`; and if the model lacks the interaction, so that it is zero by assumption.
    """
    if len(comparisons) < 2:
        raise ContrastError(
            "an interaction needs comparisons of two or more variables, such as "
            "interaction(treat2=('E', 'None'), treat1='pairwise'); for one variable use effect()."
        )
    return comparison_query(design, comparisons, by=by, at=at, weights=weights)


def means(
    design: Design, by: str | Sequence[str], *, at: Mapping[str, Any] | None = None, weights: Weights = "equal"
) -> Query:
    """Return the query for the mean of each cell of some factors; arguments as for `effect`."""
    fixed = _fixed(design, at)
    check_weights(design, weights)
    cells = [{**each, **fixed} for each in level_cells(design, _names(by), fixed)]
    parts = [Row("mean", _place(each), (_named(design, each, 1.0),)) for each in cells]
    return _estimable(design, parts, [[(each, 1.0)] for each in cells], weights, _names(by))


def cell(design: Design, *, weights: Weights = "equal", **levels: object) -> Query:
    """Return the query for the mean of one cell; the difference of two such queries is a comparison."""
    fixed = _fixed(design, levels)
    check_weights(design, weights)
    part = Row(f"cell({describe(fixed)})", (), (_named(design, fixed, 1.0),))
    return _estimable(design, [part], [[(fixed, 1.0)]], weights, [name for name in fixed if name in design.levels])


def comparison_query(
    design: Design,
    comparisons: Mapping[str, object],
    *,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    weights: Weights = "equal",
) -> Query:
    """Return the product of the comparisons of one or more variables, in each cell of `by`."""
    for name in comparisons:
        design.require_variable(name)
    fixed = _fixed(design, at)
    check_weights(design, weights)
    names = _names(by)
    twice = [name for name in comparisons if name in names or (name in fixed and name in design.levels)]
    if twice:
        raise ContrastError(f"{listing(twice)} is compared, so it cannot also be held fixed by 'by' or 'at'.")
    parts, terms = [], []
    for place in level_cells(design, names, fixed):
        here = {**place, **fixed}
        held = {name: value for name, value in here.items() if name not in comparisons}
        pieces = [_pieces(design, name, how, here) for name, how in comparisons.items()]
        for combination in itertools.product(*pieces):
            settings = {name: piece[1] for name, piece in zip(comparisons, combination, strict=True)}
            factors = [pairs for name, pairs in settings.items() if name in design.levels]
            cells = tuple(_named(design, each, weight) for each, weight in _product(factors, here))
            parts.append(Row(" : ".join(label for label, _ in combination), _place(here), cells))
            terms.append(_product(list(settings.values()), held))
    compared = [name for name in comparisons if name in design.levels]
    query = _estimable(design, parts, terms, weights, compared, tuple(comparisons))
    ordered = {name: how for name in compared if isinstance(how := comparisons[name], str) and how in ORDERED}
    return replace(query, ordered=ordered)


def _pieces(design: Design, name: str, how: object, here: Cell) -> list[tuple[str, Terms]]:
    """Return the comparisons of one variable in a cell: labels, and settings of the variable with their weights."""
    if name not in design.levels:
        return [slope_of(design, name, _slope_given(name, how), here.get(name))]
    levels = possible_levels(design, name, here)
    if isinstance(how, str) and len(levels) < 2:
        raise ContrastError(
            f"the levels of '{name}' cannot be compared where {describe(here)}: only {listing(levels)} occurs there."
        )
    found: list[tuple[str, Terms]] = []
    for comparison in compare(_levels_to_compare(design, name, how, levels), how, name):
        _refuse_across_parents(design, name, comparison)
        settings = [({name: level}, weight) for level, weight in comparison.weights.items()]
        found.append((f"{name}[{comparison.label or 'weights'}]", settings))
    return found


def _levels_to_compare(design: Design, name: str, how: object, possible: Sequence[str]) -> list[str]:
    """Return the levels to compare: for a method the possible ones, in the order that it uses."""
    if not isinstance(how, str):
        return list(design.levels[name])
    return [level for level in (design.in_order(name) if how in ORDERED else possible) if level in possible]


def _slope_given(name: str, how: object) -> Slope:
    """Return the slope or the change that is given for a number."""
    if isinstance(how, (tuple, list)) and len(how) == 2:
        return finite_change(name, how)
    if isinstance(how, Slope):
        return how
    if how in ("slope", "sd"):
        return Slope(per="sd" if how == "sd" else None)
    raise ContrastError(f"{name}={how!r}: '{name}' is a number; use 'slope', 'sd' or a pair of values (to, from).")


def _refuse_across_parents(design: Design, name: str, comparison: Comparison) -> None:
    """Raise `ContrastError` if levels of a nested factor belong to different levels of its parent."""
    for parent in design.nesting.data.get(name, ()):
        homes = {level: parent_level(design, name, level, parent) for level in comparison.weights}
        if len(set(homes.values())) > 1:
            shown = dict(zip(homes.values(), homes, strict=True))
            where = ", ".join(f"'{level}' occurs only with {parent}={home}" for home, level in list(shown.items())[:3])
            within = advised(f"at={{'{parent}': ...}} or by='{parent}'", f"'| {parent}=level' or '| {parent}'")
            raise ContrastError(
                f"{name}[{comparison.label}] compares levels of '{name}' across levels of '{parent}': {where}; the two "
                f"are confounded. Compare levels of '{name}' within one level of '{parent}', with {within}, or use "
                f"the effect of '{parent}'."
            )


def _product(pieces: Sequence[Terms], held: Cell) -> Terms:
    """Return the cells of a product of comparisons with their weights; `held` are the variables held fixed."""
    return [
        (
            {**held, **{name: value for setting, _ in choice for name, value in setting.items()}},
            math.prod((weight for _, weight in choice), start=1.0),
        )
        for choice in itertools.product(*pieces)
    ]


def _weighted_rows(design: Design, sums: Sequence[Terms], weights: Weights) -> FloatArray:
    """Return the weighted sums of cells; each cell is encoded once."""
    places: dict[tuple[tuple[str, str | float], ...], int] = {}
    keys = [[(places.setdefault(tuple(sorted(c.items())), len(places)), w) for c, w in terms] for terms in sums]
    rows = cell_rows(design, [dict(key) for key in places], weights)
    return np.stack([sum((w * rows[i] for i, w in terms), np.zeros(rows.shape[1])) for terms in keys])


def _estimable(
    design: Design,
    parts: Sequence[Row],
    terms: Sequence[Terms],
    weights: Weights,
    compared: Sequence[str],
    variables: tuple[str, ...] = (),
) -> Query:
    """Return the query of the rows that can be estimated; raise `ContrastError` if none can, or if one is zero."""
    rows = _weighted_rows(design, terms, weights)
    for part, row in zip(parts, rows, strict=True):
        if np.isfinite(row).all() and np.abs(row).max(initial=0.0) < 1e-12:
            raise ContrastError(_zero_message(design, part, variables))
    able = estimable(design, rows)
    lost = [place for place, ok in enumerate(able) if not ok]
    if lost:
        needed = ([each for each, _ in terms[place]] for place in lost)
        empty = [text for cells in needed for text in empty_combinations(design, cells, weights)]
        _report_inestimable([parts[place].label for place in lost], empty, len(lost) == len(parts))
    kept = [place for place, ok in enumerate(able) if ok]
    query = Query(design, rows[kept], tuple(parts[place] for place in kept), frozenset(compared))
    contrasts = contrast_matrix(design, query.rows)
    zero = [part.label for part, row in zip(query.parts, contrasts, strict=True) if not row.any()]
    if zero:
        raise ContrastError(f"{listing(zero)} is 0 by assumption in the model '{design.formula}'.")
    return query


def _zero_message(design: Design, part: Row, variables: tuple[str, ...]) -> str:
    term = ":".join(name for name in design.variables if name in variables)
    if len(variables) > 1:
        return (
            f"{part.label}: the model '{design.formula}' has no {term} term, so this difference is 0 by assumption; "
            "add the term to the formula to test it."
        )
    return f"{part.label}: this difference is 0 by assumption in the model '{design.formula}'."


def _report_inestimable(labels: Sequence[str], empty: Sequence[str], all_rows: bool) -> None:
    """Raise `ContrastError` if no row can be estimated, otherwise warn about those that cannot."""
    cause = f"no samples with {listing(dict.fromkeys(empty))}"
    reason = cause if empty else "its cells cannot be separated from other effects"
    if all_rows:
        raise ContrastError(f"{listing(labels)} cannot be estimated: {reason}.")
    warn(f"{listing(labels)} cannot be estimated and is left out: {reason}.")


def _names(by: str | Sequence[str] | None) -> list[str]:
    refuse_unordered("by", by)
    return [] if by is None else names_given("by", by)


def _number(name: str, value: Any) -> float:  # noqa: ANN401 (a number, or text that is one)
    """Return the value at which a number is held."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ContrastError(f"{name}={value!r}: '{name}' is a number.") from error
    if isinstance(value, (bool, np.bool_)) or not is_of_size(number):
        raise ContrastError(f"{name}={value!r} is not a value of the number '{name}'.")
    return number


def _fixed(design: Design, at: Mapping[str, Any] | None) -> dict[str, str | float]:
    """Return the levels and values to hold fixed, checked."""
    if at is not None and not isinstance(at, Mapping):
        raise ContrastError(f"at={at!r} should be a dict of levels and values to hold fixed, such as {{'type': 'a'}}.")
    fixed: dict[str, str | float] = {}
    for name, value in (at or {}).items():
        design.require_variable(name)
        if name in design.levels:
            fixed[name] = level = known_level(value, design.levels[name])
            design.require_level(name, level)
        else:
            fixed[name] = _number(name, value)
    if not in_cell(design, fixed).any():
        raise ContrastError(f"no samples with {describe(fixed, design.levels)}.")
    return fixed


def _place(here: Cell) -> tuple[tuple[str, str], ...]:
    return tuple((name, value if isinstance(value, str) else f"{value:.6g}") for name, value in here.items())


def _named(design: Design, here: Cell, weight: float) -> NamedCell:
    return NamedCell(tuple((name, str(value)) for name, value in here.items() if name in design.levels), weight)
