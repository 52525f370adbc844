"""The design of an analysis: a model matrix with names, from a formula or from a matrix, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import as_float
from countnest.design.aliasing import aliasing_notes, find_aliasing
from countnest.design.collinear import collinearity_warnings
from countnest.design.design import Coding, Design, encode
from countnest.design.encoding import Block, CodedMatrix, Coder, r_blocks
from countnest.design.formula import LearntExpression, ParsedFormula, full_rank_terms, learn_expression, parse_formula
from countnest.design.individuals import label_warnings, refuse_numeric_labels, unneeded_notes
from countnest.design.levels.options import by_factor, checked_orders, require_names
from countnest.design.matrix import read_matrix
from countnest.design.names import refuse_duplicates
from countnest.design.nesting import Nesting, find_nesting
from countnest.design.rank import check_rank, find_dependence, zero_columns
from countnest.design.samples import PreparedSamples, number_warnings, prepare_samples
from countnest.errors import DesignError, listing, warn

__all__ = [
    "Coding",
    "build_design",
    "choose_coding",
    "code_formula",
    "encode",
]


def build_design(
    design: str | pd.DataFrame | npt.ArrayLike,
    sheet: pd.DataFrame,
    *,
    reference: Mapping[str, str] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
    numeric_ok: Collection[str] = (),
    blocks: Collection[str] | None = None,
    same_as: str | None = None,
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
    levels
        All levels of factors in their order, such as ``{"minute": ["0", "5", "15"]}``; by default that of the numbers
        that the levels carry, of categories, or of text. A number whose levels are named is a factor.
    numeric_ok
        Numeric variables with the values 1, 2, ..., k that are measurements, though they look like labels.
    blocks
        Factors whose levels are blocks, such as families, within which questions are answered. By default those that
        are nested in others, by the samples or as a numbering such as ``ind`` in ``treat1:ind``.
    same_as
        A formula of the same model, for a design whose columns were made by hand: it tells what they mean, so that
        questions about cells can be answered in its coefficients.

    Returns
    -------
    Design
        Columns, names, levels and nesting.

    Raises
    ------
    FormulaError
        The formula does not parse or names what the sheet lacks.
    SamplesError
        A variable has missing values, or levels that cannot be told apart.
    ConfoundedDesignError
        Effects cannot be separated; columns that are dependent because factors are nested are dropped instead.
    RankError
        The columns of a given matrix are linearly dependent.
    NumericIdError
        A numeric variable in an interaction with a factor looks like a label.
    DesignError
        Anything else that is wrong with the design.

    Warns
    -----
    CountnestWarning
        An unexpected reference level, levels that may be slips, integers that may be labels, large numbers; columns
        that are nearly collinear; variables with one value in all samples, whose terms are left out: such a design
        cannot be fitted.

    Notes
    -----
    R counterpart: the design argument of DESeq2::DESeqDataSet, and stats::model.matrix.
    """
    reference, levels = by_factor("reference", reference), checked_orders(levels)
    require_names("numeric_ok", numeric_ok)
    if blocks is not None and not isinstance(blocks, str):
        require_names("blocks", blocks)
    if same_as is not None:
        meant = _design_of_formula(same_as, sheet, reference, levels, numeric_ok, blocks)
        used = {*meant.variables, *meant.constant}
        refs = {name: level for name, level in reference.items() if name not in used}
        orders = {name: order for name, order in levels.items() if name not in used}
        own = build_design(design, sheet, reference=refs, levels=orders, numeric_ok=numeric_ok)
        return _with_meaning(own, meant)
    if isinstance(design, str):
        return _design_of_formula(design, sheet, reference, levels, numeric_ok, blocks)
    for option, given in (("reference", reference), ("levels", levels)):
        if given:
            _warn([f"{option} is ignored: a model matrix was given, which fixes the reference levels."])
    return _design_of_matrix(read_matrix(design, sheet), sheet)


