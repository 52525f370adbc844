"""Means and leverages of fitted negative binomial GLMs, recomputed from the coefficients to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.negbin.inference import nb_log_hat_block, nb_log_mean_block
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs
from countnest.stats.glm.irls import fit_irls, least_squares_start

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["fitted_means", "hat_values", "in_working_columns"]


def fitted_means(beta: FloatArray, size_factors: FloatArray, layout: Layout) -> FloatArray:
    """Return the means (G, n) of coefficients (G, p), natural log; not floored.

    To the last bit those of the fit that the coefficients come from. `size_factors` are (1, n) or (G, n).
    """
    if layout.is_intercept_only:
        return size_factors * np.exp(beta)
    mu = np.empty((len(beta), layout.n_samples))
    plan = layout.working.plan
    nb_log_mean_block(in_working_columns(beta, layout), size_factors, plan.index, plan.numbers, mu)
    return mu


def in_working_columns(beta: FloatArray, layout: Layout) -> FloatArray:
    """Return coefficients (G, p) of the columns that are fitted, from those of the columns as given."""
    return beta if layout.standard is None else layout.standard.taken(beta)


def hat_values(
    counts: FloatArray, inputs: NBInputs, layout: Layout, beta: FloatArray, optimized: BoolArray
) -> FloatArray:
    """Return the diagonals (G, n) of the hat matrices of a fit without priors, to the last bit as it had them.

    Those of `optimized` genes (G,) are as IRLS left them, so IRLS is run again for these genes.
    """
    if layout.is_intercept_only:
        mu = fitted_means(beta, inputs.size_factors, layout)
        weight = inputs.weights * (mu / (1.0 + inputs.dispersion[:, None] * mu))
        return as_float(weight / weight.sum(axis=1)[:, None])
    hat = np.empty((len(beta), layout.n_samples))
    working, ridge = layout.working, RIDGE_LOG2 * layout.ridge
    nb_log_hat_block(
        in_working_columns(beta, layout), inputs.size_factors, inputs.weights, inputs.dispersion,
        working.plan.index, working.plan.numbers, ridge / LN2**2, inputs.min_mu, hat,
    )  # fmt: skip
    if optimized.any():
        genes = np.flatnonzero(optimized)
        some, k = inputs.at(genes), counts[genes]
        start = least_squares_start(k, some.size_factors, working)
        hat[optimized] = fit_irls(k, some, working, start, ridge).hat
    return hat
