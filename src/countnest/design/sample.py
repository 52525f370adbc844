"""The sample sheet: which columns are factors, their levels and reference levels, and what may be wrong with them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.design.name import make_names
from countnest.design.value import refuse_objects
from countnest.errors import DesignError, SamplesError, counted, listing, suggestion

__all__ = ["PreparedSamples", "collation_key", "level_text", "number_warnings", "prepare_samples"]

# Words that name the untreated level in the sample sheets of public studies.
CONTROL_WORDS = frozenset({"none", "ctrl", "ctl", "control", "untreated", "untrt", "vehicle", "mock", "dmso"}).union(
    {"placebo", "sham", "wt", "wildtype", "0"}
)

# A mean or a standard deviation beyond this makes the coefficients hard to fit; DESeq2 uses the same number.
LARGE_NUMBER = 5.0

# An integer variable with at most this many values is more often a label than a measurement.
FEW_VALUES = 6


@dataclass(frozen=True, slots=True)
class PreparedSamples:
    """A sample sheet whose factors are categoricals, and what was noticed on the way.

    Attributes
    ----------
    sheet
        Copy of the sample sheet; factors are unordered categoricals, the reference level first, no empty level.
    levels
        Levels of each factor that was asked for; the first is the reference.
    notes
        What was done, in sentences.
    warnings
        What deserves attention, in sentences.
    """

    sheet: pd.DataFrame
    levels: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def codes(self, factor: str) -> IntArray:
        """Return the level of each sample, shape (n,), as a place in `levels`."""
        codes: IntArray = np.asarray(self.sheet[factor].cat.codes, dtype=np.int64)
        return codes


@dataclass(slots=True)
class _Diary:
    """Notes and warnings, collected while the columns are looked at."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare_samples(
    sheet: pd.DataFrame,
    variables: Sequence[str],
    *,
    categorical: Collection[str] = (),
    computed: Collection[str] = (),
    reference: Mapping[str, Any] | None = None,
) -> PreparedSamples:
    """Check the variables of a design and turn those that are not numbers into factors.

    Text, object, bool and categorical columns become factors. Levels keep the order of a categorical column and are
    otherwise sorted by code point (numbers by value, bool as FALSE, TRUE); the reference level is moved to the front.

    Parameters
    ----------
    sheet
        The sample sheet, one row for each sample, labels in the index.
    variables
        Columns that the design uses.
    categorical
        Those of `variables` that are factors even when they hold numbers.
    computed
        Those of `variables` that occur only inside function calls: checked for missing values and left as they are.
    reference
        Reference level of each factor, such as ``{"dex": "untrt"}``.

    Returns
    -------
    PreparedSamples
        The copy of the sheet, the levels, notes and warnings.

    Raises
    ------
    SamplesError
        Missing or infinite values, an ordered factor, dates, level names that collide, an unknown reference level.
    DesignError
        A variable that has one value only.

    Notes
    -----
    R counterpart: the checks of DESeq2::DESeqDataSet, base::factor, stats::relevel.
    """
    if not sheet.index.is_unique:
        doubled = sheet.index[sheet.index.duplicated()].unique()
        raise SamplesError(f"the sample sheet has duplicate labels: {listing(doubled)}. Give each sample one row.")
    wanted = dict(reference or {})
    diary = _Diary()
    _check_reference_names(sheet, variables, wanted, diary)
    prepared = sheet.copy()
    levels: dict[str, tuple[str, ...]] = {}
    for variable in variables:
        column = _column(sheet, variable)
        refuse_objects(column, variable)
        _refuse_missing(column, variable)
        if variable in computed:
            _check_computed(column, variable, variable in wanted)
        elif _is_number(column) and variable not in categorical:
            _check_number(column, variable, variable in wanted, diary)
        else:
            factor = _factor(column, variable, wanted, diary)
            _check_levels(factor, variable, variables)
            prepared[variable] = factor
            levels[variable] = tuple(factor.cat.categories)
    return PreparedSamples(prepared, levels, tuple(diary.notes), tuple(diary.warnings))


def level_text(value: object) -> str:
    """Return the name of a level as R writes it: ``TRUE`` for True, ``1`` for 1.0, other values as their text."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).upper()
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.15g}"
    return str(value)


def collation_key(text: str) -> tuple[str, str, tuple[bool, ...], str]:
    """Return a key that sorts like the en_US alphabet: punctuation ignored, digits, then a < B < c, then aa < aA.

    Python sorts by code point (B before a), R by the language of the session. The key is an approximation, good
    enough to tell when the two would disagree about the first level.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if c.isalnum())
    accented = "".join(c for c in text if c.isalnum())
    return plain.casefold(), accented.casefold(), tuple(c.isupper() for c in accented), text


