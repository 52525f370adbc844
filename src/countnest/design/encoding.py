"""The encoding of a formula: R's rule for the coding of factors, the names of the columns, and rows for any cell.

A *component* of a term is a factor, a numeric variable or an expression. A *block* is a group of columns: a product of
components, each factor with all its levels or without the reference level.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.design.names import result_name, written_levels

if TYPE_CHECKING:
    from countnest.design.formula import LearntExpression

__all__ = ["Block", "CodedMatrix", "Coder", "Component", "code_columns", "factor_component", "r_blocks"]

Term = tuple[str, ...]

# A term of the formula, and its components with True if all levels get a column.
Block = tuple[Term, tuple[tuple[str, bool], ...]]


@dataclass(frozen=True, slots=True)
class Component:
    """A factor of a product of columns.

    Attributes
    ----------
    name
        Variable or expression.
    values
        Shape (n, q): one indicator for each level of a factor, or the q columns of a numeric expression.
    labels
        The q levels, or the suffixes of the names of a numeric expression ('' for a single column).
    categorical
        Whether it is a factor.
    written
        The labels in the names of results, if they differ; see `names.written_levels`.
    """

    name: str
    values: FloatArray
    labels: tuple[str, ...]
    categorical: bool
    written: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels in the names of the results."""
        return self.written or self.labels


@dataclass(frozen=True, slots=True)
class CodedMatrix:
    """A model matrix with names and meanings of its q columns, including all-zero columns.

    Attributes
    ----------
    matrix
        Shape (n, q).
    columns
        Names of R's model matrix: '(Intercept)', 'dextrt'.
    names
        Names of the results: 'Intercept', 'dex_trt_vs_untrt'.
    terms
        The term of the formula for each column.
    cells
        The factors and levels of each column.
    """

    matrix: FloatArray
    columns: tuple[str, ...]
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    cells: tuple[tuple[tuple[str, str], ...], ...]

    def take(self, kept: IntArray | BoolArray) -> CodedMatrix:
        """Return some of the columns; `kept` has positions or is a mask of shape (q,)."""
        places = np.arange(len(self.columns))[kept]
        return CodedMatrix(
            matrix=np.ascontiguousarray(self.matrix[:, places]),
            columns=tuple(self.columns[i] for i in places),
            names=tuple(self.names[i] for i in places),
            terms=tuple(self.terms[i] for i in places),
            cells=tuple(self.cells[i] for i in places),
        )


def factor_component(name: str, codes: IntArray, levels: Sequence[str]) -> Component:
    """Return the component of a factor, given codes of shape (n,) and levels with the reference first."""
    values = (codes[:, None] == np.arange(len(levels))).astype(np.float64)
    return Component(name, values, tuple(levels), categorical=True, written=written_levels(name, levels))


def r_blocks(terms: Sequence[Term], intercept: bool, categorical: Collection[str]) -> list[Block]:
    """Return the blocks of columns of R's model matrix, one for each term; the intercept is ``((), ())``.

    A factor v of a term T loses its reference level if T without v is empty or is contained in a preceding term;
    otherwise it keeps all its levels. Without an intercept the first factor of the formula keeps all its levels.

    Parameters
    ----------
    terms
        Terms without the intercept, in R's order.
    intercept
        Whether the model has an intercept.
    categorical
        The variables that are factors.

    Notes
    -----
    R counterpart: stats::model.matrix, as described by Chambers and Hastie (1992), chapter 2. The rule is not always
    of full rank: ``~ a:b`` gets an intercept and all cells.
    """
    blocks: list[Block] = [((), ())] if intercept else []
    spanned = intercept
    for place, term in enumerate(terms):
        parts = []
        for variable in term:
            margin = set(term) - {variable}
            full = variable in categorical and bool(margin) and not any(margin <= set(t) for t in terms[:place])
            if variable in categorical and not spanned:
                full = spanned = True
            parts.append((variable, full))
        blocks.append((term, tuple(parts)))
    return blocks


