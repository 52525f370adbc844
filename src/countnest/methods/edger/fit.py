"""The fit of edgeR's method, which answers queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.counts import CountData
from countnest.design.design import Design
from countnest.methods.chunks import GeneChunk, over_genes
from countnest.methods.edger.model import EdgeRAnalysis, EdgeRInput, EdgeRModel, EdgeRQuasi
from countnest.methods.edger.scores import null_scores
from countnest.methods.edger.steps import poisson_model
from countnest.methods.edger.testing import Comparison, Roots, gains, pinned_roots, standard_errors
from countnest.methods.fit import (
    FitNotes,
    JointTest,
    RowTests,
    TestKind,
    UnshrunkenFit,
    Withheld,
    nothing_withheld,
    register_fit,
)
from countnest.methods.gene_sets import GeneSetData
from countnest.options import AltHypothesis, OutlierRule
from countnest.parallel.run import Engine
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.quasi import quasi_df, quasi_f_test
from countnest.stats.edger.treat import TreatNull, normal_roots, treat_p_value
from countnest.stats.gene_sets.effects import LinearData
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.separation import separated
from countnest.stats.hidden.factors import HiddenOptions
from countnest.stats.moderated.t_and_f import log_p_of_roots, statistic_of_roots
from countnest.stats.moderated.tails import log_f_tail, log_t_tail

if TYPE_CHECKING:
    from countnest.methods.hidden import HiddenFit

__all__ = ["WORST", "EdgeRFit", "StoredEdgeR"]

LN2 = float(np.log(2.0))
# What tables call the level without a name.
NEWEST = "the newest release, with exact numbers"
# What is added to the name of a kind whose tests against a threshold take the end of the interval that fits best.
WORST = "_worst"
_TEXTS = {"ql": "QL F", "lrt": "LRT"}


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredEdgeR(EdgeRAnalysis):
    """An analysis by edgeR's method, as a data set keeps it."""

    @classmethod
    def of(cls, found: EdgeRAnalysis) -> StoredEdgeR:
        """Return an analysis as a data set keeps it."""
        return cls(**{each.name: getattr(found, each.name) for each in fields(found)})

    def bind(self, data: CountData, design: Design, engine: Engine) -> EdgeRFit:
        """Return the fit, able to answer about these counts."""
        return EdgeRFit(self, data, design, Columns.of(design.matrix), engine)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between this fit and the counts and design."""
        n_genes, n = data.shape
        p = design.matrix.shape[1]
        both = (None if self.quasi is None else self.quasi.model, self.ratio)
        models = [model for model in both if model is not None]
        shapes = {
            "factors": self.given.factors.shape in ((1, n), (n_genes, n)),
            "base means": self.base_mean.shape == self.given.kept.shape == (n_genes,),
            "coefficients": bool(models) and all(model.beta.shape == (n_genes, p) for model in models),
        }
        if self.library is not None:
            shapes["library sizes"] = self.library.shape == (n,)
        given = None if self.options is None else self.options.dispersion
        if given is not None:
            shapes["given dispersions"] = given.shape == (n_genes,)
        wrong = [what for what, fine in shapes.items() if not fine]
        return [f"its {what} do not have the shape of the counts and the design" for what in wrong]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRFit(UnshrunkenFit):
    """A fit of every gene by edgeR's method, with its counts; see `methods.fit.Fit`."""

    stored: StoredEdgeR
    data: CountData
    design: Design
    columns: Columns
    engine: Engine

    @property
    def method(self) -> str:
        """'edgeR'."""
        return "edgeR"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """Quasi-likelihood F tests and likelihood ratio tests, as far as there are models for them."""
        stored = self.stored
        offered = [word for word, model in (("ql", stored.quasi), ("lrt", stored.ratio)) if model is not None]
        offered.sort(key=lambda word: word != stored.test)
        kinds = {word: TestKind(_TEXTS[word], has_threshold=True, null="", is_filtered=True) for word in offered}
        worst = {
            word + WORST: TestKind(
                f"{_TEXTS[word]}, worst case", has_threshold=True, is_joint=False, null="", is_filtered=True
            )
            for word in offered
        }
        return {**kinds, **worst}

    @property
    def layout(self) -> Layout:
        """The model matrix, prepared."""
        return Layout.of(self.design.matrix)

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        given = self.stored.given
        return FitNotes(
            compat=given.compat or NEWEST,
            estimate=f"shrunken by a prior count of {given.prior_count:g}",
            columns={"logCPM": given.abundance},
            details=self._details(),
        )

    def _details(self) -> dict[str, Any]:
        """Return what the analysis was made with, by name."""
        stored = self.stored
        options, library = stored.options, stored.library
        return {
            "genes_fitted": int(np.count_nonzero(stored.given.kept)),
            "library_sizes": None if library is None else library.tolist(),
            "prior_count": stored.given.prior_count,
            "observation_weights": stored.given.weights is not None,
            "robust": options is not None and options.robust,
            "trend": None if options is None else options.trend,
            "legacy": None if options is None else options.legacy,
            "fitted_for": stored.test,
        }

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): dispersions, and log2 coefficients shrunken by the prior count."""
        quasi, given = self.stored.quasi, self.stored.given
        model = self.stored.ratio if quasi is None else quasi.model
        assert model is not None
        values = {"logCPM": given.abundance, "dispersion": model.dispersion}
        if quasi is not None:
            own = quasi.moderated
            prior = np.where(given.kept, np.broadcast_to(own.prior.df, given.kept.shape), np.nan)
            values |= {"quasiDispersion": own.variance, "dfResidual": own.own_df, "dfPrior": as_float(prior)}
        return values | dict(zip(self.design.names, model.shrunken.T / LN2, strict=True))

    def models_block(self, _block: tuple[str, ...]) -> bool:
        """Return False for every block: all coefficients are fixed."""
        return False

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        test = self._test(kind)
        statistic, p_value = np.empty((2, *unchanged.shape))
        for i, contrast in enumerate(contrasts):
            comparison = Comparison.of(contrast[np.newaxis], self.columns)
            if threshold == 0.0 and alternative.startswith("greaterAbs"):
                found = test.joint(comparison)
            else:
                found = test.pinned(comparison, contrast, threshold * LN2, alternative)
            empty = unchanged[:, i] & ~np.isnan(found[0])
            statistic[:, i] = np.where(empty, 0.0, found[0])
            p_value[:, i] = np.where(empty, 1.0, found[1])
        errors = standard_errors(self.data.matrix, self.stored.given, test.model, contrasts, self.columns, self.engine)
        se = errors * np.sqrt(test.scale)[:, np.newaxis] / LN2
        lfc = np.where(unchanged & test.fitted[:, np.newaxis], 0.0, test.model.shrunken @ contrasts.T / LN2)
        return RowTests(lfc, se, statistic, p_value, test.df)

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        test = self._test(kind)
        comparison = Comparison.of(contrasts, self.columns)
        statistic, p_value = test.joint(comparison)
        return JointTest(test.model.shrunken @ contrasts.T / LN2, statistic, p_value, comparison.rank, test.df)

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose maximum likelihood estimate is infinite."""
        genes = self.stored.given.genes(self.data.matrix)
        return over_genes(_separated_chunk, genes, contrasts=contrasts, layout=self.layout, engine=self.engine)

    def withheld(self, _rule: OutlierRule, _cooks_cutoff: float | bool | None) -> Withheld:
        """Withhold nothing, but that genes were left out before the fit."""
        filtered = ~self.stored.given.kept & self.data.counted
        return replace(nothing_withheld(len(self.base_mean)), filtered=filtered)

    def with_hidden_factors(self, asked: HiddenOptions) -> HiddenFit:
        """Return the fit of the design with hidden factors as further columns."""
        # not before: few analyses need it
        from countnest.methods.edger.hidden import analysed_again, stabilized
        from countnest.methods.hidden import extended_design, fitted_again

        counts, stored, engine = self.data.matrix, self.stored, self.engine

        def again(matrix: FloatArray) -> EdgeRFit:
            found = StoredEdgeR.of(analysed_again(counts, stored, matrix, engine))
            return found.bind(self.data, extended_design(self.design, matrix), engine)

        return fitted_again(self, stored, asked, lambda: stabilized(counts, stored), again, engine.progress)

    def gene_set_data(self, contrast: FloatArray) -> GeneSetData:
        """Return normal scores of the counts under the model without a contrast (p,).

        They are those of the dispersions of likelihood ratio tests, or else of quasi-likelihood, whose prior
        quasi-dispersions scale the variances where they are above 1.
        """
        stored, matrix = self.stored, self.columns.matrix
        kept, scale = stored.given.kept, np.ones(len(stored.base_mean))
        model = stored.ratio
        if model is None:
            if stored.quasi is None:
                raise ValueError("the fit has no model")
            model = stored.quasi.model
            scale = np.broadcast_to(np.maximum(stored.quasi.moderated.prior.variance, 1.0), scale.shape)
        null = Comparison.of(contrast[np.newaxis], self.columns).null
        scores = null_scores(self.data.matrix, stored.given, null, model.dispersion, as_float(scale), self.engine)
        return GeneSetData(LinearData(scores[kept], matrix, scores=True), kept, stored.given.compat)

    def _test(self, kind: str) -> _Test:
        word = kind.removesuffix(WORST)
        quasi, ratio = self.stored.quasi, self.stored.ratio
        null: TreatNull = "worst.case" if kind.endswith(WORST) else "interval"
        if word == "ql" and quasi is not None:
            return _Test(self, quasi.model, quasi, null)
        if ratio is None:
            raise KeyError(kind)
        return _Test(self, ratio, None, null)


