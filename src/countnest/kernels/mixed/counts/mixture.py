"""Mixtures of normal distributions, such as posterior distributions over nodes: moments, tails and quantiles."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["ABOVE", "BELOW", "LOWER", "MEAN", "N_COLUMNS", "SD", "UPPER", "chi2_tail", "summarize"]

# Columns of what is written of a mixture: moments; probabilities to be below -t and t, and above them; the ends of an
# interval.
MEAN, SD, BELOW, ABOVE, LOWER, UPPER, N_COLUMNS = 0, 1, 2, 4, 6, 7, 8
ROOT_HALF, DENSITY = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)
# Of the search for a quantile: standard deviations beyond the outermost nodes, steps, and when it ends.
BEYOND, MAX_STEPS, CLOSE = 10.0, 100, 1e-9


@kernel
def chi2_tail(x: float, df: int) -> float:
    """Return P(X > x) of chi-square with `df` degrees of freedom, a whole number, by sums of positive terms.

    Source: DLMF 8.8.2, 8.4.6.
    """
    half = 0.5 * x
    tail = math.exp(-half)
    a, term = 1.0, half * tail
    if df % 2 == 1:
        a, term = 0.5, 2.0 * math.sqrt(half / math.pi) * tail
        tail = math.erfc(math.sqrt(half))
    while a < 0.5 * df - 0.25:
        tail += term
        a += 1.0
        term *= half / a
    return tail


@kernel
def mixture_tail(at: float, side: float, weight: FloatArray, mean: FloatArray, sd: FloatArray) -> tuple[float, float]:
    """Return the probability below (side = 1) or above (-1) a value in a mixture (N,), and the density there."""
    tail, density = 0.0, 0.0
    for i in range(weight.shape[0]):
        z = (at - mean[i]) / sd[i]
        tail += weight[i] * 0.5 * math.erfc(-side * z * ROOT_HALF)
        density += weight[i] * DENSITY * math.exp(-0.5 * z * z) / sd[i]
    return tail, density


@kernel
def mixture_quantile(level: float, weight: FloatArray, mean: FloatArray, sd: FloatArray) -> float:
    """Return the value that a mixture is below with probability `level`, by Newton's method between brackets."""
    low, high, centre = math.inf, -math.inf, 0.0
    for i in range(weight.shape[0]):
        low = min(low, mean[i] - BEYOND * sd[i])
        high = max(high, mean[i] + BEYOND * sd[i])
        centre += weight[i] * mean[i]
    at, width = centre, high - low
    for _ in range(MAX_STEPS):
        below, density = mixture_tail(at, 1.0, weight, mean, sd)
        if below < level:
            low = at
        else:
            high = at
        new = at + (level - below) / density if density > 0.0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        if not abs(new - at) > CLOSE * width:
            return new
        at = new
    return at


@kernel
def summarize(
    threshold: float, level: float, weight: FloatArray, mean: FloatArray, sd: FloatArray, row_out: FloatArray
) -> None:
    """Write moments, tails beyond +-threshold, and, at a level above 0, quantiles of a mixture into `row_out` (8,)."""
    centre, square = 0.0, 0.0
    for i in range(weight.shape[0]):
        centre += weight[i] * mean[i]
    for i in range(weight.shape[0]):
        away = mean[i] - centre
        square += weight[i] * (away * away + sd[i] * sd[i])
    row_out[MEAN], row_out[SD] = centre, math.sqrt(square)
    for k in range(2):
        at = (2.0 * k - 1.0) * threshold
        row_out[BELOW + k], _ = mixture_tail(at, 1.0, weight, mean, sd)
        row_out[ABOVE + k], _ = mixture_tail(at, -1.0, weight, mean, sd)
        row_out[LOWER + k] = math.nan
        if level > 0.0:
            row_out[LOWER + k] = mixture_quantile(0.5 + (k - 0.5) * level, weight, mean, sd)
