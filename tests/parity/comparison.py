"""Differences between two sets of numbers for the same genes: missing values first, then sizes.

A relative difference is ``|here - there| / max(|there|, floor)``. The floor is the size below which a quantity is
taken as zero on its own scale, so that a log fold change of 1e-9 is not held to eight digits: a tenth of its
standard error for a log fold change, and so 0.1 for a Wald statistic.

P-values are compared by their logarithms, ``|log here - log there| / max(|log there|, 1)``: a relative difference for
p near 1, and the digits of the logarithm for small ones. A p-value of 1e-100 magnifies a relative difference of its
statistic 460 times; its logarithm doubles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

Scale = Literal["relative", "absolute", "logarithmic"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A named tolerance."""

    name: str
    value: float


IDENTICAL = Tolerance("identical", 0.0)
SAME_ARITHMETIC = Tolerance("same arithmetic", 1e-12)
SAME_ALGORITHM = Tolerance("same algorithm", 1e-8)
SAME_OPTIMUM = Tolerance("same optimum", 1e-6)
OTHER_OPTIMISER = Tolerance("other optimiser", 1e-4)
MOVED_TREND = Tolerance("trend moved by rounding", 1e-7)
ROUNDING = Tolerance("decided by rounding", 1e-3)
AMPLIFIED = Tolerance("other optimiser, amplified", 1e-2)

SMALLEST_P = 1e-300
SE_FRACTION = 0.1
"""A log fold change below this fraction of its standard error counts as zero."""
FLOORS = {
    "stat": SE_FRACTION,
    "cooks": 1e-3,
}
"""The size below which each quantity counts as zero; those not named here have no floor."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences of one quantity over the genes of one data set.

    Attributes
    ----------
    quantity : str
    tolerance : Tolerance
        What is asserted.
    target : Tolerance
        What is aimed at; the tolerance may be looser, with a reason.
    scale : {"relative", "absolute", "logarithmic"}
    compared : int
        Number of entries (genes; for a table of several columns still genes) present on both sides.
    largest : float
        The largest difference.
    worst : str
        The label of the largest difference, "" when all are zero.
    beyond : Series
        Differences above the target by label, the largest first.
    limits : Series, optional
        The tolerance of each label that has one of its own.
    missing_here, missing_there : tuple of str
        Labels with a value on one side only.
    reason : str
        Why the tolerance is looser than the target, if it is.
    """

    quantity: str
    tolerance: Tolerance
    target: Tolerance
    scale: Scale
    compared: int
    largest: float
    worst: str
    beyond: pd.Series = field(repr=False)
    limits: pd.Series | None = field(default=None, repr=False)
    missing_here: tuple[str, ...] = ()
    missing_there: tuple[str, ...] = ()
    reason: str = ""

    @property
    def outside(self) -> pd.Series:
        """Differences above the tolerance by label, the largest first."""
        if self.limits is None:
            return self.beyond[self.beyond > self.tolerance.value]
        return self.beyond[self.beyond > self.limits.reindex(self.beyond.index).fillna(self.tolerance.value)]

    @property
    def same_missing(self) -> bool:
        """Whether both sides miss the same values."""
        return not (self.missing_here or self.missing_there)

    @property
    def passed(self) -> bool:
        """Whether missing values agree and no difference is above the tolerance."""
        return self.same_missing and self.outside.empty

    def message(self, *, beyond: bool = False) -> str:
        """Say what differs by more than the tolerance (or the target), with the first five labels."""
        parts = []
        for labels, where in ((self.missing_here, "here"), (self.missing_there, "in the reference")):
            if labels:
                parts.append(f"{len(labels)} missing only {where}: {', '.join(labels[:5])}")
        differing, limit = (self.beyond, self.target) if beyond else (self.outside, self.tolerance)
        if len(differing):
            worst = ", ".join(f"{label} {value:.2g}" for label, value in differing.head().items())
            parts.append(
                f"{len(differing)} of {self.compared} beyond {limit.value:g} ({limit.name}, {self.scale}): {worst}"
            )
        return f"{self.quantity}: {'; '.join(parts) or 'as in the reference'}"


def differences(
    here: np.ndarray, there: np.ndarray, floor: float | np.ndarray = 0.0, scale: Scale = "relative"
) -> np.ndarray:
    """Return the difference of every entry; 0 for equal ones (infinite ones too), NaN where either is missing."""
    if scale == "logarithmic":
        there, here = (np.log(np.maximum(values, SMALLEST_P)) for values in (there, here))
        floor = 1.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        difference = np.abs(here - there)
        if scale != "absolute":
            difference = difference / np.maximum(np.abs(there), np.maximum(floor, np.finfo(float).tiny))
    difference[np.isnan(difference)] = np.inf
    difference[here == there] = 0.0
    difference[np.isnan(here) | np.isnan(there)] = np.nan
    return difference


def _frame(values: pd.Series | pd.DataFrame) -> pd.DataFrame:
    return (values.to_frame("value") if isinstance(values, pd.Series) else values).astype(float)


