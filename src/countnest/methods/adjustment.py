"""Filtering and adjustment of the p-values of a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.inference.adjust import Adjustment, adjust, adjustment_name
from countnest.stats.inference.filter import FilterFunction, Filtering, filtered_by, independent_filtering

__all__ = ["MEAN", "Adjusted", "Adjuster", "least_mean"]

# The name of the filter statistic where none is given.
MEAN = "baseMean"
# Normalized counts of all samples together, below which cautious filtering leaves a gene out: with fewer counts a
# difference can hardly be seen.
LEAST_COUNTS = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Adjusted p-values and how they were made.

    Attributes
    ----------
    padj
        (G,) adjusted p-values.
    method
        The name of the method of adjustment, or of the function.
    statistic
        The name of the filter statistic.
    filtering
        The record of independent filtering; None where there was none.
    function
        The name of the function that filtered or weighted the p-values; None without one.
    """

    padj: FloatArray
    method: str
    statistic: str
    filtering: Filtering | None
    function: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Adjuster:
    """Options of the filtering and adjustment of p-values.

    Attributes
    ----------
    alpha
        The false discovery rate for which independent filtering is tuned.
    method
        The method of adjustment.
    independent_filtering
        Whether genes are left out where that finds more.
    statistic, statistic_name
        (G,) what genes are filtered by, and its name; None: their mean counts.
    thetas
        The fractions of genes that filtering tries to leave out, ascending; None: the usual ones.
    function
        Takes the place of filtering and adjustment; None: none.
    """

    alpha: float = 0.1
    method: Adjustment = "BH"
    independent_filtering: bool = True
    statistic: FloatArray | None = None
    statistic_name: str = MEAN
    thetas: FloatArray | None = None
    function: FilterFunction | None = None

    def without_filtering(self) -> Adjuster:
        """Return the options for genes that were filtered before: only by a statistic or function that was given."""
        if self.statistic is not None or self.function is not None:
            return self
        return replace(self, independent_filtering=False)

    def adjust(self, p_values: FloatArray, mean: FloatArray, *, least: float | None = None) -> Adjusted:
        """Return the adjusted p-values of genes with p-values and mean counts (G,).

        With `least`, genes are filtered cautiously, by mean counts from this one on where there are such genes; see
        `independent_filtering`.
        """
        method, name = adjustment_name(self.method), self.statistic_name
        statistic = mean if self.statistic is None else self.statistic
        if self.function is not None:
            padj, filtering = filtered_by(self.function, p_values, statistic, self.alpha)
            function = adjustment_name(self.function)
            return Adjusted(padj, function, name, filtering, function)
        if not self.independent_filtering:
            return Adjusted(adjust(p_values, self.method, alpha=self.alpha), method, name, None, None)
        if least is not None and not self._has_floor(p_values, mean, least):
            least = float(statistic.min())
        filtering = independent_filtering(p_values, statistic, self.alpha, self.method, thetas=self.thetas, least=least)
        return Adjusted(filtering.padj, method, name, filtering, None)

    def _has_floor(self, p_values: FloatArray, mean: FloatArray, least: float) -> bool:
        """Return whether cautious filtering begins at the mean count `least`.

        Not where the cutoffs are given, by a statistic or by fractions, nor where no gene would be left.
        """
        given = self.statistic is not None or self.thetas is not None
        return not given and bool(np.any(~np.isnan(p_values) & (mean >= least)))


def least_mean(n_samples: int) -> float:
    """Return the mean count from which cautious filtering keeps a gene: 50 counts in this number of samples."""
    return LEAST_COUNTS / n_samples
