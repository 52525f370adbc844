"""The door: counts and a sample sheet, of any accepted kind, become one checked record."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.anndata import AnnDataLike, anndata_table, is_anndata
from countnest.errors import CountnestError, CountnestWarning, CountsError, OptionError, SamplesError, listing
from countnest.options import Orientation, check_option

__all__ = ["CountData", "count_data"]

_Values = npt.NDArray[Any] | sparse.csr_array

_BLOCK_CELLS = 1 << 18  # 2 MB of float64: a block and its temporaries stay in a core's cache


@dataclass(frozen=True, slots=True, eq=False)
class CountData:
    """Checked counts with their labels and sample sheet.

    Attributes
    ----------
    counts : (G, n) float64, C-contiguous, writable
        Whole numbers >= 0, genes by samples; no sample is all zero.
    genes : (G,) text labels, unique
    samples : (n,) text labels, unique
    sheet : n rows
        The sample sheet; its index is `samples`.

    Notes
    -----
    The samples stand in the order of the count table, and nothing is shared with the objects it was made from.

    R counterpart: `DESeq2::DESeqDataSet` without the design (`counts(dds)` and `colData(dds)`).
    """

    counts: FloatArray
    genes: pd.Index
    samples: pd.Index
    sheet: pd.DataFrame


class _Table(NamedTuple):
    """A two-dimensional count table as it was given; an axis without labels is None."""

    values: _Values
    rows: pd.Index | None
    columns: pd.Index | None
    numbered: bool  # an axis without labels has pandas' row numbers
    advice: str = ""  # added when the values are not whole numbers


def count_data(
    counts: object,
    samples: pd.DataFrame | None = None,
    *,
    orientation: Orientation | None = None,
    layer: str | None = None,
    genes: Sequence[object] | pd.Index | None = None,
) -> CountData:
    """Check counts and a sample sheet, match them by label and return them as one record.

    Parameters
    ----------
    counts
        Raw counts as a DataFrame, a 2-D NumPy array, a SciPy sparse matrix or array, or an AnnData object (samples in
        `obs`, genes in `var`). Either orientation; it is recognised by the labels of `samples`, or by the shape
        where there are no labels.
    samples
        The sample sheet, one row for each sample, labels in the index; `adata.obs` when `counts` is an AnnData object.
        A default RangeIndex counts as no labels: the rows are then taken in the order of the counts.
    orientation
        Says which axis holds the samples where this cannot be recognised.
    layer
        The layer of the AnnData object that holds the counts; `X` when missing.
    genes
        Labels of the genes, (G,); those of `counts` when missing, and `gene1`, `gene2`, ... when it has none.

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
        `orientation` or `layer` is unknown or does not apply.

    Warns
    -----
    CountnestWarning
        Labelled counts were matched by position with a sheet without labels; or all genes have equal values
        for all samples.

    Notes
    -----
    R counterpart: `DESeq2::DESeqDataSetFromMatrix`, which stops where the labels are in another order.
    """
    if orientation is not None:
        check_option("orientation", orientation, Orientation)
    table, sheet, orientation = _opened(counts, samples, layer, orientation)
    labels = _sheet_labels(sheet)
    orientation = orientation or _recognised(table, labels, sheet)
    turned = orientation == "samples_by_genes"
    sample_axis, gene_axis = (table.rows, table.columns) if turned else (table.columns, table.rows)
    n_samples, n_genes = table.values.shape if turned else table.values.shape[::-1]

    sample_labels, order = _matched(sample_axis, n_samples, sheet, labels, table.numbered)
    gene_labels = _gene_labels(gene_axis, n_genes, genes)
    dense = _dense(table.values, turned)
    _check_values(dense, gene_labels, sample_labels, table.advice)
    ordered = sheet.iloc[order].copy()
    ordered.index = sample_labels
    return CountData(dense, gene_labels, sample_labels, ordered)


# Opening: every accepted kind becomes a _Table


def _opened(
    counts: object, samples: pd.DataFrame | None, layer: str | None, orientation: Orientation | None
) -> tuple[_Table, pd.DataFrame, Orientation | None]:
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
    return _open_plain(counts), _checked_sheet(samples), orientation


def _open_anndata(adata: AnnDataLike, layer: str | None) -> tuple[_Table, pd.DataFrame]:
    source = anndata_table(adata, layer)
    advice = f" Or are they in another layer: {listing(source.other_layers)}?" if source.other_layers else ""
    rows, columns = _text_labels(source.samples, "counts"), _text_labels(source.genes, "counts")
    return _Table(_array(source.values), rows, columns, numbered=False, advice=advice), _checked_sheet(source.sheet)


def _open_plain(counts: object) -> _Table:
    if not isinstance(counts, pd.DataFrame):
        return _Table(_array(counts), None, None, numbered=False)
    _check_columns(counts)
    rows, columns = _text_labels(counts.index, "counts"), _text_labels(counts.columns, "counts")
    return _Table(_frame_values(counts), rows, columns, numbered=True)


def _array(counts: object) -> _Values:
    """Return the array, or a CSR array for anything sparse, without a copy where possible."""
    if isinstance(counts, np.ma.MaskedArray):
        values: _Values = np.where(np.ma.getmaskarray(counts), np.nan, counts.data)
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
                f"A column with labels belongs in the index: counts.set_index({names[0]!r}); other annotation must be "
                "dropped; numbers stored as text can be converted: counts.astype(float)."
            )
        what = f"{_count(len(names), 'column')} of type {', '.join(sorted(map(str, unfit)))}"
        raise CountsError(f"counts must be numbers, but has {what}: {listing(names)}. {advice}")


def _frame_values(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Return the values, without a copy where all columns are of one NumPy type."""
    dtypes = frame.dtypes.unique()
    if len(dtypes) == 1 and isinstance(dtypes[0], np.dtype):
        return frame.to_numpy()
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


