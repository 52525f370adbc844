"""One analysis against another: fold changes or p-values of all genes, coloured by who calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

__all__ = ["Panel", "Points", "draw_agreement"]

Panel = Literal["changes", "pvalues"]

# The part of the genes that the axes of fold changes hold; the others stand at the border.
_SHOWN = 0.999
_TICKS = (0, 1, 3, 10, 20, 50, 100, 200, 300)
_SAME = 3.0  # axes of -log10 p differ where the largest values do by more than this factor
_SMALLEST = 5e-324  # of numbers in double precision; p-values of 0 are drawn there


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What is drawn.

    Attributes
    ----------
    x, y
        (G,) fold changes, log2, or p-values of two analyses.
    names
        What the analyses are called.
    calls
        (G,) 'both', 'only first', 'only second' and 'neither', each a mask of genes. Those with a missing value are
        counted in the legend, and not drawn.
    labels
        Texts of some genes, by their places.
    is_clipped
        Whether points beyond the limits stand at the border, as triangles.
    """

    x: FloatArray
    y: FloatArray
    names: tuple[str, str]
    calls: Mapping[str, BoolArray]
    labels: Mapping[int, str]
    is_clipped: bool = False


def draw_agreement(drawn: Points, panel: Panel, title: str, ax: Axes | None) -> Figure:
    """Draw two analyses against each other; groups differ by colour.

    The legend counts the genes as the summary does, and says how many of them lack a value and are not drawn. Larger
    groups lie behind smaller ones.

    Parameters
    ----------
    drawn
        The points. Genes with a missing value are left out.
    panel
        "changes" or "pvalues"; the latter on a scale of -log10 that grows slowly.
    title
        Above the axes.
    ax
        Axes to draw into; None: those of a new figure.
    """
    from countnest.plots.categories import legend_shape
    from countnest.plots.figure import INK, caption, figure_of, frame, legend_above, new_axes
    from countnest.plots.labels import write_names

    ax = new_axes(5.6, 5.6) if ax is None else ax
    is_change = panel == "changes"
    x, y = _within_limits(drawn) if is_change else _logarithms(drawn)
    _groups(ax, drawn, x, y)
    what = "log2 fold change" if is_change else "-log10 p"
    ax.set_xlabel(f"{what}, {drawn.names[0]}", color=INK)
    ax.set_ylabel(f"{what}, {drawn.names[1]}", color=INK)
    (_scale_changes if is_change else _scale_p_values)(ax, x, y)
    frame(ax)
    columns, rows = legend_shape(ax)
    caption(ax, title, pad=8.0 + 14.0 * rows)
    legend_above(ax, columns=columns)
    places = [place for place in drawn.labels if np.isfinite(x[place]) and np.isfinite(y[place])]
    called = ~drawn.calls["neither"] & np.isfinite(x) & np.isfinite(y)
    names = [drawn.labels[place] for place in places]
    write_names(ax, names, x[places], y[places], np.column_stack([x[called], y[called]]))
    return figure_of(ax)


def _groups(ax: Axes, drawn: Points, x: FloatArray, y: FloatArray) -> None:
    """Draw the groups, the largest behind the others; points at the border are triangles."""
    from countnest.plots.figure import BLUE, GREY, INK, ORANGE, points

    first, second = drawn.names
    words = {"both": ("both", INK), "only first": (f"only {first}", ORANGE), "only second": (f"only {second}", BLUE)}
    sizes = {key: int(np.count_nonzero(drawn.calls[key])) for key in words}
    order = ["neither", *sorted(words, key=lambda key: -sizes[key])]
    beyond = np.logical_or.reduce(list(_sides(drawn, x, y).values()))
    for rank, key in enumerate(order):
        text, colour = words.get(key, ("neither", GREY))
        there = drawn.calls[key] & np.isfinite(x) & np.isfinite(y)
        missing = int(np.count_nonzero(drawn.calls[key] & ~there))
        label = f"{text}: {int(np.count_nonzero(drawn.calls[key])):,}" + (
            f" ({missing:,} not drawn)" if missing else ""
        )
        size, alpha, layer = (4.0, 0.4, 2.0) if key == "neither" else (5.0, 0.7, 2.0 + 0.1 * rank)
        inside = there & ~beyond
        points(ax, x[inside], y[inside], colour=colour, size=size, alpha=alpha, zorder=layer, marker="o", label=label)
        for marker, side in _sides(drawn, x, y).items():
            at = there & side
            if at.any():
                points(ax, x[at], y[at], colour=colour, size=4.0 * size, alpha=alpha, zorder=layer, marker=marker)


