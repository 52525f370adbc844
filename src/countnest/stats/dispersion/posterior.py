"""Maximise the Cox-Reid adjusted posterior of log(dispersion) for every gene, by line search and by grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.negbin.dispersion import nb_logalpha_fit_block, nb_logalpha_grid_block

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["MAX_ITER", "MIN_DISPERSION", "LineSearch", "grid_search", "line_search", "max_dispersion"]

MIN_DISPERSION = 1e-8
MAX_ITER = 100
TOLERANCE = 1e-6


def max_dispersion(n_samples: int) -> float:
    """Return the largest dispersion that is estimated: the number of samples, at least 10."""
    return float(max(10, n_samples))


@dataclass(frozen=True, slots=True, eq=False)
class LineSearch:
    """Outcome of the line search, each (G,): natural log dispersion, iterations, log posterior before and after."""

    log_alpha: FloatArray
    n_iter: IntArray
    initial: FloatArray
    final: FloatArray


def line_search(
    start: FloatArray,
    counts: FloatArray,
    mu: FloatArray,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    prior_mean: FloatArray | None = None,
    prior_variance: float = np.inf,
) -> LineSearch:
    """Maximise from `start` (G,), log dispersions, given counts and means (G, n).

    `weights` are (1, n) or (G, n) observation weights. The prior on the log dispersion is normal with `prior_mean` (G,)
    and `prior_variance`; none without a mean.
    """
    n_genes = len(counts)
    centre = np.zeros(n_genes) if prior_mean is None else prior_mean
    v = np.ones((1, layout.n_samples)) if weights is None else weights
    out = LineSearch(np.empty(n_genes), np.empty(n_genes, dtype=np.int64), np.empty(n_genes), np.empty(n_genes))
    order = np.argsort(counts.sum(axis=1))  # genes of similar counts side by side are quicker
    plan = layout.working.plan
    nb_logalpha_fit_block(
        order, start, counts, mu, v, plan.index, plan.numbers, centre, prior_variance, TOLERANCE, MAX_ITER,
        out.log_alpha, out.n_iter, out.initial, out.final,
    )  # fmt: skip
    return out


def grid_search(
    counts: FloatArray,
    mu: FloatArray,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    prior_mean: FloatArray | None = None,
    prior_variance: float = np.inf,
) -> FloatArray:
    """Return log dispersions (G,) that are best on a grid of 20 points and on a finer one around its best point."""
    n_genes = len(counts)
    centre = np.zeros(n_genes) if prior_mean is None else prior_mean
    v = np.ones((1, layout.n_samples)) if weights is None else weights
    low, high = float(np.log(MIN_DISPERSION)), float(np.log(max_dispersion(layout.n_samples)))
    log_alpha, plan = np.empty(n_genes), layout.working.plan
    nb_logalpha_grid_block(low, high, counts, mu, v, plan.index, plan.numbers, centre, prior_variance, log_alpha)
    return log_alpha
