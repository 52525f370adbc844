"""Additions to tables of results: confidence intervals, and the annotation of the genes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.gene_info import with_info
from countnest.containers.results import Results
from countnest.stats.inference.interval import confidence_interval

__all__ = ["annotated", "whole_df", "with_interval", "without_info", "without_interval"]

_COLUMNS = ("ciLower", "ciUpper")
# Degrees of freedom as near as this to a whole number differ from it by rounding.
_ROUNDING = 1e-9


def whole_df(df: float | FloatArray) -> FloatArray:
    """Return degrees of freedom for a table, without the rounding of those that are whole."""
    whole = np.rint(df)
    with np.errstate(invalid="ignore"):  # infinite ones
        return as_float(np.where(np.abs(df - whole) < _ROUNDING, whole, df))


def with_interval(
    results: Results,
    level: float | None,
    df: float | FloatArray | None = None,
    reach: Callable[[float], FloatArray] | None = None,
    asymmetric: Callable[[float], tuple[FloatArray, FloatArray]] | None = None,
) -> Results:
    """Return results with the ends of the intervals of the fold changes after their standard errors.

    Parameters
    ----------
    results
        Of one comparison, without intervals.
    level
        Of the intervals; None: no intervals.
    df
        Degrees of freedom where the test compares with a t distribution, one number or (G,); None: normal quantiles.
    reach
        Half the lengths (G,) of the intervals at a level, where they are those of no such distribution.
    asymmetric
        The ends (G,) of the intervals at a level, where they are not symmetric.
    """
    if level is None:
        return results
    lfc, se = (results.table[name].to_numpy(dtype=np.float64) for name in ("log2FoldChange", "lfcSE"))
    table = results.table.copy()
    place = list(table.columns).index("lfcSE") + 1
    if asymmetric is not None:
        interval = asymmetric(float(level))
    elif reach is None:
        interval = confidence_interval(lfc, se, float(level), df)
    else:
        half = reach(float(level))
        interval = lfc - half, lfc + half
    for k, (name, ends) in enumerate(zip(_COLUMNS, interval, strict=True)):
        table.insert(place + k, name, np.where(se == 0.0, lfc, ends))  # of genes that lost all counts the fold change
    return Results(table, replace(results.info, confint=float(level)))


def without_interval(results: Results) -> Results:
    """Return results without intervals."""
    if results.info.confint is None:
        return results
    return Results(results.table.drop(columns=list(_COLUMNS)), replace(results.info, confint=None))


def annotated(results: Results, gene_info: pd.DataFrame) -> Results:
    """Return results with the annotation of the genes as the last columns of the table."""
    table, names = with_info(results.table, gene_info)
    return Results(table, replace(results.info, annotation=names)) if names else results


def without_info(results: Results) -> Results:
    """Return results without the annotation of the genes."""
    names = results.info.annotation
    if not names:
        return results
    return Results(results.table.drop(columns=list(names), errors="ignore"), replace(results.info, annotation=()))
