"""Variance components of linear mixed models: standard deviations, correlations, shares with intervals. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.mixed import kenward_roger
from countnest.stats.mixed.covariances import gamma_of, relative_covariances
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import LinearMixedFits, MixedModel
from countnest.stats.mixed.scales import standardized
from countnest.stats.mixed.shares import Components, Shares, components_of, share_intervals, term_slopes
from countnest.stats.mixed.tests import df_left, parts_at
from countnest.stats.mixed.weights import normalized

__all__ = ["Signed", "signed_components", "variance_components", "variance_shares"]


@dataclass(frozen=True, slots=True, eq=False)
class Signed:
    """The variance of groups where it may be negative, and the intraclass correlation with its interval, (G,) each."""

    variance: FloatArray
    correlation: FloatArray
    low: FloatArray
    high: FloatArray


def signed_components(
    y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits, *, level: float = 0.95
) -> Signed:
    """Return the variance and the intraclass correlation of fits whose single variance may be negative.

    Notes
    -----
    The correlation is that of two samples of one group, for an average sample where the column of the term is not
    constant. Its interval is by the delta method, from the expected information, on the scale of log(1 + m ratio) with
    the m samples of the largest group, which covers the range of the ratio. In groups of m samples this is Fisher's z
    for intraclass correlations, log((1 + (m - 1) r) / (1 - r)), from r = -1 / (m - 1) to 1. Source: Fisher (1925),
    Statistical Methods for Research Workers, chapter 7. R counterpart: nlme::gls with corCompSymm, whose intervals of
    the correlation are on such a scale, too.
    """
    model, fits = standardized(model, fits)
    parts = parts_at(y, model, weights, fits, np.eye(model.matrix.shape[1])[:1])
    inverse = kenward_roger.information_inverse(parts.products, parts.traces, df_left(parts, model))
    theta, slope, largest = fits.theta[:, 0], term_slopes(model)[0, 0], _largest_group(model, weights)
    ratio, whole = theta * slope, 1.0 + theta * largest
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # genes without a fit, or without an end
        reach = float(scipy.special.ndtri(0.5 + level / 2.0)) * np.sqrt(2.0 * inverse[:, 0, 0]) * largest / whole
        low, high = ((whole * np.exp(side * reach) - 1.0) * slope / largest for side in (-1.0, 1.0))
        return Signed(
            as_float(ratio * fits.sigma**2),
            as_float(ratio / (1.0 + ratio)),
            as_float(1.0 - 1.0 / (1.0 + low)),
            as_float(1.0 - 1.0 / (1.0 + high)),
        )


def _largest_group(model: MixedModel, weights: FloatArray | None) -> FloatArray:
    """Return the largest sum (G,) or (1,) of squares of the column of a term within a group: of ones, its samples."""
    term = model.terms[0]
    squares = term.columns[:, 0] ** 2 * (1.0 if weights is None else normalized(weights))
    groups = np.eye(term.n_levels)[term.codes]
    return as_float((np.atleast_2d(squares) @ groups).max(axis=1))


def variance_components(model: MixedModel, fits: LinearMixedFits) -> tuple[Components, ...]:
    """Return standard deviations and correlations of the random effects of each term.

    Notes
    -----
    R counterpart: lme4::VarCorr. The residual standard deviation is `fits.sigma`.
    """
    return tuple(components_of(each, fits.sigma) for each in relative_covariances(fits.theta, model))


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
    n_parts, p = len(model.terms) + 2, model.matrix.shape[1]
    model, fits = standardized(model, fits)
    parts = parts_at(y, model, weights, fits, np.eye(p), joint=True)
    inverse = kenward_roger.information_inverse(parts.products, parts.traces, df_left(parts, model))
    slopes = term_slopes(model)
    centred = model.matrix - model.matrix.mean(axis=0)
    spread = centred.T @ centred / (len(centred) - 1)
    by_coefficient = np.einsum("gk,kj->gj", fits.coefficients, spread) / fits.sigma[:, np.newaxis]
    of_fixed = np.einsum("gk,gk->g", by_coefficient, fits.coefficients) / fits.sigma
    of_terms = np.einsum("gr,jr->gj", gamma_of(fits, model), slopes)
    values = np.column_stack([of_fixed, of_terms, np.ones(len(y))])
    derivatives = np.zeros((len(y), n_parts, slopes.shape[1] + 1))
    derivatives[:, 1:-1, :-1] = slopes
    derivatives[:, 1:, -1] = values[:, 1:]
    covariance = 2.0 * derivatives @ inverse @ np.swapaxes(derivatives, 1, 2)
    covariance[:, 0, 0] = 4.0 * np.einsum("gj,gjk,gk->g", by_coefficient, square(parts.covariance), by_coefficient)
    total = values.sum(axis=1, keepdims=True)
    share = values / total
    to_share = (np.eye(n_parts) - share[:, :, np.newaxis]) / total[:, :, np.newaxis]
    with np.errstate(invalid="ignore"):  # genes without a fit
        se = np.sqrt(np.einsum("gij,gjk,gik->gi", to_share, covariance, to_share))
        low, high = share_intervals(share, float(scipy.special.ndtri(0.5 + level / 2.0)) * se)
    return Shares(as_float(share), low, high)
