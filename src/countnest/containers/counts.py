"""Counts and a sample sheet, of any accepted kind, as one checked record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.anndata import AnnDataLike, anndata_table, is_anndata, warn_of_other_counts, where_counts_are
from countnest.containers.cells import refuse_cells
from countnest.containers.gene_info import matched_info, set_apart
from countnest.containers.given import mixed_up, refused_kind
from countnest.containers.labels import (
    Table,
    gene_labels,
    match_samples,
    recognise_orientation,
    sheet_labels,
)
from countnest.containers.matrix import CountMatrix, InMemory
from countnest.containers.rows import without_other_rows
from countnest.containers.similar import text_labels
from countnest.containers.source import Source, Values, source_of
from countnest.containers.stored import stored_counts
from countnest.containers.text_cells import text_remedy
from countnest.containers.values import checked_values
from countnest.errors import CountsError, OptionError, SamplesError, counted, listing
from countnest.options import Orientation, check_flags, check_option
from countnest.protected import read_only, set_state

__all__ = ["CountData", "count_data", "matched_sheet"]

# Columns of the files in which programs write the abundances of one sample.
_QUANTIFIED = {"Salmon": {"NumReads", "TPM"}, "kallisto": {"est_counts", "tpm"}, "RSEM": {"expected_count", "TPM"}}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CountData:
    """Checked counts with their labels and sample sheet.

    Attributes
    ----------
    matrix : (G, n)
        Whole numbers >= 0, genes by samples; no sample is all zero.
    counted : (G,)
        Genes that have a count in some sample.
    genes : (G,) text labels, unique
    samples : (n,) text labels, unique
    sheet : n rows
        The sample sheet; its index is `samples`.
    gene_info : G rows
        Annotation of the genes, such as symbols; its index is `genes`. Without columns if there is none.

    Notes
    -----
    The samples stand in the order of the count table, and nothing is shared with the objects it was made from. Counts
    that are in a file stay there: the file must not change as long as they are used.

    R counterpart: `DESeq2::DESeqDataSet` without the design (`counts(dds)` and `colData(dds)`).
    """

    matrix: CountMatrix
    counted: BoolArray
    genes: pd.Index
    samples: pd.Index
    sheet: pd.DataFrame
    gene_info: pd.DataFrame

    def __post_init__(self) -> None:
        """Make the labels and the indexes of the tables read-only: all estimates are matched by them."""
        for name, table in (("genes", "gene_info"), ("samples", "sheet")):
            labels = read_only(getattr(self, name))
            object.__setattr__(self, name, labels)
            object.__setattr__(self, table, getattr(self, table).set_axis(labels))

    __setstate__ = set_state

    @property
    def counts(self) -> FloatArray:
        """All counts (G, n), float64, C-contiguous; not to be written to. `CountsError` if they are too many."""
        return self.matrix.whole()

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples, (G, n)."""
        return self.matrix.shape


