"""Replace outlier counts and fit their genes again.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Cook's distance for outlier detection".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from countnest.arrays import BoolArray, FloatArray, rows_of
from countnest.containers.fit import Analysis, BaseMoments, Dispersions, ModelFit, ReducedFit, Replacement
from countnest.options import DispersionSharing
from countnest.parallel.run import Engine
from countnest.pipelines.deseq import base_moments, estimate_dispersions, fit_model, no_counts
from countnest.stats.glm.cooks import cooks_cutoff, max_cooks, replacement_counts
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["ReplacementRule", "find_replacements", "refit", "with_observed_cooks"]

Record = TypeVar("Record", Dispersions, ModelFit, ReducedFit)


@dataclass(frozen=True, slots=True, eq=False)
class ReplacementRule:
    """Which counts are replaced, and by what.

    Attributes
    ----------
    min_replicates
        Samples with at least this many replicates, itself included, can have their counts replaced.
    samples
        (n,) the samples that can, whatever their replicates; None: by `min_replicates`.
    cutoff
        Cook's distance of an outlier; None: the 99 % quantile of F(p, n - p).
    trim
        Fraction left out at either end of the mean that replaces a count.
    """

    min_replicates: float = 7
    samples: BoolArray | None = None
    cutoff: float | None = None
    trim: float = 0.2

    def __str__(self) -> str:
        return f"samples with {self.min_replicates:g} or more replicates" if self.samples is None else "given samples"

    def replaceable(self, layout: Layout) -> BoolArray:
        """Return the samples (n,) whose counts can be replaced."""
        return layout.samples_per_cell >= self.min_replicates if self.samples is None else self.samples


def find_replacements(
    counts: FloatArray, state: Analysis, cooks: FloatArray, layout: Layout, rule: ReplacementRule
) -> Replacement | None:
    """Return the replacement of counts whose Cook's distance is beyond the cutoff; None where none is.

    Genes with an outlier anywhere are flagged.

    Notes
    -----
    R counterpart: DESeq2::replaceOutliers.
    """
    replaceable = rule.replaceable(layout)
    if not replaceable.any():
        return None
    with np.errstate(invalid="ignore"):
        outlying = cooks > (cooks_cutoff(layout) if rule.cutoff is None else rule.cutoff)
    flagged = np.asarray(np.any(outlying, axis=1))
    if not flagged.any():
        return None
    replaced = counts.copy()
    f = rows_of(state.factors, flagged)
    suggested = replacement_counts(normalized_counts(counts[flagged], f), f, rule.trim)
    replaced[flagged] = np.where(outlying[flagged] & replaceable, suggested, counts[flagged])
    empty = no_counts(replaced if state.weights is None else replaced * state.weights)
    refitted, emptied = flagged & ~empty, flagged & empty
    return Replacement(replaced, flagged, refitted, emptied, replaceable, state.moments.mean, cooks)


def refit(
    replacement: Replacement, state: Analysis, layout: Layout, *, reduced: Layout | None = None, engine: Engine
) -> tuple[BaseMoments, Dispersions, ModelFit]:
    """Return moments, dispersions and model of a fitted state, with the flagged genes fitted to their replaced counts.

    The trend and the prior stay; Cook's distances stay those of the original counts.
    """
    counts, rows = replacement.counts, replacement.refitted
    dispersions, fit = state.dispersions, state.fit
    assert dispersions is not None
    assert fit is not None
    moments = base_moments(counts, state.factors, state.raw_weights, state.moments.weights_fail)
    if not rows.any():
        return moments, dispersions, fit
    k, f, v = counts[rows], rows_of(state.factors, rows), rows_of(state.weights, rows)
    part = BaseMoments(moments.mean[rows], moments.variance[rows], moments.all_zero[rows])
    new = estimate_dispersions(
        k,
        f,
        part,
        layout,
        weights=v,
        min_mu=fit.min_mu,
        sharing=_sharing(dispersions),
        known=dispersions.trend,
        engine=engine,
    )
    description = fit.reduced.description if fit.reduced else None
    refitted = fit_model(
        k, f, part, layout, new.final, weights=v, test=fit.test, reduced=reduced, reduced_description=description,
        use_t=fit.df is not None, min_mu=fit.min_mu, engine=engine,
    )  # fmt: skip
    merged = _merge(fit, refitted, rows, replacement.emptied)
    reduced_fit = None
    if fit.reduced and refitted.reduced:
        reduced_fit = _merge(fit.reduced, refitted.reduced, rows, replacement.emptied)
    merged = with_observed_cooks(replace(merged, reduced=reduced_fit), replacement, layout)
    return moments, _merge(dispersions, new, rows, np.zeros_like(rows)), merged


def with_observed_cooks(fit: ModelFit, replacement: Replacement, layout: Layout) -> ModelFit:
    """Return the fit of replaced counts with the Cook's distances of the counts that were observed.

    Those of samples whose counts could be replaced no longer count in the largest ones, once a gene was fitted again.
    """
    cooks = np.where(replacement.flagged[:, np.newaxis], replacement.cooks, fit.cooks)
    kept = ~replacement.replaceable if replacement.refitted.any() else np.ones(len(replacement.replaceable), np.bool_)
    return replace(fit, cooks=cooks, max_cooks=_max_cooks_after(cooks, kept, layout))


def _sharing(dispersions: Dispersions) -> DispersionSharing:
    """Return how dispersions of replaced counts are made; where they were given, they are estimated gene by gene."""
    return "gene_est_only" if dispersions.sharing == "given" else dispersions.sharing


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