def _with_meaning(design: Design, meant: Design) -> Design:
    """Return a design with the cells of another one of the same column space."""
    ranks = [find_dependence(np.hstack(each)).rank for each in ((meant.matrix,), (design.matrix, meant.matrix))]
    if not design.matrix.shape[1] == ranks[0] == ranks[1]:
        raise DesignError(
            f"same_as='{meant.formula}' is another model: the design has {design.matrix.shape[1]} dimensions, the "
            f"formula {ranks[0]}, and both together {ranks[1]}."
        )
    return replace(
        design,
        variables=meant.variables,
        levels=meant.levels,
        sheet=meant.sheet,
        notes=(*design.notes, f"The columns are understood as another coding of '{meant.formula}'."),
        full=meant.full,
        kept=(),
        coder=meant.coder,
        nesting=meant.nesting,
        orders=meant.orders,
        constant=meant.constant,
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
    rows = _rows(parsed, prepared, sheet)
    r, full_rank = (coder.code(rows) for coder in _coders(parsed, prepared, _learn(parsed, sheet)))
    return r, full_rank


def _design_of_formula(
    text: str,
    sheet: pd.DataFrame,
    reference: Mapping[str, str] | None,
    levels: Mapping[str, Sequence[Any]] | None,
    numeric_ok: Collection[str],
    blocks: Collection[str] | None,
) -> Design:
    parsed = parse_formula(text, sheet.columns)
    prepared = prepare_samples(
        sheet,
        parsed.variables,
        categorical=parsed.categorical,
        computed=parsed.computed,
        reference=reference,
        orders=levels,
    )
    if prepared.constant:
        parsed, prepared = _without_constants(parsed, prepared)
    refuse_numeric_labels(parsed.terms, prepared, numeric_ok)
    codes = {name: prepared.codes(name) for name in prepared.levels}
    nesting = find_nesting(codes, parsed.terms, prepared.levels, _known_blocks(blocks, prepared))
    _warn((*prepared.warnings, *label_warnings(parsed.terms, codes, prepared.levels, nesting)))
    expressions = _learn(parsed, sheet)
    _warn([message for learnt in expressions.values() for message in _large_numbers(learnt)])
    coders = _coders(parsed, prepared, expressions)
    rows = _rows(parsed, prepared, sheet)
    full, coding, notes = choose_coding(coders[0].code(rows), coders[1].code(rows))
    coder = coders[0] if coding == "r" else coders[1]
    aliasing = find_aliasing(full, coder, nesting, rows)
    if not aliasing.kept:
        raise DesignError(f"the design '{parsed.text}' has no columns; write '~ 1' for a design without variables.")
    coded = full.take(aliasing.places)
    refuse_duplicates(coded.names)
    refuse_duplicates(coded.columns)
    _warn(collinearity_warnings(coded.matrix, coded.columns))
    return Design(
        matrix=as_float(coded.matrix),
        names=coded.names,
        columns=coded.columns,
        formula=parsed.text,
        variables=parsed.variables,
        levels=prepared.levels,
        intercept=parsed.intercept,
        sheet=prepared.sheet,
        dropped=aliasing.dropped(full.columns),
        terms=coded.terms,
        coding=coding,
        notes=(
            *prepared.notes,
            *unneeded_notes(parsed.terms, prepared, numeric_ok),
            *notes,
            *aliasing_notes(full, aliasing, nesting, prepared.levels),
        ),
        full=full,
        kept=aliasing.kept,
        coder=coder,
        nesting=nesting,
        orders=prepared.orders,
        constant=prepared.constant,
    )


def _design_of_matrix(full: CodedMatrix, sheet: pd.DataFrame) -> Design:
    """Return the design of a given model matrix, all-zero columns dropped."""
    kept = np.flatnonzero(~zero_columns(full.matrix))
    coded = full.take(kept)
    dropped = tuple(name for name in full.columns if name not in coded.columns)
    if not coded.columns:
        raise DesignError("the model matrix has no column that is not zero.")
    refuse_duplicates(coded.names)
    check_rank(coded.matrix, coded.columns)
    notes = (f"Columns that are zero in all samples were dropped: {listing(dropped)}.",) if dropped else ()
    _warn(collinearity_warnings(coded.matrix, coded.columns))
    return Design(
        matrix=as_float(coded.matrix),
        names=coded.names,
        columns=coded.columns,
        formula=None,
        variables=(),
        levels={},
        intercept=() in coded.terms,
        sheet=sheet.copy(),
        dropped=dropped,
        terms=coded.terms,
        coding="matrix",
        notes=notes,
        full=full,
        kept=tuple(int(place) for place in kept),
        coder=None,
        nesting=Nesting(),
    )


def _without_constants(parsed: ParsedFormula, prepared: PreparedSamples) -> tuple[ParsedFormula, PreparedSamples]:
    """Return the formula without the variables that have one value in all samples, and a warning about them."""
    constant = prepared.constant
    problem = " ".join(constant.values())
    terms = tuple(term for term in parsed.terms if not constant.keys() & set(term))
    if not terms and not parsed.intercept:
        raise DesignError(problem)
    expressions = [parsed.expressions[name] for term in terms for name in term if name in parsed.expressions]
    computed = {column for expression in expressions for column in expression.columns.values()}
    kept = tuple(name for name in parsed.variables if name not in constant or name in computed)
    warning = f"{problem} The data set can be transformed, such as by vst(like=...), but no model can be fitted."
    return replace(parsed, terms=terms, variables=kept), replace(
        prepared,
        levels={name: levels for name, levels in prepared.levels.items() if name not in constant},
        orders={name: order for name, order in prepared.orders.items() if name not in constant},
        warnings=(*prepared.warnings, warning),
    )


def _warn(messages: Collection[str]) -> None:
    for message in messages:
        warn(message)


def _known_blocks(blocks: Collection[str] | None, prepared: PreparedSamples) -> Collection[str] | None:
    """Return the blocks, refusing those that are not factors of the design."""
    unknown = [name for name in blocks or () if name not in prepared.levels and name not in prepared.constant]
    if isinstance(blocks, str) or unknown:
        wrong = [blocks] if isinstance(blocks, str) else unknown
        raise DesignError(
            f"blocks={blocks!r}: {listing(wrong)} should be a list of factors of the design, which are "
            f"{listing(prepared.levels, 20)}."
        )
    return blocks if blocks is None else [name for name in blocks if name in prepared.levels]


def _rows(parsed: ParsedFormula, prepared: PreparedSamples, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return the variables of the formula: factors as prepared, everything else as it was given."""
    used = sheet[list(parsed.variables)]
    return used.assign(**{name: prepared.sheet[name] for name in prepared.levels})


def _learn(parsed: ParsedFormula, sheet: pd.DataFrame) -> dict[str, LearntExpression]:
    """Compute the expressions of the terms for the samples."""
    names = dict.fromkeys(name for term in parsed.terms for name in term)
    return {name: learn_expression(parsed.expressions[name], sheet) for name in names if name in parsed.expressions}


def _large_numbers(learnt: LearntExpression) -> list[str]:
    """Return the warnings about large numbers of an expression."""
    columns = zip(learnt.values.T, learnt.suffixes, strict=True)
    return [text for values, suffix in columns for text in number_warnings(values, learnt.expression.name + suffix)]


def _coders(
    parsed: ParsedFormula, prepared: PreparedSamples, expressions: Mapping[str, LearntExpression]
) -> tuple[Coder, Coder]:
    """Return R's coding of a formula, and one that is structurally of full rank."""
    names = tuple(dict.fromkeys(name for term in parsed.terms for name in term))
    codings: list[list[Block]] = [
        r_blocks(parsed.terms, parsed.intercept, set(prepared.levels)),
        full_rank_terms(parsed.terms, parsed.intercept, set(prepared.levels)),
    ]
    r, full_rank = (Coder(blocks, names, prepared.levels, expressions) for blocks in codings)
    return r, full_rank


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
