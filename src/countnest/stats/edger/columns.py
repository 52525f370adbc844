"""A model matrix prepared for edgeR's fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.algebra.elimination import Plan
from countnest.stats.glm.structure import plan_elimination

__all__ = ["Columns"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A model matrix of full column rank.

    Attributes
    ----------
    matrix
        X, (n, p).
    rows
        (C, p) its distinct rows.
    of_sample
        (n,) the distinct row of each sample.
    plan
        How its normal equations are worked out: `kernels.algebra.elimination`.
    level
        (p,) the coefficients whose predictors are nearest to 1 in all samples.
    """

    matrix: FloatArray
    rows: FloatArray
    of_sample: IntArray
    plan: Plan
    level: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray) -> Self:
        """Return the columns of X (n, p)."""
        matrix = as_float(matrix)
        rows, of_sample = np.unique(matrix, axis=0, return_inverse=True)
        of_sample = as_int(of_sample.reshape(-1))
        level = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
        return cls(matrix, rows, of_sample, plan_elimination(rows, of_sample), as_float(level))

    @property
    def is_one_way(self) -> bool:
        """Whether there are as many distinct rows as columns, so that each group has a rate of its own."""
        n_rows, p = self.rows.shape
        return bool(n_rows == p)

    @property
    def residual_df(self) -> int:
        """Number of samples less that of columns, n - p."""
        n, p = self.matrix.shape
        return int(n - p)
