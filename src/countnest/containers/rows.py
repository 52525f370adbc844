"""Rows of a count table that are not genes: reads without a gene, and totals."""

from __future__ import annotations

import re
import string
from itertools import product

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray
from countnest.containers.matrix import Chosen, CountMatrix, InMemory
from countnest.errors import CountsError, counted, listing, warn

__all__ = ["is_no_gene", "without_other_rows"]

# Labels are compared in lower case, without anything but letters and digits.
# Of STAR; of htseq-count, which wrote the names without underscores before version 0.6; of CITE-seq-Count.
_UNCOUNTED = {
    "nunmapped", "nmultimapping", "nnofeature", "nambiguous",
    "nofeature", "ambiguous", "toolowaqual", "notaligned", "alignmentnotunique",
    "unmapped", "unaligned", "multimapped",
}  # fmt: skip
_TOTALS = {
    "total", "totals", "totalcount", "totalcounts", "totalread", "totalreads", "totalumi", "totalumis", "grandtotal",
    "sum", "sums", "sumcounts", "colsum", "colsums", "columnsum", "columnsums", "columntotal", "columntotals",
    "librarysize", "librarysizes", "libsize", "libsizes", "ncounts", "ncountrna", "ngenes", "ngenesbycounts",
    "nfeaturerna", "sizefactor", "sizefactors", "mean", "average", "median",
}  # fmt: skip
_BEGINNINGS = {"_", "*", "x", "u", *(name[0] for name in _UNCOUNTED | _TOTALS)}  # most labels have another
_PAIRS = {"un", *(name[:2] for name in _UNCOUNTED | _TOTALS)}  # the first two letters or digits, of "unassigned_" too
_OTHER_PAIRS = {
    one + other
    for one, other in product(string.digits + string.ascii_letters, repeat=2)
    if (one + other).lower() not in _PAIRS
}
_ASSIGNED = "assigned"  # the first line of a summary of featureCounts, and no gene where nothing is one


def is_no_gene(label: str) -> bool:
    """Return whether a label is known to name reads without a gene, or a total.

    Spike-ins, such as ERCC-00002, are genes.
    """
    if label[:2] in _OTHER_PAIRS:
        return False
    text = label.strip().lower()
    if text[:1] not in _BEGINNINGS:
        return False
    if text == "*" or text.startswith(("__", "x__")):  # of samtools idxstats; of htseq-count, by R's make.names too
        return True
    if text.startswith("unassigned_"):  # of featureCounts
        return True
    plain = text if text.isalnum() else re.sub(r"[^a-z0-9]", "", text)
    return plain in _UNCOUNTED or plain in _TOTALS


def without_other_rows(matrix: CountMatrix, genes: pd.Index) -> tuple[CountMatrix, BoolArray]:
    """Return the counts (G, n) of rows that can be genes, and a mask of these; a warning names the others.

    Raises
    ------
    CountsError
        No row can be a gene, as in the summary of featureCounts.
    """
    apart = np.zeros(len(genes), dtype=np.bool_)
    for place, label in enumerate(genes.tolist()):
        if label[:2] not in _OTHER_PAIRS:  # few are
            apart[place] = is_no_gene(label)
    if not apart.any():
        return matrix, ~apart
    if all(label.lower() == _ASSIGNED for label in genes[~apart]):
        raise CountsError(
            f"no row of counts is a gene: {listing(genes)}. If this is the summary of featureCounts, give the table "
            "beside it, whose name is without '.summary'."
        )
    n_apart = int(apart.sum())
    warn(
        f"{counted(n_apart, 'row')} of counts {'is not a gene' if n_apart == 1 else 'are not genes'}, but reads "
        f"without a gene or a total, and {'is' if n_apart == 1 else 'are'} left out: {listing(genes[apart])}. Rename a "
        "gene of such a name to keep it."
    )
    places = np.flatnonzero(~apart).astype(np.int64)
    kept = InMemory(matrix.values[places]) if isinstance(matrix, InMemory) else Chosen(matrix, places)
    return kept, ~apart
