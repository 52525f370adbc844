"""The averaged likelihood ratio test: the question is asked at every dispersion that the data leave possible.

A p-value that takes a dispersion as known is too small where it is not. Here the p-values at many dispersions are
averaged with the posterior weights of the gene, under a prior of dispersions that all genes teach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.deseq2.fitted import fitted_genes
from countnest.methods.deseq2.stages import Fitted
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.remedies import option
from countnest.stats.averaged.grid import HIGH, Nodes
from countnest.stats.averaged.nodes import node_logliks, node_ratios, node_variances
from countnest.stats.averaged.prior import FEW_GENES, DispersionPrior, fit_local_prior, posterior, start_prior
from countnest.stats.averaged.tails import (
    averaged,
    averaged_reach,
    chi2_log_tail,
    chi2_statistic,
    normal_log_tail,
    normal_statistic,
)
from countnest.stats.glm.fit import maximum_coefficients, maximum_means
from countnest.stats.glm.inputs import LN2, NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import RankTest, pinned_offsets, row_basis

__all__ = ["Averaging", "averaging"]


@dataclass(frozen=True, slots=True, eq=False)
class Averaging:
    """The genes with the posterior weights of their dispersions, ready for questions.

    Attributes
    ----------
    genes
        The fitted genes; besides the arrays of the fit "maximum" (G, p), the coefficients of highest likelihood, no
        mean floored, of the working columns; "trend" (G,); "posterior" (G, K); and "cautious" (G,), genes whose
        p-value at the final dispersion is used where it is larger: dispersion outliers beyond the last node, and all
        where there are too few genes to learn how far they go.
    layout
        Of the model matrix.
    nodes
        The dispersions.
    prior
        Of the dispersions around their trend.
    min_mu
        Floor of the means of standard errors.
    engine
        Works on the genes.
    """

    genes: Genes
    layout: Layout
    nodes: Nodes
    prior: DispersionPrior
    min_mu: float
    engine: Engine

    def joint(self, contrasts: FloatArray) -> RankTest:
        """Return the test that all contrasts (k, p) are zero: chi-square statistics and p-values."""
        own = self._working(contrasts)
        basis, null = row_basis(own)
        log_p = self._log_p(null, len(basis))
        return RankTest(chi2_statistic(len(basis), log_p), as_float(np.exp(log_p)), len(basis))

    def single(
        self, contrast: FloatArray, threshold: float, alternative: AltHypothesis
    ) -> tuple[FloatArray, FloatArray]:
        """Return statistics, which are normal quantiles, and p-values (G,) of one contrast (p,); threshold log2."""
        if alternative == "greaterAbsUPSHOT":
            raise OptionError(
                f"{option('alt_hypothesis', 'greaterAbsUPSHOT')} is defined for Wald tests. Use "
                f"{option('alt_hypothesis', 'greaterAbs')}, or the Wald test."
            )
        own = self._working(contrast[np.newaxis])
        sign = np.sign(self.genes.by_gene["maximum"] @ own[0])
        if threshold == 0.0 and alternative.startswith("greaterAbs"):
            log_p = self._log_p(row_basis(own)[1], 1)
            return sign * normal_statistic(log_p - LN2), as_float(np.exp(log_p))
        tails = self._pinned_tails(own, threshold * LN2)
        return _thresholded(tails, sign, alternative)

    def variances(self, contrasts: FloatArray) -> FloatArray:
        """Return the averaged variances (G, k) of contrasts (k, p), natural log."""
        return over_genes(
            _variance_chunk, self.genes, contrasts=contrasts, layout=self.layout, nodes=self.nodes, min_mu=self.min_mu,
            engine=self.engine,
        )  # fmt: skip

    def reach(self, contrasts: FloatArray, level: float) -> FloatArray:
        """Return half the lengths (G, k) of confidence intervals of contrasts (k, p), natural log."""
        return over_genes(
            _reach_chunk, self.genes, contrasts=contrasts, layout=self.layout, nodes=self.nodes, min_mu=self.min_mu,
            level=level, engine=self.engine,
        )  # fmt: skip

    def _working(self, contrasts: FloatArray) -> FloatArray:
        standard = self.layout.standard
        return contrasts if standard is None else standard.contrasts(contrasts)

    def _log_p(self, null: FloatArray, df: int) -> FloatArray:
        """Return the log p-values (G,) against the null model with the working columns X N."""
        layout = Layout.of(as_float(self.layout.working.matrix @ null), as_given=True)
        return over_genes(
            _log_p_chunk, self.genes, layout=self.layout, nodes=self.nodes,
            null=layout, df=df, engine=self.engine, text="testing at every dispersion",
        )  # fmt: skip

    def _pinned_tails(self, contrast: FloatArray, threshold: float) -> _PinnedTails:
        """Return the tails of the signed roots against null models with the contrast (1, p) pinned at +-threshold."""
        working = self.layout.working.matrix
        _, null = row_basis(contrast)
        offsets = pinned_offsets(working, contrast, threshold)
        layout = Layout.of(as_float(working @ null), as_given=True)
        return over_genes(
            _pinned_chunk, self.genes, layout=self.layout, nodes=self.nodes, null=layout, contrast=contrast[0],
            offsets=offsets, threshold=threshold, engine=self.engine, text="testing at every dispersion",
        )  # fmt: skip


def averaging(counts: CountMatrix, state: Fitted, layout: Layout, engine: Engine) -> Averaging:
    """Return the genes with their posterior weights; `counts` (G, n) are those that the model was fitted to.

    Raises
    ------
    OptionError
        The dispersions have no trend, around which the prior lies.
    """
    dispersions = state.dispersions
    if dispersions.trend is None:
        raise OptionError(
            "the averaged test learns a prior of dispersions around their trend, and these dispersions have none: they "
            "are gene-wise or given. Call estimate_dispersions(), or deseq(), with sharing='MAP' or 'fit_only', and "
            "fit the model again."
        )
    genes = fitted_genes(state, counts).with_arrays(trend=dispersions.fitted)
    if state.replacement is not None:
        genes = genes.where(state.rows & ~state.replacement.emptied)
    nodes = Nodes.of(layout.residual_df)
    profile = over_genes(
        _profile_chunk, genes, layout=layout, nodes=nodes, min_mu=state.fit.min_mu, engine=engine,
        text="likelihoods of dispersions",
    )  # fmt: skip
    rows = np.flatnonzero(~np.isnan(profile.loglik[:, 0]))
    mean, loglik = state.moments.mean[rows], profile.loglik[rows]
    prior = fit_local_prior(
        mean, nodes.averaged_likelihoods(loglik), start_prior(dispersions.trend.disp_prior_var, nodes)
    )
    weights = expand(~np.isnan(profile.loglik[:, 0]), posterior(loglik, prior.at(mean), nodes))
    beyond = dispersions.final > np.exp(HIGH) * dispersions.fitted
    cautious = (dispersions.outlier == 1.0) & (beyond | (len(rows) < FEW_GENES))
    return Averaging(
        genes.with_arrays(maximum=profile.maximum, posterior=weights, cautious=cautious),
        layout,
        nodes,
        prior,
        state.fit.min_mu,
        engine,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Log-likelihoods at the nodes (G, K), and coefficients of highest likelihood, of the working columns (G, p)."""

    loglik: FloatArray
    maximum: FloatArray


