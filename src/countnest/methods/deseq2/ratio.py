"""The likelihood ratio test of contrasts: the null model follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.deseq2.fitted import fitted_genes
from countnest.methods.deseq2.stages import Fitted
from countnest.parallel.run import Engine
from countnest.stats.glm.fit import fit_nb_glm, highest_loglik
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import RankTest, likelihood_ratio_test, row_basis

__all__ = ["likelihood_ratio"]


def likelihood_ratio(
    contrasts: FloatArray, counts: CountMatrix, state: Fitted, layout: Layout, *, engine: Engine
) -> RankTest:
    """Return the likelihood ratio test that all contrasts (k, p) are zero; genes that are not fitted are missing.

    The null model has the columns X N, where N spans the null space of the contrasts; no reduced formula is needed.
    `counts` (G, n) are those that the model was fitted to. No statistic is below zero: where IRLS, which floors means,
    or a search ended short of the maximum of either model, both are taken on to it.
    """
    if layout.standard is not None:
        contrasts = layout.standard.contrasts(contrasts)
    basis, null = row_basis(contrasts)
    genes = fitted_genes(state, counts).with_arrays(loglik=state.fit.loglik)
    if state.replacement is not None:  # where no count is left, there is nothing to fit
        genes = genes.where(state.rows & ~state.replacement.emptied)
    found = over_genes(
        _logliks_chunk, genes, layout=layout, null=Layout.of(layout.working.matrix @ null, as_given=True),
        min_mu=state.fit.min_mu, engine=engine, text="fitting the null model",
    )  # fmt: skip
    statistic, p_value = likelihood_ratio_test(found.full, found.null, len(basis))
    return RankTest(statistic, p_value, len(basis))


@dataclass(frozen=True, slots=True, eq=False)
class _Logliks:
    """Log-likelihoods (G,) of a model and of the null model."""

    full: FloatArray
    null: FloatArray


def _logliks_chunk(chunk: GeneChunk, *, layout: Layout, null: Layout, min_mu: float) -> _Logliks:
    counts, inputs, loglik = chunk.counts, chunk.inputs(min_mu), chunk["loglik"]
    reduced = fit_nb_glm(counts, inputs, null)
    short = np.flatnonzero(chunk["optimized"] | reduced.optimized | (loglik < reduced.loglik))
    if not len(short):
        return _Logliks(loglik, reduced.loglik)
    k, some = counts[short], inputs.at(short)
    full_best, null_best = loglik.copy(), reduced.loglik
    null_best[short] = highest_loglik(reduced.beta[short], k, some, null)
    # the null model is one of the full model's, so its maximum is the least that the full model has
    full_best[short] = np.maximum(highest_loglik(chunk["beta"][short], k, some, layout), null_best[short])
    return _Logliks(full_best, null_best)
