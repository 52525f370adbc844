"""Factors of terms: columns of the sample sheet, and expressions in the closed language of formulas.

The code of an expression is generated from a checked syntax tree. It has numbers, short text, names of columns,
arithmetic, comparisons and calls of known functions only, so that a formula from any source can be evaluated.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from countnest.design.language import (
    FACTOR_FUNCTIONS,
    FUNCTIONS,
    KNOWN_FUNCTIONS,
    check_option,
    near,
    refuse,
    shortened,
)
from countnest.errors import FormulaError, listing, suggestion
from countnest.remedies import advised

__all__ = ["Expression", "Variable", "read_factor", "require_known"]

PIECE = re.compile(
    r"""(?P<space>\s+) | (?P<text>'[^']*'|"[^"]*") | `(?P<quoted>[^`]+)`
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])) | (?P<word>[\w.]+)
    | (?P<operator>\*\*|==|!=|<=|>=|[-+*/^<>=,()\[\]])""",
    re.VERBOSE,
)
WRAPPED = re.compile(r"\w+\(\s*(?:`([^`]+)`|([\w.]+))\s*\)")
BEFORE_CALL, BEFORE_OPTION = re.compile(r"\s*\("), re.compile(r"\s*=(?!=)")
CONSTANTS = {"True": "True", "False": "False", "TRUE": "True", "FALSE": "False"}
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub)
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Expression:
    """A factor of a term computed from columns of the sample sheet.

    Attributes
    ----------
    name
        The expression as in R's names of columns, such as 'poly(age, 2)' or 'I(age^2)'.
    code
        The expression in Python, checked, with the columns renamed to plain identifiers.
    columns
        The column of the sample sheet for each of these identifiers.
    """

    name: str
    code: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Variable:
    """A factor of a term that is a column of the sample sheet, possibly wrapped in ``C()`` or ``factor()``."""

    name: str
    wrapped: bool


def read_factor(call: str, known: Sequence[str], formula: str) -> Variable | Expression:
    """Return the variable or expression of a function call in a formula.

    Parameters
    ----------
    call
        The call, including the closing parenthesis.
    known
        Columns of the sample sheet.
    formula
        The whole formula, for messages.

    Returns
    -------
    Variable or Expression
        A column to use as a factor, or checked code.

    Raises
    ------
    FormulaError
        Unknown columns or functions, or anything else outside the language of formulas.
    """
    if call.partition("(")[0] in FACTOR_FUNCTIONS:
        return Variable(_wrapped_column(call, known, formula), wrapped=True)
    code, columns = _with_identifiers(call, known, formula)
    if not columns:
        refuse(formula, f"has '{shortened(call)}', which uses no column")
    _Checking(formula, call, columns).value(_tree(code, call, formula), 0)
    name = ast.unparse(_Renaming(columns).visit(_tree(code, call, formula)))
    return Expression(_r_name(name), ast.unparse(_Floats().visit(_tree(code, call, formula))), columns)


def _tree(code: str, call: str, formula: str) -> ast.expr:
    """Return the syntax tree of an expression; nothing is evaluated."""
    try:
        return ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        refuse(formula, f"cannot be read: '{shortened(call)}' is not an expression")


def require_known(name: str, known: Sequence[str], formula: str) -> None:
    """Raise `FormulaError` unless `name` is a column of the sample sheet."""
    if name not in known:
        raise FormulaError(
            f"the formula '{shortened(formula)}' uses '{shortened(name)}', which is not a column of the sample sheet."
            f"{suggestion(name, known)} The columns are {listing(known, 20)}."
        )


def _with_identifiers(call: str, known: Sequence[str], formula: str) -> tuple[str, dict[str, str]]:
    """Return an expression in Python with plain identifiers for the columns, and their columns."""
    identifiers: dict[str, str] = {}
    code, at = [], 0
    while at < len(call):
        piece = PIECE.match(call, at)
        if piece is None or "\\" in (piece["text"] or ""):
            refuse(formula, f"has {call[at]!r} in '{shortened(call)}', which has no meaning in a formula")
        at = piece.end()
        column = piece["quoted"]
        word = piece["word"]
        if word and BEFORE_CALL.match(call, at):
            _require_function(word, call, formula)
        elif word and not BEFORE_OPTION.match(call, at) and (word not in CONSTANTS or word in known):
            column = word
        if column:
            if column not in known and (keyword.iskeyword(column) or "." in column):
                like = near(column, known)
                refuse(formula, f"has '{shortened(column)}' in '{shortened(call)}', which is not a column{like}")
            require_known(column, known, formula)
            code.append(identifiers.setdefault(column, f"x{len(identifiers)}_"))
        else:
            code.append({"^": "**", **CONSTANTS}.get(piece[0], piece[0]))
    return "".join(code), {identifier: column for column, identifier in identifiers.items()}


def _require_function(name: str, call: str, formula: str) -> None:
    """Raise `FormulaError` for an unknown function; suggest a known one, such as `log` for `np.log`."""
    if name in KNOWN_FUNCTIONS:
        return
    plain = name.rpartition(".")[2]
    like = near(plain, [plain]) if plain in KNOWN_FUNCTIONS else near(name, KNOWN_FUNCTIONS)
    refuse(formula, f"uses the function '{shortened(name)}' in '{shortened(call)}', which is not known{like}")


class _Checking:
    """A check that an expression is in the language of formulas."""

    def __init__(self, formula: str, call: str, columns: Mapping[str, str]) -> None:
        self.formula, self.call, self.columns = formula, call, columns

    def _refuse(self, what: str) -> NoReturn:
        refuse(self.formula, f"has {what} in '{shortened(self.call)}'")

    def value(self, node: ast.expr, depth: int) -> None:
        """Check an expression."""
        if depth > DEEPEST:
            self._refuse(f"more than {DEEPEST} nested operations")
        match node:
            case ast.Name(id=name) if name in self.columns:
                pass
            case ast.Constant(value=bool()):
                self._refuse("a logical value that is not an option")
            case ast.Constant(value=int() | float() as number):
                self._number(number)
            case ast.Constant(value=str()):
                self._refuse("text that is not compared with a column")
            case ast.UnaryOp(op=op, operand=operand) if isinstance(op, OPERATORS):
                self.value(operand, depth + 1)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATORS):
                self.value(left, depth + 1)
                self.value(right, depth + 1)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, COMPARISONS):
                self._compared(left, depth + 1)
                self._compared(right, depth + 1)
            case ast.Call(func=ast.Name(id=function)) if function in FUNCTIONS:
                self._call(node, function, depth + 1)
            case ast.Call(func=ast.Name(id=function)) if function in FACTOR_FUNCTIONS:
                self._refuse(f"'{function}()' inside of a function")
            case _:
                self._refuse(WORDS.get(type(node), "an operator that formulas do not have"))

    def _number(self, number: float) -> None:
        try:
            finite = math.isfinite(float(number))
        except OverflowError:
            finite = False
        if not finite:
            self._refuse("a number that is too large")

    def _compared(self, node: ast.expr, depth: int) -> None:
        """Check one side of a comparison, which may be text."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not node.value.isprintable() or set(node.value) & set("'\"`\\"):
                self._refuse("text with quotes, backticks or unprintable characters")
            return
        self.value(node, depth)

    def _call(self, call: ast.Call, function: str, depth: int) -> None:
        """Check the call of a known function: an expression, then options with plain values."""
        known = FUNCTIONS[function]
        if not call.args or isinstance(call.args[0], ast.Starred) or len(call.args) > 1 + min(len(known), 2):
            takes = f", then {listing(known, 20)} by name" if known else ""
            self._refuse(f"'{function}()', which takes one expression of columns{takes},")
        self.value(call.args[0], depth)
        given = [*zip(known, call.args[1:], strict=False), *((item.arg, item.value) for item in call.keywords)]
        for option, value in given:
            check_option(function, option, _plain(value), self.formula)


