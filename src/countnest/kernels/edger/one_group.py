"""The rates of groups of samples: negative binomial GLMs with an intercept each, by Fisher scoring.

Source: McCullagh and Nelder (1989), Generalized Linear Models, ch. 2.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["one_way_chunk"]

# A count or a dispersion below this is zero.
NO_COUNT = 1e-10
NO_DISPERSION = 1e-10


@kernel
def starting_rate(y: FloatArray, f: FloatArray, v: FloatArray, size: int) -> float:
    """Return the log of the weighted mean of y / f; -inf without counts."""
    total = 0.0
    weight = 0.0
    for j in range(size):
        if y[j] > NO_COUNT:
            total += v[j] * y[j] / f[j]
        weight += v[j]
    return math.log(total / weight) if total > 0.0 else -math.inf


@kernel
def poisson_rate(y: FloatArray, f: FloatArray, v: FloatArray, size: int) -> float:
    """Return the estimate without dispersion."""
    total = 0.0
    expected = 0.0
    for j in range(size):
        total += v[j] * y[j]
        expected += v[j] * f[j]
    return math.log(total / expected)


@kernel
def group_rate(
    y: FloatArray,
    f: FloatArray,
    v: FloatArray,
    size: int,
    alpha: float,
    start: float,
    tol: float,
    max_iter: int | np.int64,
) -> float:
    """Return the log rate of the first `size` samples; iterations end when a step is below `tol`."""
    beta = starting_rate(y, f, v, size)
    if beta == -math.inf:
        return beta
    if alpha <= NO_DISPERSION:
        return poisson_rate(y, f, v, size)
    if not math.isnan(start):
        beta = start
    for _ in range(max_iter):
        rate = math.exp(beta)
        score = 0.0
        information = 0.0
        for j in range(size):
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
def one_way_chunk(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    samples: IntArray,
    first: IntArray,
    tol: float,
    max_iter: int | np.int64,
    rates_out: FloatArray,
    mu_out: FloatArray,
) -> None:
    """Fit each group of every gene by itself.

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
    samples, first
        (n,) the samples, group after group, and where each group begins, (C + 1,).
    rates_out
        (G, C) starts on entry, NaN where there is none; estimates on return, natural log, -inf without counts.
    mu_out
        (G, n) means.
    """
    n = counts.shape[1]
    y, f, v = np.empty(n), np.empty(n), np.empty(n)
    for g in range(counts.shape[0]):
        own_f = factors[0] if factors.shape[0] == 1 else factors[g]
        own_v = weights[0] if weights.shape[0] == 1 else weights[g]
        for c in range(first.shape[0] - 1):
            size = first[c + 1] - first[c]
            for i in range(size):
                j = samples[first[c] + i]
                y[i], f[i], v[i] = counts[g, j], own_f[j], own_v[j]
            rates_out[g, c] = group_rate(y, f, v, size, alpha[g], rates_out[g, c], tol, max_iter)
            rate = math.exp(rates_out[g, c])
            for i in range(size):
                mu_out[g, samples[first[c] + i]] = rate * f[i]
