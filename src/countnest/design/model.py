"""The design of an analysis: a model matrix with names, from a formula or from a matrix, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.design.coding import Block, CodedMatrix, Component, code_columns, factor_component, r_blocks
from countnest.design.formula import ParsedFormula, evaluate_expression, full_rank_terms, parse_formula
from countnest.design.name import duplicates, result_name
from countnest.design.rank import check_rank, find_dependence, zero_columns
from countnest.design.sample import PreparedSamples, number_warnings, prepare_samples
from countnest.errors import DesignError, listing, warn

__all__ = ["Coding", "Design", "build_design", "check_residual_df", "choose_coding", "code_formula"]

Coding = Literal["r", "formulaic", "matrix"]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A model matrix of full column rank and everything that later steps ask about it.

    Attributes
    ----------
    matrix
        Shape (n, p), float64, all-zero columns dropped.
    names
        The p names of the results: 'Intercept', 'dex_trt_vs_untrt', 'genotypeII.conditionB'.
    columns
        The p names of R's model matrix: '(Intercept)', 'dextrt', 'genotypeII:conditionB'.
    formula
        The formula, or None when a matrix was given.
    variables
        Columns of the sample sheet that the formula uses, by first appearance.
    levels
        Levels of each factor; the first is the reference.
    intercept
        Whether there is an intercept.
    sheet
        The prepared sample sheet: the factors of the formula are categoricals.
    dropped
        Names of the all-zero columns that were dropped.
    terms
        For each of the p columns the term of the formula that it belongs to, a tuple of variables and expressions;
        () for the intercept. For a matrix each other column is a term of its own.
    coding
        'r': columns as in R; 'formulaic': columns of full rank where R's rule gives none; 'matrix': a matrix was given.
    notes
        What was done, in sentences for the user.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    columns: tuple[str, ...]
    formula: str | None
    variables: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    intercept: bool
    sheet: pd.DataFrame
    dropped: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]
    coding: Coding
    notes: tuple[str, ...]


def build_design(
    design: str | pd.DataFrame | npt.ArrayLike,
    sheet: pd.DataFrame,
    *,
    reference: Mapping[str, str] | None = None,
) -> Design:
    """Return the design that a formula or a model matrix describes.

    Parameters
    ----------
    design
        A formula such as ``"~ batch + dex"``; or a model matrix of shape (n, p): a data frame whose rows are matched
        to the samples by label (by position if it has no labels), or an array, rows in the order of the samples.
    sheet
        The sample sheet, n rows, labels in the index.
    reference
        Reference level of each factor, such as ``{"dex": "untrt"}``; by default the first level.

    Returns
    -------
    Design
        Columns, names and levels.

    Raises
    ------
    FormulaError
        The formula does not parse or names what the sheet lacks.
    SamplesError
        A variable has missing values or unusable levels.
    RankError
        The columns are linearly dependent.
    DesignError
        Anything else that is wrong with the design.

    Warns
    -----
    CountnestWarning
        An unexpected reference level, integers that may be labels, large numbers.

    Notes
    -----
    R counterpart: the design argument of DESeq2::DESeqDataSet, and stats::model.matrix.
    """
    if isinstance(design, str):
        return _design_of_formula(design, sheet, reference)
    if reference:
        _warn(["reference is ignored: a model matrix was given, which fixes the reference levels."])
    return _design_of_matrix(design, sheet)


def check_residual_df(design: Design) -> None:
    """Raise `DesignError` unless there are more samples than coefficients.

    Notes
    -----
    R counterpart: the check at the start of DESeq2::estimateDispersions.
    """
    n, p = design.matrix.shape
    if n == p:
        raise DesignError(
            f"the design has the same number of samples and coefficients to fit, so estimation of dispersion is not "
            f"possible ({n} samples, {p} coefficients). Replicates are needed, or a design with fewer terms."
        )
    if n < p:
        raise DesignError(
            f"the design has fewer samples ({n}) than coefficients to fit ({p}), so estimation of dispersion is not "
            "possible. Use a design with fewer terms."
        )


def code_formula(
    parsed: ParsedFormula, prepared: PreparedSamples, sheet: pd.DataFrame
) -> tuple[CodedMatrix, CodedMatrix]:
    """Return R's model matrix of a formula, and one that is structurally of full rank.

    Parameters
    ----------
    parsed
        The formula.
    prepared
        The checked samples.
    sheet
        The sample sheet as it was given, n rows; expressions are computed from it.

    Returns
    -------
    r, full_rank : CodedMatrix
        Both with all-zero columns and without regard to their rank.
    """
    components = _components(parsed, prepared, sheet)
    factors = set(prepared.levels)
    codings: list[list[Block]] = [
        r_blocks(parsed.terms, parsed.intercept, factors),
        full_rank_terms(parsed.terms, parsed.intercept, factors),
    ]
    r, full_rank = (code_columns(blocks, components, len(sheet)) for blocks in codings)
    return r, full_rank


def _design_of_formula(text: str, sheet: pd.DataFrame, reference: Mapping[str, str] | None) -> Design:
    parsed = parse_formula(text, sheet.columns)
    prepared = prepare_samples(
        sheet, parsed.variables, categorical=parsed.categorical, computed=parsed.computed, reference=reference
    )
    _warn(prepared.warnings)
    r, full_rank = code_formula(parsed, prepared, sheet)
    coded, coding, notes = choose_coding(r, full_rank)
    zero = zero_columns(coded.matrix)
    dropped, coded = coded.take(zero), coded.take(~zero)
    if not coded.columns:
        raise DesignError(f"the design '{parsed.text}' has no columns; write '~ 1' for a design without variables.")
    codes = {name: (_codes(prepared.sheet[name]), levels) for name, levels in prepared.levels.items()}
    check_rank(coded.matrix, coded.columns, coded.terms, codes)
    _check_names(coded.names)
    _check_names(coded.columns)
    return Design(
        matrix=as_float(coded.matrix),
        names=coded.names,
        columns=coded.columns,
        formula=parsed.text,
        variables=parsed.variables,
        levels=prepared.levels,
        intercept=parsed.intercept,
        sheet=prepared.sheet,
        dropped=dropped.columns,
        terms=coded.terms,
        coding=coding,
        notes=(*prepared.notes, *notes, *_dropped_notes(dropped)),
    )


def _warn(messages: list[str] | tuple[str, ...]) -> None:
    for message in messages:
        warn(message)


def _codes(factor: pd.Series[Any]) -> IntArray:
    codes: IntArray = np.asarray(factor.cat.codes, dtype=np.int64)
    return codes


def _components(parsed: ParsedFormula, prepared: PreparedSamples, sheet: pd.DataFrame) -> dict[str, Component]:
    """Return the factors, numeric variables and expressions of the terms."""
    components = {}
    for name in dict.fromkeys(name for term in parsed.terms for name in term):
        if name in parsed.expressions:
            components[name] = _expression_component(parsed, name, sheet)
        elif name in prepared.levels:
            components[name] = factor_component(name, _codes(prepared.sheet[name]), prepared.levels[name])
        else:
            values = sheet[name].to_numpy(dtype=np.float64)[:, None]
            components[name] = Component(name, values, ("",), categorical=False)
    return components


def _expression_component(parsed: ParsedFormula, name: str, sheet: pd.DataFrame) -> Component:
    """Compute an expression, and warn about large numbers."""
    values, suffixes = evaluate_expression(parsed.expressions[name], sheet)
    for place, suffix in enumerate(suffixes):
        _warn(number_warnings(values[:, place], name + suffix))
    return Component(name, values, suffixes, categorical=False)


def choose_coding(r: CodedMatrix, full_rank: CodedMatrix) -> tuple[CodedMatrix, Coding, list[str]]:
    """Return R's columns, unless they are dependent or too few where the other coding is not; and a note.

    R's rule counts a factor as spanned by any earlier term that contains it, so that ``~ a:b`` has one column too many
    and ``~ a:x + a:b`` (x a number) lacks columns. The first stops R, the second does not.
    """
    of_r, of_other = (find_dependence(coded.matrix[:, ~zero_columns(coded.matrix)]) for coded in (r, full_rank))
    too_few = of_other.rank > of_r.rank
    dependent = bool(of_r.dependent) and not of_other.dependent
    if not (too_few or dependent):
        return r, "r", []
    shown = ", ".join(full_rank.columns[:6]) + (", ..." if len(full_rank.columns) > 6 else "")
    fault = f"spans {of_r.rank} of {of_other.rank} dimensions of the model" if too_few else "is not of full rank"
    note = (
        f"R's coding of this formula {fault}, because the formula leaves out margins of its interactions; the model is "
        f"coded against reference levels instead, with the coefficients {shown}."
    )
    if not of_r.dependent:
        _warn([f"{note} R would fit the smaller model without a message; add the main effects to say what you mean."])
    return full_rank, "formulaic", [note]


def _dropped_notes(dropped: CodedMatrix) -> list[str]:
    """Return a sentence about the all-zero columns."""
    if not dropped.columns:
        return []
    cells = [", ".join(f"{name}={level}" for name, level in cell) for cell in dropped.cells]
    return [
        f"Columns that are zero in all samples were dropped: {listing(dropped.columns)}; no samples with "
        f"{listing(cells)}."
    ]


def _check_names(names: tuple[str, ...]) -> None:
    doubled = duplicates(names)
    if doubled:
        raise DesignError(
            f"several coefficients would have the same name: {listing(doubled)}. Rename the variables or their levels."
        )


def _design_of_matrix(design: object, sheet: pd.DataFrame) -> Design:
    values, columns = _matrix_values(design, sheet)
    zero = zero_columns(values)
    dropped = tuple(name for name, is_zero in zip(columns, zero, strict=True) if is_zero)
    matrix = as_float(values[:, ~zero])
    columns = tuple(name for name, is_zero in zip(columns, zero, strict=True) if not is_zero)
    if not columns:
        raise DesignError("the model matrix has no column that is not zero.")
    names = tuple(result_name(name) for name in columns)
    _check_names(names)
    check_rank(matrix, columns)
    is_intercept = [name == "Intercept" and bool(np.all(matrix[:, i] == 1)) for i, name in enumerate(names)]
    notes = [f"Columns that are zero in all samples were dropped: {listing(dropped)}."] if dropped else []
    return Design(
        matrix=matrix,
        names=names,
        columns=columns,
        formula=None,
        variables=(),
        levels={},
        intercept=any(is_intercept),
        sheet=sheet.copy(),
        dropped=dropped,
        terms=tuple(() if found else (name,) for name, found in zip(columns, is_intercept, strict=True)),
        coding="matrix",
        notes=tuple(notes),
    )


def _matrix_values(design: object, sheet: pd.DataFrame) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the values of a given model matrix, rows in the order of the samples, and its column names."""
    if isinstance(design, pd.DataFrame):
        rows = _matched_rows(design, sheet)
        columns = tuple(str(column) for column in design.columns)
        values = rows.to_numpy()
    else:
        values = np.asarray(design)
        columns = tuple(f"V{i + 1}" for i in range(values.shape[-1] if values.ndim else 0))
    if values.ndim != 2 or values.shape[0] != len(sheet):
        raise DesignError(
            f"the model matrix must have one row for each of the {len(sheet)} samples; it has shape {values.shape}."
        )
    return _finite(values, columns), columns


