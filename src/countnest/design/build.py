"""The design of an analysis, built from a formula or a model matrix and checked."""

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
from countnest.design.design import Coding, Design
from countnest.design.encoding import CodedMatrix, Coder, r_blocks
from countnest.design.formula import LearntExpression, full_rank_terms, learn_expression, parse_formula
from countnest.design.individuals import label_warnings, refuse_numeric_labels, unneeded_notes
from countnest.design.levels.options import by_factor, checked_orders, require_names
from countnest.design.matrix import read_matrix
from countnest.design.names import refuse_duplicates
from countnest.design.nesting import Nesting, find_nesting
from countnest.design.parsed import ParsedFormula
from countnest.design.random.build import build_random, random_notes, used_variables
from countnest.design.random.checks import refuse_confounded
from countnest.design.random.groups import grouping_factor
from countnest.design.random.term import RandomTerm
from countnest.design.rank import check_rank, find_dependence, zero_columns
from countnest.design.samples import PreparedSamples, number_warnings, prepare_samples
from countnest.errors import DesignError, listing, warn
from countnest.remedies import advised

__all__ = ["build_design", "choose_coding", "formula_coders"]


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
    """Return the design of a formula or a model matrix.

    Parameters
    ----------
    design
        A formula such as ``"~ batch + dex"``, which may have random terms, ``"~ dex + (1 | cell)"``; or a model matrix
        of shape (n, p): a data frame whose rows are matched to the samples by label (by position if it has no labels),
        or an array, rows in the order of the samples.
    sheet
        The sample sheet, n rows, labels in the index.
    reference
        Reference level of each factor, such as ``{"dex": "untrt"}``; by default the first level.
    levels
        All levels of factors in their order, such as ``{"minute": ["0", "5", "15"]}``; by default the order of the
        numbers in the levels, of categories, or of text. A number whose levels are given becomes a factor.
    numeric_ok
        Numeric variables with the values 1, 2, ..., k that are measurements, although they look like labels.
    blocks
        Factors whose levels are blocks, such as families, within which effects are compared. By default those nested
        in others, by the samples or as a numbering such as ``ind`` in ``treat1:ind``.
    same_as
        A formula of the same model, for a design whose columns were made by hand: it gives them a meaning, so that
        cells can be compared in terms of its coefficients.

    Returns
    -------
    Design
        Columns, names, levels and nesting.

    Raises
    ------
    FormulaError
        The formula cannot be parsed, or uses a column that the sheet lacks.
    SamplesError
        A variable has missing values, or levels that cannot be distinguished.
    ConfoundedDesignError
        Effects cannot be separated. Columns that are dependent because factors are nested are dropped instead.
    RankError
        The columns of a given matrix are linearly dependent.
    NumericIdError
        A numeric variable in an interaction with a factor looks like a label.
    DesignError
        Anything else that is wrong with the design.

    Warns
    -----
    CountnestWarning
        An unexpected reference level, levels that may be misspelt, integers that may be labels, large numbers, nearly
        collinear columns; variables with one value in all samples, whose terms are left out, so that the design cannot
        be fitted.

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
            warn(f"{option} is ignored: a model matrix was given, which fixes the reference levels.")
    return _design_of_matrix(read_matrix(design, sheet), sheet)


def _with_meaning(design: Design, meant: Design) -> Design:
    """Return a design with the cells of another design of the same column space."""
    ranks = [find_dependence(np.hstack(each)).rank for each in ((meant.matrix,), (design.matrix, meant.matrix))]
    if not design.matrix.shape[1] == ranks[0] == ranks[1]:
        raise DesignError(
            f"same_as='{meant.formula}' is a different model: the design has {design.matrix.shape[1]} dimensions, the "
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
        random=design.random or meant.random,
    )


def _design_of_formula(
    text: str,
    sheet: pd.DataFrame,
    reference: Mapping[str, str] | None,
    levels: Mapping[str, Sequence[Any]] | None,
    numeric_ok: Collection[str],
    blocks: Collection[str] | None,
) -> Design:
    parsed = parse_formula(text, sheet.columns)
    used = used_variables(parsed)
    every = prepare_samples(
        sheet, used.variables, categorical=used.categorical, computed=used.computed, reference=reference, orders=levels
    )
    random, random_told = _random_terms(parsed, every, sheet)
    prepared = every.of(parsed.variables)
    if prepared.constant:
        parsed, prepared = _without_constants(parsed, prepared)
    refuse_numeric_labels(parsed.terms, prepared, numeric_ok)
    codes = {name: prepared.codes(name) for name in prepared.levels}
    nesting = find_nesting(codes, parsed.terms, prepared.levels, _known_blocks(blocks, prepared, random))
    _warn((*prepared.warnings, *label_warnings(parsed.terms, codes, prepared.levels, nesting)))
    (r, full_rank), rows = formula_coders(parsed, prepared, sheet)
    _warn([message for learnt in r.expressions.values() for message in _large_numbers(learnt)])
    full, coding, notes = choose_coding(r.code(rows), full_rank.code(rows))
    coder = r if coding == "r" else full_rank
    aliasing = find_aliasing(full, coder, nesting, rows)
    if not aliasing.kept:
        which = "fixed part of the design" if random else "design"
        raise DesignError(f"the {which} '{parsed.text}' has no columns; write '~ 1' for a design without variables.")
    unneeded = unneeded_notes(parsed.terms, prepared, numeric_ok)
    aliased = aliasing_notes(full, aliasing, nesting, prepared.levels)
    design = _design(
        full,
        aliasing.kept,
        formula=parsed.text,
        variables=parsed.variables,
        levels=prepared.levels,
        intercept=parsed.intercept,
        sheet=prepared.sheet,
        coding=coding,
        notes=(*prepared.notes, *unneeded, *notes, *aliased, *random_told),
        coder=coder,
        nesting=nesting,
        orders=prepared.orders,
        constant=prepared.constant,
        random=random,
        fixed_formula=parsed.fixed,
    )
    refuse_confounded(design)
    return design


def _random_terms(
    parsed: ParsedFormula, prepared: PreparedSamples, sheet: pd.DataFrame
) -> tuple[tuple[RandomTerm, ...], list[str]]:
    """Return the random terms of a formula, and notes on them."""

    def code(left: ParsedFormula) -> CodedMatrix:
        (r, full_rank), rows = formula_coders(left, prepared, sheet)
        return choose_coding(r.code(rows), full_rank.code(rows))[0]

    names = dict.fromkeys(name for term in parsed.random for name in term.factors)
    factors = {name: grouping_factor(sheet, name) for name in names}
    terms = build_random(parsed.random, factors, prepared.constant, code)
    return terms, random_notes(parsed, list(prepared.levels))


def _design_of_matrix(full: CodedMatrix, sheet: pd.DataFrame) -> Design:
    """Return the design of a given model matrix, without its all-zero columns."""
    zero = zero_columns(full.matrix)
    if zero.all():
        raise DesignError("every column of the model matrix is zero.")
    coded, dropped = full.take(~zero), full.take(zero).columns
    refuse_duplicates(coded.names)
    check_rank(coded.matrix, coded.columns)
    return _design(
        full,
        np.flatnonzero(~zero).tolist(),
        formula=None,
        variables=(),
        levels={},
        intercept=() in coded.terms,
        sheet=sheet.copy(),
        coding="matrix",
        notes=(f"Columns that are zero in all samples were dropped: {listing(dropped)}.",) if dropped else (),
        coder=None,
        nesting=Nesting(),
    )


def _design(full: CodedMatrix, kept: Sequence[int], **others: Any) -> Design:  # noqa: ANN401 (the other fields)
    """Return the design with the kept columns, checked."""
    coded = full.take(np.array(kept, dtype=np.int64))
    refuse_duplicates(coded.names)
    refuse_duplicates(coded.columns)
    _warn(collinearity_warnings(coded.matrix, coded.columns))
    return Design(
        matrix=as_float(coded.matrix),
        names=coded.names,
        columns=coded.columns,
        terms=coded.terms,
        dropped=tuple(name for place, name in enumerate(full.columns) if place not in kept),
        full=full,
        kept=tuple(kept),
        **others,
    )


def _without_constants(parsed: ParsedFormula, prepared: PreparedSamples) -> tuple[ParsedFormula, PreparedSamples]:
    """Return the formula without the variables that have one value in all samples, with a warning about them."""
    constant = prepared.constant
    problem = " ".join(constant.values())
    terms = tuple(term for term in parsed.terms if not constant.keys() & set(term))
    if not terms and not parsed.intercept:
        raise DesignError(problem)
    expressions = [parsed.expressions[name] for term in terms for name in term if name in parsed.expressions]
    computed = {column for expression in expressions for column in expression.columns.values()}
    kept = tuple(name for name in parsed.variables if name not in constant or name in computed)
    use = advised(" The data set can be transformed, such as by vst(like=...), but no model can be fitted.", "")
    warning = f"{problem}{use}"
    return replace(parsed, terms=terms, variables=kept), replace(
        prepared,
        levels={name: levels for name, levels in prepared.levels.items() if name not in constant},
        orders={name: order for name, order in prepared.orders.items() if name not in constant},
        warnings=(*prepared.warnings, warning),
    )


def _warn(messages: Collection[str]) -> None:
    for message in messages:
        warn(message)


def _known_blocks(
    blocks: Collection[str] | None, prepared: PreparedSamples, random: Sequence[RandomTerm]
) -> Collection[str] | None:
    """Return the blocks that the design holds fixed; raise `DesignError` if some are not factors of the design.

    The grouping factors of random terms need not be named, and may be.
    """
    grouping = {name for term in random for name in term.factors}
    unknown = [name for name in blocks or () if name not in (*prepared.levels, *prepared.constant, *grouping)]
    if isinstance(blocks, str) or unknown:
        wrong = [blocks] if isinstance(blocks, str) else unknown
        raise DesignError(
            f"blocks={blocks!r}: {listing(wrong)} must be a list of factors of the design, which are "
            f"{listing(prepared.levels, 20)}."
        )
    return blocks if blocks is None else [name for name in blocks if name in prepared.levels]


def formula_coders(
    parsed: ParsedFormula, prepared: PreparedSamples, sheet: pd.DataFrame
) -> tuple[tuple[Coder, Coder], pd.DataFrame]:
    """Return R's coding of a formula, one that is structurally of full rank, and the rows that they encode.

    Parameters
    ----------
    parsed
        The formula.
    prepared
        The checked samples.
    sheet
        The sample sheet as it was given, n rows, from which expressions are computed.
    """
    names = tuple(dict.fromkeys(name for term in parsed.terms for name in term))
    computed = [name for name in names if name in parsed.expressions]
    expressions = {name: learn_expression(parsed.expressions[name], sheet) for name in computed}
    r, full_rank = (
        Coder(blocks(parsed.terms, parsed.intercept, set(prepared.levels)), names, prepared.levels, expressions)
        for blocks in (r_blocks, full_rank_terms)
    )
    rows = sheet[list(parsed.variables)].assign(**{name: prepared.sheet[name] for name in prepared.levels})
    return (r, full_rank), rows


def _large_numbers(learnt: LearntExpression) -> list[str]:
    """Return the warnings about large numbers of an expression."""
    columns = zip(learnt.values.T, learnt.suffixes, strict=True)
    return [text for values, suffix in columns for text in number_warnings(values, learnt.expression.name + suffix)]


def choose_coding(r: CodedMatrix, full_rank: CodedMatrix) -> tuple[CodedMatrix, Coding, list[str]]:
    """Return R's columns, unless they are dependent or too few and the others are not; and notes.

    R's rule takes a factor as spanned by any earlier term that contains it, so that ``~ a:b`` has one column too many
    and ``~ a:x + a:b`` (x a number) lacks columns. The first is an error in R, the second is not.
    """
    of_r, of_other = (find_dependence(coded.matrix[:, ~zero_columns(coded.matrix)]) for coded in (r, full_rank))
    too_few = of_other.rank > of_r.rank
    dependent = bool(of_r.dependent) and not of_other.dependent
    if not (too_few or dependent):
        return r, "r", []
    shown = ", ".join(full_rank.columns[:6]) + (", ..." if len(full_rank.columns) > 6 else "")
    fault = f"spans {of_r.rank} of {of_other.rank} dimensions of the model" if too_few else "is not of full rank"
    note = (
        f"R's coding of this formula {fault}, because the formula omits margins of its interactions; the model is "
        f"coded against reference levels instead, with the coefficients {shown}."
    )
    if not of_r.dependent:
        warn(f"{note} R would fit the smaller model without a message; add the main effects to be explicit.")
    return full_rank, "formulaic", [note]
