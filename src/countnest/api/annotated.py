"""Tables of results with what is known of the genes."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from countnest.containers.gene_info import with_info
from countnest.containers.results import Results

__all__ = ["annotated", "without_info"]


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