def number_warnings(values: FloatArray, name: str) -> list[str]:
    """Return the warnings about a numeric variable of the design: large numbers.

    Parameters
    ----------
    values
        Finite values of one variable, shape (n,).
    name
        The variable, as the formula writes it.

    Raises
    ------
    DesignError
        All values are equal.
    """
    if np.ptp(values) == 0:
        raise DesignError(
            f"the numeric variable '{name}' is {values[0]:g} in all samples, so it explains no difference; "
            "leave it out of the design."
        )
    if max(abs(values.mean()), values.std(ddof=1)) <= LARGE_NUMBER:
        return []
    return [
        f"the numeric variable '{name}' has a mean or standard deviation larger than {LARGE_NUMBER:g}, which makes the "
        f"coefficients hard to estimate and to read; centre and scale it, for example with 'scale({name})' in the "
        "formula."
    ]


def _column(sheet: pd.DataFrame, variable: str) -> pd.Series[Any]:
    """Return the column of a variable, refusing a name that occurs twice."""
    column = sheet[variable]
    if isinstance(column, pd.DataFrame):
        raise SamplesError(f"the sample sheet has {column.shape[1]} columns named '{variable}'; rename all but one.")
    return column


def _check_reference_names(
    sheet: pd.DataFrame, variables: Sequence[str], wanted: Mapping[str, Any], diary: _Diary
) -> None:
    """Refuse references for columns that do not exist; warn about those that the design does not use."""
    columns = [str(column) for column in sheet.columns]
    for variable in wanted:
        if variable not in columns:
            raise SamplesError(
                f"reference names '{variable}', which is not a column of the sample sheet."
                f"{suggestion(variable, columns)} The columns are {listing(columns, 20)}."
            )
        if variable not in variables:
            diary.warnings.append(f"reference for '{variable}' is ignored: the design does not use this variable.")


