"""The common look of the figures; imported only by functions that draw."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure

from countnest.arrays import FloatArray
from countnest.errors import OptionError

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "ORANGE",
    "NotebookFigure",
    "caption",
    "figure_of",
    "legend_above",
    "new_axes",
    "points",
    "rings",
    "style",
]

# From the colour-blind-safe palette of Okabe and Ito, with two greys.
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREY: Final = "#A8ADB3"
INK: Final = "#2F3437"


class NotebookFigure(Figure):
    """A figure without pyplot that notebooks show all the same; elsewhere it is saved."""

    def show(self, warn: bool = True) -> None:  # noqa: ARG002 (the shape of the method)
        """Refuse to open a window, and say what to do."""
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
    """Draw many small points; they become an image also in vector formats."""
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
    """Label the axes, mean counts on a logarithmic scale, and let frame and grid step back."""
    if not any(np.size(collection.get_offsets()) for collection in ax.collections):
        ax.set_xlim(0.1, 1000.0)  # without a point, a logarithmic scale has no limits
    ax.set_xscale("log")
    ax.set_xlabel("mean of normalized counts", color=INK)
    ax.set_ylabel(ylabel, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(which="both", color=INK, labelcolor=INK)
    ax.grid(visible=True, which="major", color="#E6E8EA", linewidth=0.6)
    ax.set_axisbelow(True)


def legend_above(ax: Axes, columns: int) -> None:
    """Put the legend between title and axes, where it hides no point."""
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


def caption(ax: Axes, title: str) -> None:
    """Write the title at the left, above the legend."""
    ax.set_title(title, loc="left", pad=24.0, color=INK, fontweight="bold", fontsize="medium")


def figure_of(ax: Axes) -> Figure:
    """Return the figure that holds the axes, also when they lie in a part of it."""
    holder = ax.get_figure()
    while isinstance(holder, SubFigure):
        holder = holder.figure
    assert holder is not None
    return holder
