"""A table of results in the form in which a page holds it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.containers.results import Results, decisive
from countnest.containers.summary import summarize
from countnest.plots.groups import calls_of
from countnest.plots.ma import ma_limits, plot_ma
from countnest.plots.p_values import plot_pvalues
from countnest.plots.volcano import plot_volcano, volcano_limits
from countnest.reporting.packed import Json, packed, packed_column, smallest_type

__all__ = ["histogram_of", "limits_of", "question_data", "words_of"]

# The codes of calls in the page.
CALLS = ("not significant", "up", "down", "within")


def question_data(results: Results, genes: pd.Index) -> Json:
    """Return the table of the genes that the page has, by row, with how the rows are ordered and coloured.

    Parameters
    ----------
    results
        The table.
    genes
        Labels of the genes that the page has; other rows are left out.

    Returns
    -------
    dict
        rows (places of the genes among those of the page), order (places among the rows, first genes first), columns
        without annotation, call (codes of `CALLS`), by and alpha (the decisive column and its level), probability (the
        column of the volcano plot), changes (whether there is one fold change by gene).
    """
    places = genes.get_indexer(results.table.index)
    there = places >= 0
    table = results.table[there]
    by, alpha = decisive(results)
    changes = "log2FoldChange" in table
    return {
        "label": results.info.label,
        "rows": packed(places[there].astype(np.uint32)),
        "order": packed(_order(results, table.index)),
        "columns": [
            {"name": str(name), **packed_column(table[name])} for name in table if name not in results.info.annotation
        ],
        "call": packed(_calls(results, table, by, alpha)),
        "by": by,
        "alpha": alpha,
        "probability": "pvalue" if "pvalue" in table else "svalue",
        "changes": changes,
    }


def _order(results: Results, index: pd.Index) -> np.ndarray:
    """Return the places of rows in the order of `Results.top`."""
    found: IntArray = index.get_indexer(results.top(len(results.table)).index)
    return found[found >= 0].astype(np.uint32)


def _calls(results: Results, table: pd.DataFrame, by: str, alpha: float) -> np.ndarray:
    called = (table[by].to_numpy(np.float64) < alpha).astype(np.bool_)
    if "log2FoldChange" not in table:
        return called.astype(np.uint8)
    change = table["log2FoldChange"].to_numpy(np.float64)
    codes = pd.Categorical(calls_of(results, change, called), categories=CALLS).codes
    return smallest_type(codes.astype(np.float64))


def limits_of(results: Results) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Return the limits of fold changes in the MA plot and in the volcano plot, and the upper one of its height."""
    none, data = np.empty(0), plot_ma(results, return_data=True)
    heights = plot_volcano(results, return_data=True)
    across, top = volcano_limits(heights, (1.2 * results.info.lfc_threshold, np.nan))
    return ma_limits(data["log2FoldChange"].to_numpy(), none), across, top


def histogram_of(results: Results) -> pd.DataFrame | None:
    """Return the bars of the histogram of p-values, as `plot_pvalues` does; None without adjusted p-values."""
    if not {"pvalue", "padj"} <= set(results.table):
        return None
    return plot_pvalues(results, alpha=None, return_data=True)


def words_of(results: Results) -> list[str]:
    """Return what the table holds and how many genes changed, in lines."""
    meaning = results.descriptions()
    lines = [meaning[name] for name in ("log2FoldChange", "pvalue") if name in meaning]
    return [*lines, "", *str(summarize(results.table, results.info)).splitlines()]