WORDS: Mapping[type[ast.expr], str] = {
    ast.Subscript: "brackets",
    ast.List: "brackets",
    ast.Tuple: "several values",
    ast.Compare: "a chain of comparisons",
    ast.Call: "a call of something that is not a function",
}


def _plain(node: ast.expr) -> object:
    """Return the value of an option: a number, logical value, text, or list of numbers; None for anything else."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_plain(item) for item in items if not isinstance(item, ast.List | ast.Tuple)] or None
    return None


class _Floats(ast.NodeTransformer):
    """Conversion of numbers in arithmetic to floats: 9**9**9 would not end with whole numbers."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave options unchanged."""
        node.args[0] = self.visit(node.args[0])
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Convert a number to a float."""
        return ast.Constant(float(node.value)) if isinstance(node.value, int | float) else node


class _Renaming(ast.NodeTransformer):
    """Restoration of the names of columns."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = columns

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename a column."""
        return ast.Name(self.columns.get(node.id, node.id), ast.Load())


def _wrapped_column(call: str, known: Sequence[str], formula: str) -> str:
    """Return the column in ``C(column)``."""
    match = WRAPPED.fullmatch(call)
    if match is None:
        how = advised("reference={...}", "--reference")
        raise FormulaError(
            f"the formula '{shortened(formula)}' has '{shortened(call)}'; only 'C(column)' is supported, with levels "
            f"coded against the reference level; set the reference with {how}."
        )
    column = match[1] or match[2]
    require_known(column, known, formula)
    return column


def _r_name(expr: str) -> str:
    """Return an expression as R writes it, without spaces around '^' and '/'."""
    return expr.replace(" ** ", "^").replace(" / ", "/")