# Labels


def _text_labels(index: pd.Index, owner: Literal["counts", "samples"]) -> pd.Index | None:
    """Return the labels as text, 3 and 3.0 as '3'; None for a default RangeIndex."""
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return None
    error = SamplesError if owner == "samples" else CountsError
    if isinstance(index, pd.MultiIndex):
        raise error(f"{owner} has labels of {index.nlevels} levels; give one label for each row and column.")
    texts = _texts(index)
    missing = index.isna() | np.array([text == "" for text in texts])
    if missing.any():
        places = np.flatnonzero(missing)
        raise error(
            f"{owner} has {_count(len(places), 'missing label')}, at position {listing(places)}; fill or drop them."
        )
    return pd.Index(texts, name=index.name)


def _texts(values: pd.Index | pd.Series) -> list[str]:
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        return [str(value) for value in values]
    return [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]


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


def _sheet_labels(sheet: pd.DataFrame) -> pd.Index | None:
    labels = _text_labels(sheet.index, "samples")
    if labels is not None:
        _refuse_repeated(labels, "the sample sheet", "sample", SamplesError, "Each sample needs one row of its own.")
    return labels


def _refuse_repeated(labels: pd.Index, where: str, noun: str, error: type[CountnestError], advice: str) -> None:
    if not labels.is_unique:
        repeated = labels[labels.duplicated()].unique()
        raise error(f"{where}: {_count(len(repeated), f'{noun} label')} more than once: {listing(repeated)}. {advice}")


def _gene_labels(axis: pd.Index | None, n_genes: int, genes: Sequence[object] | pd.Index | None) -> pd.Index:
    if genes is not None:
        if len(genes) != n_genes:
            raise CountsError(f"genes= has {len(genes)} labels, but counts has {n_genes} genes.")
        given = genes if isinstance(genes, pd.Index) else pd.Index(list(genes), dtype=object)
        axis = _text_labels(given, "counts")
    if axis is None:
        return pd.Index([f"gene{i}" for i in range(1, n_genes + 1)])
    advice = (
        "Add their counts up, e.g. counts.groupby(level=0).sum() with the genes in rows, or make the labels unique "
        "(for AnnData: adata.var_names_make_unique())."
    )
    _refuse_repeated(axis, "counts", "gene", CountsError, advice)
    return axis


# Which axis holds the samples