def compare(
    quantity: str,
    here: pd.Series | pd.DataFrame,
    there: pd.Series | pd.DataFrame,
    tolerance: Tolerance,
    *,
    target: Tolerance | None = None,
    floor: float | pd.Series | pd.DataFrame = 0.0,
    scale: Scale = "relative",
    rows: pd.Series | None = None,
    limits: pd.Series | None = None,
    reason: str = "",
) -> Comparison:
    """Compare two columns, or two tables of the same shape, label by label.

    Parameters
    ----------
    quantity : str
    here, there : Series or DataFrame
        Numbers or booleans. The labels must be the same, in any order; the columns are compared by position.
    tolerance : Tolerance
    target : Tolerance, optional
        What is aimed at, where it is stricter than the tolerance.
    floor : float, or of the shape of `there`
        The size below which a relative difference is taken relative to `floor`.
    scale : {"relative", "absolute", "logarithmic"}
    rows : Series of bool, optional
        The labels to compare; all without it.
    limits : Series, optional
        The tolerance of each label that has one of its own.
    reason : str
        Kept in the record.

    Raises
    ------
    ValueError
        If the labels or the numbers of columns differ, or no label has a value on either side.
    """
    theirs = _frame(there)
    ours = _frame(here)
    if not ours.index.equals(theirs.index):
        if not ours.index.sort_values().equals(theirs.index.sort_values()):
            raise ValueError(f"{quantity}: the labels are not the same")
        ours = ours.reindex(theirs.index)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"{quantity}: {ours.shape[1]} columns against {theirs.shape[1]}")
    floors = floor if isinstance(floor, float | int) else _frame(floor).reindex(theirs.index).fillna(0.0).to_numpy()
    if rows is not None:
        kept = rows.reindex(theirs.index).to_numpy(dtype=bool)
        ours, theirs = ours[kept], theirs[kept]
        floors = floors if isinstance(floors, float | int) else floors[kept]
    a, b = ours.to_numpy(), theirs.to_numpy()
    gone_here = (np.isnan(a) & ~np.isnan(b)).any(axis=1)
    gone_there = (np.isnan(b) & ~np.isnan(a)).any(axis=1)
    difference = differences(a, b, floors, scale)
    present = ~np.isnan(difference).all(axis=1)
    if not (present | gone_here | gone_there).any():
        raise ValueError(f"{quantity}: nothing is compared, for no label has a value on either side")
    by_row = pd.Series(np.fmax.reduce(difference[present], axis=1, initial=0.0), index=theirs.index[present])
    largest = float(by_row.max()) if len(by_row) else 0.0
    return Comparison(
        quantity=quantity,
        tolerance=tolerance,
        target=target or tolerance,
        scale=scale,
        compared=int(present.sum()),
        largest=largest,
        worst=str(by_row.idxmax()) if largest > 0 else "",
        beyond=by_row[by_row > (target or tolerance).value].sort_values(ascending=False),
        limits=limits,
        missing_here=tuple(map(str, theirs.index[gone_here])),
        missing_there=tuple(map(str, theirs.index[gone_there])),
        reason=reason,
    )


def compare_sets(quantity: str, here: pd.Series, there: pd.Series) -> Comparison:
    """Compare two sets given as booleans by label; a difference is 1."""
    return compare(quantity, here.astype(float), there.astype(float), IDENTICAL, scale="absolute")


def compare_missing(quantity: str, here: pd.Series | pd.DataFrame, there: pd.Series | pd.DataFrame) -> Comparison:
    """Compare which labels have no value at all; for a quantity of which the reference has none."""
    return compare_sets(quantity, _frame(here).isna().all(axis=1), _frame(there).isna().all(axis=1))


def adjusted_from(pvalue: pd.Series, padj: pd.Series) -> pd.Series:
    """Return the label of the gene from whose p-value each adjusted one stems, in the Benjamini-Hochberg adjustment.

    The adjusted p-value of a gene is the smallest of p n / rank over the genes from its rank on.
    """
    used = pvalue[padj.notna()].sort_values(ascending=False, kind="stable")
    n = len(used)
    scaled = used.to_numpy() * n / np.arange(n, 0, -1)
    lowest = np.minimum.accumulate(scaled)
    source = np.maximum.accumulate(np.where(scaled == lowest, np.arange(n), 0))
    return pd.Series(used.index.to_numpy()[source], index=used.index).reindex(padj.index)


def possible_thresholds(base_mean: pd.Series, pvalue: pd.Series, padj: pd.Series, grid: int = 50) -> np.ndarray:
    """Return the filter thresholds that the missing values of `padj` allow.

    DESeq2 tries `grid` quantiles of the mean count, from the share of zeros to 0.95. The one that it took is
    any of those which remove every gene with a p-value and without an adjusted one, and no gene with both.
    """
    mean = base_mean.to_numpy(dtype=float)
    lower = np.mean(mean == 0)
    cutoffs = np.quantile(mean, np.linspace(lower, 0.95 if lower < 0.95 else 1.0, grid))
    tested = pvalue.notna().to_numpy()
    kept = padj.notna().to_numpy()
    highest_removed = mean[tested & ~kept].max(initial=-np.inf)
    lowest_kept = mean[tested & kept].min(initial=np.inf)
    return cutoffs[(cutoffs > highest_removed) & (cutoffs <= lowest_kept)]


def compare_threshold(quantity: str, here: float, possible: np.ndarray, tolerance: Tolerance) -> Comparison:
    """Compare a filter threshold with the nearest of the possible ones."""
    if possible.size == 0:
        raise ValueError(f"{quantity}: no threshold explains the reference")
    nearest = possible[np.argmin(np.abs(possible - here))]
    label = ["threshold"]
    return compare(quantity, pd.Series([here], index=label), pd.Series([nearest], index=label), tolerance)
