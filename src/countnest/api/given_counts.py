"""Counts as users give them to a data set: a table, or the record that a reader returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from countnest.api.inputs import given_lengths
from countnest.arrays import FloatArray
from countnest.containers.count_table import CountTable
from countnest.containers.counts import CountData, count_data
from countnest.containers.gene_info import matched_info
from countnest.options import Orientation

__all__ = ["given_data", "lengths_of", "notes_of"]


def given_data(
    counts: object,
    samples: pd.DataFrame | None,
    orientation: Orientation | None,
    gene_info: pd.DataFrame | pd.Series | None,
    layer: str | None,
    cells_ok: bool,
) -> CountData:
    """Return checked counts with their sheet, and the annotation of both the record of a reader and `gene_info`."""
    if not isinstance(counts, CountTable):
        return count_data(counts, samples, orientation=orientation, layer=layer, gene_info=gene_info, cells_ok=cells_ok)
    data = count_data(
        counts.counts,
        counts.samples if samples is None else samples,
        orientation=orientation or "genes_by_samples",
        layer=layer,
        gene_info=counts.gene_info,
        cells_ok=cells_ok,
    )
    return data if gene_info is None else replace(data, gene_info=matched_info(gene_info, data.gene_info, data.genes))


def lengths_of(counts: object, given: Any, data: CountData) -> FloatArray | None:  # noqa: ANN401 (DataFrame, array)
    """Return average transcript lengths (G, n): those that are given, or else those of the record; None without them.

    Raises
    ------
    OptionError
        They are given for counts that do not depend on them.
    NormalizationError
        They are not positive numbers, or not those of these genes and samples.
    """
    if isinstance(counts, CountTable):
        if given is not None:
            counts.refuse_lengths()
        elif counts.lengths is not None:
            given = counts.lengths.set_axis(data.samples, axis=1)
    return None if given is None else given_lengths(given, data)


def notes_of(counts: object) -> tuple[str, ...]:
    """Return the notes of the record of a reader."""
    return counts.notes if isinstance(counts, CountTable) else ()
