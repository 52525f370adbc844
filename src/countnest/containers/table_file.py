"""Tables of genes as files."""

from __future__ import annotations

import pandas as pd

from countnest.files import FilePath, whole_file

__all__ = ["write_table"]


def write_table(table: pd.DataFrame, path: FilePath) -> None:
    """Write a table as CSV, genes in the first column and missing values as NA, whole or not at all.

    Parameters
    ----------
    table
        Rows are genes.
    path
        The file; a name that ends with .gz is compressed.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    label = table.index.name or "gene"
    with whole_file(path) as draft:
        # as objects: of arrays of numbers pandas first makes arrays of strings
        table.astype(object).to_csv(draft, index_label=str(label), na_rep="NA", lineterminator="\n")
