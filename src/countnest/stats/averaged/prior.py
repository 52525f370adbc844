"""The prior of dispersions around their trend, by nonparametric maximum likelihood, and each gene's posterior.

The prior is fitted to genes of similar mean count and interpolated between them. Where the trend is wrong, which is
where counts are small, it makes good for it; and dispersions need not scatter alike at every mean.

Sources: Kiefer and Wolfowitz (1956), doi:10.1214/aoms/1177728066, nonparametric maximum likelihood; Ignatiadis and Sen
(2023), arXiv:2303.02887, a prior for the nuisance parameter alone in multiple testing (empirical partially Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.averaged.grid import Nodes

__all__ = [
    "FEW_GENES",
    "MAX_GENES",
    "SOME_GENES",
    "DispersionPrior",
    "fit_local_prior",
    "fit_prior",
    "posterior",
    "start_prior",
]

# So many genes are enough.
MAX_GENES = 5000
# With fewer than SOME_GENES the start is a regularisation, and EM stops early; with fewer than FEW_GENES it is kept.
SOME_GENES, FEW_GENES = 500, 50
MAX_ROUNDS, SOME_ROUNDS = 100, 20
# Genes of similar mean count that have a prior of their own, at least; their number at most; rounds of EM for each.
LOCAL_GENES, MAX_LOCAL, LOCAL_ROUNDS = 500, 10, 200
# EM ends when a round gains less than this of the log-likelihood of all genes.
LEAST_GAIN = 0.01
# Added to the variance and to the weights of the start.
WIDER, HEAVIER = 0.25, 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class DispersionPrior:
    """The prior of dispersions around their trend, for any mean count.

    Attributes
    ----------
    log_mean
        (m,) mean logarithms of the mean counts of the groups of genes that it was fitted to, ascending.
    weights
        (m, K) prior weights of the nodes there.
    """

    log_mean: FloatArray
    weights: FloatArray

    def at(self, base_mean: FloatArray) -> FloatArray:
        """Return the prior weights (G, K) of genes with these mean counts (G,), by linear interpolation."""
        if len(self.weights) == 1:
            return np.broadcast_to(self.weights, (len(base_mean), self.weights.shape[1]))
        place = np.interp(np.log(base_mean), self.log_mean, np.arange(len(self.log_mean)))
        left = np.minimum(place.astype(np.int64), len(self.log_mean) - 2)
        share = (place - left)[:, np.newaxis]
        return as_float((1.0 - share) * self.weights[left] + share * self.weights[left + 1])


def start_prior(variance: float, nodes: Nodes) -> FloatArray:
    """Return the prior weights (K,) that EM starts from: a normal around the trend of this variance, made wider."""
    weights = np.exp(-0.5 * nodes.delta**2 / (variance + WIDER)) + HEAVIER
    return as_float(weights / weights.sum())


def fit_local_prior(base_mean: FloatArray, loglik: FloatArray, start: FloatArray) -> DispersionPrior:
    """Return the prior that genes of similar mean count share, fitted to all genes or to a systematic sample of 5,000.

    The genes are taken in an order that depends on their numbers alone, so that the prior is the same to the last bit
    whatever the order of the genes. First all together are fitted, then each group of at least 500 from there.

    Parameters
    ----------
    base_mean
        (G,) mean counts, above zero.
    loglik
        (G, K), of `nodes.node_logliks`.
    start
        (K,) where EM starts, of `start_prior`.
    """
    order = np.lexsort((loglik[:, -1], loglik[:, 0], base_mean))
    if len(order) > MAX_GENES:
        order = order[np.linspace(0, len(order) - 1, MAX_GENES).round().astype(np.int64)]
    common = fit_prior(loglik[order], start)
    groups = np.array_split(order, np.clip(len(order) // LOCAL_GENES, 1, MAX_LOCAL))
    log_mean = np.array([np.log(base_mean[group]).mean() for group in groups]) if len(order) else np.zeros(1)
    if len(groups) == 1:
        return DispersionPrior(log_mean, common[np.newaxis])
    local = [fit_prior(loglik[group], common, max_rounds=LOCAL_ROUNDS) for group in groups]
    return DispersionPrior(as_float(log_mean), as_float(np.stack(local)))


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
        # einsum adds up in the order of the rows; a matrix product depends on the library and on its threads
        total = np.einsum("gk,k->g", likelihood, prior)
        now = float(np.log(total).sum())
        if now - before < LEAST_GAIN:
            break
        before = now
        prior = prior * np.einsum("gk,g->k", likelihood, 1.0 / total) / len(total)
    return prior


def posterior(loglik: FloatArray, prior: FloatArray, nodes: Nodes) -> FloatArray:
    """Return the posterior weights (G, F) of the points of the integral, from likelihoods and prior weights (G, K)."""
    joint = _scaled(nodes.refined(loglik)) * nodes.refined_prior(prior)
    return as_float(joint / joint.sum(axis=1, keepdims=True))


def _scaled(loglik: FloatArray) -> FloatArray:
    return as_float(np.exp(loglik - loglik.max(axis=1, keepdims=True)))
