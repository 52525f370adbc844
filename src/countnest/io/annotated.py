"""Reading of AnnData files (.h5ad): counts with their sample sheet and annotation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from countnest.containers.anndata import AnnDataLike, anndata_table, warn_of_other_counts, where_counts_are
from countnest.containers.cells import refuse_cells
from countnest.containers.count_table import CountTable
from countnest.containers.given import file_remedy
from countnest.errors import CountsError, FileError
from countnest.files import FilePath
from countnest.io.excel_dates import warn_of_dates
from countnest.io.optional import optional_library
from countnest.io.text import file_bytes
from countnest.signature import checked_arguments

__all__ = ["read_h5ad"]


@checked_arguments
def read_h5ad(path: FilePath, *, layer: str | None = None) -> CountTable:
    """Read the counts of an AnnData file, samples x genes, with their sample sheet and annotation.

    Parameters
    ----------
    path
        A file .h5ad.
    layer
        The layer that holds the counts; None: X.

    Returns
    -------
    CountTable
        Counts, genes x samples; `samples` is obs, `gene_info` var.

    Raises
    ------
    FileError
        The file is missing, or not one of AnnData.
    OptionError
        anndata is not installed (``pip install 'countnest[anndata]'``), or there is no such layer.
    CountsError
        The values are not counts, such as normalized ones, the message says where counts are; or the samples are single
        cells, which `pseudobulk` sums first.

    Warns
    -----
    CountnestWarning
        X and a layer called counts have different whole numbers.

    Examples
    --------
    >>> record = read_h5ad("pseudobulk.h5ad", layer="counts")  # doctest: +SKIP
    >>> dds = cn.DESeqDataSet(record, design="~ condition")  # doctest: +SKIP
    """
    file_bytes_start = file_bytes(path)[:8]
    library = optional_library("anndata", "anndata", f"'{path}', a file of AnnData,")
    try:
        adata = library.read_h5ad(str(path))
    except Exception as error:  # of HDF5 or of the layout
        remedy = str(file_remedy("x.h5ad")).replace("'x.h5ad'", repr(str(path)))
        kind = "a file of HDF5" if file_bytes_start.startswith(b"\x89HDF") else "no file of HDF5"
        raise FileError(
            f"'{path}' is {kind}, and cannot be read as AnnData ({error}). If another program reads it, {remedy}."
        ) from error
    return _table_of(adata, layer)


def _table_of(adata: AnnDataLike, layer: str | None) -> CountTable:
    """Return the counts of an AnnData object as a record."""
    found = anndata_table(adata, layer)
    held: Any = found.values
    is_sparse = hasattr(held, "tocsr")
    values: Any = sparse.csr_array(held) if is_sparse else np.asarray(held)
    refuse_cells(values, values.shape[0])
    numbers = values.data if is_sparse else values
    wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (np.floor(numbers) == numbers))
    if wrong.any():
        where = "X" if layer is None else f"the layer {layer!r}"
        raise CountsError(
            f"{where} of the AnnData object does not hold counts, but numbers such as {float(numbers[wrong][0]):.6g}: "
            f"normalized or logarithmic values are no counts.{where_counts_are(adata, layer)}"
        )
    if layer is None:
        warn_of_other_counts(adata)
    dense = values.toarray() if is_sparse else values
    genes, names = found.genes.astype(str), found.samples.astype(str)
    warn_of_dates(genes, found.gene_info)
    return CountTable(
        counts=pd.DataFrame(np.ascontiguousarray(dense.T), index=pd.Index(genes), columns=pd.Index(names)),
        source="AnnData",
        gene_info=found.gene_info.set_axis(pd.Index(genes)) if found.gene_info.shape[1] else None,
        samples=found.sheet.set_axis(pd.Index(names)) if found.sheet.shape[1] else None,
        notes=(f"Counts are those of {'X' if layer is None else f'the layer {layer!r}'}.",),
    )
