"""The rate of one group of samples: a negative binomial GLM with an intercept, by Fisher scoring.

Source: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["one_group_chunk"]

# A count or a dispersion below this is zero.
NO_COUNT = 1e-10
NO_DISPERSION = 1e-10


@kernel
def starting_rate(y: FloatArray, f: FloatArray, v: FloatArray) -> float:
    """Return the log of the weighted mean of y / f; -inf without counts."""
    total = 0.0
    weight = 0.0
    for j in range(y.shape[0]):
        if y[j] > NO_COUNT:
            total += v[j] * y[j] / f[j]
        weight += v[j]
    return math.log(total / weight) if total > 0.0 else -math.inf


@kernel
def poisson_rate(y: FloatArray, f: FloatArray, v: FloatArray) -> float:
    """Return the estimate without dispersion."""
    total = 0.0
    expected = 0.0
    for j in range(y.shape[0]):
        total += v[j] * y[j]
        expected += v[j] * f[j]
    return math.log(total / expected)


@kernel
def one_group_row(
    y: FloatArray, f: FloatArray, v: FloatArray, alpha: float, start: float, tol: float, max_iter: int
) -> float:
    """Return the log rate of a gene; iterations end when a step is below `tol`."""
    beta = starting_rate(y, f, v)
    if beta == -math.inf:
        return beta
    if alpha <= NO_DISPERSION:
        return poisson_rate(y, f, v)
    if not math.isnan(start):
        beta = start
    for _ in range(max_iter):
        rate = math.exp(beta)
        score = 0.0
        information = 0.0
        for j in range(y.shape[0]):
            mu = rate * f[j]
            share = v[j] / (1.0 + mu * alpha)
            score += share * (y[j] - mu)
            information += share * mu
        step = score / information
        beta += step
        if abs(step) < tol:
            break
    return beta


@kernel
def one_group_chunk(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    tol: float,
    max_iter: int,
    beta_out: FloatArray,
) -> None:
    """Write the log rates of all genes into `beta_out` (G,).

    Parameters
    ----------
    counts
        (G, n), not negative; fractions are allowed.
    factors
        (1, n) or (G, n) exponentials of the offsets.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    beta_out
        (G,) starts on entry, NaN where there is none; estimates on return, natural log, -inf without counts.
    """
    for g in range(counts.shape[0]):
        f = factors[0] if factors.shape[0] == 1 else factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        beta_out[g] = one_group_row(counts[g], f, v, alpha[g], beta_out[g], tol, max_iter)
