"""One gene by the cells of a question: its counts and the means of the model, as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.plots.cells import FittedStudy, StudyCells

__all__ = ["OFFSET", "DrawnGene", "gene_of", "table_of"]

# Added to counts and means before the logarithm, so that zeros have a place.
OFFSET: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class DrawnGene:
    """The data of one gene that are drawn; values are log2 of normalized counts, half a count added.

    Attributes
    ----------
    found
        The cells of all genes, with their factors.
    samples
        One row for each sample in a cell: `x` and `by`, the numbers of their levels; `block`; `value`.
    means
        One row for each cell: `x`, `by`, `mean`, `low`, `high`; without an interval where all counts are zero.
    title
        What the gene is called.
    """

    found: StudyCells
    samples: pd.DataFrame
    means: pd.DataFrame
    title: str

    @property
    def is_fitted(self) -> bool:
        """Whether the model has means for this gene."""
        return bool(self.means["low"].notna().any())


def gene_of(found: StudyCells, gene: str, title: str) -> DrawnGene:
    """Return the data of one gene, on the scale of the plot."""
    row = found.counts.index.get_loc(gene)
    values = found.counts.to_numpy(np.float64)[row]
    samples = found.samples.assign(value=np.log2(values + OFFSET))
    ends = {name: getattr(found, name)[row] for name in ("mean", "low", "high")}
    if found.is_log:
        with np.errstate(divide="ignore"):
            empty = ends["mean"] == 0.0
            ends = {name: np.where(empty, np.log2(OFFSET), np.log2(each)) for name, each in ends.items()}
            ends["low"][empty] = ends["high"][empty] = np.nan
    else:
        ends = {name: np.log2(each + OFFSET) for name, each in ends.items()}
    means = found.cells[["x", "by"]].assign(**ends)
    return DrawnGene(found, samples[samples["x"] >= 0], means, title)


def table_of(dds: FittedStudy, drawn: DrawnGene, gene: str) -> pd.DataFrame:
    """Return the samples with their counts, factors, and the mean of their cell."""
    found, samples = drawn.found, drawn.samples
    row = found.counts.index.get_loc(gene)
    table = pd.DataFrame({"count": found.counts.loc[gene].loc[samples.index]})
    table[list(found.axes.factors)] = dds.samples.loc[samples.index, list(found.axes.factors)]
    if samples["block"].notna().any():
        table["block"] = samples["block"].str.replace("\t", ", ")
    cell = {(x, by): k for k, (x, by) in enumerate(found.cells[["x", "by"]].itertuples(index=False, name=None))}
    own = np.array([cell[each] for each in samples[["x", "by"]].itertuples(index=False, name=None)], dtype=np.int64)
    for name in ("mean", "low", "high"):
        values: FloatArray = getattr(found, name)
        table[name] = values[row][own]
    return table
