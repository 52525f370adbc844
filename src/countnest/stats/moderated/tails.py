"""Tails of F, t and chi-square distributions in logarithms, finite far below the smallest float.

Denominator degrees of freedom may be infinite: F on k and infinity is chi-square on k, divided by k.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["f_log_tails", "f_quantile", "log_f_tail", "log_t_tail"]

# Probabilities above this are taken from scipy; below it from a continued fraction.
SMALL = 1e-290
MAX_TERMS = 500
TINY = 1e-300


def log_f_tail(statistic: npt.ArrayLike, df: npt.ArrayLike, df_denominator: npt.ArrayLike) -> FloatArray:
    """Return log P(F > statistic) of F distributions; -inf at an infinite statistic, NaN where a value is missing.

    Parameters
    ----------
    statistic
        At least 0, on `df` and `df_denominator` degrees of freedom, which may be infinite; they are broadcast.

    Notes
    -----
    R counterpart: stats::pf(lower.tail = FALSE, log.p = TRUE).
    """
    return _log_tail(*_floats(statistic, df, df_denominator), upper=True)


def f_log_tails(
    statistic: npt.ArrayLike, df: npt.ArrayLike, df_denominator: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the logarithms of the lower and of the upper tail of F distributions; see `log_f_tail`."""
    values = _floats(statistic, df, df_denominator)
    return _log_tail(*values, upper=False), _log_tail(*values, upper=True)


