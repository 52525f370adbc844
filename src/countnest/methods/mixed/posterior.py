"""Posterior distributions of mixed models of counts, as a fit that answers queries. G genes, k contrasts.

What is kept of a fit are the modes of all genes and the priors; a query explores the posterior distributions of every
gene around its mode, which takes about as long as the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.counts import CountData
from countnest.containers.matrix import CountMatrix
from countnest.design.design import Design
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.fit import FitNotes, JointTest, RowTests, TestKind, register_fit
from countnest.methods.mixed.counts import CountMixedFit, StoredCountMixed
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.remedies import option
from countnest.stats.averaged.tails import chi2_statistic, normal_statistic
from countnest.stats.glm.inputs import LN2
from countnest.stats.mixed.grid import CountPosterior, Lattices, Question, lattices, posterior
from countnest.stats.mixed.records import MixedModel
from countnest.stats.shrink.svalue import s_values

__all__ = ["PosteriorFit", "StoredPosterior", "explore_all"]

TEXT = "posterior distributions"
# The smallest p-value that has a statistic.
LEAST = 1e-300
NO_TESTS = {
    "t": "Posterior probabilities are no t tests: test with 'posterior', or fit with cn.glmm(dds) for t tests.",
    "wald": "Posterior probabilities are no Wald tests: test with 'posterior', or fit with cn.glmm(dds) for t tests.",
    "lrt": (
        "Posterior distributions have no likelihood ratios: test with 'posterior', or fit with cn.glmm(dds) for "
        "likelihood ratio tests."
    ),
}


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredPosterior:
    """What a data set keeps of the fit.

    Attributes
    ----------
    modes
        The models by restricted likelihood, with the priors of the dispersions.
    scale
        Of the half-normal prior of the standard deviation of the random effects, natural log.
    """

    modes: StoredCountMixed
    scale: float

    def bind(self, data: CountData, design: Design, engine: Engine) -> PosteriorFit:
        """Return the fit of the data set with these counts."""
        return PosteriorFit(self.modes, data, design, engine, self.scale)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts."""
        wrong = self.modes.misfits(data, design)
        if self.modes.dispersion is None:
            wrong.append("its dispersions have no prior")
        if not self.scale > 0.0:
            wrong.append(f"the scale of its prior of random effects is {self.scale!r}")
        return wrong


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorFit(CountMixedFit):
    """Posterior distributions of mixed models of counts; see `methods.fit.Fit`.

    Attributes
    ----------
    scale
        Of the half-normal prior of the standard deviation of the random effects, natural log.
    """

    scale: float

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """Posterior probabilities of one row, also against a threshold, and of several at once."""
        return {"posterior": TestKind("posterior", has_threshold=True, is_posterior=True)}

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        return replace(super(PosteriorFit, self).notes, estimate="posterior mean", not_offered=NO_TESTS)

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Return posterior means and standard deviations of each of the contrasts (k, p), and tail probabilities."""
        del kind
        if alternative == "greaterAbsUPSHOT":
            raise OptionError(
                f"{option('alt_hypothesis', 'greaterAbsUPSHOT')} is defined for Wald tests, and these are posterior "
                f"probabilities. Use {option('alt_hypothesis', 'greaterAbs')}."
            )
        found = self._explored(Question(contrasts, threshold=threshold * LN2))
        sd, empty = as_float(found.sd / LN2), unchanged & ~np.isnan(found.sd)
        lfc, of_empty = as_float(np.where(empty, 0.0, found.mean / LN2)), (0.0, 0.0)
        if alternative != "lessAbs":
            of_empty = (1.0, 0.5)
        p_value, wrong = (
            as_float(np.where(empty, none, each))
            for none, each in zip(of_empty, _tails(found, alternative), strict=True)
        )
        return RowTests(
            lfc, sd, _statistic(p_value, lfc, alternative), p_value, interval=partial(self._interval, contrasts, empty),
            columns={"lfsr": wrong, "svalue": np.column_stack([s_values(each) for each in wrong.T])},
        )  # fmt: skip

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Return the posterior probabilities that contrasts (k, p) are as far from their means as zero is."""
        del kind
        found = self._explored(Question(contrasts, joint=True))
        rank = int(np.linalg.matrix_rank(contrasts))
        p_value = as_float(np.minimum(found.joint, 1.0))
        with np.errstate(invalid="ignore"):
            statistic = chi2_statistic(rank, np.log(np.maximum(p_value, LEAST)))
        return JointTest(as_float(found.mean / LN2), statistic, p_value, rank)

    def _interval(self, contrasts: FloatArray, empty: BoolArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Return the ends (G, k) of central intervals, log2."""
        found = self._explored(Question(contrasts, level=level))
        shift = np.where(empty, found.mean, 0.0)
        return as_float((found.lower - shift) / LN2), as_float((found.upper - shift) / LN2)

    def _explored(self, question: Question) -> CountPosterior:
        """Return the posterior distributions of all genes."""
        dispersion = self.stored.dispersion
        assert dispersion is not None  # `misfits`
        nodes = lattices(self.stored.fits, dispersion, self.scale)
        return explore_all(self.data.matrix, self.stored.factors, self.model, nodes, question, self.engine)


def explore_all(
    counts: CountMatrix, factors: FloatArray, model: MixedModel, nodes: Lattices, question: Question, engine: Engine
) -> CountPosterior:
    """Return the posterior distributions of contrasts of all genes.

    Parameters
    ----------
    counts
        (G, n)
    factors
        (1, n) size factors or (G, n) normalization factors.
    nodes
        The lattices of the genes.
    """
    arrays = {"centre": nodes.centre, "step": nodes.step, "prior": nodes.prior}
    genes = Genes(counts, factors, by_gene=arrays).where(nodes.fitted)
    return over_genes(_posterior_chunk, genes, engine=engine, text=TEXT, model=model, question=question)


def _posterior_chunk(chunk: GeneChunk, *, model: MixedModel, question: Question) -> CountPosterior:
    nodes = Lattices(*(as_float(chunk[name]) for name in ("centre", "step", "prior")))
    return posterior(chunk.counts, as_float(np.log(chunk.size_factors)), model, nodes, question)


def _tails(found: CountPosterior, alternative: AltHypothesis) -> tuple[FloatArray, FloatArray]:
    """Return p-values (G, k), and the posterior probabilities that what a test claims is wrong."""
    below, above = found.below, found.above
    if alternative in ("greater", "less", "lessAbs"):
        wrong = below[..., 1] if alternative == "greater" else above[..., 0]
        if alternative == "lessAbs":
            wrong = below[..., 0] + above[..., 1]
        return as_float(wrong), as_float(wrong)
    near = found.lfsr
    far = np.where(below[..., 1] <= above[..., 0], below[..., 0], above[..., 1])
    return as_float(np.minimum(near + (near if alternative == "greaterAbs2014" else far), 1.0)), near


def _statistic(p_value: FloatArray, lfc: FloatArray, alternative: AltHypothesis) -> FloatArray:
    """Return the standard normal quantiles that p-values stand for, with the sign of the fold change or of the side."""
    with np.errstate(invalid="ignore"):
        log_p = np.log(np.maximum(p_value, LEAST))
    if alternative in ("greater", "less", "lessAbs"):
        return as_float((-1.0 if alternative == "less" else 1.0) * np.maximum(normal_statistic(log_p), 0.0))
    return as_float(np.sign(lfc) * np.maximum(normal_statistic(log_p - LN2), 0.0))
