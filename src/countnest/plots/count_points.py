"""Counts of one gene drawn sample by sample: points in groups, swarms, boxes, and counts of zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.design.levels.order import as_factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CountKind", "DrawnCounts", "draw_counts"]

CountKind = Literal["points", "swarm", "box"]

# Samples of a group are spread over this width, in steps between groups; swarms and boxes may be wider.
_SPREAD: Final = 0.24
_EACH: Final = 0.03  # for each sample of large groups
_WIDTH: Final = 0.7
_BOX: Final = 0.56
# Quartiles of fewer samples say nothing.
_FEWEST: Final = 4
_SIZE: Final = 26.0  # area of a point, square points of 1/72 inch
# Marks of a logarithmic axis within a power of ten: over many of them, a few, and within one.
_FEW_TICKS: Final = (1.0,)
_TICKS: Final = (1.0, 2.0, 5.0)
_MANY_TICKS: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_MISSING: Final = "(missing)"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnCounts:
    """What is drawn.

    Attributes
    ----------
    count
        (n,) counts, with what was added to them.
    groups
        Columns of the sample sheet that make the groups.
    added
        What was added to the counts.
    what
        'normalized count' or 'count'.
    title
        Above the axes.
    is_log
        Whether the axis is logarithmic.
    """

    count: FloatArray
    groups: pd.DataFrame
    added: float
    what: str
    title: str
    is_log: bool

    @property
    def is_zero(self) -> BoolArray:
        """(n,) the samples without a count."""
        return np.asarray(self.count <= self.added, dtype=np.bool_)

    @property
    def is_number(self) -> bool:
        """Whether samples are placed by one column of numbers."""
        return self.groups.shape[1] == 1 and pd.api.types.is_numeric_dtype(self.groups.iloc[:, 0].dtype)

    @property
    def height(self) -> FloatArray:
        """(n,) where the counts are drawn: on a logarithmic axis zeros stand below all others."""
        if not self.is_log or self.added > 0:
            return self.count
        there = self.count[self.count > 0]
        return np.where(self.count > 0, self.count, (there.min() / 2.0) if len(there) else 1.0)

    def cells(self) -> tuple[IntArray, IntArray, list[str]]:
        """Return the group of each sample, the colour of each group and their names."""
        factors = [as_factor(self.groups[name]) for name in self.groups]
        codes = np.column_stack([factor.cat.codes for factor in factors]).astype(np.int64)
        codes[codes < 0] = codes.max(initial=0) + 1  # samples without a level stand last
        cells, places = np.unique(codes, axis=0, return_inverse=True)
        names = [
            "\n".join(
                str(factor.cat.categories[k]) if k < len(factor.cat.categories) else _MISSING
                for factor, k in zip(factors, cell, strict=True)
            )
            for cell in cells
        ]
        return places.reshape(-1).astype(np.int64), np.unique(cells[:, 0], return_inverse=True)[1].reshape(-1), names


def draw_counts(drawn: DrawnCounts, kind: CountKind, ax: Axes | None) -> Figure:
    """Draw the counts of a gene; a single column of numbers is drawn as such, whatever the kind."""
    from countnest.plots.categories import GroupAxis
    from countnest.plots.figure import INK, caption, figure_of, frame, new_axes

    group, colours, names = _by_number(drawn) if drawn.is_number else drawn.cells()
    axis = GroupAxis(names, 0.6 if kind == "points" else 0.8)
    is_new = ax is None
    ax = new_axes(*(axis.size() if names else (6.0, 4.6))) if ax is None else ax
    _scale(ax, drawn)
    if names:
        axis.write(ax, np.arange(len(names), dtype=np.float64), is_new=is_new)
        ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xlabel(", ".join(str(name) for name in drawn.groups), color=INK)
    ax.set_ylabel(f"{drawn.what} + {drawn.added:g}" if drawn.added else drawn.what, color=INK)
    frame(ax, "y")
    caption(ax, drawn.title, pad=24.0 if drawn.is_zero.any() else 8.0)
    if not names:
        places = drawn.groups.iloc[:, 0].to_numpy(dtype=np.float64)
    else:
        if kind == "box":
            _boxes(ax, drawn, group, colours)
        places = group + _offsets(ax, drawn, group, kind)
    _points(ax, drawn, places, colours[group])
    return figure_of(ax)


def _by_number(drawn: DrawnCounts) -> tuple[IntArray, IntArray, list[str]]:
    return np.zeros(len(drawn.count), dtype=np.int64), np.zeros(1, dtype=np.int64), []


def _points(ax: Axes, drawn: DrawnCounts, places: FloatArray, colours: IntArray) -> None:
    """Draw the samples; those without a count are open, and the legend says how many they are."""
    from matplotlib.colors import to_rgba

    from countnest.plots.categories import colour_of
    from countnest.plots.figure import INK, legend_above

    edge = np.array([to_rgba(colour_of(int(place)), 0.85) for place in colours]).reshape(-1, 4)
    zero = drawn.is_zero
    face = np.where(zero[:, None], np.array(to_rgba("white")), edge)
    ax.scatter(
        places,
        drawn.height,
        s=_SIZE,
        c=face,
        edgecolors=list(map(tuple, edge)),
        linewidths=1.0,
        zorder=2.4,
        rasterized=True,
    )
    if zero.any():
        total = len(zero)
        text = f"no counts in any of {total} samples" if zero.all() else f"no counts: {zero.sum()} of {total} samples"
        ax.scatter([], [], s=_SIZE, facecolors="white", edgecolors=INK, linewidths=1.0, label=text)
        legend_above(ax, columns=1)


def _scale(ax: Axes, drawn: DrawnCounts) -> None:
    """Set the scale and the limits of the counts: swarms need them before the points are placed."""
    height = drawn.height
    low, high = (float(height.min()), float(height.max())) if len(height) else (0.5, 1.0)
    if not drawn.is_log:
        margin = 0.05 * (high - low) if high > low else max(1.0, 0.1 * high)
        ax.set_ylim(low - margin, high + margin)
        return
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    factor = (high / low) ** 0.06 if high > 1.5 * low else 1.5
    ax.set_ylim(low / factor, high * factor)
    subs = _FEW_TICKS if high / low > 2000.0 else _MANY_TICKS if high / low < 4.0 else _TICKS
    ax.yaxis.set_major_locator(LogLocator(subs=subs, numticks=15))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    if drawn.added <= 0 and drawn.is_zero.any():
        _mark_zero(ax, float(height.min()), alone=bool(drawn.is_zero.all()))


def _mark_zero(ax: Axes, place: float, *, alone: bool) -> None:
    """Write 0 at the place of samples without a count, below a line, or alone on the axis."""
    from matplotlib.ticker import FuncFormatter

    ax.set_yticks([place], ["0"], minor=True)
    if alone:
        ax.set_yticks([])
        return
    line = place * 2.0**0.5
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "" if value <= line else f"{value:,.10g}"))
    ax.axhline(line, color="#A8ADB3", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5)


def _offsets(ax: Axes, drawn: DrawnCounts, group: IntArray, kind: CountKind) -> FloatArray:
    """Return how far the samples stand from the middle of their groups (n,), in steps between groups."""
    from countnest.plots.figure import figure_of
    from countnest.plots.swarm import side_by_side, swarm

    found = np.zeros(len(group))
    figure = figure_of(ax)
    if kind != "points":
        figure.draw_without_rendering()  # the size of the axes is known from here on
    per_point = figure.dpi / 72.0
    pixels = ax.transData.transform(np.column_stack([group, drawn.height]))
    step = float(ax.transData.transform((1.0, 1.0))[0] - ax.transData.transform((0.0, 1.0))[0])
    diameter = (_SIZE**0.5 + 2.0) * per_point
    for one in np.unique(group):
        here = group == one
        if kind == "points":
            size = int(here.sum())
            found[here] = side_by_side(size, min(_WIDTH, max(_SPREAD, _EACH * size)))
        else:
            found[here] = swarm(as_float(pixels[here, 1]), diameter, _WIDTH * step) / step
    return found


def _boxes(ax: Axes, drawn: DrawnCounts, group: IntArray, colours: IntArray) -> None:
    """Draw boxes from quartile to quartile behind the points, of groups with enough samples."""
    from matplotlib.colors import to_rgba

    from countnest.plots.categories import colour_of
    from countnest.plots.figure import INK

    large = [one for one in np.unique(group).tolist() if int((group == one).sum()) >= _FEWEST]
    if not large:
        return
    parts = ax.boxplot(
        [drawn.height[group == one] for one in large], positions=large, widths=_BOX, showfliers=False,
        patch_artist=True, manage_ticks=False, zorder=1.8,
    )  # fmt: skip
    for box, one in zip(parts["boxes"], large, strict=True):
        box.set(facecolor=to_rgba(colour_of(int(colours[one])), 0.18), edgecolor=INK, linewidth=0.9)
    for line in (*parts["whiskers"], *parts["caps"]):
        line.set(color=INK, linewidth=0.9)
    for line in parts["medians"]:
        line.set(color=INK, linewidth=2.0)
