"""The record of a random term, for n samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.protected import set_state

__all__ = ["RandomTerm", "same_terms"]


@dataclass(frozen=True, slots=True, eq=False)
class RandomTerm:
    """One random term of a design: the coefficients of some columns vary between the levels of a grouping factor.

    The k coefficients of a level may be correlated; independent ones are several terms.

    Attributes
    ----------
    label
        The term without parentheses: '1 | family', '0 + time | subject'.
    factors
        The columns of the sample sheet that make the grouping factor.
    codes
        (n,) the level of each sample, as a number from 0 on; every number occurs.
    levels
        The levels: those of the column, or the combinations that occur, as 'a:b'.
    columns
        (n, k) the columns whose coefficients vary: ones for an intercept.
    names
        The names of the k coefficients, as those of the fixed part would be: 'Intercept', 'treat2_E_vs_None'.
    """

    label: str
    factors: tuple[str, ...]
    codes: IntArray
    levels: tuple[str, ...]
    columns: FloatArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Make the arrays read-only: fits and files rely on them."""
        self.codes.flags.writeable = False
        self.columns.flags.writeable = False

    __setstate__ = set_state

    @property
    def group(self) -> str:
        """The name of the grouping factor: 'family', 'site:plot'."""
        return ":".join(self.factors)

    @property
    def sizes(self) -> IntArray:
        """(levels,) the number of samples of each level."""
        return np.bincount(self.codes, minlength=len(self.levels)).astype(np.int64)

    @property
    def has_intercept(self) -> bool:
        """Whether one of the columns is constant."""
        return bool((np.ptp(self.columns, axis=0) == 0).any())

    @property
    def matrix(self) -> FloatArray:
        """(n, levels * k) the model matrix of the random effects: the k columns of the first level, then the next."""
        n, k = self.columns.shape
        out = np.zeros((n, len(self.levels), k))
        out[np.arange(n), self.codes] = self.columns
        return out.reshape(n, -1)


def same_terms(one: Sequence[RandomTerm], other: Sequence[RandomTerm]) -> bool:
    """Tell whether two designs of the same samples have the same random terms."""
    return len(one) == len(other) and all(
        (a.label, a.levels, a.names) == (b.label, b.levels, b.names)
        and np.array_equal(a.codes, b.codes)
        and np.array_equal(a.columns, b.columns)
        for a, b in zip(one, other, strict=True)
    )
