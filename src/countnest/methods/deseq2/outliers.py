"""Outlier counts by Cook's distance, and their replacements.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Cook's distance for outlier detection".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.methods.deseq2.fitted import cooks_of, observed_max_cooks
from countnest.methods.deseq2.stages import Fitted, ModelFit, Replacement
from countnest.parallel.run import Engine
from countnest.stats.glm.cooks import cooks_cutoff, replacement_counts
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import no_counts, normalized_counts

__all__ = ["ReplacementRule", "find_replacements", "with_observed_cooks"]


@dataclass(frozen=True, slots=True, eq=False)
class ReplacementRule:
    """The rule by which outlier counts are replaced.

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
