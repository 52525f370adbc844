"""The scaled-F prior of variances, and the variances that a posterior distribution gives.

A gene's variance s^2 on d degrees of freedom estimates sigma^2, and d0 s0^2 / sigma^2 is chi-square on d0 degrees of
freedom: genes have variances around s0^2, more alike the larger d0 is. Then s^2 / s0^2 is F on d and d0, and the
posterior variance is (d s^2 + d0 s0^2) / (d + d0).

Source: Smyth (2004), doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["ModeratedVariances", "ScaledFPrior", "averaged", "interpolated"]


@dataclass(frozen=True, slots=True, eq=False)
class ScaledFPrior:
    """Degrees of freedom d0 >= 0, infinite where all genes have the variance s0^2, and variances s0^2.

    Each is one number, or by gene (G,): d0 where it was estimated robustly, s0^2 where it follows a covariate.
    """

    df: float | FloatArray
    variance: float | FloatArray

    def posterior(self, variance: FloatArray, df: FloatArray) -> FloatArray:
        """Return the posterior variances (G,) of variances on `df` degrees of freedom, (G,) each.

        A gene without degrees of freedom has the variance of the prior; one with a missing variance is missing.
        """
        d0, s0 = np.broadcast_arrays(self.df, self.variance)
        own = np.where(df > 0, variance, 0.0)
        with np.errstate(invalid="ignore"):
            found = (df * own + np.where(d0 > 0, d0 * s0, 0.0)) / (df + d0)
        found = np.where(np.isposinf(d0) | (df + d0 == 0), s0, found)
        return np.where(np.isnan(own) | np.isnan(df), np.nan, found)


def interpolated(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Return the piecewise linear curve through the points (x, y) in any order, at `at`; flat beyond the ends.

    Values at equal `x` are averaged.
    """
    return np.interp(at, *averaged(x, y))


def averaged(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distinct values of `x` (m,), ascending, and the mean of `y` (m,) at each."""
    distinct, place = np.unique(x, return_inverse=True)
    return distinct, np.bincount(place, weights=y) / np.bincount(place)


@dataclass(frozen=True, slots=True, eq=False)
class ModeratedVariances:
    """Posterior variances (G,) of variances on `own_df` degrees of freedom (G,), and the prior."""

    variance: FloatArray
    own_df: FloatArray
    prior: ScaledFPrior

    @property
    def df(self) -> FloatArray:
        """(G,) degrees of freedom of the posterior variances: at most those that all genes have together."""
        return np.minimum(self.own_df + self.prior.df, np.nansum(self.own_df))
