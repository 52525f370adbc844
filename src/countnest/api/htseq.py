"""A data set from the files of htseq-count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from countnest.api.deseq2 import DESeqDataSet
from countnest.arrays import FloatArray
from countnest.errors import CountsError, SamplesError, listing
from countnest.files import FilePath
from countnest.io.htseq import read_htseq
from countnest.signature import checked_arguments

__all__ = ["dataset_from_htseq"]


@checked_arguments
def dataset_from_htseq(
    sample_table: pd.DataFrame,
    directory: FilePath = ".",
    design: str | pd.DataFrame | FloatArray = "~ 1",
    **options: Any,  # noqa: ANN401 (those of DESeqDataSet)
) -> DESeqDataSet:
    """Return a data set of the counts in files of htseq-count, one for each sample.

    Parameters
    ----------
    sample_table
        Names of samples in the first column, names of files in the second; the others are the sample sheet. The index
        is not used.
    directory
        Folder of the files.
    design, **options
        As in `DESeqDataSet`.

    Raises
    ------
    SamplesError
        If the table has fewer than two columns or no rows.
    FileError
        If a file is missing or not one of htseq-count.
    CountsError
        If the files do not hold the same genes in the same order.

    Notes
    -----
    R counterpart: DESeq2::DESeqDataSetFromHTSeqCount.
    """
    if not isinstance(sample_table, pd.DataFrame) or sample_table.shape[1] < 2 or len(sample_table) == 0:
        raise SamplesError(
            "sample_table must be a DataFrame with a row for each sample: names of samples in the first column, "
            "names of files in the second."
        )
    names = pd.Index([str(name) for name in sample_table.iloc[:, 0]], name=sample_table.columns[0])
    files = [str(file) for file in sample_table.iloc[:, 1]]
    columns = [read_htseq(Path(directory) / file) for file in files]
    for file, column in zip(files, columns, strict=True):
        _check_same_genes(file, column.index, files[0], columns[0].index)
    counts = pd.concat(columns, axis=1)
    counts.columns = names
    return DESeqDataSet(counts, sample_table.iloc[:, 2:].set_axis(names), design, **options)


def _check_same_genes(file: str, genes: pd.Index, first_file: str, first: pd.Index) -> None:
    if genes.equals(first):
        return
    differing = genes.symmetric_difference(first, sort=False)
    what = f"not in both: {listing(differing)}" if len(differing) else "their order differs"
    raise CountsError(
        f"'{file}' does not have the same genes as '{first_file}' ({what}). Count all samples with the same annotation."
    )
