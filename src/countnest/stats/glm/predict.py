"""Means that a fitted negative binomial GLM predicts, with intervals.

Source: McCullagh and Nelder (1989), Generalized Linear Models, doi:10.1201/9780203753736, chapters 4 and 11.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from countnest.arrays import FloatArray

__all__ = ["count_limits", "mean_limits"]


def mean_limits(
    predictor: FloatArray, se: FloatArray, level: float, df: float | FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper confidence limits (G, m) of means exp(predictor).

    The limits are those of the linear predictor, where the estimate is nearest to normal, taken to the scale of means.

    Parameters
    ----------
    predictor, se
        (G, m) linear predictors and their standard errors, natural log.
    level
        Of confidence, between 0 and 1.
    df
        Degrees of freedom of the t distribution, one number or (G,); None: the normal.
    """
    tail = (1.0 + level) / 2.0
    quantile = scipy.special.ndtri(tail) if df is None else np.reshape(scipy.special.stdtrit(df, tail), (-1, 1))
    with np.errstate(over="ignore"):
        return np.exp(predictor - quantile * se), np.exp(predictor + quantile * se)


def count_limits(mean: FloatArray, alpha: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the negative binomial quantiles (G, m) between which a new count lies with probability `level` or more.

    Mean (G, m) and dispersion (G,) are plugged in as if they were known, so that the limits are somewhat too narrow
    where few samples tell the mean.
    """
    import scipy.stats  # late: it takes a while to import, and scipy.special has no quantiles of counts

    size = np.broadcast_to(1.0 / alpha[:, np.newaxis], mean.shape)
    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    low, high = (np.asarray(scipy.stats.nbinom.ppf(tail, size, size / (size + mean))) for tail in tails)
    return low, high
