"""Tail probabilities at the nodes, averaged with posterior weights, and the statistics that they stand for.

For a normal linear model with a scaled inverse chi-square prior this average is the p-value of the moderated t or F
test; here the distribution at each node is that of a likelihood ratio, and the weights are those of any prior.
Everything is kept as a logarithm until the end, so that small p-values keep their digits.

Sources: Ignatiadis and Sen (2023), arXiv:2303.02887; Smyth (2004), doi:10.2202/1544-6115.1027, the normal case.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float

__all__ = ["averaged", "averaged_reach", "chi2_log_tail", "chi2_statistic", "normal_log_tail", "normal_statistic"]

LN2 = float(np.log(2.0))
# Below this tail probability the incomplete gamma function loses its digits, and a continued fraction takes over.
SMALLEST_TAIL = 1e-250
FRACTION_TERMS, NEWTON_STEPS, REACH_STEPS = 300, 50, 100
# An interval ends where another step would move it by less than this fraction of its length.
ENOUGH = 1e-12


def averaged(weights: FloatArray, log_tails: FloatArray) -> FloatArray:
    """Return log sum_k w_k exp(log_tail_k) of weights and log tails (G, K), as (G,); NaN where one is missing."""
    with np.errstate(divide="ignore"):
        terms = np.log(weights) + log_tails
    largest = terms.max(axis=1)
    with np.errstate(invalid="ignore"):
        total = np.exp(terms - np.where(np.isfinite(largest), largest, 0.0)[:, np.newaxis]).sum(axis=1)
        with np.errstate(divide="ignore"):
            return as_float(np.where(largest == -np.inf, -np.inf, largest + np.log(total)))


def normal_log_tail(z: FloatArray) -> FloatArray:
    """Return log P(Z > z) of the standard normal."""
    return as_float(scipy.special.log_ndtr(-z))


def normal_statistic(log_tail: FloatArray) -> FloatArray:
    """Return the standard normal quantiles z with log P(Z > z) = `log_tail`."""
    return as_float(-scipy.special.ndtri_exp(log_tail))


def chi2_log_tail(df: int, x: FloatArray) -> FloatArray:
    """Return log P(X > x) of chi-square with `df` degrees of freedom, for x >= 0 however large."""
    if df == 1:
        return as_float(LN2 + scipy.special.log_ndtr(-np.sqrt(x)))
    tail = scipy.special.chdtrc(df, x)
    small = tail < SMALLEST_TAIL
    with np.errstate(divide="ignore"):
        found = np.log(tail)
    if small.any():
        found[small] = _far_log_tail(df, x[small])
    return as_float(found)


def chi2_statistic(df: int, log_tail: FloatArray) -> FloatArray:
    """Return the x with log P(X > x) = `log_tail`, for chi-square with `df` degrees of freedom."""
    if df == 1:
        return normal_statistic(np.minimum(log_tail - LN2, -LN2)) ** 2
    p_value = np.exp(np.minimum(log_tail, 0.0))
    found = as_float(scipy.special.chdtri(df, p_value))
    small = p_value < SMALLEST_TAIL
    if small.any():
        found[small] = _far_statistic(df, log_tail[small])
    return found


def averaged_reach(weights: FloatArray, se: FloatArray, level: float) -> FloatArray:
    """Return half the lengths t (G,) of intervals b +- t with sum_k w_k P(Z > t / se_k) = (1 - level) / 2.

    `weights` and standard errors `se` are (G, K).
    """
    log_tail = np.log(0.5 * (1.0 - level))
    reach = normal_statistic(np.full(len(se), log_tail)) * np.sqrt((weights * se**2).sum(axis=1))
    moving = np.ones(len(se), dtype=np.bool_)  # a gene stops by itself, so that others do not count
    for _ in range(REACH_STEPS):  # Newton's method for the logarithm of the tail, which is concave
        ratio = reach[:, np.newaxis] / se
        miss = averaged(weights, normal_log_tail(ratio)) - log_tail
        with np.errstate(divide="ignore"):
            log_density = -0.5 * ratio**2 - 0.5 * np.log(2.0 * np.pi) - np.log(se)
        hazard = np.exp(averaged(weights, log_density) - averaged(weights, normal_log_tail(ratio)))
        step = np.where(moving, np.maximum(miss / hazard, -0.5 * reach), 0.0)
        reach = reach + step
        moving &= np.abs(step) > ENOUGH * reach
        if not moving.any():
            break
    return as_float(reach)


def _far_log_tail(df: int, x: FloatArray) -> FloatArray:
    """Return log P(X > x) far out, by the continued fraction of the incomplete gamma function (DLMF 8.9.2)."""
    a, half = 0.5 * df, 0.5 * x
    fraction = np.zeros_like(half)
    for k in range(FRACTION_TERMS, 0, -1):  # from the innermost term outwards
        fraction = k * (a - k) / (half + 2.0 * k + 1.0 - a + fraction)
    return as_float(a * np.log(half) - half - scipy.special.gammaln(a) - np.log(half + 1.0 - a + fraction))


def _far_statistic(df: int, log_tail: FloatArray) -> FloatArray:
    """Return the x with the log tail probabilities, far out, by Newton's method; infinite where they are."""
    found = np.full_like(log_tail, np.inf)
    usable = np.isfinite(log_tail)
    target, a = log_tail[usable], 0.5 * df
    x, moving = -2.0 * target, np.ones(len(target), dtype=np.bool_)
    for _ in range(NEWTON_STEPS):
        now = _far_log_tail(df, x)
        log_density = (a - 1.0) * np.log(0.5 * x) - 0.5 * x - scipy.special.gammaln(a) - LN2
        step = np.where(moving, (now - target) * np.exp(now - log_density), 0.0)
        x = x + step
        moving &= np.abs(step) > ENOUGH * x
        if not moving.any():
            break
    found[usable] = x
    return found