def _recognised(table: _Table, labels: pd.Index | None, sheet: pd.DataFrame) -> Orientation:
    """Return the orientation under which the table agrees better with the sample sheet."""
    n, (height, width) = len(sheet), table.values.shape
    if labels is None:
        _refuse_labels_in_column(sheet, (table.rows, table.columns))
    for agreement in (_agreement, _loose_agreement):
        in_rows, in_columns = agreement(table.rows, height, labels, n), agreement(table.columns, width, labels, n)
        if in_rows != in_columns:
            return "samples_by_genes" if in_rows > in_columns else "genes_by_samples"
        if in_rows:
            break
    else:
        _refuse_labels_in_column(sheet, (table.rows, table.columns))
    raise CountsError(
        f"the sample sheet, of {_count(n, 'row')}, fits {'both axes' if in_rows else 'neither axis'} of counts, "
        f"of shape ({height}, {width}){_axes_shown(table, labels)}. Correct the labels, or say which axis holds the "
        "samples: orientation='genes_by_samples' or orientation='samples_by_genes'."
    )


def _axes_shown(table: _Table, labels: pd.Index | None) -> str:
    axes = {"sample sheet": labels, "rows": table.rows, "columns": table.columns}
    shown = [f"{name} {listing(axis)}" for name, axis in axes.items() if axis is not None]
    return f" (labels: {'; '.join(shown)})" if shown else ""


def _agreement(axis: pd.Index | None, length: int, labels: pd.Index | None, n: int) -> int:
    """Return 3 for equal labels, 2 for some in common, 1 for equal length without labels, else 0."""
    if axis is None or labels is None:
        return int(length == n)
    common = int(labels.isin(axis).sum())
    return 3 if common == n == length else 2 * (common > 0)


def _loose_agreement(axis: pd.Index | None, _: int, labels: pd.Index | None, __: int) -> int:
    """Return 1 where some labels agree loosely, else 0."""
    if axis is None or labels is None:
        return 0
    return int(not {_loose(label) for label in axis}.isdisjoint(map(_loose, labels)))


def _loose(label: str) -> str:
    """Return a label without what is often changed on the way: case, spaces, and R's make.names."""
    plain = re.sub(r"[^a-z0-9]", ".", label.strip().lower())
    return plain[1:] if re.match(r"x[0-9.]", plain) else plain


# Matching samples


def _matched(
    axis: pd.Index | None, length: int, sheet: pd.DataFrame, labels: pd.Index | None, numbered: bool
) -> tuple[pd.Index, IntArray]:
    """Return the sample labels in the order of the counts and the row of the sheet for each."""
    if axis is not None:
        advice = "Each sample needs one label of its own; add up technical replicates first."
        _refuse_repeated(axis, "counts", "sample", CountsError, advice)
    if length == len(sheet):  # row numbers on both sides, in another order on one of them, are labels after all
        if labels is None and _are_row_numbers(axis):
            labels = _row_numbers(length)
        if axis is None and numbered and _are_row_numbers(labels):
            axis = _row_numbers(length)
    if axis is not None and labels is not None:
        return axis.rename(sheet.index.name), _rows_by_label(axis, labels, sheet)
    return _labels_by_position(axis, length, sheet, labels), np.arange(length)


def _labels_by_position(axis: pd.Index | None, length: int, sheet: pd.DataFrame, labels: pd.Index | None) -> pd.Index:
    """Return the sample labels where at least one side has none."""
    if axis is not None:
        _refuse_labels_in_column(sheet, (axis,))
    if length != len(sheet):
        raise SamplesError(
            f"counts has {_count(length, 'sample')}, but the sample sheet has {_count(len(sheet), 'row')}; "
            "give one row for each sample."
        )
    if axis is not None:
        _warn(
            "the sample sheet has no labels: its rows were matched with the counts by position, first with "
            f"{axis[0]!r}, last with {axis[-1]!r}. Put the labels in its index to be sure."
        )
        return axis
    if labels is None:
        return pd.Index([f"sample{i}" for i in range(1, length + 1)])
    if _are_row_numbers(labels) and not labels.equals(_row_numbers(length)):
        _warn(
            "counts has no labels and the rows of the sample sheet are numbered in another order; they were matched "
            "by position. Give counts as a DataFrame with labels to be sure."
        )
    return labels


def _row_numbers(length: int) -> pd.Index:
    return pd.Index([str(i) for i in range(length)])


def _are_row_numbers(labels: pd.Index | None) -> bool:
    """Return whether the labels are 0, 1, ... in any order, as pandas numbers rows."""
    return labels is not None and set(labels) == set(_row_numbers(len(labels)))


