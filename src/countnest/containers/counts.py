"""The door: counts and a sample sheet, of any accepted kind, become one checked record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.anndata import AnnDataLike, anndata_table, is_anndata
from countnest.containers.gene_info import matched_info, set_apart
from countnest.containers.labels import (
    Table,
    Values,
    gene_labels,
    match_samples,
    recognise_orientation,
    sheet_labels,
    text_labels,
)
from countnest.containers.matrix import CountMatrix, InMemory
from countnest.containers.source import Source, source_of
from countnest.containers.stored import stored_counts
from countnest.errors import CountsError, OptionError, SamplesError, counted, listing, warn
from countnest.options import Orientation, check_option

__all__ = ["CountData", "count_data"]

_BLOCK_CELLS = 1 << 18  # 2 MB of float64: a block and its temporaries stay in a core's cache


@dataclass(frozen=True, slots=True, eq=False)
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
        What else is known of the genes, such as symbols; its index is `genes`. Without columns where nothing is.

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
        Says which axis holds the samples where this cannot be recognised.
    layer
        The layer of the AnnData object that holds the counts; `X` when missing.
    genes
        Labels of the genes, (G,); those of `counts` when missing, and `gene1`, `gene2`, ... when it has none.
    gene_info
        What else is known of the genes: a DataFrame, or a Series of symbols, matched by the labels in its index.

    Returns
    -------
    CountData
        The counts (G, n) with the samples in the order of `counts`. The objects given are not changed.

    Raises
    ------
    CountsError
        The counts are not numeric, missing, infinite, negative, not whole numbers, all zero in a sample or
        everywhere; gene labels are repeated; the orientation is unclear.
    SamplesError
        The sheet is not a DataFrame, or its labels are repeated or do not match those of the counts.
    OptionError
        `orientation` or `layer` is unknown or does not apply; `gene_info` does not match the genes.

    Warns
    -----
    CountnestWarning
        Labelled counts were matched by position with a sheet without labels; or all genes have equal values
        for all samples; or `gene_info` lacks some genes.

    Notes
    -----
    A file that is stored by samples, such as sparse counts of samples x genes as CSR, cannot be read by genes. A copy
    by genes is then made in the folder for temporary files ($TMPDIR), and removed when the record is no longer used;
    workers on other machines need it on a disk that they see. Written as CSC, such counts need no copy.

    R counterpart: `DESeq2::DESeqDataSetFromMatrix`, which stops where the labels are in another order.
    """
    if orientation is not None:
        check_option("orientation", orientation, Orientation)
    table, sheet, orientation = _opened(counts, samples, layer, orientation)
    labels = sheet_labels(sheet)
    orientation = orientation or recognise_orientation(table, labels, sheet)
    turned = orientation == "samples_by_genes"
    sample_axis, gene_axis = (table.rows, table.columns) if turned else (table.columns, table.rows)
    n_samples, n_genes = table.values.shape if turned else table.values.shape[::-1]

    names, order = match_samples(sample_axis, n_samples, sheet, labels, table.numbered)
    gene_names = gene_labels(gene_axis, n_genes, genes)
    values = table.values
    matrix = stored_counts(values, turned) if isinstance(values, Source) else InMemory(_dense(values, turned))
    counted = _check_values(matrix, gene_names, names, table.advice)
    ordered = sheet.iloc[order].copy()
    ordered.index = names
    labelled = genes is not None or gene_axis is not None
    info = matched_info(gene_info, table.gene_info, gene_names, labelled=labelled)
    return CountData(matrix, counted, gene_names, names, ordered, info)


# Opening: every accepted kind becomes a Table


def _opened(
    counts: object, samples: pd.DataFrame | None, layer: str | None, orientation: Orientation | None
) -> tuple[Table, pd.DataFrame, Orientation | None]:
    """Return the count table, the sheet and the orientation as far as it is known."""
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
    sheet = _checked_sheet(samples)
    if not isinstance(counts, pd.DataFrame):
        return Table(_array(counts), None, None, numbered=False), sheet, orientation
    frame, gene_info = set_apart(counts, sheet, orientation)
    return _open_frame(frame)._replace(gene_info=gene_info), sheet, orientation


def _open_anndata(adata: AnnDataLike, layer: str | None) -> tuple[Table, pd.DataFrame]:
    source = anndata_table(adata, layer)
    advice = f" Or are they in another layer: {listing(source.other_layers)}?" if source.other_layers else ""
    rows, columns = text_labels(source.samples, "counts"), text_labels(source.genes, "counts")
    table = Table(_array(source.values), rows, columns, numbered=False, advice=advice, gene_info=source.gene_info)
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
        raise CountsError(
            f"counts is of type {type(counts).__name__}; give a pandas DataFrame, a NumPy array, "
            "a SciPy sparse matrix or an AnnData object."
        )
    if values.ndim != 2 or 0 in values.shape:
        raise CountsError(
            f"counts must be a table of genes and samples that is not empty; its shape is {values.shape}."
        )
    if values.dtype.kind not in "iuf":
        raise CountsError(
            f"counts must be numbers, but the array is of type {values.dtype}; "
            "if it holds counts, convert it: counts.astype(float)."
        )
    return values


