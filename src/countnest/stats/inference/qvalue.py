"""q-values: false discovery rates that take into account how many hypotheses are true.

Source: Storey and Tibshirani (2003), doi:10.1073/pnas.1530509100; for the bootstrap choice of lambda, Storey, Taylor
and Siegmund (2004), doi:10.1111/j.1467-9868.2004.00439.x.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from countnest.arrays import FloatArray
from countnest.options import check_option
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg

__all__ = ["TrueNulls", "q_values", "share_of_true_nulls"]

TrueNulls = Literal["smoother", "bootstrap"]

# Above each of these, p-values are taken to come from true hypotheses.
LAMBDAS = np.arange(1, 20) / 20.0
SMOOTHER_DF = 3.0
# The bootstrap takes this quantile of the estimates for the truth, to which it adds their variance.
LOW_QUANTILE = 0.1


def q_values(p_values: FloatArray, *, method: TrueNulls = "smoother") -> FloatArray:
    """Return q-values (m,) of p-values (m,), none of them missing: Benjamini and Hochberg's times the share of nulls.

    Notes
    -----
    R counterpart: qvalue::qvalue.
    """
    share = share_of_true_nulls(p_values, method=method)
    return share * benjamini_hochberg(p_values)


def share_of_true_nulls(p_values: FloatArray, *, method: TrueNulls = "smoother") -> float:
    """Return the estimated share, pi0, of true hypotheses among those with p-values (m,), none of them missing.

    Parameters
    ----------
    p_values
        (m,) p-values.
    method
        p-values of true hypotheses are uniform, so that each lambda gives an estimate, the share of p-values of lambda
        or more divided by 1 - lambda: less biased the larger lambda, and more variable. "smoother": a smoothing spline
        with three degrees of freedom through the estimates, at the largest lambda. "bootstrap": the estimate of least
        mean squared error over bootstrap samples, in closed form.

    Returns
    -------
    float
        At most 1, and no less than the estimate from a single p-value above the largest lambda: with few p-values the
        estimates say little, and 1 is the cautious answer.
    """
    check_option("method", method, TrueNulls)
    m = len(p_values)
    beyond = m - np.searchsorted(np.sort(p_values), LAMBDAS, side="left")
    estimates = beyond / (m * (1.0 - LAMBDAS))
    share = float(_end_of_spline() @ estimates) if method == "smoother" else _least_error(estimates, beyond, m)
    least = 1.0 / (m * (1.0 - float(LAMBDAS[-1])))
    return min(max(share, least), 1.0)


def _least_error(estimates: FloatArray, beyond: np.ndarray, m: int) -> float:
    """Return the estimate with the smallest sum of variance and squared distance from a low quantile of all."""
    variance = beyond * (1.0 - beyond / m) / (m * (1.0 - LAMBDAS)) ** 2
    error = variance + (estimates - np.quantile(estimates, LOW_QUANTILE)) ** 2
    return float(estimates[np.argmin(error)])


@lru_cache(maxsize=1)
def _end_of_spline() -> FloatArray:
    """Return the weights of the estimates in the smoothing spline at the largest lambda."""
    from scipy.interpolate import make_smoothing_spline  # late: they take a while to import
    from scipy.optimize import brentq

    def smoother(log_penalty: float) -> FloatArray:
        penalty = float(np.exp(log_penalty))
        unit = np.eye(len(LAMBDAS))
        return np.array([make_smoothing_spline(LAMBDAS, e, lam=penalty)(LAMBDAS) for e in unit]).T

    log_penalty: float = brentq(lambda x: np.trace(smoother(x)) - SMOOTHER_DF, -20.0, 10.0)
    weights: FloatArray = smoother(log_penalty)[-1]
    return weights
