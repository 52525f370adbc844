"""Normalization factors for composition: TMM and its like. G genes, n samples.

The effective library size of a sample is its library size times its factor; the factors of all samples have the
geometric mean 1.

Sources: TMM: Robinson and Oshlack (2010), doi:10.1186/gb-2010-11-3-r25; relative log expression: Anders and Huber
(2010), doi:10.1186/gb-2010-11-10-r106; upper quartile: Bullard et al. (2010), doi:10.1186/1471-2105-11-94.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.errors import NormalizationError
from countnest.options import check_option

__all__ = ["FactorMethod", "Trimming", "norm_factors"]

FactorMethod = Literal["TMM", "TMMwsp", "RLE", "upperquartile", "none"]

# Samples whose log ratios are all below this are alike, and the factor is 1.
ALIKE = 1e-6
# A median of upper quartiles below this is zero: most samples are empty there.
NO_QUARTILE = 1e-20
# Added to counts, to break ties between log ratios; and to weights and variances of TMMwsp.
TIE_PRIOR = 0.5
WEIGHT_PRIOR = 1e-6
# Samples that are read together.
BLOCK = 16


@dataclass(frozen=True, slots=True)
class Trimming:
    """What TMM leaves out of its means.

    Attributes
    ----------
    log_ratio, sum
        Fractions of the genes at either end of the log ratios, and of the average log abundances.
    least_abundance
        Genes with a lower average log2 abundance are left out.
    weighted
        Whether log ratios count by their precision.
    """

    log_ratio: float = 0.3
    sum: float = 0.05
    least_abundance: float = -1e10
    weighted: bool = True


class Sample(NamedTuple):
    """The sample that others are compared with.

    Attributes
    ----------
    counts, library
        (G,), and the library size.
    counted
        (G,) which genes have counts.
    share, log_share, variance
        (G,) the counts over the library size, its log2, and the relative variance of binomial counts; of no use where
        there are no counts.
    """

    counts: FloatArray
    library: float
    counted: BoolArray
    share: FloatArray
    log_share: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, counts: FloatArray, library: float) -> Sample:
        """Return the sample of counts (G,)."""
        counted = counts > 0
        some = np.where(counted, counts, library)
        share = some / library
        return cls(counts.copy(), float(library), counted, share, np.log2(share), (library - some) / library / some)


def norm_factors(
    counts: FloatArray,
    library: FloatArray | None = None,
    method: FactorMethod = "TMM",
    *,
    reference: int | None = None,
    trimming: Trimming | None = None,
    quantile: float = 0.75,
) -> FloatArray:
    """Return the normalization factors (n,) of counts (G, n).

    Parameters
    ----------
    library
        (n,) library sizes; None: the column sums.
    method
        "TMM": trimmed mean of log ratios to a reference sample; "TMMwsp": the same with pairs of zeros, for tables
        with many of them; "RLE": median ratio to the geometric mean; "upperquartile"; "none": all 1.
    reference
        The sample that others are compared with; None: the one whose upper quartile is nearest to their mean (TMM), or
        with the largest sum of square roots (TMMwsp).
    quantile
        Of "upperquartile", and of TMM's choice of the reference.

    Raises
    ------
    NormalizationError
        If a sample has no counts, or no factor.

    Notes
    -----
    R counterpart: edgeR::calcNormFactors.
    """
    check_option("method", method, FactorMethod)
    n = counts.shape[1]
    sizes = counts.sum(axis=0) if library is None else library
    if not np.all(sizes > 0):
        raise NormalizationError(
            f"sample number {int(np.flatnonzero(~(sizes > 0))[0]) + 1} has no counts, so it has no normalization "
            "factor. Remove it."
        )
    counted = counts.any(axis=1)
    counts = counts if counted.all() else counts[counted]
    if method == "none" or len(counts) == 0 or n == 1:
        return np.ones(n)
    if method in ("TMM", "TMMwsp"):
        chosen = _reference(counts, sizes, method, quantile) if reference is None else reference
        found = _ratios(counts, sizes, method, chosen, trimming or Trimming())
    elif method == "RLE":
        found = _relative_log_expression(counts) / sizes
    else:
        found = _column_quantiles(counts, quantile) / sizes
    if not np.all(found > 0):
        raise NormalizationError(
            f"method='{method}' gives sample number {int(np.flatnonzero(~(found > 0))[0]) + 1} the factor 0: most of "
            "its counts are 0. Use method='TMMwsp', or keep genes with counts only."
        )
    factors: FloatArray = found / np.exp(np.log(found).mean())
    return factors


def _column_quantiles(counts: FloatArray, quantile: float) -> FloatArray:
    place = quantile * (len(counts) - 1)
    below = min(int(place), len(counts) - 2) if len(counts) > 1 else 0
    share, found = place - below, np.empty(counts.shape[1])
    for begin, columns in _blocks(counts):
        low, high = np.sort(columns, axis=1)[:, [below, min(below + 1, len(counts) - 1)]].T
        found[begin : begin + len(columns)] = low + share * (high - low)
    return found


def _blocks(counts: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield the first of some samples, and their counts (k, G), which lie apart in memory until they are copied."""
    for begin in range(0, counts.shape[1], BLOCK):
        yield begin, counts[:, begin : begin + BLOCK].T.copy()


def _reference(counts: FloatArray, library: FloatArray, method: FactorMethod, quantile: float) -> int:
    if method == "TMM":
        upper = _column_quantiles(counts, quantile) / library
        if np.median(upper) >= NO_QUARTILE:
            return int(np.argmin(np.abs(upper - upper.mean())))
    return int(np.argmax(np.sqrt(counts).sum(axis=0)))


