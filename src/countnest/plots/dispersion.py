"""The plot of dispersions: gene-wise, fitted and final values against the mean count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.errors import MissingStepError, OptionError, kind_of
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FittedTrend", "plot_dispersion"]


class FittedTrend(Protocol):
    """The part of the record of a fitted trend that the plot uses."""

    @property
    def fit_type(self) -> str:
        """The kind of fit: 'parametric', 'local', 'mean'."""


@checked_arguments
def plot_dispersion(
    genes: pd.DataFrame,
    trend: FittedTrend | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the dispersion of every gene against its mean of normalized counts.

    Gene-wise estimates, the trend fitted to them and the final values, shrunken towards the trend. Genes with circles
    lie so far above the trend that they keep their gene-wise estimate. Estimates below the lower border are triangles.
    Without a trend, or with given dispersions, the rest is drawn.

    R counterpart: DESeq2::plotDispEsts

    Parameters
    ----------
    genes
        By gene: baseMean, dispGeneEst, and as far as they are there dispFit, dispersion, dispOutlier.
    trend
        The record of the fitted trend; it names the kind of fit in the legend.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure
        The figure: `plot_dispersion(dds.genes).savefig("dispersion.png")`.

    Raises
    ------
    OptionError
        `genes` is not a DataFrame.
    MissingStepError
        The gene-wise dispersions are not estimated yet.
    """
    from countnest.plots.figure import caption, figure_of, legend_above, new_axes, style

    _check(genes)
    ax = new_axes() if ax is None else ax
    drawn = genes[genes["baseMean"] > 0]
    mean, genewise = _values(drawn, "baseMean"), _values(drawn, "dispGeneEst")
    final = _values(drawn, "dispersion")
    given = np.isfinite(final).any() and not np.isfinite(genewise).any()
    floor = _floor(final if given else genewise)
    if not given:
        _draw_genewise(ax, mean, genewise, floor)
    _draw_trend(ax, mean, _values(drawn, "dispFit"), "" if trend is None else f" ({trend.fit_type})")
    _draw_final(ax, mean, final, _outliers(drawn), floor)
    ax.set_yscale("log")
    ax.set_ylim(bottom=floor / 1.5)
    style(ax, "dispersion")
    caption(ax, "Dispersion estimates")
    legend_above(ax, columns=4)
    return figure_of(ax)


def _check(genes: object) -> None:
    if not isinstance(genes, pd.DataFrame):
        raise OptionError(f"plot_dispersion needs the table of the genes, dds.genes; got {kind_of(genes)}.")
    missing = [name for name in ("baseMean", "dispGeneEst") if name not in genes]
    if missing:
        raise MissingStepError(f"The gene table has no column '{missing[0]}': call estimate_dispersions() first.")


def _values(genes: pd.DataFrame, name: str) -> FloatArray:
    return genes[name].to_numpy(dtype=np.float64) if name in genes else np.full(len(genes), np.nan)


def _outliers(genes: pd.DataFrame) -> BoolArray:
    """Return the mask of dispersion outliers; a missing flag counts as False."""
    if "dispOutlier" not in genes:
        return np.zeros(len(genes), dtype=np.bool_)
    return genes["dispOutlier"].eq(True).fillna(False).to_numpy(dtype=np.bool_)


def _floor(values: FloatArray) -> float:
    """Return the power of ten below the smallest positive dispersion."""
    positive = values[values > 0]
    return float(10.0 ** np.floor(np.log10(positive.min()) - 0.1)) if positive.size else 1e-9


def _draw_genewise(ax: Axes, mean: FloatArray, values: FloatArray, floor: float) -> None:
    from countnest.plots.figure import INK, points

    below = values < floor
    inside = values >= floor
    edge = np.full(int(below.sum()), floor)
    points(ax, mean[inside], values[inside], colour=INK, size=5.0, alpha=0.3, zorder=2.0, label="gene-wise")
    points(ax, mean[below], edge, colour=INK, size=15.0, alpha=0.3, zorder=2.0, marker="v")


def _draw_final(ax: Axes, mean: FloatArray, values: FloatArray, outliers: BoolArray, floor: float) -> None:
    from countnest.plots.figure import BLUE, points, rings

    shown = values >= floor
    plain, circled = shown & ~outliers, shown & outliers
    if plain.any():
        points(ax, mean[plain], values[plain], colour=BLUE, size=4.0, alpha=0.4, zorder=2.5, label="final")
    if circled.any():
        text = f"outliers, not shrunken: {circled.sum():,}"
        rings(ax, mean[circled], values[circled], colour=BLUE, zorder=2.5, label=text)


def _draw_trend(ax: Axes, mean: FloatArray, values: FloatArray, kind: str) -> None:
    from countnest.plots.figure import ORANGE

    order = np.argsort(mean)
    order = order[np.isfinite(values[order])]
    if order.size:
        ax.plot(mean[order], values[order], color=ORANGE, linewidth=2.0, label=f"fitted{kind}", zorder=3)
