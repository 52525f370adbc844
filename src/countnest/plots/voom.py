"""The plot of voom: residual standard deviations of log counts against their means, and the curve through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import MissingStepError, OptionError, kind_of
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "HasCurve", "plot_voom"]


class Curve(Protocol):
    """The part of a curve of variances that the plot uses, by gene (m,)."""

    @property
    def mean(self) -> FloatArray:
        """Mean log2 counts."""

    @property
    def root(self) -> FloatArray:
        """Square roots of the residual standard deviations."""

    @property
    def smoothed(self) -> FloatArray:
        """The curve."""


class HasCurve(Protocol):
    """Log counts with weights, or linear models of them, with the curve of their variances."""

    @property
    def curve(self) -> Curve | None:
        """None where there is none."""


@checked_arguments
def plot_voom(voomed: HasCurve, *, ax: Axes | None = None) -> Figure:
    """Draw the residual standard deviation of the log counts of every gene against their mean.

    The precision weights are read from the curve. It falls as counts grow, and levels out where they vary by biology
    alone; a curve that first rises says that genes of low counts should have been left out.

    R counterpart: limma::voom(plot = TRUE)

    Parameters
    ----------
    voomed
        What `voom`, `voom_with_quality_weights` or `voom_lm_fit` returned.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure
        The figure: `plot_voom(cn.voom(dds)).savefig("voom.png")`.

    Raises
    ------
    OptionError
        `voomed` has no curve.
    MissingStepError
        There was no curve, because there are no replicates.
    """
    from countnest.plots.figure import INK, ORANGE, caption, figure_of, frame, legend_above, new_axes, points

    curve = _curve(voomed)
    ax = new_axes() if ax is None else ax
    text = f"genes: {len(curve.mean):,}"
    points(ax, curve.mean, curve.root, colour=INK, size=5.0, alpha=0.3, zorder=2.0, label=text)
    order = np.argsort(curve.mean, kind="stable")
    ax.plot(
        curve.mean[order], curve.smoothed[order], color=ORANGE, linewidth=2.0, label="curve of the weights", zorder=3
    )
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("mean log2 count, half a count added", color=INK)
    ax.set_ylabel("square root of the standard deviation", color=INK)
    frame(ax)
    caption(ax, "Mean-variance trend of voom")
    legend_above(ax, columns=2)
    return figure_of(ax)


def _curve(voomed: object) -> Curve:
    curve: Curve | None = getattr(voomed, "curve", None)
    if not hasattr(voomed, "curve"):
        raise OptionError(f"plot_voom needs what cn.voom or cn.voom_lm_fit returned; got {kind_of(voomed)}.")
    if curve is None:
        raise MissingStepError("this fit has no curve: draw that of the log counts, cn.plot_voom(cn.voom(dds)).")
    if not len(curve.mean):
        raise MissingStepError(
            "there is no curve: without replicates no variance was estimated, and all weights are 1."
        )
    return curve
