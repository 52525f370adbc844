"""From counts to normalized counts: factors, the moments of the counts divided by them, observation weights."""

from __future__ import annotations

from dataclasses import replace

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.matrix import CountMatrix
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.normalization import Normalization, estimate_factors
from countnest.methods.stage import BaseMoments, Normalized
from countnest.options import SizeFactorType
from countnest.parallel.run import Engine
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import scaled_weights, weighted_counts, weights_suffice
from countnest.stats.norm.size_factors import base_mean, base_variance, no_counts

__all__ = ["base_moments", "failing_weights", "normalize", "with_weights"]


def normalize(
    counts: CountMatrix,
    given: FloatArray | None,
    kind: SizeFactorType,
    engine: Engine,
    by_gene: bool = False,
    normalization: Normalization | None = None,
) -> Normalized:
    """Return the first state of an analysis, with `given` factors or with estimated ones.

    `by_gene` tells whether the given ones are normalization factors; `normalization` holds the inputs for estimating
    them.
    """
    if given is None:
        inputs = normalization or Normalization()
        factors, by_gene = estimate_factors(counts, kind, inputs, engine), inputs.by_gene(kind)
    else:
        engine.progress.step(f"using pre-existing {'normalization' if by_gene else 'size'} factors")
        factors = given
    moments = base_moments(Genes(counts, factors), engine)
    estimated = kind if given is None else None
    return Normalized(factors=factors, given=given is not None, moments=moments, by_gene=by_gene, kind=estimated)


def with_weights(
    state: Normalized, counts: CountMatrix, weights: FloatArray, layout: Layout, engine: Engine
) -> Normalized:
    """Return the state with observation weights (G, n), which moments and fits then use."""
    moments = base_moments(
        Genes(counts, state.factors), engine, weights=weights, weights_fail=failing_weights(weights, layout)
    )
    return replace(state, weights=scaled_weights(weights), raw_weights=weights, moments=moments)


def base_moments(
    genes: Genes, engine: Engine, *, weights: FloatArray | None = None, weights_fail: BoolArray | None = None
) -> BaseMoments:
    """Return the moments of the normalized counts.

    Parameters
    ----------
    genes
        G genes; their weights are not looked at.
    weights
        (G, n) observation weights as they were given. A gene whose counts all have weight zero is one without counts.
    weights_fail
        (G,) what `failing_weights` says of them.
    """
    found = over_genes(_moments_chunk, replace(genes, weights=weights), engine=engine)
    if weights_fail is None:
        return found
    return replace(found, all_zero=found.all_zero | weights_fail, weights_fail=weights_fail)


def _moments_chunk(chunk: GeneChunk) -> BaseMoments:
    normalized = weighted_counts(chunk.counts, chunk.size_factors, chunk.weights)
    return BaseMoments(base_mean(normalized), base_variance(normalized), no_counts(normalized))


def failing_weights(weights: FloatArray | None, layout: Layout) -> BoolArray | None:
    """Return the genes (G,) whose observation weights (G, n) leave too few samples for the model; None without."""
    return None if weights is None else ~weights_suffice(scaled_weights(weights), layout)
