"""New designs of a data set: for another formula, another sample sheet, or some of the samples."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray
from countnest.design.build import build_design
from countnest.design.design import Design, check_varying
from countnest.design.formula import parse_formula
from countnest.design.levels.text import known_level, level_text
from countnest.design.matrix import no_design
from countnest.design.random.build import used_variables
from countnest.design.random.term import same_terms
from countnest.errors import CountnestWarning, counted, listing, warn

__all__ = ["checked_design", "is_same_model", "lost", "options_of_part", "redesigned", "usable_options"]

MOST_CELLS = 10_000  # tables of more cells are not compared


def checked_design(design: object) -> str | pd.DataFrame | FloatArray:
    """Return a formula or a model matrix; raise `DesignError` for anything else."""
    if isinstance(design, (str, pd.DataFrame, np.ndarray)):
        return design
    advice = " Its formula is its attribute `formula`." if isinstance(design, Design) else ""
    raise no_design(design, advice)


def usable_options(options: Mapping[str, Any], sheet: pd.DataFrame) -> dict[str, Any]:
    """Return the options of a design, without those for variables that it does not use.

    The options of a data set outlast its design: the reference level of a factor that one formula leaves out is there
    again for the next.
    """
    design, same_as = options["design"], options["same_as"]
    formula = same_as if same_as is not None else design
    parsed = parse_formula(formula, sheet.columns) if isinstance(formula, str) else None
    used = None if parsed is None else used_variables(parsed)
    variables = () if used is None else used.variables
    named = options.get("levels") or {}
    factors = [
        name
        for name in variables
        if used and name not in used.computed and _is_factor(sheet, name, {*used.categorical, *named})
    ]
    fixed = [name for name in factors if parsed and name in parsed.variables and name not in parsed.computed]
    usable = {"reference": factors, "levels": factors, "blocks": fixed, "numeric_ok": variables}
    found = {name: _restricted(value, usable[name]) if name in usable else value for name, value in options.items()}
    return {**found, "numeric_ok": found["numeric_ok"] or ()}


def _is_factor(sheet: pd.DataFrame, name: str, categorical: Collection[str]) -> bool:
    return name in categorical or getattr(sheet[name].dtype, "kind", "O") not in "iuf"


def _restricted(value: Any, names: Collection[str]) -> Any:  # noqa: ANN401 (a dict, a tuple of names, or None)
    if not value:
        return value
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if name in names} or None
    return tuple(name for name in value if name in names) or None


def options_of_part(
    options: Mapping[str, Any], design: Design, samples: IntArray, sheet: pd.DataFrame
) -> dict[str, Any]:
    """Return the options for some of the samples, whose sheet this is.

    A model matrix has its rows for them, labelled again; reference levels without samples are none any more.
    """
    found = dict(options)
    if not isinstance(options["design"], str):
        found["design"] = pd.DataFrame(design.matrix[samples], sheet.index, pd.Index(design.columns))
    if options["reference"]:
        left = {name: {level_text(value) for value in sheet[name]} for name in options["reference"]}
        kept = {
            name: level for name, level in options["reference"].items() if known_level(level, left[name]) in left[name]
        }
        found["reference"] = kept or None
    return found


def redesigned(
    options: Mapping[str, Any], sheet: pd.DataFrame, before: tuple[Mapping[str, Any], pd.DataFrame] | None = None
) -> Design:
    """Return the design of a sheet; warnings that the options and the sheet `before` gave too are not given again.

    A data set that could be fitted stays one: `DesignError` where a variable has one value now.
    """
    old, earlier = (None, []) if before is None else _built(*before)
    known = {str(each.message) for each in earlier}
    design, told = _built(options, sheet)
    if old is None or not old.constant:
        check_varying(design)
    for each in told:
        if str(each.message) not in known:
            warn(str(each.message))
    return design


def _built(options: Mapping[str, Any], sheet: pd.DataFrame) -> tuple[Design, list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CountnestWarning)
        design = build_design(sheet=sheet, **usable_options(options, sheet))
    return design, told


def is_same_model(one: Design, other: Design) -> bool:
    """Tell whether two designs have the same columns for the same samples, so that a fit of one is a fit of both."""
    same = (one.names, one.formula, dict(one.levels)) == (other.names, other.formula, dict(other.levels))
    return same and bool(np.array_equal(one.matrix, other.matrix)) and same_terms(one.random, other.random)


def lost(before: Design, after: Design) -> list[str]:
    """Describe the levels, cells and reference levels that a design lost with its samples, and its new coefficients."""
    found = [f"{name} is a factor now" for name in before.numbers if name in after.levels]
    for name, levels in before.levels.items():
        if name in after.numbers:
            found.append(f"{name} is a number now")
            continue
        left = after.levels.get(name, ())
        gone = [level for level in levels if level not in left]
        if gone:
            found.append(f"no sample has {name} {listing(gone)} any more")
        if left and left[0] != levels[0]:
            found.append(f"the reference level of {name} is now '{left[0]}'")
    for names in _crossed(before, after):
        cells = _cells(before, names, after.levels) - _cells(after, names, after.levels)
        if cells:
            shown = [", ".join(f"{n}={level}" for n, level in zip(names, cell, strict=True)) for cell in sorted(cells)]
            found.append(f"{counted(len(cells), 'cell')} without samples now: {listing(shown)}")
    if found and before.names != after.names:
        found.append(f"the coefficients are now {listing(after.names, 20)}")
    return found


def _crossed(before: Design, after: Design) -> list[tuple[str, ...]]:
    """Return the sets of factors that interact in the formula, are no blocks, and still have several levels."""
    blocks = {block[-1] for design in (before, after) for block in design.nesting.blocks}
    left = [name for name in before.levels if len(after.levels.get(name, ())) > 1 and name not in blocks]
    terms = {tuple(name for name in left if name in term) for term in before.terms}
    largest = [term for term in terms if len(term) > 1 and not any(set(term) < set(other) for other in terms)]
    return sorted(term for term in largest if np.prod([float(len(after.levels[n])) for n in term]) <= MOST_CELLS)


def _cells(design: Design, names: Sequence[str], left: Mapping[str, tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return the combinations of the levels that are left in which there are samples."""
    rows = design.sheet[list(names)].astype(str).drop_duplicates().to_numpy().tolist()
    return {tuple(row) for row in rows if all(level in left[name] for name, level in zip(names, row, strict=True))}
