"""The whole analysis in its order: normalization, dispersions, model, outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import rows_of
from countnest.containers.matrix import CountMatrix, InMemory
from countnest.errors import counted
from countnest.methods.chunks import Genes
from countnest.methods.deseq2.beta_prior import fit_beta_prior, refit_beta_prior
from countnest.methods.deseq2.outliers import ReplacementRule, find_replacements, with_observed_cooks
from countnest.methods.deseq2.stages import Dispersed, Fitted, Replacement, merged
from countnest.methods.deseq2.steps import Model, estimate_dispersions, fit_model
from countnest.methods.normalized import base_moments
from countnest.methods.stage import BaseMoments, Normalized, at_stage
from countnest.options import DispersionSharing, FitType
from countnest.parallel.run import Engine
from countnest.stats.dispersion.trend import TrendFunction
from countnest.stats.glm.layout import Layout

__all__ = ["original_moments", "replace_outliers", "with_dispersions", "with_fit"]


def original_moments(state: Normalized, counts: CountMatrix, engine: Engine) -> BaseMoments:
    """Return the moments of the counts as observed."""
    if not isinstance(state, Dispersed) or state.replacement is None:
        return state.moments
    genes, fail = Genes(counts, state.factors), state.moments.weights_fail
    return base_moments(genes, engine, weights=state.raw_weights, weights_fail=fail)


def with_dispersions(
    state: Normalized,
    counts: CountMatrix,
    layout: Layout,
    *,
    fit_type: FitType | TrendFunction,
    sharing: DispersionSharing = "MAP",
    min_mu: float,
    engine: Engine,
) -> Dispersed:
    """Return the state with dispersions, and without what was fitted before."""
    engine.progress.step("estimating dispersions")
    moments = original_moments(state, counts, engine)
    dispersions = estimate_dispersions(
        Genes(counts, state.factors, state.weights),
        moments,
        layout,
        fit_type=fit_type,
        sharing=sharing,
        min_mu=min_mu,
        engine=engine,
    )
    return at_stage(Dispersed, state, moments=moments, dispersions=dispersions, replacement=None)


def with_fit(state: Dispersed, counts: CountMatrix, model: Model, engine: Engine) -> Fitted:
    """Return the state with the fitted model.

    Counts that were replaced as outliers stay replaced, as moments and dispersions of their genes are those of the
    replaced counts.
    """
    used = state.counts_used(counts)
    genes = Genes(used, state.factors, state.weights)
    fit = fit_model(genes, state.moments, model, state.dispersions.final, engine)
    fitted = at_stage(Fitted, state, fit=fit)
    fitted = replace(fitted, fit=with_observed_cooks(fitted, counts, model.layout, engine))
    if model.prior is None:
        return fitted
    return replace(fitted, fit=replace(fitted.fit, prior=fit_beta_prior(fitted, used, model.prior, engine)))


def replace_outliers(state: Fitted, counts: CountMatrix, model: Model, rule: ReplacementRule, engine: Engine) -> Fitted:
    """Return the state after outlier counts were replaced and their genes fitted again; the same if there are none."""
    replacement = find_replacements(counts, state, model.layout, rule, engine)
    if replacement is None:
        return state
    engine.progress.note(
        f"-- replacing outliers and refitting for {counted(int(replacement.flagged.sum()), 'gene')} "
        f"({rule}; the original counts are kept in counts())"
    )
    after = _refit(replacement, state, counts, model, engine)
    fit = after.fit
    if fit.prior is None or model.prior is None or not replacement.refitted.any():
        return after
    prior = refit_beta_prior(fit.prior, after, after.counts_used(counts), model.prior, replacement.refitted, engine)
    return replace(after, fit=replace(fit, prior=prior))


def _refit(replacement: Replacement, state: Fitted, counts: CountMatrix, model: Model, engine: Engine) -> Fitted:
    """Return a fitted state with the flagged genes fitted to their replaced counts, without priors.

    The trend and the prior of the dispersions stay; Cook's distances stay those of the original `counts` (G, n).
    """
    rows, before, fit = replacement.refitted, state.dispersions, state.fit
    moments = _moments_after(replacement, state, engine)
    if not rows.any():
        return replace(state, moments=moments, replacement=replacement)
    k = replacement.counts[rows[replacement.flagged]]
    genes = Genes(InMemory(k), rows_of(state.factors, rows), rows_of(state.weights, rows))
    part = BaseMoments(moments.mean[rows], moments.variance[rows], moments.all_zero[rows])
    new = estimate_dispersions(
        genes, part, model.layout, min_mu=fit.min_mu, engine=engine,
        fit_type="parametric" if before.trend is None else before.trend,
        sharing="gene_est_only" if before.sharing == "given" else before.sharing,
    )  # fmt: skip
    description = fit.reduced.description if fit.reduced else None
    same = replace(
        model, reduced_description=description, test=fit.test, use_t=fit.df is not None, min_mu=fit.min_mu, prior=None
    )
    refitted = fit_model(genes, part, same, new.final, engine)
    reduced = None
    if fit.reduced and refitted.reduced:
        reduced = merged(fit.reduced, refitted.reduced, rows, replacement.emptied)
    fit = replace(merged(fit, refitted, rows, replacement.emptied), reduced=reduced)
    dispersions = merged(before, new, rows, np.zeros_like(rows))
    after = replace(state, moments=moments, dispersions=dispersions, fit=fit, replacement=replacement)
    return replace(after, fit=with_observed_cooks(after, counts, model.layout, engine))


def _moments_after(replacement: Replacement, state: Fitted, engine: Engine) -> BaseMoments:
    """Return the moments (G,) with those of the flagged genes from their replaced counts."""
    flagged, fail = replacement.flagged, state.moments.weights_fail
    genes = Genes(InMemory(replacement.counts), rows_of(state.factors, flagged))
    new = base_moments(
        genes, engine, weights=rows_of(state.raw_weights, flagged), weights_fail=None if fail is None else fail[flagged]
    )
    return merged(state.moments, new, flagged, np.zeros_like(flagged))
