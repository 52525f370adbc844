"""Exact test of two groups: the sum of one, given the sum of both, in libraries of one size. G genes.

Source: Robinson and Smyth (2008), doi:10.1093/biostatistics/kxm030.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.stats.edger.one_group import fit_one_group
from countnest.stats.edger.pseudo import common_library, with_common_library

__all__ = ["ExactTest", "exact_test"]

LN2 = float(np.log(2.0))
PRIOR_COUNT = 0.125
# Where both sums exceed this, the share of the first is taken as beta.
LARGE = 900.0
# Probabilities of the binomial test that are equal but for rounding.
EQUAL = 1.0 + 1e-7
# Numbers in the table of terms of genes that are summed together.
BLOCK = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class ExactTest:
    """Fold changes, log2, of the second group over the first, shrunken by a prior count, and p-values, (G,) each."""

    lfc: FloatArray
    p_value: FloatArray


def exact_test(
    counts: tuple[FloatArray, FloatArray],
    library: tuple[FloatArray, FloatArray],
    dispersion: FloatArray,
    prior_count: float = PRIOR_COUNT,
) -> ExactTest:
    """Return exact tests of equal means in two groups.

    Parameters
    ----------
    counts, library
        Counts (G, n) and effective library sizes (n,) of either group.
    dispersion
        (G,) negative binomial dispersions.
    prior_count
        What is added to the counts for the fold changes.

    Notes
    -----
    R counterpart: edgeR::exactTest(rejection.region = "doubletail").
    """
    n1, n2 = len(library[0]), len(library[1])
    both, libraries = np.concatenate(counts, axis=1), np.concatenate(library)
    added = prior_count * libraries / libraries.mean()
    rates = [
        fit_one_group(y + added[part], size + 2.0 * added[part], dispersion)
        for y, size, part in zip(counts, library, (slice(n1), slice(n1, None)), strict=True)
    ]
    pseudo = with_common_library(both, libraries, dispersion, common_library(libraries))
    sums = pseudo[:, :n1].sum(axis=1), pseudo[:, n1:].sum(axis=1)
    return ExactTest((rates[1] - rates[0]) / LN2, _p_values(sums, (n1, n2), dispersion))


def _p_values(sums: tuple[FloatArray, FloatArray], sizes: tuple[int, int], dispersion: FloatArray) -> FloatArray:
    """Return p-values (G,) of sums (G,) of pseudo-counts of groups of these sizes."""
    found = np.ones(len(dispersion))
    first, second = (np.maximum(np.round(each), 0.0) for each in sums)
    binomial = (dispersion <= 0.0) & (first + second > 0)
    large = (dispersion > 0.0) & (first > LARGE) & (second > LARGE)
    small = (dispersion > 0.0) & ~large & (first + second > 0)
    found[large] = _beta_p(sums[0][large], sums[1][large], sizes, dispersion[large])
    found[small] = _double_tail(first[small], second[small], sizes, dispersion[small])
    for g in np.flatnonzero(binomial):
        found[g] = _binomial_p(float(first[g]), float(second[g]), sizes)
    return found


def _double_tail(first: FloatArray, second: FloatArray, sizes: tuple[int, int], dispersion: FloatArray) -> FloatArray:
    """Return twice the smaller tail of the first sum given both, which has a beta-binomial distribution."""
    n1, n2 = sizes
    expected = (first + second) * n1 / (n1 + n2)
    low = first < expected
    tail, other = np.where(low, first, second), np.where(low, second, first)
    own, rest = np.where(low, n1, n2) / dispersion, np.where(low, n2, n1) / dispersion
    logs = np.full(len(first), 0.0)
    order = np.argsort(tail, kind="stable")
    begin = 0
    while begin < len(order):  # genes with about as many terms are summed together
        count = max(int(BLOCK // (tail[order[min(begin + 1000, len(order) - 1)]] + 1)), 1)
        part = order[begin : begin + min(count, 1000)]
        logs[part] = _log_tail(tail[part], tail[part] + other[part], own[part], rest[part])
        begin += len(part)
    return np.where(first == expected, 1.0, np.minimum(1.0, 2.0 * np.exp(logs)))


def _log_tail(last: FloatArray, total: FloatArray, own: FloatArray, rest: FloatArray) -> FloatArray:
    """Return the log probabilities (k,) of a sum up to `last`, given the `total` of both; shapes `own`, `rest`."""
    x = np.arange(int(last.max()) + 1.0)
    some = x <= last[:, np.newaxis]
    left = np.where(some, total[:, np.newaxis] - x, 0.0)
    logs = _log_ways(x, own[:, np.newaxis]) + _log_ways(left, rest[:, np.newaxis])
    logs = np.where(some, logs - _log_ways(total, own + rest)[:, np.newaxis], -np.inf)
    largest = logs.max(axis=1)
    return as_float(largest + np.log(np.exp(logs - largest[:, np.newaxis]).sum(axis=1)))


def _log_ways(x: FloatArray, shape: FloatArray) -> FloatArray:
    """Return log gamma(x + shape) / (gamma(shape) gamma(x + 1))."""
    gammaln = scipy.special.gammaln
    many = -scipy.special.betaln(np.maximum(x, 1.0), shape) - np.log(np.maximum(x, 1.0))
    return np.asarray(np.where(x > 0, many, gammaln(1.0)))


def _beta_p(first: FloatArray, second: FloatArray, sizes: tuple[int, int], dispersion: FloatArray) -> FloatArray:
    """Return p-values by the beta distribution of the share of the first sum."""
    n1, n2 = sizes
    total = first + second
    mean = total / (n1 + n2)
    a1 = n1 * mean / (1.0 + dispersion * mean)
    a2 = a1 * n2 / n1
    median = scipy.special.betaincinv(a1, a2, 0.5)
    up, down = (first + 0.5) / total, (first - 0.5) / total
    lower, upper = 2.0 * scipy.special.betainc(a1, a2, up), 2.0 * scipy.special.betaincc(a1, a2, down)
    return np.asarray(np.where(up < median, lower, np.where(down > median, upper, 1.0)))


def _binomial_p(first: float, second: float, sizes: tuple[int, int]) -> float:
    """Return the probability of all sums that are no likelier than this one, without dispersion."""
    total, share = first + second, sizes[0] / sum(sizes)
    x = np.arange(total + 1.0)
    choose = (
        scipy.special.gammaln(total + 1.0) - scipy.special.gammaln(x + 1.0) - scipy.special.gammaln(total - x + 1.0)
    )
    chance = np.exp(choose + x * np.log(share) + (total - x) * np.log1p(-share))
    return float(min(1.0, chance[_as_unlikely(chance, int(first))].sum()))


def _as_unlikely(chance: FloatArray, at: int) -> BoolArray:
    return np.asarray(chance <= chance[at] * EQUAL)
