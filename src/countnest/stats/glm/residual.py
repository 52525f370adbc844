"""Residuals of negative binomial fits.

Sources: Pierce and Schafer (1986), doi:10.1080/01621459.1986.10478361; Dunn and Smyth (1996),
doi:10.1080/10618600.1996.10474708.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float

__all__ = [
    "deviance_residuals",
    "nb_variance",
    "pearson_residuals",
    "quantile_residuals",
    "quantiles_at",
    "raw_residuals",
    "shares_within",
    "unit_deviances",
]

# Beyond about 37 standard deviations a tail is smaller than the smallest number.
SMALLEST = float(np.finfo(np.float64).tiny)
# Ratios of counts and means below this are not taken as one less a difference, which would have lost their digits.
SMALL_RATIO = 1e-8
# Deviances at this dispersion are those of the Poisson distribution to the last digit.
POISSON = 1e-300


def nb_variance(mu: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return mu + alpha mu^2 (G, n) for means (G, n) and dispersions (G,)."""
    return mu + alpha[:, np.newaxis] * mu**2


def raw_residuals(counts: FloatArray, mu: FloatArray) -> FloatArray:
    """Return y - mu (G, n)."""
    return counts - mu


def pearson_residuals(counts: FloatArray, mu: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return (y - mu) / sqrt(mu + alpha mu^2), (G, n).

    Parameters
    ----------
    counts, mu
        (G, n) counts and fitted means, size factors included.
    alpha
        (G,) dispersions.

    Notes
    -----
    R counterpart: stats::residuals(type = "pearson") of MASS::negative.binomial.
    """
    return (counts - mu) / np.sqrt(nb_variance(mu, alpha))


def deviance_residuals(counts: FloatArray, mu: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the signed roots of the contributions to the deviance, (G, n); arguments as in `pearson_residuals`.

    Notes
    -----
    R counterpart: stats::residuals(type = "deviance") of MASS::negative.binomial.
    """
    return np.sign(counts - mu) * np.sqrt(unit_deviances(counts, mu, alpha))


def unit_deviances(counts: FloatArray, mu: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the contributions to the deviance, (G, n); arguments as in `pearson_residuals`.

    With r = 1 / alpha a contribution is 2 (y log(y / mu) - (y + r) log((y + r) / (mu + r))). It is summed from two
    terms that cannot be negative and are no differences of large numbers.
    """
    size = 1.0 / np.maximum(alpha, POISSON)[:, np.newaxis]
    excess = (counts - mu) / (mu + size)
    gap = size * excess
    with np.errstate(divide="ignore", invalid="ignore"):
        of_mean = _log_ratio(excess, (counts + size) / (mu + size))
        own = _log_ratio(-gap / counts, mu / counts * ((counts + size) / (mu + size)))
        of_counts = np.where(counts > 0, -counts * own - gap, -gap)
    contribution = of_counts + size * (excess - of_mean)
    return np.asarray(2.0 * np.maximum(contribution, 0.0))


def _log_ratio(difference: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return the logarithms of ratios, from their differences from one where these have more digits."""
    far = ratio < SMALL_RATIO
    return np.where(far, np.log(ratio), np.log1p(np.where(far, 0.0, difference)))


def quantile_residuals(
    counts: FloatArray, mu: FloatArray, alpha: FloatArray, rng: np.random.Generator | None
) -> FloatArray:
    """Return the normal quantiles of uniform draws between P(Y < y) and P(Y <= y), (G, n).

    Under the model they are independent standard normal variables, but for the fitting of the means.

    Parameters
    ----------
    counts, mu, alpha
        As in `pearson_residuals`; a dispersion of 0 is the Poisson distribution.
    rng
        Source of the draws; None: the middle of each interval.

    Notes
    -----
    Each residual is computed from the smaller tail. It stays within 37.5, where the tail underflows.

    R counterpart: statmod::qresiduals.
    """
    return quantiles_at(counts, mu, alpha, shares_within((len(counts), counts.shape[1]), rng))


def shares_within(shape: tuple[int, int], rng: np.random.Generator | None) -> FloatArray:
    """Return how far up the step of its distribution each count is taken, (G, n); without `rng` the middle."""
    return np.full(shape, 0.5) if rng is None else rng.random(shape)


def quantiles_at(counts: FloatArray, mu: FloatArray, alpha: FloatArray, share: FloatArray) -> FloatArray:
    """Return quantile residuals (G, n) at these shares (G, n) of the steps; arguments as in `quantile_residuals`."""
    below, up_to, above, from_here = _tails(counts, mu, alpha)
    lower = below + share * (up_to - below)
    upper = above + (1.0 - share) * (from_here - above)
    found = np.where(
        lower <= upper,
        scipy.special.ndtri(np.maximum(lower, SMALLEST)),
        -scipy.special.ndtri(np.maximum(upper, SMALLEST)),
    )
    return np.where(np.isnan(mu), np.nan, found)


def _tails(counts: FloatArray, mu: FloatArray, alpha: FloatArray) -> tuple[FloatArray, ...]:
    """Return P(Y < y), P(Y <= y), P(Y > y) and P(Y >= y), (G, n) each."""
    first, poisson = np.maximum(counts, 1.0), np.broadcast_to(alpha[:, np.newaxis] == 0.0, counts.shape)
    size = np.broadcast_to(1.0 / np.where(alpha == 0.0, 1.0, alpha)[:, np.newaxis], counts.shape)
    chance = mu / (size + mu)
    found = [
        scipy.special.betaincc(first, size, chance),
        scipy.special.betainc(size, counts + 1.0, size / (size + mu)),
        scipy.special.betainc(counts + 1.0, size, chance),
        scipy.special.betainc(first, size, chance),
    ]
    if poisson.any():
        upper, lower = scipy.special.gammaincc, scipy.special.gammainc
        own = upper(first, mu), upper(counts + 1.0, mu), lower(counts + 1.0, mu), lower(first, mu)
        found = [np.where(poisson, each, other) for each, other in zip(own, found, strict=True)]
    below, up_to, above, from_here = found
    ends = np.where(counts > 0, below, 0.0), up_to, above, np.where(counts > 0, from_here, 1.0)
    return tuple(as_float(each) for each in ends)