def _matched_rows(design: pd.DataFrame, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a model matrix in the order of the samples."""
    if isinstance(design.index, pd.RangeIndex):
        return design
    if not design.index.is_unique:
        doubled = design.index[design.index.duplicated()].unique()
        raise DesignError(f"the model matrix has duplicate row labels: {listing(doubled)}.")
    missing, unknown = sheet.index.difference(design.index), design.index.difference(sheet.index)
    if len(missing):
        raise DesignError(f"the model matrix lacks rows for {len(missing)} samples: {listing(missing)}.")
    if len(unknown):
        raise DesignError(
            f"the model matrix has {len(unknown)} rows that are not in the sample sheet: {listing(unknown)}; leave "
            "them out."
        )
    return design.loc[sheet.index]


def _finite(values: npt.NDArray[Any], columns: tuple[str, ...]) -> FloatArray:
    """Return the values as float64; name the columns that are not finite numbers."""
    bad = []
    numbers = np.full(values.shape, np.nan)
    for place, name in enumerate(columns):
        column = values[:, place].tolist()
        if all(isinstance(value, Real) for value in column):
            numbers[:, place] = column
        if not np.isfinite(numbers[:, place]).all():
            bad.append(name)
    if bad:
        raise DesignError(f"the model matrix has values that are not finite numbers, in the columns {listing(bad)}.")
    return as_float(numbers)
