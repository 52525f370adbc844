"""The distances between samples, as a clustered heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import as_float
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, counted
from countnest.options import check_flags
from countnest.plots.annotation import bars_of
from countnest.plots.sheet import sheet_columns
from countnest.plots.transformed import checked_number, transformed_table
from countnest.plots.trees import distances_between, tree_of
from countnest.signature import checked_arguments
from countnest.stats.transform.principal import most_variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_distances"]

# The scale starts at this part of the largest distance, or below: nearly equal distances have similar colours.
_NEAREST: Final = 0.9


@overload
def plot_distances(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    ntop: int | None = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_distances(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    ntop: int | None = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_distances(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = None,
    intgroup: str | Sequence[str] | None = None,
    *,
    ntop: int | None = None,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw how far the samples are from each other, as a heat map whose samples are clustered.

    Distances are Euclidean, over the transformed counts of all genes; dark pairs are alike. Samples are clustered by
    complete linkage. The scale of the colours starts at the smallest distance between two samples, and not at zero.

    R counterpart: pheatmap of stats::dist(t(assay(vsd))), as in DESeq2's vignette

    Parameters
    ----------
    transformed
        Counts on a log2-like scale, genes x samples, as from `vst(dds)` or `rlog(dds)`.
    samples
        The sample sheet, labelled like the samples: `dds.samples`. Needed for `intgroup`.
    intgroup
        The column, or columns, of the sample sheet that are shown in colours above the heat map; by default none.
    ntop
        Take so many genes, those with the largest variance; None: all.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure. Trees, bars and keys are beside them: a figure with
        `layout="constrained"` leaves space for them.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_distances(vst(dds), dds.samples, "group").savefig("distances.png")`. With `return_data`, the
        distances, samples x samples, in the order of the figure.

    Raises
    ------
    OptionError
        There are fewer than two samples or no genes, the values are not finite numbers, or the sample sheet has no such
        column.
    SamplesError
        The sample sheet lacks samples, or holds one twice.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.make_example_dataset(n=1000, m=6, seed=1)
    >>> values = cn.vst(dds, nsub=500, quiet=True)
    >>> cn.plot_distances(values, return_data=True).shape
    (6, 6)
    >>> cn.plot_distances(values, dds.samples, "condition").savefig("distances.pdf")

    References
    ----------
    Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
    """
    check_flags(return_data=return_data)
    table = transformed_table(transformed, "distances between samples are")
    columns = sheet_columns(samples, intgroup, table.columns)
    values = as_float(table)
    n_genes, n = values.shape
    if n < 2 or not n_genes:
        raise OptionError(
            f"distances need two or more samples and a gene; there are {counted(n, 'sample')} and "
            f"{counted(n_genes, 'gene')}."
        )
    if ntop is not None:
        values = values[most_variable(values, checked_number("ntop", ntop))]
    distances = distances_between(as_float(values.T))
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = distances
    square += square.T
    tree = tree_of(distances)
    if return_data:
        labels = table.columns[tree.order]
        return pd.DataFrame(square[tree.order][:, tree.order], index=labels, columns=labels)
    from countnest.plots.clustered import NEAR, HeatMap, draw_heat_map
    from countnest.plots.figure import figure_of

    largest = float(distances.max())
    smallest = min(float(distances.min()), _NEAREST * largest) if n > 2 else 0.0
    heat = HeatMap(
        values=square, row_names=[str(label) for label in table.columns], column_names=None, row_tree=tree,
        column_tree=tree, bars=bars_of(columns), limits=(smallest, largest or 1.0), colours=NEAR, label="distance",
        title=f"Distances between samples, {len(values):,} gene{'s' * (len(values) > 1)}",
    )  # fmt: skip
    return figure_of(draw_heat_map(heat, ax))
