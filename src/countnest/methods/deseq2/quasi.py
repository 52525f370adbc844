"""Quasi-likelihood F tests on the dispersion trend: a test to compare with, which edgeR's users know.

Counts vary by the trend of the dispersions, times a factor of the gene. The factor is estimated from the residual
deviance and moderated by a prior that all genes teach; deviances relative to it are compared with F distributions.

Sources: Lund, Nettleton, McCarthy and Smyth (2012), doi:10.1515/1544-6115.1826; Lun, Chen and Smyth (2016),
doi:10.1007/978-1-4939-3578-9_19.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.deseq2.fitted import fitted_genes, variance_chunk
from countnest.methods.deseq2.stages import Fitted
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.stats.glm.fit import maximum_coefficients, maximum_means
from countnest.stats.glm.inputs import LN2, NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import RankTest, pinned_offsets, row_basis
from countnest.stats.moderated.deviance import deviance, deviance_df
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.spline import spline_prior
from countnest.stats.moderated.t_and_f import log_p_of_roots, moderated_f, statistic_of_roots

__all__ = ["QuasiLikelihood", "quasi_likelihood"]

# Added to mean counts, of which the logarithm is the covariate of the prior.
OFFSET = 0.5
NULL_TEXT = "fitting the null model on the trend"


@dataclass(frozen=True, slots=True, eq=False)
class QuasiLikelihood:
    """The genes fitted on the trend of the dispersions, ready for questions.

    Attributes
    ----------
    genes
        The fitted genes; "dispersion" (G,) is the trend, "maximum" (G, p) are the coefficients of highest likelihood
        there, of the working columns, and "deviance" (G,) is their deviance.
    layout
        Of the model matrix.
    moderated
        The quasi-dispersions (G,), which multiply the variances that the trend gives.
    min_mu
        Floor of the means of standard errors.
    engine
        Works on the genes.
    """

    genes: Genes
    layout: Layout
    moderated: ModeratedVariances
    min_mu: float
    engine: Engine

    @property
    def df(self) -> FloatArray:
        """(G,) degrees of freedom of the denominators."""
        return self.moderated.df

    def joint(self, contrasts: FloatArray) -> RankTest:
        """Return the F test that all contrasts (k, p) are zero: statistics and p-values."""
        basis, null = row_basis(self._working(contrasts))
        layout = self._null_layout(null)
        gain = over_genes(_gain_chunk, self.genes, null=layout, engine=self.engine, text=NULL_TEXT)
        test = moderated_f(gain / len(basis), len(basis), self.moderated)
        return RankTest(test.statistic, test.p_value, len(basis))

    def single(
        self, contrast: FloatArray, threshold: float, alternative: AltHypothesis
    ) -> tuple[FloatArray, FloatArray]:
        """Return statistics and p-values (G,) of one contrast (p,); threshold log2.

        The statistic is F for two-sided tests against zero; else the signed root of the deviance at the pinned null,
        which is compared with t.
        """
        if threshold == 0.0 and alternative.startswith("greaterAbs"):
            test = self.joint(contrast[np.newaxis])
            return test.statistic, test.p_value
        own = self._working(contrast[np.newaxis])
        offsets = pinned_offsets(self.layout.working.matrix, own, threshold * LN2)
        roots = over_genes(
            _roots_chunk, self.genes, null=self._null_layout(row_basis(own)[1]), contrast=own[0], offsets=offsets,
            threshold=threshold * LN2, engine=self.engine, text=NULL_TEXT,
        )  # fmt: skip
        scale = np.sqrt(self.moderated.variance)
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = roots.low / scale, roots.high / scale
        log_p = log_p_of_roots(low, high, self.df, alternative)
        return statistic_of_roots(low, high, alternative), as_float(np.exp(log_p))

    def se(self, contrasts: FloatArray) -> FloatArray:
        """Return the standard errors (G, k) of contrasts (k, p), natural log."""
        variance = over_genes(
            variance_chunk, self.genes, contrasts=contrasts, layout=self.layout, min_mu=self.min_mu, engine=self.engine
        )
        return as_float(np.sqrt(variance * self.moderated.variance[:, np.newaxis]))

    def _working(self, contrasts: FloatArray) -> FloatArray:
        standard = self.layout.standard
        return contrasts if standard is None else standard.contrasts(contrasts)

    def _null_layout(self, null: FloatArray) -> Layout:
        return Layout.of(as_float(self.layout.working.matrix @ null), as_given=True)


def quasi_likelihood(counts: CountMatrix, state: Fitted, layout: Layout, engine: Engine) -> QuasiLikelihood:
    """Return the genes fitted on the trend; `counts` (G, n) are those that the model was fitted to.

    Raises
    ------
    OptionError
        The dispersions have no trend.
    """
    dispersions = state.dispersions
    if dispersions.trend is None:
        raise OptionError(
            "the quasi-likelihood test takes dispersions from their trend, and these dispersions have none: they are "
            "gene-wise or given. Call estimate_dispersions(), or deseq(), with sharing='MAP' or 'fit_only', and fit "
            "the model again."
        )
    genes = fitted_genes(state, counts).with_arrays(dispersion=dispersions.fitted)
    if state.replacement is not None:  # where no count is left, there is nothing to fit
        genes = genes.where(state.rows & ~state.replacement.emptied)
    found = over_genes(_full_chunk, genes, layout=layout, engine=engine, text="fitting the model on the trend")
    genes = genes.with_arrays(maximum=found.maximum, deviance=found.deviance)
    return QuasiLikelihood(genes, layout, _moderated(found, state.moments.mean), state.fit.min_mu, engine)


def _moderated(full: _OnTrend, base_mean: FloatArray) -> ModeratedVariances:
    rows = ~np.isnan(full.deviance)
    df, covariate = full.df[rows], np.log(base_mean[rows] + OFFSET)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(df > 0, full.deviance[rows] / df, 0.0)
    part = spline_prior(variance, df, covariate)
    posterior, own_df, prior = np.full((3, len(rows)), np.nan)
    posterior[rows], own_df[rows], prior[rows] = part.posterior(variance, df), df, part.variance
    return ModeratedVariances(posterior, own_df, ScaledFPrior(part.df, prior))


@dataclass(frozen=True, slots=True, eq=False)
class _OnTrend:
    """Coefficients of the working columns (G, p), deviances and their degrees of freedom (G,)."""

    maximum: FloatArray
    deviance: FloatArray
    df: FloatArray


def _full_chunk(chunk: GeneChunk, *, layout: Layout) -> _OnTrend:
    inputs = chunk.inputs()
    beta = maximum_coefficients(None, chunk.counts, inputs, layout)
    mu = maximum_means(beta, inputs, layout)
    own = deviance(chunk.counts, mu, inputs.dispersion, chunk.weights)
    return _OnTrend(beta, own, deviance_df(chunk.counts, mu, chunk.weights, layout))


def _gain_chunk(chunk: GeneChunk, *, null: Layout) -> FloatArray:
    return _gain(chunk, chunk.inputs(), null)


@dataclass(frozen=True, slots=True, eq=False)
class _Roots:
    """Signed roots of deviances (G,) with the contrast pinned at minus the threshold, and at the threshold."""

    low: FloatArray
    high: FloatArray


def _roots_chunk(
    chunk: GeneChunk, *, null: Layout, contrast: FloatArray, offsets: FloatArray, threshold: float
) -> _Roots:
    inputs = chunk.inputs()
    estimate = (chunk["maximum"] * contrast).sum(axis=1)
    roots = {}
    for pin, offset in {-threshold: -offsets, threshold: offsets}.items():
        pinned = replace(inputs, size_factors=inputs.size_factors * np.exp(offset))
        roots[pin] = np.sign(estimate - pin) * np.sqrt(_gain(chunk, pinned, null))
    return _Roots(roots[-threshold], roots[threshold])


def _gain(chunk: GeneChunk, inputs: NBInputs, null: Layout) -> FloatArray:
    """Return how much higher (G,) the deviance of the null model is, at least 0; `inputs` has its offsets."""
    if null.n_coefficients:
        mu = maximum_means(maximum_coefficients(None, chunk.counts, inputs, null), inputs, null)
    else:
        mu = np.broadcast_to(inputs.size_factors, chunk.counts.shape)
    own: FloatArray = chunk["deviance"]
    return np.maximum(deviance(chunk.counts, mu, inputs.dispersion, chunk.weights) - own, 0.0)
