"""What the steps of an analysis leave behind. G genes, n samples, p coefficients; missing (NaN) for all-zero genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.matrix import CountMatrix, Replaced
from countnest.options import DispersionSharing, TestType
from countnest.stats.dispersion.trend import Trend

__all__ = [
    "Analysis",
    "BaseMoments",
    "BetaPrior",
    "DispersionTrend",
    "Dispersions",
    "ModelFit",
    "ReducedFit",
    "Replacement",
]


@dataclass(frozen=True, slots=True, eq=False)
class BaseMoments:
    """What is known of every gene before any model, each (G,).

    Attributes
    ----------
    mean, variance
        Of the normalized counts, times their observation weights where there are any.
    all_zero
        Genes that are not fitted: without any count whose weight is above zero, or whose weights do not suffice.
    weights_fail
        Genes whose observation weights leave too few samples for the model; None without weights.
    """

    mean: FloatArray
    variance: FloatArray
    all_zero: BoolArray
    weights_fail: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class DispersionTrend:
    """The trend of dispersion over the mean, and the prior around it.

    Attributes
    ----------
    trend
        Callable: dispersions at means of normalized counts.
    var_log_disp_ests
        Robust variance of log gene-wise dispersions around the trend.
    disp_prior_var
        The same without the sampling variance: the variance of the prior.
    note
        A sentence where a local regression replaced the parametric curve.
    """

    trend: Trend
    var_log_disp_ests: float
    disp_prior_var: float
    note: str | None = None

    @property
    def fit_type(self) -> str:
        """What was fitted in the end: "parametric", "local" or "mean"; "custom" where a function was given."""
        return self.trend.fit_type

    @property
    def coefficients(self) -> dict[str, float] | None:
        """Coefficients under DESeq2's names; None for a local fit."""
        return self.trend.coefficients

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,)."""
        return self.trend(mean)


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
        "Wald" or "LRT".
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
class Replacement:
    """Outlier counts that were replaced.

    Attributes
    ----------
    flagged
        (G,) genes with an outlier in any sample, k of them.
    counts
        (k, n) their counts after replacement.
    refitted
        (G,) flagged genes that still have a count and were fitted anew.
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


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """How far an analysis has come; a step returns a new record.

    Attributes
    ----------
    factors
        (1, n) size factors or (G, n) normalization factors.
    given
        Whether the factors were given, not estimated.
    by_gene
        Whether they are normalization factors, one for each gene and sample; a single gene has (1, n) of either.
    weights
        (G, n) observation weights of the fits, the largest of each gene one; None: all counts count alike.
    raw_weights
        (G, n) observation weights as they were given, for the moments.
    moments
        Moments of the normalized counts; after replacement of outliers, of the replaced ones.
    dispersions, fit, replacement
        What the later steps made; None before them, and where nothing was replaced.
    """

    factors: FloatArray
    given: bool
    moments: BaseMoments
    dispersions: Dispersions | None = None
    fit: ModelFit | None = None
    replacement: Replacement | None = None
    weights: FloatArray | None = None
    raw_weights: FloatArray | None = None
    by_gene: bool = False

    @property
    def fitted(self) -> ModelFit:
        """The fit, of an analysis that has come so far."""
        assert self.fit is not None
        return self.fit

    def counts_used(self, counts: CountMatrix) -> CountMatrix:
        """Return the counts (G, n) of the fit, given the original ones: those with outliers replaced, if any were."""
        if self.replacement is None:
            return counts
        return Replaced(counts, np.flatnonzero(self.replacement.flagged), self.replacement.counts)
