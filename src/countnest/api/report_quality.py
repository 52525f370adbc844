"""What a report says of the samples: sizes, principal components, distances; and of the dispersions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.api.transformations import norm_transform, vst
from countnest.arrays import FloatArray
from countnest.containers.transformed import Transformed
from countnest.errors import CountnestError, CountnestWarning, MissingStepError
from countnest.plots.pca import plot_pca
from countnest.reporting.content import Quality

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["quality_of"]

_STABILIZED = "counts after the variance stabilizing transformation, blind to the design"
_LOGARITHMS = "log2 of normalized counts + 1"
_MOST_COMPARED = 300  # samples whose distances are drawn
_DISPERSIONS = ("baseMean", "dispGeneEst", "dispFit", "dispersion")


def quality_of(dds: DESeqDataSet, factors: FloatArray, *, by_gene: bool) -> Quality:
    """Return what tells whether the samples are as they should be; size or normalization factors are there."""
    transformed, values = _transformed(dds)
    library = dds.counts().sum().to_numpy(dtype=np.float64)
    typical = np.exp(np.log(factors).mean(axis=0)) if by_gene else factors
    return Quality(
        sizes=pd.DataFrame({"library": library, "factor": typical}, index=dds.samples.index),
        by_gene=by_gene,
        components=_components(transformed),
        distances=_distances(transformed.table),
        values=values,
        dispersions=_dispersions(dds),
    )


def _transformed(dds: DESeqDataSet) -> tuple[Transformed, str]:
    """Return transformed counts, and how they were transformed; logarithms where there is too little for a trend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # of the trend of these values alone
        try:
            return vst(dds, quiet=True), _STABILIZED
        except CountnestError:
            return norm_transform(dds), _LOGARITHMS


def _components(transformed: Transformed) -> pd.DataFrame | None:
    try:
        return plot_pca(transformed, return_data=True)
    except CountnestError:  # too few samples, or nothing varies
        return None


def _distances(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the Euclidean distances between samples in the order of an average-linkage clustering."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist, squareform

    if not 2 <= table.shape[1] <= _MOST_COMPARED:
        return None
    condensed = pdist(table.to_numpy(dtype=np.float64).T)
    order = leaves_list(linkage(condensed, method="average"))
    names = table.columns[order]
    return pd.DataFrame(squareform(condensed)[np.ix_(order, order)], index=names, columns=names)


def _dispersions(dds: DESeqDataSet) -> pd.DataFrame | None:
    try:
        genes = dds.genes
    except MissingStepError:
        return None
    there = [name for name in _DISPERSIONS if name in genes]
    return genes[there].copy() if len(there) > 1 else None
