"""Cook's distances by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol, overload

import numpy as np
import pandas as pd
from scipy.special import fdtri

from countnest.errors import OptionError, kind_of
from countnest.options import check_flags
from countnest.plots.annotation import Bar, bars_of
from countnest.plots.counts import DesignedStudy
from countnest.plots.sheet import sheet_columns
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["InfluenceStudy", "plot_cooks"]

# The whiskers, the box and the line in it.
_QUANTILES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
_COLUMNS: Final = ("low", "q1", "median", "q3", "high", "largest")
_SMALLEST: Final = 1e-12  # of distances that are drawn
_LONGEST: Final = 48  # characters of a name
_AXES: Final = 4.6  # inches of the axes of a new figure
# Inches of a row, of all rows at most, and of a row at least whose name is written.
_ROW, _HIGHEST, _READABLE = 0.2, 12.0, 0.066


class InfluenceStudy(DesignedStudy, Protocol):
    """The part of a fitted data set that the plot of Cook's distances uses."""

    def cooks(self) -> pd.DataFrame:
        """Return Cook's distances, genes x samples."""


@overload
def plot_cooks(
    dds: InfluenceStudy,
    intgroup: str | Sequence[str] | None = ...,
    *,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_cooks(
    dds: InfluenceStudy,
    intgroup: str | Sequence[str] | None = ...,
    *,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_cooks(
    dds: InfluenceStudy,
    intgroup: str | Sequence[str] | None = None,
    *,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the distribution of Cook's distances over the genes, a box for each sample.

    A sample whose box lies beyond the others influences the fold changes of many genes, as a mislabelled or failed one
    does. Boxes hold the middle half of the genes, whiskers 98 % of them; the triangle is the largest distance. The
    numbers at the right count genes above the cutoff, the dashed line, beyond which `results` takes a count for an
    outlier in cells of three or more samples.

    R counterpart: boxplot(log10(assays(dds)[["cooks"]]), range=0), as in DESeq2's vignette

    Parameters
    ----------
    dds
        A data set fitted by DESeq2's method.
    intgroup
        The column of the sample sheet that gives the colours; by default there are none.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_cooks(dds, "group").savefig("cooks.png")`. With `return_data`, a table by sample with low, q1,
        median, q3, high (the quantiles 0.01, 0.25, 0.5, 0.75 and 0.99 of Cook's distances), largest, and above (the
        number of genes above the cutoff), and the column of `intgroup`. Its `.attrs` have the `cutoff`, missing where
        no residual degrees of freedom are left, and `genes`, the number of genes that have distances.

    Raises
    ------
    OptionError
        `dds` is no data set, or the sample sheet has no such column.
    MissingStepError
        The data set is not fitted.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1), quiet=True)
    >>> cn.plot_cooks(dds, return_data=True).columns.tolist()
    ['low', 'q1', 'median', 'q3', 'high', 'largest', 'above']
    >>> cn.plot_cooks(dds, "condition").savefig("cooks.pdf")

    References
    ----------
    Cook (1977), Technometrics 19:15, doi:10.2307/1268249.
    """
    if not callable(getattr(dds, "cooks", None)):
        raise OptionError(f"plot_cooks needs a DESeqDataSet; got {kind_of(dds)}.")
    check_flags(return_data=return_data)
    sheet = dds.samples
    groups = sheet_columns(sheet, intgroup, sheet.index)
    if groups.shape[1] > 1:
        raise OptionError(f"intgroup={intgroup!r}: the boxes have one colour each; give one column.")
    data = _data(dds.cooks(), *dds.design.matrix.shape)
    if return_data:
        attrs = data.attrs
        data = pd.concat([data, groups], axis=1)
        data.attrs = attrs
        return data
    return _drawn(data, groups, ax)


def _data(cooks: pd.DataFrame, n: int, p: int) -> pd.DataFrame:
    """Return quantiles, the largest and the number beyond the cutoff, by sample.

    Parameters
    ----------
    cooks
        Cook's distances, genes x samples.
    n, p
        Samples and coefficients.
    """
    from countnest.stats.glm.cooks import CUTOFF_QUANTILE

    values = cooks.to_numpy(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    cutoff = float(fdtri(p, n - p, CUTOFF_QUANTILE)) if n > p else np.nan
    found = np.full((len(_COLUMNS), values.shape[1]), np.nan)
    if len(values):
        found[:-1] = np.quantile(values, _QUANTILES, axis=0)
        found[-1] = values.max(axis=0)
    data = pd.DataFrame(found.T, index=cooks.columns, columns=list(_COLUMNS))
    data["above"] = (values > cutoff).sum(axis=0)
    data.attrs = {"cutoff": cutoff, "genes": len(values)}
    return data


def _drawn(data: pd.DataFrame, groups: pd.DataFrame, ax: Axes | None) -> Figure:
    from countnest.plots.categories import legend_shape
    from countnest.plots.figure import INK, caption, figure_of, frame, legend_above, new_axes
    from countnest.plots.labels import short_names

    names, bars = short_names([str(sample) for sample in data.index], _LONGEST), bars_of(groups)
    keys = bars[0].keys if bars else ()
    height = min(max(len(data), 4) * _ROW, _HIGHEST)
    is_new = ax is None
    is_named = len(data) * _READABLE <= height or not is_new
    ax = new_axes(5.6 + 0.066 * is_named * max(map(len, names)), 1.6 + height) if ax is None else ax
    ax.set_xlabel("Cook's distance", color=INK)
    _draw_boxes(ax, data, bars)
    size = min(8.3, 68.0 * height / len(data))
    ax.set_yticks(np.arange(len(data)) if is_named else [], names if is_named else [], fontsize=size)
    ax.set_ylim(len(data) - 0.4, -0.6)
    cutoff: float = data.attrs["cutoff"]
    if np.isfinite(cutoff):
        _draw_cutoff(ax, cutoff, data["above"].tolist() if is_named else [], size)
    frame(ax, "x")
    columns, rows = legend_shape(ax, _AXES if is_new else None) if keys else (1, 0)
    if keys:
        legend_above(ax, columns=columns)
    what = f", by {groups.columns[0]}" if keys else ""
    caption(ax, f"Cook's distances of {data.attrs['genes']:,} genes{what}", pad=8.0 + 15.0 * rows)
    return figure_of(ax)


def _draw_boxes(ax: Axes, data: pd.DataFrame, bars: list[Bar]) -> None:
    """Draw whiskers, box, median and the largest distance of each sample, in rows from the top."""
    from countnest.plots.figure import BLUE, INK

    low, q1, median, q3, high, largest = np.maximum(data[list(_COLUMNS)].to_numpy(np.float64).T, _SMALLEST)
    place = np.arange(len(data))
    ax.hlines(place, low, high, color=INK, linewidth=0.8, zorder=2.0)
    ax.barh(place, q3 - q1, 0.62, left=q1, color=list(bars[0].colours) if bars else BLUE, zorder=2.1)
    ax.vlines(median, place - 0.31, place + 0.31, color="white", linewidth=1.6, zorder=2.2)
    ax.scatter(largest, place, s=16.0, marker=">", color=INK, linewidths=0, zorder=2.2)
    for text, colour in bars[0].keys if bars else ():
        ax.scatter([], [], marker="s", color=[colour], label=text)
    if not np.isfinite(largest).any():
        ax.set_xlim(0.001, 10.0)  # without a value, a logarithmic scale has no limits
    ax.set_xscale("log")


def _draw_cutoff(ax: Axes, cutoff: float, above: list[int], size: float) -> None:
    """Draw the cutoff, and write how many genes of each sample are above it."""
    from countnest.plots.figure import INK

    ax.axvline(cutoff, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1.5)
    counts = f"; right: genes above the cutoff, {cutoff:.3g}" if above else f"; cutoff: {cutoff:.3g}"
    ax.set_xlabel(f"Cook's distance{counts}", color=INK)
    for place, number in enumerate(above):
        ax.annotate(
            f"{number:,}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(4.0, 0.0),
            textcoords="offset points", va="center", fontsize=size, color=INK,
        )  # fmt: skip
