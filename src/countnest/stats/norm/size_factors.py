"""Median-of-ratios size factors, and normalized counts.

The steps of `methods.normalization.estimate_size_factors`.

Source: Anders and Huber (2010), doi:10.1186/gb-2010-11-10-r106.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.errors import NormalizationError, called, listing
from countnest.remedies import advised

__all__ = [
    "Location",
    "RatioType",
    "base_mean",
    "base_variance",
    "check_factors",
    "log_geometric_means",
    "log_size_factors",
    "no_counts",
    "normalized_counts",
    "row_mean",
    "size_factors_from_logs",
    "usable_genes",
]

RatioType = Literal["ratio", "poscounts"]
# A function of log ratios, such as the median.
Location = Callable[[FloatArray], Any]


def usable_genes(log_means: FloatArray, control: BoolArray | None, *, given: bool) -> IntArray:
    """Return the indices of the genes with a geometric mean, among the `control` genes (G,) only if there are any.

    `log_means` (G,) are logs of geometric means; `given` says whether they were given.

    Raises
    ------
    NormalizationError
        If there is none.
    """
    usable = np.isfinite(log_means)
    if not usable.any():
        raise NormalizationError(
            "no gene has a geometric mean greater than 0 in geo_means."
            if given
            else "every gene contains at least one zero, cannot compute log geometric means. Use "
            + advised(
                "type='poscounts' (size_factor_type='poscounts' in deseq()), which takes the positive counts only, or "
                "give geo_means, or size factors. Counts of single cells are to be summed by sample first, with "
                "pseudobulk().",
                "--size-factor-type poscounts, which takes the positive counts only. Counts of single cells are to be "
                "summed by sample first.",
            )
        )
    if control is not None:
        usable &= control
        if not usable.any():
            raise NormalizationError(
                f"none of the {control.sum()} control genes has a geometric mean: each of them has a zero. Choose "
                "others, or use type='poscounts' or geo_means."
            )
    return np.flatnonzero(usable)


def size_factors_from_logs(log_factors: FloatArray, *, centered: bool) -> FloatArray:
    """Return size factors (n,) from their logs, checked."""
    factors = np.exp(log_factors)
    check_factors(factors, "size factors")
    if centered:
        factors /= np.exp(float(np.log(factors).mean(dtype=np.longdouble)))
    return factors


def log_geometric_means(counts: FloatArray, kind: RatioType = "ratio") -> FloatArray:
    """Return the log geometric means (G,) of counts (G, n); -inf where there is none.

    "ratio" takes the geometric mean over all samples, so only genes without a zero count have one; "poscounts" sums the
    logs of the positive counts and divides by the number of samples.
    """
    log_counts = _log(counts)
    if kind == "ratio":
        return row_mean(log_counts)
    positive = counts > 0
    # through the geometric mean itself and back, as it would be given: the last bit depends on it
    totals = as_float(np.where(positive, log_counts, 0.0).sum(axis=1, dtype=np.longdouble))
    log_means = np.log(np.exp(totals / counts.shape[1]))
    log_means[~positive.any(axis=1)] = -np.inf
    return as_float(log_means)


def _log(values: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(values)


def row_mean(values: FloatArray) -> FloatArray:
    """Return row means, summed in the longest float there is: the last bits decide ties of later steps."""
    total = values.sum(axis=1, dtype=np.longdouble)
    return as_float(total / values.shape[1])


def log_size_factors(by_sample: FloatArray, log_means: FloatArray, location: Location, first: int = 0) -> FloatArray:
    """Return the log size factors (s,) of some samples: the medians of their log ratios.

    Parameters
    ----------
    by_sample
        (s, m) counts of m genes, samples x genes.
    log_means
        (m,) logs of the geometric means of the genes.
    location
        In place of the median.
    first
        Number of samples before these, for messages.

    Raises
    ------
    NormalizationError
        If a sample has no positive count.
    """
    log_factors = np.empty(len(by_sample))
    for j, counts in enumerate(by_sample):
        positive = counts > 0
        if not positive.any():
            raise NormalizationError(
                f"sample number {first + j + 1} has no positive count in the genes that have a geometric mean, "
                "so it has no size factor. Remove the sample, or give size factors."
            )
        found = np.asarray(called(location, "locfunc", np.log(counts[positive]) - log_means[positive]))
        if found.dtype.kind not in "iuf":
            raise NormalizationError(
                f"the function of the log ratios (locfunc) must return a number; it returned type {found.dtype}."
            )
        if found.size != 1:
            raise NormalizationError(
                f"the function of the log ratios (locfunc) must return one number; it returned {found.size}."
            )
        log_factors[j] = found.item()
    return log_factors


def normalized_counts(counts: FloatArray, factors: FloatArray) -> FloatArray:
    """Return counts (G, n) divided by factors: (1, n) size factors or (G, n) normalization factors."""
    return counts / factors


def no_counts(counts: FloatArray) -> BoolArray:
    """Return the genes (G,) without any count."""
    empty: BoolArray = np.logical_not(np.any(counts, axis=1))
    return empty


def base_mean(normalized: FloatArray) -> FloatArray:
    """Return the mean (G,) of normalized counts (G, n)."""
    return row_mean(normalized)


def base_variance(normalized: FloatArray) -> FloatArray:
    """Return the unbiased variance (G,) of normalized counts (G, n); NaN for one sample."""
    n = normalized.shape[1]
    if n == 1:
        return np.full(len(normalized), np.nan)
    mean = _ordered_row_sum(normalized) / n
    variance: FloatArray = _ordered_row_sum((normalized - mean[:, np.newaxis]) ** 2) / (n - 1)
    return variance


def _ordered_row_sum(values: FloatArray) -> FloatArray:
    """Return row sums (G,), each summed from the first to the last entry."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total


def check_factors(factors: FloatArray, what: str, genes: Sequence[str] | None = None) -> None:
    """Raise `NormalizationError` unless all factors are finite and positive.

    `what` names them in the message, `genes` their rows.
    """
    bad = ~(np.isfinite(factors) & (factors > 0))
    if bad.any():
        rows = f", in {listing(genes[int(g)] for g in np.flatnonzero(bad.any(axis=1)))}" if genes is not None else ""
        raise NormalizationError(
            f"{what} must be finite and greater than 0; {bad.sum()} of {bad.size} are not, such as "
            f"{factors[bad][0]}{rows}."
        )
