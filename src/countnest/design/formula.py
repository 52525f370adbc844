"""Formulas: what a text such as ``~ batch + dex`` says, read and evaluated with formulaic.

This is the only module that imports formulaic, and it does so when a formula is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.design.expression import QUOTED, Expression, Variable, read_factor, require_known
from countnest.errors import DesignError, FormulaError, counted, listing

__all__ = [
    "KNOWN_FUNCTIONS",
    "LearntExpression",
    "ParsedFormula",
    "full_rank_terms",
    "learn_expression",
    "parse_formula",
]

Term = tuple[str, ...]

# Functions of R's formulas that formulaic lacks.
EXTRA_FUNCTIONS: Mapping[str, Any] = {"abs": np.abs, "log1p": np.log1p, "sqrt": np.sqrt}

# What may be called in a formula; formulaic has the others.
FUNCTIONS = frozenset({"I", "bs", "cc", "center", "cr", "cs", "exp", "exp10", "exp2", "log", "log10", "log2", "poly"})
KNOWN_FUNCTIONS = FUNCTIONS.union({"scale", "standardize"}, EXTRA_FUNCTIONS)

BARS = re.compile(r"\([^()]*\|[^()]*\)")
LONE_DOT = re.compile(r"(?<![\w.)\]])\.(?![\w.])")


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """What a formula says.

    Attributes
    ----------
    text
        The formula, starting with '~'.
    intercept
        Whether the model has an intercept.
    terms
        Terms without the intercept in R's order: by degree, then as written. Each is a tuple of variables and names
        of expressions, by first appearance in the formula.
    variables
        Columns of the sample sheet that the formula uses, by first appearance.
    categorical
        Variables that are wrapped in ``C()`` or ``factor()``.
    computed
        Variables that occur only inside expressions.
    expressions
        The expressions by name.
    """

    text: str
    intercept: bool
    terms: tuple[Term, ...]
    variables: tuple[str, ...]
    categorical: frozenset[str]
    computed: frozenset[str]
    expressions: Mapping[str, Expression]


def parse_formula(formula: str, columns: Iterable[object]) -> ParsedFormula:
    """Read a formula.

    Terms may use ``+ - : * / ^ ( )``, columns of the sample sheet (in backticks when their name is not plain) and
    functions: ``log, log2, log10, log1p, exp, sqrt, abs, scale, center, poly, bs, cr, I``. ``C(x)``, ``factor(x)`` and
    ``as.factor(x)`` all mean: take the column `x` as a factor, as if it held text; the factor is called `x`.

    Parameters
    ----------
    formula
        The right-hand side, with or without '~'.
    columns
        Names of the columns of the sample sheet.

    Returns
    -------
    ParsedFormula
        Intercept, terms in R's order, variables and expressions.

    Raises
    ------
    FormulaError
        The formula does not parse, has a left-hand side or random effects, or names an unknown variable or function.

    Notes
    -----
    R counterpart: stats::terms.formula.
    """
    text = _right_hand_side(formula)
    raw_terms, written = _formulaic_terms(text)
    known = [column for column in columns if isinstance(column, str)]
    factors = {expr: _factor(expr, is_code, known, text) for expr, is_code in written.items()}
    names = {expr: factor.name if isinstance(factor, Expression) else factor.column for expr, factor in factors.items()}
    place = {name: position for position, name in reversed(list(enumerate(names.values())))}
    terms = _ordered_terms([[names[expr] for expr in term if expr != "1"] for term in raw_terms], place)
    used = {name for term in terms for name in term}
    kept = [factor for expr, factor in factors.items() if names[expr] in used]
    plain = [factor for factor in kept if isinstance(factor, Variable)]
    expressions = {factor.name: factor for factor in kept if isinstance(factor, Expression)}
    _refuse_both_kinds(plain, text)
    variables = dict.fromkeys(
        column for f in kept for column in (f.columns.values() if isinstance(f, Expression) else (f.column,))
    )
    return ParsedFormula(
        text=text,
        intercept=["1"] in raw_terms,
        terms=terms,
        variables=tuple(variables),
        categorical=frozenset(factor.column for factor in plain if factor.wrapped),
        computed=frozenset(variables) - {factor.column for factor in plain},
        expressions=expressions,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LearntExpression:
    """An expression with what it learnt from the samples: the mean of ``scale(x)``, the knots of ``bs(x)``.

    Attributes
    ----------
    expression
        The expression.
    values
        Its values for the samples, shape (n, q).
    suffixes
        What R appends to the name for each of the q columns: '' for a single one, '1', '2', ... for ``poly``.
    spec
        formulaic's record of what was learnt.
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
        computed = _computed(name, lambda: self.spec.get_model_matrix(_data(self.expression, cells), EXTRA_FUNCTIONS))
        values = as_float(computed.to_numpy(dtype=np.float64))
        if not np.isfinite(values).all():
            raise FormulaError(f"'{name}' is missing or infinite for the values asked for.")
        return values