def log_t_tail(statistic: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Return log P(T > statistic) of t distributions; infinite `df` are normal.

    Notes
    -----
    R counterpart: stats::pt(lower.tail = FALSE, log.p = TRUE).
    """
    t, m = np.broadcast_arrays(np.asarray(statistic, dtype=np.float64), np.asarray(df, dtype=np.float64))
    beyond = log_f_tail(t * t, 1.0, np.where(np.isposinf(m), 1.0, m)) - np.log(2.0)
    found = np.where(t > 0, beyond, np.log1p(-np.exp(beyond)))
    return np.where(np.isposinf(m), scipy.special.log_ndtr(-t), found)


def f_quantile(log_tail: FloatArray, df: float, df_denominator: float, *, upper: bool) -> FloatArray:
    """Return where an F distribution has a tail of probability exp(`log_tail`); tails below 1e-290 count as that."""
    tail = np.exp(np.maximum(log_tail, np.log(SMALL)))
    half, other = 0.5 * df, 0.5 * df_denominator
    if np.isposinf(df_denominator):
        inverse = scipy.special.gammainccinv if upper else scipy.special.gammaincinv
        return np.asarray(inverse(half, tail) / half, dtype=np.float64)
    if upper:
        share = scipy.special.betaincinv(other, half, tail)  # of the denominator
        return np.asarray(other * (1.0 - share) / (half * share), dtype=np.float64)
    share = scipy.special.betaincinv(half, other, tail)
    return np.asarray(other * share / (half * (1.0 - share)), dtype=np.float64)


def _floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    return np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in values))


def _log_tail(x: FloatArray, k: FloatArray, m: FloatArray, *, upper: bool) -> FloatArray:
    found = np.full(x.shape, np.nan)
    known = ~(np.isnan(x) | np.isnan(k) | np.isnan(m))
    chi = known & np.isposinf(m)
    if chi.any():
        found[chi] = (_log_upper_gamma if upper else _log_lower_gamma)(0.5 * k[chi], 0.5 * k[chi] * x[chi])
    ratio = known & ~chi
    if ratio.any():
        x, k, m = x[ratio], k[ratio], m[ratio]
        with np.errstate(invalid="ignore", over="ignore"):
            of_numerator = np.where(np.isposinf(x), 1.0, k * x / (m + k * x))
        of_denominator = m / (m + k * x)
        if upper:
            found[ratio] = _log_beta(0.5 * m, 0.5 * k, of_denominator, of_numerator)
        else:
            found[ratio] = _log_beta(0.5 * k, 0.5 * m, of_numerator, of_denominator)
    return found


def _log_beta(a: FloatArray, b: FloatArray, y: FloatArray, rest: FloatArray) -> FloatArray:
    """Return log I_y(a, b), the regularized incomplete beta function; `rest` is 1 - y, with all its digits."""
    tail = np.empty_like(y)
    small = y < rest  # the smaller of the two has its digits
    tail[small] = scipy.special.betainc(a[small], b[small], y[small])
    tail[~small] = scipy.special.betaincc(b[~small], a[~small], rest[~small])
    found = _logs(tail)
    far = (tail < SMALL) & (y > 0)
    if far.any():
        found[far] = _log_beta_fraction(a[far], b[far], y[far], rest[far])
    return found


def _log_upper_gamma(a: FloatArray, x: FloatArray) -> FloatArray:
    tail = scipy.special.gammaincc(a, x)
    found = _logs(tail)
    far = (tail < SMALL) & np.isfinite(x)
    if far.any():
        found[far] = _log_gamma_fraction(a[far], x[far])
    return found


def _log_lower_gamma(a: FloatArray, x: FloatArray) -> FloatArray:
    tail = scipy.special.gammainc(a, x)
    found = _logs(tail)
    far = (tail < SMALL) & (x > 0)
    if far.any():  # the series, of which a few terms suffice where x is so much smaller than its mean
        small, shape = x[far], a[far]
        rest, term = np.ones_like(small), np.ones_like(small)
        for j in range(1, MAX_TERMS):
            term = term * small / (shape + j)
            rest += term
            if np.all(term < np.finfo(np.float64).eps * rest):
                break
        found[far] = shape * np.log(small) - small - scipy.special.gammaln(shape + 1.0) + np.log(rest)
    return found


def _logs(values: npt.ArrayLike) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(values, dtype=np.float64))


def _log_beta_fraction(a: FloatArray, b: FloatArray, y: FloatArray, rest: FloatArray) -> FloatArray:
    """Return log I_y(a, b), for y well below its mean; `rest` is 1 - y. Source: DLMF 8.17.22."""
    log_y = np.where(rest < 0.5, np.log1p(-np.minimum(rest, 0.5)), np.log(y))
    front = a * log_y + b * np.log(rest) - scipy.special.betaln(a, b) - np.log(a)

    def term(j: int) -> FloatArray:
        half = j // 2
        if j % 2:
            return -(a + half) * (a + b + half) * y / ((a + 2 * half) * (a + 2 * half + 1.0))
        return half * (b - half) * y / ((a + 2 * half - 1.0) * (a + 2 * half))

    return front - np.log(_fraction(term, lambda _: np.ones_like(y), np.ones_like(y)))


def _log_gamma_fraction(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return log Q(a, x), for x well above a. Source: DLMF 8.9.2, in its even part."""
    front = a * np.log(x) - x - scipy.special.gammaln(a)
    return front - np.log(_fraction(lambda j: j * (a - j), lambda j: x + 2.0 * j + 1.0 - a, x + 1.0 - a))


def _fraction(
    numerator: Callable[[int], FloatArray], denominator: Callable[[int], FloatArray], first: FloatArray
) -> FloatArray:
    """Return the continued fraction first + n(1) / (d(1) + n(2) / (d(2) + ...)), by Lentz's method."""
    value = np.where(first == 0, TINY, first)
    c, d = value, np.zeros_like(value)
    for j in range(MAX_TERMS):
        top, bottom = numerator(j + 1), denominator(j + 1)
        d = bottom + top * d
        d = 1.0 / np.where(d == 0, TINY, d)
        c = bottom + top / c
        c = np.where(c == 0, TINY, c)
        change = c * d
        value = value * change
        if np.all(np.abs(change - 1.0) < 1e-15):
            break
    return value
