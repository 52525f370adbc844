"""Pseudobulk: sums of the counts of the cells of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.containers.anndata import (
    AnnDataLike,
    anndata_table,
    is_anndata,
    warn_of_other_counts,
    where_counts_are,
)
from countnest.containers.grouped import Fault, group_sums
from countnest.errors import CountsError, OptionError, SamplesError, counted, kind_of, listing, suggestion, warn
from countnest.options import check_flags, check_option, names_given
from countnest.progress import progress
from countnest.signature import checked_arguments
from countnest.simulate.argument import whole_number

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["SmallSamples", "pseudobulk"]

SmallSamples = Literal["drop", "keep"]

N_CELLS = "n_cells"
# Between the values that make the label of a sample; the first with which no two labels are the same.
SEPARATORS = ("_", ":", " | ")


@checked_arguments
def pseudobulk(
    adata: AnnDataLike,
    by: str | Sequence[str],
    *,
    layer: str | None = None,
    min_cells: int = 10,
    small: SmallSamples = "drop",
    quiet: bool = False,
) -> AnnData:
    """Sum the counts of the cells of each sample, for tests between samples.

    Cells of one individual are no replicates: tests between cells call far too many genes (Squair et al. 2021,
    doi:10.1038/s41467-021-25960-2). Sums by individual and cell type are tested like any other counts.

    Parameters
    ----------
    adata
        An AnnData object of raw counts, cells in `obs`, in memory or backed by a file, which is read once. It is not
        changed, and sparse counts stay sparse.
    by
        The columns of `obs` whose values make a sample, such as `["donor", "cell_type"]`.
    layer
        The layer that holds the raw counts; `X` when missing.
    min_cells
        Samples of fewer cells are small: their sums are noisy.
    small
        What becomes of them: "drop" leaves them out, "keep" keeps them. They are named in a warning.
    quiet
        Do not tell which columns of `obs` are left out.

    Returns
    -------
    AnnData
        The sums, samples x genes, which `DESeqDataSet` takes as they are. `obs` has the columns of the cells that have
        one value in each sample, and `n_cells`; `var` is that of the cells. Some of the samples are chosen as usual:
        `bulk[bulk.obs["cell_type"] == "B"]`.

    Raises
    ------
    OptionError
        `adata` is no AnnData object; there is no such column or layer.
    CountsError
        The values are not counts, such as normalized ones; the message says where counts are.
    SamplesError
        No sample has enough cells.

    Warns
    -----
    CountnestWarning
        Samples have fewer than `min_cells` cells; cells lack a value of `by` and are left out; or a layer has other
        counts than `X`.

    Examples
    --------
    >>> bulk = pseudobulk(adata, by=["donor", "cell_type"])  # doctest: +SKIP
    >>> dds = cn.DESeqDataSet(bulk[bulk.obs["cell_type"] == "B"], design="~ condition")  # doctest: +SKIP
    """
    check_option("small", small, SmallSamples)
    check_flags(quiet=quiet)
    least = whole_number("min_cells", min_cells, least=0)
    if not is_anndata(adata):
        raise OptionError(
            f"pseudobulk needs an AnnData object with cells in obs; got {kind_of(adata)}. Make one: "
            "anndata.AnnData(X=counts, obs=cells), counts with a row for each cell."
        )
    names = _columns(adata.obs, by)
    values = anndata_table(adata, layer).values
    if layer is None:
        warn_of_other_counts(adata)
    obs, codes, n_cells = _samples(adata.obs, names)
    kept = _enough(obs.index, n_cells, least, small)
    places = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last one is that of cells without a sample
    sums = group_sums(values, places[codes], int(kept.sum()))
    if isinstance(sums, Fault):
        raise _no_counts(adata, layer, sums)
    sheet, left_out = obs.loc[kept], adata.obs.columns.difference(obs.columns, sort=False)
    if len(left_out):
        progress(quiet).note(
            f"columns of obs that differ between the cells of a sample are left out: {listing(left_out)}"
        )
    return _anndata(sums.astype(np.int64), sheet.assign(**{N_CELLS: n_cells[kept]}), pd.DataFrame(adata.var).copy())


def _columns(obs: pd.DataFrame, by: str | Sequence[str]) -> list[str]:
    names = names_given("by", by)
    if not names:
        raise OptionError(
            f"by is empty; give columns of obs, such as sample and cell type: {listing(obs.columns, 20)}."
        )
    for name in names:
        if name not in obs.columns:
            raise OptionError(
                f"by: obs has no column '{name}'.{suggestion(name, obs.columns)} Its columns are "
                f"{listing(obs.columns, 20)}."
            )
    return names


def _samples(cells: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, IntArray, IntArray]:
    """Return the sheet of the samples, the sample of each cell (-1: none), and the number of cells of each sample."""
    factors = [cells[name].astype("category").cat.remove_unused_categories() for name in names]
    code, missing = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=np.bool_)
    for factor in factors:
        missing |= factor.isna().to_numpy()
        code = code * max(len(factor.cat.categories), 1) + factor.cat.codes.to_numpy()
    if missing.any():
        warn(f"{counted(int(missing.sum()), 'cell')} without a value of {listing(names)} are left out.")
    if missing.all():
        raise SamplesError(f"no cell has a value of {listing(names)}.")
    there = np.flatnonzero(~missing)
    _, first, inverse, n_cells = np.unique(code[there], return_index=True, return_inverse=True, return_counts=True)
    codes = np.full(len(cells), -1)
    codes[there] = inverse
    first = there[first]
    constant = [
        name for name in cells if name in names or (name != N_CELLS and _is_constant(cells[name], first, codes))
    ]
    sheet = cells[constant].iloc[first]
    sheet = sheet.apply(lambda column: column.cat.remove_unused_categories() if _is_factor(column) else column)
    return sheet.set_axis(_labels(sheet[names])), codes, n_cells


def _is_factor(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _is_constant(column: pd.Series, first: IntArray, codes: IntArray) -> bool:
    """Return whether all cells of a sample have the same value, missing ones included."""
    try:
        values, _ = pd.factorize(column)
    except TypeError:  # lists and the like
        return False
    there = codes >= 0
    return bool((values[there] == values[first][codes[there]]).all())


def _labels(values: pd.DataFrame) -> pd.Index:
    rows = [[str(value) for value in row] for row in values.itertuples(index=False)]
    for separator in SEPARATORS:
        labels = pd.Index([separator.join(row) for row in rows])
        if labels.is_unique:
            return labels
    raise SamplesError(
        f"the values of {listing(values.columns)} make the same label for different samples: "
        f"{listing(labels[labels.duplicated()])}. Rename them."
    )


def _enough(labels: pd.Index, n_cells: IntArray, least: int, small: SmallSamples) -> np.ndarray:
    """Return the mask (S,) of samples to keep, with a warning that names small ones."""
    few = n_cells < least
    if few.any():
        shown = listing(f"{label} ({number})" for label, number in zip(labels[few], n_cells[few], strict=True))
        fate = "left out" if small == "drop" else "kept"
        warn(f"{counted(int(few.sum()), 'sample')} of fewer than {counted(least, 'cell')} {fate}: {shown}.")
    kept = ~few if small == "drop" else np.ones(len(few), dtype=np.bool_)
    if not kept.any():
        raise SamplesError(
            f"none of {counted(len(kept), 'sample')} has {counted(least, 'cell')}; the largest has {n_cells.max()}. "
            "Give min_cells=, or fewer columns in by."
        )
    return kept


def _no_counts(adata: AnnDataLike, layer: str | None, fault: Fault) -> CountsError:
    where = "X" if layer is None else f"the layer '{layer}'"
    return CountsError(
        f"{where} of the AnnData object does not hold counts: cell '{adata.obs_names[fault.row]}', gene "
        f"'{adata.var_names[fault.column]}' has {fault.value:g}. Sums need the raw counts, not normalized or "
        f"logarithmic values.{where_counts_are(adata, layer)}"
    )


def _anndata(values: Any, obs: pd.DataFrame, var: pd.DataFrame) -> AnnData:  # noqa: ANN401
    try:
        from anndata import AnnData
    except ImportError as error:
        raise OptionError("pseudobulk needs anndata: pip install 'countnest[anndata]'.") from error
    return AnnData(X=values, obs=obs, var=var)
