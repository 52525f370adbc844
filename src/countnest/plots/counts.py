"""The plot of the counts of one gene, sample by sample."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.containers.gene_info import called, gene_by_name
from countnest.design.design import Design
from countnest.design.levels.order import as_factor
from countnest.errors import OptionError, kind_of, listing, suggestion
from countnest.options import check_flags, names_given
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CountedStudy", "DesignedStudy", "grouping_columns", "plot_counts"]

# Added to counts before the logarithm, so that zeros have a place.
_OFFSET: Final = 0.5
# Samples of a group are spread over this width, in steps between groups, so that equal counts are seen.
_SPREAD: Final = 0.24


class DesignedStudy(Protocol):
    """The part of a data set that plots of one gene share."""

    @property
    def design(self) -> Design:
        """The design: its last variable is the usual one to group by, and it knows the blocks."""

    @property
    def samples(self) -> pd.DataFrame:
        """The sample sheet, factors as categoricals."""

    @property
    def gene_info(self) -> pd.DataFrame:
        """Annotation of the genes, such as symbols."""


class CountedStudy(DesignedStudy, Protocol):
    """The part of a data set that the plot of counts uses."""

    @property
    def size_factors(self) -> pd.Series[float] | None:
        """Size factors; None before they are estimated, and where there are normalization factors."""

    @property
    def normalization_factors(self) -> pd.DataFrame | None:
        """Normalization factors; None before they are estimated, and where there are size factors."""

    def estimate_size_factors(self) -> Self:
        """Estimate size factors, or normalization factors, and return the data set."""

    def counts(self, *, normalized: bool, replaced: bool) -> pd.DataFrame:
        """Return the counts, genes x samples."""


@overload
def plot_counts(
    dds: CountedStudy,
    gene: str,
    intgroup: str | Sequence[str] | None = ...,
    *,
    normalized: bool = ...,
    transform: bool = ...,
    replaced: bool = ...,
    pc: float | None = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_counts(
    dds: CountedStudy,
    gene: str,
    intgroup: str | Sequence[str] | None = ...,
    *,
    normalized: bool = ...,
    transform: bool = ...,
    replaced: bool = ...,
    pc: float | None = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_counts(
    dds: CountedStudy,
    gene: str,
    intgroup: str | Sequence[str] | None = None,
    *,
    normalized: bool = True,
    transform: bool = True,
    replaced: bool = False,
    pc: float | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the counts of one gene, a point for each sample, side by side for the groups of samples.

    R counterpart: DESeq2::plotCounts

    Parameters
    ----------
    dds
        The data set; it need not be fitted.
    gene
        The label of the gene, or a symbol that no other gene has.
    intgroup
        The column, or columns, of the sample sheet that make the groups; by default the last variable of the design.
        A single column of numbers is drawn as such.
    normalized
        Divide the counts by size or normalization factors; where there are none yet, they are estimated for the plot.
    transform
        Draw them on a logarithmic axis.
    replaced
        Take the counts after replacement of outliers.
    pc
        What is added to each count; by default 0.5 with `transform`, else 0.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_counts(dds, "gene1").savefig("gene1.png")`. With `return_data`, a table by sample with the
        column `count` and those of `intgroup`.

    Raises
    ------
    OptionError
        The data set has no such gene, or several of this symbol; the sample sheet has no such column, or the design no
        variable.
    """
    if not callable(getattr(dds, "counts", None)):
        raise OptionError(f"plot_counts needs a DESeqDataSet; got {kind_of(dds)}.")
    check_flags(normalized=normalized, transform=transform, replaced=replaced, return_data=return_data)
    columns, info = _columns(dds, intgroup), dds.gene_info
    gene = gene_by_name(gene, info.index, info)
    data = _data(dds, gene, columns, normalized=normalized, replaced=replaced)
    if pc is None:
        pc = _OFFSET if transform else 0.0
    data["count"] += pc
    if return_data:
        return data
    what = "normalized count" if normalized else "count"
    return _drawn(data, called(info, gene), what, pc, logarithmic=transform, ax=ax)


