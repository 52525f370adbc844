"""How the p-values of a table are filtered and adjusted, as the user asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.inputs import by_label, given_numbers
from countnest.arrays import FloatArray
from countnest.errors import OptionError, counted, listing
from countnest.stats.inference.adjust import Adjustment, adjust, adjustment_name, check_adjustment
from countnest.stats.inference.filter import FilterFunction, Filtering, filtered_by, independent_filtering

__all__ = ["MEAN", "Adjusted", "Adjuster"]

# The name of the filter statistic where none is given.
MEAN = "baseMean"


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
    """What the user asked for; the attributes are arguments of `DESeqDataSet.results`."""

    alpha: float
    p_adjust: Adjustment = "BH"
    independent_filtering: bool = True
    filter: object = None
    theta: object = None
    filter_fun: FilterFunction | None = None

    def check(self) -> None:
        """Raise `OptionError` where a value cannot be used, or two exclude each other."""
        check_adjustment(self.p_adjust)
        if self.filter_fun is not None:
            if not callable(self.filter_fun):
                raise OptionError(
                    f"filter_fun={self.filter_fun!r} must be a function of p-values, filter statistics and alpha that "
                    "returns adjusted p-values."
                )
            if self.theta is not None or self.p_adjust != "BH":
                raise OptionError("filter_fun makes the adjusted p-values itself; leave out theta and p_adjust.")
        elif not self.independent_filtering and (self.filter is not None or self.theta is not None):
            raise OptionError("filter and theta are of use only with independent_filtering=True, or with filter_fun.")
        _thetas(self.theta)

    def adjust(self, p_values: FloatArray, mean: FloatArray, genes: pd.Index) -> Adjusted:
        """Return the adjusted p-values of genes with p-values and mean counts (G,)."""
        method = adjustment_name(self.p_adjust)
        statistic, name = (mean, MEAN) if self.filter is None else _statistic(self.filter, genes)
        if self.filter_fun is not None:
            padj, filtering = filtered_by(self.filter_fun, p_values, statistic, self.alpha)
            function = adjustment_name(self.filter_fun)
            return Adjusted(padj, function, name, filtering, function)
        if not self.independent_filtering:
            return Adjusted(adjust(p_values, self.p_adjust, alpha=self.alpha), method, name, None, None)
        thetas = _thetas(self.theta)
        filtering = independent_filtering(p_values, statistic, self.alpha, self.p_adjust, thetas=thetas)
        return Adjusted(filtering.padj, method, name, filtering, None)


def _thetas(values: Any) -> FloatArray | None:  # noqa: ANN401 (a number or a sequence of them)
    """Return fractions of genes, ascending and distinct."""
    if values is None:
        return None
    try:
        thetas = np.unique(np.atleast_1d(given_numbers(values, "theta", OptionError)))
    except OptionError:
        thetas = np.empty(0)
    if not thetas.size or not bool(((thetas >= 0) & (thetas <= 1)).all()):
        raise OptionError(
            f"theta={values!r} must be fractions of genes to leave out, numbers from 0 to 1, such as "
            "np.linspace(0, 0.95, 50)."
        )
    return thetas


def _statistic(values: Any, genes: pd.Index) -> tuple[FloatArray, str]:  # noqa: ANN401 (Series, mapping, array)
    """Return a filter statistic (G,) in the order of the genes, and its name; a Series or dict is matched by label."""
    if isinstance(values, Mapping):
        values = pd.Series(values)
    name = "filter"
    if isinstance(values, pd.Series):
        name = name if values.name is None else str(values.name)
        if not isinstance(values.index, pd.RangeIndex):
            values = by_label(values, genes, "gene", "filter", OptionError)
    numbers = given_numbers(values, "filter", OptionError)
    if numbers.shape != (len(genes),):
        raise OptionError(f"filter must be one number for each of the {len(genes)} genes; got shape {numbers.shape}.")
    unusable = genes[~np.isfinite(numbers)]
    if len(unusable):
        raise OptionError(
            f"filter is missing or infinite for {counted(len(unusable), 'gene')}: {listing(unusable)}. "
            "Give every gene a number; genes with small numbers are left out first."
        )
    return numbers, name
