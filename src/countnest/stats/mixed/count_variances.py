"""Shares of the variance in mixed models of counts, on the latent (log) scale. G genes, t variance parameters.

Source: Nakagawa, Johnson and Schielzeth (2017), doi:10.1098/rsif.2017.0213: the variance of a count on the log scale is
the trigamma function at 1 / (1 / mean + dispersion), that of the logarithm of a gamma variable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.mixed.count_records import CountMixedFits, QuasiFits
from countnest.stats.mixed.covariances import gamma_of, jacobian_of
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import LinearMixedFits, MixedModel
from countnest.stats.mixed.shares import Shares, share_intervals, term_slopes

__all__ = ["count_shares", "observation_variance"]


def observation_variance(fits: CountMixedFits | QuasiFits, mean: FloatArray) -> FloatArray:
    """Return the variance (G,) of the logarithm of counts with this mean, natural log squared.

    By quasi-likelihood counts have the factor of their fits times the variance of the family.

    Notes
    -----
    R counterpart: MuMIn::r.squaredGLMM, method "trigamma".
    """
    return as_float(scipy.special.polygamma(1, 1.0 / _spread(fits, mean)))


def _spread(fits: CountMixedFits | QuasiFits, mean: FloatArray) -> FloatArray:
    """Return the variance (G,) of counts over the square of their mean."""
    scale = fits.residual**2 if isinstance(fits, QuasiFits) else np.ones(len(mean))
    with np.errstate(divide="ignore", invalid="ignore"):  # genes without a fit
        return as_float(scale * (1.0 / mean + fits.dispersion))


def count_shares(
    model: MixedModel, fits: CountMixedFits | QuasiFits, mean: FloatArray, *, level: float = 0.95
) -> Shares:
    """Return the share of each part in the variance of an average sample, on the log scale.

    The parts are the fixed effects, the random terms, and the counts themselves: their variance about their means.

    Parameters
    ----------
    mean
        (G,) the mean count at which counts vary about their means.

    Notes
    -----
    Intervals are by the delta method on the scale of log odds, from the standard errors of theta, of the log dispersion
    and of the coefficients, as if these were independent. Fits by quasi-likelihood have none.
    """
    latent = _as_linear(fits)
    slopes = term_slopes(model)
    centred = model.matrix - model.matrix.mean(axis=0)
    by_coefficient = np.einsum("gk,kj->gj", fits.coefficients, centred.T @ centred / (len(centred) - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # genes without a fit
        of_counts = observation_variance(fits, mean)
    of_fixed = np.einsum("gk,gk->g", by_coefficient, fits.coefficients)
    values = np.column_stack([of_fixed, np.einsum("gr,jr->gj", gamma_of(latent, model), slopes), of_counts])
    total = values.sum(axis=1, keepdims=True)
    share = as_float(values / total)
    if isinstance(fits, QuasiFits):
        unknown = np.full(share.shape, np.nan)
        return Shares(share, unknown, unknown)
    z = float(scipy.special.ndtri(0.5 + level / 2.0))
    covariance = np.zeros((len(mean), share.shape[1], share.shape[1]))
    covariance[:, 0, 0] = 4.0 * np.einsum("gj,gjk,gk->g", by_coefficient, square(fits.covariance), by_coefficient)
    reach = z * fits.theta_se
    most = slopes.sum(axis=0) * reach**2  # what a variance of zero may be
    at_zero = 0.5 * reach * total / (total + most)
    to_terms = np.einsum("jr,gri->gji", slopes, _derivatives(latent, model, as_float(at_zero)))
    covariance[:, 1:-1, 1:-1] = np.einsum("gji,gi,gki->gjk", to_terms, fits.theta_se**2, to_terms)
    covariance[:, -1, -1] = _variance_of_counts(fits, _spread(fits, mean))
    to_share = (np.eye(share.shape[1]) - share[:, :, np.newaxis]) / total[:, :, np.newaxis]
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.einsum("gij,gjk,gik->gi", to_share, covariance, to_share))
        low, high = share_intervals(share, z * se)
    return Shares(share, low, high)


def _as_linear(fits: CountMixedFits | QuasiFits) -> LinearMixedFits:
    """Return the variance parameters as those of a linear mixed model with a residual variance of one."""
    none = np.zeros(len(fits.theta))
    return LinearMixedFits(fits.coefficients, fits.theta, none + 1.0, none, fits.outcome)


def _derivatives(latent: LinearMixedFits, model: MixedModel, at_zero: FloatArray) -> FloatArray:
    """Return the derivatives (G, t, t) of the covariances (rows) in theta, taken `at_zero` where it is zero.

    A variance of zero has none. There the interval of its share ends where that of theta does, which takes the
    derivative at half of that end, less for a variance that would not be small beside the others.
    """
    nowhere = (latent.theta == 0.0) & np.isfinite(at_zero)
    return jacobian_of(replace(latent, theta=as_float(np.where(nowhere, at_zero, latent.theta))), model)


def _variance_of_counts(fits: CountMixedFits, spread: FloatArray) -> FloatArray:
    """Return the variance (G,) of the variance of counts on the log scale; 0 where the dispersion is known or zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = -scipy.special.polygamma(2, 1.0 / spread) / spread**2 * fits.dispersion
    return as_float(np.where(np.isfinite(fits.log_dispersion_se), (slope * fits.log_dispersion_se) ** 2, 0.0))
