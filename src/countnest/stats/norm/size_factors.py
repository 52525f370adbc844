"""Size factors by the median of ratios, and what they do to counts.

Source: Anders and Huber (2010), doi:10.1186/gb-2010-11-10-r106.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import NormalizationError
from countnest.options import SizeFactorType

__all__ = ["base_mean", "base_variance", "check_factors", "estimate_size_factors", "normalized_counts"]


def estimate_size_factors(counts: FloatArray, kind: SizeFactorType = "ratio") -> FloatArray:
    """Return the size factors (n,) of counts (G, n).

    s_j = exp(median over genes of log K_ij - log geometric mean_i), over genes with K_ij > 0 and a finite mean.
    "ratio" takes the geometric mean over all samples, so only genes without a zero count; "poscounts" sums the logs of
    the positive counts, divides by the number of samples, and rescales the size factors to geometric mean 1.

    Raises
    ------
    NormalizationError
        If no gene qualifies.

    Notes
    -----
    R counterpart: DESeq2::estimateSizeFactors(type=).
    """
    log_counts = _log(counts)
    if kind == "poscounts":
        positive = counts > 0
        # through the geometric mean itself and back, as it would be given: the last bit depends on it
        totals = as_float(np.where(positive, log_counts, 0.0).sum(axis=1, dtype=np.longdouble))
        log_means = np.log(np.exp(totals / counts.shape[1]))
        log_means[~positive.any(axis=1)] = -np.inf
    else:
        log_means = _row_mean(log_counts)
    usable = np.isfinite(log_means)
    if not usable.any():
        raise NormalizationError(
            "every gene contains at least one zero, cannot compute log geometric means. "
            "Use size_factor_type='poscounts', which takes the positive counts only, or give size factors."
        )
    factors = np.exp(_median_ratios(log_counts, log_means, usable))
    if kind == "poscounts":
        factors /= np.exp(float(np.log(factors).mean(dtype=np.longdouble)))
    return factors


def _log(counts: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(counts)


def _row_mean(values: FloatArray) -> FloatArray:
    """Return row means, summed in the longest float there is: the last bits decide ties of later steps."""
    total = values.sum(axis=1, dtype=np.longdouble)
    return as_float(total / values.shape[1])


def _median_ratios(log_counts: FloatArray, log_means: FloatArray, usable: BoolArray) -> FloatArray:
    log_factors = np.empty(log_counts.shape[1])
    for j in range(log_counts.shape[1]):
        kept = usable & np.isfinite(log_counts[:, j])
        if not kept.any():
            raise NormalizationError(
                f"sample number {j + 1} has no positive count in the genes that have a geometric mean, "
                "so it has no size factor. Remove the sample, or give size factors."
            )
        log_factors[j] = np.median(log_counts[kept, j] - log_means[kept])
    return log_factors


def normalized_counts(counts: FloatArray, factors: FloatArray) -> FloatArray:
    """Return counts (G, n) divided by factors: (1, n) size factors or (G, n) normalization factors."""
    return counts / factors


def base_mean(normalized: FloatArray) -> FloatArray:
    """Return the mean (G,) of normalized counts (G, n)."""
    return _row_mean(normalized)


def base_variance(normalized: FloatArray) -> FloatArray:
    """Return the unbiased variance (G,) of normalized counts (G, n)."""
    n = normalized.shape[1]
    mean = _ordered_row_sum(normalized) / n
    variance: FloatArray = _ordered_row_sum((normalized - mean[:, np.newaxis]) ** 2) / (n - 1)
    return variance


def _ordered_row_sum(values: FloatArray) -> FloatArray:
    """Return row sums (G,), each summed from the first to the last entry."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total


def check_factors(factors: FloatArray, what: str) -> None:
    """Raise `NormalizationError` unless all factors are finite and positive; `what` names them in the message."""
    bad = ~(np.isfinite(factors) & (factors > 0))
    if bad.any():
        raise NormalizationError(
            f"{what} must be finite and greater than 0; {bad.sum()} of {bad.size} are not, such as {factors[bad][0]}."
        )
