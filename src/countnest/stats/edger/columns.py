"""A model matrix prepared for edgeR's fits."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, as_int
from countnest.kernels.algebra.elimination import Plan
from countnest.stats.glm.standard import Standard, standardize
from countnest.stats.glm.structure import plan_elimination

__all__ = ["Columns", "independent_columns", "without_samples"]

# A column whose length falls below this fraction of its own, without what earlier columns have, depends on them.
DEPENDENT = 1e-7


def independent_columns(matrix: FloatArray) -> IntArray:
    """Return the columns of X (n, p) that do not depend on earlier ones, in their order.

    Notes
    -----
    R counterpart: the pivot of qr(X), up to its rank.
    """
    basis = np.empty((min(matrix.shape), len(matrix)))
    kept: list[int] = []
    for k, column in enumerate(matrix.T):
        if len(kept) == len(basis):
            break
        known, rest = basis[: len(kept)], column
        for _ in range(2):  # twice is enough against rounding
            rest = rest - known.T @ (known @ rest)
        length = float(np.linalg.norm(rest))
        if length > DEPENDENT * float(np.linalg.norm(column)):
            basis[len(kept)] = rest / length
            kept.append(k)
    return np.array(kept, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A model matrix of full column rank.

    Attributes
    ----------
    matrix
        X, (n, p).
    rows
        (C, p) its distinct rows.
    samples, first
        (n,) the samples, one distinct row after the other, and where each begins, (C + 1,).
    plan
        How its normal equations are worked out: `kernels.algebra.elimination`.
    level
        (p,) the coefficients whose predictors are nearest to 1 in all samples.
    working
        The same model in units that searches cope with, and how its coefficients become those of X; None: X is so.
    """

    matrix: FloatArray
    rows: FloatArray
    samples: IntArray
    first: IntArray
    plan: Plan
    level: FloatArray
    working: tuple[Self, Standard] | None = None

    @classmethod
    def of(cls, matrix: FloatArray) -> Self:
        """Return the columns of X (n, p)."""
        standard = standardize(as_float(matrix))
        working = None if standard is None else (cls._of(standard.matrix), standard)
        return replace(cls._of(matrix), working=working)

    @classmethod
    def _of(cls, matrix: FloatArray) -> Self:
        matrix = as_float(matrix)
        rows, of_sample = np.unique(matrix, axis=0, return_inverse=True)
        of_sample = as_int(of_sample.reshape(-1))
        level = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
        samples = as_int(np.argsort(of_sample, kind="stable"))
        first = as_int(np.searchsorted(of_sample[samples], np.arange(len(rows) + 1)))
        return cls(matrix, rows, samples, first, plan_elimination(rows, of_sample), as_float(level))

    def searched(self, *, as_given: bool) -> Self:
        """Return the columns in which coefficients are searched: those of X, as in R, or the working ones."""
        return self if as_given or self.working is None else self.working[0]

    @property
    def is_one_way(self) -> bool:
        """Whether there are as many distinct rows as columns, so that each group has a rate of its own."""
        n_rows, p = self.rows.shape
        return bool(n_rows == p)

    @property
    def of_sample(self) -> IntArray:
        """(n,) which of the distinct rows each sample has."""
        found = np.empty(len(self.samples), dtype=np.int64)
        found[self.samples] = np.repeat(np.arange(len(self.rows)), np.diff(self.first))
        return found

    @property
    def residual_df(self) -> int:
        """Number of samples less that of columns, n - p."""
        n, p = self.matrix.shape
        return int(n - p)


def without_samples(columns: Columns, samples: BoolArray) -> Columns | None:
    """Return the columns without some samples (n,): those that are independent of earlier ones there.

    None where no residual degrees of freedom remain.
    """
    return _without(columns, samples.tobytes())


@functools.lru_cache(maxsize=256)
def _without(columns: Columns, samples: bytes) -> Columns | None:
    rest = columns.matrix[~np.frombuffer(samples, dtype=np.bool_)]
    rest = rest[:, independent_columns(rest)]
    n, p = rest.shape
    return Columns.of(rest) if n > p else None