def _sides(drawn: Points, x: FloatArray, y: FloatArray) -> dict[str, BoolArray]:
    """Return by marker the points that stand at the border in place of further out, none where none are moved."""
    if not drawn.is_clipped:
        return {"^": np.zeros(len(x), dtype=np.bool_)}
    up, down = drawn.y > y, drawn.y < y
    inside = ~(up | down)
    return {"^": up, "v": down, ">": inside & (drawn.x > x), "<": inside & (drawn.x < x)}


def _within_limits(drawn: Points) -> tuple[FloatArray, FloatArray]:
    """Return fold changes, those beyond the limits at the border."""
    there = np.isfinite(drawn.x) & np.isfinite(drawn.y)
    sizes = np.abs(np.concatenate([drawn.x[there], drawn.y[there]]))
    reach = 1.05 * float(np.quantile(sizes, _SHOWN)) if len(sizes) else 0.0
    reach = reach if reach > 0 else 1.0
    return as_float(np.clip(drawn.x, -reach, reach)), as_float(np.clip(drawn.y, -reach, reach))


def _scale_changes(ax: Axes, x: FloatArray, y: FloatArray) -> None:
    """Give both axes the same limits, and mark where fold changes are equal, and zero."""
    from countnest.plots.figure import INK

    reach = 1.04 * max(_largest(np.abs(x)), _largest(np.abs(y)))
    ax.plot([-reach, reach], [-reach, reach], color=INK, linewidth=0.8, zorder=1.5)
    for line in (ax.axhline, ax.axvline):
        line(0.0, color=INK, linewidth=0.6, linestyle=(0, (2, 3)), zorder=1.4)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")


def _logarithms(drawn: Points) -> tuple[FloatArray, FloatArray]:
    """Return p-values as -log10, of genes that have both."""
    there = np.isfinite(drawn.x) & np.isfinite(drawn.y)
    x, y = (np.where(there, -np.log10(np.maximum(each, _SMALLEST)), np.nan) for each in (drawn.x, drawn.y))
    return as_float(x + 0.0), as_float(y + 0.0)  # and no -0


def _scale_p_values(ax: Axes, x: FloatArray, y: FloatArray) -> None:
    """Draw roots of -log10 p, so that the p-values at which lists are cut have room beside the smallest.

    Both axes have the same limits, unless the p-values of one analysis are smaller by far.
    """
    from countnest.plots.figure import INK

    highs = [_largest(x), _largest(y)]
    high = max(highs)
    if high <= _SAME * min(highs):
        highs = [high, high]
    ax.plot([0.0, high], [0.0, high], color=INK, linewidth=0.8, zorder=1.5)
    for set_scale, axis, set_limits, own in (
        (ax.set_xscale, ax.xaxis, ax.set_xlim, highs[0]),
        (ax.set_yscale, ax.yaxis, ax.set_ylim, highs[1]),
    ):
        set_scale("function", functions=(_root, _square))
        axis.set_ticks([each for each in _TICKS if each <= own])
        set_limits(-((0.03 * own**0.5) ** 2), 1.06 * own)


def _largest(values: FloatArray) -> float:
    """Return the largest value, at least 1; values that are missing are left out."""
    there = values[np.isfinite(values)]
    return max(1.0, float(there.max())) if len(there) else 1.0


def _root(values: FloatArray) -> FloatArray:
    return as_float(np.sign(values) * np.sqrt(np.abs(values)))


def _square(values: FloatArray) -> FloatArray:
    return as_float(np.sign(values) * np.square(values))