def _ratios(
    counts: FloatArray, library: FloatArray, method: FactorMethod, chosen: int, trimming: Trimming
) -> FloatArray:
    """Return the trimmed means (n,) of ratios to the chosen sample."""
    other = Sample.of(counts[:, chosen], library[chosen])
    ratio = _trimmed_mean if method == "TMM" else _trimmed_mean_of_pairs
    found = np.empty(len(library))
    for begin, columns in _blocks(counts):
        for j, column in enumerate(columns, begin):
            found[j] = ratio(column, float(library[j]), other, trimming)
    return found


def _trimmed_mean(y: FloatArray, n_y: float, other: Sample, trimming: Trimming) -> float:
    """Return the ratio of a sample, given as counts (G,) and library size, to the reference."""
    both = np.flatnonzero((y > 0) & other.counted)
    y = y[both]
    p = y / n_y
    log_ratio = np.log2(p / other.share[both])
    abundance = 0.5 * (np.log2(p) + other.log_share[both])
    used = abundance > trimming.least_abundance
    if not used.all():
        both, y, log_ratio, abundance = both[used], y[used], log_ratio[used], abundance[used]
    if not len(log_ratio) or np.abs(log_ratio).max() < ALIKE:
        return 1.0
    kept = np.flatnonzero(_middle(log_ratio, trimming.log_ratio) & _middle(abundance, trimming.sum))
    if not len(kept):
        return 1.0
    y, log_ratio = y[kept], log_ratio[kept]
    weights = np.ones(len(kept))
    if trimming.weighted:
        weights = 1.0 / ((n_y - y) / n_y / y + other.variance[both[kept]])
    return float(2.0 ** (np.sum(log_ratio * weights) / weights.sum()))


def _middle(values: FloatArray, fraction: float) -> BoolArray:
    """Return which values are not among that fraction at either end, by their ranks, averages among ties."""
    n = len(values)
    low = int(np.floor(n * fraction)) + 1
    high = n + 1 - low
    if low > high:
        return np.zeros(n, dtype=np.bool_)
    ends = np.sort(values)[[low - 1, high - 1]]  # faster than a partition
    within: BoolArray = (values > ends[0]) & (values < ends[1])
    for end in ends:  # whose ties have one rank, which may be too low or too high
        tied = values == end
        rank = np.count_nonzero(values < end) + 0.5 * (np.count_nonzero(tied) + 1.0)
        within |= tied & (low <= rank <= high)
    return within


def _within(places: FloatArray, fraction: float) -> BoolArray:
    """Return which places, from 1, are not among that fraction at either end."""
    low = np.floor(len(places) * fraction) + 1
    within: BoolArray = (places >= low) & (places <= len(places) + 1 - low)
    return within


def _trimmed_mean_of_pairs(y: FloatArray, n_y: float, other: Sample, trimming: Trimming) -> float:
    """Return the ratio as `_trimmed_mean`, with counts beside a zero paired by their order."""
    n_r = other.library
    y, r = _paired(y, other.counts)
    if not len(y):
        return 1.0
    p, q = y / n_y, r / n_r
    log_ratio, abundance = np.log2(p / q), 0.5 * np.log2(p * q)
    if np.abs(log_ratio).max() < ALIKE:
        return 1.0
    prior_ratio = np.log2((y + TIE_PRIOR) / (n_y + TIE_PRIOR) / ((r + TIE_PRIOR) / (n_r + TIE_PRIOR)))
    kept = _within(_places(np.lexsort((prior_ratio, log_ratio))), trimming.log_ratio)
    kept &= _within(_places(np.argsort(abundance, kind="stable")), trimming.sum)
    kept &= abundance > trimming.least_abundance
    if not kept.any():
        return 1.0
    variance = (1.0 - p[kept]) / p[kept] / n_y + (1.0 - q[kept]) / q[kept] / n_r
    weights = (1.0 + WEIGHT_PRIOR) / (variance + WEIGHT_PRIOR) if trimming.weighted else np.ones(len(variance))
    return float(2.0 ** (np.sum(log_ratio[kept] * weights) / weights.sum()))


def _paired(y: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the positive counts of two samples, then those beside a zero, as many as can be paired by their order."""
    only_y, only_r = y[(y > 0) & (r == 0)], r[(r > 0) & (y == 0)]
    n_pairs = min(len(only_y), len(only_r))
    largest = (np.sort(each)[::-1][:n_pairs] for each in (only_y, only_r))
    both = (y > 0) & (r > 0)
    first, second = largest
    return np.concatenate((y[both], first)), np.concatenate((r[both], second))


def _places(order: IntArray) -> FloatArray:
    """Return the place of each value, from 1 on, in an order of all."""
    places = np.empty(len(order))
    places[order] = np.arange(1.0, len(order) + 1.0)
    return places


def _relative_log_expression(counts: FloatArray) -> FloatArray:
    """Return the median ratios (n,) to geometric means, over the genes without a zero."""
    positive = counts[(counts > 0).all(axis=1)]
    if not len(positive):
        raise NormalizationError(
            "every gene has at least one zero, so method='RLE' has no geometric means. Use method='TMMwsp' or 'TMM'."
        )
    logs = np.log(positive)
    return as_float(np.median(positive / np.exp(logs.mean(axis=1))[:, np.newaxis], axis=0))
