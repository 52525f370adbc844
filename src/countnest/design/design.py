"""The record of a design: a model matrix, its names, and the encoding of rows for any cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

import pandas as pd

from countnest.arrays import FloatArray, IntArray
from countnest.design.encoding import CodedMatrix, Coder
from countnest.design.levels.order import LevelOrder
from countnest.design.levels.text import level_codes, require_level
from countnest.design.nesting import Nesting
from countnest.design.random.term import RandomTerm
from countnest.display import Described, first_of
from countnest.errors import ContrastError, DesignError, counted, listing, suggestion
from countnest.protected import ProtectedDict, protected, read_only, set_state

if TYPE_CHECKING:
    from countnest.queries.report import Report

__all__ = ["Coding", "Design", "check_residual_df", "check_varying", "encode"]

Coding = Literal["r", "formulaic", "matrix"]

_WHY = "a design is what a model was fitted with, and is not edited"
_ADVICE = (
    "take a copy to work with, such as design.sheet.copy() or dict(design.levels). The sheet of a data set is set by "
    "dds.samples = frame, its design by dds.design = formula; levels are set by the arguments levels= and reference=."
)


class LevelOptions(TypedDict):
    """The arguments that decide the encoding of factors."""

    levels: dict[str, tuple[str, ...]]
    reference: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Design(Described):
    """A model matrix of full column rank, and what later steps need to know about it.

    Everything but `formula` and `random` is about the fixed part of the formula.

    Attributes
    ----------
    matrix
        Shape (n, p), float64, read-only: the columns that are neither zero nor combinations of earlier ones.
    names
        The p names of the results: 'Intercept', 'dex_trt_vs_untrt', 'genotypeII.conditionB'.
    columns
        The p names of R's model matrix: '(Intercept)', 'dextrt', 'genotypeII:conditionB'.
    formula
        The formula, with its random terms; None if a matrix was given.
    variables
        Columns of the sample sheet that the formula uses, in order of appearance.
    levels
        Levels of each factor; the first is the reference.
    intercept
        Whether there is an intercept.
    sheet
        The prepared sample sheet: the factors of the formula are categoricals, ordered if the order is known.
    dropped
        Names of dropped columns: all zero, or combinations of earlier ones because of nesting.
    terms
        The term of the formula of each of the p columns, a tuple of variables and expressions; () for the intercept.
        In a given matrix every other column is a term.
    coding
        'r': columns as in R; 'formulaic': columns of full rank where those of R are not; 'matrix': a matrix was given.
    notes
        Notes for the user.
    full
        The q >= p columns, shape (n, q), before any were dropped.
    kept
        Positions of the p columns among these; empty if the columns were made by hand and `full` gives their meaning.
    coder
        The encoder of other rows; None if a matrix was given.
    nesting
        The nesting of the factors.
    orders
        The order of the levels of each factor.
    constant
        Variables of the formula with one value in all samples, with the problem: their terms are left out, and the
        model cannot be fitted.
    random
        The random terms, for mixed models.
    fixed_formula
        The formula without its random terms; None if a matrix was given.
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
    full: CodedMatrix
    kept: tuple[int, ...]
    coder: Coder | None
    nesting: Nesting
    orders: Mapping[str, LevelOrder] = field(default_factory=dict)
    constant: Mapping[str, str] = field(default_factory=dict)
    random: tuple[RandomTerm, ...] = ()
    fixed_formula: str | None = None

    def __post_init__(self) -> None:
        """Make matrices, tables and dicts read-only: fits and files rely on them."""
        self.matrix.flags.writeable = False
        self.full.matrix.flags.writeable = False
        sheet = self.sheet.set_axis(read_only(self.sheet.index))
        object.__setattr__(self, "sheet", protected(sheet, _ADVICE, _WHY))
        for name in ("levels", "orders", "constant"):
            object.__setattr__(self, name, ProtectedDict(getattr(self, name), f"{_WHY}: {_ADVICE}"))

    __setstate__ = set_state

    def __deepcopy__(self, _: object) -> Design:
        return self

    def _described(self) -> tuple[str, dict[str, str]]:
        """Return a title and a few facts; `report` has more."""
        n, p = self.matrix.shape
        factors = [f"{name} ({first_of(levels)})" for name, levels in self.levels.items()]
        facts = {
            "coefficients": first_of(self.names),
            "factors": "; ".join(factors),
            "numbers": ", ".join(self.numbers),
            "dropped columns": first_of(self.dropped),
            "random": "; ".join(f"{term.label} ({counted(len(term.levels), 'level')})" for term in self.random),
        }
        title = f"Design {self.formula or 'of a matrix'}: {counted(n, 'sample')}, {counted(p, 'coefficient')}"
        return title, {what: value for what, value in facts.items() if value}

    def report(self) -> Report:
        """Return a description: cells, columns, rank, nesting, reference levels, and answerable queries."""
        from countnest.queries.report import design_report

        return design_report(self)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The variables that are not factors."""
        return tuple(name for name in self.variables if name not in self.levels)

    def codes(self, factor: str) -> IntArray:
        """Return the level of each sample, shape (n,), as a position in `levels`."""
        return level_codes(self.sheet[factor], self.levels[factor])

    def in_order(self, factor: str) -> tuple[str, ...]:
        """Return the levels of a factor in their order if it is known, otherwise with the reference first."""
        order = self.orders.get(factor)
        return order.levels if order is not None and order.is_known else self.levels[factor]

    def level_options(self) -> LevelOptions:
        """Return the arguments `levels` and `reference` that make another formula encode factors in the same way."""
        return {
            "levels": {name: self.in_order(name) for name in self.levels},
            "reference": {name: levels[0] for name, levels in self.levels.items()},
        }

    def require_variable(self, name: str) -> None:
        """Raise `ContrastError` unless the design has a formula that uses this variable."""
        if self.coder is None:
            raise ContrastError(
                "a model matrix was given as the design, so its cells are not known; give a formula, or use the "
                f"coefficients: {listing(self.names, 20)}."
            )
        if not isinstance(name, str) or name not in self.variables:
            columns = [str(column) for column in self.sheet.columns]
            where = (
                " It is a column of the sample sheet, but the design does not use it." if str(name) in columns else ""
            )
            raise ContrastError(
                f"the variable '{name}' is not in the design '{self.formula}'.{where}"
                f"{suggestion(name, self.variables)} {self._known_variables}."
            )

    @property
    def _known_variables(self) -> str:
        if self.variables:
            return f"Its variables are {listing(self.variables, 20)}"
        return "It has no variables but the intercept, which dds.contrast('Intercept') takes"

    def require_level(self, factor: str, level: str) -> None:
        """Raise `ContrastError` unless the factor has this level."""
        require_level(level, factor, self.levels[factor])


def check_varying(design: Design) -> None:
    """Raise `DesignError` if a variable of the design has one value in all samples."""
    if design.constant:
        raise DesignError(" ".join(design.constant.values()))


def check_residual_df(design: Design) -> None:
    """Raise `DesignError` unless all variables vary and there are more samples than coefficients.

    Notes
    -----
    R counterpart: the check at the start of DESeq2::estimateDispersions.
    """
    check_varying(design)
    n, p = design.matrix.shape
    if n == p:
        raise DesignError(
            "the design has the same number of samples and coefficients to fit, so estimation of dispersion is not "
            f"possible ({counted(n, 'sample')}, {counted(p, 'coefficient')}). Replicates are needed, or a design with "
            "fewer terms."
        )
    if n < p:
        raise DesignError(
            f"the design has fewer samples ({n}) than coefficients to fit ({p}), so estimation of dispersion is not "
            "possible. Use a design with fewer terms."
        )


def encode(design: Design, cells: pd.DataFrame) -> FloatArray:
    """Return the rows of the unreduced model matrix for new cells.

    Parameters
    ----------
    design
        A design that was made from a formula.
    cells
        m rows with a column for each variable of the design: levels of factors, values of numbers. Expressions such as
        ``scale(age)`` use the parameters learnt from the samples.

    Returns
    -------
    FloatArray
        Shape (m, q), columns as in ``design.full``.

    Raises
    ------
    ContrastError
        The design is a matrix, a variable is missing, or a level is unknown.

    Notes
    -----
    R counterpart: stats::model.matrix on new data with the terms and contrasts of a fitted model.
    """
    for variable in design.variables:
        design.require_variable(variable)
        if variable not in cells:
            raise ContrastError(f"the cells lack the variable '{variable}' of the design '{design.formula}'.")
        for level in dict.fromkeys(cells[variable]) if variable in design.levels else ():
            design.require_level(variable, level)
    if design.coder is None:
        raise ContrastError("a model matrix was given as the design, so new cells cannot be encoded; give a formula.")
    return design.coder.matrix(cells)
