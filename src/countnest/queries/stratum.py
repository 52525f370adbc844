"""Strata: does a question compare what happens within blocks, or the blocks themselves."""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.design.design import Design
from countnest.queries.estimable import sample_weights

__all__ = ["Stratum", "block_indicators", "strata"]

Stratum = Literal["within", "between", "none"]

# A sum over a block is zero when it is so within this fraction.
TOLERANCE = 1e-8


def block_indicators(design: Design, factors: tuple[str, ...]) -> FloatArray:
    """Return the indicators of the cells of some factors, shape (n, number of cells)."""
    codes: IntArray = np.stack([design.codes(name) for name in factors])
    _, cell = np.unique(codes, axis=1, return_inverse=True)
    return np.eye(int(cell.max()) + 1)[cell.ravel()]


def strata(design: Design, matrix: FloatArray, compared: frozenset[str]) -> tuple[Stratum, ...]:
    """Return for each contrast whether it is answered from within the blocks.

    Within: adding a constant to all samples of any block changes nothing. Blocks whose own levels are compared count
    by the cells of their parents: families of one group may be compared with each other.

    Parameters
    ----------
    design
        The design, with p coefficients.
    matrix
        Contrasts, shape (k, p).
    compared
        The factors whose levels are compared by name.

    Returns
    -------
    tuple
        'within', 'between', or 'none' for a design without blocks.
    """
    if not design.nesting.blocks:
        nothing: tuple[Stratum, ...] = ("none",)
        return nothing * len(matrix)
    weights = sample_weights(design, matrix)
    between = np.zeros(len(matrix), dtype=bool)
    for block in design.nesting.blocks:
        own = block[-1] in compared
        factors = design.nesting.parents(block[-1]) if own else block
        if factors:
            shift = np.abs(weights @ block_indicators(design, factors)).max(axis=1, initial=0.0)
            between |= shift >= TOLERANCE * np.abs(weights).max(axis=1, initial=0.0)
    found: list[Stratum] = ["between" if is_between else "within" for is_between in between]
    return tuple(found)
