"""What a run writes of its fit, whatever the method: tables by gene and by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

import countnest as cn

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.methods.edger.fit import EdgeRFit
    from countnest.methods.limma.fit import LimmaFit
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
        By sample; None where they differ between genes.
    normalized
        Counts divided by the factors, genes x samples.
    normalization_factors
        By gene and sample, of counts with transcript lengths; None: there are none.
    trend
        Of DESeq2's dispersions; None for other methods.
    """

    genes: pd.DataFrame
    size_factors: pd.Series[float] | None
    normalized: pd.DataFrame
    normalization_factors: pd.DataFrame | None = None
    trend: DispersionTrend | None = None


def by_gene(dds: DESeqDataSet, fit: str | None) -> FittedTables:
    """Return the tables of the fit with this name; None: DESeq2's."""
    if fit is None:
        return _normalized(dds, dds.genes, dds.dispersion_trend)
    from countnest.methods.edger.fit import EdgeRFit  # not before: each method has dozens of modules
    from countnest.methods.limma.fit import LimmaFit

    found = dds._fit(fit)
    if isinstance(found, (EdgeRFit, LimmaFit)):
        return _effective(dds, found)
    return _normalized(dds, cn.gene_estimates(dds, fit=fit))


def _normalized(dds: DESeqDataSet, genes: pd.DataFrame, trend: DispersionTrend | None = None) -> FittedTables:
    """Return the tables of a fit to counts that size factors or normalization factors scale."""
    factors = dds.normalization_factors
    return FittedTables(genes, dds.size_factors, dds.counts(normalized=True), factors, trend)


def _effective(dds: DESeqDataSet, found: EdgeRFit | LimmaFit) -> FittedTables:
    """Return the tables of a fit by edgeR's or limma's method.

    Size factors are effective library sizes, divided by their mean.
    """
    genes = pd.DataFrame({"baseMean": found.base_mean, **found.estimates()}, index=dds.gene_names)
    library = found.stored.library
    if library is None:  # offsets were given
        return _normalized(dds, genes)
    sizes = pd.Series(library / library.mean(), dds.samples.index)
    return FittedTables(genes, sizes, dds.counts() / sizes)
