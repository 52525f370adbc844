"""The grouping factors of the random terms of a design, and which of them are nested in others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from countnest.design.random.term import RandomTerm

__all__ = ["Grouping", "groupings"]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """A grouping factor with all that varies between its levels.

    Attributes
    ----------
    name
        Such as 'family' or 'site:plot'.
    codes
        (n,) the level of each sample.
    n_levels
        Number of levels.
    matrix
        (n, levels * k) the columns of all random terms of this factor, together k for each level.
    columns
        (n, k) the columns whose coefficients vary.
    """

    name: str
    codes: IntArray
    n_levels: int
    matrix: FloatArray
    columns: FloatArray

    @property
    def has_slopes(self) -> bool:
        """Whether several coefficients vary between the levels."""
        return bool(self.matrix.shape[1] > self.n_levels)

    def is_within(self, other: Grouping) -> bool:
        """Tell whether each level occurs in one level of another factor only."""
        pairs = np.unique(np.stack([self.codes, other.codes]), axis=1).shape[1]
        return bool(pairs == self.n_levels)

    def is_constant(self, columns: FloatArray) -> list[bool]:
        """Tell which of some columns (n, q) have one value in all samples of each level."""
        order = np.argsort(self.codes, kind="stable")
        first = np.flatnonzero(np.diff(self.codes[order], prepend=-1))
        spread = np.maximum.reduceat(columns[order], first) - np.minimum.reduceat(columns[order], first)
        scale = np.abs(columns).max(axis=0, initial=0.0)
        return [bool(same) for same in spread.max(axis=0, initial=0.0) <= 1e-12 * scale]


def groupings(terms: Sequence[RandomTerm]) -> tuple[Grouping, ...]:
    """Return the grouping factors of random terms, those with few levels first; terms of the same groups share one."""
    found: dict[bytes, list[RandomTerm]] = {}
    for term in terms:
        _, first, codes = np.unique(term.codes, return_index=True, return_inverse=True)
        key = np.argsort(np.argsort(first))[codes].tobytes()  # levels numbered by their first samples
        found.setdefault(key, []).append(term)
    made = [
        Grouping(
            own[0].group,
            own[0].codes,
            len(own[0].levels),
            np.hstack([term.matrix for term in own]),
            np.hstack([term.columns for term in own]),
        )
        for own in found.values()
    ]
    return tuple(sorted(made, key=lambda grouping: grouping.n_levels))
