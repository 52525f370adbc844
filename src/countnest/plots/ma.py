"""The MA plot: the size of every change against the mean count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.results import Results, decisive
from countnest.plots.groups import chosen_genes, draw_group, groups_of, limits_given, names_of, one_comparison
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_ma"]

# How much wider the limits get for genes that are named.
_FARTHEST = 3.0


@checked_arguments
def plot_ma(
    results: Results,
    *,
    ax: Axes | None = None,
    alpha: float | None = None,
    ylim: tuple[float, float] | None = None,
    label: int | Iterable[str] = 0,
) -> Figure:
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

    Returns
    -------
    Figure
        The figure: `plot_ma(res).savefig("ma.png")`.

    Raises
    ------
    OptionError
        `results` is not a table of the fold changes of one comparison; `alpha` is not between 0 and 1; or `ylim` is not
        an interval that holds zero; or `label` names no gene of the table.
    """
    from countnest.plots.figure import caption, figure_of, legend_above, new_axes, style

    by, level = decisive(one_comparison(results, "plot_ma"), alpha)
    ax = new_axes() if ax is None else ax
    mean, change, value = _with_counts(results, by)
    genes = chosen_genes(results, label)
    named = results.table["log2FoldChange"].loc[genes].to_numpy(dtype=np.float64)
    low, high = _limits(change, named) if ylim is None else limits_given("ylim", ylim)
    called = value < level
    for rank, group in enumerate(groups_of(results, change, called, f"{by} < {level:g}")):
        draw_group(ax, mean, change, group, None, (low, high), zorder=2.0 + 0.1 * rank)
    _lines(ax, results)
    margin = 0.03 * (high - low)
    ax.set_ylim(low - margin, high + margin)
    shrinkage = results.info.shrinkage
    style(ax, "log2 fold change" if shrinkage is None else f"log2 fold change (shrunken, {shrinkage})")
    caption(ax, results.info.label)
    legend_above(ax, columns=3)
    _names(ax, results, genes, (low, high), np.column_stack([mean[called], change[called]]))
    return figure_of(ax)


def _with_counts(results: Results, by: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return baseMean, log2FoldChange and the deciding column of the genes that can be drawn."""
    columns = results.table[["baseMean", "log2FoldChange", by]].to_numpy(dtype=np.float64)
    drawn = columns[(columns[:, 0] > 0) & np.isfinite(columns[:, 1])]
    return drawn[:, 0], drawn[:, 1], drawn[:, 2]


def _limits(change: FloatArray, named: FloatArray) -> tuple[float, float]:
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
