"""The plot of principal components of the samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, counted
from countnest.options import check_flags
from countnest.plots.sheet import factor_of, is_number, sheet_columns
from countnest.plots.transformed import checked_number, transformed_table
from countnest.signature import checked_arguments
from countnest.stats.transform.principal import most_variable, principal_components

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_pca"]

_MARKERS: Final = "osD^vPX<>*"
# Between the factors of a group, as in R.
_JOIN: Final = ":"
# Rows of the legend in one column.
_LEGEND_ROWS: Final = 16


@overload
def plot_pca(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    ntop: int = ...,
    pcs: Sequence[int] = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_pca(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    ntop: int = ...,
    pcs: Sequence[int] = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_pca(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = None,
    intgroup: str | Sequence[str] | None = None,
    *,
    ntop: int = 500,
    pcs: Sequence[int] = (1, 2),
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the samples along principal components of the genes that vary most.

    Genes are centred and not scaled; the percentages are of the variance of these genes. Both axes have the same scale,
    so that distances in the figure are distances between samples. The sign of a component is arbitrary; here its
    largest loading in absolute value is positive, so that the figure can be reproduced. In R the sign is not fixed.

    R counterpart: DESeq2::plotPCA

    Parameters
    ----------
    transformed
        Counts on a log2-like scale, genes x samples, as from `vst(dds)` or `rlog(dds)`.
    samples
        The sample sheet, labelled like the samples: `dds.samples`. Needed for `intgroup`.
    intgroup
        The column, or columns, of the sample sheet that make the groups; by default there are none. Levels of several
        columns are joined by ":"; of two columns the first gives the colour and the second the marker. A single column
        of numbers is drawn on a continuous scale.
    ntop
        How many genes to take, those with the largest variance; all, if there are fewer.
    pcs
        The numbers of the components on the x and y axis, from 1. With `return_data` they may be fewer or more.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure. The legend is beside them: a figure with
        `layout="constrained"` leaves space for it.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_pca(vst(dds), dds.samples, "group").savefig("pca.png")`. With `return_data`, a table by sample
        with the components PC1, PC2, the column `group` and those of `intgroup` (".1" is added to a name that is taken
        already). Its `.attrs["percent_var"]` holds the share of variance of each component, from 0 to 1 as in R.

    Raises
    ------
    OptionError
        The values are not finite numbers or do not vary, there is no such component, or the sample sheet has no such
        column.
    SamplesError
        The sample sheet lacks samples, or holds one twice.

    References
    ----------
    Hotelling (1933), Journal of Educational Psychology 24:417, doi:10.1037/h0071325.
    """
    check_flags(return_data=return_data)
    table = transformed_table(transformed, "principal components are")
    groups = sheet_columns(samples, intgroup, table.columns)
    chosen = _components(pcs, any_number=return_data)
    data, n_genes = _data(table, groups, ntop, chosen)
    if return_data:
        return data
    return _drawn(data, groups, [f"PC{k}" for k in chosen], n_genes, ax)


def _components(pcs: Sequence[int], *, any_number: bool) -> list[int]:
    """Return the numbers of the components."""
    chosen = list(pcs) if isinstance(pcs, Iterable) else []
    whole = all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1 for k in chosen)
    if not chosen or not whole or len(set(chosen)) < len(chosen):
        raise OptionError(f"pcs={pcs!r} must be different whole numbers of 1 or more, such as (1, 2).")
    if len(chosen) != 2 and not any_number:
        raise OptionError(f"pcs={pcs!r}: the figure has two axes; give two components, such as (1, 2).")
    return [int(k) for k in chosen]


def _data(table: pd.DataFrame, groups: pd.DataFrame, ntop: int, chosen: list[int]) -> tuple[pd.DataFrame, int]:
    """Return components and groups by sample, and the number of genes that were used."""
    ntop, values = checked_number("ntop", ntop), as_float(table)
    n_genes, n = values.shape
    available = min(int(ntop), n_genes, n - 1)
    if max(chosen) > available:
        origin = f"{counted(n, 'sample')} and {counted(min(int(ntop), n_genes), 'gene')}"
        raise OptionError(f"pcs: there is no component {max(chosen)}; {origin} have {max(available, 0)}.")
    top = values[most_variable(values, int(ntop))]
    found = principal_components(top)
    places = [k - 1 for k in chosen]
    data = pd.DataFrame(found.scores[:, places], index=table.columns, columns=[f"PC{k}" for k in chosen])
    if groups.shape[1]:
        data["group"] = _joined(groups)
    for name in groups:
        data[f"{name}.1" if name in data else name] = groups[name]
    data.attrs["percent_var"] = tuple(float(share) for share in found.share[places])
    return data, len(top)


def _joined(groups: pd.DataFrame) -> pd.Series:
    """Return the group of each sample: numbers unchanged, otherwise levels joined, in the order of levels."""
    if groups.shape[1] == 1 and is_number(groups.iloc[:, 0]):
        return groups.iloc[:, 0]
    factors = [factor_of(groups[name]) for name in groups]
    codes = np.column_stack([factor.cat.codes for factor in factors])
    labels = np.array([_JOIN.join(levels) for levels in zip(*factors, strict=True)], dtype=object)
    order = np.lexsort(codes.T[::-1])
    return pd.Series(pd.Categorical(labels, categories=list(dict.fromkeys(labels[order]))), index=groups.index)


