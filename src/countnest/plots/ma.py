"""The MA plot: the size of every change against the mean count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.gene_info import gene_by_name, symbols_of
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results, decisive
from countnest.errors import OptionError, kind_of, listing
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_ma"]

_Group = tuple[str, BoolArray, str]


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
        The limits of the log2 fold change; by default 1.1 times the 99 % quantile of its absolute value.
    label
        Which genes are named: so many of the first of `Results.top`, or labels or symbols of genes. They are called by
        their symbols where the table has them.

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

    by, level = decisive(_checked(results), alpha)
    ax = new_axes() if ax is None else ax
    mean, change, value = _with_counts(results, by)
    low, high = _limits(change) if ylim is None else _checked_limits(ylim)
    groups = _groups(results, change, value < level, f"{by} < {level:g}")
    for rank, (text, mask, colour) in enumerate(groups):
        _draw(ax, mean[mask], change[mask], (low, high), text, colour, zorder=2.0 + 0.1 * rank)
    _lines(ax, results)
    _names(ax, results, label, (low, high))
    margin = 0.03 * (high - low)
    ax.set_ylim(low - margin, high + margin)
    shrinkage = results.info.shrinkage
    style(ax, "log2 fold change" if shrinkage is None else f"log2 fold change (shrunken, {shrinkage})")
    caption(ax, results.info.label)
    legend_above(ax, columns=3)
    return figure_of(ax)


def _checked(results: object) -> Results:
    """Return the results of one comparison; anything else is an `OptionError`."""
    if isinstance(results, ResultsSet):
        raise OptionError(
            f"plot_ma draws one comparison; the ResultsSet has {len(results)}: {listing(results)}. Give one of them, "
            "such as found[0]."
        )
    if not isinstance(results, Results):
        raise OptionError(f"plot_ma needs the Results that results() returns; got {kind_of(results)}.")
    if "log2FoldChange" not in results.table:
        raise OptionError(
            "plot_ma draws the fold changes of one comparison, and this table is of a joint test of several; give the "
            "results of one of them."
        )
    return results


def _with_counts(results: Results, by: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return baseMean, log2FoldChange and the deciding column of the genes that can be drawn."""
    columns = results.table[["baseMean", "log2FoldChange", by]].to_numpy(dtype=np.float64)
    drawn = columns[(columns[:, 0] > 0) & np.isfinite(columns[:, 1])]
    return drawn[:, 0], drawn[:, 1], drawn[:, 2]


def _limits(change: FloatArray) -> tuple[float, float]:
    reach = 1.1 * float(np.quantile(np.abs(change), 0.99)) if change.size else 0.0
    return (-reach, reach) if reach > 0 else (-1.0, 1.0)


def _checked_limits(ylim: tuple[float, float]) -> tuple[float, float]:
    low, high = ylim
    if not low < 0 < high:
        raise OptionError(f"ylim={ylim!r} is not an interval that holds zero; give one such as (-4, 4).")
    return float(low), float(high)


def _groups(results: Results, change: FloatArray, significant: BoolArray, level: str) -> list[_Group]:
    """Return label, members and colour of each group, from back to front."""
    from countnest.plots.figure import BLUE, GREY, ORANGE

    rest = ("not significant", ~significant, GREY)
    if results.info.alt_hypothesis == "lessAbs":
        return [rest, (f"|LFC| < {results.info.lfc_threshold:g}, {level}", significant, BLUE)]
    up, down = significant & (change > 0), significant & (change < 0)
    return [rest, (f"up, {level}", up, ORANGE), (f"down, {level}", down, BLUE)]


def _draw(
    ax: Axes,
    mean: FloatArray,
    change: FloatArray,
    limits: tuple[float, float],
    label: str,
    colour: str,
    zorder: float,
) -> None:
    """Draw one group: points inside the limits, triangles at the border for the others."""
    from countnest.plots.figure import GREY, points

    low, high = limits
    inside = (change >= low) & (change <= high)
    size, alpha = (5.0, 0.45) if colour == GREY else (7.0, 0.75)
    text = f"{label}: {len(mean):,}"
    points(ax, mean[inside], change[inside], colour=colour, size=size, alpha=alpha, zorder=zorder, label=text)
    for marker, outside, border in (("^", change > high, high), ("v", change < low, low)):
        edge = np.full(int(outside.sum()), border)
        points(ax, mean[outside], edge, colour=colour, size=3.0 * size, alpha=alpha, zorder=zorder, marker=marker)


def _names(ax: Axes, results: Results, label: int | Iterable[str], limits: tuple[float, float]) -> None:
    """Write the names of some genes beside their points."""
    from countnest.plots.figure import INK

    info = results.table[list(results.info.annotation)]
    if isinstance(label, Iterable):
        genes = [gene_by_name(one, info.index, info) for one in ([label] if isinstance(label, str) else label)]
    else:
        genes = list(results.top(label).index) if label else []
    symbols = symbols_of(info)
    places = info.index.get_indexer(pd.Index(genes))
    mean, change = results.table[["baseMean", "log2FoldChange"]].to_numpy(dtype=np.float64)[places].T
    for gene, x, y in zip(genes, mean, np.clip(change, *limits), strict=True):
        if x > 0 and np.isfinite(y):
            text = (symbols is not None and symbols[gene]) or str(gene)
            ax.annotate(
                text, (x, y), xytext=(3.0, 3.0), textcoords="offset points", fontsize="x-small", color=INK, zorder=4
            )  # fmt: skip


def _lines(ax: Axes, results: Results) -> None:
    from countnest.plots.figure import INK

    ax.axhline(0.0, color=INK, linewidth=1.0, zorder=3)
    threshold, hypothesis = results.info.lfc_threshold, results.info.alt_hypothesis
    sides = {"greater": (threshold,), "less": (-threshold,)}.get(hypothesis, (-threshold, threshold))
    for height in sides if threshold > 0 else ():
        ax.axhline(height, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
