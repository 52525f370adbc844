"""Size factors of the samples against their library sizes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError, kind_of
from countnest.options import check_flags
from countnest.plots.counts import CountedStudy
from countnest.plots.samples import draw_samples, has_legend_above, legend_width, write_samples
from countnest.plots.sheet import named_samples, sheet_columns
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_size_factors"]

# A sample is named whose size factor is so many times what its library size says, or less than one over it.
_APART: Final = 1.25
# Beyond this ratio of the largest to the smallest, axes are logarithmic.
_WIDE: Final = 20.0
_MILLION: Final = 1e6


@overload
def plot_size_factors(
    dds: CountedStudy,
    intgroup: str | Sequence[str] | None = ...,
    *,
    label: bool | Iterable[str] | None = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_size_factors(
    dds: CountedStudy,
    intgroup: str | Sequence[str] | None = ...,
    *,
    label: bool | Iterable[str] | None = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_size_factors(
    dds: CountedStudy,
    intgroup: str | Sequence[str] | None = None,
    *,
    label: bool | Iterable[str] | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the size factor of every sample against its library size, the sum of its counts.

    Samples lie along the line, where size factors are proportional to library sizes, unless the composition of their
    RNA differs: a sample below the line has some genes with very many counts, which leave fewer for the others. Where
    the samples of one group do, the comparison of the groups rests on the normalization.

    Parameters
    ----------
    dds
        The data set; size factors are estimated for the plot where it has none. Of normalization factors, the median
        over the genes is drawn.
    intgroup
        The column, or columns, of the sample sheet that give colours and markers, as in `plot_pca`; by default none.
    label
        Write the names of all samples (True), of none (False) or of those given; None: of those whose size factor is
        more than 1.25 times what the library size says, or less than one over it.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_size_factors(dds, "group").savefig("size_factors.png")`. With `return_data`, a table by sample
        with librarySize, sizeFactor and ratio (of the size factor to the one on the line), and the columns of
        `intgroup`.

    Raises
    ------
    OptionError
        `dds` is no data set, the sample sheet has no such column, or there is no such sample.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.make_example_dataset(n=200, m=6, seed=1)
    >>> cn.plot_size_factors(dds, return_data=True).columns.tolist()
    ['librarySize', 'sizeFactor', 'ratio']
    >>> cn.plot_size_factors(dds, "condition").savefig("size_factors.pdf")
    """
    if not callable(getattr(dds, "counts", None)):
        raise OptionError(f"plot_size_factors needs a DESeqDataSet; got {kind_of(dds)}.")
    check_flags(return_data=return_data)
    sheet = dds.samples
    groups = sheet_columns(sheet, intgroup, sheet.index)
    if dds.size_factors is None and dds.normalization_factors is None:
        dds = copy.copy(dds).estimate_size_factors()
    data = _data(dds)
    apart = np.abs(np.log(data["ratio"].to_numpy(np.float64))) > np.log(_APART)
    named = apart if label is None else named_samples(label, data.index)
    if return_data:
        return pd.concat([data, groups.drop(columns=[name for name in groups if name in data])], axis=1)
    from countnest.plots.figure import INK, caption, figure_of, frame, new_axes

    points = as_float(data[["librarySize", "sizeFactor"]]) / (_MILLION, 1.0)
    ax = new_axes(5.4 + legend_width(groups), 4.6) if ax is None else ax
    draw_samples(ax, as_float(points), groups)
    _draw_line(ax, as_float(points), float(data["sizeFactor"].iloc[0] / data["ratio"].iloc[0] / points[0, 0]))
    ax.set_xlabel("library size, million counts", color=INK)
    by_gene = dds.size_factors is None
    ax.set_ylabel("median normalization factor" if by_gene else "size factor", color=INK)
    frame(ax)
    caption(ax, "Size factors and library sizes", pad=24.0 if has_legend_above(groups) else 8.0)
    write_samples(ax, data.index, as_float(points), named)
    return figure_of(ax)


def _data(dds: CountedStudy) -> pd.DataFrame:
    """Return library sizes, size factors and their ratio to the line, by sample."""
    counts, factors = dds.counts(normalized=False, replaced=False), dds.normalization_factors
    library = counts.to_numpy(np.float64).sum(axis=0)
    if factors is not None:
        factor = np.median(factors.to_numpy(np.float64), axis=0)
    else:
        assert dds.size_factors is not None
        factor = dds.size_factors.to_numpy(np.float64)
    per_count = factor / library
    ratio = per_count / np.median(per_count)
    return pd.DataFrame({"librarySize": library, "sizeFactor": factor, "ratio": ratio}, index=counts.columns)


def _draw_line(ax: Axes, points: FloatArray, slope: float) -> None:
    """Draw the line of proportional size factors, and set the limits."""
    from countnest.plots.figure import INK

    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    ends = np.array([left, right])
    low, high = min(low, slope * left), max(high, slope * right)
    if max(right / left, high / low) > _WIDE:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ends = ends * (1 / 1.5, 1.5)
        ax.set(xlim=tuple(ends), ylim=(low / 1.5, 1.5 * high))
    else:
        ends = np.array([0.0, 1.1 * right])
        ax.set(xlim=tuple(ends), ylim=(0.0, 1.1 * high))
    ax.plot(ends, slope * ends, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1.5)
