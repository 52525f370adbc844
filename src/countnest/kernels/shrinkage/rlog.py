"""Negative binomial GLM with an intercept and one effect for every sample, the effects held near zero by a ridge.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, methods, "Regularized logarithm".

The normal equations of X = [1, I] form an arrow: without their first row and column they are diagonal. The effects are
eliminated, so that an iteration takes n steps and no matrix.

Two searches for the same maximum. Scoring, iteratively reweighted least squares, decides where a gene ends, because
its stopping rule is loose enough to show. It uses expected information and takes whole steps, and so it can jump back
and forth for ever where one count exceeds the others by far; for such genes there is Newton's method with observed
information and halved steps. The log-likelihood is concave in the linear predictor, so that this always arrives.
Below the floor of the means both continue the log-likelihood by a parabola, whose slope and scoring weight are those
at the floor.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.density import log_factorial, log_rising_ratio, psi_remainder, stirling_remainder

__all__ = ["nb_rlog_chunk"]

# A coefficient (natural log) beyond this has diverged.
LARGE_BETA = 30.0
# Newton's method ends after a step shorter than this; a step that promises less than the second, as a fraction of the
# objective, is taken without asking whether it gains, because rounding would answer.
SHORT_STEP = 1e-10
SMALL_GAIN = 1e-12
NEWTON_MAX = 200
HALVINGS = 60


@kernel
def scoring_row(
    y: FloatArray,
    f: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    intercept_ridge: float,
    ridge: float,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta: FloatArray,
    response: FloatArray,
    weight: FloatArray,
) -> int:
    """Iterate `beta` (n + 1,), intercept and effects, in place; return the number of iterations.

    `max_iter` iterations mean no convergence of the deviance. `response` and `weight` (n,) are work space.
    """
    n = y.shape[0]
    size = 1.0 / alpha
    remainder = stirling_remainder(size)
    psi_rest = psi_remainder(size)
    constant = 0.0
    for j in range(n):
        rise, _ = log_rising_ratio(y[j], alpha, remainder, psi_rest)
        constant += v[j] * (rise - log_factorial(y[j]))
    log_min_mu = math.log(min_mu) if min_mu > 0.0 else -np.inf
    old_deviance = 0.0
    for iteration in range(max_iter + 1):
        # working responses and weights at these coefficients, and their deviance
        loglik = constant
        for j in range(n):
            eta = beta[0] + beta[j + 1]
            mu = f[j] * math.exp(eta)
            if not mu > min_mu:
                mu = min_mu
                eta = log_min_mu - log_f[j]
            loglik += v[j] * (y[j] * (log_f[j] + eta) - (y[j] + size) * math.log1p(alpha * mu))
            response[j] = eta + (y[j] - mu) / mu
            weight[j] = v[j] * mu / (1.0 + alpha * mu)
        deviance = -2.0 * loglik
        if iteration > 0:
            change = abs(deviance - old_deviance) / (abs(deviance) + 0.1)
            if math.isnan(change):
                return max_iter
            if iteration > 1 and change < tol:
                return iteration
        if iteration == max_iter:
            return max_iter
        old_deviance = deviance
        # the intercept with the effects eliminated, then each effect given the intercept
        total = intercept_ridge
        product = 0.0
        for j in range(n):
            held = weight[j] * ridge / (weight[j] + ridge)
            total += held
            product += held * response[j]
        beta[0] = product / total
        large = abs(beta[0]) > LARGE_BETA
        for j in range(n):
            beta[j + 1] = weight[j] * (response[j] - beta[0]) / (weight[j] + ridge)
            large = large or abs(beta[j + 1]) > LARGE_BETA
        if large:
            return max_iter
    return max_iter


@kernel
def penalty(beta: FloatArray, intercept_ridge: float, ridge: float) -> float:
    """Return the negative log prior of intercept and effects (n + 1,), but for a constant."""
    total = 0.0
    for j in range(1, beta.shape[0]):
        total += beta[j] * beta[j]
    held = 0.0 if beta[0] == 0.0 else intercept_ridge * beta[0] * beta[0]  # an infinite ridge holds it at zero
    return 0.5 * (ridge * total + held)


@kernel
def derivatives_row(
    y: FloatArray,
    f: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    min_mu: float,
    beta: FloatArray,
    score_out: FloatArray,
    information_out: FloatArray,
) -> float:
    """Return the log-likelihood but for a constant; write its slopes and observed information in eta, (n,)."""
    size = 1.0 / alpha
    loglik = 0.0
    for j in range(y.shape[0]):
        eta = beta[0] + beta[j + 1]
        mu = f[j] * math.exp(eta)
        spread = 1.0 + alpha * max(mu, min_mu)
        if mu > min_mu:
            score_out[j] = v[j] * (y[j] - mu) / spread
            information_out[j] = v[j] * mu * (1.0 + alpha * y[j]) / (spread * spread)
            loglik += v[j] * (y[j] * eta - (y[j] + size) * math.log1p(alpha * mu))
        else:
            floor = math.log(min_mu) - log_f[j]
            slope, curvature = v[j] * (y[j] - min_mu) / spread, v[j] * min_mu / spread
            score_out[j] = slope - curvature * (eta - floor)
            information_out[j] = curvature
            loglik += v[j] * (y[j] * floor - (y[j] + size) * math.log1p(alpha * min_mu))
            loglik += (eta - floor) * (slope - 0.5 * curvature * (eta - floor))
    return loglik


@kernel
def newton_row(
    y: FloatArray,
    f: FloatArray,
    log_f: FloatArray,
    v: FloatArray,
    alpha: float,
    intercept_ridge: float,
    ridge: float,
    min_mu: float,
    beta: FloatArray,
    step: FloatArray,
    score: FloatArray,
    information: FloatArray,
) -> None:
    """Move `beta` (n + 1,) to the maximum; `step` (n + 1,), `score` and `information` (n,) are work space."""
    n = y.shape[0]
    value = derivatives_row(y, f, log_f, v, alpha, min_mu, beta, score, information)
    value -= penalty(beta, intercept_ridge, ridge)
    for _ in range(NEWTON_MAX):
        total = intercept_ridge
        product = 0.0 if beta[0] == 0.0 else -intercept_ridge * beta[0]
        for j in range(n):
            share = ridge / (information[j] + ridge)
            total += information[j] * share
            product += score[j] - information[j] * (score[j] - ridge * beta[j + 1]) / (information[j] + ridge)
        step[0] = product / total
        gain = 0.0 if beta[0] == 0.0 else -intercept_ridge * beta[0] * step[0]
        for j in range(n):
            slope = score[j] - ridge * beta[j + 1]
            step[j + 1] = (slope - information[j] * step[0]) / (information[j] + ridge)
            gain += score[j] * step[0] + slope * step[j + 1]
        for k in range(n + 1):
            beta[k] += step[k]
        proposed = derivatives_row(y, f, log_f, v, alpha, min_mu, beta, score, information)
        proposed -= penalty(beta, intercept_ridge, ridge)
        halvings = 0
        while gain > SMALL_GAIN * (abs(value) + 1.0) and not proposed >= value and halvings < HALVINGS:
            for k in range(n + 1):
                step[k] *= 0.5
                beta[k] -= step[k]
            proposed = derivatives_row(y, f, log_f, v, alpha, min_mu, beta, score, information)
            proposed -= penalty(beta, intercept_ridge, ridge)
            halvings += 1
        value = proposed
        if np.max(np.abs(step)) < SHORT_STEP:
            return


@kernel
def nb_rlog_chunk(
    counts: FloatArray,
    factors: FloatArray,
    log_factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    intercept_ridge: float,
    ridge: float,
    min_mu: float,
    tol: float,
    max_iter: int,
    beta_out: FloatArray,
    n_iter_out: IntArray,
) -> None:
    """Fit every gene of a chunk.

    Parameters
    ----------
    counts
        (G, n).
    factors, log_factors
        (1, n) size factors or (G, n) normalization factors, and their logarithms.
    weights
        (1, n) or (G, n) observation weights.
    alpha
        (G,) dispersions.
    intercept_ridge, ridge
        Prior precisions, natural log scale, of the intercept and of the effects; an infinite one holds the intercept
        at zero, so that the factors are all there is beside the effects.
    min_mu
        Floor of the means.
    tol, max_iter
        Relative change of the deviance at which the iterations end, and how many there may be.
    beta_out
        (G, n + 1) starts on entry, estimates on return: intercept and effects, natural log.
    n_iter_out
        (G,) iterations of the scoring; `max_iter` where it did not converge and Newton's method took over.
    """
    n = counts.shape[1]
    shared = factors.shape[0] == 1
    response, weight = np.empty(n), np.empty(n)
    start, step = np.empty(n + 1), np.empty(n + 1)
    for g in range(counts.shape[0]):
        f = factors[0] if shared else factors[g]
        log_f = log_factors[0] if shared else log_factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        beta = beta_out[g]
        start[:] = beta
        n_iter_out[g] = scoring_row(
            counts[g], f, log_f, v, alpha[g], intercept_ridge, ridge, min_mu, tol, max_iter, beta, response, weight
        )
        if n_iter_out[g] == max_iter:
            beta[:] = start
            newton_row(counts[g], f, log_f, v, alpha[g], intercept_ridge, ridge, min_mu, beta, step, response, weight)
