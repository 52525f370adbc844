"""What a run writes of its fit, whatever the method: tables by gene and by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from countnest.methods.edger.fit import EdgeRFit
from countnest.methods.limma.fit import LimmaFit

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.stats.dispersion.trend import DispersionTrend

__all__ = ["FittedTables", "by_gene"]


@dataclass(frozen=True, slots=True, eq=False)
class FittedTables:
    """Tables of a fit.

    Attributes
    ----------
    genes
        Estimates by gene.
    size_factors
        By sample.
    normalized
        Counts divided by the size factors, genes x samples.
    trend
        Of DESeq2's dispersions; None for other methods.
    """

    genes: pd.DataFrame
    size_factors: pd.Series[float]
    normalized: pd.DataFrame
    trend: DispersionTrend | None = None


def by_gene(dds: DESeqDataSet, fit: str | None) -> FittedTables:
    """Return the tables of the fit with this name; None: DESeq2's. Size factors of others are effective library sizes.

    They are divided by their mean.
    """
    if fit is None:
        factors = dds.size_factors
        assert factors is not None  # the shell takes no normalization factors
        return FittedTables(dds.genes, factors, dds.counts(normalized=True), dds.dispersion_trend)
    found = dds._fit(fit)
    assert isinstance(found, (EdgeRFit, LimmaFit))
    library = found.stored.library
    assert library is not None
    values = {"baseMean": found.base_mean, **found.estimates()}
    sizes = pd.Series(library / library.mean(), dds.samples.index)
    return FittedTables(pd.DataFrame(values, index=dds.gene_names), sizes, dds.counts() / sizes)
