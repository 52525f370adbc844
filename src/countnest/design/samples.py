"""The sample sheet: factors, their levels and reference levels, and checks of their values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.design.levels.controls import control_levels
from countnest.design.levels.order import LevelOrder, level_order
from countnest.design.levels.text import known_level, level_codes, level_text
from countnest.design.levels.typos import refuse_same_looking, seen, typo_warnings
from countnest.design.levels.values import number_objects, refuse_objects
from countnest.design.names import written_levels
from countnest.errors import DesignError, SamplesError, counted, listing, suggestion
from countnest.remedies import advised, as_factor, reference_level

__all__ = ["PreparedSamples", "checked_column", "collation_key", "number_warnings", "prepare_samples", "samples_of"]

# A larger mean or standard deviation makes coefficients hard to fit; DESeq2 uses the same number.
LARGE_NUMBER = 5.0

# An integer variable with at most this many values is more often a label than a measurement.
FEW_VALUES = 6


@dataclass(frozen=True, slots=True)
class PreparedSamples:
    """A sample sheet whose factors are categoricals, with notes and warnings.

    Attributes
    ----------
    sheet
        Copy of the sample sheet; factors are categoricals without empty levels, ordered if the order of the levels is
        known, otherwise with the reference level first.
    levels
        Levels of each requested factor; the first is the reference.
    orders
        The order of the levels of each of these factors; if it is known, it does not depend on the reference.
    constant
        Variables with one value in all samples, with the problem in a sentence.
    notes
        Notes on what was done.
    warnings
        Warnings for the user.
    """

    sheet: pd.DataFrame
    levels: dict[str, tuple[str, ...]]
    orders: dict[str, LevelOrder] = field(default_factory=dict)
    constant: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def codes(self, factor: str) -> IntArray:
        """Return the level of each sample, shape (n,), as a position in `levels`."""
        return level_codes(self.sheet[factor], self.levels[factor])

    def of(self, variables: Collection[str]) -> PreparedSamples:
        """Return the samples as they are without the other variables; notes and warnings stay."""
        return replace(
            self,
            levels={name: own for name, own in self.levels.items() if name in variables},
            orders={name: own for name, own in self.orders.items() if name in variables},
            constant={name: own for name, own in self.constant.items() if name in variables},
        )


@dataclass(slots=True)
class _Log:
    """Notes and warnings collected while columns are checked."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    constant: dict[str, str] = field(default_factory=dict)


def prepare_samples(
    sheet: pd.DataFrame,
    variables: Sequence[str],
    *,
    categorical: Collection[str] = (),
    computed: Collection[str] = (),
    reference: Mapping[str, Any] | None = None,
    orders: Mapping[str, Sequence[Any]] | None = None,
) -> PreparedSamples:
    """Check the variables of a design and make those that are not numbers factors.

    Text, object, bool and categorical columns become factors. Their levels have the given order, that of the numbers in
    them, that of a categorical column, or code point order (bool as FALSE, TRUE); see `levels.order.level_order`. The
    first is the reference level, unless another one is given.

    Parameters
    ----------
    sheet
        The sample sheet, one row for each sample, labels in the index.
    variables
        Columns that the design uses.
    categorical
        Those of `variables` that are factors even if they contain numbers.
    computed
        Those of `variables` that occur only in function calls: checked for missing values and left unchanged.
    reference
        Reference level of each factor, such as ``{"dex": "untrt"}``.
    orders
        All levels of a factor in their order, such as ``{"minute": ["0", "5", "15"]}``; a number whose levels are given
        becomes a factor.

    Returns
    -------
    PreparedSamples
        The copy of the sheet, the levels, notes and warnings.

    Raises
    ------
    SamplesError
        Missing or infinite values, dates, levels without a visible difference or that differ only in case, an unknown
        reference level, an order that lacks levels.

    Notes
    -----
    R counterpart: the checks of DESeq2::DESeqDataSet, base::factor, stats::relevel.
    """
    if not sheet.index.is_unique:
        doubled = sheet.index[sheet.index.duplicated()].unique()
        raise SamplesError(f"the sample sheet has duplicate labels: {listing(doubled)}. Give each sample one row.")
    wanted, named = dict(reference or {}), dict(orders or {})
    log = _Log()
    _check_names(sheet, variables, {"reference": wanted, "levels": named}, log)
    prepared = sheet.copy()
    levels: dict[str, tuple[str, ...]] = {}
    found: dict[str, LevelOrder] = {}
    for variable in variables:
        column = checked_column(sheet, variable)
        given = next((option for option, of in {"reference": wanted, "levels": named}.items() if variable in of), None)
        if variable in computed:
            _check_computed(column, variable, given)
        elif _is_number(column) and variable not in (*categorical, *named):
            _check_number(column, variable, variable in wanted, log)
        else:
            if variable not in (*categorical, *named):
                log.warnings += number_objects(column, variable)
            order = _order(column, variable, named.get(variable), log)
            levels[variable] = _levels(order, column, variable, wanted, log)
            found[variable] = order if order.is_known else replace(order, levels=levels[variable])
            prepared[variable] = _factor(column, found[variable])
            _check_levels(levels[variable], variable, len(variables) == 1, log)
    return PreparedSamples(prepared, levels, found, log.constant, tuple(log.notes), tuple(log.warnings))


