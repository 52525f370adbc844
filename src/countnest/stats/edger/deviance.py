"""Deviances of negative binomial counts, exact and as edgeR computes them. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["deviance", "unit_deviances"]

# edgeR adds the first to counts and means, has a series below the second, and a limit where the dispersion times the
# mean is beyond the third.
ADDED, SMALL, LARGE = 1e-8, 1e-4, 1e6


def deviance(
    counts: FloatArray,
    mu: FloatArray,
    dispersion: float | FloatArray,
    weights: FloatArray | None = None,
    *,
    as_in_r: bool = False,
) -> FloatArray:
    """Return the deviances (G,), sums of weights times unit deviances; see `unit_deviances`.

    Parameters
    ----------
    dispersion
        One number, or (G,).
    weights
        (G, n) observation weights; None: all one.
    """
    by_gene = np.asarray(dispersion, dtype=np.float64).reshape(-1, 1)
    units = unit_deviances(counts, mu, by_gene, as_in_r=as_in_r)
    return as_float((units if weights is None else weights * units).sum(axis=1))


def unit_deviances(
    counts: FloatArray, mu: FloatArray, dispersion: float | FloatArray, *, as_in_r: bool = False
) -> FloatArray:
    """Return the unit deviances (G, n).

    Parameters
    ----------
    counts, mu
        (G, n) counts, fractions allowed, and fitted means.
    dispersion
        One number, (G, 1) or (G, n); 0 is the Poisson distribution.
    as_in_r
        Whether counts and means are 1e-8 larger, and dispersions below 1e-4 have R's series, which leaves out a term
        of third order: that of large counts is wrong.

    Notes
    -----
    R counterpart: edgeR::nbinomUnitDeviance.
    """
    if as_in_r:
        return _as_in_r(counts + ADDED, mu + ADDED, np.asarray(dispersion, dtype=np.float64))
    # summed from two terms that cannot be negative, and are no differences of large numbers
    share = dispersion * mu / (1.0 + dispersion * mu)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(mu > 0, share * (counts - mu) / mu, 0.0)
        gap = np.where(mu > 0, (counts - mu) * (1.0 - share), 0.0)
        ratio = mu * (1.0 + dispersion * counts) / (counts * (1.0 + dispersion * mu))
        logs = np.where(ratio < 0.5, np.log(ratio), np.log1p(-gap / counts))
        of_counts = np.where(counts > 0, -counts * logs - gap, -gap)
        of_size = np.where(dispersion > 0, (excess - np.log1p(excess)) / dispersion, 0.0)
    missing = np.where(np.isnan(mu), np.nan, 0.0)
    return np.asarray(2.0 * np.maximum(of_counts + of_size, 0.0) + missing)


def _as_in_r(y: FloatArray, mu: FloatArray, phi: FloatArray) -> FloatArray:
    """Return unit deviances by R's formulas, of counts and means that cannot be zero."""
    size = 1.0 / np.maximum(phi, SMALL)
    above, logs = y - mu, np.log(y / mu)
    small = y * logs - above - 0.5 * above**2 * phi * (1.0 - phi * y)
    large = (above / mu - logs) * mu / (1.0 + mu * phi)
    usual = y * logs + (y + size) * np.log((mu + size) / (y + size))
    found = np.where(phi < SMALL, small, np.where(mu * phi > LARGE, large, usual))
    return np.asarray(2.0 * np.maximum(found, 0.0))
