"""Counts by the cells of a question, with the means of the model: what is drawn, of one gene or of all.

G genes, n samples, C cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.design.design import Design
from countnest.design.levels.order import as_factor
from countnest.errors import OptionError, kind_of, listing, suggestion
from countnest.options import names_given
from countnest.plots.counts import DesignedStudy
from countnest.queries.query import Query
from countnest.queries.rows import NamedCell

if TYPE_CHECKING:
    from countnest.containers.result_set import ResultsSet

__all__ = ["Axes", "FittedStudy", "MeansQuery", "StudyCells", "axes_of_design", "axes_of_query", "study_cells"]

_NORMAL_95: Final = 1.959964
# Methods whose means are logarithms of mean normalized counts.
_OF_COUNTS: Final = ("DESeq2", "negative binomial mixed model", "Poisson mixed model")


class MeansQuery(Protocol):
    """The part of a query for means of cells that is used."""

    @property
    def cells(self) -> Sequence[Sequence[NamedCell]]:
        """The cell of each row."""

    def __getitem__(self, key: Sequence[int]) -> Self:
        """Return some of the rows."""

    def test(
        self, *, fit: str | None, allow_fixed_blocks: bool, confint: float | None, independent_filtering: bool
    ) -> Results | ResultsSet:
        """Return the mean of every gene and its standard error, log2, as fold change and lfcSE."""


class FittedStudy(DesignedStudy, Protocol):
    """The part of a fitted data set that is used."""

    def counts(self, *, normalized: bool) -> pd.DataFrame:
        """Return the counts, genes x samples."""

    def means(self, by: Sequence[str], *, at: Mapping[str, Any]) -> MeansQuery:
        """Ask for the log2 mean of each cell of some factors."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The factors that make the cells.

    Attributes
    ----------
    x
        The factor on the axis.
    by
        The factors whose levels stand side by side.
    at
        Values of numbers at which means are taken.
    cells
        The cells that a query names, each the levels of its factors; None: all.
    """

    x: str
    by: tuple[str, ...] = ()
    at: tuple[tuple[str, str], ...] = ()
    cells: frozenset[frozenset[tuple[str, str]]] | None = None

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors, that of the axis last."""
        return (*self.by, self.x)


@dataclass(frozen=True, slots=True, eq=False)
class StudyCells:
    """The cells of a question, their samples, and the means of the model.

    Attributes
    ----------
    axes
        The factors that make the cells.
    x_levels, by_levels
        The levels of the factor on the axis; those of the others, put together: 'treat1 B'.
    samples
        By sample: `x` and `by`, the numbers of their levels, -1 for samples that are in no cell; `block`, a text or
        None.
    block_name
        What a block is called.
    cells
        By cell: `x`, `by` and `samples`, their number.
    counts
        (G, n) normalized counts.
    mean, low, high
        (G, C) means of the model and 95 % intervals, as normalized counts, or of models of logarithms as powers of two;
        missing for genes that were not fitted. Where no sample of a cell has a count the mean is 0, without interval.
    is_log
        Whether the means are those of logarithms.
    """

    axes: Axes
    x_levels: list[str]
    by_levels: list[str]
    samples: pd.DataFrame
    block_name: str
    cells: pd.DataFrame
    counts: pd.DataFrame
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    is_log: bool


def axes_of_query(design: Design, query: object) -> Axes:
    """Return the factors and the cells that a query names: those it compares, then those it is asked by or at."""
    if not isinstance(query, Query):
        raise OptionError(f"query= takes what dds.effect(), dds.query() and so on return; got {kind_of(query)}.")
    if query.design is not design:
        raise OptionError("query= is of another data set, or was made before the design was set; make it again.")
    cells = [dict(cell.levels) for row in query.cells for cell in row]
    if not cells:
        raise OptionError(f"the query {listing(query.labels)} names no cells: give x=, and by= or by=None.")
    names = list(dict.fromkeys(name for cell in cells for name in cell))
    if any(set(cell) != set(names) for cell in cells):
        raise OptionError(
            f"the rows of the query {listing(query.labels)} name cells of different factors: give one of its rows, or "
            "x=, and by= or by=None."
        )
    places = [(name, value) for part in query.parts for name, value in part.place if name not in design.levels]
    if len(set(places)) > len(dict(places)):
        raise OptionError(
            f"the query {listing(query.labels)} takes means at several values of {listing(dict(places))}: give one of "
            "its rows."
        )
    compared = [name for name in names if name in query.compared] or names
    blocks = [*design.nesting.blocks, *(term.factors for term in design.random)]
    own = [name for name in compared if any(varies_within(design.sheet, name, block) for block in blocks)]
    x = own[0] if len(own) == 1 else compared[-1]
    kept = frozenset(frozenset(cell.items()) for cell in cells)
    return Axes(x, tuple(name for name in names if name != x), tuple(dict(places).items()), kept)


