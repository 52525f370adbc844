"""Negative binomial GLMs by iteratively reweighted least squares, and the hat values of their last step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.kernels.negbin.inference import nb_log_hat_chunk, nb_log_inference_chunk
from countnest.kernels.negbin.irls import nb_log_irls_chunk, nb_log_start_chunk
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["MAX_ITER", "IRLSFit", "fit_irls", "hat_values", "least_squares_start"]

TOLERANCE = 1e-8
MAX_ITER = 100


@dataclass(frozen=True, slots=True, eq=False)
class IRLSFit:
    """Where IRLS ended; see `stats.glm.fit.NBFit`, whose fields these are."""

    beta: FloatArray
    se: FloatArray
    mu: FloatArray
    hat: FloatArray
    loglik: FloatArray
    n_iter: IntArray


def least_squares_start(counts: FloatArray, size_factors: FloatArray, layout: Layout) -> FloatArray:
    """Return coefficients (G, p) by least squares on log counts, natural log."""
    beta = np.empty((len(counts), layout.n_coefficients))
    nb_log_start_chunk(counts, size_factors, layout.basis, layout.triangle, beta)
    return beta


def fit_irls(
    counts: FloatArray,
    inputs: NBInputs,
    layout: Layout,
    start: FloatArray,
    ridge: FloatArray,
    *,
    only_means: bool = False,
) -> IRLSFit:
    """Return the fits of counts (G, n) from starting values (G, p), natural log.

    `ridge` (p,) are the prior precisions of the log2 coefficients. With `only_means`, standard errors, hat values and
    log-likelihoods are left out.
    """
    n_genes, n = counts.shape
    beta, variance, mu = start.copy(), np.empty_like(start), np.empty((n_genes, n))
    hat = np.empty((1, n)) if only_means else np.empty((n_genes, n))
    loglik, n_iter = np.empty(n_genes), np.empty(n_genes, dtype=np.int64)
    weights, plan, precision = inputs.weights, layout.plan, ridge / LN2**2
    nb_log_irls_chunk(
        counts, inputs.size_factors, np.log(inputs.size_factors), weights, inputs.dispersion,
        plan.index, plan.numbers, precision, inputs.min_mu, TOLERANCE, MAX_ITER, beta, mu, n_iter,
    )  # fmt: skip
    nb_log_inference_chunk(
        counts, inputs.size_factors, weights, inputs.dispersion, beta,
        plan.index, plan.numbers, precision, only_means, mu, variance, hat, loglik,
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.maximum(variance, 0.0))
    return IRLSFit(beta, se, mu, hat, loglik, n_iter)


def hat_values(
    counts: FloatArray, inputs: NBInputs, layout: Layout, beta: FloatArray, optimized: BoolArray
) -> FloatArray:
    """Return the diagonals (G, n) of the hat matrices of a fit without priors, to the last bit as it had them.

    Those of `optimized` genes (G,) are as IRLS left them, so IRLS is run again for these genes.
    """
    if layout.is_intercept_only:
        mu = inputs.size_factors * np.exp(beta)
        weight = inputs.weights * (mu / (1.0 + inputs.dispersion[:, None] * mu))
        return as_float(weight / weight.sum(axis=1)[:, None])
    hat = np.empty((len(beta), layout.n_samples))
    working, ridge = layout.working, RIDGE_LOG2 * layout.ridge
    nb_log_hat_chunk(
        layout.in_working_columns(beta), inputs.size_factors, inputs.weights, inputs.dispersion,
        working.plan.index, working.plan.numbers, ridge / LN2**2, inputs.min_mu, hat,
    )  # fmt: skip
    if optimized.any():
        genes = np.flatnonzero(optimized)
        some, k = inputs.at(genes), counts[genes]
        start = least_squares_start(k, some.size_factors, working)
        hat[optimized] = fit_irls(k, some, working, start, ridge).hat
    return hat
