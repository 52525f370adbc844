"""The means of the model in the groups of a report, for every gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import CountnestError
from countnest.plots.cells import Axes, StudyCells, study_cells
from countnest.reporting.groups import grouped

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["group_means"]

_MOST_GROUPS = 24


def group_means(dds: DESeqDataSet, groups: tuple[str, ...], fit: str | None) -> FloatArray | None:
    """Return means of the model and the limits of 95 % intervals, as normalized counts, in groups of samples.

    Parameters
    ----------
    dds
        The fitted data set.
    groups
        The columns of the sample sheet that make the groups, in the order of `reporting.groups.grouped`.
    fit
        The name of the fit; None: that of the last analysis.

    Returns
    -------
    array (3, G, K) or None
        Means, lower and upper limits, missing in groups for which there is none. None where the groups are not made of
        factors of the design, or are many, and for models whose means are not of normalized counts.
    """
    found = grouped(dds.samples, groups)
    if not groups or not set(groups) <= set(dds.design.levels) or len(found["levels"]) > _MOST_GROUPS:
        return None
    try:
        cells = study_cells(dds, Axes(groups[-1], groups[:-1]), None, fit)
    except CountnestError:  # a cell that cannot be estimated, a model on another scale
        return None
    means = np.full((3, len(dds.gene_names), len(found["levels"])), np.nan)
    for place, code in _codes(cells, np.array(found["codes"])):
        means[:, :, code] = cells.mean[:, place], cells.low[:, place], cells.high[:, place]
    return means


def _codes(cells: StudyCells, codes: np.ndarray) -> list[tuple[int, int]]:
    """Return the places of the cells that have samples, with the codes of the groups that these samples are in."""
    own = cells.samples[["x", "by"]].to_numpy()
    inside = [(own == cell).all(axis=1) for cell in cells.cells[["x", "by"]].to_numpy()]
    return [(place, int(codes[there][0])) for place, there in enumerate(inside) if there.any()]
