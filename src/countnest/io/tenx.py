"""Reading of matrices as Cell Ranger and STARsolo write them: matrix.mtx, barcodes.tsv and features.tsv in a folder."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from countnest.containers.anndata import AnnDataLike
from countnest.containers.cells import refuse_cells
from countnest.containers.count_table import CountTable
from countnest.errors import FileError, counted, listing
from countnest.files import FilePath
from countnest.io.formats import tenx_matrix
from countnest.io.joined import check_same_genes
from countnest.io.optional import optional_library
from countnest.io.sample_names import Paths, named_paths
from countnest.io.text import file_bytes, file_text, unpacked
from countnest.signature import checked_arguments

__all__ = ["read_10x", "tenx_table"]

_GENES = ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv")
_BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
_COLUMNS = ("gene_name", "feature_type")
_EXPRESSION = "Gene Expression"


class _Matrix(NamedTuple):
    """Counts (m, G) of barcodes and genes, with the barcodes, and the genes with their annotation."""

    values: sparse.csr_array
    barcodes: pd.Index
    genes: pd.DataFrame


@checked_arguments
def read_10x(folders: Paths) -> AnnDataLike:
    """Read the counts of cells from folders with matrix.mtx, barcodes.tsv and features.tsv, for `pseudobulk`.

    Parameters
    ----------
    folders
        The folders, of one sample each: one, a list, or a dict by sample, such as filtered_feature_bc_matrix of Cell
        Ranger or Gene/filtered of STARsolo. The files may be packed with gzip.

    Returns
    -------
    AnnData
        Cells x genes, sparse. `obs` has the sample of each cell, to which columns such as the cell type are added by
        barcode: the index is 'sample_barcode', and the column barcode has the barcode alone. `var` has gene_name.
        Features of another type than Gene Expression, such as antibodies, are left out.

    Raises
    ------
    FileError
        A folder has no such files, or one of them is incomplete.
    CountsError
        The folders have different genes.
    OptionError
        anndata is not installed: ``pip install 'countnest[anndata]'``.

    Examples
    --------
    >>> cells = read_10x({"donor1": "d1/filtered", "donor2": "d2/filtered"})  # doctest: +SKIP
    >>> bulk = cn.pseudobulk(cells, by="sample")  # doctest: +SKIP
    """
    places = {"sample": folders} if isinstance(folders, (str, Path)) else folders
    files = named_paths(places)
    found = {name: _matrix(folder) for name, folder in files.items()}
    first_name, first = next(iter(found.items()))
    for name, each in found.items():
        check_same_genes((files[name], each.genes.index), (files[first_name], first.genes.index))
    library = optional_library("anndata", "anndata", "reading matrices of cells")
    samples = np.repeat(list(found), [len(each.barcodes) for each in found.values()])
    barcodes = np.concatenate([each.barcodes.to_numpy(dtype=object) for each in found.values()])
    obs = pd.DataFrame(
        {"sample": pd.Categorical(samples), "barcode": barcodes},
        index=pd.Index([f"{name}_{barcode}" for name, barcode in zip(samples, barcodes, strict=True)]),
    )
    values = sparse.csr_matrix(sparse.vstack([each.values for each in found.values()], format="csr"))
    adata: AnnDataLike = library.AnnData(X=values, obs=obs, var=first.genes)
    return adata


def tenx_table(folder: FilePath) -> CountTable:
    """Return the counts in a folder whose barcodes are samples; `CountsError` if they look like cells."""
    found = _matrix(folder)
    refuse_cells(found.values, len(found.barcodes))
    counts = pd.DataFrame(found.values.toarray().T, index=found.genes.index, columns=found.barcodes)
    info = found.genes if found.genes.shape[1] else None
    return CountTable(
        counts=counts, source="a matrix of Cell Ranger or STARsolo", gene_info=info,
        notes=(f"Each of {counted(len(found.barcodes), 'barcode')} is a sample.",),
    )  # fmt: skip


def _matrix(folder: FilePath) -> _Matrix:
    place = Path(folder).expanduser()
    matrix = tenx_matrix(folder)
    if matrix is None:
        there = f"it holds {listing(sorted(each.name for each in place.iterdir()))}" if place.is_dir() else "no folder"
        raise FileError(f"'{folder}' is no folder with matrix.mtx, plain or packed with gzip: {there}.")
    genes, barcodes = _gene_table(_beside(place, _GENES)), _lines(_beside(place, _BARCODES))
    data = unpacked(file_bytes(matrix), matrix)
    from scipy.io import mmread  # not before: it takes its time, and few read matrices

    try:
        held = mmread(io.BytesIO(data))
    except (ValueError, OSError, EOFError, gzip.BadGzipFile) as error:
        raise FileError(f"'{matrix}' cannot be read: {error}. Is it complete?") from error
    values = sparse.csr_array(sparse.csr_array(held).T)
    if values.shape != (len(barcodes), len(genes)):
        raise FileError(
            f"'{matrix}' has {values.shape[1]} genes and {values.shape[0]} barcodes, but the files beside it have "
            f"{len(genes)} and {len(barcodes)}. They are not of one run, or one of them is incomplete."
        )
    if "feature_type" in genes and (genes["feature_type"] == _EXPRESSION).any():
        expressed = (genes["feature_type"] == _EXPRESSION).to_numpy()
        values, genes = sparse.csr_array(values[:, np.flatnonzero(expressed)]), genes.loc[expressed]
    whole = values if values.dtype.kind in "iu" or (values.data % 1).any() else values.astype(np.int64)
    return _Matrix(whole, pd.Index(barcodes), genes.drop(columns="feature_type", errors="ignore"))


def _beside(place: Path, names: tuple[str, ...]) -> Path:
    found = next((place / name for name in names if (place / name).is_file()), None)
    if found is None:
        raise FileError(f"'{place}' has a matrix, but no {names[1]}, plain or packed with gzip.")
    return found


def _lines(path: Path) -> list[str]:
    return [line.split("\t")[0] for line in file_text(path).split("\n") if line.strip()]


def _gene_table(path: Path) -> pd.DataFrame:
    """Return the genes of a matrix, with their symbols and types where the file has them."""
    rows = [line.split("\t") for line in file_text(path).split("\n") if line.strip()]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise FileError(
                f"'{path}': line {number} has {len(row)} fields, the first has {len(rows[0])}. Is it complete?"
            )
    columns = {name: [row[k] for row in rows] for k, name in enumerate(_COLUMNS, start=1) if len(rows[0]) > k}
    return pd.DataFrame(columns, index=pd.Index([row[0] for row in rows]))
