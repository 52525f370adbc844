"""Replace outlier counts and fit their genes again.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Cook's distance for outlier detection".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from countnest.arrays import BoolArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix, InMemory
from countnest.methods.chunks import Genes
from countnest.methods.deseq2.fitted import cooks_of, observed_max_cooks
from countnest.methods.deseq2.stages import BaseMoments, Dispersions, Fitted, ModelFit, ReducedFit, Replacement
from countnest.methods.deseq2.steps import base_moments, estimate_dispersions, fit_model, no_counts
from countnest.options import DispersionSharing
from countnest.parallel.run import Engine
from countnest.stats.glm.cooks import cooks_cutoff, replacement_counts
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
    counts: CountMatrix, state: Fitted, layout: Layout, rule: ReplacementRule, engine: Engine
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
    cutoff = cooks_cutoff(layout) if rule.cutoff is None else rule.cutoff
    with np.errstate(invalid="ignore"):
        flagged = state.fit.highest_cooks > cutoff
        if not flagged.any():
            return None
        cooks = cooks_of(state, counts, layout, engine, flagged)
        outlying = cooks > cutoff
    observed, f = counts.read(np.flatnonzero(flagged)), rows_of(state.factors, flagged)
    suggested = replacement_counts(normalized_counts(observed, f), f, rule.trim)
    replaced = as_float(np.where(outlying & replaceable, suggested, observed))
    empty = np.zeros_like(flagged)
    empty[flagged] = no_counts(replaced if state.weights is None else replaced * state.weights[flagged])
    refitted, emptied = flagged & ~empty, flagged & empty
    return Replacement(flagged, replaced, refitted, emptied, replaceable, state.moments.mean, cooks)


def refit(
    replacement: Replacement,
    state: Fitted,
    counts: CountMatrix,
    layout: Layout,
    *,
    reduced: Layout | None = None,
    engine: Engine,
) -> Fitted:
    """Return a fitted state with the flagged genes fitted to their replaced counts.

    The trend and the prior stay; Cook's distances stay those of the original `counts` (G, n).
    """
    rows = replacement.refitted
    dispersions, fit = state.dispersions, state.fit
    moments = _moments_after(replacement, state, engine)
    if not rows.any():
        return replace(state, moments=moments, replacement=replacement)
    k = replacement.counts[rows[replacement.flagged]]
    genes = Genes(InMemory(k), rows_of(state.factors, rows), rows_of(state.weights, rows))
    part = BaseMoments(moments.mean[rows], moments.variance[rows], moments.all_zero[rows])
    new = estimate_dispersions(
        genes,
        part,
        layout,
        min_mu=fit.min_mu,
        sharing=_sharing(dispersions),
        known=dispersions.trend,
        engine=engine,
    )
    description = fit.reduced.description if fit.reduced else None
    refitted = fit_model(
        genes, part, layout, new.final, test=fit.test, reduced=reduced, reduced_description=description,
        use_t=fit.df is not None, min_mu=fit.min_mu, engine=engine,
    )  # fmt: skip
    merged = _merge(fit, refitted, rows, replacement.emptied)
    reduced_fit = None
    if fit.reduced and refitted.reduced:
        reduced_fit = _merge(fit.reduced, refitted.reduced, rows, replacement.emptied)
    merged_dispersions = _merge(dispersions, new, rows, np.zeros_like(rows))
    after = replace(
        state, dispersions=merged_dispersions, fit=replace(merged, reduced=reduced_fit), replacement=replacement
    )
    return replace(after, moments=moments, fit=with_observed_cooks(after, counts, layout, engine))


def _moments_after(replacement: Replacement, state: Fitted, engine: Engine) -> BaseMoments:
    """Return the moments (G,) with those of the flagged genes from their replaced counts."""
    flagged, before = replacement.flagged, state.moments
    fail = before.weights_fail
    genes = Genes(InMemory(replacement.counts), rows_of(state.factors, flagged))
    new = base_moments(
        genes, engine, weights=rows_of(state.raw_weights, flagged), weights_fail=None if fail is None else fail[flagged]
    )
    mean, variance, all_zero = before.mean.copy(), before.variance.copy(), before.all_zero.copy()
    mean[flagged], variance[flagged], all_zero[flagged] = new.mean, new.variance, new.all_zero
    return BaseMoments(mean, variance, all_zero, fail)


def with_observed_cooks(state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine) -> ModelFit:
    """Return the fit of a state, of replaced counts, with the largest Cook's distances of the `counts` as observed.

    Those of samples whose counts could be replaced no longer count in the largest ones, once a gene was fitted again.
    """
    fit, replacement = state.fit, state.replacement
    if replacement is None:
        return fit
    gone = replacement.replaceable if replacement.refitted.any() else np.zeros_like(replacement.replaceable)
    if gone.all():
        return replace(fit, max_cooks=np.full(len(fit.max_cooks), np.nan))
    return replace(fit, max_cooks=observed_max_cooks(state, counts, layout, engine, without=gone))


def _sharing(dispersions: Dispersions) -> DispersionSharing:
    """Return how dispersions of replaced counts are made; where they were given, they are estimated gene by gene."""
    return "gene_est_only" if dispersions.sharing == "given" else dispersions.sharing


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
