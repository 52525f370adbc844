"""Formulas such as ``~ batch + dex``: parsing, and evaluation by formulaic.

This is the only module that imports formulaic, and it does so only when a formula is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.design.expression import Expression, Variable, read_factor, require_known
from countnest.design.language import shortened
from countnest.design.parsed import ParsedFormula, Term
from countnest.design.random.grammar import split_formula
from countnest.design.random.parsing import parse_bars
from countnest.design.terms import QUOTED, Token, read_terms
from countnest.errors import DesignError, FormulaError, counted, kind_of, listing

__all__ = [
    "LearntExpression",
    "full_rank_terms",
    "learn_expression",
    "parse_formula",
]

# Functions of the language of formulas that formulaic lacks or defines differently.
OWN_FUNCTIONS: Mapping[str, Any] = {
    "abs": np.abs,
    "exp10": lambda x: np.power(10.0, x),
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}


def parse_formula(formula: str, columns: Iterable[object]) -> ParsedFormula:
    """Parse a formula; nothing is evaluated.

    Terms may use ``+ - : * / ^ ( )``, columns of the sample sheet (in backticks unless their name is plain) and the
    functions of `language.FUNCTIONS`, whose arguments may use arithmetic and comparisons. ``C(x)``, ``factor(x)`` and
    ``as.factor(x)`` all use the column `x` as a factor of that name, as if it contained text. Terms such as ``(1 | g)``
    are random.

    Parameters
    ----------
    formula
        The right-hand side, with or without '~'.
    columns
        Names of the columns of the sample sheet.

    Returns
    -------
    ParsedFormula
        Intercept, terms in R's order, variables and expressions; random terms.

    Raises
    ------
    FormulaError
        The formula cannot be parsed, has a left-hand side, uses an unknown variable or function, or has anything else
        outside the language.

    Notes
    -----
    R counterpart: stats::terms.formula; of random terms, lme4::lFormula.
    """
    text = _right_hand_side(formula)
    known = [column for column in columns if isinstance(column, str)]
    split = split_formula(text)
    parsed = _parse_fixed(split.fixed, known)
    random = parse_bars(split.bars, known, text, lambda left: _parse_fixed(left, known))
    return replace(parsed, text=text, random=random, fixed=split.fixed)


def _parse_fixed(text: str, known: Sequence[str]) -> ParsedFormula:
    """Parse a formula without random terms."""
    written: list[Variable | Expression] = []

    def name_of(token: Token) -> str:
        written.append(_factor(token, known, text))
        return written[-1].name

    intercept, terms = read_terms(text, name_of)
    used = {name for term in terms for name in term}
    kept = [factor for factor in written if factor.name in used]
    plain = [factor for factor in kept if isinstance(factor, Variable)]
    expressions = {factor.name: factor for factor in kept if isinstance(factor, Expression)}
    _refuse_both_kinds(plain, expressions, text)
    variables = dict.fromkeys(
        column for f in kept for column in (f.columns.values() if isinstance(f, Expression) else (f.name,))
    )
    return ParsedFormula(
        text=text,
        intercept=intercept,
        terms=tuple(terms),
        variables=tuple(variables),
        categorical=frozenset(factor.name for factor in plain if factor.wrapped),
        computed=frozenset(variables) - {factor.name for factor in plain},
        expressions=expressions,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LearntExpression:
    """An expression with parameters learnt from the samples: the mean of ``scale(x)``, the knots of ``bs(x)``.

    Attributes
    ----------
    expression
        The expression.
    values
        Its values for the samples, shape (n, q).
    suffixes
        The suffixes of the names of the q columns in R: '' for a single one, '1', '2', ... for ``poly``.
    spec
        formulaic's record of the parameters.
    """

    expression: Expression
    values: FloatArray
    suffixes: tuple[str, ...]
    spec: Any

    def replay(self, cells: pd.DataFrame) -> FloatArray:
        """Return the values, shape (m, q), for m new rows of the columns that the expression uses.

        Raises
        ------
        FormulaError
            The expression cannot be computed, or is missing or infinite, for the new values.
        """
        name = self.expression.name
        computed = _computed(name, lambda: self.spec.get_model_matrix(_data(self.expression, cells), OWN_FUNCTIONS))
        values = _numbers(name, computed)
        if not np.isfinite(values).all():
            raise FormulaError(f"'{name}' is missing or infinite for the given values.")
        return values


def learn_expression(expression: Expression, sheet: pd.DataFrame) -> LearntExpression:
    """Compute an expression for all samples, and keep the parameters learnt from them.

    Parameters
    ----------
    expression
        The expression.
    sheet
        The sample sheet as the user gave it, n rows.

    Returns
    -------
    LearntExpression
        Values of shape (n, q), suffixes of the names of columns, and parameters for new rows.

    Raises
    ------
    FormulaError
        The expression cannot be computed, or its values are text.
    DesignError
        The expression is missing or infinite for some samples.

    Notes
    -----
    R counterpart: stats::model.frame, and the predvars of stats::makepredictcall.
    """
    from formulaic import Formula, model_matrix
    from formulaic.parser.types import Factor, Term

    # a term instead of text, so that the code is not parsed as a formula again
    code = Formula([Term([Factor(expression.code, eval_method="python")])])
    data = _data(expression, sheet)
    computed = _computed(expression.name, lambda: model_matrix(code, data, context=OWN_FUNCTIONS, na_action="ignore"))
    if any(kind is Factor.Kind.CATEGORICAL for kind, _ in computed.model_spec.encoder_state.values()):
        raise FormulaError(
            f"'{expression.name}' has text values, not numbers; make it a column of the sample sheet and use that."
        )
    values = _numbers(expression.name, computed)
    _refuse_high_degree(expression.name, values)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        labels = sheet.index[np.flatnonzero(bad)]
        raise DesignError(
            f"'{expression.name}' is missing or infinite for {counted(len(labels), 'sample')}: {listing(labels)}."
        )
    suffixes = _suffixes(expression.name, [str(column) for column in computed.columns])
    return LearntExpression(expression, values, suffixes, computed.model_spec)


def _data(expression: Expression, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that an expression uses, under their identifiers in its code."""
    return pd.DataFrame({alias: _values(sheet[column]) for alias, column in expression.columns.items()})


