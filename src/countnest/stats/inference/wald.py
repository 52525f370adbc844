"""Wald tests of one contrast, against zero or a threshold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError
from countnest.options import AltHypothesis
from countnest.remedies import advised, option

__all__ = ["joint_wald_test", "wald_test"]

Tail = Callable[[FloatArray], FloatArray]

# The mean of a normal tail over a null interval of up to one standard error to either side of its middle is computed
# with this number of Gauss-Legendre nodes, which is exact to rounding there; over a longer one from its integral.
N_NODES = 32


def wald_test(
    estimate: FloatArray,
    se: FloatArray,
    *,
    threshold: float = 0.0,
    alternative: AltHypothesis = "greaterAbs",
    df: float | FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the statistics and p-values (G,) of estimates (G,) with standard errors (G,).

    Parameters
    ----------
    estimate, se
        On the same scale as `threshold`.
    threshold
        T >= 0.
    alternative
        "greaterAbs": |b| > T, the p-value averaged over the two ends of the null interval; "greaterAbs2014": the same
        by the p-value of the nearer end doubled; "greaterAbsUPSHOT": the same averaged over the whole null interval;
        "lessAbs": |b| < T; "greater": b > T; "less": b < -T.
    df
        Degrees of freedom of the t distribution; None: the normal.

    Raises
    ------
    OptionError
        If `alternative` is "greaterAbsUPSHOT" and `df` is given: that test is defined for the normal distribution.

    Notes
    -----
    R counterpart: DESeq2::results(lfcThreshold=, altHypothesis=).
    """
    if alternative == "greaterAbsUPSHOT" and df is not None:
        raise OptionError(
            f"{option('alt_hypothesis', 'greaterAbsUPSHOT')} is defined for normal test statistics, not for the t "
            "distribution: fit "
            + advised(
                "with use_t=False and test with kind='wald', or use ",
                "without --use-t, ask without --query-test t, or use ",
            )
            + f"{option('alt_hypothesis', 'greaterAbs')}."
        )
    upper = _normal_tail if df is None else partial(_t_tail, df=df)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _ALTERNATIVES[alternative](estimate, se, threshold, upper)


def joint_wald_test(
    estimate: FloatArray, covariance: FloatArray, *, df: float | FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the statistics and p-values (G,) of the hypothesis that k linearly independent contrasts are all zero.

    W = b' V^-1 b is compared with chi-square on k degrees of freedom; with `df`, W / k with F on k and `df`.

    Parameters
    ----------
    estimate
        b, (G, k).
    covariance
        V, (G, k, k).
    df
        Residual degrees of freedom; None: chi-square.
    """
    k = estimate.shape[1]
    statistic = np.full(len(estimate), np.nan)
    usable = np.isfinite(covariance).all(axis=(1, 2))
    b, v = estimate[usable], covariance[usable]
    try:
        solved = np.linalg.solve(v, b[:, :, np.newaxis])[:, :, 0]
    except np.linalg.LinAlgError:  # a gene whose contrasts are tied to the last bit
        solved = np.einsum("gij,gj->gi", np.linalg.pinv(v, hermitian=True), b)
    statistic[usable] = np.einsum("gk,gk->g", b, solved)
    at_least_zero = np.maximum(statistic, 0.0)  # but for rounding it is
    if df is None:
        return statistic, scipy.special.chdtrc(k, at_least_zero)
    return statistic / k, as_float(scipy.special.fdtrc(k, df, at_least_zero / k))


def _normal_tail(x: FloatArray) -> FloatArray:
    return as_float(scipy.special.ndtr(-x))


def _t_tail(x: FloatArray, *, df: float | FloatArray) -> FloatArray:
    return as_float(scipy.special.stdtr(df, -x))


def _greater_abs(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    size = np.abs(b)
    if t == 0:
        return b / s, 2.0 * upper(size / s)
    return b / s, np.minimum(upper((size - t) / s) + upper((size + t) / s), 1.0)


def _greater_abs_2014(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    excess = (np.abs(b) - t) / s
    return np.sign(b) * np.maximum(excess, 0.0), np.minimum(1.0, 2.0 * upper(excess))


def _greater_abs_upshot(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    """Test |b| > T by the mean of the two-sided p-values against every value of the null interval.

    With Q the upper tail it is 2 Q(z) averaged over z from (|b| - T) / s to (|b| + T) / s. Both forms of it add up
    terms of one sign, or differ in their leading digits, so that p-values far out keep their digits.
    """
    if t == 0:
        return _greater_abs(b, s, t, upper)
    size, half = np.abs(b) / s, np.broadcast_to(t / s, b.shape)
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    p_value = upper(size[:, np.newaxis] + np.minimum(half, 1.0)[:, np.newaxis] * nodes) @ weights
    long = half > 1.0
    from_below, to_above = (_normal_tail_integral(size[long] + sign * half[long]) for sign in (-1.0, 1.0))
    p_value[long] = (from_below - to_above) / half[long]
    return b / s, np.minimum(p_value, 1.0)


def _normal_tail_integral(x: FloatArray) -> FloatArray:
    """Return the integral of the upper normal tail from `x` on: phi(x) - x Q(x)."""
    size = np.abs(x)
    mills = np.sqrt(0.5 * np.pi) * scipy.special.erfcx(size / np.sqrt(2.0))
    beyond: FloatArray = np.exp(-0.5 * size**2) / np.sqrt(2.0 * np.pi) * (1.0 - size * mills)
    return np.where(x < 0, beyond + size, beyond)


def _less_abs(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    above, below = (t - b) / s, (b + t) / s
    statistic = np.minimum(np.maximum(above, 0.0), np.maximum(below, 0.0))
    return statistic, np.maximum(upper(above), upper(below))


def _greater(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    excess = (b - t) / s
    return np.maximum(excess, 0.0), upper(excess)


def _less(b: FloatArray, s: FloatArray, t: float, upper: Tail) -> tuple[FloatArray, FloatArray]:
    return np.minimum((b + t) / s, 0.0), upper((-t - b) / s)


_ALTERNATIVES = {
    "greaterAbs": _greater_abs,
    "greaterAbs2014": _greater_abs_2014,
    "greaterAbsUPSHOT": _greater_abs_upshot,
    "lessAbs": _less_abs,
    "greater": _greater,
    "less": _less,
}
