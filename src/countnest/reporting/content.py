"""What a report shows, as records that the page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.queries.report import Report

__all__ = ["Content", "Quality"]


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """What tells whether the samples are as they should be.

    Attributes
    ----------
    sizes
        By sample: `library`, its number of counts, and `factor`, its size factor, or the geometric mean of its
        normalization factors.
    by_gene
        Whether there are normalization factors by gene.
    components
        By sample: PC1 and PC2, with the shares of variance in `.attrs["percent_var"]`; None where there are fewer.
    distances
        Distances between samples, rows and columns in the order of a clustering; None for fewer than two samples.
    values
        The transformation of which components and distances are made, in words.
    dispersions
        By gene: baseMean and, as far as they are there, dispGeneEst, dispFit, dispersion; None for methods without.
    """

    sizes: pd.DataFrame
    by_gene: bool
    components: pd.DataFrame | None
    distances: pd.DataFrame | None
    values: str
    dispersions: pd.DataFrame | None


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a report shows.

    Attributes
    ----------
    title
        The title of the page.
    questions
        Tables of results by their names.
    counts
        Counts, genes x samples.
    factors
        Size factors (n,), or normalization factors (G, n).
    gene_info
        Annotation of the genes.
    samples
        The sample sheet.
    groups
        Columns of the sample sheet by which samples are grouped at first.
    means
        (3, G, K) means of the model in these groups, with the limits of 95 % intervals, as normalized counts; None
        where there are none.
    joined
        The column whose samples are joined by lines at first; None for none.
    design
        The description of the design.
    quality
        What tells whether the samples are as they should be.
    """

    title: str
    questions: Mapping[str, Results]
    counts: pd.DataFrame
    factors: FloatArray
    gene_info: pd.DataFrame
    samples: pd.DataFrame
    groups: tuple[str, ...]
    means: FloatArray | None
    joined: str | None
    design: Report
    quality: Quality
