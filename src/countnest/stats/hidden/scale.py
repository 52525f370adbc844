"""The scale of the null distribution: whether the p-values of a study are as small together as chance makes them.

Source: the empirical null of Efron (2004), doi:10.1198/016214504000000089, with its width estimated from the centre of
the z-values and its mean kept at zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float

__all__ = ["FEWEST_GENES", "MIN_MEAN", "REAL_EFFECTS", "NullScale", "null_scale", "scaled_p_values", "scaling"]

# Genes with a larger mean of normalized counts are used: with fewer counts p-values are not uniform.
MIN_MEAN = 5.0
# z-values within this are used: beyond it, real effects are more frequent than genes without.
CENTRE = 2.5
# With fewer genes there is no scale.
FEWEST_GENES = 200
# Where the scale is searched; one beyond the upper end is the upper end.
LOWEST, HIGHEST = 0.3, 20.0
# After which the scale is known to rounding.
HALVINGS = 55
# The scale that a tenth of real effects makes of p-values without fault.
REAL_EFFECTS = 1.1


@dataclass(frozen=True, slots=True)
class NullScale:
    """The scale of the null distribution.

    Attributes
    ----------
    value
        The standard deviation of the z-values of genes without effect, 1 in theory; 1 with fewer than 200 genes.
    n_genes
        The number of genes that it was estimated from.
    """

    value: float
    n_genes: int

    @property
    def is_known(self) -> bool:
        """Whether there were genes enough."""
        return self.n_genes >= FEWEST_GENES


def null_scale(p_values: FloatArray, mean: FloatArray) -> NullScale:
    """Return the scale of the null distribution of p-values (G,) of two-sided tests, before any adjustment.

    z is the upper normal quantile of p / 2. The scale s is that of a normal distribution which, cut off at 2.5 to
    either side, has the mean square of the z-values within these bounds:
    s^2 [1 - 2 (c/s) phi(c/s) / (2 Phi(c/s) - 1)] = mean of z^2 over |z| <= c.

    Parameters
    ----------
    p_values
        (G,), NaN where there is none.
    mean
        (G,) means of the normalized counts; genes with at most 5 are not used.

    Notes
    -----
    Independent genes of which a tenth have real effects give 1.00 to 1.09, 30 % 1.14 and 50 % 1.29; hidden factors and
    other dependences between the genes make it larger as well, and p-values alone cannot tell which it is.
    """
    with np.errstate(invalid="ignore"):
        used = p_values[(mean > MIN_MEAN) & (p_values >= 2.0 * scipy.special.ndtr(-CENTRE))]
    if len(used) < FEWEST_GENES:
        return NullScale(1.0, len(used))
    square = float(np.mean(scipy.special.ndtri(0.5 * used) ** 2))
    return NullScale(_scale_of(square), len(used))


def _scale_of(square: float) -> float:
    """Return the scale of a normal distribution that, cut off, has this mean square."""
    if square >= _mean_square(HIGHEST):
        return HIGHEST
    if square <= _mean_square(LOWEST):
        return LOWEST
    low, high = LOWEST, HIGHEST
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _mean_square(middle) < square else (low, middle)
    return 0.5 * (low + high)


def _mean_square(scale: float) -> float:
    """Return the mean square of a normal distribution of this scale, cut off at the centre."""
    end = CENTRE / scale
    density = math.exp(-0.5 * end**2) / math.sqrt(2.0 * math.pi)
    return scale**2 * (1.0 - 2.0 * end * density / math.erf(end / math.sqrt(2.0)))


def scaling(scale: NullScale) -> float:
    """Return the number by which z-values are divided: the scale beyond what a tenth of real effects makes of it.

    At least 1.
    """
    return max(1.0, scale.value / REAL_EFFECTS)


def scaled_p_values(p_values: FloatArray, divisor: float) -> FloatArray:
    """Return p-values (G,) of two-sided tests after their z-values were divided by `divisor`.

    p-values are the same to the last bit where `divisor` is 1.
    """
    if divisor == 1.0:
        return p_values
    return as_float(2.0 * scipy.special.ndtr(scipy.special.ndtri(0.5 * p_values) / divisor))
