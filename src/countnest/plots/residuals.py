"""Residuals of many genes by sample, in the order of a column of the sample sheet: boxes over the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

__all__ = ["draw_residuals", "residual_boxes"]

_QUANTILES: Final = {"low": 0.05, "q1": 0.25, "median": 0.5, "q3": 0.75, "high": 0.95}
# With more samples than this their names are left out, and the levels stand on the axis.
_NAMED: Final = 40
_LEVELS: Final = 8
_LONGEST: Final = 24  # characters of the name of a sample


def residual_boxes(residuals: pd.DataFrame, column: pd.Series) -> pd.DataFrame:
    """Return the quantiles over genes of the residuals (m, n), by sample, in the order of a column (n,)."""
    found = residuals.quantile(list(_QUANTILES.values()))
    boxes = pd.DataFrame({name: found.loc[level] for name, level in _QUANTILES.items()}, index=residuals.columns)
    boxes.insert(0, str(column.name), column)
    return boxes.sort_values(str(column.name), kind="stable")


def draw_residuals(data: pd.DataFrame, reading: str, ax: Axes | None) -> Figure:
    """Draw what `residual_boxes` returned: by sample, or over the axis of a column of numbers.

    Parameters
    ----------
    data
        One row for each sample, in order; the first column has the level, a categorical, or the number.
    reading
        What the title says.
    ax
        Axes to draw into; None: those of a new figure.
    """
    from countnest.plots.categories import legend_shape
    from countnest.plots.figure import INK, caption, figure_of, frame, legend_above

    ax = _by_sample(data, ax) if isinstance(data.iloc[:, 0].dtype, pd.CategoricalDtype) else _by_number(data, ax)
    ax.axhline(0.0, color=INK, linewidth=0.8, zorder=1.5)
    reach = 1.05 * float(np.nanmax(np.abs(data[list(_QUANTILES)].to_numpy(np.float64)), initial=0.1))
    ax.set_ylim(-reach, reach)
    ax.set_ylabel("residual, in the direction that\nthe other samples predict", color=INK)
    frame(ax, "y")
    columns, rows = legend_shape(ax)
    if not 1 <= data.iloc[:, 0].nunique() <= _LEVELS or not rows:
        rows = 0
    else:
        legend_above(ax, columns=columns)
    caption(ax, reading, pad=8.0 + 14.0 * rows)
    return figure_of(ax)


def _by_number(data: pd.DataFrame, ax: Axes | None) -> Axes:
    """Draw the samples at their numbers."""
    from countnest.plots.figure import BLUE, INK, new_axes

    ax = new_axes(6.8, 4.8) if ax is None else ax
    x = data.iloc[:, 0].to_numpy(np.float64)
    low, q1, median, q3, high = data[list(_QUANTILES)].to_numpy(np.float64).T
    ax.vlines(x, low, high, color=INK, linewidth=0.6, alpha=0.7, zorder=1.8)
    ax.vlines(x, q1, q3, color=BLUE, linewidth=4.0, alpha=0.6, zorder=2.0)
    ax.scatter(x, median, s=22.0, facecolors="white", edgecolors=INK, linewidths=1.0, zorder=2.4)
    ax.set_xlabel(str(data.columns[0]), color=INK)
    return ax


def _by_sample(data: pd.DataFrame, ax: Axes | None) -> Axes:
    """Draw the samples side by side, those of a level together, and write the names of the samples or the levels."""
    from countnest.plots.categories import GroupAxis, shortened
    from countnest.plots.figure import INK, new_axes

    column = data.iloc[:, 0]
    codes = column.cat.codes.to_numpy().astype(np.int64)
    places = as_float(np.arange(len(data)) + 0.6 * np.concatenate([[0.0], np.cumsum(np.diff(codes) != 0)]))
    is_named = len(data) <= _NAMED
    names, marks = shortened([str(sample) for sample in data.index], _LONGEST), places
    if not is_named:
        levels = [level for level in column.cat.categories if (column == level).any()]
        names = [str(level) for level in levels]
        marks = as_float(np.array([places[(column == level).to_numpy()].mean() for level in levels]))
    axis = GroupAxis(names, 0.2)
    if ax is None:
        each = 0.28 if is_named else 0.1
        ax = new_axes(min(max(6.0, each * float(places[-1]) + 1.6), 16.0), 4.2 + axis.depth)
    axis.write_slanted(ax, marks)
    _boxes(ax, data, places, codes)
    ax.set_xlim(-0.8, float(places[-1]) + 0.8)
    ax.set_xlabel(f"samples, by {column.name}" if is_named else str(column.name), color=INK)
    return ax


def _boxes(ax: Axes, data: pd.DataFrame, places: FloatArray, codes: IntArray) -> None:
    """Draw boxes from quartile to quartile, with the median and lines from the 5th to the 95th percentile."""
    from countnest.plots.categories import colour_of
    from countnest.plots.figure import INK

    column, width = data.iloc[:, 0], 0.7
    for code in np.unique(codes):
        here = codes == code
        part, at, colour = data[here], places[here], colour_of(int(code))
        low, q1, median, q3, high = part[list(_QUANTILES)].to_numpy(np.float64).T
        label = f"{column.name} {column.iloc[int(np.argmax(here))]}"
        ax.vlines(at, low, high, color=INK, linewidth=0.8, zorder=1.8)
        ax.bar(at, q3 - q1, width, q1, color=colour, alpha=0.55, edgecolor=INK, linewidth=0.7, zorder=2.0, label=label)
        ax.hlines(median, at - width / 2.0, at + width / 2.0, color=INK, linewidth=1.8, zorder=2.2)
