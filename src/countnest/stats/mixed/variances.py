"""Variance components of linear mixed models: standard deviations, correlations, shares with intervals. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.mixed.general import normalized
from countnest.stats.mixed.general_tests import expected_inverse
from countnest.stats.mixed.moments import gamma_of, moments_of, relative_covariances
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome, fits_of

__all__ = ["Components", "Shares", "variance_components", "variance_shares"]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The random effects of one term: standard deviations (G, k), correlations (G, k, k), NaN at variance 0."""

    sd: FloatArray
    correlation: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Shares of the variance, with confidence intervals, (G, parts) each.

    The parts are the fixed effects, the terms of random effects in their order, and the residuals.
    """

    share: FloatArray
    low: FloatArray
    high: FloatArray


def variance_components(model: MixedModel, fits: LinearMixedFits) -> tuple[Components, ...]:
    """Return standard deviations and correlations of the random effects of each term.

    Notes
    -----
    R counterpart: lme4::VarCorr. The residual standard deviation is `fits.sigma`.
    """
    found = []
    for relative in relative_covariances(fits.theta, model):
        sd = np.sqrt(np.diagonal(relative, axis1=1, axis2=2))
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = relative / (sd[:, :, np.newaxis] * sd[:, np.newaxis, :])
        found.append(Components(as_float(sd * fits.sigma[:, np.newaxis]), as_float(correlation)))
    return tuple(found)


def variance_shares(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    *,
    level: float = 0.95,
) -> Shares:
    """Return the share of each part in the variance of an average sample.

    A term has the mean of the variances that its effects give the samples, the fixed effects the variance of their
    fitted values, and the residuals that of weight one.

    Notes
    -----
    Intervals are by the delta method on the scale of log odds, from the expected information about the variances and
    the covariance of the coefficients, which costs one evaluation a gene where profiles cost hundreds. A share of zero
    or one has no log odds: its interval reaches so many standard errors into the others. R counterpart of the shares:
    variancePartition::calcVarPart.
    """
    parts = len(model.terms) + 2
    found = Shares(*(np.full((len(y), parts), np.nan) for _ in range(3)))
    fitted = np.flatnonzero(fits.outcome < Outcome.CONSTANT)
    own, some = fits_of(fits, fitted), None if weights is None else normalized(weights)
    some = some if some is None or len(some) == 1 else some[fitted]
    moments = moments_of(y[fitted], model, some, own, restricted=True)
    inverse = expected_inverse(moments)
    slopes = _term_slopes(model)
    gamma = gamma_of(own.theta, model)
    of_terms = gamma @ slopes.T
    centred = model.matrix - model.matrix.mean(axis=0)
    spread = centred.T @ centred / (len(centred) - 1)
    by_coefficient = own.coefficients @ spread / own.sigma[:, np.newaxis]
    of_fixed = np.einsum("gk,gk->g", by_coefficient, own.coefficients) / own.sigma
    values = np.column_stack([of_fixed, of_terms, np.ones(len(fitted))])
    derivatives = np.zeros((len(fitted), parts, slopes.shape[1] + 1))
    derivatives[:, 1:, 0] = values[:, 1:]
    derivatives[:, 1:-1, 1:] = slopes
    covariance = derivatives @ inverse @ np.swapaxes(derivatives, 1, 2)
    rows = moments.whitened_each(2.0 * by_coefficient)
    covariance[:, 0, 0] += np.einsum("gk,gk->g", rows, rows)
    total = values.sum(axis=1, keepdims=True)
    share = values / total
    to_share = (np.eye(parts) - share[:, :, np.newaxis]) / total[:, :, np.newaxis]
    se = np.sqrt(np.einsum("gij,gjk,gik->gi", to_share, covariance, to_share))
    z = float(scipy.special.ndtri(0.5 + level / 2.0))
    found.share[fitted] = share
    found.low[fitted], found.high[fitted] = _interval(share, z * se)
    return found


def _interval(share: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of intervals of shares that reach so far, the reach turned to the scale of log odds."""
    inside = (share > 0) & (share < 1)
    whole = np.where(inside, share, 0.5)
    odds, step = scipy.special.logit(whole), reach / (whole * (1.0 - whole))
    low = np.where(inside, scipy.special.expit(odds - step), np.maximum(share - reach, 0.0))
    return low, np.where(inside, scipy.special.expit(odds + step), np.minimum(share + reach, 1.0))


def _term_slopes(model: MixedModel) -> FloatArray:
    """Return the mean variance (terms, t) that one unit of each entry of LL' gives the samples, term by term."""
    found = np.zeros((len(model.terms), model.n_parameters))
    first = 0
    for row, term in enumerate(model.terms):
        square = term.columns.T @ term.columns / len(term.columns)
        for column in range(term.n_columns):
            for other in range(column, term.n_columns):
                found[row, first] = square[other, column] * (1.0 if other == column else 2.0)
                first += 1
    return found