def count_data(
    counts: object,
    samples: pd.DataFrame | None = None,
    *,
    orientation: Orientation | None = None,
    layer: str | None = None,
    genes: Sequence[object] | pd.Index | None = None,
    gene_info: pd.DataFrame | pd.Series | None = None,
    cells_ok: bool = False,
) -> CountData:
    """Check counts and a sample sheet, match them by label and return them as one record.

    Parameters
    ----------
    counts
        Raw counts as a DataFrame, a 2-D NumPy array, a SciPy sparse matrix or array, or an AnnData object (samples in
        `obs`, genes in `var`). Either orientation; it is recognised by the labels of `samples`, or by the shape
        where there are no labels. Counts in a file are left there and read when they are needed: a memory-mapped
        array (`np.load(path, mmap_mode="r")`), a dataset of h5py, an array of zarr, or what an AnnData object that is
        backed by a file has in it. Columns of a DataFrame that describe its genes, and `var`, become `gene_info`.
    samples
        The sample sheet, one row for each sample, labels in the index; `adata.obs` when `counts` is an AnnData object.
        A default RangeIndex counts as no labels: the rows are then taken in the order of the counts.
    orientation
        Which axis holds the samples, if this cannot be recognised.
    layer
        The layer of the AnnData object that holds the counts; `X` when missing.
    genes
        Labels of the genes, (G,); those of `counts` when missing, and `gene1`, `gene2`, ... when it has none.
    gene_info
        Annotation of the genes: a DataFrame, or a Series of symbols, matched by the labels in its index.
    cells_ok
        Accept a thousand samples or more with mostly zero counts, which look like single cells.

    Returns
    -------
    CountData
        The counts (G, n) with the samples in the order of `counts`. The objects given are not changed. Rows that are
        known to be no genes are left out: reads without a gene, as STAR, htseq-count and featureCounts count them, and
        totals.

    Raises
    ------
    CountsError
        The counts are not numeric, missing, infinite, negative, not whole numbers, 2**53 or more, all zero in a sample
        or everywhere; a row is the sum of all others; gene labels are repeated; the orientation is unclear; the
        samples are single cells.
    SamplesError
        The sheet is not a DataFrame, or its labels are repeated or do not match those of the counts.
    OptionError
        `orientation` or `layer` is unknown or does not apply; `gene_info` does not match the genes.

    Warns
    -----
    CountnestWarning
        Labelled counts were matched by position with a sheet without labels, or with labels that are not equal but
        say the same; rows that are no genes were left out; all genes have equal values for all samples;
        or `gene_info` lacks some genes.

    Notes
    -----
    A file that is stored by samples, such as sparse counts of samples x genes as CSR, cannot be read by genes. A copy
    by genes is then made in the folder for temporary files ($TMPDIR), and removed when the record is no longer used;
    workers on other machines need it on a disk that they see. Written as CSC, such counts need no copy.

    R counterpart: `DESeq2::DESeqDataSetFromMatrix`, which stops where the labels are in another order.
    """
    check_flags(cells_ok=cells_ok)
    if orientation is not None:
        check_option("orientation", orientation, Orientation)
    table, sheet, orientation = _opened(counts, samples, layer, orientation)
    labels = sheet_labels(sheet)
    orientation = orientation or recognise_orientation(table, labels, sheet)
    turned = orientation == "samples_by_genes"
    sample_axis, gene_axis = (table.rows, table.columns) if turned else (table.columns, table.rows)
    n_samples, n_genes = table.values.shape if turned else table.values.shape[::-1]

    names, order = match_samples(sample_axis, n_samples, sheet, labels, table)
    gene_names = gene_labels(gene_axis, n_genes, genes)
    values = table.values
    if not cells_ok:
        refuse_cells(values, n_samples)
    by_gene = values.T if turned else values
    given = stored_counts(by_gene) if isinstance(by_gene, Source) else InMemory(_dense(by_gene))
    matrix, kept = without_other_rows(given, gene_names)
    gene_names = gene_names[kept]
    counted = checked_values(matrix, gene_names, names, table.advice)
    ordered = sheet.iloc[order].copy()
    ordered.index = names
    labelled = genes is not None or gene_axis is not None
    beside = table.gene_info
    found = None if beside is None or not beside.shape[1] else beside[kept]
    info = matched_info(gene_info, found, gene_names, labelled=labelled)
    return CountData(matrix, counted, gene_names, names, ordered, info)


def matched_sheet(samples: object, names: pd.Index) -> pd.DataFrame:
    """Return a copy of a sample sheet with its rows in the order of the samples `names`, checked as by `count_data`."""
    sheet = _checked_sheet(samples)
    labels = sheet_labels(sheet)
    if labels is not None and labels.isin(names).all() and not names.isin(labels).all():
        lacking = names[~names.isin(labels)]
        raise SamplesError(
            f"the sample sheet lacks {counted(len(lacking), 'sample')}: {listing(lacking)}. Give one row for each "
            "sample; to leave out the others: dds[:, samples.index]."
        )
    table = Table(np.empty((0, len(names))), None, names, numbered=True)
    _, order = match_samples(names, len(names), sheet, labels, table)
    ordered = sheet.iloc[order].copy()
    ordered.index = names
    return ordered


# Opening: every accepted kind becomes a Table


def _opened(
    counts: object, samples: pd.DataFrame | None, layer: str | None, orientation: Orientation | None
) -> tuple[Table, pd.DataFrame, Orientation | None]:
    """Return the count table, the sheet, and the orientation if it is known."""
    if is_anndata(counts):
        if orientation == "genes_by_samples":
            raise OptionError(
                "orientation='genes_by_samples' does not apply to AnnData, which has its samples in obs; "
                "give the transposed object, adata.T."
            )
        table, obs = _open_anndata(counts, layer)
        return table, obs if samples is None else _checked_sheet(samples), "samples_by_genes"
    if layer is not None:
        raise OptionError(f"layer={layer!r} applies only to AnnData; counts is of type {type(counts).__name__}.")
    if samples is None:
        raise SamplesError("the sample sheet is missing: give samples=, a DataFrame with one row for each sample.")
    mistake = mixed_up(counts, samples)
    if mistake is not None:
        raise SamplesError(mistake)
    sheet = _checked_sheet(samples)
    if not isinstance(counts, pd.DataFrame):
        return Table(_array(counts), None, None, numbered=False), sheet, orientation
    frame, gene_info = set_apart(counts, sheet, orientation)
    return _open_frame(frame)._replace(gene_info=gene_info), sheet, orientation


