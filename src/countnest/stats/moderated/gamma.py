"""Functions of the gamma distribution's logarithm that moderated variances need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["log_minus_digamma", "trigamma_inverse"]

# Above this argument, differences of log and digamma lose digits, and four terms of their series are exact.
SERIES = 50.0
# Beyond these values the inverse of trigamma is replaced by its limit, which differs by less than 1e-6 of it.
LARGE, SMALL = 1e7, 1e-6
TOLERANCE = 1e-8
MAX_STEPS = 50


def log_minus_digamma(z: npt.ArrayLike) -> FloatArray:
    """Return log z - digamma(z) for z > 0: minus the expected log of a gamma variable of shape z and mean 1.

    Notes
    -----
    R counterpart: statmod::logmdigamma.
    """
    z = np.asarray(z, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / z
        square = inverse * inverse
        series = 0.5 * inverse + square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0))
    small = np.minimum(z, SERIES)
    return np.where(z > SERIES, series, np.log(small) - scipy.special.digamma(small))


def trigamma_inverse(value: float) -> float:
    """Return the z > 0 at which trigamma is `value` > 0.

    The search is Newton's method on 1 / trigamma, which is convex, from below the root: it is monotone.

    Notes
    -----
    R counterpart: limma::trigammaInverse.
    """
    if value > LARGE:
        return float(1.0 / np.sqrt(value))
    if value < SMALL:
        return 1.0 / value
    z = 0.5 + 1.0 / value
    for _ in range(MAX_STEPS):
        trigamma = float(scipy.special.polygamma(1, z))
        step = trigamma * (1.0 - trigamma / value) / float(scipy.special.polygamma(2, z))
        z += step
        if -step < TOLERANCE * z:
            break
    return z
