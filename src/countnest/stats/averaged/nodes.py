"""Likelihoods and variances at the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.negbin.nodes import nb_node_loglik_chunk, nb_node_ratio_chunk, nb_node_variance_chunk
from countnest.stats.averaged.grid import HIGH, LOW, cubic_interpolation
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["node_logliks", "node_ratios", "node_variances"]

# Means below this say nothing about the dispersion: an empty cell has the same information at every node.
LEAST_MEAN = 1e-6
# The determinant is smooth in the log dispersion: it is computed at nodes that are this far apart.
KNOT_DISTANCE = 1.0


def node_logliks(
    counts: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
    log_alpha: FloatArray,
    layout: Layout,
    *,
    every: int | None = None,
) -> FloatArray:
    """Return the Cox-Reid adjusted log-likelihoods (G, K) of the dispersions, up to terms free of them.

    Parameters
    ----------
    counts, mu
        (G, n) counts and means of the full model.
    weights
        (1, n) or (G, n) observation weights.
    log_alpha
        (G, K), as `Nodes.log_dispersions` returns them.
    layout
        Of the model matrix.
    every
        Of so many nodes one has its own determinant, the others interpolate; 1: all have. None: all where that is
        cheap, with as many cells as columns, else those that are 1 apart.
    """
    n_nodes = log_alpha.shape[1]
    if every is None:
        every = round(KNOT_DISTANCE * (n_nodes - 1) / (HIGH - LOW))
        every = 1 if layout.n_cells == layout.n_coefficients else every
    table, first, knots = cubic_interpolation(n_nodes, every)
    plan, loglik = layout.working.plan, np.empty_like(log_alpha)
    nb_node_loglik_chunk(
        counts, np.maximum(mu, LEAST_MEAN), weights, log_alpha, table, first, knots, plan.index, plan.numbers, loglik
    )
    return loglik


def node_ratios(
    counts: FloatArray, mu: FloatArray, null_mu: FloatArray, weights: FloatArray, log_alpha: FloatArray
) -> FloatArray:
    """Return the likelihood ratio statistics (G, K), at least 0, of means (G, n) against those of the null model."""
    ratio = np.empty_like(log_alpha)
    nb_node_ratio_chunk(counts, mu, null_mu, weights, log_alpha, ratio)
    return ratio


def node_variances(
    contrasts: FloatArray, beta: FloatArray, inputs: NBInputs, log_alpha: FloatArray, layout: Layout
) -> FloatArray:
    """Return the variances (G, k, K) of contrasts (k, p) of the coefficients (G, p), natural log.

    Means are floored at `inputs.min_mu`; its dispersion is not used. See `stats.glm.variance.contrast_variance`.
    """
    if layout.standard is not None:
        contrasts, beta = layout.standard.contrasts(contrasts), layout.standard.taken(beta)
    plan, variance = layout.working.plan, np.empty((len(beta), len(contrasts), log_alpha.shape[1]))
    nb_node_variance_chunk(
        as_float(contrasts), beta, inputs.size_factors, inputs.weights, log_alpha, plan.index, plan.numbers,
        RIDGE_LOG2 * layout.ridge / LN2**2, inputs.min_mu, variance,
    )  # fmt: skip
    return variance
