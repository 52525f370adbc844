"""Samples in blocks, such as those of one patient, whose residuals are correlated. G genes, n samples, b blocks.

The correlation matrix has `correlation` between samples of a block. With w the weights of a gene, the covariance of its
samples is W^-1/2 C W^-1/2, and what least squares needs of its inverse are sums over samples and over blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float

__all__ = ["Blocks"]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The block of each sample, as numbers from 0 (n,), and the correlation within blocks."""

    of_sample: IntArray
    correlation: float

    @property
    def membership(self) -> FloatArray:
        """(n, b) 1 where a sample is in a block."""
        return as_float(self.of_sample[:, np.newaxis] == np.arange(self.of_sample.max() + 1))

    @property
    def least_correlation(self) -> float:
        """The correlation above which the correlation matrix is positive definite."""
        largest = int(np.bincount(self.of_sample).max())
        return -1.0 / (largest - 1) if largest > 1 else -1.0

    def shares(self, present: BoolArray) -> FloatArray:
        """Return the shares (G, b) of the squared sums over blocks to be subtracted, with the samples `present` (G, n).

        C^-1 is (I - share J) / (1 - correlation) within a block.
        """
        size = present.astype(np.float64) @ self.membership
        return as_float(self.correlation / (1.0 + (size - 1.0) * self.correlation))

    def whitened(self, values: FloatArray, present: BoolArray | None = None) -> FloatArray:
        """Return C^-1/2 times the columns of `values` (m, k), of the m samples that are `present` (n,)."""
        member = self.membership if present is None else self.membership[present]
        size = np.maximum(member.sum(axis=0), 1.0)
        mean = member @ ((member.T @ values) / size[:, np.newaxis])
        shared = 1.0 / np.sqrt(1.0 + (size - 1.0) * self.correlation)
        return as_float((values - mean) / np.sqrt(1.0 - self.correlation) + (member @ shared)[:, np.newaxis] * mean)