def collation_key(text: str) -> tuple[str, str, tuple[bool, ...], str]:
    """Return a key that sorts like the en_US locale: punctuation ignored, digits, then a < B < c, then aa < aA.

    Python sorts by code point (B before a), R by the locale of the session. The key is an approximation, good enough
    to detect that the two disagree about the first level.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if c.isalnum())
    accented = "".join(c for c in text if c.isalnum())
    return plain.casefold(), accented.casefold(), tuple(c.isupper() for c in accented), text


def number_warnings(values: FloatArray, name: str) -> list[str]:
    """Return a warning if the values (n,) of a numeric variable are large; raise `DesignError` if all are equal."""
    if np.ptp(values) == 0:
        raise DesignError(_constant_number(values, name))
    size = np.abs(values).max()  # the squares of the largest numbers overflow
    scaled = values / size
    if max(abs(scaled.mean()), scaled.std(ddof=1)) <= LARGE_NUMBER / size:
        return []
    return [
        f"the numeric variable '{name}' has a mean or standard deviation larger than {LARGE_NUMBER:g}. Its fold change "
        f"is per unit and may be very small; its p-values do not depend on the unit. 'scale({name})' in the formula "
        "gives the fold change per standard deviation."
    ]


def _constant_number(values: FloatArray, name: str) -> str:
    return (
        f"the numeric variable '{name}' is {values[0]:g} in all samples, so it explains no difference; leave it out of "
        "the design."
    )


def checked_column(sheet: pd.DataFrame, variable: str) -> pd.Series[Any]:
    """Return the column of a variable; raise `SamplesError` for a name that occurs twice and for missing values."""
    column = sheet[variable]
    if isinstance(column, pd.DataFrame):
        raise SamplesError(f"the sample sheet has {column.shape[1]} columns named '{variable}'; rename all but one.")
    refuse_objects(column, variable)
    _refuse_missing(column, variable)
    return column


def _check_names(
    sheet: pd.DataFrame, variables: Sequence[str], given: Mapping[str, Mapping[str, Any]], log: _Log
) -> None:
    """Raise `SamplesError` for options of unknown columns; warn about those that the design does not use."""
    columns = [str(column) for column in sheet.columns]
    for name, variable in ((name, variable) for name, names in given.items() for variable in names):
        option = advised(name, f"--{name}")
        if variable not in columns:
            raise SamplesError(
                f"{option} names '{variable}', which is not a column of the sample sheet."
                f"{suggestion(variable, columns)} The columns are {listing(columns, 20)}."
            )
        if variable not in variables:
            log.warnings.append(f"{option} for '{variable}' is ignored: the design does not use this variable.")


def _is_number(column: pd.Series[Any]) -> bool:
    """Tell whether a column is numeric; raise `SamplesError` for dates and complex numbers."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mMc":
        raise SamplesError(
            f"the variable '{column.name}' has values of type {column.dtype}, which a design cannot use; convert it "
            "to text (a factor) or to numbers first."
        )
    return kind in "iuf"


