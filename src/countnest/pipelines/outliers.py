"""Replace outlier counts and fit their genes again.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Cook's distance for outlier detection".
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.fit import BaseMoments, Dispersions, ModelFit, ReducedFit, Replacement
from countnest.parallel.run import Engine
from countnest.pipelines.deseq import base_moments, estimate_dispersions, fit_model, no_counts, rows_of
from countnest.stats.glm.cooks import cooks_cutoff, max_cooks, replacement_counts
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import rows_of as weights_of
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["find_replacements", "refit"]

Record = TypeVar("Record", Dispersions, ModelFit, ReducedFit)


def find_replacements(
    counts: FloatArray, factors: FloatArray, cooks: FloatArray, layout: Layout, min_replicates: float
) -> Replacement | None:
    """Return the replacement of counts whose Cook's distance is beyond the cutoff; None where none is.

    A count is replaced where its sample has at least `min_replicates` replicates, itself included; genes with an
    outlier anywhere are flagged.

    Notes
    -----
    R counterpart: DESeq2::replaceOutliers(minReplicates=).
    """
    replaceable = layout.samples_per_cell >= min_replicates
    if not replaceable.any():
        return None
    with np.errstate(invalid="ignore"):
        outlying = cooks > cooks_cutoff(layout)
    flagged = np.asarray(np.any(outlying, axis=1))
    if not flagged.any():
        return None
    replaced = counts.copy()
    f = rows_of(factors, flagged)
    suggested = replacement_counts(normalized_counts(counts[flagged], f), f)
    replaced[flagged] = np.where(outlying[flagged] & replaceable, suggested, counts[flagged])
    empty = no_counts(replaced)
    return Replacement(replaced, flagged, flagged & ~empty, flagged & empty)


def refit(
    replacement: Replacement,
    factors: FloatArray,
    layout: Layout,
    dispersions: Dispersions,
    fit: ModelFit,
    min_replicates: float,
    *,
    weights: FloatArray | None = None,
    reduced: Layout | None = None,
    engine: Engine,
) -> tuple[BaseMoments, Dispersions, ModelFit]:
    """Return moments, dispersions and model with the flagged genes fitted to their replaced counts.

    The trend and the prior stay; Cook's distances stay those of the original counts.
    """
    counts, rows = replacement.counts, replacement.refitted
    moments = base_moments(counts, factors, weights, layout)
    if not rows.any():
        return moments, dispersions, fit
    k, f, v = counts[rows], rows_of(factors, rows), weights_of(weights, rows)
    part = BaseMoments(moments.mean[rows], moments.variance[rows], moments.all_zero[rows])
    new = estimate_dispersions(k, f, part, layout, weights=v, min_mu=fit.min_mu, known=dispersions.trend, engine=engine)
    description = fit.reduced.description if fit.reduced else None
    refitted = fit_model(
        k, f, part, layout, new.final, weights=v, test=fit.test, reduced=reduced, reduced_description=description,
        use_t=fit.df is not None, min_mu=fit.min_mu, engine=engine,
    )  # fmt: skip
    merged = _merge(fit, refitted, rows, replacement.emptied)
    kept = layout.samples_per_cell < min_replicates
    merged = replace(
        merged,
        cooks=fit.cooks,
        max_cooks=_max_cooks_after(fit.cooks, kept, layout),
        reduced=_merge(fit.reduced, refitted.reduced, rows, replacement.emptied)
        if fit.reduced and refitted.reduced
        else None,
    )
    return moments, _merge(dispersions, new, rows, np.zeros_like(rows)), merged


def _max_cooks_after(cooks: FloatArray, kept: BoolArray, layout: Layout) -> FloatArray:
    """Return the largest Cook's distances (G,) with those of replaceable samples taken as zero; NaN if all are."""
    if not kept.any():
        return np.full(len(cooks), np.nan)
    return max_cooks(np.where(kept | np.isnan(cooks), cooks, 0.0), layout)


def _merge(whole: Record, part: Record, rows: BoolArray, emptied: BoolArray) -> Record:
    """Return `whole` with the genes `rows` taken from `part`, which holds them alone, and `emptied` genes missing."""
    merged: dict[str, Any] = {}
    for field in fields(whole):
        old, new = getattr(whole, field.name), getattr(part, field.name)
        if isinstance(old, np.ndarray):
            values = old.copy()
            values[rows] = new
            values[emptied] = np.nan if values.dtype == np.float64 else False
            merged[field.name] = values
    return replace(whole, **merged)
