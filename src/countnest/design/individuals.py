"""Labels of individuals: numbers mistaken for measurements, numbers reused in other groups, renumbering."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.design.levels.text import level_text
from countnest.design.nesting import MEANT_NAME, Nesting, is_numbering, relation
from countnest.errors import NumericIdError, SamplesError, listing, suggestion
from countnest.options import names_given
from countnest.remedies import advised, as_factor
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.design.samples import PreparedSamples

__all__ = ["label_warnings", "refuse_numeric_labels", "renest", "unneeded_notes"]


def refuse_numeric_labels(
    terms: Sequence[tuple[str, ...]], prepared: PreparedSamples, numeric_ok: Collection[str]
) -> None:
    """Raise `NumericIdError` for a number with values 1, 2, ..., k, repeated, in an interaction with a factor.

    It is almost always the label of an individual; as a number it would get a slope for each level of the factor, and
    the individuals no coefficients.
    """
    for name, term, k in _numberings(terms, prepared):
        if name in numeric_ok:
            continue
        factors = listing(factor for factor in term if factor in prepared.levels)
        measured = advised(f"use numeric_ok=('{name}',)", f"fit it in Python, where numeric_ok=('{name}',) allows it")
        raise NumericIdError(
            f"'{name}' in the term '{':'.join(term)}' is numeric with the values 1 to {k}, so the model would fit a "
            f"slope over the numbers of '{name}' in each level of {factors}, not one coefficient for each individual. "
            f"If it is a label, write {as_factor(name)}, or 'C({name})' in the formula; if it is a measurement, "
            f"{measured}."
        )


def unneeded_notes(
    terms: Sequence[tuple[str, ...]], prepared: PreparedSamples, numeric_ok: Collection[str]
) -> list[str]:
    """Return a note on variables of `numeric_ok` that do not look like labels, if there are any."""
    alike = {name for name, _, _ in _numberings(terms, prepared)}
    unneeded = [name for name in numeric_ok if name not in alike]
    if not unneeded:
        return []
    return [
        f"numeric_ok has no effect on {listing(unneeded)}: it is for numbers with the values 1, 2, ..., k in an "
        "interaction with a factor."
    ]


def _numberings(
    terms: Sequence[tuple[str, ...]], prepared: PreparedSamples
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield each number that looks like a label, its term with a factor, and its largest value."""
    for term in terms:
        factors = [name for name in term if name in prepared.levels]
        for name in term:
            if factors and name in prepared.sheet and name not in factors:
                values = np.unique(prepared.sheet[name].to_numpy(dtype=np.float64))
                k = len(values)
                if 2 <= k < len(prepared.sheet) and np.array_equal(values, np.arange(1, k + 1)):
                    yield name, term, k


def label_warnings(
    terms: Sequence[tuple[str, ...]],
    codes: Mapping[str, IntArray],
    levels: Mapping[str, Sequence[str]],
    nesting: Nesting,
) -> list[str]:
    """Return warnings about labels of individuals that seem to be reused in other groups.

    If a factor with the levels 1, 2, ..., k is crossed with two or more other factors, its main effect gives
    individuals with the same number in different groups one coefficient.
    """
    messages = []
    numbered = [name for name in codes if is_numbering(levels[name]) and len(levels[name]) > 2]
    for name in numbered:
        if (name,) not in terms or MEANT_NAME.fullmatch(name):
            continue
        crossed = [other for other in codes if other != name and relation(codes[name], codes[other]) == "crossed"]
        if len(crossed) >= 2 and name not in nesting.data:
            messages.append(
                f"the levels of '{name}' are the numbers 1 to {len(levels[name])} and each occurs in several levels of "
                f"{listing(crossed)}. If '{name}' numbers individuals within each group, number 1 of one group and "
                f"number 1 of another share a coefficient: write '{crossed[0]}:{name}' in place of '{name}', or "
                "give each individual a unique label."
            )
    return messages


@checked_arguments
def renest(samples: pd.DataFrame, factor: str, within: str | Sequence[str]) -> pd.Series[Any]:
    """Return the levels of a nested factor, renumbered within each level of the factors above it.

    Queries do not need such numbers; they are for export to programs that do.

    Parameters
    ----------
    samples
        The sample sheet.
    factor
        The nested factor, such as 'family'.
    within
        The factor or factors in which it is nested.

    Returns
    -------
    pandas.Series
        '1', '2', ... for each sample, as text, in order of appearance.

    Raises
    ------
    SamplesError
        A column is missing or has missing values, or a level occurs in several of the groups.

    Notes
    -----
    R counterpart: the column ``ind.n`` of the vignette of DESeq2.
    """
    outer = names_given("within", within)
    if not outer:
        raise SamplesError("within is empty; give the factor, or the factors, above it.")
    for name in (factor, *outer):
        if name not in samples:
            known = [str(column) for column in samples.columns]
            raise SamplesError(f"'{name}' is not a column of the sample sheet.{suggestion(name, known)}")
        if samples[name].isna().any():
            raise SamplesError(f"'{name}' has missing values, so its levels cannot be numbered.")
    groups = zip(*(samples[name].map(level_text) for name in outer), strict=True)
    numbers: dict[tuple[str, ...], dict[str, int]] = {}
    home: dict[str, tuple[str, ...]] = {}
    labels = []
    for group, level in zip(groups, samples[factor].map(level_text), strict=True):
        if home.setdefault(level, group) != group:
            raise SamplesError(
                f"'{factor}' is not nested in {listing(outer)}: '{level}' occurs in {listing([home[level], group])}."
            )
        here = numbers.setdefault(group, {})
        labels.append(str(here.setdefault(level, len(here) + 1)))
    return pd.Series(labels, index=samples.index, name=factor)
