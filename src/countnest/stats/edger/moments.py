"""Mean and variance of unit deviances of negative binomial counts, summed over the distribution.

Counts up to about 32 are summed one by one. Beyond, the sum over all counts equals an integral but for less than
rounding, for a smooth function that is wide; and the integral over log y is a sum over evenly spaced points for the
same reason. A smooth share takes counts from the sum to the integral, so that neither has an end.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["deviance_moments", "exact_deviance", "stirling_remainder"]

# The share of log y that is left to the sum over counts: half at HALF, on either side of which it changes over WIDTH.
# All counts below ALL are summed, and the integral begins at FIRST.
HALF, WIDTH, FIRST, ALL = float(np.log(32.0)), 0.3, 4.0, 256
# Standard deviations, and means, that the distribution reaches to either side; points in a standard deviation.
DEVIATIONS, MEANS, POINTS = 11.0, 45.0, 2.2
LARGEST_STEP = 0.09
# Means that are worked on together.
BLOCK = 40
HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))


def deviance_moments(mean: FloatArray, dispersion: float) -> tuple[FloatArray, FloatArray]:
    """Return alpha = 2 E / V and kappa = 2 E^2 / V of unit deviances with mean E and variance V, (k,) each.

    Parameters
    ----------
    mean
        (k,) means of the counts, ascending, up to 1e10.
    dispersion
        0 or more.
    """
    parts = [_moments(mean[i : i + BLOCK, np.newaxis], dispersion) for i in range(0, len(mean), BLOCK)]
    total, first, second = np.concatenate(parts, axis=1)
    expected = first / total
    variance = second / total - expected**2
    return 2.0 * expected / variance, 2.0 * expected**2 / variance


def _moments(mean: FloatArray, dispersion: float) -> FloatArray:
    """Return sums (3, k) of the probability, and of it times the unit deviance and its square; means (k, 1)."""
    spread = np.sqrt(mean * (1.0 + dispersion * mean))
    last = mean + DEVIATIONS * spread + MEANS * (1.0 + dispersion * mean)
    n_summed = int(min(ALL, last.max() + 1.0))
    y = np.arange(n_summed, dtype=np.float64)
    share = np.ones(n_summed)
    if n_summed == ALL:
        share[1:] = _summed_share(np.log(y[1:]))
    share[1:] *= _saturated(y[1:], dispersion)
    found = _sums(exact_deviance(y, mean, dispersion), share)
    if n_summed < ALL:
        return found
    begin = np.log(np.maximum(mean - DEVIATIONS * spread, FIRST))
    length = np.maximum(np.log(last) - begin, 0.0)
    step = np.minimum(LARGEST_STEP, spread / mean / POINTS)
    n_points = int((length / step).max()) + 2
    log_y = begin + length * np.linspace(0.0, 1.0, n_points)
    y = np.exp(log_y)
    share = _saturated(y, dispersion) * (1.0 - _summed_share(log_y)) * y * length / (n_points - 1)
    return found + _sums(exact_deviance(y, mean, dispersion), share)


def _sums(deviance: FloatArray, saturated: FloatArray) -> FloatArray:
    """Return the sums over counts; the probability is that of the mean y, `saturated`, times exp(-deviance / 2)."""
    chance = saturated * np.exp(-0.5 * deviance)
    return np.stack([chance.sum(axis=1), (chance * deviance).sum(axis=1), (chance * deviance**2).sum(axis=1)])


def _summed_share(log_y: FloatArray) -> FloatArray:
    return np.asarray(0.5 * scipy.special.erfc((log_y - HALF) / WIDTH))


def _saturated(y: FloatArray, dispersion: float) -> FloatArray:
    """Return the probability of y > 0 where it is the mean."""
    if dispersion == 0.0:
        return np.asarray(np.exp(-stirling_remainder(y) - HALF_LOG_2PI) / np.sqrt(y))
    size = 1.0 / dispersion
    logs = stirling_remainder(y + size) - stirling_remainder(np.array([size])) - stirling_remainder(y) - HALF_LOG_2PI
    return np.asarray(np.exp(logs) / np.sqrt(y * (1.0 + dispersion * y)))


def stirling_remainder(x: FloatArray) -> FloatArray:
    """Return what log gamma(x) has beyond (x - 1/2) log x - x + log(2 pi) / 2."""
    z = np.maximum(x, 16.0)
    inverse = 1.0 / z**2
    terms = (1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156)
    found = np.asarray(np.polyval(terms[::-1], inverse) / z)
    few = x < 16.0
    small = x[few]
    found[few] = scipy.special.gammaln(small) - ((small - 0.5) * np.log(small) - small + HALF_LOG_2PI)
    return found


def exact_deviance(y: FloatArray, mean: FloatArray, dispersion: float) -> FloatArray:
    """Return unit deviances, arrays of y >= 0 and mean > 0 broadcast, with nearly all of their digits."""
    above = y - mean
    of_counts = mean * _excess(above / mean)
    if dispersion == 0.0:
        return 2.0 * of_counts
    size = 1.0 / dispersion
    narrow = of_counts - (mean + size) * _excess(above / (mean + size))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size * above / (mean * (y + size))
        low = np.where(above < -0.5 * mean, np.log((y + size) / (mean + size)), np.log1p(above / (mean + size)))
        wide = np.where(y > 0, y * np.log1p(np.maximum(ratio, -1.0)), 0.0) - size * low
    return np.asarray(2.0 * np.maximum(np.where(mean * dispersion > 1.0, wide, narrow), 0.0))


def _excess(x: FloatArray) -> FloatArray:
    """Return (1 + x) log(1 + x) - x for x >= -1, by its series near 0."""
    z = np.clip(x, -0.02, 0.02)
    terms = [(-1.0) ** i / (i * (i - 1)) for i in range(2, 12)]
    near = np.polyval(terms[::-1], z) * z**2
    far = np.where(x > -1.0, (1.0 + x) * np.log1p(np.maximum(x, -1.0 + 1e-16)) - x, 1.0)
    return np.asarray(np.where(x == z, near, far))
