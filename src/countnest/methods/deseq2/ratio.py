"""The likelihood ratio test of a question: the null model follows from it."""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import Genes, over_genes
from countnest.methods.deseq2.answer import row_basis
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.deseq2.steps import expand
from countnest.parallel.run import Engine
from countnest.stats.glm.fit import fit_nb_glm, highest_loglik
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import likelihood_ratio_test

__all__ = ["likelihood_ratio"]


def likelihood_ratio(
    contrasts: FloatArray, counts: CountMatrix, state: Fitted, layout: Layout, *, engine: Engine
) -> tuple[FloatArray, FloatArray, int]:
    """Return statistic and p-value (G,) of the likelihood ratio test that all contrasts (k, p) are zero, and its df.

    The null model has the columns X N, where N spans the null space of the contrasts; no reduced formula is needed.
    `counts` (G, n) are those that the model was fitted to. No statistic is below zero: where IRLS, which floors means,
    or a search ended short of the maximum of either model, both are taken on to it.
    """
    if layout.standard is not None:
        contrasts = layout.standard.contrasts(contrasts)
    basis, null = row_basis(contrasts)
    fit = state.fit
    rows = state.rows
    full, reduced = over_genes(
        _logliks, Genes(counts, state.factors, state.weights).at(rows), state.dispersions.final[rows], fit.beta[rows],
        fit.loglik[rows], fit.optimized[rows], layout=layout,
        null=Layout.of(layout.working.matrix @ null, as_given=True), min_mu=fit.min_mu, engine=engine,
        text="fitting the null model",
    )  # fmt: skip
    statistic, p_value = likelihood_ratio_test(full, reduced, len(basis))
    return expand(rows, statistic), expand(rows, p_value), len(basis)


def _logliks(
    counts: FloatArray,
    factors: FloatArray,
    weights: FloatArray | None,
    alpha: FloatArray,
    beta: FloatArray,
    loglik: FloatArray,
    optimized: BoolArray,
    *,
    layout: Layout,
    null: Layout,
    min_mu: float,
    engine: Engine,
) -> tuple[FloatArray, FloatArray]:
    """Return the log-likelihoods (G,) of a model, which was fitted, and of the null model."""
    reduced = fit_nb_glm(counts, factors, null, alpha, weights=weights, min_mu=min_mu, engine=engine)
    short = np.flatnonzero(optimized | reduced.optimized | (loglik < reduced.loglik))
    if not len(short):
        return loglik, reduced.loglik
    some = counts[short], rows_of(factors, short), alpha[short], rows_of(weights, short)
    full_best, null_best = loglik.copy(), reduced.loglik
    null_best[short] = highest_loglik(reduced.beta[short], null, *some)
    # the null model is one of the full model's, so its maximum is the least that the full model has
    full_best[short] = np.maximum(highest_loglik(beta[short], layout, *some), null_best[short])
    return full_best, null_best
