"""A data set from the files of htseq-count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from countnest.api.deseq2 import DESeqDataSet
from countnest.arrays import FloatArray
from countnest.errors import SamplesError, listing
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
    if names.has_duplicates:
        raise SamplesError(f"names of samples occur more than once: {listing(names[names.duplicated()].unique())}.")
    record = read_htseq({name: Path(directory) / file for name, file in zip(names, files, strict=True)})
    counts = record.counts.set_axis(names, axis=1)
    return DESeqDataSet(replace(record, counts=counts), sample_table.iloc[:, 2:].set_axis(names), design, **options)
