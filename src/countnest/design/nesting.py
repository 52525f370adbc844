"""How two factors relate in the samples: the same partition, one nested in the other, or crossed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import IntArray

__all__ = ["Relation", "empty_cells", "relation"]

Relation = Literal["same", "nested", "nests", "crossed"]


def relation(left: IntArray, right: IntArray) -> Relation:
    """Return how the factor `left` relates to the factor `right`.

    Parameters
    ----------
    left, right
        Level of each sample, shape (n,).

    Returns
    -------
    str
        'same': each level of one meets one level of the other; 'nested': each level of `left` meets one level of
        `right`, which has fewer; 'nests': the reverse; 'crossed': anything else.
    """
    cells = len(np.unique(np.stack([left, right]), axis=1).T)
    left_determines = cells == len(np.unique(left))
    right_determines = cells == len(np.unique(right))
    if left_determines and right_determines:
        return "same"
    if left_determines:
        return "nested"
    return "nests" if right_determines else "crossed"


def empty_cells(left: IntArray, right: IntArray) -> list[tuple[int, int]]:
    """Return the pairs of levels of `left` and `right`, codes of shape (n,), that no sample has."""
    present = set(zip(left.tolist(), right.tolist(), strict=True))
    pairs = [(a, b) for a in sorted(set(left.tolist())) for b in sorted(set(right.tolist()))]
    return [pair for pair in pairs if pair not in present]
