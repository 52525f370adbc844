"""What the steps of edgeR's method leave. G genes, n samples, p coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, Genes
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs
from countnest.stats.moderated.prior import ModeratedVariances

__all__ = [
    "EdgeRAnalysis",
    "EdgeRInput",
    "EdgeRModel",
    "EdgeROptions",
    "EdgeRQuasi",
    "inputs_of",
    "means_of",
    "offset_factors",
]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRInput:
    """What genes are fitted to, besides their counts.

    Attributes
    ----------
    factors
        (1, n) effective library sizes, or (G, n) exponentials of the offsets.
    weights
        (G, n) observation weights; None: all one.
    kept
        (G,) the genes that are fitted; others had too few counts, or none.
    abundance
        (G,) average log2 counts per million; NaN where not kept.
    prior_count
        What is added to the counts for fold changes.
    compat
        The release whose behaviour it is; None: the newest, with exact numbers.
    """

    factors: FloatArray
    weights: FloatArray | None
    kept: BoolArray
    abundance: FloatArray
    prior_count: float
    compat: str | None = None

    def genes(self, counts: CountMatrix, **by_gene: FloatArray) -> Genes:
        """Return the genes that are fitted, with more arrays (G, ...)."""
        return Genes(counts, self.factors, self.weights, by_gene).where(self.kept)

    def total_df(self, n_coefficients: int) -> float:
        """Return the residual degrees of freedom of all genes together."""
        return float(np.count_nonzero(self.kept) * (self.factors.shape[1] - n_coefficients))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EdgeROptions:
    """What an analysis is asked for.

    Attributes
    ----------
    test
        "ql" or "lrt".
    legacy
        Whether quasi-likelihood is that of versions 3; None: as the release has it.
    robust
        Whether genes with outlying dispersions have fewer prior degrees of freedom.
    trend
        Whether the prior of a gene's dispersion follows its average abundance.
    abundance_trend
        Whether the prior of quasi-dispersions follows the average abundance.
    dispersion
        Negative binomial dispersions (G,) that are given; None: they are estimated.
    estimates_first
        Whether dispersions are estimated before quasi-likelihood of version 4, which releases may make use of.
    """

    test: str = "ql"
    legacy: bool | None = None
    robust: bool = False
    trend: bool = True
    abundance_trend: bool = True
    dispersion: FloatArray | None = None
    estimates_first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRModel:
    """A negative binomial model of every gene.

    Attributes
    ----------
    dispersion
        (G,)
    beta, shrunken
        (G, p) coefficients, natural log: of maximum likelihood, and shrunken by the prior count.
    deviance
        (G,)
    """

    dispersion: FloatArray
    beta: FloatArray
    shrunken: FloatArray
    deviance: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRQuasi:
    """A model with quasi-dispersions.

    Attributes
    ----------
    model
        At the dispersions divided by the average quasi-dispersion.
    moderated
        The quasi-dispersions, and their prior.
    average
        The average quasi-dispersion; 1 where deviances are not adjusted.
    adjusted
        (G,) adjusted deviances; those of the model where they are not adjusted.
    bounded
        (G,) genes whose variance is below that of Poisson counts, so that their p-values are at least those of Poisson
        tests; None: there is no such bound.
    """

    model: EdgeRModel
    moderated: ModeratedVariances
    average: float
    adjusted: FloatArray
    bounded: BoolArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRAnalysis:
    """What an analysis leaves.

    Attributes
    ----------
    given
        What genes were fitted to.
    base_mean
        (G,) means of normalized counts.
    quasi, ratio
        The models of quasi-likelihood and of likelihood ratio tests; None: there are no such tests.
    test
        The test that the analysis was made for, the default of queries: "ql" or "lrt".
    library, options
        (n,) effective library sizes and the options of the analysis, with which it can be made again; None: it cannot.
    """

    given: EdgeRInput
    base_mean: FloatArray
    quasi: EdgeRQuasi | None
    ratio: EdgeRModel | None
    test: str = "ql"
    library: FloatArray | None = None
    options: EdgeROptions | None = None


def inputs_of(chunk: GeneChunk) -> GLMInputs:
    """Return what the genes of a chunk are fitted to."""
    return GLMInputs.of(chunk.counts, chunk.size_factors, chunk.weights)


def means_of(factors: FloatArray, beta: FloatArray, columns: Columns) -> FloatArray:
    """Return means (G, n); 0 for genes without counts, of which the coefficients are missing."""
    rates = np.exp(beta @ columns.rows.T)
    rates[np.isnan(rates)] = 0.0
    means = rates[:, columns.of_sample]
    means *= factors
    return as_float(means)


def offset_factors(by_gene: FloatArray, library: FloatArray) -> FloatArray:
    """Return factors (G, n) in proportion to normalization factors by gene, with the level of library sizes (n,)."""
    logs = np.log(by_gene)
    factors: FloatArray = np.exp(logs - logs.mean(axis=1, keepdims=True) + np.log(library).mean())
    return factors
