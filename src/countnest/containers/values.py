"""Validation of count values, with advice on invalid ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.matrix import CountMatrix
from countnest.errors import CountsError, counted, listing, warn
from countnest.remedies import advised

__all__ = ["MOST_LOG2", "checked_values"]

_CHUNK_SIZE = 1 << 18  # 2 MB of float64: a chunk and its temporaries stay in a core's cache
# From here on float64 does not hold every whole number: a larger count would have been rounded.
TOO_LARGE = 2.0**53
# A row is told from a gene by being the sum of so many others; with fewer it may be one by chance.
_SUMMANDS = 5


def _chunks(counts: CountMatrix) -> Iterator[tuple[slice, FloatArray]]:
    n_genes, n = counts.shape
    step = max(1, _CHUNK_SIZE // n)
    for start in range(0, n_genes, step):
        rows = slice(start, min(start + step, n_genes))
        yield rows, counts.read(rows)


def checked_values(counts: CountMatrix, genes: pd.Index, samples: pd.Index, advice: Callable[[], str]) -> BoolArray:
    """Check all values and return which genes (G,) have a count.

    Parameters
    ----------
    counts, genes, samples
        Counts (G, n) with their labels.
    advice
        Returns a sentence to add where values are not counts, such as where other counts are.

    Raises
    ------
    CountsError
        Values are missing, infinite, negative, not whole or too large to be exact; all are zero, in a sample or
        everywhere; a row is the sum of all others.
    """
    n_genes, n = counts.shape
    counted_genes, seen = np.zeros(n_genes, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    totals, largest, largest_gene = np.zeros(n), np.zeros(n), 0
    varies = False
    for rows, chunk in _chunks(counts):
        if not np.all((np.floor(chunk) == chunk) & (chunk >= 0) & (chunk < TOO_LARGE)):
            _refuse_values(counts, genes, samples, advice)
        positive = chunk > 0
        seen |= positive.any(axis=0)
        counted_genes[rows] = positive.any(axis=1)
        varies = varies or bool(np.any(chunk != chunk[:, :1]))
        totals += chunk.sum(axis=0)
        first = int(np.argmax(chunk[:, 0]))
        if chunk[first, 0] > largest[0]:
            largest, largest_gene = chunk[first].copy(), rows.start + first
    if not seen.any():
        raise CountsError("all counts are zero; is this the right table?")
    if n_genes > 1 and not seen.all():  # zeros of a single gene say nothing about its samples
        empty = samples[~seen]
        raise CountsError(
            f"all counts are zero in {counted(len(empty), 'sample')}: {listing(empty)}; "
            "drop these samples from counts and from the sample sheet."
        )
    if not varies and n > 1:
        warn("all genes have equal values for all samples, so there is nothing to compare; are these raw counts?")
    if n > 1 and int(counted_genes.sum()) > _SUMMANDS:
        _refuse_sum(largest, totals, genes[largest_gene])
    return counted_genes


def _refuse_sum(row: FloatArray, totals: FloatArray, gene: str) -> None:
    """Raise if a row, the one with the largest counts, is the sum of all others."""
    if np.array_equal(2.0 * row, totals):
        remedy = advised(f"Drop it: counts.drop(index={gene!r}) with the genes in rows", "Delete it")
        raise CountsError(
            f"the row {gene!r} is the sum of all other rows in every sample, such as {row[0]:.0f} in the first: it is "
            f"a total, not a gene. {remedy}."
        )


# No log2 count is larger.
MOST_LOG2 = 60.0


class _Fault(NamedTuple):
    """A kind of invalid value, and what to do about it."""

    noun: str
    test: Callable[[FloatArray], BoolArray]
    remedy: str


_FAULTS = (
    _Fault("missing (NaN)", np.isnan, "Drop these genes or samples, or write 0 where nothing was counted."),
    _Fault("infinite", np.isinf, "Give the raw counts."),
    _Fault("negative", lambda x: x < 0, "Give raw counts, not log or batch-corrected values."),
    _Fault(
        "not whole",
        lambda x: np.floor(x) != x,
        "Round estimated counts, whatever the method{how}: that moves them by half a read at most, far "
        "less than chance does. Do not give normalized values, TPM or FPKM.",
    ),
    _Fault(
        "2**53 or more, where whole numbers are no longer exact",
        lambda x: x >= TOO_LARGE,
        "No gene has so many reads: is a column of identifiers or places among the counts?",
    ),
)


def _refuse_values(counts: CountMatrix, genes: pd.Index, samples: pd.Index, advice: Callable[[], str]) -> None:
    """Raise for the first kind of fault that occurs, naming the genes, the samples and one cell."""
    for noun, test, remedy in _FAULTS:
        in_gene, in_sample = np.zeros(len(genes), dtype=np.bool_), np.zeros(len(samples), dtype=np.bool_)
        total, points, largest = 0, _Points(), 0.0
        for rows, chunk in _chunks(counts):
            bad = test(chunk)
            total += int(np.count_nonzero(bad))
            in_gene[rows] = bad.any(axis=1)
            in_sample |= bad.any(axis=0)
            points.look_at(chunk[bad])
            largest = max(largest, float(chunk.max(initial=0.0)))
        if total:
            remedy = remedy.format(how=advised(", e.g. counts.round()", ""))
            g = int(np.argmax(in_gene))
            values = counts.read(slice(g, g + 1))[0]
            j = int(np.argmax(test(values)))
            if noun == "not whole" and points.may_be_thousands:
                then = advised("read the file with thousands='.'", "write the numbers without them")
                remedy += f" Or are the points thousands separators? Then {then}."
            elif noun == "not whole" and largest < MOST_LOG2 and total > len(genes) * len(samples) / 2:
                remedy += f" Or are these logarithms? No value reaches {MOST_LOG2:.0f}. Then give the counts."
            raise CountsError(
                f"{counted(total, 'count')} {'is' if total == 1 else 'are'} {noun}, in "
                f"{counted(int(in_gene.sum()), 'gene')} ({listing(genes[in_gene])}) and "
                f"{counted(int(in_sample.sum()), 'sample')} ({listing(samples[in_sample])}); for example gene "
                f"{genes[g]!r}, sample {samples[j]!r}: {float(values[j])}. {remedy}{advice()}"
            )


class _Points:
    """Whether numbers look like 1.234, with a point that may be a thousands separator."""

    def __init__(self) -> None:
        self._all_fit, self._some_have_three = True, False

    def look_at(self, values: FloatArray) -> None:
        """Look at some of the numbers."""
        fit = (values >= 1.0) & (values < 1000.0)
        inside = values[fit]
        self._all_fit = self._all_fit and bool(fit.all() and _have_decimals(inside, 3).all())
        self._some_have_three = self._some_have_three or not bool(_have_decimals(inside, 2).all())

    @property
    def may_be_thousands(self) -> bool:
        """Whether all numbers have one to three digits, a point and up to three digits, some of them three."""
        return self._all_fit and self._some_have_three


def _have_decimals(values: FloatArray, most: int) -> BoolArray:
    """Return the mask of the numbers below 1000 with at most this many decimals."""
    scaled = values * 10.0**most
    few: BoolArray = np.abs(scaled - np.round(scaled)) < 1e-6
    return few
