"""What figures of a table of results share: which genes are coloured, which named, what lies at the border."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.gene_info import gene_by_name, symbols_of
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError, kind_of, listing
from countnest.remedies import advised

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Group", "calls_of", "chosen_genes", "draw_group", "groups_of", "limits_given", "names_of", "one_comparison"]

# Label, members and colour.
Group = tuple[str, BoolArray, str]
_Limits = tuple[float, float]


def one_comparison(results: object, function: str) -> Results:
    """Return the results of one comparison; anything else is an `OptionError` that names the function."""
    if isinstance(results, ResultsSet):
        raise OptionError(
            f"{function} draws one comparison; the ResultsSet has {len(results)}: {listing(results)}. Give one of "
            "them, such as found[0]."
        )
    if not isinstance(results, Results):
        raise OptionError(f"{function} needs the Results that results() returns; got {kind_of(results)}.")
    if "log2FoldChange" not in results.table:
        name = advised(function, function.removeprefix("plot_"))
        raise OptionError(
            f"{name} draws the fold changes of one comparison, and this table is of a joint test of several; give the "
            "results of one of them."
        )
    return results


def limits_given(name: str, limits: _Limits) -> _Limits:
    """Return limits of fold changes that were given, checked."""
    low, high = limits
    if not low < 0 < high:
        raise OptionError(f"{name}={limits!r} is not an interval that holds zero; give one such as (-4, 4).")
    return float(low), float(high)


def groups_of(results: Results, change: FloatArray, significant: BoolArray, level: str) -> list[Group]:
    """Return label, members and colour of each group, from back to front."""
    from countnest.plots.figure import BLUE, GREY, ORANGE

    rest = ("not significant", ~significant, GREY)
    if results.info.alt_hypothesis == "lessAbs":
        return [rest, (f"|LFC| < {results.info.lfc_threshold:g}, {level}", significant, BLUE)]
    up, down = significant & (change > 0), significant & (change < 0)
    return [rest, (f"up, {level}", up, ORANGE), (f"down, {level}", down, BLUE)]


def calls_of(results: Results, change: FloatArray, significant: BoolArray) -> list[str]:
    """Return by gene 'up', 'down' or 'not significant'; 'within' for tests that a change is small."""
    if results.info.alt_hypothesis == "lessAbs":
        found = np.where(significant, "within", "not significant")
    else:
        sides = [significant & (change > 0), significant & (change < 0)]
        found = np.select(sides, ["up", "down"], "not significant")
    return [str(each) for each in found]


def draw_group(
    ax: Axes, x: FloatArray, y: FloatArray, group: Group, xlim: _Limits | None, ylim: _Limits | None, zorder: float
) -> None:
    """Draw one group: points inside the limits, triangles at the border for the others.

    Parameters
    ----------
    x, y
        (G,) the points of all genes.
    group
        Label, members and colour; the label is followed by their number.
    xlim, ylim
        The smallest and the largest value that is drawn in its place; None: all are.
    """
    from countnest.plots.figure import GREY, points

    label, members, colour = group
    x, y = x[members], y[members]
    at_x = x if xlim is None else as_float(np.clip(x, *xlim))
    at_y = y if ylim is None else as_float(np.clip(y, *ylim))
    sides = {"^": y > at_y, "v": y < at_y}
    if xlim is not None:
        beyond = sides["^"] | sides["v"]
        sides |= {">": ~beyond & (x > at_x), "<": ~beyond & (x < at_x)}
    inside = ~np.logical_or.reduce(list(sides.values()))
    size, alpha = (5.0, 0.45) if colour == GREY else (7.0, 0.75)
    points(ax, x[inside], y[inside], colour=colour, size=size, alpha=alpha, zorder=zorder, label=f"{label}: {len(x):,}")
    for marker, there in sides.items():
        points(
            ax, at_x[there], at_y[there], colour=colour, size=3.0 * size, alpha=alpha, zorder=zorder, marker=marker
        )  # fmt: skip


def chosen_genes(results: Results, label: int | Iterable[str]) -> list[str]:
    """Return the labels of the genes that are named: so many of the first, or those of these labels or symbols."""
    info = results.table[list(results.info.annotation)]
    if isinstance(label, Iterable):
        return [gene_by_name(one, info.index, info) for one in ([label] if isinstance(label, str) else label)]
    return list(results.top(label).index) if label else []


def names_of(results: Results, genes: list[str]) -> list[str]:
    """Return what genes are called in figures: by their symbols where the table has them."""
    symbols = symbols_of(results.table[list(results.info.annotation)])
    if symbols is None:
        return [str(gene) for gene in genes]
    return [str(symbols[gene] or gene) for gene in genes]
