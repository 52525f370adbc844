"""The prior of dispersions around their trend, by nonparametric maximum likelihood, and each gene's posterior.

Sources: Kiefer and Wolfowitz (1956), doi:10.1214/aoms/1177728066, nonparametric maximum likelihood; Ignatiadis and Sen
(2023), arXiv:2303.02887, a prior for the nuisance parameter alone in multiple testing (empirical partially Bayes).
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.averaged.grid import Nodes

__all__ = ["FEW_GENES", "MAX_GENES", "SOME_GENES", "fit_prior", "posterior", "prior_genes", "start_prior"]

# So many genes are enough.
MAX_GENES = 5000
# With fewer than SOME_GENES the start is a regularisation, and EM stops early; with fewer than FEW_GENES it is kept.
SOME_GENES, FEW_GENES = 500, 50
MAX_ROUNDS, SOME_ROUNDS = 100, 20
# EM ends when a round gains less than this of the log-likelihood of all genes.
LEAST_GAIN = 0.01
# Added to the variance and to the weights of the start.
WIDER, HEAVIER = 0.25, 1e-4


def start_prior(variance: float, nodes: Nodes) -> FloatArray:
    """Return the prior weights (K,) that EM starts from: a normal around the trend of this variance, made wider."""
    weights = np.exp(-0.5 * nodes.delta**2 / (variance + WIDER)) + HEAVIER
    return as_float(weights / weights.sum())


def prior_genes(base_mean: FloatArray, loglik: FloatArray) -> FloatArray:
    """Return the log-likelihoods (k, K) of the genes that the prior learns from: all, or a systematic sample.

    They stand in an order that depends on their numbers alone, and are sampled in it, so that the prior is the same to
    the last bit whatever the order of the genes.

    Parameters
    ----------
    base_mean
        (G,).
    loglik
        (G, K), of `nodes.node_logliks`.
    """
    order = np.lexsort((loglik[:, -1], loglik[:, 0], base_mean))
    if len(order) > MAX_GENES:
        order = order[np.linspace(0, len(order) - 1, MAX_GENES).round().astype(np.int64)]
    return as_float(loglik[order])


def fit_prior(loglik: FloatArray, start: FloatArray, *, max_rounds: int | None = None) -> FloatArray:
    """Return the prior weights (K,) of the nodes, by EM from `start` (K,).

    `loglik` are the log-likelihoods (k, K) of the genes to learn from. The number of rounds follows from theirs:
    fewer than 50 keep the start, fewer than 500 stop after 20 rounds.
    """
    if max_rounds is None:
        max_rounds = 0 if len(loglik) < FEW_GENES else SOME_ROUNDS if len(loglik) < SOME_GENES else MAX_ROUNDS
    likelihood = _scaled(loglik)
    prior, before = start, -np.inf
    for _ in range(max_rounds):
        joint = likelihood * prior
        total = joint.sum(axis=1)
        now = float(np.log(total).sum())
        if now - before < LEAST_GAIN:
            break
        before = now
        # a sum over rows in their order: a matrix product's would depend on the library and on its threads
        prior = (joint / total[:, np.newaxis]).sum(axis=0) / len(joint)
    return prior


def posterior(loglik: FloatArray, prior: FloatArray, nodes: Nodes) -> FloatArray:
    """Return the posterior weights (G, F) of the points of the integral, from likelihoods (G, K) and a prior (K,)."""
    joint = _scaled(nodes.refined(loglik)) * nodes.refined_prior(prior)
    return as_float(joint / joint.sum(axis=1, keepdims=True))


def _scaled(loglik: FloatArray) -> FloatArray:
    return as_float(np.exp(loglik - loglik.max(axis=1, keepdims=True)))
