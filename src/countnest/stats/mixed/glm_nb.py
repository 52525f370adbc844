"""Negative binomial GLMs whose dispersion is estimated by maximum likelihood, one for each response.

G responses, n samples, p coefficients, natural logarithms; theta = 1 / dispersion.

Source: Venables and Ripley (2002), Modern Applied Statistics with S, section 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.stats.mixed.count_ends import packed
from countnest.stats.mixed.laplace import fixed_effects
from countnest.stats.mixed.records import Outcome

__all__ = ["ThetaFits", "glm_nb"]


@dataclass(frozen=True, slots=True, eq=False)
class ThetaFits:
    """Negative binomial GLMs of G responses; NaN where `outcome` says that there is no fit.

    Attributes
    ----------
    coefficients
        (G, p).
    covariance
        (G, p (p + 1) / 2) lower triangles, row by row, of the inverse of the expected information, given theta.
    theta, theta_se
        (G,) 1 / dispersion and its standard error from the observed information; infinite and NaN at the Poisson limit.
    loglik
        (G,) log-likelihoods.
    outcome
        (G,) see `records.Outcome`.
    """

    coefficients: FloatArray
    covariance: FloatArray
    theta: FloatArray
    theta_se: FloatArray
    loglik: FloatArray
    outcome: IntArray


def glm_nb(
    counts: FloatArray, offset: FloatArray, matrix: FloatArray, dispersion: FloatArray | None = None
) -> ThetaFits:
    """Fit log mu = offset + X beta, with variances mu + mu^2 / theta.

    Parameters
    ----------
    counts
        (G, n) whole numbers.
    offset
        (1, n) or (G, n).
    matrix
        X (n, p), of full rank.
    dispersion
        (G,) given 1 / theta; 0 is the Poisson distribution. None: estimated.

    Notes
    -----
    R counterpart: MASS::glm.nb.
    """
    fits = fixed_effects(counts, offset, matrix, dispersion)
    outcome = fits.outcome.copy()
    outcome[outcome == Outcome.SINGULAR] = Outcome.CONVERGED
    mu = np.exp(offset + fits.coefficients @ matrix.T)
    alpha = fits.dispersion[:, np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = 1.0 / alpha
        own = polygamma(1, theta) - polygamma(1, counts + theta) - alpha
        information = (own + 2.0 / (mu + theta) - (counts + theta) / (mu + theta) ** 2).sum(axis=1)
        theta_se = np.where(information > 0.0, 1.0 / np.sqrt(np.abs(information)), np.nan)
    return ThetaFits(
        coefficients=fits.coefficients,
        covariance=_expected(matrix, mu / (1.0 + alpha * mu)),
        theta=theta[:, 0],
        theta_se=as_float(theta_se),
        loglik=fits.loglik,
        outcome=outcome,
    )


def _expected(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the lower triangles of the inverses of X'WX for weights (G, n)."""
    information = np.einsum("ni,gn,nj->gij", matrix, weights, matrix)
    out = np.full_like(information, np.nan)
    usable = np.isfinite(information).all(axis=(1, 2))
    out[usable] = np.linalg.inv(information[usable])
    return packed(out)
