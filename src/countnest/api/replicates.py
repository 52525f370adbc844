"""Sums of technical replicates."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import require_data_set
from countnest.api.deseq2 import DESeqDataSet
from countnest.api.inputs import by_label
from countnest.arrays import BoolArray, IntArray
from countnest.containers.matrix import InMemory
from countnest.errors import OptionError, SamplesError, counted, listing, suggestion, warn
from countnest.options import check_flags
from countnest.signature import checked_arguments

__all__ = ["collapse_replicates"]

RUNS = "runs_collapsed"


@checked_arguments
def collapse_replicates(
    dds: DESeqDataSet,
    groupby: str | Sequence[Any] | pd.Series,
    run: str | Sequence[Any] | pd.Series | None = None,
    *,
    rename: bool = True,
) -> DESeqDataSet:
    """Return a new data set with the counts of technical replicates summed; `dds` is not changed.

    Biological replicates must not be summed: their differences are what changes are compared with.

    Parameters
    ----------
    dds
        The data set.
    groupby
        What the replicates of one sample have in common: a column of the sample sheet, or one label for each sample (a
        Series is matched by label). The new samples are in the order of its levels, else of the sorted labels.
    run
        Names of the replicates, given in the same ways; they are listed, with commas, in the column `runs_collapsed` of
        the new sample sheet. None: the labels of the samples.
    rename
        Label the new samples by `groupby`; otherwise by the first replicate of each.

    Returns
    -------
    DESeqDataSet
        Not yet fitted, with the same design. The rest of its sample sheet is that of the first replicate of each
        sample.

    Raises
    ------
    OptionError
        The sample sheet has no such column.
    SamplesError
        There is not one label for each sample; or replicates of one sample differ in a variable of the design.

    Warns
    -----
    CountnestWarning
        Replicates of one sample differ in another column of the sample sheet, apart from `run`; or factors, weights or
        transcript lengths were given, which cannot be summed and are dropped.

    Notes
    -----
    R counterpart: DESeq2::collapseReplicates, which takes the values of the first replicate without a word.

    Examples
    --------
    Lanes of one library summed, where the sample sheet has the columns `library` and `lane`:

    >>> dds = collapse_replicates(dds, "library", "lane")  # doctest: +SKIP
    """
    require_data_set(dds, "collapse_replicates")
    check_flags(rename=rename)
    groups = _labels(dds, groupby, "groupby").astype("category").cat.remove_unused_categories()
    codes = groups.cat.codes.to_numpy().astype(np.int64)
    first = np.array([np.flatnonzero(codes == code)[0] for code in range(len(groups.cat.categories))])
    old = dds._data
    labels = pd.Index(groups.cat.categories.map(str) if rename else old.samples[first], name=old.samples.name)
    if not labels.is_unique:
        raise SamplesError(f"groupby has labels that are the same as text: {listing(labels[labels.duplicated()])}.")
    runs = old.samples.to_series() if run is None else _labels(dds, run, "run")
    _check_agreement(dds, groups, codes, first, runs)
    _warn_of_losses(dds)
    sheet = old.sheet.iloc[first].set_axis(labels)
    sheet[RUNS] = [",".join(map(str, runs[codes == code])) for code in range(len(first))]
    belongs = (codes[:, np.newaxis] == np.arange(len(first))).astype(np.float64)
    new = dds.copy()
    new._weights, new._lengths = None, None
    new._put_data(replace(old, matrix=InMemory(old.counts @ belongs), samples=labels, sheet=sheet), first)
    return new


def _labels(dds: DESeqDataSet, values: Any, name: str) -> pd.Series[Any]:  # noqa: ANN401 (a column, or labels)
    """Return one label for each sample, in their order."""
    samples = dds._data.samples
    if isinstance(values, str):
        sheet = dds.samples
        if values not in sheet:
            raise OptionError(
                f"{name}='{values}': the sample sheet has no such column.{suggestion(values, sheet.columns)} Its "
                f"columns are {listing(sheet.columns, 20)}."
            )
        found: pd.Series[Any] = sheet[values]
    elif isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        found = by_label(values, samples, "sample", name, SamplesError)
    elif isinstance(values, Set):
        raise OptionError(
            f"{name} is a set, which has no order; give a column, or a list of one label for each sample."
        )
    else:
        found = pd.Series(values)
    if len(found) != len(samples):
        raise SamplesError(f"{name} must have one label for each of the {len(samples)} samples; it has {len(found)}.")
    found = found.set_axis(samples)
    if found.isna().any():
        raise SamplesError(f"{name} is missing for the samples {listing(samples[found.isna()])}.")
    return found


def _check_agreement(
    dds: DESeqDataSet, groups: pd.Series[Any], codes: IntArray, first: IntArray, runs: pd.Series[Any]
) -> None:
    """Look for columns of the sample sheet in which replicates of one sample disagree, other than the `runs`."""
    sheet = dds.samples
    names = [name for name in sheet if list(sheet[name].astype(str)) != list(runs.astype(str))]
    found = {str(name): _differing(sheet[name], codes, first) for name in names}
    disagree = {name: groups[differ].unique() for name, differ in found.items() if differ.any()}
    rows = dds.design.matrix
    if dds.design.coder is None and (differ := (rows != rows[first][codes]).any(axis=1)).any():
        raise SamplesError(
            f"replicates of {_samples(groups[differ].unique())} have different rows in the model matrix; are these "
            "technical replicates?"
        )
    for name in dds.design.variables:
        if name in disagree:
            one = disagree[name][0]
            values = sheet.loc[(groups == one).to_numpy(), name].unique()
            raise SamplesError(
                f"replicates of {_samples(disagree[name])} differ in '{name}', a variable of the design: "
                f"{one} has {listing(values)}. Technical replicates share it: give groupby= that tells them apart, or "
                "correct the sample sheet (dds.samples = frame)."
            )
    if disagree:
        shown = "; ".join(f"'{name}' of {_samples(each)}" for name, each in list(disagree.items())[:5])
        more = f" and {counted(len(disagree) - 5, 'column')} more" if len(disagree) > 5 else ""
        warn(
            f"replicates of one sample differ in the sample sheet: {shown}{more}. The value of the first replicate is "
            "kept; name the column of what differs by replicate as run=, or drop it."
        )


def _samples(names: Any) -> str:  # noqa: ANN401 (labels)
    return f"{counted(len(names), 'sample')} ({listing(names)})"


def _differing(column: pd.Series[Any], codes: IntArray, first: IntArray) -> BoolArray:
    """Return the mask of replicates whose value differs from the first of their sample; missing values are equal."""
    values = np.array(["" if missing else repr(x) for x, missing in zip(column, column.isna(), strict=True)])
    differ: BoolArray = values != values[first][codes]
    return differ


def _warn_of_losses(dds: DESeqDataSet) -> None:
    given = {
        "size or normalization factors": dds._given if not dds._factors_estimated else None,
        "observation weights": dds._weights,
        "average transcript lengths": dds._lengths,
    }
    dropped = [what for what, values in given.items() if values is not None]
    if dropped:
        warn(f"{' and '.join(dropped)} cannot be summed over replicates and are dropped; give those of the sums.")
