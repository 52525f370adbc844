"""Genes without counts in what a query compares: fold changes of 0, and estimates at the boundary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.design.design import Design
from countnest.queries.cells import in_cell
from countnest.queries.query import Query
from countnest.queries.rows import NamedCell, Row

__all__ = ["EmptyRule", "empty_rule"]

# Weights of cells that sum to less than this compare the cells; others ask for a mean.
NO_WEIGHT = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class EmptyRule:
    """The sets of samples whose counts are needed, and what it means for each of k rows when they are all zero.

    Attributes
    ----------
    samples
        The m sets of samples, shape (m, n).
    zero
        For each row the places of sets: the fold change is 0 where all of them are without counts; never if empty.
    boundary
        For each row the places of sets: the estimate is at the boundary where any of them is without counts.
    """

    samples: BoolArray
    zero: tuple[tuple[int, ...], ...]
    boundary: tuple[tuple[int, ...], ...]

    def apply(self, empty: BoolArray) -> tuple[BoolArray, BoolArray]:
        """Return which genes have a fold change of 0 and which are at the boundary, shape (G, k) both.

        `empty` says for which genes and sets, shape (G, m), all counts are zero, as they were observed.
        """
        zero, boundary = np.zeros((2, len(empty), len(self.zero)), dtype=np.bool_)
        for i, (every, some) in enumerate(zip(self.zero, self.boundary, strict=True)):
            if every:
                zero[:, i] = empty[:, every].all(axis=1)
            boundary[:, i] = empty[:, some].any(axis=1) & ~zero[:, i]
        return zero, boundary


def empty_rule(query: Query) -> EmptyRule:
    """Return which samples decide that a gene has no counts in what each row of a query compares.

    A row that names cells: the fold change is 0 where all cells are empty, and at the boundary where some are, or
    some of the cells that they are made of. A row of coefficients, by R's rule: the fold change is 0 where the samples
    that the coefficients describe are empty, if they have weights of both signs; for two levels of a factor the samples
    of these levels.
    """
    design, matrix = query.design, query.matrix
    samples: list[BoolArray] = []
    zero, boundary = [], []
    for part, vector in zip(query.parts, matrix, strict=True):
        every, some = _row_sets(design, part, vector)
        zero.append(_added(samples, every))
        boundary.append(_added(samples, some))
    sets = np.reshape(samples, (len(samples), len(design.sheet))).astype(np.bool_)
    return EmptyRule(sets, tuple(zero), tuple(boundary))


def _added(samples: list[BoolArray], sets: Sequence[BoolArray]) -> tuple[int, ...]:
    """Add sets of samples to a list and return their places."""
    samples += sets
    return tuple(range(len(samples) - len(sets), len(samples)))


def _row_sets(design: Design, part: Row, vector: FloatArray) -> tuple[list[BoolArray], list[BoolArray]]:
    """Return the sets of samples all of which, and any of which, have to be empty."""
    if part.zero_samples is not None:
        return [part.zero_samples], []
    named = [dict(cell.levels) for cell in part.cells if cell.weight and cell.levels]
    if not named:
        return _by_coefficients(design, vector), []
    finer = [each for levels in named for each in _within(design, levels)]
    every = [in_cell(design, levels) for levels in named] if _compares(part.cells) else []
    return every, [in_cell(design, levels) for levels in finer]


def _compares(cells: Sequence[NamedCell]) -> bool:
    """Tell whether the weights of cells sum to zero."""
    return abs(sum(cell.weight for cell in cells)) < NO_WEIGHT


def _by_coefficients(design: Design, vector: FloatArray) -> list[BoolArray]:
    """Return the samples that the coefficients of a two-sided contrast describe; none for a one-sided one."""
    if vector.min() >= 0 or vector.max() <= 0:
        return []
    samples: BoolArray = design.matrix @ (vector != 0) != 0
    return [samples] if samples.any() else []


def _within(design: Design, levels: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the cells that make up a cell, by the factors that the model lets interact with those it names."""
    blocks = {block[-1] for block in design.nesting.blocks}
    others = [
        name
        for name in design.levels
        if name not in levels
        and name not in blocks
        and any(name in term and not levels.keys().isdisjoint(term) for term in design.full.terms)
    ]
    rows = design.sheet.loc[in_cell(design, levels), others].astype(str).drop_duplicates()
    found = [dict(zip(others, row, strict=True)) for row in rows.to_numpy().tolist()]
    return [{**levels, **each} for each in found] if others else [dict(levels)]
