"""Normal priors on the coefficients: their widths from all genes, and the fits with them.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Empirical Bayes estimation of LFCs".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.design.prior_design import PriorDesign
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.deseq2.fitted import variance_chunk
from countnest.methods.deseq2.stages import BetaPrior, Estimates, Fitted, ModelFit
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import base_mean, normalized_counts
from countnest.stats.shrink.normal import FLAT_VARIANCE, lfc_weights, normal_prior_variance

__all__ = [
    "PriorModel",
    "estimate_with_prior",
    "fit_beta_prior",
    "prior_variances",
    "refit_beta_prior",
    "refuse_less_abs",
    "refuse_prior",
]


@dataclass(frozen=True, slots=True, eq=False)
class PriorModel:
    """The model whose coefficients get priors.

    Attributes
    ----------
    layout
        Of its matrix (n, q), whose columns may be dependent.
    spread
        For each of the q columns the contrasts (m, p) of the maximum likelihood coefficients that say how wide its
        prior is; without rows for a column without prior.
    expanded
        Whether every level of a factor has a column.
    """

    layout: Layout
    spread: tuple[FloatArray, ...]
    expanded: bool

    @classmethod
    def of(cls, prior: PriorDesign) -> PriorModel:
        """Return the model of a design."""
        return cls(Layout.of_any_rank(prior.design.matrix), prior.spread, prior.expanded)

    def starts(self, normalized: FloatArray) -> FloatArray | None:
        """Return starting values (G, q), natural log, where least squares has none: no difference between samples.

        `normalized` (G, n) are normalized counts.
        """
        if np.linalg.matrix_rank(self.layout.matrix) == self.layout.n_coefficients:
            return None
        without_prior = [len(contrasts) == 0 for contrasts in self.spread]
        start = np.zeros((len(normalized), len(self.spread)))
        start[:, without_prior] = np.log(base_mean(normalized))[:, np.newaxis]
        return start


def prior_variances(log2_beta: FloatArray, weights: FloatArray, model: PriorModel) -> FloatArray:
    """Return the variances (q,) of the priors, log2: averages over the contrasts that determine the width of each.

    Parameters
    ----------
    log2_beta
        (G, p) maximum likelihood coefficients.
    weights
        (G,) of the genes, `stats.shrink.normal.lfc_weights`.
    model
        The model whose coefficients get the priors.

    Notes
    -----
    R counterpart: DESeq2::estimateBetaPriorVar.
    """
    known: dict[bytes, float] = {}
    variances = np.full(len(model.spread), FLAT_VARIANCE)
    for place, contrasts in enumerate(model.spread):
        for contrast in contrasts:
            if contrast.tobytes() not in known:
                known[contrast.tobytes()] = normal_prior_variance(as_float(log2_beta @ contrast), weights)
        if len(contrasts):
            variances[place] = np.mean([known[contrast.tobytes()] for contrast in contrasts])
    return variances


def fit_beta_prior(
    state: Fitted, counts: CountMatrix, model: PriorModel, engine: Engine, *, variance: FloatArray | None = None
) -> BetaPrior:
    """Return the fit with priors on the coefficients.

    Parameters
    ----------
    state
        With dispersions and the maximum likelihood fit.
    counts
        (G, n).
    model
        The model whose coefficients get priors.
    engine
        Threads, chunks, progress.
    variance
        (q,) variances of the priors, log2; None: `prior_variances` of the fit.

    Notes
    -----
    R counterpart: DESeq2::nbinomWaldTest(betaPrior = TRUE).
    """
    fit = state.fit
    rows = ~np.isnan(fit.beta[:, 0])
    if variance is None:
        dispersions = state.dispersions
        expected = dispersions.final if dispersions.trend is None else dispersions.fitted
        weights = lfc_weights(state.moments.mean[rows], expected[rows])
        variance = prior_variances(as_float(fit.beta[rows] / LN2), weights, model)
    part = _fit_rows(state, counts, rows, model, variance, engine)
    return BetaPrior(model.expanded, variance, **part.arrays())


def refit_beta_prior(
    prior: BetaPrior, state: Fitted, counts: CountMatrix, model: PriorModel, rows: BoolArray, engine: Engine
) -> BetaPrior:
    """Return the fit with the genes `rows` (G,) fitted again, to `counts` (G, n), with the same priors.

    Genes that `state` has no fit of any more are missing.
    """
    part = _fit_rows(state, counts, rows, model, prior.variance, engine)
    gone = ~state.rows
    merged = {}
    for name, new in part.arrays().items():
        merged[name] = getattr(prior, name).copy()
        merged[name][rows], merged[name][gone] = new[rows], np.nan
    return replace(prior, **merged)


def estimate_with_prior(
    contrasts: FloatArray, prior: BetaPrior, state: Fitted, model: PriorModel, engine: Engine
) -> Estimates:
    """Return log2 fold changes C beta and their standard errors for contrasts (k, q) of shrunken coefficients."""
    rows = ~np.isnan(prior.beta[:, 0])
    beta = prior.beta[rows]
    by_gene = {"dispersion": state.dispersions.final, "beta": prior.beta}
    variance = over_genes(
        variance_chunk, Genes(None, state.factors, state.weights, by_gene).where(rows), contrasts=contrasts,
        layout=model.layout, ridge=1.0 / prior.variance, min_mu=state.fit.min_mu, engine=engine,
    )  # fmt: skip
    se = np.sqrt(variance[rows])
    for i in np.flatnonzero(np.count_nonzero(contrasts, axis=1) == 1):  # a coefficient: its standard error is known
        place = np.flatnonzero(contrasts[i])[0]
        se[:, i] = abs(contrasts[i, place]) * prior.se[rows, place]
    return Estimates(expand(rows, beta @ contrasts.T / LN2), expand(rows, se / LN2))


def refuse_less_abs(alternative: AltHypothesis) -> None:
    """Raise `OptionError` for tests that a change is small, of changes that a prior has made small."""
    if alternative == "lessAbs":
        raise OptionError(
            "alt_hypothesis='lessAbs' needs estimates without prior, because the prior itself makes changes small: fit "
            "with beta_prior=False and use results()."
        )


def refuse_prior(fit: ModelFit) -> None:
    """Raise `OptionError` for the shrinkage of fold changes that have a prior already."""
    if fit.prior is not None:
        raise OptionError(
            "the fold changes of this data set have a normal prior already (beta_prior=True): run deseq() without it "
            "before lfc_shrink()."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _GeneFits:
    """The fields of `BetaPrior` that have a row for each gene."""

    beta: FloatArray
    se: FloatArray
    loglik: FloatArray
    n_iter: FloatArray
    converged: FloatArray

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays by the names of their fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _fit_rows(
    state: Fitted, counts: CountMatrix, rows: BoolArray, model: PriorModel, variance: FloatArray, engine: Engine
) -> _GeneFits:
    """Return the fit of the genes `rows` among all genes."""
    genes = Genes(counts, state.factors, state.weights, {"dispersion": state.dispersions.final}).where(rows)
    return over_genes(
        _fit_with_prior_chunk, genes, model=model, variance=variance, min_mu=state.fit.min_mu, engine=engine,
        text="fitting the model with priors",
    )  # fmt: skip


def _fit_with_prior_chunk(chunk: GeneChunk, *, model: PriorModel, variance: FloatArray, min_mu: float) -> _GeneFits:
    counts = chunk.counts
    fit = fit_nb_glm(
        counts, chunk.inputs(min_mu), model.layout,
        ridge=None if (variance == FLAT_VARIANCE).all() else 1.0 / variance,
        start=model.starts(normalized_counts(counts, chunk.size_factors)),
    )  # fmt: skip
    return _GeneFits(fit.beta, fit.se, fit.loglik, as_float(fit.n_iter), as_float(fit.converged))