def _computed(name: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 (formulaic's ModelMatrix)
    """Return the result of formulaic; raise `FormulaError` with its reason if it fails."""
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            return compute()
    except (FormulaicError, ArithmeticError, SyntaxError, TypeError, ValueError, IndexError) as error:
        raise FormulaError(f"'{name}' cannot be computed: {_reason(error)}.") from error


def _numbers(name: str, computed: pd.DataFrame) -> FloatArray:
    """Return the values of an expression as floats."""
    if any(dtype.kind == "c" for dtype in computed.dtypes):
        raise FormulaError(f"'{name}' cannot be computed: the values are complex numbers.")
    return as_float(computed.to_numpy(dtype=np.float64))


def full_rank_terms(
    terms: Sequence[Term], intercept: bool, categorical: Collection[str]
) -> list[tuple[Term, tuple[tuple[str, bool], ...]]]:
    """Return the blocks of columns of a coding that is structurally of full rank, even if margins are omitted.

    Parameters and result are those of `encoding.r_blocks`; a term may have several blocks.
    """
    from formulaic import Formula, model_matrix

    names = list(dict.fromkeys(name for term in terms for name in term))
    alias = {name: f"v{i}" for i, name in enumerate(names)}
    name_of = {identifier: name for name, identifier in alias.items()}
    data = pd.DataFrame({alias[n]: pd.Categorical(["a", "b"]) if n in categorical else [0.0, 1.0] for n in names})
    texts = ["1"] * intercept + [":".join(alias[name] for name in term) for term in terms]
    structure = model_matrix(Formula(texts, _ordering="none"), data, context={}).model_spec.structure
    blocks = []
    for term, piece in zip([()] * intercept + list(terms), structure, strict=True):
        for scoped in piece.scoped_terms:
            parts = [(name_of[factor.factor.expr], not factor.reduced) for factor in scoped.factors]
            blocks.append((term, tuple(sorted(parts, key=lambda part: names.index(part[0])))))
    return blocks


def _right_hand_side(formula: str) -> str:
    """Return the formula as '~ ...'; raise `FormulaError` for syntax that is not supported."""
    if not isinstance(formula, str):
        raise FormulaError(f"a formula must be text such as '~ batch + condition'; got {kind_of(formula)}.")
    before, tilde, after = formula.partition("~")
    shown = shortened(formula.strip())
    if tilde and before.strip():
        raise FormulaError(
            f"the formula '{shown}' has a left-hand side; the counts are always the response, so start with '~': "
            f"'~ {shortened(after.strip())}'."
        )
    body = " ".join((after if tilde else before).split())
    if not body:
        raise FormulaError("the formula is empty; write '~ 1' for a design without variables.")
    bare = re.sub(QUOTED, "q", body)
    if "%" in bare:
        raise FormulaError(f"the formula '{shown}' uses a '%' operator; write 'a:b' instead of 'a %in% b'.")
    body = re.sub(rf"{QUOTED}|\bas\.factor(?=\s*\()", lambda match: match[1] or "factor", body)
    return f"~ {body}"


def _reason(error: BaseException) -> str:
    """Return the first line of a message without colour codes and full stop."""
    if "inhomogeneous" in str(error):  # no knots within the samples
        return "a natural cubic spline needs df of at least 3, or 2 with constraints='center'"
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")


def _factor(token: Token, known: Sequence[str], text: str) -> Variable | Expression:
    """Return the variable or the expression of a factor of a term."""
    if token.kind == "call":
        return read_factor(token.text, known, text)
    require_known(token.text, known, text)
    return Variable(token.text, wrapped=False)


def _refuse_both_kinds(plain: Sequence[Variable], expressions: Collection[str], text: str) -> None:
    """Raise `FormulaError` for a variable used both as it is and in ``C()``, or named like an expression."""
    wrapped = {factor.name for factor in plain if factor.wrapped}
    both = wrapped & {factor.name for factor in plain if not factor.wrapped}
    if both:
        raise FormulaError(
            f"the formula '{shortened(text)}' uses {listing(both)} both as it is and as a factor; use one, or make "
            "a second column."
        )
    alike = {factor.name for factor in plain} & set(expressions)
    if alike:
        raise FormulaError(
            f"the formula '{shortened(text)}' uses {listing(alike)} both as a column and as an expression; rename the "
            "column."
        )


def _values(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Return a column as a NumPy array, numbers as float64."""
    is_number = getattr(column.dtype, "kind", "O") in "iuf"
    return column.to_numpy(dtype=np.float64) if is_number else column.to_numpy()


def _refuse_high_degree(name: str, values: FloatArray) -> None:
    """Raise `FormulaError` for a polynomial (n, q) with too few distinct values for its degree, as in R."""
    n_different, degree = len(np.unique(values, axis=0)), values.shape[1]
    if _is_polynomial(name) and degree >= n_different > 1:
        raise FormulaError(
            f"'{name}' has {degree} columns, but the samples have only {n_different} different values. Use "
            f"a degree of at most {n_different - 1}."
        )


def _is_polynomial(name: str) -> bool:
    return name.startswith("poly(")


def _suffixes(name: str, columns: list[str]) -> tuple[str, ...]:
    """Return the suffixes of the columns of an expression: '1', '2' of 'poly(x, 2)[1]', 'poly(x, 2)[2]'."""
    if len(columns) == 1:
        return ("",)
    if _is_polynomial(name):  # formulaic counts the columns of raw polynomials from 0
        return tuple(str(degree) for degree in range(1, len(columns) + 1))
    return tuple(column.rpartition("[")[2].rstrip("]") for column in columns)