def _rows_by_label(axis: pd.Index, labels: pd.Index, sheet: pd.DataFrame) -> IntArray:
    order = labels.get_indexer(axis)
    if len(axis) == len(labels) and (order >= 0).all():
        return order.astype(np.int64)
    _refuse_labels_in_column(sheet, (axis,))
    only_counts, only_sheet = axis[order < 0], labels[~labels.isin(axis)]
    parts = [
        f"{_count(len(names), 'sample')} only in {owner}: {listing(names)}"
        for owner, names in (("counts", only_counts), ("the sample sheet", only_sheet))
        if len(names)
    ]
    advice = _label_advice(only_counts, only_sheet)
    raise SamplesError(f"the sample labels do not match; {'; '.join(parts)}. {advice}")


def _label_advice(only_counts: pd.Index, only_sheet: pd.Index) -> str:
    near = {_loose(label): label for label in only_sheet}
    pairs = [(label, near[_loose(label)]) for label in only_counts if _loose(label) in near]
    if pairs:
        shown = ", ".join(f"{a!r} and {b!r}" for a, b in pairs[:5])
        return (
            f"{len(pairs)} of them match apart from spaces, upper or lower case, or '-' written as '.' as R does "
            f"({shown}): rename one side."
        )
    return "Select or rename so that both hold the same samples."


def _refuse_labels_in_column(sheet: pd.DataFrame, axes: tuple[pd.Index | None, ...]) -> None:
    """Stop when a column of the sheet, not its index, holds exactly the labels of an axis of the counts."""
    for axis in axes:
        column = _column_with(sheet, axis)
        if column is not None:
            raise SamplesError(
                f"the labels of counts are in the column {column!r} of the sample sheet, not in its index: "
                f"use samples.set_index({column!r})."
            )


def _column_with(sheet: pd.DataFrame, axis: pd.Index | None) -> object | None:
    """Return the name of the first column that holds exactly the labels of `axis`."""
    if axis is None or len(axis) != len(sheet):
        return None
    wanted = set(axis)
    return next((name for name in sheet.columns if set(_texts(sheet[name])) == wanted), None)


# Values


def _dense(values: _Values, turned: bool) -> FloatArray:
    """Return a new (G, n) float64 array in C order."""
    if isinstance(values, np.ndarray):
        return np.array(values.T if turned else values, dtype=np.float64, order="C")
    floats = values.astype(np.float64, copy=False)
    return (floats.T if turned else floats).toarray(order="C")


def _blocks(counts: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    step = max(1, _BLOCK_CELLS // counts.shape[1])
    for start in range(0, counts.shape[0], step):
        rows = slice(start, start + step)
        yield rows, counts[rows]


def _check_values(counts: FloatArray, genes: pd.Index, samples: pd.Index, advice: str) -> None:
    seen = np.zeros(counts.shape[1], dtype=np.bool_)
    varies = False
    for _, block in _blocks(counts):
        if not np.all((np.floor(block) == block) & (block >= 0) & (block < np.inf)):
            _refuse_values(counts, genes, samples, advice)
        seen |= block.any(axis=0)
        varies = varies or bool(np.any(block != block[:, :1]))
    if not seen.any():
        raise CountsError("all counts are zero; is this the right table?")
    if not seen.all():
        empty = samples[~seen]
        raise CountsError(
            f"all counts are zero in {_count(len(empty), 'sample')}: {listing(empty)}; "
            "drop these samples from counts and from the sample sheet."
        )
    if not varies and counts.shape[1] > 1:
        _warn("all genes have equal values for all samples, so there is nothing to compare; are these raw counts?")


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


def _refuse_values(counts: FloatArray, genes: pd.Index, samples: pd.Index, advice: str) -> None:
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
            j = int(np.argmax(test(counts[g])))
            raise CountsError(
                f"{_count(total, 'count')} {'is' if total == 1 else 'are'} {noun}, in "
                f"{_count(int(in_gene.sum()), 'gene')} ({listing(genes[in_gene])}) and "
                f"{_count(int(in_sample.sum()), 'sample')} ({listing(samples[in_sample])}); for example gene "
                f"{genes[g]!r}, sample {samples[j]!r}: {float(counts[g, j])}. {remedy}{advice}"
            )


# Words


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _warn(message: str) -> None:
    """Warn at the line of the caller outside the package, however deep the door stands below it."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("countnest."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CountnestWarning, stacklevel=level)