def learn_expression(expression: Expression, sheet: pd.DataFrame) -> LearntExpression:
    """Compute an expression for all samples, and keep what it learns from them.

    Parameters
    ----------
    expression
        The expression.
    sheet
        The sample sheet as the user gave it, n rows.

    Returns
    -------
    LearntExpression
        Values of shape (n, q), what is appended to the names of the columns, and the state for new rows.

    Raises
    ------
    FormulaError
        The expression cannot be computed, or gives text.
    DesignError
        The expression is missing or infinite for some samples.

    Notes
    -----
    R counterpart: stats::model.frame, and the predvars of stats::makepredictcall.
    """
    from formulaic import Formula, model_matrix
    from formulaic.parser.types import Factor

    code, data = Formula([expression.code]), _data(expression, sheet)
    computed = _computed(expression.name, lambda: model_matrix(code, data, context=EXTRA_FUNCTIONS, na_action="ignore"))
    if any(kind is Factor.Kind.CATEGORICAL for kind, _ in computed.model_spec.encoder_state.values()):
        raise FormulaError(
            f"'{expression.name}' gives text, not numbers; make it a column of the sample sheet and use that."
        )
    values = as_float(computed.to_numpy(dtype=np.float64))
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        labels = sheet.index[np.flatnonzero(bad)]
        raise DesignError(
            f"'{expression.name}' is missing or infinite for {counted(len(labels), 'sample')}: {listing(labels)}."
        )
    suffixes = _suffixes([str(column) for column in computed.columns])
    return LearntExpression(expression, values, suffixes, computed.model_spec)