def _open_anndata(adata: AnnDataLike, layer: str | None) -> tuple[Table, pd.DataFrame]:
    source = anndata_table(adata, layer)
    advice = partial(where_counts_are, adata, layer)
    try:
        values = _array(source.values)
    except CountsError as error:
        raise CountsError(f"{error}{advice()}") from error
    if layer is None:
        warn_of_other_counts(adata)
    rows, columns = text_labels(source.samples, "counts"), text_labels(source.genes, "counts")
    table = Table(values, rows, columns, numbered=False, advice=advice, gene_info=source.gene_info)
    return table, _checked_sheet(source.sheet)


def _open_frame(counts: pd.DataFrame) -> Table:
    _check_columns(counts)
    rows, columns = text_labels(counts.index, "counts"), text_labels(counts.columns, "counts")
    values = _frame_values(counts)
    return Table(source_of(values) or values, rows, columns, numbered=True)


def _array(counts: object) -> Values:
    """Return the array, a CSR array for anything sparse, or what is in a file, without a copy where possible."""
    source = None if isinstance(counts, np.ma.MaskedArray) else source_of(counts)
    if source is not None:
        values: Values = source
    elif isinstance(counts, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(counts), np.nan, counts.data)
    elif isinstance(counts, np.ndarray):
        values = counts
    elif sparse.issparse(counts):
        matrix: Any = counts
        values = sparse.csr_array(matrix)
    else:
        raise CountsError(f"{refused_kind(counts, 'counts')}.")
    if values.ndim != 2 or 0 in values.shape:
        raise CountsError(
            f"counts must be a table of genes and samples that is not empty; its shape is {values.shape}."
        )
    if values.dtype.kind not in "iuf":
        text: Any = values if isinstance(values, np.ndarray) and values.dtype.kind in "OUST" else None
        remedy = "" if text is None else text_remedy(pd.DataFrame(text), list(range(values.shape[1])))
        raise CountsError(f"counts must be numbers, but the array is of type {values.dtype}. {remedy}".rstrip())
    return values


def _check_columns(frame: pd.DataFrame) -> None:
    if 0 in frame.shape:
        raise CountsError(f"counts must be a table of genes and samples that is not empty; its shape is {frame.shape}.")
    dtypes = frame.dtypes
    for program, names in _QUANTIFIED.items():
        if names <= set(map(str, frame.columns)):
            raise CountsError(
                f"counts is a file of {program}, which is of one sample: it has the columns {listing(sorted(names))}. "
                "Read those of all samples with cn.read_quantified; or collect them by tximport, and use "
                "cn.dataset_from_tximport."
            )
    unfit = {dtype for dtype in dtypes.unique() if getattr(dtype, "kind", "O") not in "iuf"}
    if unfit:
        places = [place for place, dtype in enumerate(dtypes) if dtype in unfit]
        kinds = {getattr(dtype, "kind", "O") for dtype in unfit}
        if kinds == {"b"}:
            advice = "True and False are not counts."
        elif kinds <= set("bcmM"):
            advice = "Counts are whole numbers: drop these columns, or convert them."
        else:
            advice = text_remedy(frame, places)
        what = f"{counted(len(places), 'column')} of type {', '.join(sorted({str(dtype) for dtype in unfit}))}"
        raise CountsError(f"counts must be numbers, but has {what}: {listing(frame.columns[places])}. {advice}")


def _frame_values(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Return the values, without a copy where all columns are of one NumPy type."""
    dtypes = frame.dtypes.unique()
    if len(dtypes) == 1 and isinstance(dtypes[0], np.dtype):
        return frame.to_numpy()
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _checked_sheet(samples: object) -> pd.DataFrame:
    if not isinstance(samples, pd.DataFrame):
        raise SamplesError(f"{refused_kind(samples, 'samples')}.")
    if len(samples) == 0:
        raise SamplesError("the sample sheet has no rows; it needs one for each sample.")
    repeated = samples.columns[samples.columns.duplicated()].unique()
    if len(repeated):
        raise SamplesError(f"the sample sheet has columns of the same name: {listing(repeated)}; rename or drop them.")
    return samples


# Values


def _dense(values: npt.NDArray[Any] | sparse.csr_array | sparse.csc_array) -> FloatArray:
    """Return a new float64 array in C order."""
    if isinstance(values, np.ndarray):
        return np.array(values, dtype=np.float64, order="C")
    return values.astype(np.float64, copy=False).toarray(order="C")
