"""Size factors and dispersions estimated in turn, each given the other, until the size factors converge.

For data in which every gene has a zero, so that there are no ratios to geometric means.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.matrix import InMemory
from countnest.errors import NormalizationError
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.deseq2.steps import estimate_dispersions
from countnest.methods.normalized import base_moments, failing_weights
from countnest.parallel.run import Engine
from countnest.progress import Mute
from countnest.stats.dispersion.trend import FlatDispersionsError
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import scaled_weights
from countnest.stats.norm.iterate import count_logliks, ml_size_factors

__all__ = ["iterated_size_factors"]

MIN_MU = 0.5
MAX_ROUNDS = 10
# Of the squared changes of the log size factors, summed over the samples.
TOLERANCE = 1e-4


def iterated_size_factors(counts: FloatArray, engine: Engine, weights: FloatArray | None = None) -> FloatArray:
    """Return size factors (n,) of counts (G, n) that agree with the dispersions they lead to under the design ~ 1.

    Observation weights (G, n) count in dispersions and means, as in R not in the likelihood of the size factors.

    Raises
    ------
    NormalizationError
        If they do not settle in ten rounds, or the dispersions cannot be estimated.

    Notes
    -----
    R counterpart: DESeq2::estimateSizeFactors(type = "iterate").
    """
    n = counts.shape[1]
    if n < 2:
        raise NormalizationError("type='iterate' estimates dispersions, which needs 2 samples or more.")
    layout, silent = Layout.of(np.ones((n, 1))), replace(engine, progress=Mute(engine.progress))
    genes = Genes(InMemory(counts), np.ones((1, n)))
    rows = ~base_moments(genes, silent, weights=weights, weights_fail=failing_weights(weights, layout)).all_zero
    k, v = counts[rows], None if weights is None else weights[rows]
    factors, change = np.ones(n), np.inf
    for done in range(MAX_ROUNDS):
        previous = factors
        factors = _next_factors(k, v, previous, layout, silent)
        change = float(np.sum(np.log(factors / previous) ** 2))
        if done > 0 and change < TOLERANCE:
            return factors
    raise NormalizationError(
        f"iterative size factor normalization did not converge: after {MAX_ROUNDS} rounds the squared changes of the "
        f"log size factors still add up to {change:.2g}. Use type='ratio', or 'poscounts' where every gene has a zero."
    )


def _next_factors(
    k: FloatArray, weights: FloatArray | None, factors: FloatArray, layout: Layout, engine: Engine
) -> FloatArray:
    row = factors[np.newaxis, :]
    moments = base_moments(Genes(InMemory(k), row), engine, weights=weights)
    scaled = None if weights is None else scaled_weights(weights)
    try:
        alpha = estimate_dispersions(
            Genes(InMemory(k), row, scaled), moments, layout, fit_type="mean", min_mu=MIN_MU, engine=engine
        ).final
    except FlatDispersionsError as error:
        raise NormalizationError(
            "type='iterate' needs dispersions, but the counts vary no more than Poisson variables do. Use "
            "type='ratio', or 'poscounts' where every gene has a zero."
        ) from error
    mean = moments.mean if weights is None else moments.mean / weights.mean(axis=1)  # of weighted counts, weighted mean
    # means below the floor are floored in the dispersions, and so in what is expected of the gene
    expected = np.maximum(mean[:, np.newaxis] * row, MIN_MU) / row
    genes = Genes(InMemory(k), row, by_gene={"expected": expected, "dispersion": alpha})

    def logliks(size_factors: FloatArray) -> FloatArray:
        return over_genes(_logliks_chunk, replace(genes, size_factors=size_factors[np.newaxis, :]), engine=engine)

    return ml_size_factors(logliks, factors)


def _logliks_chunk(chunk: GeneChunk) -> FloatArray:
    return count_logliks(chunk.counts, chunk["expected"] * chunk.size_factors, chunk["dispersion"])
