"""A clustered heat map, with trees, bars and keys beside it; imported only by functions that draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.image import AxesImage
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea, VPacker
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from countnest.arrays import FloatArray
from countnest.plots.annotation import Bar
from countnest.plots.figure import INK, caption, figure_of, new_axes
from countnest.plots.labels import short_names
from countnest.plots.trees import Tree

__all__ = ["NEAR", "UP_AND_DOWN", "HeatMap", "draw_heat_map"]

# Both from dark to light, so that they can be read in grey: blue, and from blue over grey to yellow.
NEAR: Final = LinearSegmentedColormap.from_list("near", ["#08306B", "#3F7CB0", "#A9C6DE", "#F5F7F9"])
UP_AND_DOWN: Final = LinearSegmentedColormap.from_list(
    "up_and_down", ["#0A2656", "#2463A8", "#959A9E", "#F0B93A", "#FFF7C9"]
)
# Inches.
_BAR, _TREE, _GAP, _LINE = 0.15, 0.45, 0.05, 0.155
_SCALE = (1.15, 0.11)  # width and height of the scale
_ROW = (0.165, 1.0, 8.5)  # height of a row; of all rows, the least and the most
_COLUMN = (0.175, 2.2, 8.0)
_READABLE: Final = 4.5  # points; smaller names are left out
_LARGEST: Final = 8.0
_LONGEST: Final = (48, 32)  # characters of the names of rows and of columns


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeatMap:
    """What is drawn, rows and columns in the order of the table.

    Attributes
    ----------
    values : (R, C)
    row_names, column_names
        Names of rows and of columns; those of columns may be left out, and are None then.
    row_tree, column_tree
        Their clustering; None: they stay in their order.
    bars
        Annotation of the columns.
    limits
        The values of the first and the last colour.
    colours
        The colours between them.
    label, title
        What the values are, and what the figure shows.
    """

    values: FloatArray
    row_names: list[str]
    column_names: list[str] | None
    row_tree: Tree | None
    column_tree: Tree | None
    bars: list[Bar]
    limits: tuple[float, float]
    colours: Colormap
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class _Beside:
    """Places axes at distances from the borders of others: of each side the border (0 or 1) and inches beyond it."""

    parent: Axes
    left: tuple[float, float]
    bottom: tuple[float, float]
    right: tuple[float, float]
    top: tuple[float, float]

    def __call__(self, ax: object, renderer: RendererBase | None) -> Bbox:  # noqa: ARG002 (what matplotlib calls)
        dpi = figure_of(self.parent).dpi
        (x0, y0), (x1, y1) = self.parent.bbox.get_points()
        across = [x0 + part * (x1 - x0) + dpi * inches for part, inches in (self.left, self.right)]
        along = [y0 + part * (y1 - y0) + dpi * inches for part, inches in (self.bottom, self.top)]
        corners = self.parent.figure.transSubfigure.inverted().transform(np.column_stack([across, along]))
        return Bbox(corners)


def draw_heat_map(heat: HeatMap, ax: Axes | None) -> Axes:
    """Draw the heat map and return its axes; trees, bars and keys are axes in them, outside their borders."""
    rows = _order(heat.row_tree, heat.values.shape[0])
    columns = _order(heat.column_tree, heat.values.shape[1])
    groups = _columns_of_keys(heat)
    given, ax = ax, new_axes(*_size(heat, groups)) if ax is None else ax
    low, high = heat.limits
    image = ax.imshow(
        heat.values[rows][:, columns], cmap=heat.colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest"
    )
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK, pad=2.0)
    _write_names(ax, heat, rows, columns)
    above, right = _GAP, _width_of_names(ax)
    if heat.bars:
        height, width = _draw_bars(ax, heat.bars, columns, above)
        above, right = above + height + _GAP, max(right, width)
    above += _draw_trees(ax, heat, above)
    _draw_keys(ax, image, heat, groups, (right, above))
    caption(ax, heat.title, pad=72.0 * above + 5.0)
    if given is not None:  # whose size is known when everything else has its space
        figure = figure_of(ax)
        figure.draw_without_rendering()
        _fit_names(ax, (ax.bbox.height / figure.dpi, ax.bbox.width / figure.dpi))
    return ax


def _order(tree: Tree | None, size: int) -> np.ndarray:
    return np.arange(size) if tree is None else tree.order


# Sizes


def _span(size: int, rule: tuple[float, float, float]) -> float:
    each, least, most = rule
    return float(np.clip(each * size, least, most))


def _reach(names: list[str], size: float) -> float:
    """Return about how many inches the longest name takes, written in a font of at most `size` points or not at all."""
    return 0.0083 * min(size, _LARGEST) * max(map(len, names), default=0) if size >= _READABLE else 0.0


def _size(heat: HeatMap, groups: list[list[Bar]]) -> tuple[float, float]:
    """Return width and height in inches of a figure that holds everything."""
    rows, columns = heat.values.shape
    height, width = _span(rows, _ROW), _span(columns, _COLUMN)
    across = _reach(short_names(heat.row_names, _LONGEST[0]), 68.0 * height / rows)
    across = max(across, _reach([bar.name for bar in heat.bars], _LARGEST))
    below = _reach(short_names(heat.column_names or [], _LONGEST[1]), 68.0 * width / columns)
    above = _BAR * len(heat.bars) + _TREE + 0.5
    keys = sum(0.35 + _reach(_texts(group), _LARGEST) for group in groups)
    width += _TREE * (heat.row_tree is not None) + across + max(keys, _SCALE[0] + 0.2) + 0.5
    longest = max((_height_of_keys(group) for group in groups), default=0.0)
    return width, max(height + above + below + 0.2, longest + 1.3)


def _texts(bars: list[Bar]) -> list[str]:
    return [text for bar in bars for text in (bar.name, *(key for key, _ in bar.keys))]


def _height_of_keys(bars: list[Bar]) -> float:
    return sum(_LINE * (len(bar.keys) + 1.6) for bar in bars)


def _columns_of_keys(heat: HeatMap) -> list[list[Bar]]:
    """Return the bars whose keys stand below each other, in columns that are not much longer than the heat map."""
    available = _span(heat.values.shape[0], _ROW) + _BAR * len(heat.bars) + _TREE - 0.5
    groups: list[list[Bar]] = []
    for bar in heat.bars:
        if groups and _height_of_keys([*groups[-1], bar]) <= available:
            groups[-1].append(bar)
        else:
            groups.append([bar])
    return groups


# Parts


def _write_names(ax: Axes, heat: HeatMap, rows: np.ndarray, columns: np.ndarray) -> None:
    """Write the names of rows at the right and those of columns below."""
    ax.yaxis.tick_right()
    names = short_names(heat.row_names, _LONGEST[0])
    ax.set_yticks(np.arange(len(rows)), [names[k] for k in rows])
    ax.set_xticks([])
    if heat.column_names is not None:
        names = short_names(heat.column_names, _LONGEST[1])
        ax.set_xticks(np.arange(len(columns)), [names[k] for k in columns], rotation=90)
    _fit_names(ax, (_span(len(rows), _ROW), _span(len(columns), _COLUMN)))


def _fit_names(ax: Axes, size: tuple[float, float]) -> None:
    """Give names the size at which they do not overlap in axes of these inches, or take them away."""
    for axis, inches in ((ax.yaxis, size[0]), (ax.xaxis, size[1])):
        number = len(axis.get_majorticklocs())
        font = min(_LARGEST, 0.95 * 72.0 * inches / max(number, 1))
        axis.set_tick_params(labelsize=max(font, _READABLE))
        if font < _READABLE:
            axis.set_ticks([])


def _width_of_names(ax: Axes) -> float:
    """Return how many inches the names at the right take."""
    widths = [label.get_window_extent().width for label in ax.get_yticklabels()]
    return max(widths, default=0.0) / figure_of(ax).dpi


def _inset(ax: Axes, *sides: tuple[float, float]) -> Axes:
    """Return axes beside others; left, bottom, right and top as `_Beside` has them."""
    inset = ax.inset_axes((0.0, 0.0, 1.0, 1.0))
    inset.set_axes_locator(_Beside(ax, *sides))
    inset.set_facecolor("none")
    inset.spines[:].set_visible(False)
    inset.set_xticks([])
    inset.set_yticks([])
    return inset


def _draw_bars(ax: Axes, bars: list[Bar], columns: np.ndarray, bottom: float) -> tuple[float, float]:
    """Draw the annotation above the heat map, and return its height and the width of its names in inches."""
    height = _BAR * len(bars)
    inset = _inset(ax, (0.0, 0.0), (1.0, bottom), (1.0, 0.0), (1.0, bottom + height))
    colours = np.stack([bar.colours[columns] for bar in bars])
    inset.imshow(colours, aspect="auto", interpolation="nearest")
    for border in range(1, len(bars)):
        inset.axhline(border - 0.5, color="white", linewidth=1.5)
    inset.yaxis.tick_right()
    inset.tick_params(length=0, labelcolor=INK, pad=2.0)
    inset.set_yticks(np.arange(len(bars)), [bar.name for bar in bars], fontsize=_LARGEST, fontweight="bold")
    return height, _width_of_names(inset)


def _draw_trees(ax: Axes, heat: HeatMap, above: float) -> float:
    """Draw the trees, that of the columns `above` inches over the heat map, and return the height of the latter."""
    for tree, is_row in ((heat.row_tree, True), (heat.column_tree, False)):
        if tree is None:
            continue
        sides = (
            ((0.0, -_GAP - _TREE), (0.0, 0.0), (0.0, -_GAP), (1.0, 0.0))
            if is_row
            else ((0.0, 0.0), (1.0, above), (1.0, 0.0), (1.0, above + _TREE))
        )
        inset = _inset(ax, *sides)
        lines = np.stack([tree.heights, tree.places] if is_row else [tree.places, tree.heights], axis=2)
        each = 72.0 * _span(len(tree.order), _ROW if is_row else _COLUMN) / len(tree.order)
        inset.add_collection(LineCollection(list(lines), colors=INK, linewidths=min(0.8, 0.15 * each)))
        top, last = 1.03 * max(float(tree.heights.max(initial=0.0)), 1e-9), len(tree.order) - 0.5
        if is_row:
            inset.set(xlim=(top, 0.0), ylim=(last, -0.5))
        else:
            inset.set(xlim=(-0.5, last), ylim=(0.0, top))
    return 0.0 if heat.column_tree is None else _TREE


def _draw_keys(ax: Axes, image: AxesImage, heat: HeatMap, groups: list[list[Bar]], at: tuple[float, float]) -> None:
    """Draw the scale of the values, and below it the colours of the bars, right of the names."""
    right, above = at
    left, (width, height) = right + 0.2, _SCALE
    scale = _inset(ax, (1.0, left), (1.0, above - 0.16 - height), (1.0, left + width), (1.0, above - 0.16))
    low, high = heat.limits
    below, beyond = bool((heat.values < low).any()), bool((heat.values > high).any())
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, beyond), "neither")
    bar = figure_of(ax).colorbar(image, cax=scale, orientation="horizontal", extend=extend)
    bar.outline.set_visible(False)
    bar.ax.locator_params(nbins=4)
    bar.ax.tick_params(length=2.0, color=INK, labelcolor=INK, labelsize=7.0, pad=1.5)
    scale.set_title(heat.label, loc="left", fontsize=_LARGEST, fontweight="bold", color=INK, pad=3.0)
    if groups:
        top = (1.0, above - 0.16 - height - 0.3)
        inset = _inset(ax, (1.0, left), top, (1.0, left + width), top)
        columns: list[Artist] = [_keys(group) for group in groups]
        inset.add_artist(
            AnchoredOffsetbox(
                "upper left", child=HPacker(children=columns, align="top", pad=0.0, sep=10.0), pad=0.0, borderpad=0.0,
                frameon=False, bbox_to_anchor=(0.0, 0.0), bbox_transform=inset.transAxes,
            )
        )  # fmt: skip


def _keys(bars: list[Bar]) -> VPacker:
    """Return the keys of some bars below each other."""
    lines: list[Artist] = []
    for bar in bars:
        heading = {"color": INK, "fontsize": _LARGEST, "fontweight": "bold"}
        if lines:
            lines.append(DrawingArea(1.0, 2.0))
        lines.append(TextArea(bar.name, textprops=heading))
        for text, colour in bar.keys:
            patch = DrawingArea(9.0, 7.0)
            patch.add_artist(Rectangle((0.0, 0.0), 9.0, 7.0, facecolor=colour))
            key = TextArea(text, textprops={"color": INK, "fontsize": _LARGEST})
            lines.append(HPacker(children=[patch, key], align="center", pad=0.0, sep=4.0))
    return VPacker(children=lines, align="left", pad=0.0, sep=2.5)