def code_columns(blocks: Sequence[Block], components: Mapping[str, Component], n: int) -> CodedMatrix:
    """Return the columns of the blocks, shape (n, q), with their names; the first variable of a term varies fastest."""
    compare = ((), ()) in blocks  # DESeq2 writes '_vs_' only in designs with an intercept
    coded = [column for block in blocks for column in _block_columns(block, components, n, compare)]
    return CodedMatrix(
        matrix=np.stack([column.values for column in coded], axis=1) if coded else np.empty((n, 0)),
        columns=tuple(column.column for column in coded),
        names=tuple(column.name for column in coded),
        terms=tuple(column.term for column in coded),
        cells=tuple(column.cell for column in coded),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    values: FloatArray
    column: str
    name: str
    term: Term
    cell: tuple[tuple[str, str], ...]


def _block_columns(block: Block, components: Mapping[str, Component], n: int, compare: bool) -> list[_Column]:
    """Return the columns of one block."""
    term, parts = block
    if not parts:
        return [_Column(np.ones(n), "(Intercept)", result_name("(Intercept)"), (), ())]
    pieces = [components[name] for name, _ in parts]
    places = [_label_places(piece, full) for piece, (_, full) in zip(pieces, parts, strict=True)]
    chosen = (combination[::-1] for combination in itertools.product(*places[::-1]))
    main = pieces[0] if compare and len(pieces) == 1 and pieces[0].categorical and not parts[0][1] else None
    return [_column(term, pieces, combination, main) for combination in chosen]


def _label_places(piece: Component, full: bool) -> range:
    """Return the positions of the labels that get a column."""
    return range(1 if piece.categorical and not full else 0, len(piece.labels))


def _column(term: Term, pieces: Sequence[Component], chosen: Sequence[int], main: Component | None) -> _Column:
    """Return the product of one column of each component; `main` is the factor of a main effect."""
    values = np.prod([piece.values[:, place] for piece, place in zip(pieces, chosen, strict=True)], axis=0)
    labels = [piece.labels[place] for piece, place in zip(pieces, chosen, strict=True)]
    shown = [piece.shown[place] for piece, place in zip(pieces, chosen, strict=True)]
    column, name = (
        ":".join(piece.name + label for piece, label in zip(pieces, each, strict=True)) for each in (labels, shown)
    )
    level = (main.name, shown[0], main.shown[0]) if main else None
    cell = tuple((piece.name, label) for piece, label in zip(pieces, labels, strict=True) if piece.categorical)
    return _Column(values, column, result_name(name, level=level), term, cell)


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """The encoding of the columns of a model matrix, for the samples and for any other rows.

    Attributes
    ----------
    blocks
        The blocks of columns.
    names
        Factors, numeric variables and expressions of the terms.
    levels
        Levels of each factor; the first is the reference.
    expressions
        The expressions by name, with the parameters learnt from the samples.
    """

    blocks: Sequence[Block]
    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    expressions: Mapping[str, LearntExpression]

    def code(self, rows: pd.DataFrame) -> CodedMatrix:
        """Return the columns, shape (m, q), of m rows of levels of the factors and values of the numbers."""
        components = {name: self._component(name, rows) for name in self.names}
        return code_columns(self.blocks, components, len(rows))

    def _component(self, name: str, rows: pd.DataFrame) -> Component:
        if name in self.expressions:
            learnt = self.expressions[name]
            return Component(name, learnt.replay(rows), learnt.suffixes, categorical=False)
        if name in self.levels:
            return factor_component(name, self._codes(name, rows), self.levels[name])
        values = rows[name].to_numpy(dtype=np.float64)[:, None]
        return Component(name, values, ("",), categorical=False)

    def _codes(self, factor: str, rows: pd.DataFrame) -> IntArray:
        places = {level: place for place, level in enumerate(self.levels[factor])}
        return np.array([places[level] for level in rows[factor]], dtype=np.int64)

    def matrix(self, rows: pd.DataFrame) -> FloatArray:
        """Return the values of `code`."""
        return self.code(rows).matrix
