"""The plot of dispersions: gene-wise, fitted and final values against the mean count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol, overload

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.errors import MissingStepError, OptionError, kind_of
from countnest.options import check_flags
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FittedTrend", "plot_dispersion"]

_COLUMNS: Final = ("baseMean", "dispGeneEst", "dispFit", "dispersion")
# Gene-wise estimates that are this small ended at the minimum of the search; as for the trend, 100 times the minimum.
_AT_MINIMUM: Final = 1e-6
# The figure shows all other gene-wise estimates but this part, and the trend and the final values.
_LEFT_OUT: Final = 0.01
_MARGIN: Final = 1.5


class FittedTrend(Protocol):
    """The part of the record of a fitted trend that the plot uses."""

    @property
    def fit_type(self) -> str:
        """The kind of fit: 'parametric', 'local', 'mean'."""


@overload
def plot_dispersion(
    genes: pd.DataFrame,
    trend: FittedTrend | None = ...,
    *,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_dispersion(
    genes: pd.DataFrame,
    trend: FittedTrend | None = ...,
    *,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_dispersion(
    genes: pd.DataFrame,
    trend: FittedTrend | None = None,
    *,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the dispersion of every gene against its mean of normalized counts.

    Gene-wise estimates, the trend fitted to them and the final values, shrunken towards the trend. Genes with circles
    lie so far above the trend that they keep their gene-wise estimate. The lower border is below the trend, the final
    values and 99 % of the gene-wise estimates that did not end at the minimum of the search; what is lower is drawn as
    triangles at the border, and counted. Without a trend, or with given dispersions, the rest is drawn.

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
    Figure or DataFrame
        The figure: `plot_dispersion(dds.genes).savefig("dispersion.png")`. With `return_data`, a table of the genes
        with counts: baseMean, dispGeneEst, dispFit, dispersion, dispOutlier and below (whether the gene-wise estimate
        is below the border). Its `.attrs["border"]` is the lower border.

    Raises
    ------
    OptionError
        `genes` is not a DataFrame.
    MissingStepError
        The gene-wise dispersions are not estimated yet.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1), quiet=True)
    >>> cn.plot_dispersion(dds.genes, return_data=True).columns.tolist()
    ['baseMean', 'dispGeneEst', 'dispFit', 'dispersion', 'dispOutlier', 'below']
    >>> cn.plot_dispersion(dds.genes, dds.dispersion_trend).savefig("dispersion.pdf")
    """
    check_flags(return_data=return_data)
    _check(genes)
    data = _data(genes)
    return data if return_data else _drawn(data, "" if trend is None else f" ({trend.fit_type})", ax)


def _data(genes: pd.DataFrame) -> pd.DataFrame:
    """Return the genes that can be drawn, with the lower border in `.attrs`."""
    drawn = genes[genes["baseMean"] > 0]
    data = pd.DataFrame({name: _values(drawn, name) for name in _COLUMNS}, index=drawn.index)
    data["dispOutlier"] = _outliers(drawn)
    border = _border(*(data[name].to_numpy(np.float64) for name in _COLUMNS[1:]))
    data["below"] = data["dispGeneEst"] < border
    data.attrs["border"] = border
    return data


def _drawn(data: pd.DataFrame, kind: str, ax: Axes | None) -> Figure:
    from countnest.plots.figure import caption, figure_of, legend_above, new_axes, style

    ax = new_axes() if ax is None else ax
    mean, genewise, fitted, final = (data[name].to_numpy(np.float64) for name in _COLUMNS)
    border: float = data.attrs["border"]
    if np.isfinite(genewise).any() or not np.isfinite(final).any():
        _draw_genewise(ax, mean, genewise, border)
    _draw_trend(ax, mean, fitted, kind)
    _draw_final(ax, mean, final, data["dispOutlier"].to_numpy(np.bool_), border)
    ax.set_yscale("log")
    ax.set_ylim(bottom=border / 1.15)
    style(ax, "dispersion")
    entries = len(ax.get_legend_handles_labels()[1])
    caption(ax, "Dispersion estimates", pad=24.0 if entries < 5 else 39.0)
    legend_above(ax, columns=4 if entries < 5 else 3)
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


def _border(genewise: FloatArray, fitted: FloatArray, final: FloatArray) -> float:
    """Return the lower border of the figure."""
    estimated = genewise[genewise > _AT_MINIMUM]
    lowest = [float(each.min()) for each in (fitted[fitted > 0], final[final > _AT_MINIMUM]) if each.size]
    if estimated.size:
        lowest.append(float(np.quantile(estimated, _LEFT_OUT)))
    positive = np.concatenate([genewise[genewise > 0], final[final > 0]])
    if not lowest and positive.size:
        lowest.append(float(positive.min()))
    return min(lowest) / _MARGIN if lowest else 1e-9


def _draw_genewise(ax: Axes, mean: FloatArray, values: FloatArray, border: float) -> None:
    from countnest.plots.figure import INK, points

    below = values < border
    inside = values >= border
    points(ax, mean[inside], values[inside], colour=INK, size=5.0, alpha=0.3, zorder=2.0, label="gene-wise")
    if below.any():
        edge, text = np.full(int(below.sum()), border), f"below {border:.2g}: {below.sum():,}"
        points(ax, mean[below], edge, colour=INK, size=15.0, alpha=0.3, zorder=2.0, marker="v", label=text)


def _draw_final(ax: Axes, mean: FloatArray, values: FloatArray, outliers: BoolArray, border: float) -> None:
    from countnest.plots.figure import BLUE, points, rings

    below = values < border
    plain, circled = (values >= border) & ~outliers, (values >= border) & outliers
    if plain.any():
        points(ax, mean[plain], values[plain], colour=BLUE, size=4.0, alpha=0.4, zorder=2.5, label="final")
    if below.any():
        edge = np.full(int(below.sum()), border)
        points(ax, mean[below], edge, colour=BLUE, size=15.0, alpha=0.3, zorder=2.1, marker="v")
    if circled.any():
        text = f"outliers, not shrunken: {circled.sum():,}"
        rings(ax, mean[circled], values[circled], colour=BLUE, zorder=2.5, label=text)


def _draw_trend(ax: Axes, mean: FloatArray, values: FloatArray, kind: str) -> None:
    from countnest.plots.figure import ORANGE

    order = np.argsort(mean)
    order = order[np.isfinite(values[order])]
    if order.size:
        ax.plot(mean[order], values[order], color=ORANGE, linewidth=2.0, label=f"fitted{kind}", zorder=3)
