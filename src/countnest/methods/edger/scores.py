"""Normal scores of counts under edgeR's null models, which tests of gene sets are made of. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.edger.model import EdgeRInput, inputs_of
from countnest.parallel.run import Engine
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import fit_glm
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.gene_sets.scores import negative_binomial_scores

__all__ = ["null_scores"]


def null_scores(
    counts: CountMatrix,
    given: EdgeRInput,
    null: FloatArray,
    dispersion: FloatArray,
    scale: FloatArray,
    engine: Engine,
) -> FloatArray:
    """Return normal scores (G, n) of counts under null models, NaN where genes are not kept.

    Parameters
    ----------
    null
        (n, p) the columns of the null model; there may be none.
    dispersion
        (G,)
    scale
        (G,) at least 1: what variances are larger by than the negative binomial ones. Counts and means are divided by
        it, and dispersions multiplied, which gives them that variance.

    Notes
    -----
    R counterpart: inside edgeR::camera and edgeR::fry.
    """
    genes = given.genes(counts, dispersion=dispersion, scale=scale)
    columns = Columns.of(null) if null.shape[1] else None
    return over_genes(_score_chunk, genes, null=columns, level=compat_level(given.compat), engine=engine)


def _score_chunk(chunk: GeneChunk, *, null: Columns | None, level: Level) -> FloatArray:
    inputs, dispersion = inputs_of(chunk), chunk["dispersion"]
    if null is None:
        mu = as_float(np.broadcast_to(inputs.factors, inputs.counts.shape))
    else:
        mu = fit_glm(inputs, null, dispersion, level=level).mu
    scale = chunk["scale"][:, np.newaxis]
    return negative_binomial_scores(inputs.counts / scale, mu / scale, dispersion * chunk["scale"])
