"""A mixture of genes with and without an effect over the histogram of their statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

__all__ = ["DrawnMixture", "draw_mixture"]

# The part of the genes that the axes hold; the others are counted in the last bars.
_SHOWN = 0.998
_BARS, _POINTS = 61, 401


class Mixture(Protocol):
    """The part of a mixture that the figure uses."""

    @property
    def is_null(self) -> BoolArray:
        """(K,) the components of genes without effect."""

    def densities(self, x: FloatArray, /) -> FloatArray:
        """Return the weighted densities (m, K) of the components at points (m,)."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMixture:
    """What is drawn.

    Attributes
    ----------
    statistics
        (G,); missing ones are left out.
    mixture
        The mixture over them.
    called
        (G,) the genes that are called, and `words` what they are.
    words, xlabel, title
        Texts.
    """

    statistics: FloatArray
    mixture: Mixture
    called: BoolArray
    words: str
    xlabel: str
    title: str


def draw_mixture(drawn: DrawnMixture, ax: Axes | None) -> Figure:
    """Draw the histogram of the statistics, of all genes and of those called, the mixture, and its null part.

    Parameters
    ----------
    drawn
        The statistics and the mixture.
    ax
        Axes to draw into; None: those of a new figure.
    """
    from countnest.plots.figure import BLUE, GREY, INK, ORANGE, caption, figure_of, frame, legend_above, new_axes

    ax = new_axes(6.8, 4.6) if ax is None else ax
    known = np.isfinite(drawn.statistics)
    values, called = drawn.statistics[known], drawn.called[known]
    reach = 1.02 * float(np.quantile(np.abs(values), _SHOWN))
    edges = np.linspace(-reach, reach, _BARS + 1).tolist()
    inside = np.clip(values, -reach, reach)
    width = edges[1] - edges[0]
    x = np.linspace(-reach, reach, _POINTS)
    each = drawn.mixture.densities(as_float(x)) * len(values) * width
    ax.hist(inside, edges, color=GREY, alpha=0.55, label=f"genes: {len(values):,}")
    ax.hist(inside[called], edges, color=ORANGE, alpha=0.8, label=f"{drawn.words}: {int(called.sum()):,}")
    ax.plot(x, each[:, drawn.mixture.is_null].sum(axis=1), color=BLUE, linewidth=1.8, label="without effect")
    ax.plot(x, each.sum(axis=1), color=INK, linewidth=1.8, linestyle=(0, (4, 2)), label="mixture")
    ax.set_xlim(-reach, reach)
    ax.set_xlabel(drawn.xlabel, color=INK)
    ax.set_ylabel("genes", color=INK)
    frame(ax, "y")
    caption(ax, drawn.title, pad=38.0)
    legend_above(ax, columns=2)
    return figure_of(ax)
