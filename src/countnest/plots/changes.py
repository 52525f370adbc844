"""The log2 fold changes of a gene in several comparisons, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from countnest.arrays import FloatArray, as_float
from countnest.containers.gene_info import called, gene_by_name
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results, decisive
from countnest.errors import OptionError, kind_of
from countnest.options import check_flags
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_changes"]

_LEVEL: Final = 0.95
_READ: Final = ("log2FoldChange", "lfcSE", "df", "ciLower", "ciUpper")
_COLUMNS: Final = ("log2FoldChange", "low", "high", "level", "significant")


@overload
def plot_changes(
    found: ResultsSet,
    gene: str,
    *,
    alpha: float | None = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_changes(
    found: ResultsSet,
    gene: str,
    *,
    alpha: float | None = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_changes(
    found: ResultsSet,
    gene: str,
    *,
    alpha: float | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the log2 fold changes of one gene in the rows of a query, with intervals.

    Filled circles are comparisons in which the gene is significant, as the tables say. The intervals are those of the
    tables (`results(confint=)`), and where they have none, 95 % intervals of the estimate and its standard error, by
    the t distribution where the table has degrees of freedom.

    Parameters
    ----------
    found
        The tables of a query of several rows: `dds.effect("dex", by="cell").test()`.
    gene
        The label of the gene, or a symbol that no other gene has.
    alpha
        The level for padj (or s-values) that fills circles; by default that of each table.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_changes(found, "TP53").savefig("tp53.png")`. With `return_data`, a table by comparison with
        the columns log2FoldChange, low, high (ends of the interval), level (of the interval) and significant.

    Raises
    ------
    OptionError
        `found` is not a ResultsSet, its tables have no such gene or several of this symbol, or `alpha` is no level.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1, beta_sd=1), quiet=True)
    >>> found = cn.ResultsSet({"first": dds.results(), "at least 0.5": dds.results(lfc_threshold=0.5)})
    >>> cn.plot_changes(found, "gene1", return_data=True).index.tolist()
    ['first', 'at least 0.5']
    >>> cn.plot_changes(found, "gene1").savefig("changes.pdf")
    """
    check_flags(return_data=return_data)
    if not isinstance(found, ResultsSet):
        raise OptionError(
            f"plot_changes draws the rows of a query, a ResultsSet; got {kind_of(found)}. Tables of your own: "
            "ResultsSet({'first': res_1, 'second': res_2})."
        )
    first = found[0]
    info = first.table[list(first.info.annotation)]
    gene = gene_by_name(gene, info.index, info)
    rows = {label: _row(part, label, gene, alpha) for label, part in found.items()}
    data = pd.DataFrame.from_dict(rows, orient="index", columns=list(_COLUMNS))
    return data if return_data else _drawn(data, called(info, gene), first, ax)


def _row(part: Results, label: str, gene: str, alpha: float | None) -> tuple[float, float, float, float, bool]:
    """Return fold change, interval, its level, and whether the gene is significant."""
    if "log2FoldChange" not in part.table:
        raise OptionError(f"'{label}' is a joint test, which has several fold changes; give the tables of its rows.")
    if gene not in part.table.index:
        raise OptionError(f"the table '{label}' has no gene '{gene}'.")
    by, level = decisive(part, alpha)
    values = {name: float(part.table[name].loc[gene]) for name in (*_READ, by) if name in part.table}
    change, significant = values["log2FoldChange"], values[by] < level
    if {"ciLower", "ciUpper"} <= set(values):
        return change, values["ciLower"], values["ciUpper"], part.info.confint or _LEVEL, significant
    if "lfcSE" not in values:
        return change, np.nan, np.nan, np.nan, significant
    tail = 0.5 + _LEVEL / 2.0
    times = float(stdtrit(values["df"], tail) if "df" in values else ndtri(tail))
    reach = times * values["lfcSE"]
    return change, change - reach, change + reach, _LEVEL, significant


def _drawn(data: pd.DataFrame, title: str, first: Results, ax: Axes | None) -> Figure:
    from countnest.plots.figure import INK, caption, figure_of, frame, new_axes
    from countnest.plots.labels import row_names

    names, width, lines = row_names([str(name) for name in data.index], ax)
    if ax is None:
        ax = new_axes(max(6.8, 5.2 + width), 1.3 + max(0.32, 0.1 + 0.17 * lines) * max(len(data), 3))
    ax.axvline(0.0, color=INK, linewidth=0.8, zorder=1.5)
    place = np.arange(len(data), dtype=np.float64)
    _intervals(ax, data, place)
    ax.set_yticks(place, names, fontsize="small" if lines > 1 else None)
    ax.set_ylim(len(data) - 0.4, -0.6)
    shown = data[["log2FoldChange", "low", "high"]].to_numpy(np.float64)
    if not np.isfinite(shown).any():
        ax.set_xlim(-1.0, 1.0)
        ax.text(0.0, place.mean(), "no fold change is known", ha="center", va="center", color=INK)
    levels = data["level"].dropna().unique()
    words = f", {100 * levels[0]:g} % interval" if len(levels) == 1 else ", intervals" if len(levels) else ""
    shrunken = "" if first.info.shrinkage is None else f" (shrunken, {first.info.shrinkage})"
    ax.set_xlabel(f"log2 fold change{shrunken}{words}", color=INK)
    frame(ax, "x")
    caption(ax, title, pad=10.0)
    return figure_of(ax)


def _intervals(ax: Axes, data: pd.DataFrame, place: FloatArray) -> None:
    """Draw estimates and intervals, filled where the gene is significant."""
    from countnest.plots.figure import BLUE, INK

    change, low, high = (as_float(data[name].to_numpy()) for name in ("log2FoldChange", "low", "high"))
    significant = data["significant"].to_numpy(np.bool_)
    for which, colour, fill in ((significant, BLUE, BLUE), (~significant, INK, "white")):
        ax.hlines(place[which], low[which], high[which], colors=colour, linewidth=1.4, zorder=2.0)
        ax.scatter(change[which], place[which], s=34.0, facecolors=fill, edgecolors=colour, linewidths=1.2, zorder=3.0)
