"""Negative binomial GLMs by iteratively reweighted least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.negbin.inference import nb_log_inference_block
from countnest.kernels.negbin.irls import nb_log_irls_block, nb_log_start_block
from countnest.stats.glm.inputs import LN2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["MAX_ITER", "IRLSFit", "fit_irls", "least_squares_start"]

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
    nb_log_start_block(counts, size_factors, layout.basis, layout.triangle, beta)
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
    nb_log_irls_block(
        counts, inputs.size_factors, np.log(inputs.size_factors), weights, inputs.dispersion,
        plan.index, plan.numbers, precision, inputs.min_mu, TOLERANCE, MAX_ITER, beta, mu, n_iter,
    )  # fmt: skip
    nb_log_inference_block(
        counts, inputs.size_factors, weights, inputs.dispersion, beta,
        plan.index, plan.numbers, precision, only_means, mu, variance, hat, loglik,
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.maximum(variance, 0.0))
    return IRLSFit(beta, se, mu, hat, loglik, n_iter)
