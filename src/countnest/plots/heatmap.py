"""The heat map of some genes: what each sample has more or less of them than the mean of all samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.gene_info import gene_by_name, symbols_of
from countnest.containers.results import Results
from countnest.containers.summary import decisive_column
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, counted, kind_of, listing
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

__all__ = ["plot_heatmap"]

# The colours reach the value that this part of all does not exceed.
_SHOWN: Final = 0.98
_MOST: Final = 5000  # genes whose clustering is a matter of seconds


@overload
def plot_heatmap(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    genes: int | Iterable[str] = ...,
    by: Results | None = ...,
    gene_info: pd.DataFrame | None = ...,
    scale: bool = ...,
    cluster_samples: bool = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_heatmap(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = ...,
    intgroup: str | Sequence[str] | None = ...,
    *,
    genes: int | Iterable[str] = ...,
    by: Results | None = ...,
    gene_info: pd.DataFrame | None = ...,
    scale: bool = ...,
    cluster_samples: bool = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_heatmap(
    transformed: Transformed | pd.DataFrame,
    samples: pd.DataFrame | None = None,
    intgroup: str | Sequence[str] | None = None,
    *,
    genes: int | Iterable[str] = 30,
    by: Results | None = None,
    gene_info: pd.DataFrame | None = None,
    scale: bool = False,
    cluster_samples: bool = True,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw some genes in all samples as a heat map: transformed counts, less the mean of each gene.

    Genes and samples are clustered by complete linkage of Euclidean distances. The few values beyond the scale of the
    colours, 2 % at most, have its last colours.

    R counterpart: pheatmap of the centred rows of assay(vsd), as in DESeq2's vignette

    Parameters
    ----------
    transformed
        Counts on a log2-like scale, genes x samples, as from `vst(dds, blind=False)`.
    samples
        The sample sheet, labelled like the samples: `dds.samples`. Needed for `intgroup`.
    intgroup
        The column, or columns, of the sample sheet that are shown in colours above the heat map; by default none.
    genes
        How many genes, or labels or symbols of genes. A number takes the first ones of `by.top()`; without `by`, those
        with the largest variance.
    by
        The table of results that chooses the genes.
    gene_info
        Annotation of the genes, such as `dds.gene_info`: genes are called by their symbols; by default that of `by`.
    scale
        Divide each gene by its standard deviation over the samples.
    cluster_samples
        Cluster the samples; False: they stay in their order.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure. Trees, bars and keys are beside them: a figure with
        `layout="constrained"` leaves space for them.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_heatmap(vst(dds), dds.samples, "group", by=res).savefig("genes.png")`. With `return_data`, the
        values, genes x samples, in the order of the figure. Its `.attrs["names"]` has what the genes are called.

    Raises
    ------
    OptionError
        There are fewer than two samples, no gene is left or there are more than 5,000; the values are not finite
        numbers; a gene is unknown; or the sample sheet has no such column.
    SamplesError
        The sample sheet lacks samples, or holds one twice.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=1000, m=6, seed=1, beta_sd=1), quiet=True)
    >>> values = cn.vst(dds, nsub=500, quiet=True)
    >>> cn.plot_heatmap(values, genes=["gene1", "gene2"], return_data=True).shape
    (2, 6)
    >>> cn.plot_heatmap(values, dds.samples, "condition", genes=20, by=dds.results()).savefig("genes.pdf")
    """
    check_flags(scale=scale, cluster_samples=cluster_samples, return_data=return_data)
    table = transformed_table(transformed, "heat maps are")
    columns = sheet_columns(samples, intgroup, table.columns)
    if table.shape[1] < 2:
        raise OptionError(f"a heat map compares samples; there is {counted(table.shape[1], 'sample')}.")
    if by is not None and not isinstance(by, Results):
        raise OptionError(f"by= chooses the genes; give the Results that results() returns, not {kind_of(by)}.")
    info = _annotation(table, by, gene_info)
    chosen = _chosen(table, genes, by, info)
    values = _centred(as_float(table.iloc[chosen]), scale=scale)
    row_tree = tree_of(distances_between(values))
    column_tree = tree_of(distances_between(as_float(values.T))) if cluster_samples else None
    names = _names(table.index[chosen], info)
    if return_data:
        columns_at = np.arange(table.shape[1]) if column_tree is None else column_tree.order
        data = pd.DataFrame(values, table.index[chosen], table.columns).iloc[row_tree.order, columns_at]
        data.attrs["names"] = [names[k] for k in row_tree.order]
        return data
    from countnest.plots.clustered import UP_AND_DOWN, HeatMap, draw_heat_map
    from countnest.plots.figure import figure_of

    limit = float(np.quantile(np.abs(values), _SHOWN)) or float(np.abs(values).max()) or 1.0
    heat = HeatMap(
        values=values, row_names=names, column_names=[str(label) for label in table.columns], row_tree=row_tree,
        column_tree=column_tree, bars=bars_of(columns), limits=(-limit, limit), colours=UP_AND_DOWN,
        label="standard deviations" if scale else "log2 - mean", title=_title(len(chosen), genes, by),
    )  # fmt: skip
    return figure_of(draw_heat_map(heat, ax))