def _refuse_missing(column: pd.Series[Any], variable: str) -> None:
    """Raise `SamplesError` if a value is missing or blank."""
    missing: BoolArray = column.isna().to_numpy(dtype=bool)
    if not _is_number(column):
        missing = missing | np.array([isinstance(value, str) and not seen(value) for value in column], dtype=bool)
    if missing.any():
        labels = column.index[missing]
        raise SamplesError(
            f"variables in the design formula cannot have NA values: '{variable}' has no value in {len(labels)} of "
            f"{counted(len(column), 'sample')} ({listing(labels)}). Fill them in or leave these samples out. "
            + advised(
                "If the file holds words such as None or NA: pandas reads them as missing, cn.read_samples keeps them.",
                "Cells that are empty are missing.",
            )
        )


def _check_computed(column: pd.Series[Any], variable: str, given: str | None) -> None:
    """Check a variable that the formula uses only in function calls; `given` is an option for factors that names it."""
    if given:
        raise SamplesError(f"{given} for '{variable}': the formula uses it inside a function call, not as a factor.")
    if _is_number(column):
        _refuse_infinite(column.to_numpy(dtype=np.float64), column, variable)
    else:
        refuse_same_looking(samples_of(column), variable)


def _check_number(column: pd.Series[Any], variable: str, referenced: bool, log: _Log) -> None:
    """Check a numeric variable and log warnings about it."""
    values = column.to_numpy(dtype=np.float64)
    if referenced:
        raise SamplesError(
            f"reference for '{variable}': it is numeric, not a factor. If it is a label, use "
            f"{as_factor(variable, _written(values))}, or write 'C({variable})' in the formula."
        )
    _refuse_infinite(values, column, variable)
    if np.ptp(values) == 0:
        log.constant[variable] = _constant_number(values, variable)
        return
    distinct = len(np.unique(values))
    if np.all(values == np.round(values)) and (distinct <= FEW_VALUES or distinct <= len(values) / 2):
        log.warnings.append(
            f"the numeric variable '{variable}' has {distinct} different integer values: the model has one slope for "
            "it, not one coefficient for each value. Did you mean for this to be a factor? Then write "
            f"{as_factor(variable, _written(values))}, or 'C({variable})' in the formula."
        )
    else:  # at most one warning for each variable
        log.warnings += number_warnings(values, variable)


def _written(values: FloatArray) -> list[str]:
    """Return the different values in order, as written in levels."""
    return [level_text(value) for value in np.unique(values).tolist()]


def _refuse_infinite(values: FloatArray, column: pd.Series[Any], variable: str) -> None:
    """Raise `SamplesError` if a value is infinite."""
    infinite = ~np.isfinite(values)
    if infinite.any():
        labels = column.index[infinite]
        raise SamplesError(
            f"the numeric variable '{variable}' is infinite in {counted(len(labels), 'sample')}: {listing(labels)}."
        )


def samples_of(column: pd.Series[Any]) -> dict[str, list[object]]:
    """Return the samples of each level, in order of appearance."""
    samples: dict[str, list[object]] = {}
    for label, value in zip(column.index, column, strict=True):
        samples.setdefault(level_text(value), []).append(label)
    return samples


