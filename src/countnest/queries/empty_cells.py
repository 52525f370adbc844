"""Genes without counts in what a query compares, whose fold changes are 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.arrays import BoolArray
from countnest.queries.cells import in_cell
from countnest.queries.query import Query
from countnest.queries.rows import NamedCell

__all__ = ["compared_samples"]

# Weights of cells that sum to less than this compare the cells; others describe a mean.
NO_WEIGHT = 1e-8


def compared_samples(query: Query) -> BoolArray:
    """Return the samples (k, n) that decide whether a gene has counts in what each row of a query compares.

    A gene without counts in all of them is called unchanged: its fold change is 0. No sample is chosen if the rule does
    not apply. For a row that compares cells they are the samples of these cells. For a row of coefficients, by R's
    rule, they are the samples described by the coefficients, if the weights have both signs; for two levels of a
    factor, the samples of these levels.
    """
    design = query.design
    chosen = np.zeros((len(query), len(design.sheet)), dtype=np.bool_)
    for row, part, vector in zip(chosen, query.parts, query.matrix, strict=True):
        named = [dict(cell.levels) for cell in part.cells if cell.weight and cell.levels]
        if part.zero_samples is not None:
            row |= part.zero_samples
        elif not named and vector.min() < 0 < vector.max():
            row |= design.matrix @ (vector != 0) != 0
        elif named and _compares(part.cells):
            row |= np.logical_or.reduce([in_cell(design, levels) for levels in named])
    return chosen


def _compares(cells: Sequence[NamedCell]) -> bool:
    """Tell whether the weights of cells sum to zero."""
    return abs(sum(cell.weight for cell in cells)) < NO_WEIGHT