def _data(expression: Expression, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that an expression uses, under the names that its code has for them."""
    return pd.DataFrame({alias: _values(sheet[column]) for alias, column in expression.columns.items()})


def _computed(name: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 (formulaic's ModelMatrix)
    """Return what formulaic computes, or raise `FormulaError` with its reason."""
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            return compute()
    except (FormulaicError, SyntaxError, TypeError, ValueError) as error:
        raise FormulaError(f"'{name}' cannot be computed: {_reason(error)}.") from error


def full_rank_terms(
    terms: Sequence[Term], intercept: bool, categorical: Collection[str]
) -> list[tuple[Term, tuple[tuple[str, bool], ...]]]:
    """Return a coding of the terms that is structurally of full rank, whatever margins the formula leaves out.

    Parameters
    ----------
    terms
        Terms without the intercept, in R's order.
    intercept
        Whether the model has an intercept.
    categorical
        The variables that are factors.

    Returns
    -------
    list
        For each block of columns the term of the formula that it belongs to, and its variables with True where all
        levels get a column and False where the reference level gets none. The intercept is ``((), ())``.
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
    """Return the formula as '~ ...', in the syntax of formulaic; refuse what it cannot say."""
    before, tilde, after = formula.partition("~")
    if tilde and before.strip():
        raise FormulaError(
            f"the formula '{formula.strip()}' has a left-hand side; the counts are always the response, so start "
            f"with '~': '~ {after.strip()}'."
        )
    body = " ".join((after if tilde else before).split())
    bare = re.sub(QUOTED, "q", body)
    if not body:
        raise FormulaError("the formula is empty; write '~ 1' for a design without variables.")
    if BARS.search(bare):
        raise FormulaError(
            f"random effects such as '{_first_bars(body)}' are not supported yet; the formula is '{formula.strip()}'. "
            "Use the grouping variable as an ordinary term, or model one sample for each group."
        )
    if "|" in bare:
        raise FormulaError(f"the formula '{formula.strip()}' uses '|', which has no meaning here.")
    if "%" in bare:
        raise FormulaError(f"the formula '{formula.strip()}' uses a '%' operator; write 'a:b' instead of 'a %in% b'.")
    if LONE_DOT.search(bare):
        raise FormulaError(f"the formula '{formula.strip()}' uses '.'; name the variables instead.")
    body = re.sub(rf"{QUOTED}|\bas\.factor(?=\s*\()", lambda match: match[1] or "factor", body)
    return f"~ {body}"


def _first_bars(body: str) -> str:
    match = BARS.search(body)
    return match[0] if match else "(1 | group)"


def _formulaic_terms(text: str) -> tuple[list[list[str]], dict[str, bool]]:
    """Return the terms, and every factor that is written, in order, with True where it is code."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    # '^' is a power in R and, in Python, an exclusive or that binds weaker than '+'.
    plain = re.sub(rf"{QUOTED}|\^", lambda match: match[1] or "**", text)
    try:
        tokens = [(token.token, token.kind.value) for token in DefaultFormulaParser().get_tokens(plain)]
        terms = [[factor.expr for factor in term.factors] for term in Formula(plain, _ordering="none")]
    except (FormulaicError, SyntaxError) as error:
        raise FormulaError(f"the formula '{text}' cannot be read: {_reason(error)}.") from error
    written = {token: kind == "python" for token, kind in tokens if kind in ("name", "python")}
    numbers = {expr for term in terms for expr in term} - set(written) - {"1"}
    if numbers:
        raise FormulaError(f"the formula '{text}' multiplies by {listing(numbers)}; only 0 and 1 have a meaning.")
    return terms, written


def _reason(error: BaseException) -> str:
    """Return the first line of a message, without colours and full stop."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
    return "the parentheses do not match" if "context marker" in lines[0] else lines[0].rstrip(". ")


def _factor(expr: str, is_code: bool, known: Sequence[str], text: str) -> Variable | Expression:
    """Return the variable or the expression that a factor of a term means."""
    if is_code:
        return read_factor(expr, known, KNOWN_FUNCTIONS, text)
    require_known(expr, known, text)
    return Variable(expr, wrapped=False)


def _ordered_terms(terms: list[list[str]], place: Mapping[str, int]) -> tuple[Term, ...]:
    """Order the variables of each term by first appearance, and the terms by degree; drop repetitions."""
    normal = dict.fromkeys(tuple(sorted(set(term), key=place.__getitem__)) for term in terms if term)
    return tuple(sorted(normal, key=len))


def _refuse_both_kinds(plain: Sequence[Variable], text: str) -> None:
    """Refuse a variable that is used both as it is and wrapped in ``C()``."""
    wrapped = {factor.column for factor in plain if factor.wrapped}
    both = wrapped & {factor.column for factor in plain if not factor.wrapped}
    if both:
        raise FormulaError(
            f"the formula '{text}' uses {listing(both)} both as it is and as a factor; use one, or make "
            "a second column."
        )


def _values(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Return a column as a NumPy array, numbers as float64."""
    is_number = getattr(column.dtype, "kind", "O") in "iuf"
    return column.to_numpy(dtype=np.float64) if is_number else column.to_numpy()


def _suffixes(columns: list[str]) -> tuple[str, ...]:
    """Return what distinguishes the columns of an expression: '1', '2' of 'poly(x, 2)[1]', 'poly(x, 2)[2]'."""
    if len(columns) == 1:
        return ("",)
    return tuple(column.rpartition("[")[2].rstrip("]") for column in columns)
