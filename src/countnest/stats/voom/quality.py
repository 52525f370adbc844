"""voom with weights of samples.

Source: Liu et al. (2015), doi:10.1093/nar/gkv412. G genes, n samples.
"""

from __future__ import annotations

from dataclasses import replace

from countnest.arrays import FloatArray
from countnest.stats.voom.array_weights import array_weights
from countnest.stats.voom.voom import SPAN, Voom, voom

__all__ = ["voom_with_quality_weights"]


def voom_with_quality_weights(
    counts: FloatArray,
    design: FloatArray,
    library: FloatArray,
    *,
    columns: FloatArray | None = None,
    span: float = SPAN,
) -> tuple[Voom, FloatArray]:
    """Return log counts, the weights of which are precisions times sample weights; and the sample weights (n,).

    Parameters
    ----------
    counts, design, library, span
        As in `voom`.
    columns
        (n, m) of the log variances of samples, see `variance_columns`; None: each sample has its own.

    Notes
    -----
    R counterpart: limma::voomWithQualityWeights.
    """
    first = voom(counts, design, library, span=span)
    own = array_weights(first.values, design, first.weights, columns)
    second = voom(counts, design, library, weights=own, span=span)
    own = array_weights(second.values, design, second.weights, columns)
    return replace(second, weights=second.weights * own), own