def _is_number(column: pd.Series[Any]) -> bool:
    """Tell numbers from what becomes a factor; refuse dates and complex numbers."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mMc":
        raise SamplesError(
            f"the variable '{column.name}' has values of type {column.dtype}, which a design cannot use; turn it into "
            "text (a factor) or into a number first."
        )
    return kind in "iuf"


def _refuse_missing(column: pd.Series[Any], variable: str) -> None:
    """Raise `SamplesError` when a value is missing or is blank text."""
    missing: BoolArray = column.isna().to_numpy(dtype=bool)
    if not _is_number(column):
        missing = missing | np.array([isinstance(value, str) and not value.strip() for value in column], dtype=bool)
    if missing.any():
        labels = column.index[missing]
        raise SamplesError(
            f"variables in the design formula cannot have NA values: '{variable}' has no value in {len(labels)} of "
            f"{counted(len(column), 'sample')} ({listing(labels)}). Fill them in or leave these samples out. "
            "If the file holds words such as None or NA: pandas reads them as missing, cn.read_samples keeps them."
        )


def _check_computed(column: pd.Series[Any], variable: str, referenced: bool) -> None:
    """Check a variable that the formula uses only inside function calls."""
    if referenced:
        raise SamplesError(f"reference for '{variable}': the formula uses it inside a function call, not as a factor.")
    if _is_number(column):
        _refuse_infinite(column.to_numpy(dtype=np.float64), column, variable)


def _check_number(column: pd.Series[Any], variable: str, referenced: bool, diary: _Diary) -> None:
    """Check a numeric variable and note the warnings about it."""
    if referenced:
        raise SamplesError(
            f"reference for '{variable}': it is numeric, not a factor. If it is a label, turn it into text: "
            f"samples['{variable}'] = samples['{variable}'].astype(str)."
        )
    values = column.to_numpy(dtype=np.float64)
    _refuse_infinite(values, column, variable)
    diary.warnings += number_warnings(values, variable)
    distinct = len(np.unique(values))
    if np.all(values == np.round(values)) and (distinct <= FEW_VALUES or distinct <= len(values) / 2):
        diary.warnings.append(
            f"the numeric variable '{variable}' has {distinct} different integer values: the model gets one slope for "
            "it, not one coefficient for each value. Did you mean for this to be a factor? Then write "
            f"samples['{variable}'] = samples['{variable}'].astype(str), or 'C({variable})' in the formula."
        )


def _refuse_infinite(values: FloatArray, column: pd.Series[Any], variable: str) -> None:
    """Raise `SamplesError` when a value is infinite."""
    infinite = ~np.isfinite(values)
    if infinite.any():
        labels = column.index[infinite]
        raise SamplesError(
            f"the numeric variable '{variable}' is infinite in {counted(len(labels), 'sample')}: {listing(labels)}."
        )


def _factor(column: pd.Series[Any], variable: str, wanted: Mapping[str, Any], diary: _Diary) -> pd.Series[Any]:
    """Return the column as an unordered categorical with text levels, the reference first and no empty level."""
    levels, used = _levels(column, variable)
    if len(used) < len(levels):
        empty = [level for level in levels if level not in used]
        diary.notes.append(f"Levels of '{variable}' without samples were dropped: {listing(empty)}.")
        levels = [level for level in levels if level in used]
    if variable in wanted:
        levels = _reference_first(levels, level_text(wanted[variable]), variable)
    else:
        diary.warnings += _reference_warnings(levels, variable, by_alphabet=_is_text(column))
    if any(not re.fullmatch(r"[A-Za-z0-9_.]+", level) for level in levels):
        diary.notes.append(f"Characters other than letters, digits, '_' and '.' in levels of '{variable}' become '.'.")
    factor = pd.Categorical([level_text(value) for value in column], categories=levels)
    return pd.Series(factor, index=column.index, name=column.name)


def _levels(column: pd.Series[Any], variable: str) -> tuple[list[str], set[str]]:
    """Return the names of the levels in their order, and the set of those that have samples."""
    used = {level_text(value) for value in column}
    dtype = column.dtype
    if not isinstance(dtype, pd.CategoricalDtype):
        ordered = sorted(set(column)) if _is_number(column) else sorted(used)
        return list(dict.fromkeys(level_text(value) for value in ordered)), used
    if dtype.ordered:
        raise SamplesError(
            f"'{variable}' is an ordered factor; ordered factors are not supported, use .cat.as_unordered(): "
            f"samples['{variable}'] = samples['{variable}'].cat.as_unordered()."
        )
    names = [level_text(value) for value in dtype.categories]
    if len(set(names)) < len(names):
        raise SamplesError(f"the categories of '{variable}' are not different when written as text: {listing(names)}.")
    return names, used


def _is_text(column: pd.Series[Any]) -> bool:
    """Tell whether the levels of a column are sorted by their text."""
    boolean = pd.api.types.is_bool_dtype(column.dtype)
    return not (boolean or _is_number(column) or isinstance(column.dtype, pd.CategoricalDtype))


def _reference_first(levels: list[str], reference: str, variable: str) -> list[str]:
    """Move the reference level to the front."""
    if reference not in levels:
        raise SamplesError(
            f"reference={{'{variable}': '{reference}'}}: no sample has this level.{suggestion(reference, levels)} "
            f"The levels of '{variable}' are {listing(levels, 20)}."
        )
    return [reference, *(level for level in levels if level != reference)]


def _reference_warnings(levels: list[str], variable: str, *, by_alphabet: bool) -> list[str]:
    """Return the warning about a reference level that the user may not expect, if there is one."""
    first = levels[0]
    controls = [level for level in levels if level.lower() in CONTROL_WORDS]
    if controls and first not in controls:
        return [
            f"'{variable}' has a level, '{controls[0]}', which is not the reference level; fold changes of "
            f"'{variable}' are relative to '{first}'. Set reference={{'{variable}': '{controls[0]}'}} to compare with "
            f"'{controls[0]}', or reference={{'{variable}': '{first}'}} to keep '{first}'."
        ]
    in_r = min(levels, key=collation_key)
    if by_alphabet and in_r != first:
        return [
            f"the reference level of '{variable}' is '{first}' (levels are sorted by code point), where R would take "
            f"'{in_r}' (sorted by the alphabet of the language). Say which one you mean: "
            f"reference={{'{variable}': '{in_r}'}} or reference={{'{variable}': '{first}'}}."
        ]
    return []


def _check_levels(factor: pd.Series[Any], variable: str, variables: Sequence[str]) -> None:
    """Refuse a factor with one level, and levels whose names collide as names of R."""
    levels = list(factor.cat.categories)
    if len(levels) == 1:
        advice = "use the design '~ 1'" if len(variables) == 1 else "leave it out of the design"
        raise DesignError(
            f"the factor '{variable}' has one level only, '{levels[0]}', so it explains no difference; {advice}."
        )
    groups: dict[str, list[str]] = defaultdict(list)
    for level in levels:
        groups[make_names(f"{variable}{level}")].append(level)
    for name, colliding in groups.items():
        if len(colliding) > 1:
            raise SamplesError(
                f"levels {listing(colliding)} of '{variable}' would both be written '{name}' in the names of the "
                "coefficients; rename all but one, using letters, digits, '_' and '.' only."
            )
