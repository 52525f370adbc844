"""The plot of the counts of one gene, sample by sample."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self, overload

import numpy as np
import pandas as pd

from countnest.arrays import as_float
from countnest.containers.gene_info import called, gene_by_name
from countnest.design.design import Design
from countnest.errors import OptionError, kind_of, listing, suggestion
from countnest.options import check_flags, check_option, names_given
from countnest.plots.count_points import CountKind, DrawnCounts, draw_counts
from countnest.remedies import advised
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CountedStudy", "DesignedStudy", "grouping_columns", "plot_counts"]

# Added to counts before the logarithm, so that zeros have a place.
_OFFSET: Final = 0.5


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
    kind: CountKind = ...,
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
    kind: CountKind = ...,
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
    kind: CountKind = "points",
    normalized: bool = True,
    transform: bool = True,
    replaced: bool = False,
    pc: float | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the counts of one gene, a point for each sample, side by side for the groups of samples.

    Groups differ by colour, those of several columns by the first of them. Samples without a count are open circles,
    and the legend counts them. Long names of groups are slanted.

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
    kind
        "points": the samples of a group in their order; "swarm": as near to the middle as they can stand without hiding
        each other; "box": the same over a box from quartile to quartile, with the median, and whiskers to the last
        sample within 1.5 times its height. Groups of less than four samples have no box.
    normalized
        Divide the counts by size or normalization factors; where there are none yet, they are estimated for the plot.
    transform
        Draw them on a logarithmic axis. With ``pc=0`` zeros stand below a dashed line.
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
        variable; or `kind` is not known.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.make_example_dataset(n=200, m=12, seed=1)
    >>> cn.plot_counts(dds, "gene1", return_data=True).columns.tolist()
    ['count', 'condition']
    >>> cn.plot_counts(dds, "gene1", kind="box").savefig("gene1.pdf")
    """
    if not callable(getattr(dds, "counts", None)):
        raise OptionError(f"plot_counts needs a DESeqDataSet; got {kind_of(dds)}.")
    check_option("kind", kind, CountKind)
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
    count, groups = as_float(data["count"].to_numpy(np.float64)), data[data.columns[1:]]
    return draw_counts(DrawnCounts(count, groups, pc, what, called(info, gene), transform), kind, ax)


def _columns(dds: CountedStudy, intgroup: str | Sequence[str] | None) -> list[str]:
    """Return the names of the columns that make the groups."""
    sheet = dds.samples
    if intgroup is None:
        if not dds.design.variables:
            raise OptionError(
                f"the design has no variable to group the samples by; give {advised('intgroup=', '--by')}, one of the "
                f"columns {listing(sheet.columns, 20)}."
            )
        return [dds.design.variables[-1]]
    names = grouping_columns(intgroup, sheet)
    if not names:
        raise OptionError(
            f"{advised('intgroup', '--by')} is empty; give one of the columns {listing(sheet.columns, 20)}."
        )
    return names


def grouping_columns(intgroup: str | Sequence[str], sheet: pd.DataFrame) -> list[str]:
    """Return the columns of a sample sheet named by `intgroup`; an unknown one is an `OptionError`."""
    names = names_given("intgroup", intgroup)
    for name in names:
        if name not in sheet:
            raise OptionError(
                f"{advised('intgroup', '--by')}: the sample sheet has no column '{name}'."
                f"{suggestion(name, sheet.columns)}"
            )
    return names


def _data(dds: CountedStudy, gene: str, columns: list[str], *, normalized: bool, replaced: bool) -> pd.DataFrame:
    if normalized and dds.size_factors is None and dds.normalization_factors is None:
        dds = copy.copy(dds).estimate_size_factors()
    counts = dds.counts(normalized=normalized, replaced=replaced)
    data = dds.samples[columns].copy()
    data.insert(0, "count", np.array(counts.loc[gene], dtype=np.float64))
    return data
