"""The interaction plot: one gene, sample by sample and as means of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

import pandas as pd

from countnest.containers.gene_info import called, gene_by_name
from countnest.errors import OptionError, kind_of
from countnest.options import check_flags, names_given
from countnest.plots.cells import Axes as Factors
from countnest.plots.cells import FittedStudy, axes_of_design, axes_of_query, study_cells
from countnest.plots.gene import gene_of, table_of
from countnest.queries.query import Query
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_interaction"]


@overload
def plot_interaction(
    dds: FittedStudy,
    gene: str,
    x: str | None = ...,
    by: str | Sequence[str] | None = ...,
    block: str | Sequence[str] | None = ...,
    *,
    query: Query | None = ...,
    fit: str | None = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_interaction(
    dds: FittedStudy,
    gene: str,
    x: str | None = ...,
    by: str | Sequence[str] | None = ...,
    block: str | Sequence[str] | None = ...,
    *,
    query: Query | None = ...,
    fit: str | None = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_interaction(
    dds: FittedStudy,
    gene: str,
    x: str | None = None,
    by: str | Sequence[str] | None = None,
    block: str | Sequence[str] | None = None,
    *,
    query: Query | None = None,
    fit: str | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the counts of one gene by the cells of a query, or over one factor, side by side for the levels of others.

    A point is the normalized count of a sample; a thin line connects the samples of a block, such as a family. Thick
    points are the means of the fitted model with their 95 % intervals; the slopes of the thick lines are the effects of
    `x`, and an interaction is a difference of slopes. The intervals are about the mean of these particular blocks: they
    hold the scatter within blocks, not between them. Those of mixed models are about the mean of all blocks. Means are
    averaged over the factors that are not drawn, with equal weights.

    Parameters
    ----------
    dds
        The fitted data set.
    gene
        The label of the gene, or a symbol that no other gene has.
    x
        The factor on the x axis. None: the design has one or two factors, or one interaction of two, besides its
        blocks and groups; on the axis is the one that varies within them, otherwise the last, and `by` is the other.
    by
        The factor whose levels stand side by side, or several, whose combinations do; None, with `x`: all samples
        together.
    block
        The column, or columns, of the sample sheet that tell the blocks; by default the blocks of the design, or the
        groups of its first random term.
    query
        Draw the cells that a query compares, in place of `x` and `by`: ``dds.effect("dex", by="cell")``. On the axis is
        the factor that it compares; samples in other cells are left out.
    fit
        The name of the fit whose means are drawn, of normalized counts or their logarithms: "glmm", or "lmm" of
        ``values="log2"``; None: the fit by DESeq2's method.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_interaction(dds, "g00042").savefig("g00042.png")`. With `return_data`, a table by sample with
        the columns count (normalized), the factors, block where there are blocks, and of the cell of the sample mean,
        low and high, the mean of the model and the ends of its interval, as counts. They are missing where the model
        has none; cells without a count have a mean of 0 and no interval.

    Raises
    ------
    OptionError
        The data set has no such gene, or several of this symbol; the sample sheet has no such column; the design
        has more factors than can be drawn, or none, and no `x` was given; or `query` names no cells of factors.
    ContrastError
        `x` or `by` is not a factor of the design.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference, quiet=True)
    >>> query = cn.DESeq(dds, quiet=True).effect("treat2", by="treat1")
    >>> cn.plot_interaction(dds, "g00042", query=query["B"], return_data=True)["treat1"].unique().tolist()
    ['B']
    >>> cn.plot_interaction(dds, "g00042", query=query).savefig("g00042.pdf")
    """
    if not callable(getattr(dds, "means", None)):
        raise OptionError(f"plot_interaction needs a fitted DESeqDataSet; got {kind_of(dds)}.")
    check_flags(return_data=return_data)
    gene = gene_by_name(gene, dds.gene_info.index, dds.gene_info)
    drawn = gene_of(study_cells(dds, _factors(dds, x, by, query), block, fit), gene, called(dds.gene_info, gene))
    if return_data:
        return table_of(dds, drawn, gene)
    from countnest.plots.panels import draw_gene

    return draw_gene(drawn, ax)


def _factors(dds: FittedStudy, x: str | None, by: str | Sequence[str] | None, query: Query | None) -> Factors:
    """Return the factors that make the cells, from a query or from their names."""
    if query is not None:
        if x is not None or by is not None:
            raise OptionError("query= and x= or by= were given: a query names its cells; leave out the others.")
        return axes_of_query(dds.design, query)
    names = () if by is None else tuple(names_given("by", by))
    if x is not None:
        return Factors(x, names)
    if len(names) > 1:
        raise OptionError(f"by={by!r} has several factors: give x= as well.")
    return axes_of_design(dds.design, names[0] if names else None)
