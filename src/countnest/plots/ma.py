"""The MA plot: the size of every change against the mean count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.results import Results, decisive
from countnest.options import check_flags
from countnest.plots.groups import calls_of, chosen_genes, draw_group, groups_of, limits_given, names_of, one_comparison
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ma_limits", "plot_ma"]

# How much wider the limits get for genes that are named.
_FARTHEST = 3.0


@overload
def plot_ma(
    results: Results,
    *,
    ax: Axes | None = ...,
    alpha: float | None = ...,
    ylim: tuple[float, float] | None = ...,
    label: int | Iterable[str] = ...,
    return_data: Literal[False] = ...,
) -> Figure: ...


@overload
def plot_ma(
    results: Results,
    *,
    ax: Axes | None = ...,
    alpha: float | None = ...,
    ylim: tuple[float, float] | None = ...,
    label: int | Iterable[str] = ...,
    return_data: Literal[True],
) -> pd.DataFrame: ...


@checked_arguments
def plot_ma(
    results: Results,
    *,
    ax: Axes | None = None,
    alpha: float | None = None,
    ylim: tuple[float, float] | None = None,
    label: int | Iterable[str] = 0,
    return_data: bool = False,
) -> Figure | pd.DataFrame:
    """Draw the log2 fold change of every gene against its mean of normalized counts.

    Genes with padj < alpha are coloured, in a table of s-values those with svalue < alpha. Genes outside the limits are
    triangles at the border, genes without counts are left out. Dashed lines mark the threshold on the log2 fold change,
    when there was one.

    R counterpart: DESeq2::plotMA

    Parameters
    ----------
    results
        The table of genes.
    ax
        Axes to draw into; by default those of a new figure.
    alpha
        The level for padj, by default the one that `results()` was called with; or for s-values, by default 0.005.
    ylim
        The limits of the log2 fold change; by default 1.1 times the 99 % quantile of its absolute value, and up
        to three times as far where genes that are named lie there.
    label
        Which genes are named: so many of the first of `Results.top`, or labels or symbols of genes. They are called by
        their symbols where the table has them, and their names do not overlap.
    return_data
        Draw nothing and return what would be drawn.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_ma(res).savefig("ma.png")`. With `return_data`, a table of the genes that are drawn with the
        columns baseMean, log2FoldChange and call ('up', 'down', 'within' for tests that a change is small, 'not
        significant').

    Raises
    ------
    OptionError
        `results` is not a table of the fold changes of one comparison; `alpha` is not between 0 and 1; or `ylim` is not
        an interval that holds zero; or `label` names no gene of the table.
    """
    check_flags(return_data=return_data)
    by, level = decisive(one_comparison(results, "plot_ma"), alpha)
    data = _data(results, by, level)
    if return_data:
        return data
    genes = chosen_genes(results, label)
    named = results.table["log2FoldChange"].loc[genes].to_numpy(dtype=np.float64)
    limits = ma_limits(data["log2FoldChange"].to_numpy(), named) if ylim is None else limits_given("ylim", ylim)
    return _drawn(results, data, f"{by} < {level:g}", limits, genes, ax)


def _drawn(
    results: Results, data: pd.DataFrame, level: str, limits: tuple[float, float], genes: list[str], ax: Axes | None
) -> Figure:
    from countnest.plots.figure import caption, figure_of, legend_above, new_axes, style

    ax = new_axes() if ax is None else ax
    low, high = limits
    mean, change = data["baseMean"].to_numpy(), data["log2FoldChange"].to_numpy()
    called = (data["call"] != "not significant").to_numpy(np.bool_)
    for rank, group in enumerate(groups_of(results, change, called, level)):
        draw_group(ax, mean, change, group, None, limits, zorder=2.0 + 0.1 * rank)
    _lines(ax, results)
    margin = 0.03 * (high - low)
    ax.set_ylim(low - margin, high + margin)
    shrinkage = results.info.shrinkage
    style(ax, "log2 fold change" if shrinkage is None else f"log2 fold change (shrunken, {shrinkage})")
    caption(ax, results.info.label)
    legend_above(ax, columns=3)
    _names(ax, results, genes, limits, np.column_stack([mean[called], change[called]]))
    return figure_of(ax)


def _data(results: Results, by: str, level: float) -> pd.DataFrame:
    """Return the genes that can be drawn: mean count, fold change and call."""
    columns = results.table[["baseMean", "log2FoldChange", by]].to_numpy(dtype=np.float64)
    there = (columns[:, 0] > 0) & np.isfinite(columns[:, 1])
    mean, change, value = columns[there].T
    drawn = {"baseMean": mean, "log2FoldChange": change, "call": calls_of(results, change, value < level)}
    return pd.DataFrame(drawn, index=results.table.index[there])


def ma_limits(change: FloatArray, named: FloatArray) -> tuple[float, float]:
    """Return limits that hold nearly all genes, and those that are named unless they are far away."""
    reach = 1.1 * float(np.quantile(np.abs(change), 0.99)) if change.size else 0.0
    sizes = np.abs(named[np.isfinite(named)])
    reach = max(reach, min(1.05 * float(sizes.max()), _FARTHEST * reach)) if sizes.size else reach
    return (-reach, reach) if reach > 0 else (-1.0, 1.0)


def _names(ax: Axes, results: Results, genes: list[str], limits: tuple[float, float], avoid: FloatArray) -> None:
    """Write the names of some genes beside their points."""
    from countnest.plots.labels import write_names

    places = results.table.index.get_indexer(pd.Index(genes))
    mean, change = results.table[["baseMean", "log2FoldChange"]].to_numpy(dtype=np.float64)[places].T
    drawn = (mean > 0) & np.isfinite(change)
    names = [name for name, there in zip(names_of(results, genes), drawn, strict=True) if there]
    write_names(ax, names, mean[drawn], as_float(np.clip(change[drawn], *limits)), avoid)


def _lines(ax: Axes, results: Results) -> None:
    from countnest.plots.figure import INK

    ax.axhline(0.0, color=INK, linewidth=1.0, zorder=3)
    threshold, hypothesis = results.info.lfc_threshold, results.info.alt_hypothesis
    sides = {"greater": (threshold,), "less": (-threshold,)}.get(hypothesis, (-threshold, threshold))
    for height in sides if threshold > 0 else ():
        ax.axhline(height, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
