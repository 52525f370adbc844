"""One table of the counts of several files, each of one sample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from countnest.errors import CountsError, listing
from countnest.files import FilePath

__all__ = ["check_same_genes", "joined_counts", "rounded"]


def joined_counts(columns: Mapping[str, pd.Series], files: Mapping[str, FilePath]) -> pd.DataFrame:
    """Return a table of genes x samples of columns with the same genes in the same order.

    Parameters
    ----------
    columns
        The counts of each sample, with the genes in the index.
    files
        The file of each sample, for messages.

    Raises
    ------
    CountsError
        A file has other genes than the first one, or in another order.
    """
    first, *others = columns
    for name in others:
        check_same_genes((files[name], columns[name].index), (files[first], columns[first].index))
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, index=columns[first].index)


def check_same_genes(one: tuple[FilePath, pd.Index], first: tuple[FilePath, pd.Index], noun: str = "gene") -> None:
    """Raise `CountsError` unless a file has the genes of the first one, in the same order."""
    (file, genes), (first_file, first_genes) = one, first
    if genes.equals(first_genes):
        return
    if genes.has_duplicates or first_genes.has_duplicates:
        which = first if first_genes.has_duplicates else one
        repeated = which[1][which[1].duplicated()].unique()
        raise CountsError(f"'{which[0]}': {noun}s occur more than once: {listing(repeated)}.")
    shared = min(len(genes), len(first_genes))
    shorter, longer = ((file, genes), first) if len(genes) < len(first_genes) else (first, (file, genes))
    if len(genes) != len(first_genes) and genes[:shared].equals(first_genes[:shared]):
        raise CountsError(
            f"'{shorter[0]}' does not have the same {noun}s as '{longer[0]}': it ends after {noun} {shared}, "
            f"{shorter[1][-1]!r}, where the other goes on to {noun} {len(longer[1])} (not in both: "
            f"{listing(longer[1][shared:])}). It may be incomplete: copy it again, or run its program again."
        )
    differing = genes.symmetric_difference(first_genes, sort=False)
    what = f"not in both: {listing(differing)}" if len(differing) else "their order differs"
    place = int(np.argmax(np.asarray(genes[:shared] != first_genes[:shared])))
    raise CountsError(
        f"'{file}' does not have the same {noun}s as '{first_file}' ({what}; the first that differs is {noun} "
        f"{place + 1}, {genes[place]!r} and {first_genes[place]!r}). Count all samples with the same annotation."
    )


def rounded(counts: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return counts as whole numbers, halves to the even number, and a note where that changed some.

    Counts that are not finite, negative or too large stay, and `DESeqDataSet` refuses them by name.
    """
    values = counts.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (np.abs(values) >= 2.0**53).any():
        return counts, ()
    whole = np.rint(values)
    changed = int((whole != values).sum())
    table = pd.DataFrame(whole.astype(np.int64), index=counts.index, columns=counts.columns)
    if not changed:
        return table, ()
    most = float(np.abs(whole - values).max())
    return table, (
        f"Estimated counts are rounded to whole numbers, halves to the even one: {changed} of {values.size} counts, by "
        f"{most:.2g} at most.",
    )
