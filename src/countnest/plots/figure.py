"""The common style of the figures; imported only by functions that draw."""

from __future__ import annotations

import io
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator

from countnest.arrays import FloatArray
from countnest.errors import OptionError

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "ORANGE",
    "PALETTE",
    "NotebookFigure",
    "caption",
    "figure_of",
    "frame",
    "legend_above",
    "new_axes",
    "points",
    "rings",
    "style",
    "width_of",
]

# From the colour-blind-safe palette of Okabe and Ito, with two greys.
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREY: Final = "#A8ADB3"
INK: Final = "#2F3437"
# Colours of groups; the yellow of the palette is too faint on white.
PALETTE: Final = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


class NotebookFigure(Figure):
    """A figure without pyplot, which notebooks display; elsewhere it can be saved."""

    def show(self, warn: bool = True) -> None:  # noqa: ARG002 (the shape of the method)
        """Refuse to open a window, and tell what to do."""
        raise OptionError(
            "this figure has no window: save it, figure.savefig('figure.png'), or leave it as the last line of a cell "
            "of a notebook. For a window, draw into axes of pyplot: ax = plt.figure().add_subplot(), give ax=ax, and "
            "call plt.show()."
        )

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()


def new_axes(width: float = 6.8, height: float = 4.8) -> Axes:
    """Return the axes of a new figure; sizes in inches."""
    figure = NotebookFigure(figsize=(width, height), dpi=150, layout="constrained")
    return figure.add_subplot()


def points(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    *,
    colour: str,
    size: float,
    alpha: float,
    zorder: float,
    marker: str = "o",
    label: str | None = None,
) -> None:
    """Draw many small points, which are rasterized even in vector formats."""
    ax.scatter(
        x,
        y,
        s=size,
        color=colour,
        alpha=alpha,
        zorder=zorder,
        marker=marker,
        label=label,
        linewidths=0,
        rasterized=True,
    )


def rings(ax: Axes, x: FloatArray, y: FloatArray, *, colour: str, zorder: float, label: str) -> None:
    """Draw circles around points."""
    ax.scatter(x, y, s=22.0, facecolors="none", edgecolors=colour, linewidths=0.8, zorder=zorder, label=label)


def style(ax: Axes, ylabel: str) -> None:
    """Label the axes, with mean counts on a logarithmic scale, and draw the frame."""
    if not any(np.size(collection.get_offsets()) for collection in ax.collections):
        ax.set_xlim(0.1, 1000.0)  # without a point, a logarithmic scale has no limits
    ax.set_xscale("log")
    ax.set_xlabel("mean of normalized counts", color=INK)
    ax.set_ylabel(ylabel, color=INK)
    _few_ticks(ax)
    frame(ax)


def _few_ticks(ax: Axes) -> None:
    """Put ticks between the powers of ten at 2 and 5 alone: with all nine, ticks take most of the time of a figure."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))


def frame(ax: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draw a light frame, and a grid behind everything."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(which="both", color=INK, labelcolor=INK)
    ax.grid(visible=True, which="major", axis=grid, color="#E6E8EA", linewidth=0.6)
    ax.set_axisbelow(True)


def legend_above(ax: Axes, columns: int) -> None:
    """Put the legend between title and axes, where it does not hide points."""
    legend = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize="small",
        handletextpad=0.5,
        handlelength=1.6,
        columnspacing=1.4,
        borderaxespad=0.2,
        labelcolor=INK,
    )
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):  # points are too small and too faint to read as keys
            handle.set_alpha(1.0)
            handle.set_sizes([26.0])


def caption(ax: Axes, title: str, pad: float = 24.0) -> None:
    """Write the title at the left, above the legend; at the border of the figure, it goes on in a line above."""
    ax.set_title(title, loc="left", pad=pad, color=INK, fontweight="bold", fontsize="medium", wrap=True)


def width_of(ax: Axes) -> float:
    """Return the width of axes in inches, before names and titles take their places."""
    return float(np.diff(ax.get_position().intervalx)[0] * figure_of(ax).get_figwidth())


def figure_of(ax: Axes) -> Figure:
    """Return the figure that holds the axes, even if they lie in a subfigure."""
    holder = ax.get_figure()
    while isinstance(holder, SubFigure):
        holder = holder.figure
    assert holder is not None
    return holder
