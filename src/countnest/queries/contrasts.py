"""Contrasts in R's forms, as DESeq2's ``results`` takes them, as queries of one row."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.design.design import Design
from countnest.design.levels.options import refuse_unordered
from countnest.design.levels.text import known_level, level_text, require_level
from countnest.design.names import result_name, written_levels
from countnest.errors import ContrastError, listing, suggestion
from countnest.options import is_number
from countnest.queries.estimable import functional
from countnest.queries.query import Query
from countnest.queries.rows import Row
from countnest.queries.strata import mixed_model_advice
from countnest.queries.weights import mistaken_numbers, require_usable
from countnest.remedies import advised, as_factor, option

__all__ = ["coefficient_place", "contrast_query", "default_contrast", "refuse_list_values"]

FORMS = (
    "A contrast has the form (factor, numerator level, denominator level), ([names], [names]) with names of "
    "results_names(), or one number for each coefficient."
)


def contrast_query(
    design: Design,
    contrast: object = None,
    name: str | None = None,
    list_values: Sequence[float] = (1.0, -1.0),
) -> Query:
    """Return the query of one row of a contrast in one of R's forms.

    Parameters
    ----------
    design
        The design, with p coefficients.
    contrast
        One of: a triple of strings (factor, numerator level, denominator level); a pair of lists of coefficient names,
        the first added and the second subtracted (the second may be left out); p numbers.
    name
        One coefficient. Names may be written as in the results ('dex_trt_vs_untrt'), as in R's model matrix
        ('dextrt') or as in Python's formulas ('dex[T.trt]').
    list_values
        Weights of the names of the first and the second list.

    Returns
    -------
    Query
        One row with the weights exactly as they were given, labelled 'dex trt vs untrt', with the name of a
        coefficient, or '0,+0.5,-1' for numbers. Without `contrast` and `name`: `default_contrast`.

    Raises
    ------
    ContrastError
        The contrast does not exist in this design.

    Notes
    -----
    R counterpart: the arguments contrast, name and listValues of DESeq2::results.
    """
    if contrast is not None and name is not None:
        raise ContrastError("give either 'contrast' or 'name', not both.")
    if not _is_pair_of_lists(contrast):
        refuse_list_values(list_values)
    if name is not None:
        return _named(design, name)
    if contrast is None:
        return default_contrast(design)
    if isinstance(contrast, Query):
        raise ContrastError(
            "contrast= is a query; a query is tested by its own test(), query.test(), and its fold changes are "
            "shrunken by lfc_shrink(query=query)."
        )
    if isinstance(contrast, str):
        instead = f"dds.query('{contrast}').test()" if "[" in contrast else f"name='{contrast}'"
        raise ContrastError(f"contrast='{contrast}' is a single string; use {instead}. {FORMS}")
    refuse_unordered("contrast", contrast)
    if isinstance(contrast, pd.Series):
        return _numeric(design, _series_weights(design, contrast))
    items = list(contrast) if isinstance(contrast, Iterable) else [contrast]
    if items and isinstance(items[0], str):
        return _triple(design, items)
    if _is_pair_of_lists(contrast):
        return _lists(design, cast("list[Sequence[str]]", items), list_values)
    return _numeric(design, contrast)


def _is_pair_of_lists(contrast: object) -> bool:
    """Tell whether a contrast is one or two lists of names."""
    items = list(contrast) if isinstance(contrast, (list, tuple)) else []
    return bool(items) and all(isinstance(item, (list, tuple)) for item in items)


def refuse_list_values(list_values: object) -> None:
    """Raise `ContrastError` for weights of lists of names where no lists are given."""
    if not (isinstance(list_values, (tuple, list)) and list(list_values) == [1.0, -1.0]):
        raise ContrastError(
            f"list_values={list_values!r} are the weights of two lists of names, ([names], [names]), and no such lists "
            "are given; leave list_values out."
        )


def default_contrast(design: Design) -> Query:
    """Return the contrast that is tested when none is given.

    The last coefficient; but in a design without intercept and interactions whose last variable is a factor, the last
    level of this factor against the first.

    Notes
    -----
    R counterpart: DESeq2::results without arguments.
    """
    last = design.variables[-1] if design.variables else ""
    interactions = any(len(term) > 1 for term in design.terms)
    if not design.intercept and not interactions and (last,) in design.terms and last in design.levels:
        levels = design.levels[last]
        return _triple(design, [last, levels[-1], levels[0]])
    return _named(design, design.names[-1])


def _row(design: Design, vector: FloatArray, label: str, zero_samples: BoolArray | None = None) -> Query:
    """Return the query of one row with these weights (p,)."""
    row = Row(label, weights=tuple(vector.tolist()), zero_samples=zero_samples)
    return Query(design, functional(design, vector[np.newaxis, :]), (row,))


def _named(design: Design, name: str) -> Query:
    """Return the contrast of one coefficient."""
    place = coefficient_place(design, name)
    return _row(design, np.eye(len(design.names))[place], _name_label(design, place))


def _name_label(design: Design, place: int) -> str:
    """Return 'dex trt vs untrt' for 'dex_trt_vs_untrt', other names unchanged."""
    name, term = design.names[place], design.terms[place]
    if "_vs_" not in name or len(term) != 1 or term[0] not in design.levels:
        return name
    variable = term[0]
    level = design.columns[place].removeprefix(variable)
    return f"{variable} {level} vs {design.levels[variable][0]}"


def _triple(design: Design, items: Sequence[object]) -> Query:
    """Return the contrast of two levels of a factor."""
    if design.formula is None:
        raise ContrastError(
            "only list- and numeric-type contrasts are supported for user-supplied model matrices; the coefficients "
            f"are {listing(design.names, 20)}."
        )
    if len(items) != 3 or any(isinstance(item, (list, tuple)) for item in items):
        raise ContrastError(f"contrast={tuple(items)!r} cannot be understood. {FORMS}")
    factor = level_text(items[0])
    levels = _factor_levels(design, factor, items[1:])
    numerator, denominator = (known_level(item, levels) for item in items[1:])
    for level in (numerator, denominator):
        require_level(level, factor, levels)
    if numerator == denominator:
        raise ContrastError(f"numerator and denominator are both '{numerator}'; they must be different levels.")
    vector = np.zeros(len(design.names))
    main = {c: i for i, (c, term) in enumerate(zip(design.columns, design.terms, strict=True)) if term == (factor,)}
    for level, weight in ((numerator, 1.0), (denominator, -1.0)):
        place = main.get(f"{factor}{level}")
        if place is None and level != levels[0]:
            raise ContrastError(_dropped_level(design, factor, level))
        if place is not None:
            vector[place] = weight
    in_levels: BoolArray = design.sheet[factor].isin([numerator, denominator]).to_numpy(dtype=bool)
    return _row(design, vector, f"{factor} {numerator} vs {denominator}", in_levels)


def _factor_levels(design: Design, factor: str, pair: Sequence[object]) -> tuple[str, ...]:
    """Return the levels of a factor; raise `ContrastError` unless the design has its main effect."""
    design.require_variable(factor)
    if factor not in design.levels:
        values = [level_text(value) for value in sorted(set(design.sheet[factor]))] if factor in design.sheet else []
        raise ContrastError(
            f"'{factor}' is not a factor; it is numeric, and its coefficient is the change per unit: use "
            f"{option('name', factor)}. To compare its values, make it a factor: {as_factor(factor, values)}, or "
            f"'C({factor})' in the formula. The coefficients are {listing(design.names, 20)}."
        )
    if (factor,) not in design.full.terms:
        listed = advised(" in results_names()", "")
        one = advised("or use a list of names or numbers", "or for one coefficient with --name")
        other = f"{_in_each_level(design, factor, pair)}, {one}."
        raise ContrastError(
            f"the design '{design.formula}' has no main effect of '{factor}', only interactions, so its levels are not "
            f"compared by one coefficient; was expecting coefficients such as "
            f"'{factor}_{design.levels[factor][1]}_vs_{design.levels[factor][0]}' to be present{listed}. "
            f"{other} The coefficients are {listing(design.names, 20)}."
        )
    return design.levels[factor]


def _in_each_level(design: Design, factor: str, pair: Sequence[object]) -> str:
    """Return the advice to compare two levels within each level of the factors that interact with theirs."""
    high, low = (level_text(level) for level in pair)
    blocks = {block[-1] for block in design.nesting.blocks}
    near = {name for term in design.full.terms if factor in term for name in term}
    others = [name for name in design.levels if name in near and name not in {*blocks, factor}]
    by = f", by={others!r}" if len(others) > 1 else f", by={others[0]!r}" if others else ""
    python = f"dds.effect({factor!r}, levels=({high!r}, {low!r}){by})"
    line = " | ".join([f"{factor}[{high} - {low}]", ", ".join(others)]) if others else f"{factor}[{high} - {low}]"
    return f"Use {advised(python, option('query', line))}"


def _dropped_level(design: Design, factor: str, level: str) -> str:
    """Return the message that a level other than the reference has no coefficient."""
    inner = [name for name, outer in design.nesting.data.items() if factor in outer]
    why = f" because '{inner[0]}' is nested in '{factor}', so the levels of '{factor}' differ between" if inner else ""
    blocks = f" levels of '{inner[0]}'" if inner else ""
    outer, first = design.nesting.data.get(factor, ()), design.levels[factor][0]
    python = f"effect('{factor}', levels=('{level}', '{first}'))"
    averages = advised(python, option("query", f"{factor}[{level} - {first}]"))
    dropped = f"the coefficient '{factor}{level}' was dropped{why}{blocks}"
    if any(factor in design.nesting.parents(block[-1]) for block in design.nesting.blocks):
        return f"{dropped}, which the design holds fixed. {mixed_model_advice(design)}"
    within = f"compare levels of '{factor}' within one level of '{outer[0]}'" if outer else ""
    return f"{dropped}; {within or f'compare averages over cells instead: {averages}'}."


def _lists(design: Design, items: Sequence[Sequence[str]], list_values: Sequence[float]) -> Query:
    """Return the contrast that adds the coefficients of one list and subtracts those of the other."""
    if len(items) > 2:
        raise ContrastError(f"the contrast has {len(items)} lists of names; it must have one or two. {FORMS}")
    up, down = _list_values(list_values)
    sides = [[coefficient_place(design, name) for name in side] for side in items]
    added, subtracted = [list(dict.fromkeys(side)) for side in [*sides, []][:2]]
    both = set(added) & set(subtracted)
    if both:
        raise ContrastError(
            f"names {listing(design.names[place] for place in sorted(both))} should only appear in the numerator or "
            "the denominator of the contrast, not in both lists."
        )
    if not added and not subtracted:
        raise ContrastError(f"the lists of the contrast are empty. {FORMS}")
    vector = np.zeros(len(design.names))
    vector[added], vector[subtracted] = up, down
    return _row(design, vector, _list_label(design, added, subtracted, (up, down)))


def _list_values(list_values: Sequence[float]) -> tuple[float, float]:
    """Return the two weights, positive and negative."""
    refuse_unordered("list_values", list_values)
    if not isinstance(list_values, Iterable) or any(isinstance(value, (str, bool, np.bool_)) for value in list_values):
        raise ContrastError(f"list_values={list_values!r} must be two numbers.")
    values = list(list_values)
    if len(values) != 2 or not all(map(is_number, values)) or not values[0] > 0 > values[1]:
        raise ContrastError(
            f"list_values={tuple(list_values)!r}: two numbers are needed, the first positive and the second negative."
        )
    require_usable(np.array(values)[:, np.newaxis], f"list_values={tuple(list_values)!r}")
    return float(values[0]), float(values[1])


def _list_label(design: Design, added: list[int], subtracted: list[int], values: tuple[float, float]) -> str:
    """Return 'a+b vs c' or 'a+b effect', with weights other than 1: '0.5 a+b vs 0.25 c'."""
    up, down = ("+".join(design.names[place] for place in side) for side in (added, subtracted))
    if not added:
        return f"{values[1]:.3g} {down} effect"
    up, down = (f"{size:.3g} {side}" if size != 1 else side for size, side in ((values[0], up), (abs(values[1]), down)))
    return f"{up} vs {down}" if subtracted else f"{up} effect"


def _numeric(design: Design, contrast: object) -> Query:
    """Return the contrast with the given weights."""
    wrong = mistaken_numbers(contrast)
    if wrong:
        raise ContrastError(f"the contrast {contrast!r} cannot be understood: it has {wrong} as an element. {FORMS}")
    try:
        vector = np.array(contrast, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ContrastError(f"the contrast {contrast!r} cannot be understood. {FORMS}") from error
    if vector.shape != (len(design.names),):
        raise ContrastError(
            "numeric contrast vector should have one element for every element of results_names(): "
            f"{len(design.names)} numbers, not shape {vector.shape}. The coefficients are {listing(design.names, 20)}."
        )
    if not np.all(np.isfinite(vector)):
        raise ContrastError("the numeric contrast has missing or infinite elements.")
    if not np.any(vector):
        raise ContrastError("the numeric contrast has only zeros; at least one element should differ from 0.")
    require_usable(vector, "the numeric contrast")
    label = ",".join(f"{'+' if weight > 0 else ''}{weight:.15g}" for weight in vector + 0.0)
    return _row(design, vector, label)


def _series_weights(design: Design, contrast: pd.Series[Any]) -> list[Any]:
    """Return the weights of a series in the order of the coefficients, matched by name if it is labelled."""
    if isinstance(contrast.index, pd.RangeIndex):
        return list(contrast)
    weights = dict.fromkeys(range(len(design.names)), 0.0)
    for name, weight in contrast.items():
        if not is_number(weight):
            raise ContrastError(f"the weight of '{name}' is not a finite number: {weight!r}.")
        weights[coefficient_place(design, str(name))] = float(weight)
    return list(weights.values())


def coefficient_place(design: Design, name: str) -> int:
    """Return the position of a coefficient, in any spelling of its name."""
    if not isinstance(name, str):
        raise ContrastError(
            f"{name!r} is not the name of a coefficient. The coefficients are {listing(design.names, 20)}."
        )
    if name in design.names:
        return design.names.index(name)
    wanted = _plain_name(name)
    for place, column in enumerate(design.columns):
        if name == column or wanted == _plain_name(column):
            return place
    expected = advised("names should be elements of results_names()", "the design has none of this name")
    raise ContrastError(
        f"'{name}' is not a coefficient: {expected}."
        f"{_as_levels(design, name) or suggestion(name, design.names)} The coefficients are "
        f"{listing(design.names, 20)}."
    )


def _as_levels(design: Design, name: str) -> str:
    """Return the advice to use contrast= for a name that compares two levels but is not a coefficient; otherwise ''."""
    for factor, levels in design.levels.items():
        written = written_levels(factor, levels)
        pairs = itertools.permutations(zip(levels, written, strict=True), 2)
        for (high, numerator), (low, denominator) in pairs if (factor,) in design.full.terms else ():
            if name == result_name(factor, level=(factor, numerator, denominator)):
                main = {column for column, term in zip(design.columns, design.terms, strict=True) if term == (factor,)}
                lost = [level for level in (high, low) if level != levels[0] and f"{factor}{level}" not in main]
                if lost:
                    return f" For {_dropped_level(design, factor, lost[0])}"
                how = advised(f"contrast=('{factor}', '{high}', '{low}')", f"--contrast {factor},{high},{low}")
                return f" Levels are compared, either way round, by {how}."
    return ""


def _plain_name(name: str) -> tuple[str, ...]:
    """Return the parts of a name without brackets, sorted: ('dextrt',) for 'dex[T.trt]' and 'dextrt'."""
    if name == "(Intercept)":
        return ("Intercept",)
    return tuple(sorted(re.sub(r"\[(?:T\.)?([^\]]*)\]", r"\1", part) for part in name.split(":")))