def _check_columns(frame: pd.DataFrame) -> None:
    if 0 in frame.shape:
        raise CountsError(f"counts must be a table of genes and samples that is not empty; its shape is {frame.shape}.")
    dtypes = frame.dtypes
    unfit = {dtype for dtype in dtypes.unique() if getattr(dtype, "kind", "O") not in "iuf"}
    if unfit:
        names = [name for name, dtype in zip(frame.columns, dtypes, strict=True) if dtype in unfit]
        if all(getattr(dtype, "kind", "O") == "b" for dtype in unfit):
            advice = "True and False are not counts."
        else:
            advice = (
                f"A column with labels belongs in the index: counts.set_index({names[0]!r}); columns that describe the "
                "genes may then stay; numbers stored as text can be converted: counts.astype(float)."
            )
        what = f"{counted(len(names), 'column')} of type {', '.join(sorted(map(str, unfit)))}"
        raise CountsError(f"counts must be numbers, but has {what}: {listing(names)}. {advice}")


def _frame_values(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Return the values, without a copy where all columns are of one NumPy type."""
    dtypes = frame.dtypes.unique()
    if len(dtypes) == 1 and isinstance(dtypes[0], np.dtype):
        return frame.to_numpy()
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _checked_sheet(samples: object) -> pd.DataFrame:
    if not isinstance(samples, pd.DataFrame):
        raise SamplesError(
            f"samples is of type {type(samples).__name__}; give a pandas DataFrame with one row for each sample, "
            "its labels in the index."
        )
    if len(samples) == 0:
        raise SamplesError("the sample sheet has no rows; it needs one for each sample.")
    repeated = samples.columns[samples.columns.duplicated()].unique()
    if len(repeated):
        raise SamplesError(f"the sample sheet has columns of the same name: {listing(repeated)}; rename or drop them.")
    return samples


# Values


def _dense(values: npt.NDArray[Any] | sparse.csr_array, turned: bool) -> FloatArray:
    """Return a new (G, n) float64 array in C order."""
    if isinstance(values, np.ndarray):
        return np.array(values.T if turned else values, dtype=np.float64, order="C")
    floats = values.astype(np.float64, copy=False)
    return (floats.T if turned else floats).toarray(order="C")


def _blocks(counts: CountMatrix) -> Iterator[tuple[slice, FloatArray]]:
    n_genes, n = counts.shape
    step = max(1, _BLOCK_CELLS // n)
    for start in range(0, n_genes, step):
        rows = slice(start, min(start + step, n_genes))
        yield rows, counts.read(rows)


def _check_values(counts: CountMatrix, genes: pd.Index, samples: pd.Index, advice: str) -> BoolArray:
    """Return which genes have a count, after a look at all values."""
    n_genes, n = counts.shape
    counted_genes, seen = np.zeros(n_genes, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    varies = False
    for rows, block in _blocks(counts):
        if not np.all((np.floor(block) == block) & (block >= 0) & (block < np.inf)):
            _refuse_values(counts, genes, samples, advice)
        positive = block > 0
        seen |= positive.any(axis=0)
        counted_genes[rows] = positive.any(axis=1)
        varies = varies or bool(np.any(block != block[:, :1]))
    if not seen.any():
        raise CountsError("all counts are zero; is this the right table?")
    if not seen.all():
        empty = samples[~seen]
        raise CountsError(
            f"all counts are zero in {counted(len(empty), 'sample')}: {listing(empty)}; "
            "drop these samples from counts and from the sample sheet."
        )
    if not varies and n > 1:
        warn("all genes have equal values for all samples, so there is nothing to compare; are these raw counts?")
    return counted_genes


class _Fault(NamedTuple):
    """A kind of value that counts may not have, and what to do about it."""

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
        "Round estimated counts, e.g. counts.round(); do not give normalized values, TPM or FPKM.",
    ),
)


def _refuse_values(counts: CountMatrix, genes: pd.Index, samples: pd.Index, advice: str) -> None:
    """Raise for the first kind of fault that occurs, naming the genes, the samples and one cell."""
    for noun, test, remedy in _FAULTS:
        in_gene, in_sample = np.zeros(len(genes), dtype=np.bool_), np.zeros(len(samples), dtype=np.bool_)
        total = 0
        for rows, block in _blocks(counts):
            bad = test(block)
            total += int(np.count_nonzero(bad))
            in_gene[rows] = bad.any(axis=1)
            in_sample |= bad.any(axis=0)
        if total:
            g = int(np.argmax(in_gene))
            values = counts.read(slice(g, g + 1))[0]
            j = int(np.argmax(test(values)))
            raise CountsError(
                f"{counted(total, 'count')} {'is' if total == 1 else 'are'} {noun}, in "
                f"{counted(int(in_gene.sum()), 'gene')} ({listing(genes[in_gene])}) and "
                f"{counted(int(in_sample.sum()), 'sample')} ({listing(samples[in_sample])}); for example gene "
                f"{genes[g]!r}, sample {samples[j]!r}: {float(values[j])}. {remedy}{advice}"
            )
