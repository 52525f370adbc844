"""Genes ranked by a table of results, in the forms that tools for gene sets read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.info import ResultsInfo
from countnest.containers.signed import signed_statistics
from countnest.errors import OptionError, listing, suggestion
from countnest.options import check_option

__all__ = ["MissingGenes", "RankBy", "identifiers", "matrix_of", "ranked_genes", "scores_of"]

RankBy = Literal["stat", "log2FoldChange", "pvalue"]
MissingGenes = Literal["drop", "zero"]


class Tested(Protocol):
    """A table of results with its record."""

    @property
    def table(self) -> pd.DataFrame:
        """The table, a row for each gene."""

    @property
    def info(self) -> ResultsInfo:
        """The record."""


_SMALLEST = float(np.nextafter(0.0, 1.0))  # the smallest p-value above zero that there is


def ranked_genes(results: Tested, by: RankBy | None, ids: str | None) -> pd.Series[float]:
    """Return a score for each gene, the largest first; see `Results.ranked`."""
    scores = scores_of(results, by)
    found = pd.Series(scores, index=identifiers(results.table, ids), name=_chosen(results.table, by))
    means = results.table["baseMean"].to_numpy(dtype=np.float64)
    there = np.isfinite(scores) & np.asarray(found.index != "")
    found, means = found[there], means[there]
    found = found.iloc[np.argsort(-means, kind="stable")]  # of several genes of one name the one with most counts
    found = found[~found.index.duplicated()]
    if found.empty:
        raise OptionError("no gene of this table has a value to rank it by.")
    return found.sort_values(ascending=False, kind="stable")


def scores_of(results: Tested, by: RankBy | None) -> FloatArray:
    """Return a score (G,) with the sign of the change; NaN for genes without one, and where there is no p-value."""
    table, by = results.table, _chosen(results.table, by)
    if "log2FoldChange" not in table:
        raise OptionError(
            f"the statistic of this test ({results.info.test}) of several rows has no direction, so genes cannot be "
            "ranked from up to down; test one comparison."
        )
    change = table["log2FoldChange"].to_numpy(dtype=np.float64)
    p_value = table["pvalue"].to_numpy(dtype=np.float64) if "pvalue" in table else np.zeros(len(table))
    if by == "stat":
        scores = signed_statistics(table, results.info.test)
    elif by == "log2FoldChange":
        scores = change
    else:
        scores = as_float(-np.sign(change) * np.log10(np.maximum(p_value, _SMALLEST)))
    return as_float(np.where(np.isnan(p_value), np.nan, scores))


def identifiers(table: pd.DataFrame, ids: str | None) -> pd.Index:
    """Return the names of the genes as text, from the column `ids`, '' where it has none; None: their labels."""
    if ids is None:
        return pd.Index([str(label) for label in table.index], dtype=object, name=table.index.name)
    if not isinstance(ids, str) or ids not in table:
        raise OptionError(
            f"ids={ids!r} is no column of the table.{suggestion(ids, table)} Its columns are {listing(table, 30)}."
        )
    names = ["" if missing else str(name) for name, missing in zip(table[ids], table[ids].isna(), strict=True)]
    return pd.Index(names, dtype=object, name=ids)


def matrix_of(parts: Mapping[str, Tested], by: RankBy | None, ids: str | None, missing: MissingGenes) -> pd.DataFrame:
    """Return the scores of several tables, tables x genes; see `ResultsSet.to_decoupler`."""
    check_option("missing", missing, MissingGenes)
    columns = {label: ranked_genes(part, by, ids) for label, part in parts.items()}
    first = next(iter(parts.values()))
    scores = pd.DataFrame({str(label): column for label, column in columns.items()})
    order = pd.Index(pd.unique(identifiers(first.table, ids)))
    order = order[order.isin(scores.index)].append(scores.index.difference(order, sort=False))
    matrix: pd.DataFrame = scores.loc[order].T
    matrix = matrix.dropna(axis=1) if missing == "drop" else matrix.fillna(0.0)
    if matrix.shape[1] == 0:
        raise OptionError(
            "no gene has a value in every table: missing='zero' takes 0 for the others, or take fewer tables."
        )
    return matrix.set_axis(pd.Index(matrix.columns.to_numpy()), axis=1)


def _chosen(table: pd.DataFrame, by: RankBy | None) -> RankBy:
    """Return the column that decides; None: the statistic, or the fold change where a table has none."""
    if by is None:
        return "stat" if "stat" in table else "log2FoldChange"
    check_option("by", by, RankBy)
    if by not in table:
        raise OptionError(f"by={by!r}: the table has no such column; it has {listing(table.columns, 20)}.")
    return by