def _profile_chunk(chunk: GeneChunk, *, layout: Layout, nodes: Nodes, min_mu: float) -> _Profile:
    inputs = chunk.inputs(min_mu)
    beta = maximum_coefficients(chunk["beta"], chunk.counts, inputs, layout, chunk["optimized"])
    mu = maximum_means(beta, inputs, layout)
    log_alpha = nodes.log_dispersions(chunk["trend"])
    return _Profile(node_logliks(chunk.counts, mu, inputs.weights, log_alpha, layout), beta)


def _log_p_chunk(chunk: GeneChunk, *, layout: Layout, nodes: Nodes, null: Layout, df: int) -> FloatArray:
    inputs = chunk.inputs()
    mu, null_mu = maximum_means(chunk["maximum"], inputs, layout), _null_means(chunk.counts, inputs, null)
    ratios = _ratios(chunk, nodes, mu, null_mu)
    return np.minimum(_averaged_tail(chunk, [chi2_log_tail(df, ratio) for ratio in ratios]), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _PinnedTails:
    """Averaged log tails (G,), upper and lower, of signed roots.

    The contrast is pinned at +threshold, above, or at -threshold, below.
    """

    above_upper: FloatArray
    above_lower: FloatArray
    below_upper: FloatArray
    below_lower: FloatArray


def _pinned_chunk(
    chunk: GeneChunk,
    *,
    layout: Layout,
    nodes: Nodes,
    null: Layout,
    contrast: FloatArray,
    offsets: FloatArray,
    threshold: float,
) -> _PinnedTails:
    inputs = chunk.inputs()
    mu = maximum_means(chunk["maximum"], inputs, layout)
    estimate = (chunk["maximum"] * contrast).sum(axis=1)
    tails = []
    for pin, offset in ((threshold, offsets), (-threshold, -offsets)):
        pinned = replace(inputs, size_factors=inputs.size_factors * np.exp(offset))
        ratios = _ratios(chunk, nodes, mu, _null_means(chunk.counts, pinned, null))
        side = np.sign(estimate - pin)[:, np.newaxis]
        for sign in (side, -side):
            tails.append(_averaged_tail(chunk, [normal_log_tail(sign * np.sqrt(ratio)) for ratio in ratios]))
    return _PinnedTails(*tails)


def _ratios(chunk: GeneChunk, nodes: Nodes, mu: FloatArray, null_mu: FloatArray) -> list[FloatArray]:
    """Return the likelihood ratio statistics (G, F) at the points of the integral.

    Where a gene is cautious, those at the final dispersions (G, 1) come second.
    """
    weights = chunk.inputs().weights
    at_nodes = node_ratios(chunk.counts, mu, null_mu, weights, nodes.log_dispersions(chunk["trend"]))
    found = [np.maximum(nodes.refined(at_nodes), 0.0)]
    if chunk["cautious"].any():
        found.append(node_ratios(chunk.counts, mu, null_mu, weights, np.log(chunk["dispersion"])[:, np.newaxis]))
    return found


def _averaged_tail(chunk: GeneChunk, log_tails: list[FloatArray]) -> FloatArray:
    """Return averaged log tails (G,), of cautious genes not below those at the final dispersion; see `_ratios`."""
    found = averaged(chunk["posterior"], log_tails[0])
    if len(log_tails) == 1:
        return found
    return np.where(chunk["cautious"], np.maximum(found, log_tails[1][:, 0]), found)


def _null_means(counts: FloatArray, inputs: NBInputs, null: Layout) -> FloatArray:
    """Return the means (G, n) of highest likelihood of the null model, none floored."""
    if not null.n_coefficients:
        return np.broadcast_to(inputs.size_factors, counts.shape).copy()
    return maximum_means(maximum_coefficients(None, counts, inputs, null), inputs, null)


def _thresholded(tails: _PinnedTails, sign: FloatArray, alternative: AltHypothesis) -> tuple[FloatArray, FloatArray]:
    """Return statistics and p-values (G,) of one-sided tests and of tests against a threshold.

    The tails stand where those of Wald statistics stand in `stats.inference.wald`.
    """
    positive = sign >= 0.0
    if alternative in ("greater", "less", "lessAbs"):
        if alternative == "greater":
            log_p = tails.above_upper
        elif alternative == "less":
            log_p = tails.below_lower
        else:
            log_p = np.maximum(tails.below_upper, tails.above_lower)
        log_p, side = np.minimum(log_p, 0.0), -1.0 if alternative == "less" else 1.0
        return side * np.maximum(normal_statistic(log_p), 0.0), as_float(np.exp(log_p))
    near = np.where(positive, tails.above_upper, tails.below_lower)
    far = np.where(positive, tails.below_upper, tails.above_lower)
    with np.errstate(invalid="ignore"):  # genes that are not fitted
        log_p = near + LN2 if alternative == "greaterAbs2014" else np.logaddexp(near, far)
    log_p = np.minimum(log_p, 0.0)
    return sign * np.maximum(normal_statistic(log_p - LN2), 0.0), as_float(np.exp(log_p))


def _node_se2(chunk: GeneChunk, contrasts: FloatArray, layout: Layout, nodes: Nodes, min_mu: float) -> FloatArray:
    log_alpha = nodes.log_dispersions(chunk["trend"])
    return nodes.refined(node_variances(contrasts, chunk["beta"], chunk.inputs(min_mu), log_alpha, layout))


def _variance_chunk(
    chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout, nodes: Nodes, min_mu: float
) -> FloatArray:
    return as_float(
        (_node_se2(chunk, contrasts, layout, nodes, min_mu) * chunk["posterior"][:, np.newaxis]).sum(axis=2)
    )


def _reach_chunk(
    chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout, nodes: Nodes, min_mu: float, level: float
) -> FloatArray:
    se = np.sqrt(_node_se2(chunk, contrasts, layout, nodes, min_mu))
    ends = [averaged_reach(chunk["posterior"], se[:, i], level) for i in range(len(contrasts))]
    return np.column_stack(ends)