def _order(column: pd.Series[Any], variable: str, named: Sequence[Any] | None, log: _Log) -> LevelOrder:
    """Return the order of the levels, after checking them for misspellings."""
    samples = samples_of(column)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        refuse_same_looking(samples, variable, [level_text(value) for value in named or ()])
        log.warnings += typo_warnings(samples, variable)
    order = level_order(column.rename(variable), named)
    if order.dropped:
        log.notes.append(f"Levels of '{variable}' without samples were dropped: {listing(order.dropped)}.")
    return order


def _levels(
    order: LevelOrder, column: pd.Series[Any], variable: str, wanted: Mapping[str, Any], log: _Log
) -> tuple[str, ...]:
    """Return the levels, the reference first."""
    if variable in wanted:
        return _reference_first(order.levels, known_level(wanted[variable], order.levels), variable)
    levels = _reference_first(order.levels, order.reference, variable)
    if order.source != "named":
        log.warnings += _reference_warnings(levels, order, column, variable)
    return levels


def _factor(column: pd.Series[Any], order: LevelOrder) -> pd.Series[Any]:
    """Return the column as a categorical of text, without empty levels."""
    factor = pd.Categorical(
        [level_text(value) for value in column], categories=list(order.levels), ordered=order.is_known
    )
    return pd.Series(factor, index=column.index, name=column.name)


def _reference_first(levels: Sequence[str], reference: str, variable: str) -> tuple[str, ...]:
    """Move the reference level to the front."""
    if reference not in levels:
        raise SamplesError(
            f"{reference_level(variable, reference)}: no sample has this level.{suggestion(reference, levels)} "
            f"The levels of '{variable}' are {listing(levels, 20)}."
        )
    return (reference, *(level for level in levels if level != reference))


def _reference_warnings(levels: Sequence[str], order: LevelOrder, column: pd.Series[Any], variable: str) -> list[str]:
    """Return a warning about an unexpected reference level, if it is."""
    first = levels[0]
    controls = control_levels(levels)
    if controls and first not in controls:
        return [
            f"'{variable}' has a level, '{controls[0]}', which is not the reference level; fold changes of "
            f"'{variable}' are relative to '{first}'. Set {reference_level(variable, controls[0])} to compare with "
            f"'{controls[0]}', or {reference_level(variable, first)} to keep '{first}'."
        ]
    in_text = min(levels)
    if order.moved and in_text != first:
        return [
            f"the categories of '{variable}' are in text order, as sorted by pandas, and are reordered by their "
            f"numbers: the reference level is '{first}', not '{in_text}'. Set it explicitly: "
            f"{reference_level(variable, first)} or {reference_level(variable, in_text)}."
        ]
    in_r = min(levels, key=collation_key)
    if order.source == "text" and not pd.api.types.is_bool_dtype(column.dtype) and in_r != first:
        return [
            f"the reference level of '{variable}' is '{first}' (levels are sorted by code point), where R would use "
            f"'{in_r}' (sorted by the locale). Set it explicitly: "
            f"{reference_level(variable, in_r)} or {reference_level(variable, first)}."
        ]
    return []


def _check_levels(levels: Sequence[str], variable: str, alone: bool, log: _Log) -> None:
    """Log levels that are written differently in names of coefficients, and a factor with one level."""
    if len(levels) == 1:
        advice = "use the design '~ 1'" if alone else "leave it out of the design"
        log.constant[variable] = (
            f"the factor '{variable}' has one level only, '{levels[0]}', so it explains no difference; {advice}."
        )
    if any(not re.fullmatch(r"[A-Za-z0-9_.]+", level) for level in levels):
        log.notes.append(
            f"Characters other than letters, digits, '_' and '.' in levels of '{variable}' become '.' in the names of "
            "coefficients."
        )
    written = written_levels(variable, levels)
    changed = [f"'{level}' as '{text}'" for level, text in zip(levels, written, strict=True) if level != text]
    if changed:
        log.notes.append(
            f"Levels of '{variable}' that would have the same name are written differently in the names of the "
            f"coefficients: {', '.join(changed)}."
        )
