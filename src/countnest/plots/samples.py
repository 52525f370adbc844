"""Samples as points, in colours and markers that columns of the sample sheet give, with their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.plots.sheet import factor_of, is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_samples", "has_legend_above", "joined_levels", "legend_width", "write_samples"]

_MARKERS: Final = "osD^vPX<>*"
# Between the factors of a group, as in R.
_JOIN: Final = ":"
# Rows of the legend in one column.
_LEGEND_ROWS: Final = 16
# Of two columns, so many combinations are explained one by one.
_COMBINED: Final = 12
# Characters of the names of samples.
_LONGEST: Final = 28
# Of a point, in units of 1/72 inch.
_AREA: Final = 46.0
_RADIUS: Final = 3.4


def draw_samples(ax: Axes, points: FloatArray, groups: pd.DataFrame) -> None:
    """Draw the samples at `points` (n, 2), with a legend beside the axes; `groups` may have no column."""
    from countnest.plots.figure import BLUE

    numbers = _scale_of(groups)
    if not groups.shape[1]:
        _scatter(ax, points, BLUE, "o")
    elif numbers is not None:
        _draw_numbers(ax, points, numbers, groups)
    else:
        _draw_groups(ax, points, joined_levels(groups), groups)


def has_legend_above(groups: pd.DataFrame) -> bool:
    """Return whether the markers are explained above the axes, beside a continuous scale of the colours."""
    return groups.shape[1] == 2 and _scale_of(groups) is not None


def joined_levels(groups: pd.DataFrame) -> pd.Series:
    """Return the group of each sample: numbers unchanged, otherwise levels joined, in the order of levels."""
    if groups.shape[1] == 1 and is_number(groups.iloc[:, 0]):
        return groups.iloc[:, 0]
    factors = [factor_of(groups[name]) for name in groups]
    codes = np.column_stack([factor.cat.codes for factor in factors])
    labels = np.array([_JOIN.join(levels) for levels in zip(*factors, strict=True)], dtype=object)
    order = np.lexsort(codes.T[::-1])
    return pd.Series(pd.Categorical(labels, categories=list(dict.fromkeys(labels[order]))), index=groups.index)


def write_samples(ax: Axes, samples: pd.Index, points: FloatArray, named: BoolArray) -> None:
    """Write the names of some samples, first those far from the others; to be called when the limits are set.

    A name for which there is no free place is left out.
    """
    from countnest.plots.labels import short_names, write_names

    order = np.argsort(-np.square(_standard(points)).sum(axis=1), kind="stable")
    order = order[named[order]]
    names = short_names([str(sample) for sample in samples], _LONGEST)
    write_names(
        ax, [names[k] for k in order], points[order, 0], points[order, 1], points, radius=_RADIUS, only_free=True
    )


def _standard(points: FloatArray) -> FloatArray:
    """Return points about their middle, in units of their range."""
    span = np.ptp(points, axis=0)
    return (points - np.median(points, axis=0)) / np.where(span > 0, span, 1.0)


def _scale_of(groups: pd.DataFrame) -> FloatArray | None:
    """Return the numbers that are drawn on a continuous scale; None where the colours are those of levels."""
    from countnest.plots.figure import PALETTE

    if not 1 <= groups.shape[1] <= 2 or not is_number(groups.iloc[:, 0]):
        return None
    numbers = groups.iloc[:, 0].to_numpy(dtype=np.float64, na_value=np.nan)
    if groups.shape[1] == 2:
        few = len(np.unique(numbers)) <= len(PALETTE) + 1
        if few or len(factor_of(groups.iloc[:, 1]).cat.categories) > len(_MARKERS):
            return None
    return numbers


def legend_width(groups: pd.DataFrame) -> float:
    """Return about how many inches wide the legend is."""
    if not groups.shape[1] or _scale_of(groups) is not None:
        return 0.0
    texts = [text for text, _, _ in _keys(groups)[0]]
    return _legend_columns(len(texts)) * (0.4 + 0.075 * max(map(len, texts)))


def _legend_columns(n_groups: int) -> int:
    return -(-n_groups // _LEGEND_ROWS)


def _scatter(ax: Axes, points: FloatArray, colour: str, marker: str, label: str | None = None) -> None:
    """Draw the samples of a group; thin white borders separate points that overlap."""
    ax.scatter(
        points[:, 0], points[:, 1], s=_AREA, color=colour, marker=marker, alpha=0.85, edgecolors="white",
        linewidths=0.7, label=label, zorder=2.2,
    )  # fmt: skip


def _draw_numbers(ax: Axes, points: FloatArray, values: FloatArray, groups: pd.DataFrame) -> None:
    """Draw the samples in the colours of a scale, a second column by markers; missing numbers are grey."""
    import matplotlib as mpl

    from countnest.plots.figure import GREY, INK, figure_of, legend_above

    there = values[np.isfinite(values)]
    limits = (float(there.min()), float(there.max())) if len(there) else (0.0, 1.0)
    several = groups.shape[1] == 2
    levels = factor_of(groups.iloc[:, 1]) if several else pd.Series("", index=groups.index, dtype="category")
    for marker, level in zip(_MARKERS, levels.cat.categories, strict=False):
        its = (levels == level).to_numpy(np.bool_)
        drawn = ax.scatter(
            points[its, 0], points[its, 1], s=_AREA, c=values[its], vmin=limits[0], vmax=limits[1], marker=marker,
            cmap=mpl.colormaps["viridis"].with_extremes(bad=GREY), edgecolors=INK, linewidths=0.4, zorder=2.2,
            plotnonfinite=True, label=str(level),
        )  # fmt: skip
    if several:
        legend_above(ax, columns=6)
        for handle in ax.get_legend().legend_handles:  # type: ignore[union-attr]
            handle.set(array=None, facecolor=GREY)  # type: ignore[union-attr]
    name = str(groups.columns[0])
    bar = figure_of(ax).colorbar(drawn, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(name if np.isfinite(values).all() else f"{name} (grey: missing)", color=INK)
    bar.ax.tick_params(color=INK, labelcolor=INK)
    bar.outline.set_visible(False)


def _draw_groups(ax: Axes, points: FloatArray, group: pd.Series, groups: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    from countnest.plots.figure import INK

    looks = _looks(group, groups)
    for level, (colour, marker) in looks.items():
        _scatter(ax, points[(group == level).to_numpy()], colour, marker, str(level))
    keys, apart = _keys(groups)
    size = _AREA**0.5
    legend = ax.legend(
        [Line2D([], [], linestyle="none", marker=marker, color=colour, markersize=size, markeredgecolor="white")
         for _, colour, marker in keys],
        [text for text, _, _ in keys],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=_legend_columns(len(keys)),
        title=None if apart else _JOIN.join(map(str, groups.columns)),
        alignment="left",
        frameon=False,
        fontsize="small",
        title_fontsize="small",
        handletextpad=0.3,
        labelcolor=INK,
    )  # fmt: skip
    for text, (_, _, marker) in zip(legend.get_texts(), keys, strict=True):
        text.set_fontweight("normal" if marker else "bold")


def _keys(groups: pd.DataFrame) -> tuple[list[tuple[str, str, str]], bool]:
    """Return text, colour and marker of each line of the legend, and whether colours and markers are explained apart.

    That is so for two columns of many combinations; the names of the columns are lines without a marker then.
    """
    from countnest.plots.figure import GREY, INK, PALETTE

    looks, factors = _looks(joined_levels(groups), groups), _own_looks(groups)
    if factors is None or len(looks) <= _COMBINED:
        return [(level, *look) for level, look in looks.items()], False
    colours = [(str(level), colour, "o") for level, colour in zip(factors[0], (*PALETTE, INK), strict=False)]
    markers = [(str(level), GREY, marker) for level, marker in zip(factors[1], _MARKERS, strict=False)]
    first, second = ((str(name), INK, "") for name in groups.columns)
    return [first, *colours, second, *markers], True


def _own_looks(groups: pd.DataFrame) -> tuple[pd.Index, pd.Index] | None:
    """Return the levels of two columns, when there are as many colours and markers; otherwise None."""
    from countnest.plots.figure import PALETTE

    if groups.shape[1] != 2:
        return None
    first, second = (factor_of(groups[name]).cat.categories for name in groups)
    return (first, second) if len(first) <= len(PALETTE) + 1 and len(second) <= len(_MARKERS) else None


def _looks(group: pd.Series, groups: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each group.

    Of two columns each has its own, when there are as many; otherwise the colours are used up before the next marker.
    """
    from countnest.plots.figure import INK, PALETTE

    colours = (*PALETTE, INK)
    levels = group.cat.categories
    places = [divmod(k, len(colours))[::-1] for k in range(len(levels))]
    if _own_looks(groups) is not None:
        first, second = (factor_of(groups[name]).cat.codes for name in groups)
        of_sample = dict(zip(group, zip(first, second, strict=True), strict=True))
        places = [of_sample[level] for level in levels]
    return {
        level: (colours[colour], _MARKERS[marker % len(_MARKERS)])
        for level, (colour, marker) in zip(levels, places, strict=True)
    }