def axes_of_design(design: Design, by: str | None) -> Axes:
    """Return the factors to draw of a design; `by` is the second if it was given."""
    blocks = [*design.nesting.blocks, *(term.factors for term in design.random)]
    groups = {name for block in design.nesting.blocks for name in block[-1:]} | {
        name for term in design.random for name in term.factors
    }
    factors = [name for name in design.levels if name not in groups]
    pairs = [term for term in design.full.terms if len(term) == 2 and set(term) <= set(factors)]
    if len(factors) > 2 and len(pairs) == 1:
        factors = list(pairs[0])
    if by is not None and by not in factors:
        return Axes(factors[-1] if factors else by, (by,))  # the question about means refuses it
    factors = [name for name in factors if name != by]
    if not 1 <= len(factors) <= (2 if by is None else 1):
        which = listing(factors) if factors else "none"
        raise OptionError(
            f"give x=, and by= or by=None: the design '{design.formula}' has the factors {which} to draw."
        )
    if len(factors) == 1:
        return Axes(factors[0], () if by is None else (by,))
    own = [name for name in factors if any(varies_within(design.sheet, name, block) for block in blocks)]
    x = own[0] if len(own) == 1 else factors[1]
    return Axes(x, (factors[0] if x == factors[1] else factors[1],))


def varies_within(sheet: pd.DataFrame, name: str, block: Sequence[str]) -> bool:
    """Return whether a factor has several levels within some block."""
    both = [*dict.fromkeys([*block, name])]
    return name not in block and len(sheet[both].drop_duplicates()) > len(sheet[list(block)].drop_duplicates())


def study_cells(dds: FittedStudy, axes: Axes, block: str | Sequence[str] | None, fit: str | None) -> StudyCells:
    """Return the cells of some factors with their samples, and the means of the model for every gene.

    Parameters
    ----------
    dds
        The fitted data set.
    axes
        The factors, of `axes_of_query` or `axes_of_design`.
    block
        The columns of the sample sheet that tell the blocks; None: the blocks of the design, or the groups of its first
        random term.
    fit
        The name of the fit; None: the last one.

    Raises
    ------
    OptionError, ContrastError
        A column that is not there, a factor that the design lacks, a fit whose means are on another scale.
    """
    moving, fixed = _moving(axes)
    means = dds.means(moving, at={**fixed, **{name: float(value) for name, value in axes.at}})
    named = [dict(cell.levels) for (cell,) in means.cells]
    if axes.cells is not None:
        kept = [k for k, cell in enumerate(named) if frozenset(cell.items()) in axes.cells]
        if not kept:
            raise OptionError("the means of the cells of the query cannot be estimated one by one; give x= and by=.")
        means, named = means[kept], [named[k] for k in kept]
    samples, x_levels, by_levels, places = _placed(dds.samples, axes, named)
    samples["block"], block_name = _blocks(dds, block)
    inside = _inside(samples, places)
    cells = pd.DataFrame(places, columns=["x", "by"]).assign(samples=inside.sum(axis=0))
    answer = means.test(
        fit=fit, allow_fixed_blocks=True, confint=None if fit is None else 0.95, independent_filtering=False
    )
    parts = [answer] if isinstance(answer, Results) else list(answer.parts.values())
    counts = dds.counts(normalized=True)
    found = [_interval(part) for part in parts]
    mean, low, high = (np.stack([each[which] for each in found], axis=1) for which in range(3))
    empty = (counts.to_numpy(np.float64) > 0).astype(np.float64) @ inside < 0.5
    empty &= cells["samples"].to_numpy() > 0
    mean[empty], low[empty], high[empty] = 0.0, np.nan, np.nan
    is_log = not _is_of_counts(parts[0].info)
    return StudyCells(axes, x_levels, by_levels, samples, block_name, cells, counts, mean, low, high, is_log)


