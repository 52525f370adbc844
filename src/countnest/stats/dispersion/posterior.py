"""Maximize the Cox-Reid adjusted posterior of the log dispersion of every gene, by line search and by grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray, rows_of
from countnest.kernels.negbin.dispersion import nb_logalpha_fit_chunk, nb_logalpha_grid_chunk

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = [
    "MAX_ITER",
    "MIN_DISPERSION",
    "DispersionPosterior",
    "LineSearch",
    "grid_search",
    "line_search",
    "max_dispersion",
]

MIN_DISPERSION = 1e-8
MAX_ITER = 100
TOLERANCE = 1e-6


def max_dispersion(n_samples: int) -> float:
    """Return the largest dispersion that is estimated: the number of samples, at least 10."""
    return float(max(10, n_samples))


@dataclass(frozen=True, slots=True, eq=False)
class DispersionPosterior:
    """The Cox-Reid adjusted log posterior of the log dispersion of each gene, as a function of it.

    Attributes
    ----------
    counts, mu
        (G, n) counts and means.
    layout
        Of the model matrix.
    given_weights
        (1, n) or (G, n) observation weights; None: all one.
    prior_mean, prior_variance
        (G,) means and variance of the normal prior on the log dispersion; no prior without a mean.
    """

    counts: FloatArray
    mu: FloatArray
    layout: Layout
    given_weights: FloatArray | None = None
    prior_mean: FloatArray | None = None
    prior_variance: float = np.inf

    @property
    def weights(self) -> FloatArray:
        """(1, n) or (G, n) observation weights."""
        return np.ones((1, self.layout.n_samples)) if self.given_weights is None else self.given_weights

    @property
    def centre(self) -> FloatArray:
        """(G,) means of the prior; 0 without one."""
        return np.zeros(len(self.counts)) if self.prior_mean is None else self.prior_mean

    def at(self, genes: IntArray) -> DispersionPosterior:
        """Return the posterior of some genes."""
        return replace(
            self,
            counts=self.counts[genes],
            mu=self.mu[genes],
            given_weights=rows_of(self.given_weights, genes),
            prior_mean=None if self.prior_mean is None else self.prior_mean[genes],
        )


@dataclass(frozen=True, slots=True, eq=False)
class LineSearch:
    """Outcome of the line search, each (G,): natural log dispersion, iterations, log posterior before and after."""

    log_alpha: FloatArray
    n_iter: IntArray
    initial: FloatArray
    final: FloatArray


def line_search(posterior: DispersionPosterior, start: FloatArray) -> LineSearch:
    """Maximize from `start` (G,), log dispersions."""
    counts, plan = posterior.counts, posterior.layout.working.plan
    n_genes = len(counts)
    out = LineSearch(np.empty(n_genes), np.empty(n_genes, dtype=np.int64), np.empty(n_genes), np.empty(n_genes))
    order = np.argsort(counts.sum(axis=1))  # genes of similar counts side by side are quicker
    nb_logalpha_fit_chunk(
        order, start, counts, posterior.mu, posterior.weights, plan.index, plan.numbers,
        posterior.centre, posterior.prior_variance, TOLERANCE, MAX_ITER,
        out.log_alpha, out.n_iter, out.initial, out.final,
    )  # fmt: skip
    return out


def grid_search(posterior: DispersionPosterior) -> FloatArray:
    """Return log dispersions (G,) that are best on a grid of 20 points and on a finer one around its best point."""
    layout = posterior.layout
    low, high = float(np.log(MIN_DISPERSION)), float(np.log(max_dispersion(layout.n_samples)))
    log_alpha, plan = np.empty(len(posterior.counts)), layout.working.plan
    nb_logalpha_grid_chunk(
        low, high, posterior.counts, posterior.mu, posterior.weights, plan.index, plan.numbers,
        posterior.centre, posterior.prior_variance, log_alpha,
    )  # fmt: skip
    return log_alpha
