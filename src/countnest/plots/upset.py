"""The UpSet plot: how many genes several tables of results have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results, decisive
from countnest.errors import OptionError, counted, kind_of
from countnest.options import check_flags, check_option
from countnest.remedies import advised
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Direction", "plot_upset"]

Direction = Literal["both", "up", "down"]

_MOST_TABLES: Final = 20
# The part of the axes that the matrix of tables has, at most.
_MATRIX: Final = 0.6


@overload
def plot_upset(
    found: ResultsSet | Mapping[str, Results],
    *,
    alpha: float | None = ...,
    direction: Direction = ...,
    most: int = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_upset(
    found: ResultsSet | Mapping[str, Results],
    *,
    alpha: float | None = ...,
    direction: Direction = ...,
    most: int = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_upset(
    found: ResultsSet | Mapping[str, Results],
    *,
    alpha: float | None = None,
    direction: Direction = "both",
    most: int = 20,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw how many significant genes several tables have in common, an UpSet plot.

    Each bar counts the genes that are significant in exactly the tables whose circles below it are filled; the largest
    come first. The number behind the name of a table is that of all its significant genes.

    Parameters
    ----------
    found
        The tables: those of a query of several rows, or a dict of tables by name, also of joint tests and of several
        methods.
    alpha
        The level for padj, by default that of each table; or for s-values, by default 0.005.
    direction
        "up" and "down" count genes with a fold change above or below zero only.
    most
        So many bars at most; how many genes the others hold is said below the axes.
    return_data
        Draw nothing and return what would be drawn, all bars of it.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_upset({"Wald": one, "LRT": two}).savefig("upset.png")`. With `return_data`, a table with a
        column for each table, whether it is among those of a bar, and the column `genes`, their number. Its
        `.attrs["members"]` is a table of truth values, genes x tables.

    Raises
    ------
    OptionError
        There are fewer than 2 tables or more than 20; one of them is not a table of results, or of a joint test where a
        direction is asked for; or `alpha` is no level.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1, beta_sd=1), quiet=True)
    >>> tables = {"Wald": dds.results(), "beyond 0.5": dds.results(lfc_threshold=0.5)}
    >>> cn.plot_upset(tables, return_data=True).columns.tolist()
    ['Wald', 'beyond 0.5', 'genes']
    >>> cn.plot_upset(tables).savefig("upset.pdf")

    References
    ----------
    Lex et al. (2014), doi:10.1109/TVCG.2014.2346248.
    """
    check_flags(return_data=return_data)
    check_option("direction", direction, Direction)
    if not isinstance(most, (int, np.integer)) or isinstance(most, bool) or most < 1:
        raise OptionError(f"most={most!r} bars cannot be drawn; give a whole number, 1 or more.")
    data = _data(_checked(found), alpha, direction)
    return data if return_data else _drawn(data, int(most), direction, ax)


def _checked(found: object) -> dict[str, Results]:
    """Return the tables by name."""
    if isinstance(found, Results) or not isinstance(found, (ResultsSet, Mapping)):
        raise OptionError(
            f"plot_upset compares several tables; got {kind_of(found)}. Give a ResultsSet or a dict: "
            "{'first': res_1, 'second': res_2}."
        )
    tables = {str(name): part for name, part in found.items()}
    for name, part in tables.items():
        if not isinstance(part, Results):
            raise OptionError(f"'{name}' is {kind_of(part)}; plot_upset needs the Results that results() returns.")
    if not 2 <= len(tables) <= _MOST_TABLES:
        raise OptionError(f"{advised('plot_upset', 'upset')} draws 2 to {_MOST_TABLES} tables; got {len(tables)}.")
    return tables


def _data(tables: Mapping[str, Results], alpha: float | None, direction: Direction) -> pd.DataFrame:
    """Return the combinations of tables and the number of genes of each, the largest first."""
    members = pd.DataFrame({name: _hits(part, name, alpha, direction) for name, part in tables.items()})
    members = members.astype("boolean").fillna(False).astype(bool)
    members = members[members.any(axis=1)]
    patterns, genes = np.unique(members.to_numpy(np.bool_).reshape(-1, len(tables)), axis=0, return_counts=True)
    order = np.lexsort((patterns.sum(axis=1), -genes))
    data = pd.DataFrame(patterns[order], columns=list(tables))
    data.insert(len(tables), "genes", genes[order], allow_duplicates=True)
    data.attrs["members"] = members
    return data


