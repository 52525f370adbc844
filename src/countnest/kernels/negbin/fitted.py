"""Fitted means and hat values of the negative binomial GLM, from its coefficients."""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    N_CELLS,
    SAMPLE_CELL,
    cell_predictors,
    inverse_entries,
    leverages,
    n_equations,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.inference import eliminate, working_weights
from countnest.kernels.negbin.irls import floored_means

__all__ = ["nb_log_hat_block", "nb_log_mean_block"]


@kernel
def nb_log_mean_block(
    beta: FloatArray, factors: FloatArray, plan: IntArray, numbers: FloatArray, mu_out: FloatArray
) -> None:
    """Write f exp(X beta) of coefficients (G, p) into `mu_out` (G, n); `factors` are (1, n) or (G, n)."""
    eta, rate = np.empty(plan[N_CELLS]), np.empty(plan[N_CELLS])
    for g in range(beta.shape[0]):
        f = factors[0] if factors.shape[0] == 1 else factors[g]
        cell_predictors(plan, numbers, beta[g], eta)
        floored_means(plan, f, 0.0, eta, rate, mu_out[g])


@kernel
def nb_log_hat_block(
    beta: FloatArray,
    factors: FloatArray,
    weights: FloatArray,
    alpha: FloatArray,
    plan: IntArray,
    numbers: FloatArray,
    ridge: FloatArray,
    min_mu: float,
    hat_out: FloatArray,
) -> None:
    """Write the diagonals of the hat matrices at coefficients (G, p), means floored at `min_mu`, into `hat_out`."""
    n = factors.shape[1]
    eta, weight, leverage = np.empty(plan[N_CELLS]), np.empty(plan[N_CELLS]), np.empty(plan[N_CELLS])
    mu, equations = np.empty(n), np.empty(n_equations(plan))
    cell = plan[SAMPLE_CELL]
    for g in range(beta.shape[0]):
        f = factors[0] if factors.shape[0] == 1 else factors[g]
        v = weights[0] if weights.shape[0] == 1 else weights[g]
        cell_predictors(plan, numbers, beta[g], eta)
        floored_means(plan, f, min_mu, eta, weight, mu)
        working_weights(plan, alpha[g], v, mu, weight)
        if eliminate(plan, numbers, weight, ridge, equations):
            inverse_entries(plan, equations)
            leverages(plan, numbers, equations, leverage)
        else:
            leverage[:] = math.nan
        for j in range(n):
            hat_out[g, j] = v[j] * (mu[j] / (1.0 + alpha[g] * mu[j])) * leverage[plan[cell + j]]
