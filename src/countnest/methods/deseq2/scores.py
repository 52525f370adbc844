"""Normal scores of counts under DESeq2's null models, which tests of gene sets are made of. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.deseq2.fitted import fitted_genes
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.gene_sets import GeneSetData
from countnest.parallel.run import Engine
from countnest.stats.gene_sets.effects import LinearData
from countnest.stats.gene_sets.scores import negative_binomial_scores
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import row_basis

__all__ = ["gene_set_scores"]


def gene_set_scores(
    contrast: FloatArray, counts: CountMatrix, state: Fitted, layout: Layout, engine: Engine
) -> GeneSetData:
    """Return normal scores of the counts that were fitted, under the model in which a contrast (p,) is zero.

    Parameters
    ----------
    contrast
        (p,) of the coefficients.
    counts
        (G, n) that the model was fitted to: with outliers replaced, if any were.
    state, layout
        The fit, whose final dispersions are used, and its model matrix.
    engine
        Works on the genes.

    Notes
    -----
    R counterpart: none; it is what edgeR::camera and edgeR::fry do with counts, with DESeq2's size factors and
    dispersions.
    """
    own = contrast[np.newaxis] if layout.standard is None else layout.standard.contrasts(contrast[np.newaxis])
    columns = as_float(layout.working.matrix @ row_basis(own)[1])
    null = Layout.of(columns, as_given=True) if columns.shape[1] else None
    rows = state.rows if state.replacement is None else state.rows & ~state.replacement.emptied
    genes = fitted_genes(state, counts).where(rows)
    scores = over_genes(_score_chunk, genes, null=null, min_mu=state.fit.min_mu, engine=engine)
    return GeneSetData(LinearData(scores[rows], layout.matrix, scores=True), rows)


def _score_chunk(chunk: GeneChunk, *, null: Layout | None, min_mu: float) -> FloatArray:
    if null is None:
        mu = as_float(np.broadcast_to(chunk.size_factors, chunk.counts.shape))
    else:
        mu = fit_nb_glm(chunk.counts, chunk.inputs(min_mu), null).mu
    return negative_binomial_scores(chunk.counts, mu, chunk["dispersion"])
