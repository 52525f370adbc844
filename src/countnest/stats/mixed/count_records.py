"""What mixed models of counts return, and what is known of dispersions before.

G genes, p coefficients, t variance parameters, q random effects.
"""

from __future__ import annotations

from dataclasses import dataclass

from countnest.arrays import FloatArray, IntArray

__all__ = ["CountMixedFits", "QuasiFits", "ShrunkenDispersion"]


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkenDispersion:
    """Dispersions with a log-normal prior.

    Attributes
    ----------
    log_trend
        (G,) means of the logarithms.
    prior_sd
        Their standard deviation.
    """

    log_trend: FloatArray
    prior_sd: float


@dataclass(frozen=True, slots=True, eq=False)
class CountMixedFits:
    """Mixed models of the counts of G genes; NaN where `outcome` says that a gene has no fit.

    Attributes
    ----------
    coefficients
        (G, p), natural log.
    theta
        (G, t) the lower triangles of the Cholesky factors of the covariances of the random effects, natural log, column
        by column, term after term: of one term with one column the standard deviation. Exactly 0 where a variance is.
    dispersion
        (G,) alpha; exactly 0 at the Poisson limit.
    loglik
        (G,) log-likelihood, restricted if `reml`, with the log density of the prior of shrunken dispersions.
    covariance
        (G, p (p + 1) / 2) lower triangles, row by row, of the covariance of the coefficients given theta and
        dispersion: S^-1.
    full_covariance
        The same with the uncertainty of theta and dispersion: S^-1 + J V J'.
    theta_se
        (G, t) standard errors of theta; where a variance is zero from the curvature there.
    log_dispersion_se
        (G,) standard error of the logarithm of the dispersion; NaN where it is given or zero.
    effects, effect_sd
        (G, q) modes of the random effects, and their standard deviations given everything else: term after term, level
        after level, column after column.
    outcome
        (G,) see `records.Outcome`. Contrasts of genes that are SEPARATED may be infinite: see `stats.glm.separation`.
    evaluations
        (G,) of the likelihood.
    reml
        Whether the likelihood is the restricted one.
    """

    coefficients: FloatArray
    theta: FloatArray
    dispersion: FloatArray
    loglik: FloatArray
    covariance: FloatArray
    full_covariance: FloatArray
    theta_se: FloatArray
    log_dispersion_se: FloatArray
    effects: FloatArray
    effect_sd: FloatArray
    outcome: IntArray
    evaluations: IntArray
    reml: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class QuasiFits:
    """Mixed models of counts by penalised quasi-likelihood; NaN where `outcome` says that a gene has no fit.

    There is no likelihood: neither likelihood ratio tests nor information criteria.

    Attributes
    ----------
    coefficients
        (G, p).
    covariance
        (G, p (p + 1) / 2) lower triangles, row by row, of their covariance, times n / (n - p).
    theta
        (G, t) lower triangles of the Cholesky factors of the covariances of the random effects, column by column, term
        after term; of a term with one column their standard deviation.
    dispersion
        (G,) what the models took as known.
    residual
        (G,) root of the factor by which variances exceed those of the family.
    effects
        (G, q) predicted random effects: of each term, by level, its columns.
    outcome
        (G,) see `records.Outcome`.
    """

    coefficients: FloatArray
    covariance: FloatArray
    theta: FloatArray
    dispersion: FloatArray
    residual: FloatArray
    effects: FloatArray
    outcome: IntArray

    @property
    def sigma(self) -> FloatArray:
        """(G,) standard deviation of the random effects of the first column."""
        return self.theta[:, 0]