def _drawn(data: pd.DataFrame, groups: pd.DataFrame, names: list[str], n_genes: int, ax: Axes | None) -> Figure:
    from countnest.plots.figure import BLUE, INK, caption, figure_of, frame, new_axes

    scores = data[names].to_numpy(dtype=np.float64)
    own = ax is None
    ax = new_axes(*_size(scores, _legend_width(data, groups))) if ax is None else ax
    if not groups.shape[1]:
        _scatter(ax, scores, BLUE, "o")
    elif is_number(data["group"]):
        _draw_numbers(ax, scores, data["group"].to_numpy(dtype=np.float64, na_value=np.nan), str(groups.columns[0]))
    else:
        _draw_groups(ax, scores, data["group"], groups)
    # in a figure of its own the limits give way; a box of the caller's keeps them, because it may share its axes
    ax.set_aspect("equal", adjustable="datalim" if own else "box")
    ax.margins(0.07)
    ax.locator_params(nbins=7, steps=[1, 2, 5, 10])
    shares = data.attrs["percent_var"]
    ax.set_xlabel(f"{names[0]}: {round(100 * shares[0])}% variance", color=INK)
    ax.set_ylabel(f"{names[1]}: {round(100 * shares[1])}% variance", color=INK)
    frame(ax)
    caption(ax, f"Principal components of {n_genes:,} genes", pad=8.0)
    return figure_of(ax)


def _size(scores: FloatArray, legend: float) -> tuple[float, float]:
    """Return width and height in inches that suit the spread of the samples along both axes, beside a legend."""
    across, along = np.ptp(scores, axis=0)
    ratio = along / across if across > 0 else 1.0
    return 5.6 + max(legend, 1.2), float(np.clip(5.0 * ratio + 0.9, 3.4, 6.4))


def _legend_width(data: pd.DataFrame, groups: pd.DataFrame) -> float:
    """Return about how many inches wide the legend is."""
    if not groups.shape[1] or is_number(data["group"]):
        return 0.0
    levels = data["group"].cat.categories
    return _legend_columns(len(levels)) * (0.4 + 0.075 * max(map(len, levels)))


def _legend_columns(n_groups: int) -> int:
    return -(-n_groups // _LEGEND_ROWS)


def _scatter(ax: Axes, scores: FloatArray, colour: str, marker: str, label: str | None = None) -> None:
    """Draw the samples of a group; thin white borders separate points that overlap."""
    ax.scatter(
        scores[:, 0], scores[:, 1], s=46.0, color=colour, marker=marker, alpha=0.85, edgecolors="white", linewidths=0.7,
        label=label, zorder=2.2,
    )  # fmt: skip


def _draw_numbers(ax: Axes, scores: FloatArray, values: FloatArray, name: str) -> None:
    """Draw the samples in the colours of a scale; those with a missing number are grey."""
    import matplotlib as mpl

    from countnest.plots.figure import GREY, INK, figure_of

    drawn = ax.scatter(
        scores[:, 0], scores[:, 1], s=46.0, c=values, cmap=mpl.colormaps["viridis"].with_extremes(bad=GREY),
        edgecolors=INK, linewidths=0.4, zorder=2.2, plotnonfinite=True,
    )  # fmt: skip
    bar = figure_of(ax).colorbar(drawn, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(name if np.isfinite(values).all() else f"{name} (grey: missing)", color=INK)
    bar.ax.tick_params(color=INK, labelcolor=INK)
    bar.outline.set_visible(False)


def _draw_groups(ax: Axes, scores: FloatArray, group: pd.Series, groups: pd.DataFrame) -> None:
    from countnest.plots.figure import INK

    looks = _looks(group, groups)
    for level, (colour, marker) in looks.items():
        _scatter(ax, scores[(group == level).to_numpy()], colour, marker, str(level))
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=_legend_columns(len(looks)),
        title=_JOIN.join(map(str, groups.columns)),
        alignment="left",
        frameon=False,
        fontsize="small",
        title_fontsize="small",
        handletextpad=0.3,
        labelcolor=INK,
    )


def _looks(group: pd.Series, groups: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each group.

    Of two columns each has its own, when there are as many; otherwise the colours are used up before the next marker.
    """
    from countnest.plots.figure import INK, PALETTE

    colours = (*PALETTE, INK)
    levels = group.cat.categories
    places = [divmod(k, len(colours))[::-1] for k in range(len(levels))]
    if groups.shape[1] == 2:
        first, second = (factor_of(groups[name]).cat for name in groups)
        if len(first.categories) <= len(colours) and len(second.categories) <= len(_MARKERS):
            of_sample = dict(zip(group, zip(first.codes, second.codes, strict=True), strict=True))
            places = [of_sample[level] for level in levels]
    return {
        level: (colours[colour], _MARKERS[marker % len(_MARKERS)])
        for level, (colour, marker) in zip(levels, places, strict=True)
    }
