"""What mixed models are fitted to, and what a fit is. G genes, n samples, p coefficients, t variance parameters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.stats.moderated.tails import log_f_tail

__all__ = [
    "JointMixedTests",
    "LikelihoodRatio",
    "LinearMixedFits",
    "MixedModel",
    "MixedTests",
    "Outcome",
    "RandomEffects",
    "fits_of",
]


class Outcome(IntEnum):
    """How the fit of a gene ended; the same numbers for all mixed models."""

    CONVERGED = 0
    SINGULAR = 1
    ITERATIONS_EXHAUSTED = 2
    SEARCH_FAILED = 3
    HESSIAN_INDEFINITE = 4
    SEPARATED = 5
    POISSON_LIMIT = 6
    DISPERSION_BOUND = 7  # the upper bound of the dispersion, or of the standard deviation of random effects
    CONSTANT = 8
    RANK_DEFICIENT = 9
    NOT_FINITE = 10


@dataclass(frozen=True, slots=True, eq=False)
class RandomEffects:
    """One random term: the coefficients of some columns vary between the levels of a grouping factor.

    Attributes
    ----------
    codes
        (n,) the level of each sample, as a number from 0 on; every number occurs.
    columns
        (n, k) the columns whose coefficients vary: ones for an intercept.
    label
        The term as messages and tables name it: '1 | family'.
    """

    codes: IntArray
    columns: FloatArray
    label: str = ""

    @property
    def n_levels(self) -> int:
        """Number of levels of the grouping factor."""
        return int(self.codes.max(initial=-1)) + 1

    @property
    def n_columns(self) -> int:
        """Number k of columns, which makes k (k + 1) / 2 variance parameters."""
        return int(self.columns.shape[1])

    @property
    def matrix(self) -> FloatArray:
        """(n, levels * k) model matrix of the random effects: the k columns of the first level, then the next."""
        n, k = self.columns.shape
        out = np.zeros((n, self.n_levels, k))
        out[np.arange(n), self.codes] = self.columns
        return out.reshape(n, -1)


@dataclass(frozen=True, slots=True, eq=False)
class MixedModel:
    """The model of every gene: a model matrix (n, p) of full rank, and one or more random terms."""

    matrix: FloatArray
    terms: tuple[RandomEffects, ...]

    @property
    def n_parameters(self) -> int:
        """Number t of variance parameters, without the residual variance."""
        return sum(term.n_columns * (term.n_columns + 1) // 2 for term in self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class LinearMixedFits:
    """Linear mixed models of G genes; NaN where `outcome` says that a gene has no fit.

    Attributes
    ----------
    coefficients
        (G, p) fixed coefficients.
    theta
        (G, t) the lower triangles of the relative covariance factors, column by column, term after term. Where the
        variance may be negative (`bounded` is False; one term with one column): the ratio of the variance of the
        random effects to that of the residuals instead, which is theta squared elsewhere.
    sigma
        (G,) residual standard deviation; with weights, which have mean one for every gene, that of weight one.
    criterion
        (G,) minus twice the log-likelihood, restricted or not, at the optimum.
    outcome
        (G,) see `Outcome`.
    reml
        Whether the likelihood is the restricted one.
    bounded
        Whether variances of random effects are at least zero.
    """

    coefficients: FloatArray
    theta: FloatArray
    sigma: FloatArray
    criterion: FloatArray
    outcome: IntArray
    reml: bool = True
    bounded: bool = True


def fits_of(fits: LinearMixedFits, genes: IntArray) -> LinearMixedFits:
    """Return the fits of some genes, by their indices."""
    return LinearMixedFits(
        fits.coefficients[genes],
        fits.theta[genes],
        fits.sigma[genes],
        fits.criterion[genes],
        fits.outcome[genes],
        fits.reml,
        fits.bounded,
    )


@dataclass(frozen=True, slots=True, eq=False)
class MixedTests:
    """Two-sided t tests of k contrasts: estimates, their standard errors, degrees of freedom, t statistics; (G, k)."""

    estimates: FloatArray
    se: FloatArray
    df: FloatArray
    statistic: FloatArray

    @property
    def log_p(self) -> FloatArray:
        """(G, k) logarithms of p-values, calculated when they are asked for."""
        return log_f_tail(self.statistic**2, 1.0, self.df)

    @property
    def p_value(self) -> FloatArray:
        """(G, k) p-values; 0 where they are below the smallest float."""
        return np.exp(self.log_p)


@dataclass(frozen=True, slots=True, eq=False)
class JointMixedTests:
    """F tests of several contrasts at once: statistics, both degrees of freedom, log p-values; (G,) each."""

    statistic: FloatArray
    df_tested: FloatArray
    df: FloatArray
    log_p: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """(G,) p-values; 0 where they are below the smallest float."""
        return np.exp(self.log_p)


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodRatio:
    """Statistics, at least zero, and log p-values (G,).

    `df` are the degrees of freedom of chi-square; where variances are tested at their bound, `mixture`, p-values are
    the means of those on df - 1 and df.
    """

    statistic: FloatArray
    df: int
    log_p: FloatArray
    mixture: bool = False

    @property
    def p_value(self) -> FloatArray:
        """(G,) p-values; 0 where they are below the smallest float."""
        return np.exp(self.log_p)
