"""Cells of a design: the complete cells that a partial one averages over, and their weights."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.design.design import Design, encode
from countnest.design.levels.text import known_level
from countnest.errors import ContrastError

__all__ = [
    "Cell",
    "Weights",
    "cell_rows",
    "complete_cells",
    "describe",
    "empty_combinations",
    "in_cell",
    "level_cells",
    "parent_level",
    "possible_levels",
]

# Levels of factors and values of numbers.
Cell = Mapping[str, str | float]

Weights = Literal["equal", "proportional"] | Mapping[str, Mapping[Any, float]]

# A complete cell of the factors, and its weight.
Weighted = tuple[dict[str, str], float]


def cell_rows(design: Design, cells: Sequence[Cell], weights: Weights = "equal") -> FloatArray:
    """Return the mean of each cell as a functional of the unreduced coefficients.

    Factors that a cell does not name are averaged over: crossed factors over all their levels, nested factors over the
    levels that occur in the cell of their parents. Numbers that it does not name are held at their mean.

    Parameters
    ----------
    design
        A design that was made from a formula, with q unreduced columns.
    cells
        m cells.
    weights
        'equal'; 'proportional' to the number of samples of each level; or a dict of factor to level to weight.

    Returns
    -------
    FloatArray
        Shape (m, q); NaN if the cell cannot exist, such as family 7 in a group that it does not belong to.
    """
    means = {name: _mean(design, name) for name in design.numbers}
    found = [complete_cells(design, cell, weights) for cell in cells]
    frame = pd.DataFrame(
        [
            {**levels, **{name: float(cell.get(name, mean)) for name, mean in means.items()}}
            for cell, parts in zip(cells, found, strict=True)
            for levels, _ in parts
        ],
        columns=list(design.variables),
        index=range(sum(len(parts) for parts in found)),
    )
    coded = encode(design, frame)
    rows = np.full((len(cells), coded.shape[1]), np.nan)
    start = 0
    for place, parts in enumerate(found):
        if parts:
            shares = np.array([share for _, share in parts])
            rows[place] = shares @ coded[start : start + len(parts)]
        start += len(parts)
    return rows


def _mean(design: Design, name: str) -> float:
    column = design.sheet[name]
    if not pd.api.types.is_numeric_dtype(column):
        raise ContrastError(f"'{name}' is neither a factor nor a number, so it has no mean to hold it at.")
    return float(column.to_numpy(dtype=np.float64).mean())


def complete_cells(design: Design, cell: Cell, weights: Weights = "equal") -> list[Weighted]:
    """Return the complete cells of the factors that a partial cell averages over; none if it cannot exist."""
    fixed = _with_parents(design, {name: str(cell[name]) for name in design.levels if name in cell})
    if fixed is None:
        return []
    partial: list[Weighted] = [({}, 1.0)]
    for factor in design.nesting.outermost_first(design.levels):
        extended = []
        for levels, weight in partial:
            shares = _shares(design, factor, levels, fixed, weights)
            if not shares:
                return []
            extended += [({**levels, factor: level}, weight * share) for level, share in shares.items()]
        partial = extended
    return partial


def _with_parents(design: Design, fixed: dict[str, str]) -> dict[str, str] | None:
    """Return the fixed levels with the levels of parents that they imply; None if they contradict each other."""
    complete = dict(fixed)
    for child, level in fixed.items():
        for parent in design.nesting.data.get(child, ()):
            implied = parent_level(design, child, level, parent)
            if complete.setdefault(parent, implied) != implied:
                return None
    return complete


def parent_level(design: Design, child: str, level: str, parent: str) -> str:
    """Return the level of the parent to which a level of a nested factor belongs."""
    first = int(np.argmax(in_cell(design, {child: level})))
    return design.levels[parent][int(design.codes(parent)[first])]


def _shares(
    design: Design, factor: str, levels: Mapping[str, str], fixed: Mapping[str, str], weights: Weights
) -> dict[str, float]:
    """Return the weight of each level of a factor in a cell of its parents."""
    if factor in fixed:
        return {fixed[factor]: 1.0}
    above = [name for name in design.nesting.parents(factor) if name in levels]
    inside = in_cell(design, {name: levels[name] for name in above})
    found = np.bincount(design.codes(factor)[inside], minlength=len(design.levels[factor]))
    counts = dict(zip(design.levels[factor], found.tolist(), strict=True))
    candidates = [level for level in design.levels[factor] if not above or counts[level]]
    if not isinstance(weights, str) and factor in weights:
        given = {known_level(level, candidates): float(weight) for level, weight in weights[factor].items()}
        sizes = {level: given.get(level, 0.0) for level in candidates}
    else:
        sizes = {level: float(counts[level]) if weights == "proportional" else 1.0 for level in candidates}
    total = sum(sizes.values())
    return {level: size / total for level, size in sizes.items() if size} if total else {}


def in_cell(design: Design, cell: Cell) -> BoolArray:
    """Return the mask (n,) of the samples with the levels of a cell; its numbers are ignored."""
    inside: BoolArray = np.ones(len(design.sheet), dtype=bool)
    for name, level in cell.items():
        if name in design.levels:
            inside &= design.codes(name) == design.levels[name].index(str(level))
    return inside


def empty_combinations(design: Design, cells: Sequence[Cell], weights: Weights = "equal") -> list[str]:
    """Return the combinations of levels that the cells need and no sample has."""
    named = [describe(cell, design.levels) for cell in cells if not in_cell(design, cell).any()]
    if named:
        return list(dict.fromkeys(named))
    complete = [levels for cell in cells for levels, _ in complete_cells(design, cell, weights)]
    wanted: dict[str, None] = {}
    for term in dict.fromkeys(design.full.terms):
        factors = [name for name in term if name in design.levels]
        for choice in dict.fromkeys(tuple(levels[name] for name in factors) for levels in complete):
            part: dict[str, str | float] = dict(zip(factors, choice, strict=True))
            if not in_cell(design, part).any():
                wanted[describe(part)] = None
        if wanted:
            break
    return list(wanted)


def describe(cell: Cell, only: Mapping[str, object] | None = None) -> str:
    """Return a cell as text: 'treat1=B, treat2=E'; with only the variables in `only`, if given."""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else f'{value:.6g}'}"
        for name, value in cell.items()
        if only is None or name in only
    )


def level_cells(design: Design, variables: Sequence[str], fixed: Cell) -> list[dict[str, str | float]]:
    """Return the cells of all levels of some factors that can occur with the fixed levels.

    Cells that contradict the nesting are left out; cells without samples are not.
    """
    for name in variables:
        design.require_variable(name)
        if name not in design.levels:
            raise ContrastError(f"by='{name}': it is a number, not a factor; fix it with at={{'{name}': ...}}.")
        if name in fixed:
            raise ContrastError(f"'{name}' is in both 'by' and 'at'; use only one.")
    choices = itertools.product(*(design.levels[name] for name in variables))
    cells = [dict(zip(variables, choice, strict=True)) for choice in choices]
    return [{**cell} for cell in cells if _possible(design, {**cell, **fixed})]


def _possible(design: Design, cell: Cell) -> bool:
    """Tell whether the levels of a cell agree with the nesting."""
    for name in cell:
        above = [parent for parent in design.nesting.parents(name) if parent in cell]
        family = {other: cell[other] for other in (name, *above)}
        if above and not in_cell(design, family).any():
            return False
    return True


def possible_levels(design: Design, factor: str, fixed: Cell) -> tuple[str, ...]:
    """Return the levels of a factor that occur with the fixed levels of its parents."""
    return tuple(level for level in design.levels[factor] if _possible(design, {**fixed, factor: level}))
