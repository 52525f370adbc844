"""Columns that are combinations of earlier ones: dropped if nesting is the reason, an error otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, IntArray
from countnest.design.encoding import CodedMatrix, Coder
from countnest.design.levels.text import level_codes
from countnest.design.nesting import Nesting
from countnest.design.rank import confounding, find_dependence, zero_columns
from countnest.errors import ConfoundedDesignError, listing

__all__ = ["Aliasing", "aliasing_notes", "complete_rows", "find_aliasing"]

# Cells of the complete layout to examine; a random subset if there are more.
MOST_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class Aliasing:
    """The positions of the columns to keep, of those that are zero, and of those aliased because of nesting."""

    kept: tuple[int, ...]
    zero: tuple[int, ...]
    aliased: tuple[int, ...]


def find_aliasing(coded: CodedMatrix, coder: Coder, nesting: Nesting, sheet: pd.DataFrame) -> Aliasing:
    """Choose the columns (n, q) of the samples to keep; the coder encodes other rows in the same way.

    The columns are also examined in the complete layout: every level of the crossed factors with every level of the
    others that occurs within its parents. Columns that depend on each other there do so because of nesting, whatever
    the samples. An effect lost only in the samples is confounded, which is an error.

    Raises
    ------
    ConfoundedDesignError
        An effect is lost because factors carry the same information or cells are empty.

    Notes
    -----
    R counterpart: the NA coefficients of stats::lm, which are not explained.
    """
    zero = zero_columns(coded.matrix)
    places = np.flatnonzero(~zero)
    dependence = find_dependence(coded.matrix[:, places])
    if dependence.dependent:
        complete = coder.matrix(complete_rows(sheet, coder, nesting))[:, places]
        if find_dependence(complete).rank > dependence.rank:
            left = coded.take(~zero)
            codes = {name: (level_codes(sheet[name], levels), levels) for name, levels in coder.levels.items()}
            raise ConfoundedDesignError(confounding(left.matrix, left.columns, left.terms, codes))
    return Aliasing(
        kept=tuple(int(places[i]) for i in dependence.kept),
        zero=tuple(int(i) for i in np.flatnonzero(zero)),
        aliased=tuple(int(places[i]) for i in dependence.dependent),
    )


def complete_rows(sheet: pd.DataFrame, coder: Coder, nesting: Nesting) -> pd.DataFrame:
    """Return the samples and the rows of the complete layout; their numbers are drawn from the samples."""
    rng = np.random.default_rng(0)
    codes = np.empty((1, 0), dtype=np.int64)
    names = nesting.outermost_first(coder.levels)
    for place, name in enumerate(names):
        parents = [i for i in range(place) if names[i] in nesting.parents(name)]
        codes = _crossed(codes, parents, sheet, names, place, coder.levels)
        if len(codes) > MOST_CELLS:
            codes = codes[np.sort(rng.choice(len(codes), MOST_CELLS, replace=False))]
    if len(codes) < len(sheet):  # numeric columns need enough rows
        codes = np.repeat(codes, 1 + 2 * len(sheet) // len(codes), axis=0)
    rows = {name: [coder.levels[name][code] for code in codes[:, i]] for i, name in enumerate(names)}
    numbers = [name for name in sheet.columns if name not in rows]
    drawn = {name: sheet[name].to_numpy()[rng.integers(len(sheet), size=len(codes))] for name in numbers}
    samples = sheet.astype(dict.fromkeys(names, object))
    return pd.concat([samples, pd.DataFrame({**rows, **drawn})[list(sheet.columns)]], ignore_index=True)


def _crossed(
    codes: IntArray,
    parents: Sequence[int],
    sheet: pd.DataFrame,
    names: Sequence[str],
    place: int,
    levels: Mapping[str, Sequence[str]],
) -> IntArray:
    """Return each row once for each level of another factor that occurs with its levels of the parents."""
    n_levels = len(levels[names[place]])
    level = np.tile(np.arange(n_levels), len(codes))
    repeated = np.column_stack([np.repeat(codes, n_levels, axis=0), level])
    if not parents:
        return repeated
    observed = np.column_stack([level_codes(sheet[names[i]], levels[names[i]]) for i in (*parents, place)])
    known = {tuple(row) for row in observed.tolist()}
    occurs: BoolArray = np.array([tuple(row) in known for row in repeated[:, [*parents, place]].tolist()], dtype=bool)
    return repeated[occurs]


def aliasing_notes(
    coded: CodedMatrix, aliasing: Aliasing, nesting: Nesting, levels: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return notes on the columns that were dropped; `levels` are those of each factor."""
    notes = []
    if aliasing.aliased:
        terms = {coded.terms[place] for place in (*aliasing.aliased, *aliasing.kept)}
        used = {name for term in terms for name in term}
        notes = [
            f"{inner} is nested in {outer} ({len(levels[inner])} levels in {len(levels[outer])}): differences between "
            f"levels of {outer} cannot be separated from {inner}; effects within {inner} can."
            for inner, outers in nesting.data.items()
            for outer in outers
            if {inner, outer} <= used
        ]
        aliased = [coded.columns[place] for place in aliasing.aliased]
        reason = " for this reason" if notes else ""
        notes.append(f"Columns that are combinations of earlier ones{reason} were dropped: {listing(aliased)}.")
    if aliasing.zero:
        zero = coded.take(np.array(aliasing.zero))
        cells = [", ".join(f"{name}={level}" for name, level in cell) for cell in zero.cells]
        notes.append(
            f"Columns that are zero in all samples were dropped: {listing(zero.columns)}; no samples with "
            f"{listing(cells)}."
        )
    return notes