def _separated_chunk(chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout) -> BoolArray:
    return separated(chunk.counts, contrasts, layout, chunk.weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """Tests with one of the models.

    Attributes
    ----------
    fit
        The fit.
    model
        The model that null models are compared with.
    quasi
        The quasi-dispersions; None: likelihood ratio tests.
    null
        Of tests against a threshold.
    """

    fit: EdgeRFit
    model: EdgeRModel
    quasi: EdgeRQuasi | None
    null: TreatNull

    @property
    def fitted(self) -> BoolArray:
        """(G,) genes with estimates."""
        return ~np.isnan(self.model.deviance)

    @property
    def scale(self) -> FloatArray:
        """(G,) by what variances are larger."""
        return np.ones(len(self.model.deviance)) if self.quasi is None else self.quasi.moderated.variance

    @property
    def df(self) -> FloatArray | None:
        """(G,) degrees of freedom of the denominator; None: there are none."""
        if self.quasi is None:
            return None
        columns = self.fit.columns.matrix.shape[1]
        return quasi_df(self.quasi.moderated, self.fit.stored.given.total_df(columns))

    def joint(self, comparison: Comparison) -> tuple[FloatArray, FloatArray]:
        """Return statistics and p-values (G,) of a comparison."""
        fit, rank = self.fit, comparison.rank
        gain = gains(fit.data.matrix, fit.stored.given, self.model, comparison, fit.engine)
        if self.quasi is None:
            return gain, _chi_square_p(gain, rank)
        total = fit.stored.given.total_df(fit.columns.matrix.shape[1])
        test = quasi_f_test(gain, rank, self.quasi.moderated, total)
        p_value = test.p_value
        poisson = self._poisson()
        if poisson is not None:
            given, model = poisson
            gain = gains(fit.data.matrix, given, model, comparison, fit.engine)
            p_value = np.where(given.kept, np.fmax(p_value, _chi_square_p(gain, rank)), p_value)
        return test.statistic, p_value

    def pinned(
        self, comparison: Comparison, contrast: FloatArray, threshold: float, alternative: AltHypothesis
    ) -> tuple[FloatArray, FloatArray]:
        """Return statistics and p-values (G,) against a threshold, natural log, or of one side."""
        fit = self.fit
        estimate = self.model.beta @ contrast
        statistic, p_value = self._against(fit.stored.given, self.model, comparison, estimate, threshold, alternative)
        poisson = self._poisson()
        if poisson is not None:
            given, model = poisson
            plain = replace(self, quasi=None)
            bound = plain._against(given, model, comparison, model.beta @ contrast, threshold, alternative)[1]
            p_value = np.where(given.kept, np.fmax(p_value, bound), p_value)
        return statistic, p_value

    def _against(
        self,
        given: EdgeRInput,
        model: EdgeRModel,
        comparison: Comparison,
        estimate: FloatArray,
        threshold: float,
        alternative: AltHypothesis,
    ) -> tuple[FloatArray, FloatArray]:
        fit = self.fit
        roots = pinned_roots(fit.data.matrix, given, model, comparison, threshold, fit.engine)
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.sqrt(self.scale)
            roots = Roots(roots.low / scale, roots.high / scale)
        df = np.full(len(estimate), np.inf) if self.df is None else self.df
        # hugely negative coefficients of empty groups may be missing differences
        side = np.where(np.isnan(estimate), 0.0, estimate)
        low, high = np.sign(side + threshold) * roots.low, np.sign(side - threshold) * roots.high
        statistic = statistic_of_roots(low, high, alternative)
        if alternative == "greaterAbs":
            return statistic, self._treat(roots, np.abs(side) <= threshold, df)
        return statistic, as_float(np.exp(log_p_of_roots(low, high, df, alternative)))

    def _treat(self, roots: Roots, within: BoolArray, df: FloatArray) -> FloatArray:
        """Return p-values (G,) of edgeR's test against a threshold."""
        pair = roots.low, roots.high
        if self.quasi is not None:
            pair = normal_roots(log_t_tail(pair[0], df)), normal_roots(log_t_tail(pair[1], df))
        return treat_p_value(pair, within, self.null)

    def _poisson(self) -> tuple[EdgeRInput, EdgeRModel] | None:
        """Return the genes that Poisson tests bound, and their model without dispersion; None: there are none."""
        bounded = None if self.quasi is None else self.quasi.bounded
        if bounded is None or not bounded.any():
            return None
        fit = self.fit
        given = replace(fit.stored.given, kept=bounded)
        return given, poisson_model(fit.data.matrix, given, fit.columns, self.model, fit.engine)


def _chi_square_p(gain: FloatArray, rank: int) -> FloatArray:
    """Return p-values; gains below zero, by rounding, have 1."""
    return as_float(np.exp(log_f_tail(np.maximum(gain, 0.0) / rank, rank, np.inf)))
