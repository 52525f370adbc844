"""The volcano plot: how small the p-value of every gene is, against the size of its change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.results import Results, decisive
from countnest.errors import OptionError
from countnest.options import check_flags
from countnest.plots.groups import calls_of, chosen_genes, draw_group, groups_of, limits_given, names_of, one_comparison
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_volcano", "volcano_limits"]

_SMALLEST: Final = 5e-324  # of numbers in double precision; p-values of 0 are drawn there
# The limits go up to the largest value, unless a few genes would press the others together: at most so many times the
# tenth largest.
_RANK: Final = 10
_TIMES: Final = 2.0
# Without a gene that changed, this part of all.
_SHOWN: Final = 0.99
# How much wider the limits get for genes that are named, and for a threshold.
_FARTHEST: Final = 3.0
_MARGIN: Final = 1.2


@overload
def plot_volcano(
    results: Results,
    *,
    alpha: float | None = ...,
    lfc: float = ...,
    xlim: tuple[float, float] | None = ...,
    label: int | Iterable[str] = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_volcano(
    results: Results,
    *,
    alpha: float | None = ...,
    lfc: float = ...,
    xlim: tuple[float, float] | None = ...,
    label: int | Iterable[str] = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_volcano(
    results: Results,
    *,
    alpha: float | None = None,
    lfc: float = 0.0,
    xlim: tuple[float, float] | None = None,
    label: int | Iterable[str] = 10,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw -log10 of the p-value of every gene against its log2 fold change.

    Genes with padj < alpha are coloured, in a table of s-values those with svalue < alpha, after stage-wise testing
    those with padj_stagewise < alpha. The limits show the genes that changed; genes beyond them are triangles at the
    border, and so are p-values of zero. Genes without a p-value or without a fold change are left out. Dashed lines
    mark the threshold on the log2 fold change, when there was one, and `lfc`.

    Parameters
    ----------
    results
        The table of genes; without p-values, it must have s-values.
    alpha
        The level for padj, by default the one that `results()` was called with; or for s-values, by default 0.005.
    lfc
        Of the significant genes, colour only those whose absolute log2 fold change is above this, as
        `results.significant(lfc=)` does. It is a filter on the estimate and no test.
    xlim
        The limits of the log2 fold change; by default they hold the genes that changed, unless few of them are far away
        from all others. The limits of the p-values follow the same rule.
    label
        Which genes are named: so many of the first of `Results.top`, or labels or symbols of genes. They are called by
        their symbols where the table has them, and their names do not overlap.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_volcano(res).savefig("volcano.png")`. With `return_data`, a table of the genes that are drawn
        with the columns log2FoldChange, minusLog10 (of the p-value or s-value) and call ('up', 'down', 'within' for
        tests that a change is small, 'not significant').

    Raises
    ------
    OptionError
        `results` is not a table of the fold changes of one comparison, or has neither p-values nor s-values; `alpha` is
        not between 0 and 1; `xlim` is not an interval that holds zero; `lfc` is not a number of 0 or more; or `label`
        names no gene of the table.

    Examples
    --------
    >>> import countnest as cn
    >>> res = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1, beta_sd=1), quiet=True).results()
    >>> cn.plot_volcano(res, return_data=True).columns.tolist()
    ['log2FoldChange', 'minusLog10', 'call']
    >>> cn.plot_volcano(res, label=5).savefig("volcano.pdf")
    """
    check_flags(return_data=return_data)
    by, level = decisive(one_comparison(results, "plot_volcano"), alpha)
    data = _data(results, by, level, _checked_lfc(lfc))
    if return_data:
        return data
    genes = chosen_genes(results, label)
    marks = (_MARGIN * max(lfc, results.info.lfc_threshold), data["log2FoldChange"].reindex(genes).abs().max())
    limits = volcano_limits(data, marks)
    if xlim is not None:
        limits = limits_given("xlim", xlim), limits[1]
    return _drawn(results, data, f"{by} < {level:g}", limits, lfc, genes, ax)


def _data(results: Results, by: str, level: float, lfc: float) -> pd.DataFrame:
    """Return the genes that can be drawn: fold change, -log10 of the p-value, and call."""
    table = results.table
    probability = _probability(table)
    columns = table[["log2FoldChange", probability, by]].to_numpy(dtype=np.float64)
    there = np.isfinite(columns[:, :2]).all(axis=1)
    change, value, decided = columns[there].T
    called = (decided < level) & ((np.abs(change) > lfc) if lfc > 0 else True)
    minus_log = 0.0 - np.log10(np.maximum(value, _SMALLEST))
    drawn = {"log2FoldChange": change, "minusLog10": minus_log, "call": calls_of(results, change, called)}
    return pd.DataFrame(drawn, index=table.index[there])


def _probability(table: pd.DataFrame) -> str:
    """Return the column that gives the height of the points."""
    for name in ("pvalue", "svalue"):
        if name in table:
            return name
    raise OptionError("plot_volcano draws p-values or s-values, and the table has neither; take a table of tests.")


