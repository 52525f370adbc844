"""camera: is a set of genes more changed than the others? With correlated genes, on estimates or on ranks.

Source: Wu and Smyth (2012), doi:10.1093/nar/gks461. G genes, S sets, m genes in a set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.gene_sets.effects import GeneEffects
from countnest.stats.gene_sets.ranks import average_ranks, rank_sum_scores
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.tails import log_t_tail

__all__ = ["CORRELATION", "SetTests", "camera_tests", "preranked_tests"]

# Between genes of a set, where it is not estimated.
CORRELATION = 0.01
# Residual variances below this count as this in estimated correlations.
LEAST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class SetTests:
    """Tests of S sets.

    Attributes
    ----------
    up
        (S,) whether the genes of the set are higher than others, and not lower.
    p_value
        (S,) of both sides; NaN for sets without genes, and of all genes.
    correlation
        (S,) between genes of the set, given or estimated; NaN for the estimate of a set of one gene.
    """

    up: BoolArray
    p_value: FloatArray
    correlation: FloatArray


def camera_tests(
    effects: GeneEffects,
    sets: Sequence[IntArray],
    *,
    correlation: float | None = CORRELATION,
    ranks: bool = False,
    covariate: FloatArray | None = None,
) -> SetTests:
    """Test sets of genes against the other genes.

    Parameters
    ----------
    effects
        Of all genes.
    sets
        The genes of each set, by their places.
    correlation
        Between genes of a set; None: estimated from the residuals of each set, which costs power and, with few
        residual degrees of freedom, the control of the error rate.
    ranks
        Whether statistics are compared by their ranks.
    covariate
        (G,) what the prior variance of the genes follows, such as the mean log count; None: it is one number.

    Notes
    -----
    R counterpart: limma::camera.
    """
    df = float(effects.df)
    moderated = moderate_variances(effects.variance, np.full(len(effects.effect), df), covariate=covariate)
    t = effects.effect / np.sqrt(moderated.variance)
    if correlation is not None:
        return preranked_tests(
            t if ranks else _normal_scores(t, moderated.df), sets, correlation=correlation, ranks=ranks
        )
    scaled = effects.residual / np.sqrt(np.maximum(effects.variance, LEAST_VARIANCE))[:, np.newaxis]
    inflation = np.array([_inflation(scaled[members]) for members in sets])
    size = np.array([len(members) for members in sets], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(size > 1, (inflation - 1.0) / (size - 1.0), np.nan)
    tests = _tests(t if ranks else _normal_scores(t, moderated.df), sets, found, ranks=ranks, df=df)
    return SetTests(tests.up, tests.p_value, as_float(found))


def preranked_tests(
    statistic: FloatArray, sets: Sequence[IntArray], *, correlation: float = CORRELATION, ranks: bool = False
) -> SetTests:
    """Test sets of genes against the other genes by any statistic (G,) with a sign, such as that of Wald tests.

    Notes
    -----
    R counterpart: limma::cameraPR. Other parameters are those of `camera_tests`.
    """
    return _tests(statistic, sets, np.full(len(sets), correlation), ranks=ranks, df=np.inf)


def _tests(
    statistic: FloatArray, sets: Sequence[IntArray], correlation: FloatArray, *, ranks: bool, df: float
) -> SetTests:
    """Return the tests; `df` are those of the residuals that estimate correlations, infinite for known ones."""
    paired = zip(sets, correlation, strict=True)
    if ranks:
        order = average_ranks(statistic)
        scores = np.array([rank_sum_scores(*order, members, rho) for members, rho in paired]).reshape(-1, 2)
        low, high = np.exp(log_t_tail(scores.T, df))
        return SetTests(high < low, as_float(np.minimum(2.0 * np.minimum(low, high), 1.0)), correlation)
    mean, variance, n = float(statistic.mean()), float(statistic.var(ddof=1)), len(statistic)
    t = np.array([_t(statistic[members], n, mean, variance, rho) for members, rho in paired], dtype=np.float64)
    p_value = 2.0 * np.exp(log_t_tail(np.abs(t), min(df, n - 2.0)))
    return SetTests(t > 0, as_float(p_value), correlation)


def _t(inside: FloatArray, n: int, mean: float, variance: float, correlation: float) -> float:
    """Return the t statistic of a set (m,) against the other genes; mean and variance are those of all n."""
    m = len(inside)
    m2 = n - m
    if not (m and m2 and variance > 0.0):
        return np.nan
    inflation = max(1.0 + (m - 1) * correlation, 1.0) if m > 1 else 1.0
    delta = n / m2 * (inside.mean() - mean)
    pooled = ((n - 1) * variance - delta * delta * m * m2 / n) / (n - 2)
    return float(delta / np.sqrt(pooled * (inflation / m + 1.0 / m2)))


def _inflation(scaled: FloatArray) -> float:
    """Return by how much the variance of the mean of a set is larger than of uncorrelated genes."""
    if not len(scaled):
        return np.nan
    return float(len(scaled) * (scaled.mean(axis=0) ** 2).mean())


def _normal_scores(t: FloatArray, df: FloatArray) -> FloatArray:
    """Return standard normal scores of t statistics (G,), by Hill's approximation (1970, doi:10.1145/355598.355600)."""
    finite = np.where(np.isposinf(df), 1.0, df)
    a = finite - 0.5
    b = 48.0 * a * a
    x = a * np.log1p(t * t / finite)
    series = (((-0.4 * x - 3.3) * x - 24.0) * x - 85.5) / (0.8 * x * x + 100.0 + b) + x + 3.0
    return np.where(np.isposinf(df), t, np.sign(t) * np.sqrt(x) * (1.0 + series / b))
