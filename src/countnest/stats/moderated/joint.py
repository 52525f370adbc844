"""Moderated F tests of several coefficients of linear models. G genes, k contrasts.

Source: Smyth (2004), doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.t_and_f import moderated_f
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["joint_f", "mean_squares"]

# Directions with a smaller share of the variance of the first one are left out.
NO_DIRECTION = 1e-8


def mean_squares(
    estimates: FloatArray, unscaled: FloatArray, covariance: FloatArray | None, common: FloatArray
) -> tuple[FloatArray, int]:
    """Return the mean squares (G,) of estimates (G, k), were the variance 1, and their rank.

    Parameters
    ----------
    unscaled
        (G, k) standard errors, were the variance 1.
    covariance
        (G, k, k) or (1, k, k) covariance matrices, were the variance 1; None: estimates are correlated as in `common`.
    common
        (k, k) covariance matrix without weights, which tells the rank.
    """
    scale = np.sqrt(np.diag(common))
    values, vectors = np.linalg.eigh(common / np.outer(scale, scale))
    used = values > NO_DIRECTION * values[-1]
    rank = int(used.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        t = estimates / unscaled
    if covariance is None:
        squares = ((t @ (vectors[:, used] / np.sqrt(values[used]))) ** 2).sum(axis=1)
        return as_float(squares / rank), rank
    # directions in which the estimates vary, so that dependent contrasts leave the matrix invertible
    directions = vectors[:, used] / scale[:, np.newaxis]
    parts = np.nan_to_num(estimates) @ directions
    inner = directions.T @ covariance @ directions
    known = ~np.isnan(t).any(axis=1)
    squares = np.full(len(estimates), np.nan)
    inner = np.broadcast_to(inner, (len(estimates), rank, rank))[known]
    solved = np.linalg.solve(inner, parts[known][:, :, np.newaxis])[:, :, 0]
    squares[known] = (solved * parts[known]).sum(axis=1)
    return as_float(squares / rank), rank


def joint_f(
    square: FloatArray, rank: int, variances: ModeratedVariances, *, limited: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return F statistics (G,) of mean squares (G,), degrees of freedom of the denominators, and p-values.

    `limited` limits these degrees of freedom to those of all genes together, as for t tests; limma does not.
    """
    if limited:
        test = moderated_f(square, float(rank), variances)
        return test.statistic, test.df, test.p_value
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = square / variances.variance
    df = as_float(variances.own_df + variances.prior.df)
    return statistic, df, as_float(np.exp(log_f_tail(statistic, float(rank), df)))
