"""The plot of principal components of the samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, counted
from countnest.options import check_flags
from countnest.plots.samples import draw_samples, has_legend_above, joined_levels, legend_width, write_samples
from countnest.plots.sheet import named_samples, sheet_columns
from countnest.plots.transformed import checked_number, transformed_table
from countnest.signature import checked_arguments
from countnest.stats.transform.principal import most_variable, principal_components

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_pca"]

# Inches that names of samples need, where there are several.
_NAMED_HEIGHT: Final = 4.8


@overload
def plot_pca(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    ntop: int = ...,
    pcs: Sequence[int] = ...,
    label: bool | Iterable[str] = ...,
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
    label: bool | Iterable[str] = ...,
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
    label: bool | Iterable[str] = False,
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
        of numbers is drawn on a continuous scale, and so is the first of two where it has more numbers than there are
        colours.
    ntop
        How many genes to take, those with the largest variance; all, if there are fewer.
    pcs
        The numbers of the components on the x and y axis, from 1. With `return_data` they may be fewer or more.
    label
        Write the names of all samples beside them, or of those given; names do not overlap.
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
        The values are not finite numbers or do not vary, there is no such component or sample, or the sample sheet has
        no such column.
    SamplesError
        The sample sheet lacks samples, or holds one twice.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.make_example_dataset(n=1000, m=6, seed=1)
    >>> values = cn.vst(dds, nsub=500, quiet=True)
    >>> cn.plot_pca(values, dds.samples, "condition", return_data=True).columns.tolist()
    ['PC1', 'PC2', 'group', 'condition']
    >>> cn.plot_pca(values, dds.samples, "condition", pcs=(2, 3), label=True).savefig("pca.pdf")

    References
    ----------
    Hotelling (1933), Journal of Educational Psychology 24:417, doi:10.1037/h0071325.
    """
    check_flags(return_data=return_data)
    table = transformed_table(transformed, "principal components are")
    groups = sheet_columns(samples, intgroup, table.columns)
    chosen = _components(pcs, any_number=return_data)
    named = named_samples(label, table.columns)
    data, n_genes = _data(table, groups, ntop, chosen)
    if return_data:
        return data
    return _drawn(data, groups, [f"PC{k}" for k in chosen], named, n_genes, ax)


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
        data["group"] = joined_levels(groups)
    for name in groups:
        data[f"{name}.1" if name in data else name] = groups[name]
    data.attrs["percent_var"] = tuple(float(share) for share in found.share[places])
    return data, len(top)


def _drawn(
    data: pd.DataFrame, groups: pd.DataFrame, names: list[str], named: BoolArray, n_genes: int, ax: Axes | None
) -> Figure:
    from countnest.plots.figure import INK, caption, figure_of, frame, new_axes

    scores = data[names].to_numpy(dtype=np.float64)
    own = ax is None
    width, height = _size(scores, legend_width(groups))
    ax = new_axes(width, max(height, _NAMED_HEIGHT if named.sum() > 1 else 0.0)) if ax is None else ax
    draw_samples(ax, scores, groups)
    # in a figure of its own the limits give way; a box of the caller's keeps them, because it may share its axes
    ax.set_aspect("equal", adjustable="datalim" if own else "box")
    ax.margins(0.12 if named.any() else 0.07)
    ax.locator_params(nbins=7, steps=[1, 2, 5, 10])
    shares = data.attrs["percent_var"]
    ax.set_xlabel(f"{names[0]}: {round(100 * shares[0])}% variance", color=INK)
    ax.set_ylabel(f"{names[1]}: {round(100 * shares[1])}% variance", color=INK)
    frame(ax)
    caption(ax, f"Principal components of {n_genes:,} genes", pad=24.0 if has_legend_above(groups) else 8.0)
    write_samples(ax, data.index, scores, named)
    return figure_of(ax)


def _size(scores: FloatArray, legend: float) -> tuple[float, float]:
    """Return width and height in inches that suit the spread of the samples along both axes, beside a legend."""
    across, along = np.ptp(scores, axis=0)
    ratio = along / across if across > 0 else 1.0
    return 5.6 + max(legend, 1.2), float(np.clip(5.0 * ratio + 0.9, 3.4, 6.4))