def _title(n_genes: int, genes: object, by: Results | None) -> str:
    number = counted(n_genes, "gene")
    if isinstance(genes, Iterable):
        return number
    if by is None:
        return f"The {number} that vary most" if n_genes > 1 else "The gene that varies most"
    return f"First {number} of {by.info.label}"


def _names(labels: pd.Index, info: pd.DataFrame) -> list[str]:
    """Return what genes are called: by their symbols where they have one that no other of them has."""
    symbols = symbols_of(info)
    if symbols is None:
        return [str(label) for label in labels]
    shown = symbols.loc[labels]
    twice = (shown.duplicated(keep=False) | (shown == "")).to_numpy(np.bool_)
    return [
        f"{symbol} ({label})" if symbol and other else str(symbol or label)
        for label, symbol, other in zip(labels, shown, twice, strict=True)
    ]


def _annotation(table: pd.DataFrame, by: Results | None, gene_info: pd.DataFrame | None) -> pd.DataFrame:
    """Return the annotation of the genes, with the labels of genes in the index."""
    if gene_info is not None:
        if not isinstance(gene_info, pd.DataFrame):
            raise OptionError(f"gene_info must be a DataFrame such as dds.gene_info; got {kind_of(gene_info)}.")
        found = gene_info
    else:
        found = pd.DataFrame(index=table.index) if by is None else by.table[list(by.info.annotation)]
    return found[~found.index.duplicated()].reindex(table.index)


def _chosen(table: pd.DataFrame, genes: object, by: Results | None, info: pd.DataFrame) -> np.ndarray:
    """Return the positions of the genes that are drawn."""
    if isinstance(genes, Results):
        raise OptionError("genes= is a table of results; give by=res, and how many genes it chooses: genes=30.")
    if isinstance(genes, Iterable):
        given = [genes] if isinstance(genes, str) else list(genes)
        labels: list[object] = list(dict.fromkeys(gene_by_name(name, table.index, info) for name in given))
    else:
        number = checked_number("genes", genes)
        if by is None:
            return _at_most(most_variable(as_float(table), number))
        top = by.top(number)
        labels = list(top.index[top[decisive_column(by.table)].notna()])
    places = table.index.get_indexer(pd.Index(labels, dtype=object)) if labels else np.empty(0, dtype=np.int64)
    unknown = [label for label, place in zip(labels, places, strict=True) if place < 0]
    if unknown:
        raise OptionError(
            f"the transformed counts lack {counted(len(unknown), 'gene')} of the table: {listing(unknown)}. Take both "
            "from the same data set."
        )
    return _at_most(places)


def _at_most(places: np.ndarray) -> np.ndarray:
    if not 1 <= len(places) <= _MOST:
        raise OptionError(f"plot_heatmap draws 1 to {_MOST:,} genes; {len(places):,} were chosen.")
    return places


def _centred(values: FloatArray, *, scale: bool) -> FloatArray:
    """Return the values of each gene less their mean, divided by their standard deviation with `scale`."""
    centred = values - values.mean(axis=1, keepdims=True)
    if not scale:
        return as_float(centred)
    spread = centred.std(axis=1, ddof=1, keepdims=True)
    even = spread <= 1e-12 * np.abs(values).max(axis=1, keepdims=True)
    return as_float(np.where(even, 0.0, centred / np.where(even, 1.0, spread)))