def _hits(part: Results, name: str, alpha: float | None, direction: Direction) -> pd.Series:
    """Return which genes are significant, by gene."""
    by, level = decisive(part, alpha)
    hits = part.table[by] < level
    if direction == "both":
        return hits
    if "log2FoldChange" not in part.table:
        raise OptionError(f"'{name}' is a joint test, whose genes have no single direction; leave direction out.")
    change = part.table["log2FoldChange"]
    return hits & ((change > 0) if direction == "up" else (change < 0))


def _drawn(data: pd.DataFrame, most: int, direction: Direction, ax: Axes | None) -> Figure:
    from countnest.plots.figure import INK, caption, figure_of, new_axes
    from countnest.plots.labels import row_names

    members: pd.DataFrame = data.attrs["members"]
    shown, n = data.iloc[:most], members.shape[1]
    sizes = members.to_numpy(np.bool_).sum(axis=0).tolist()
    names, width, lines = row_names([f"{name}  {size:,}" for name, size in zip(members, sizes, strict=True)], ax)
    rows = n * max(1.0, 0.3 + 0.6 * lines)  # as high as a row of one line
    if ax is None:
        ax = new_axes(max(3.0, 0.9 + width) + 0.34 * max(len(shown), 8), 2.8 + 0.26 * rows)
    part = min(_MATRIX, rows / (rows + 9.0))
    bars, matrix = ax.inset_axes((0.0, part + 0.02, 1.0, 0.98 - part)), ax.inset_axes((0.0, 0.0, 1.0, part))
    ax.set_axis_off()
    _bars(bars, shown["genes"].to_numpy())
    _matrix(matrix, shown.iloc[:, :n].to_numpy(np.bool_), names)
    left = data["genes"].iloc[most:]
    if len(left):
        matrix.set_xlabel(f"{counted(int(left.sum()), 'gene')} in {len(left):,} smaller groups: not shown", color=INK)
    words = {"both": "significant genes", "up": "genes that go up", "down": "genes that go down"}[direction]
    caption(bars, f"{words}: {len(members):,}", pad=10.0)
    return figure_of(ax)


def _bars(ax: Axes, genes: np.ndarray) -> None:
    from countnest.plots.figure import BLUE, INK, frame

    place = np.arange(len(genes))
    ax.bar(place, genes, 0.62, color=BLUE)
    for x, number in zip(place.tolist(), genes.tolist(), strict=True):
        ax.annotate(
            f"{number:,}", (x, number), xytext=(0.0, 2.0), textcoords="offset points", ha="center", va="bottom",
            fontsize="x-small", color=INK,
        )  # fmt: skip
    if not len(genes):
        ax.text(0.5, 0.5, "no significant gene", ha="center", va="center", color=INK, transform=ax.transAxes)
    ax.set_ylim(0.0, 1.12 * max([1, *genes.tolist()]))
    ax.set_xlim(-0.6, max(len(genes), 1) - 0.4)
    ax.set_ylabel("genes", color=INK)
    frame(ax, "y")
    ax.tick_params(axis="x", bottom=False, labelbottom=False)


def _matrix(ax: Axes, filled: BoolArray, names: list[str]) -> None:
    """Draw which tables each bar is of."""
    from countnest.plots.figure import INK

    bars, tables = filled.shape
    for row in range(0, tables, 2):
        ax.axhspan(row - 0.5, row + 0.5, color="#F2F3F4", zorder=0.0)
    x, y = (each.ravel() for each in np.meshgrid(np.arange(bars), np.arange(tables), indexing="ij"))
    is_filled = filled.ravel()
    ax.scatter(x[~is_filled], y[~is_filled], s=26.0, color="#D5D8DB", linewidths=0, zorder=2.0)
    ax.scatter(x[is_filled], y[is_filled], s=34.0, color=INK, linewidths=0, zorder=3.0)
    for bar, row in enumerate(filled):
        there = np.flatnonzero(row)
        ax.plot([bar, bar], [there.min(), there.max()], color=INK, linewidth=1.6, zorder=2.5)
    ax.set_xlim(-0.6, max(bars, 1) - 0.4)
    ax.set_ylim(tables - 0.5, -0.5)
    ax.set_yticks(np.arange(tables), names)
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="y", length=0, labelcolor=INK, labelsize="small")