def _checked_lfc(lfc: float) -> float:
    number = isinstance(lfc, (int, float, np.integer, np.floating)) and not isinstance(lfc, bool)
    if not number or not 0.0 <= lfc < np.inf:
        raise OptionError(f"lfc={lfc!r} is not an absolute log2 fold change; give a number, 0 or more.")
    return float(lfc)


def volcano_limits(data: pd.DataFrame, marks: tuple[float, float]) -> tuple[tuple[float, float], float]:
    """Return the limits of the fold change, and the upper one of -log10 of p-values, of a volcano plot.

    Parameters
    ----------
    data
        What is drawn, as `plot_volcano` returns it.
    marks
        The largest threshold, and the largest fold change of the genes that are named, missing if none is.
    """
    return _change_limits(data, marks), _largest_shown(data)


def _change_limits(data: pd.DataFrame, marks: tuple[float, float]) -> tuple[float, float]:
    """Return limits of the fold change, symmetric, that show the genes that changed, thresholds and named genes.

    Parameters
    ----------
    data
        What is drawn.
    marks
        The largest threshold, and the largest fold change of the genes that are named, missing if none is.
    """
    size = np.abs(data["log2FoldChange"].to_numpy())
    called = (data["call"] != "not significant").to_numpy(np.bool_)
    reach = float(np.quantile(size, _SHOWN)) if len(size) else 0.0
    if called.any():
        reach = max(reach, _without_far_ones(size[called]))
    threshold, named = marks
    reach = max(reach, threshold, min(named, _FARTHEST * reach) if np.isfinite(named) else 0.0) * 1.03
    return (-reach, reach) if reach > 0 else (-1.0, 1.0)


def _largest_shown(data: pd.DataFrame) -> float:
    """Return the upper limit of -log10 of p-values."""
    height = data["minusLog10"].to_numpy()
    return max(1.03 * _without_far_ones(height), 1.0) if len(height) else 1.0


def _without_far_ones(values: FloatArray) -> float:
    """Return the largest value, unless it is far from all but a few."""
    ranked = np.sort(values)[::-1]
    return float(ranked[0] if len(ranked) < _RANK else min(ranked[0], _TIMES * ranked[_RANK - 1]))


def _drawn(
    results: Results,
    data: pd.DataFrame,
    level: str,
    limits: tuple[tuple[float, float], float],
    lfc: float,
    genes: list[str],
    ax: Axes | None,
) -> Figure:
    from countnest.plots.figure import INK, caption, figure_of, frame, legend_above, new_axes

    ax = new_axes() if ax is None else ax
    (low, high), top = limits
    change, height = data["log2FoldChange"].to_numpy(), data["minusLog10"].to_numpy()
    called = (data["call"] != "not significant").to_numpy(np.bool_)
    words = f"{level}, |LFC| > {lfc:g}" if lfc > 0 else level
    for rank, group in enumerate(groups_of(results, change, called, words)):
        draw_group(ax, change, height, group, (low, high), (0.0, top), zorder=2.0 + 0.1 * rank)
    _lines(ax, results, lfc)
    margin = 0.03 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    ax.set_ylim(-0.02 * top, 1.03 * top)
    shrinkage = results.info.shrinkage
    ax.set_xlabel("log2 fold change" if shrinkage is None else f"log2 fold change (shrunken, {shrinkage})", color=INK)
    ax.set_ylabel(f"-log10 {'p-value' if _probability(results.table) == 'pvalue' else 's-value'}", color=INK)
    frame(ax)
    caption(ax, results.info.label)
    legend_above(ax, columns=3)
    x, y = as_float(np.clip(change, low, high)), as_float(np.minimum(height, top))
    _names(ax, results, genes, pd.DataFrame({"x": x, "y": y}, index=data.index), called)
    return figure_of(ax)


def _names(ax: Axes, results: Results, genes: list[str], at: pd.DataFrame, called: BoolArray) -> None:
    """Write the names of some genes beside their points."""
    from countnest.plots.labels import write_names

    names = dict(zip(genes, names_of(results, genes), strict=True))
    drawn = [gene for gene in names if gene in at.index]
    x, y = at.loc[drawn].to_numpy(np.float64).T if drawn else np.empty((2, 0))
    write_names(ax, [names[gene] for gene in drawn], x, y, at[called].to_numpy(np.float64))


def _lines(ax: Axes, results: Results, lfc: float) -> None:
    from countnest.plots.figure import INK

    ax.axvline(0.0, color=INK, linewidth=0.8, zorder=1.5)
    threshold, hypothesis = results.info.lfc_threshold, results.info.alt_hypothesis
    tested = {"greater": (threshold,), "less": (-threshold,)}.get(hypothesis, (-threshold, threshold))
    for place in {*(tested if threshold > 0 else ()), *((-lfc, lfc) if lfc > 0 else ())}:
        ax.axvline(place, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1.5)