def _moving(axes: Axes) -> tuple[list[str], dict[str, str]]:
    """Return the factors whose levels differ between cells, and the levels of the others."""
    if axes.cells is None:
        return list(axes.factors), {}
    levels = {name: {dict(cell)[name] for cell in axes.cells} for name in axes.factors}
    moving = [name for name in axes.factors if len(levels[name]) > 1] or [axes.x]
    return moving, {name: next(iter(levels[name])) for name in axes.factors if name not in moving}


def _placed(
    sheet: pd.DataFrame, axes: Axes, cells: Sequence[Mapping[str, str]]
) -> tuple[pd.DataFrame, list[str], list[str], IntArray]:
    """Return the places of the samples, the levels that cells have of both axes, and the places of the cells (C, 2)."""
    order = {name: [str(level) for level in as_factor(sheet[name]).cat.categories] for name in axes.factors}
    x_levels = [level for level in order[axes.x] if any(cell[axes.x] == level for cell in cells)]
    groups = sorted(
        {tuple(cell[name] for name in axes.by) for cell in cells},
        key=lambda group: [order[name].index(level) for name, level in zip(axes.by, group, strict=True)],
    )
    places = np.array(
        [[x_levels.index(cell[axes.x]), groups.index(tuple(cell[name] for name in axes.by))] for cell in cells],
        dtype=np.int64,
    ).reshape(-1, 2)
    text = {name: as_factor(sheet[name]).astype(str) for name in axes.factors}
    own = list(zip(*(text[name] for name in axes.by), strict=True)) if axes.by else [()] * len(sheet)
    known = {(int(x), int(by)) for x, by in places}
    rows = [
        (x_levels.index(x) if x in x_levels else -1, groups.index(group) if group in groups else -1)
        for x, group in zip(text[axes.x], own, strict=True)
    ]
    samples = pd.DataFrame([row if row in known else (-1, -1) for row in rows], sheet.index, ["x", "by"])
    by_levels = [", ".join(f"{n} {level}" for n, level in zip(axes.by, group, strict=True)) for group in groups]
    return samples, x_levels, by_levels, places


def _inside(samples: pd.DataFrame, places: IntArray) -> FloatArray:
    """Return which samples lie in which cells, (n, C), as ones and zeros."""
    own = samples[["x", "by"]].to_numpy(np.int64)
    return as_float((own[:, None] == places[None]).all(axis=2).astype(np.float64))


def _blocks(dds: FittedStudy, block: str | Sequence[str] | None) -> tuple[list[str | None], str]:
    """Return a label for the block of each sample, None in a study without blocks; and what a block is called."""
    sheet = dds.samples
    if block is None:
        blocks = [*dds.design.nesting.blocks, *(term.factors for term in dds.design.random)]
        names = list(blocks[0]) if blocks else []
    else:
        names = names_given("block", block)
    for name in names:
        if name not in sheet:
            raise OptionError(f"block: the sample sheet has no column '{name}'.{suggestion(name, sheet.columns)}")
    if not names:
        return [None] * len(sheet), "block"
    labels: list[str | None] = ["\t".join(map(str, row)) for row in sheet[names].itertuples(index=False)]
    return labels, names[0] if len(names) == 1 else "block"


def _interval(part: Results) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return means and limits (G,) of one cell, as counts."""
    table = part.table
    mean, se = (as_float(table[name].to_numpy(np.float64)) for name in ("log2FoldChange", "lfcSE"))
    ends = [mean, mean - _NORMAL_95 * se, mean + _NORMAL_95 * se]
    if "ciLower" in table:
        ends[1:] = [as_float(table[name].to_numpy(np.float64)) for name in ("ciLower", "ciUpper")]
    with np.errstate(over="ignore"):
        first, low, high = (as_float(np.exp2(each)) for each in ends)
    return first, low, high


def _is_of_counts(info: ResultsInfo) -> bool:
    """Return whether means are logarithms of mean counts, not means of logarithms; refuse those on another scale."""
    if info.method in _OF_COUNTS:
        return True
    if (info.estimate or "").endswith("of log2 normalized counts"):
        return False
    raise OptionError(
        f"plot_interaction draws normalized counts, and means of a fit by {info.method} "
        f"({info.estimate or 'of log2 counts per million'}) are on another scale: take a fit by DESeq2's method, by "
        "cn.glmm, or by cn.lmm with values='log2'."
    )
