"""Hierarchical clustering of the rows of a table: their order in a heat map, and the tree beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float

__all__ = ["Tree", "distances_between", "tree_of"]

# Up to so many rows, the order of the leaves is the best one that the tree allows; the search takes the square of them.
_ORDERED: Final = 300
# Distances are compared to so many digits, so that rounding does not decide between equal ones.
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The tree of a clustering of k rows.

    Attributes
    ----------
    order : (k,)
        The rows in the order in which they are drawn.
    places : (k - 1, 4)
        The corners of the bracket of each merger along the rows, in steps between them; 0 is the first that is drawn.
    heights : (k - 1, 4)
        Of the same corners: the distance at which the two parts were merged, and those of the parts.
    """

    order: IntArray
    places: FloatArray
    heights: FloatArray


def distances_between(values: FloatArray) -> FloatArray:
    """Return the Euclidean distances between the rows of `values` (k, m), as k (k - 1) / 2 numbers.

    R counterpart: stats::dist
    """
    from scipy.spatial.distance import pdist

    return as_float(pdist(values))


def tree_of(distances: FloatArray) -> Tree:
    """Return the tree of complete linkage of `distances`, as `distances_between` returns them.

    Rows next to each other in the order are as similar as the tree allows, and the first row of the table is in the
    first half. A row alone has no tree.

    R counterpart: stats::hclust, whose order of the leaves is another one of those that the tree allows.

    References
    ----------
    Bar-Joseph, Gifford and Jaakkola (2001), doi:10.1093/bioinformatics/17.suppl_1.S22.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if not len(distances):
        return Tree(np.zeros(1, dtype=np.int64), np.empty((0, 4)), np.empty((0, 4)))
    size = round((1.0 + np.sqrt(1.0 + 8.0 * len(distances))) / 2.0)
    largest = float(distances.max()) or 1.0
    mergers = linkage(np.round(distances / largest, _DIGITS), "complete", optimal_ordering=size <= _ORDERED)
    order = leaves_list(mergers).astype(np.int64)
    if 2 * int(np.flatnonzero(order == 0)[0]) > size - 1:
        order = order[::-1].copy()
    return Tree(order, *_brackets(mergers, order, largest))


def _brackets(mergers: FloatArray, order: IntArray, unit: float) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the brackets of all mergers, places and heights."""
    size = len(order)
    place, height = np.zeros((2, 2 * size - 1))
    place[order] = np.arange(size)
    places, heights = np.empty((2, size - 1, 4))
    for number, (one, other, distance, _) in enumerate(mergers.tolist()):
        a, b = int(one), int(other)
        places[number] = place[a], place[a], place[b], place[b]
        heights[number] = height[a], unit * distance, unit * distance, height[b]
        place[size + number], height[size + number] = (place[a] + place[b]) / 2.0, unit * distance
    return places, heights
