"""What a factor of a term means: a column of the sample sheet, or Python code that computes one."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from countnest.errors import FormulaError, listing, suggestion

__all__ = ["QUOTED", "Expression", "Variable", "read_factor", "require_known"]

FACTOR_FUNCTIONS = frozenset({"C", "factor"})

# Text in quotes or backticks, which no replacement may touch.
QUOTED = r"(`[^`]*`|'[^']*'|\"[^\"]*\")"


@dataclass(frozen=True, slots=True)
class Expression:
    """A factor of a term that is computed from columns of the sample sheet.

    Attributes
    ----------
    name
        The expression as R writes it in the names of columns, such as 'poly(age, 2)' or 'I(age^2)'.
    code
        The expression in Python, with the columns renamed to plain identifiers.
    columns
        Column of the sample sheet for each of these identifiers.
    """

    name: str
    code: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Variable:
    """A factor of a term that is a column of the sample sheet, possibly wrapped in ``C()`` or ``factor()``."""

    column: str
    wrapped: bool


def read_factor(expr: str, known: Sequence[str], functions: Collection[str], formula: str) -> Variable | Expression:
    """Return what a function call or another piece of code in a formula means.

    Parameters
    ----------
    expr
        The code.
    known
        Columns of the sample sheet.
    functions
        Names of the functions that may be called.
    formula
        The whole formula, for messages.

    Returns
    -------
    Variable or Expression
        A column that is taken as a factor, or code to be evaluated.

    Raises
    ------
    FormulaError
        Unknown columns or functions.
    """
    code, aliases = _with_identifiers(expr, known)
    tree = ast.parse(code, mode="eval")
    _check_functions(tree, expr, functions, formula)
    if _is_call(tree.body, FACTOR_FUNCTIONS):
        column = _wrapped_column(tree.body, expr, aliases)
        require_known(column, known, formula)
        return Variable(column, wrapped=True)
    used: dict[str, str] = {}
    renamed = ast.unparse(_Renaming(known, aliases, used, formula).visit(tree))
    return Expression(_r_name(expr), renamed if isinstance(tree.body, ast.Call) else f"I({renamed})", used)


def _is_call(node: ast.expr, functions: Collection[str]) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions


def require_known(name: str, known: Sequence[str], formula: str) -> None:
    """Raise `FormulaError` unless `name` is a column of the sample sheet."""
    if name not in known:
        raise FormulaError(
            f"the formula '{formula}' uses '{name}', which is not a column of the sample sheet."
            f"{suggestion(name, known)} The columns are {listing(known, 20)}."
        )


def _with_identifiers(expr: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Replace names in backticks, and known names with dots, by identifiers; return the code and what these mean."""
    aliases: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = match[0]
        if name[0] in "'\"" or (name[0] != "`" and name not in known):
            return name
        return aliases.setdefault(name.strip("`"), f"column_{len(aliases)}_")

    code = re.sub(rf"{QUOTED}|[^\W\d]\w*(?:\.\w+)+", replace, expr)
    return code, {identifier: name for name, identifier in aliases.items()}


def _check_functions(tree: ast.AST, expr: str, functions: Collection[str], formula: str) -> None:
    """Refuse functions that are not known."""
    known = sorted(FACTOR_FUNCTIONS.union(functions))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in known:
            name = node.func.id
            raise FormulaError(
                f"the formula '{formula}' uses the function '{name}' in '{expr}', which is not known."
                f"{suggestion(name, known)} Known are {listing(known, 50)}; or compute a column of the sample sheet."
            )


class _Renaming(ast.NodeTransformer):
    """Give every column of the sample sheet that an expression uses an identifier that nothing else has."""

    def __init__(self, known: Sequence[str], aliases: Mapping[str, str], used: dict[str, str], formula: str) -> None:
        self.known, self.aliases, self.used, self.formula = known, aliases, used, formula

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Rename in the arguments, not the function."""
        if not isinstance(node.func, ast.Name):
            node.func = self.visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Rename all but the module ``np``."""
        if not (isinstance(node.value, ast.Name) and node.value.id == "np"):
            node.value = self.visit(node.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename a column."""
        column = self.aliases.get(node.id, node.id)
        require_known(column, self.known, self.formula)
        identifiers = {name: identifier for identifier, name in self.used.items()}
        identifier = identifiers.get(column, f"x{len(self.used)}_")
        self.used[identifier] = column
        return ast.Name(identifier, ast.Load())


def _wrapped_column(call: ast.Call, expr: str, aliases: Mapping[str, str]) -> str:
    """Return the column in ``C(column)``."""
    argument = call.args[0] if len(call.args) == 1 and not call.keywords else None
    if not isinstance(argument, ast.Name):
        raise FormulaError(
            f"'{expr}': only 'C(column)' is supported, with levels coded against the reference level; set the "
            "reference with reference={...}."
        )
    return aliases.get(argument.id, argument.id)


def _r_name(expr: str) -> str:
    """Return an expression as R writes it: no spaces around '^' and '/', no backticks."""
    return expr.replace(" ** ", "^").replace(" / ", "/").replace("`", "")