def _columns(dds: CountedStudy, intgroup: str | Sequence[str] | None) -> list[str]:
    """Return the names of the columns that make the groups."""
    sheet = dds.samples
    if intgroup is None:
        if not dds.design.variables:
            raise OptionError(
                "the design has no variable to group the samples by; give intgroup=, one of the columns "
                f"{listing(sheet.columns, 20)}."
            )
        return [dds.design.variables[-1]]
    names = grouping_columns(intgroup, sheet)
    if not names:
        raise OptionError(f"intgroup is empty; give one of the columns {listing(sheet.columns, 20)}.")
    return names


def grouping_columns(intgroup: str | Sequence[str], sheet: pd.DataFrame) -> list[str]:
    """Return the columns of a sample sheet named by `intgroup`; an unknown one is an `OptionError`."""
    names = names_given("intgroup", intgroup)
    for name in names:
        if name not in sheet:
            raise OptionError(f"intgroup: the sample sheet has no column '{name}'.{suggestion(name, sheet.columns)}")
    return names


def _data(dds: CountedStudy, gene: str, columns: list[str], *, normalized: bool, replaced: bool) -> pd.DataFrame:
    if normalized and dds.size_factors is None and dds.normalization_factors is None:
        dds = copy.copy(dds).estimate_size_factors()
    counts = dds.counts(normalized=normalized, replaced=replaced)
    data = dds.samples[columns].copy()
    data.insert(0, "count", np.array(counts.loc[gene], dtype=np.float64))
    return data


def _drawn(data: pd.DataFrame, title: str, what: str, pc: float, *, logarithmic: bool, ax: Axes | None) -> Figure:
    from countnest.plots.figure import BLUE, INK, caption, figure_of, frame, new_axes, points

    columns = [str(name) for name in data.columns[1:]]
    places, levels = _places(data[data.columns[1:]])
    ax = new_axes(width=_width(levels)) if ax is None else ax
    points(ax, places, data["count"].to_numpy(dtype=np.float64), colour=BLUE, size=26.0, alpha=0.8, zorder=2.2)
    if logarithmic:
        _logarithmic(ax)
    if levels:
        ax.set_xticks(range(len(levels)), levels)
        ax.set_xlim(-0.6, len(levels) - 0.4)
    ax.set_xlabel(", ".join(columns), color=INK)
    ax.set_ylabel(f"{what} + {pc:g}" if pc else what, color=INK)
    frame(ax, "y")
    caption(ax, title, pad=8.0)
    return figure_of(ax)


def _width(levels: list[str]) -> float:
    """Return a width in inches at which the labels of the groups do not overlap."""
    longest = max((len(line) for level in levels for line in level.split("\n")), default=0)
    return min(max(4.2, len(levels) * max(0.7, 0.1 * longest + 0.2) + 1.0), 20.0)


def _logarithmic(ax: Axes) -> None:
    """Make the axis of the counts logarithmic, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _places(groups: pd.DataFrame) -> tuple[FloatArray, list[str]]:
    """Return the positions of the samples on the x axis, and the labels of the groups; none for numbers."""
    if groups.shape[1] == 1 and pd.api.types.is_numeric_dtype(groups.iloc[:, 0].dtype):
        return groups.iloc[:, 0].to_numpy(dtype=np.float64), []
    factors = [as_factor(groups[name]) for name in groups]
    codes = np.column_stack([factor.cat.codes for factor in factors]).astype(np.int64)
    cells, places = np.unique(codes, axis=0, return_inverse=True)
    names = [
        "\n".join(str(factor.cat.categories[k]) for factor, k in zip(factors, cell, strict=True)) for cell in cells
    ]
    return places.reshape(-1) + _spread(places.reshape(-1)), names


def _spread(places: np.ndarray) -> FloatArray:
    """Return offsets that set the samples of a group side by side, in their order."""
    order = pd.Series(places).groupby(places).cumcount().to_numpy(dtype=np.float64)
    size = np.bincount(places)[places]
    return np.where(size > 1, _SPREAD * (order / np.maximum(size - 1, 1) - 0.5), 0.0)
