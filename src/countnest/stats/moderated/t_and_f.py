"""Moderated t and F tests, with p-values in logarithms.

Source: Smyth (2004), doi:10.2202/1544-6115.1027; thresholds: McCarthy and Smyth (2009),
doi:10.1093/bioinformatics/btp053. G genes; all logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError
from countnest.options import AltHypothesis
from countnest.remedies import option
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.tails import log_f_tail, log_t_tail

__all__ = ["ModeratedTest", "log_p_of_roots", "moderated_f", "moderated_t", "statistic_of_roots", "t_tests_of_rows"]

LOG_2 = float(np.log(2.0))
LogTail = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class ModeratedTest:
    """Statistics, degrees of freedom of the variance, and natural logarithms of p-values, (G,) each."""

    statistic: FloatArray
    df: FloatArray
    log_p: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """(G,) p-values; 0 where they are below the smallest float."""
        return np.exp(self.log_p)


def moderated_t(
    estimate: FloatArray,
    unscaled_se: FloatArray,
    moderated: ModeratedVariances,
    *,
    threshold: float = 0.0,
    alternative: AltHypothesis = "greaterAbs",
) -> ModeratedTest:
    """Return t tests of estimates (G,).

    Parameters
    ----------
    unscaled_se
        (G,) standard errors of the estimates were the variance 1.
    threshold, alternative
        As in `stats.inference.wald.wald_test`, on the scale of the estimates; not "greaterAbsUPSHOT".

    Notes
    -----
    R counterpart: the columns t and P.Value of limma::eBayes, and limma::treat with a threshold.
    """
    se = unscaled_se * np.sqrt(moderated.variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (estimate + threshold) / se, (estimate - threshold) / se
        statistic = estimate / se
    return ModeratedTest(statistic, moderated.df, log_p_of_roots(low, high, moderated.df, alternative))


def moderated_f(mean_square: FloatArray, df_tested: float, moderated: ModeratedVariances) -> ModeratedTest:
    """Return F tests (G,) of mean squares (G,) on `df_tested` degrees of freedom.

    Notes
    -----
    R counterpart: edgeR::glmQLFTest; the column F of limma::eBayes, whose denominator has more degrees of freedom than
    all genes together where those of the prior are infinite.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.maximum(mean_square, 0.0) / moderated.variance
    return ModeratedTest(statistic, moderated.df, log_f_tail(statistic, df_tested, moderated.df))


def log_p_of_roots(low: FloatArray, high: FloatArray, df: FloatArray, alternative: AltHypothesis) -> FloatArray:
    """Return the logarithms of p-values (G,) from statistics at the two ends of an interval.

    Parameters
    ----------
    low, high
        (G,) statistics against the hypotheses that the estimate is minus, and plus, the threshold: t statistics on `df`
        degrees of freedom (G,), or signed roots that are compared with t. `low` is at least `high`.
    alternative
        As in `stats.inference.wald.wald_test`; not "greaterAbsUPSHOT".

    Raises
    ------
    OptionError
        If `alternative` is "greaterAbsUPSHOT", which is defined for the normal distribution.
    """
    if alternative not in _ALTERNATIVES:
        raise OptionError(
            f"{option('alt_hypothesis', alternative)} is defined for normal test statistics, not for the t "
            f"distribution: use {option('alt_hypothesis', 'greaterAbs')}."
        )
    with np.errstate(invalid="ignore"):  # missing values
        return np.minimum(_ALTERNATIVES[alternative](low, high, partial(log_t_tail, df=df)), 0.0)


def t_tests_of_rows(
    estimates: FloatArray, se: FloatArray, df: FloatArray, threshold: float, alternative: AltHypothesis
) -> tuple[FloatArray, FloatArray]:
    """Return t statistics and p-values (G, k) of estimates with their standard errors (G, k).

    `df` are degrees of freedom (G,), or by row too (G, k); `threshold` and `alternative` are those of `moderated_t`.
    """
    df = np.broadcast_to(df[:, np.newaxis] if df.ndim == 1 else df, se.shape)
    statistic, p_value = np.empty_like(se), np.empty_like(se)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (estimates + threshold) / se, (estimates - threshold) / se
    for k in range(se.shape[1]):
        ends = low[:, k], high[:, k]
        p_value[:, k] = np.exp(log_p_of_roots(*ends, as_float(df[:, k]), alternative))
        plain = threshold == 0.0 and alternative.startswith("greaterAbs")
        statistic[:, k] = high[:, k] if plain else statistic_of_roots(*ends, alternative)
    return statistic, p_value


def statistic_of_roots(low: FloatArray, high: FloatArray, alternative: AltHypothesis) -> FloatArray:
    """Return the statistics (G,) against the nearer end of the null hypothesis; 0 where the estimate lies within it.

    Arguments are those of `log_p_of_roots`. The sign is that of the estimate for two-sided tests, and that of the side.
    """
    if alternative == "greater":
        return np.maximum(high, 0.0)
    if alternative == "less":
        return np.minimum(low, 0.0)
    if alternative == "lessAbs":
        return np.maximum(np.minimum(-high, low), 0.0)
    side = np.where(low + high >= 0, 1.0, -1.0)
    return side * np.maximum(_nearer_and_farther(low, high)[0], 0.0) + 0.0  # and no -0


def _nearer_and_farther(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the statistics against the end nearer to the estimate and the other one, both positive away from them."""
    positive = low + high >= 0
    return np.where(positive, high, -low), np.where(positive, low, -high)


def _greater_abs(low: FloatArray, high: FloatArray, upper: LogTail) -> FloatArray:
    nearer, farther = _nearer_and_farther(low, high)
    beyond = upper(nearer)
    return beyond + LOG_2 if np.array_equal(nearer, farther, equal_nan=True) else np.logaddexp(beyond, upper(farther))


def _greater_abs_2014(low: FloatArray, high: FloatArray, upper: LogTail) -> FloatArray:
    return upper(_nearer_and_farther(low, high)[0]) + LOG_2


def _less_abs(low: FloatArray, high: FloatArray, upper: LogTail) -> FloatArray:
    return np.maximum(upper(-high), upper(low))


_ALTERNATIVES: dict[str, Callable[[FloatArray, FloatArray, LogTail], FloatArray]] = {
    "greaterAbs": _greater_abs,
    "greaterAbs2014": _greater_abs_2014,
    "lessAbs": _less_abs,
    "greater": lambda _, high, upper: upper(high),
    "less": lambda low, _, upper: upper(-low),
}
