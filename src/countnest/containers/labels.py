"""Labels of genes and samples: which axis of a table holds the samples, and which row of the sheet each one has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.containers.similar import Similarity, label_texts, similarity, text_labels
from countnest.containers.source import Values
from countnest.errors import CountnestError, CountsError, SamplesError, counted, listing, warn
from countnest.options import Orientation
from countnest.remedies import advised, option

__all__ = ["Table", "gene_labels", "match_samples", "recognise_orientation", "sheet_labels"]

REPEATED_SAMPLE = "Each sample needs one label of its own; add up technical replicates first."


class Table(NamedTuple):
    """A two-dimensional count table as it was given; an axis without labels is None."""

    values: Values
    rows: pd.Index | None
    columns: pd.Index | None
    numbered: bool  # an axis without labels has pandas' row numbers
    advice: Callable[[], str] = str  # gives what is added when the values are not whole numbers
    gene_info: pd.DataFrame | None = None  # what came with the counts, in the order of the genes


def sheet_labels(sheet: pd.DataFrame) -> pd.Index | None:
    """Return the labels of a sample sheet, unique; None for a default RangeIndex."""
    labels = text_labels(sheet.index, "samples")
    if labels is not None:
        _refuse_repeated(labels, "the sample sheet", "sample", SamplesError, "Each sample needs one row of its own.")
    return labels


def _refuse_repeated(labels: pd.Index, where: str, noun: str, error: type[CountnestError], advice: str) -> None:
    if not labels.is_unique:
        repeated = labels[labels.duplicated()].unique()
        raise error(f"{where}: {counted(len(repeated), f'{noun} label')} more than once: {listing(repeated)}. {advice}")


def gene_labels(axis: pd.Index | None, n_genes: int, genes: Sequence[object] | pd.Index | None) -> pd.Index:
    """Return the labels of the genes, unique: those given, those of the table, or gene1, gene2, ..."""
    if genes is not None:
        if len(genes) != n_genes:
            raise CountsError(f"genes= has {len(genes)} labels, but counts has {counted(n_genes, 'gene')}.")
        given = genes if isinstance(genes, pd.Index) else pd.Index(list(genes), dtype=object)
        axis = text_labels(given, "counts")
    if axis is None:
        return pd.Index([f"gene{i}" for i in range(1, n_genes + 1)])
    advice = advised(
        "Add their counts up, e.g. counts.groupby(level=0).sum() with the genes in rows, or make the labels unique "
        "(for AnnData: adata.var_names_make_unique()).",
        "Add their counts up, or make the labels unique.",
    )
    _refuse_repeated(axis, "counts", "gene", CountsError, advice)
    return axis


# Which axis holds the samples


def recognise_orientation(table: Table, labels: pd.Index | None, sheet: pd.DataFrame) -> Orientation:
    """Return the orientation under which the table agrees better with the sample sheet."""
    n, (height, width) = len(sheet), table.values.shape
    if labels is None:
        _refuse_labels_in_column(sheet, (table.rows, table.columns))
    for agreement in (_agreement, _similar):
        in_rows, in_columns = agreement(table.rows, height, labels, n), agreement(table.columns, width, labels, n)
        if in_rows != in_columns:
            return "samples_by_genes" if in_rows > in_columns else "genes_by_samples"
        if in_rows:
            break
    else:
        _refuse_labels_in_column(sheet, (table.rows, table.columns))
    for axis in (table.rows, table.columns):  # perhaps that of the samples, which repeated labels make unlike the sheet
        if axis is not None and len(axis) == n:
            _refuse_repeated(axis, "counts", "sample", CountsError, REPEATED_SAMPLE)
    raise CountsError(
        f"the sample sheet, of {counted(n, 'row')}, fits {'both axes' if in_rows else 'neither axis'} of counts, "
        f"of shape ({height}, {width}){_axes_shown(table, labels)}. Correct the labels, or say which axis holds the "
        f"samples: {option('orientation', 'genes_by_samples')} or {option('orientation', 'samples_by_genes')}."
    )


def _axes_shown(table: Table, labels: pd.Index | None) -> str:
    axes = {"sample sheet": labels, "rows": table.rows, "columns": table.columns}
    shown = [f"{name} {listing(axis)}" for name, axis in axes.items() if axis is not None]
    return f" (labels: {'; '.join(shown)})" if shown else ""


def _agreement(axis: pd.Index | None, length: int, labels: pd.Index | None, n: int) -> int:
    """Return 3 for equal labels, 2 for some in common, 1 for equal length without labels, else 0."""
    if axis is None or labels is None:
        return int(length == n)
    common = int(labels.isin(axis).sum())
    return 3 if common == n == length else 2 * (common > 0)


def _similar(axis: pd.Index | None, _: int, labels: pd.Index | None, __: int) -> int:
    """Return the number of labels that mean the same without being equal."""
    return 0 if axis is None or labels is None else similarity(axis, labels).n_alike


# Matching samples


def match_samples(
    axis: pd.Index | None, length: int, sheet: pd.DataFrame, labels: pd.Index | None, table: Table
) -> tuple[pd.Index, IntArray]:
    """Return the sample labels in the order of the counts and the row of the sheet for each."""
    if axis is not None:
        _refuse_repeated(axis, "counts", "sample", CountsError, REPEATED_SAMPLE)
    if length == len(sheet):  # row numbers on both sides, in another order on one of them, are labels after all
        if labels is None and _are_row_numbers(axis):
            labels = _row_numbers(length)
        if axis is None and table.numbered and _are_row_numbers(labels):
            axis = _row_numbers(length)
    if axis is not None and labels is not None:
        order = _rows_by_label(axis, labels, sheet, turned=axis is table.rows)
        return labels[order].rename(sheet.index.name), order
    return _labels_by_position(axis, length, sheet, labels), np.arange(length)


def _labels_by_position(axis: pd.Index | None, length: int, sheet: pd.DataFrame, labels: pd.Index | None) -> pd.Index:
    """Return the sample labels where at least one side has none."""
    if axis is not None:
        _refuse_labels_in_column(sheet, (axis,))
    if length != len(sheet):
        raise SamplesError(
            f"counts has {counted(length, 'sample')}, but the sample sheet has {counted(len(sheet), 'row')}; "
            "give one row for each sample."
        )
    if axis is not None:
        warn(
            "the sample sheet has no labels: its rows were matched with the counts by position, first with "
            f"{axis[0]!r}, last with {axis[-1]!r}. Put the labels in its index to be sure."
        )
        return axis
    if labels is None:
        return pd.Index([f"sample{i}" for i in range(1, length + 1)])
    if _are_row_numbers(labels) and not labels.equals(_row_numbers(length)):
        warn(
            "counts has no labels and the rows of the sample sheet are numbered in another order; they were matched "
            "by position. Give counts as a DataFrame with labels to be sure."
        )
    return labels


def _row_numbers(length: int) -> pd.Index:
    return pd.Index([str(i) for i in range(length)])


def _are_row_numbers(labels: pd.Index | None) -> bool:
    """Return whether the labels are 0, 1, ... in any order, as pandas numbers rows."""
    return labels is not None and set(labels) == set(_row_numbers(len(labels)))


def _rows_by_label(axis: pd.Index, labels: pd.Index, sheet: pd.DataFrame, *, turned: bool) -> IntArray:
    """Return the row of the sheet for each sample; `turned`: samples are the rows of the counts."""
    order = labels.get_indexer(axis)
    if len(axis) == len(labels) and (order >= 0).all():
        return order.astype(np.int64)
    _refuse_labels_in_column(sheet, (axis,))
    only_counts, only_sheet = axis[order < 0], labels[~labels.isin(axis)]
    places = np.where(order >= 0, order, similarity(axis, labels).places)
    meant, taken = places[order < 0], np.flatnonzero(labels.isin(axis))
    left = Similarity(np.where(np.isin(meant, taken), -1, meant), len(labels))
    if Similarity(places, len(labels)).is_unique:
        n_left = len(only_counts)
        warn(
            f"{counted(n_left, 'sample label')} of counts and of the sample sheet {'is' if n_left == 1 else 'are'} not "
            f"equal, but {'means' if n_left == 1 else 'mean'} the same: {left.pairs(only_counts, labels)}. They were "
            "matched accordingly, each with the only one that fits, and the samples have the labels of the sheet. "
            "Rename one side to be sure."
        )
        return places.astype(np.int64)
    parts = [
        f"{counted(len(names), 'sample')} only in {owner}: {listing(names)}"
        for owner, names in (("counts", only_counts), ("the sample sheet", only_sheet))
        if len(names)
    ]
    advice = _label_advice(only_counts, only_sheet, left, labels, axis, turned=turned)
    raise SamplesError(f"the sample labels do not match; {'; '.join(parts)}. {advice}")


def _label_advice(
    only_counts: pd.Index, only_sheet: pd.Index, alike: Similarity, labels: pd.Index, axis: pd.Index, *, turned: bool
) -> str:
    if alike.n_alike:
        several = alike.ambiguous(only_counts)
        return (
            f"Tried whether labels stand in one another as whole words, case and punctuation aside: "
            f"{alike.pairs(only_counts, labels)} may be the same"
            f"{f', but several labels stand in {several}' if several else ''}. Rename one side, and drop what is left."
        )
    if alike.ambiguous(only_counts):
        return (
            "Tried whether labels of one side stand in those of the other as whole words: several do in "
            f"{alike.ambiguous(only_counts)}. Rename one side."
        )
    if not len(only_sheet):
        doubled = [label for label in only_counts if re.search(r"\.\d+$", label) and label.rpartition(".")[0] in axis]
        again = f" {listing(doubled)} may be a column that was there twice and got a number." if doubled else ""
        take = "counts.loc[samples.index]" if turned else "counts[samples.index]"
        remedy = advised(f": {take}", f", delete it from {option('counts')}")
        return f"To leave out what the sheet does not name{remedy}.{again}"
    if not len(only_counts):
        remedy = advised(
            f": samples.loc[counts.{'index' if turned else 'columns'}]", f", delete them from {option('samples')}"
        )
        return f"To leave out samples without counts{remedy}."
    if all(re.fullmatch(r"[\d.]+", label) for label in only_counts):
        return (
            "The labels of counts are numbers: does its file lack a header with the names of the samples? Otherwise "
            "select or rename so that both hold the same samples."
        )
    return "Select or rename so that both hold the same samples."


def _refuse_labels_in_column(sheet: pd.DataFrame, axes: tuple[pd.Index | None, ...]) -> None:
    """Stop when a column of the sheet, not its index, holds the labels of an axis of the counts."""
    for holds, words in ((_holds, "are in"), (_holds_alike, "mean the same as those in")):
        for axis in axes:
            column = None if axis is None else next((name for name in sheet.columns if holds(sheet[name], axis)), None)
            if column is not None:
                raise SamplesError(
                    f"the labels of counts {words} the column {column!r} of the sample sheet, not in its index: "
                    f"use samples.set_index({column!r})."
                )


def _holds(column: pd.Series[Any], axis: pd.Index) -> bool:
    """Return whether a column has all labels of `axis`, and more only if there are more samples."""
    if len(axis) > len(column) or (len(axis) < len(column) and all(label.isdigit() for label in axis)):
        return False  # some numbers are in any column of numbers
    texts = label_texts(column)
    return axis.is_unique and len(set(texts)) == len(texts) and set(axis) <= set(texts)


def _holds_alike(column: pd.Series[Any], axis: pd.Index) -> bool:
    """Return whether a column has text that means the same as the labels of `axis`, one for each."""
    if len(axis) != len(column) or not all(isinstance(value, str) for value in column):
        return False
    return column.is_unique and similarity(axis, pd.Index(column)).is_unique
