"""How far two analyses of the same question agree, gene by gene: calls, ranks and fold changes.

Sources: Jaccard (1901), doi:10.5169/seals-266450; Spearman (1904), doi:10.2307/1412159; normal scores of ranks: van der
Waerden (1952), doi:10.1016/S1385-7258(52)50063-5. G genes; missing values are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, as_int
from countnest.stats.gene_sets.ranks import average_ranks

__all__ = [
    "CallAgreement",
    "ChangeAgreement",
    "RankAgreement",
    "call_agreement",
    "change_agreement",
    "order_of",
    "pearson",
    "rank_agreement",
    "ranks_by_p",
    "score_difference",
    "spearman",
]


@dataclass(frozen=True, slots=True)
class CallAgreement:
    """Numbers of genes that are called, among those that at least one analysis tested.

    Attributes
    ----------
    both, only_first, only_second, neither
        Genes called by both analyses, by one of them, and by none.
    """

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def jaccard(self) -> float:
        """Genes called by both, over genes called by at least one; NaN where none is called."""
        called = self.both + self.only_first + self.only_second
        return self.both / called if called else math.nan


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """Agreement of the order of genes.

    Attributes
    ----------
    n_genes
        Genes with p-values in both analyses.
    p_values, statistics
        Spearman's correlation of p-values, and of statistics; NaN where it has no meaning.
    overlap
        By N: how many genes the first N of both analyses, by p-value, have in common.
    """

    n_genes: int
    p_values: float
    statistics: float
    overlap: dict[int, int]


@dataclass(frozen=True, slots=True)
class ChangeAgreement:
    """Agreement of log2 fold changes, of genes with finite estimates and p-values in both analyses.

    Attributes
    ----------
    n_genes
        These genes.
    spearman, pearson
        Correlations; NaN where they have no meaning.
    slope
        Of the least squares line of the second analysis over the first.
    median_difference, median_absolute_difference
        Medians over genes of the second less the first, and of its absolute value, log2.
    sign_changes
        Genes called by at least one analysis, whose fold changes have opposite signs.
    """

    n_genes: int
    spearman: float
    pearson: float
    slope: float
    median_difference: float
    median_absolute_difference: float
    sign_changes: int


def call_agreement(called: tuple[BoolArray, BoolArray], tested: BoolArray) -> CallAgreement:
    """Count the genes (G,) that two analyses call; `tested` are those that at least one of them tested."""
    first, second = called
    masks = (first & second, first & ~second, second & ~first, tested & ~first & ~second)
    return CallAgreement(*(int(np.count_nonzero(mask)) for mask in masks))


def rank_agreement(
    p_values: tuple[FloatArray, FloatArray],
    statistics: tuple[FloatArray, FloatArray] | None,
    firsts: Sequence[int] = (10, 100, 1000),
) -> RankAgreement:
    """Compare the order of genes by p-values (G,), ties by larger absolute statistics, and by statistics (G,).

    `firsts` are the lengths of lists that are compared; those beyond the number of genes are left out. The lists have
    genes with p-values in both analyses.
    """
    there = ~np.isnan(p_values[0]) & ~np.isnan(p_values[1])
    n_genes = int(np.count_nonzero(there))
    p_first, p_second = (each[there] for each in p_values)
    stat_first, stat_second = (np.full(n_genes, np.nan),) * 2 if statistics is None else (s[there] for s in statistics)
    first, second = order_of(p_first, stat_first), order_of(p_second, stat_second)
    overlap = {n: len(np.intersect1d(first[:n], second[:n])) for n in firsts if n <= n_genes}
    return RankAgreement(n_genes, spearman(p_first, p_second), spearman(stat_first, stat_second), overlap)


def change_agreement(
    changes: tuple[FloatArray, FloatArray], used: BoolArray, called: tuple[BoolArray, BoolArray]
) -> ChangeAgreement:
    """Compare log2 fold changes (G,) of the genes `used`, and their signs where either analysis calls the gene."""
    used = used & np.isfinite(changes[0]) & np.isfinite(changes[1])
    first, second = (each[used] for each in changes)
    difference = second - first
    flipped = (called[0] | called[1])[used] & (first * second < 0)
    some = bool(len(first))
    return ChangeAgreement(
        n_genes=len(first),
        spearman=spearman(first, second),
        pearson=pearson(first, second),
        slope=_slope(first, second),
        median_difference=float(np.median(difference)) if some else math.nan,
        median_absolute_difference=float(np.median(np.abs(difference))) if some else math.nan,
        sign_changes=int(np.count_nonzero(flipped)),
    )


def ranks_by_p(p_values: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return the ranks (G,) of genes by the p-values of two analyses, 1 the smallest; equal ones get their mean rank.

    Genes without p-values in both have no rank, NaN.
    """
    there = ~np.isnan(p_values[0]) & ~np.isnan(p_values[1])
    first, second = np.full((2, len(there)), np.nan)
    if there.any():
        first[there], second[there] = (average_ranks(each[there])[0] for each in p_values)
    return first, second


def score_difference(p_values: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return by how much further ahead the second analysis has each gene (G,), in normal scores of ranks by p-value.

    The best of n genes has the score of the 1 / (n + 1) quantile of a normal distribution with its sign reversed, so
    that a step at the top of a list counts more than one in the middle. NaN for genes without p-values in both.
    """
    first, second = ranks_by_p(p_values)
    n = np.count_nonzero(~np.isnan(first))
    return as_float(ndtri(first / (n + 1.0)) - ndtri(second / (n + 1.0)))


def order_of(p_values: FloatArray, statistics: FloatArray) -> IntArray:
    """Return the places of genes (G,) from the smallest p-value on, ties by the larger absolute statistic."""
    return as_int(np.lexsort((-np.abs(statistics), p_values)))


def spearman(first: FloatArray, second: FloatArray) -> float:
    """Return Spearman's correlation of values (G,), NaN where some are missing or do not vary."""
    if len(first) < 2 or np.isnan(first).any() or np.isnan(second).any():
        return math.nan
    return pearson(average_ranks(first)[0], average_ranks(second)[0])


def pearson(first: FloatArray, second: FloatArray) -> float:
    """Return Pearson's correlation of values (G,), NaN where they do not vary."""
    x, y = _centred(first), _centred(second)
    scale = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(x @ y) / scale if scale > 0 else math.nan


def _slope(first: FloatArray, second: FloatArray) -> float:
    x, y = _centred(first), _centred(second)
    square = float(x @ x)
    return float(x @ y) / square if square > 0 else math.nan


def _centred(values: FloatArray) -> FloatArray:
    return as_float(values - values.mean()) if len(values) else values
