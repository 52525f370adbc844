"""What a run writes of its fit, whatever the method: tables by gene and by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.methods.chunks import expand
from countnest.methods.edger.fit import EdgeRFit
from countnest.methods.limma.fit import LimmaFit

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.arrays import FloatArray
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
    sizes = pd.Series(library / library.mean(), dds.samples.index)
    values = {"baseMean": found.base_mean, **(_edger(found) if isinstance(found, EdgeRFit) else _limma(found))}
    return FittedTables(pd.DataFrame(values, index=dds.gene_names), sizes, dds.counts() / sizes)


def _edger(fit: EdgeRFit) -> dict[str, FloatArray]:
    """Return dispersions and log2 coefficients, shrunken by the prior count."""
    quasi, given = fit.stored.quasi, fit.stored.given
    model = fit.stored.ratio if quasi is None else quasi.model
    assert model is not None
    values = {"logCPM": given.abundance, "dispersion": model.dispersion}
    if quasi is not None:
        values |= {"quasiDispersion": quasi.moderated.variance}
    return values | dict(zip(fit.design.names, model.shrunken.T / np.log(2.0), strict=True))


def _limma(fit: LimmaFit) -> dict[str, FloatArray]:
    """Return variances and coefficients, log2."""
    stored = fit.stored
    values = {
        "AveExpr": stored.fits.mean,
        "sigma": stored.fits.sigma,
        "df": stored.fits.df,
        "moderatedVariance": stored.moderated.variance,
        **dict(zip(fit.design.names, stored.fits.coefficients.T, strict=True)),
    }
    return {name: expand(stored.kept, np.ascontiguousarray(each)) for name, each in values.items()}
