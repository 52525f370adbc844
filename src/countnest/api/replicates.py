"""Technical replicates, summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import DESeqDataSet
from countnest.api.held import require_data_set
from countnest.api.inputs import by_label
from countnest.arrays import IntArray
from countnest.counterparts import checked_arguments
from countnest.errors import DesignError, OptionError, SamplesError, listing, suggestion, warn
from countnest.options import check_flags

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
        There is not one label for each sample.
    DesignError
        The samples that are left do not suffice for the design.

    Warns
    -----
    CountnestWarning
        Replicates of one sample differ in the design; or factors, weights or transcript lengths were given, which
        cannot be summed and are dropped.

    Notes
    -----
    R counterpart: DESeq2::collapseReplicates.

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
    _warn_of_losses(dds, groups, codes, first)
    old = dds._data
    labels = pd.Index(groups.cat.categories.map(str) if rename else old.samples[first], name=old.samples.name)
    runs = old.samples.to_series() if run is None else _labels(dds, run, "run")
    sheet = old.sheet.iloc[first].set_axis(labels)
    sheet[RUNS] = [",".join(map(str, runs[codes == code])) for code in range(len(first))]
    options = dict(dds._design_options)
    if not isinstance(options["design"], str):
        options["design"] = pd.DataFrame(dds.design.matrix[first], labels, pd.Index(dds.design.columns))
    belongs = (codes[:, np.newaxis] == np.arange(len(first))).astype(np.float64)
    summed = pd.DataFrame(old.counts @ belongs, index=old.genes, columns=labels)
    try:
        return DESeqDataSet(
            summed, sheet, orientation="genes_by_samples", gene_info=dds.gene_info, cells_ok=True,
            n_threads=dds.n_threads, **options,
        )  # fmt: skip
    except DesignError as error:
        raise type(error)(
            f"the design cannot be used after collapsing {len(old.samples)} samples into {len(first)}: {error} Does "
            "groupby tell technical replicates, which share the variables of the design?"
        ) from error


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
    else:
        found = pd.Series(values)
    if len(found) != len(samples):
        raise SamplesError(f"{name} must have one label for each of the {len(samples)} samples; it has {len(found)}.")
    found = found.set_axis(samples)
    if found.isna().any():
        raise SamplesError(f"{name} is missing for the samples {listing(samples[found.isna()])}.")
    return found


def _warn_of_losses(dds: DESeqDataSet, groups: pd.Series[Any], codes: IntArray, first: IntArray) -> None:
    rows = dds.design.matrix
    differ = groups[(rows != rows[first][codes]).any(axis=1)].unique()
    if len(differ):
        warn(
            f"replicates of one sample differ in the variables of the design: {listing(differ)}. The values of the "
            "first replicate are kept; are these technical replicates?"
        )
    given = {
        "size or normalization factors": dds._given,
        "observation weights": dds._weights,
        "average transcript lengths": dds._lengths,
    }
    dropped = [what for what, values in given.items() if values is not None]
    if dropped:
        warn(f"{' and '.join(dropped)} cannot be summed over replicates and are dropped; give those of the sums.")
