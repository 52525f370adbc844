"""The stages of a DESeq2 analysis and the records they hold.

G genes, n samples, p coefficients; values are missing (NaN) for all-zero genes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.matrix import CountMatrix, Replaced
from countnest.methods.stage import BaseMoments, Normalized
from countnest.options import DispersionSharing, TestType
from countnest.stats.dispersion.trend import DispersionTrend

__all__ = [
    "BetaPrior",
    "Dispersed",
    "Dispersions",
    "Estimates",
    "Fitted",
    "ModelFit",
    "ReducedFit",
    "Replacement",
    "merged",
]

Record = TypeVar("Record", BaseMoments, "Dispersions", "ModelFit", "ReducedFit")


@dataclass(frozen=True, slots=True, eq=False)
class Dispersions:
    """Dispersions, each (G,); see `stats.dispersion`.

    Attributes
    ----------
    genewise, genewise_iter
        Gene-wise estimates, iterations.
    fitted
        The trend at the gene's mean.
    map, map_iter
        Maximum a posteriori, iterations.
    final
        What the tests use.
    outlier
        1 where the gene-wise estimate is kept, 0 elsewhere.
    trend
        The trend and its prior; None without one.
    sharing
        What `final` is: the maximum a posteriori ("MAP"), the gene-wise estimate or the trend; or "given".
    min_mu
        Floor of the means that they were estimated with.
    """

    genewise: FloatArray
    genewise_iter: FloatArray
    fitted: FloatArray
    map: FloatArray
    map_iter: FloatArray
    final: FloatArray
    outlier: FloatArray
    trend: DispersionTrend | None
    sharing: DispersionSharing | Literal["given"] = "MAP"
    min_mu: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ReducedFit:
    """The reduced model of a likelihood ratio test: log-likelihoods and convergence (G,), and degrees of freedom."""

    loglik: FloatArray
    converged: FloatArray
    df: int
    description: str | None


@dataclass(frozen=True, slots=True, eq=False)
class BetaPrior:
    """The fit with normal priors on the coefficients, beside the one by maximum likelihood.

    Attributes
    ----------
    expanded
        Whether every level of a factor has a coefficient, q in all, or as many as in the design, q = p.
    variance
        (q,) variances of the priors, log2.
    beta, se
        (G, q) maximum a posteriori coefficients and their standard errors, natural log.
    loglik, n_iter, converged
        (G,) log-likelihood, IRLS iterations, 1 where converged and 0 where not.
    """

    expanded: bool
    variance: FloatArray
    beta: FloatArray
    se: FloatArray
    loglik: FloatArray
    n_iter: FloatArray
    converged: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ModelFit:
    """The fitted model. Means, hat values and Cook's distances, (G, n) each, are not kept: see `methods.deseq2.fitted`.

    Attributes
    ----------
    test
        "Wald", "LRT", "averaged" or "QL".
    beta, se
        (G, p) coefficients and standard errors, natural log.
    loglik, n_iter, converged
        (G,) log-likelihood, IRLS iterations, 1 where converged and 0 where not.
    optimized
        (G,) whether the coefficients come from the quasi-Newton search.
    highest_cooks
        (G,) largest Cook's distance of any sample.
    max_cooks
        (G,) largest Cook's distance of samples with replicates; after replacement of outliers, of those among them
        whose counts could not be replaced.
    min_mu
        Floor of the means in weights.
    df
        Degrees of freedom of t tests, one number or with observation weights (G,); None: normal.
    reduced
        For likelihood ratio tests.
    prior
        What `results` shows in place of `beta` and `se` where the coefficients have priors. All else stays as maximum
        likelihood gives it.
    """

    test: TestType
    beta: FloatArray
    se: FloatArray
    loglik: FloatArray
    n_iter: FloatArray
    converged: FloatArray
    optimized: BoolArray
    highest_cooks: FloatArray
    max_cooks: FloatArray
    min_mu: float
    df: float | FloatArray | None
    reduced: ReducedFit | None
    prior: BetaPrior | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Contrasts of the coefficients: log2 fold changes and their standard errors, (G, k)."""

    lfc: FloatArray
    se: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """Outlier counts that were replaced.

    Attributes
    ----------
    flagged
        (G,) genes with an outlier in any sample, k of them.
    counts
        (k, n) their counts after replacement.
    refitted
        (G,) flagged genes that still have a count and were fitted again.
    emptied
        (G,) flagged genes whose only counts were outliers.
    replaceable
        (n,) samples whose counts could be replaced.
    mean_before
        (G,) means of the normalized counts before replacement.
    cooks
        (k, n) Cook's distances of the original counts of the flagged genes.
    """

    flagged: BoolArray
    counts: FloatArray
    refitted: BoolArray
    emptied: BoolArray
    replaceable: BoolArray
    mean_before: FloatArray
    cooks: FloatArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dispersed(Normalized):
    """The second stage: dispersions, and the outliers that were replaced for them.

    Attributes
    ----------
    dispersions
        Gene-wise, fitted and final dispersions.
    replacement
        Counts that were replaced as outliers; None where none were.
    """

    dispersions: Dispersions
    replacement: Replacement | None = None

    def counts_used(self, counts: CountMatrix) -> CountMatrix:
        """Return the counts (G, n) of the fit, given the original ones: those with outliers replaced, if any were."""
        if self.replacement is None:
            return counts
        return Replaced(counts, np.flatnonzero(self.replacement.flagged), self.replacement.counts)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted(Dispersed):
    """The third stage: the fitted model.

    Attributes
    ----------
    fit
        Coefficients, standard errors, likelihoods.
    """

    fit: ModelFit

    @property
    def rows(self) -> BoolArray:
        """The genes (G,) that are fitted."""
        fitted: BoolArray = ~np.isnan(self.fit.beta[:, 0])
        return fitted


def merged(whole: Record, part: Record, rows: BoolArray, emptied: BoolArray) -> Record:
    """Return `whole` with the genes `rows` taken from `part`, which holds them alone, and `emptied` genes missing."""
    changed: dict[str, Any] = {}
    for field in fields(whole):
        old, new = getattr(whole, field.name), getattr(part, field.name)
        if isinstance(old, np.ndarray):
            values = old.copy()
            values[rows] = new
            values[emptied] = np.nan if values.dtype == np.float64 else False
            changed[field.name] = values
    return replace(whole, **changed)
