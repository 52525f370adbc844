"""The fits of DESeq2, which answer queries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.containers.matrix import CountMatrix
from countnest.design.design import Design
from countnest.methods.deseq2.averaged import Averaging, averaging
from countnest.methods.deseq2.details import details_of
from countnest.methods.deseq2.inference import (
    at_bound_only,
    cooks_outliers,
    estimate,
    joint_test,
    model_outliers,
    separated_by_design,
    single_tests,
)
from countnest.methods.deseq2.quasi import QuasiLikelihood, quasi_likelihood
from countnest.methods.deseq2.ratio import likelihood_ratio
from countnest.methods.deseq2.stages import Fitted, ModelFit
from countnest.methods.deseq2.validity import wrong_in
from countnest.methods.fit import FitNotes, JointTest, RowTests, TestKind, Withheld
from countnest.options import AltHypothesis, OutlierRule, ShrinkType
from countnest.parallel.run import Engine
from countnest.stats.glm.cooks import cooks_cutoff as usual_cutoff
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.weight import residual_df
from countnest.stats.hidden.factors import HiddenOptions
from countnest.stats.inference.lrt import likelihood_ratio_test

if TYPE_CHECKING:
    from countnest.methods.gene_sets import GeneSetData
    from countnest.methods.hidden import HiddenFit

__all__ = ["KINDS", "REDUCED", "DESeq2Fit", "StoredDESeq2Fit"]

# The kind of the likelihood ratio test against the reduced model that was fitted.
REDUCED = "reduced"
# The kind of the averaged likelihood ratio test.
AVERAGED = "averaged"
# The kind of the quasi-likelihood F test.
QUASI = "ql"
# The kinds of the tests that an analysis is made for, besides those against a reduced model.
KINDS: Mapping[str, str] = {"Wald": "wald", "averaged": AVERAGED, "QL": QUASI}


@dataclass(frozen=True, slots=True, eq=False)
class DESeq2Fit:
    """A negative binomial model fitted to every gene, with its counts; see `methods.fit.Fit`.

    Attributes
    ----------
    state
        What the steps of the analysis left.
    data
        The counts, as observed.
    design, layout
        The design, and its model matrix as it is fitted.
    engine
        Works on the genes.
    """

    state: Fitted
    data: CountData
    design: Design
    layout: Layout
    engine: Engine

    @property
    def method(self) -> str:
        """'DESeq2'."""
        return "DESeq2"

    @property
    def shrinkage(self) -> ShrinkType | None:
        """None: the estimates are those of maximum likelihood."""
        return None

    @property
    def model(self) -> ModelFit:
        """The fitted model."""
        return self.state.fit

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """Wald tests with normal or t distributions, and tests that compare likelihoods.

        The test that the analysis was made for comes first.
        """
        found = {
            "wald": TestKind("Wald", has_threshold=True),
            "t": TestKind("Wald", has_threshold=True),
            "lrt": TestKind("LRT", null=""),
            AVERAGED: TestKind("averaged LRT", has_threshold=True, null="", is_cautious=True),
            QUASI: TestKind("QL F", has_threshold=True, null=""),
        }
        first = KINDS.get(self.model.test, "wald")
        found = {first: found.pop(first), **found}
        reduced = self.model.reduced
        if reduced is not None:
            found[REDUCED] = TestKind("LRT", is_joint=False, null=reduced.description, is_of_query=False)
        return found

    @property
    def notes(self) -> FitNotes:
        """What the records of tables say of the fit."""
        return FitNotes(details=details_of(self.state))

    @property
    def base_mean(self) -> FloatArray:
        """(G,) means of the normalized counts."""
        return self.state.moments.mean

    @property
    def never_counted(self) -> BoolArray:
        """(G,) genes without any count; not those whose observation weights do not suffice."""
        moments = self.state.moments
        return moments.all_zero if moments.weights_fail is None else moments.all_zero & ~moments.weights_fail

    @property
    def counts_used(self) -> CountMatrix:
        """Counts (G, n) of the fit: with outliers replaced, if any were."""
        return self.state.counts_used(self.data.matrix)

    def models_block(self, _block: tuple[str, ...]) -> bool:
        """Return False for every block: all coefficients are fixed."""
        return False

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        state, layout = self.state, self.layout
        estimates = estimate(contrasts, state, layout, self.engine)
        df = self._df(kind)
        found = single_tests(estimates, threshold=threshold, alternative=alternative, df=df, unchanged=unchanged)
        if kind == AVERAGED:
            return self._averaged_tests(contrasts, found, threshold, alternative, unchanged)
        if kind == QUASI:
            return self._quasi_tests(contrasts, found, threshold, alternative, unchanged)
        if kind not in ("lrt", REDUCED):
            return found
        statistic, p_value = np.empty_like(found.statistic), np.empty_like(found.p_value)
        for i in range(len(contrasts)):
            if kind == "lrt":
                ratio = likelihood_ratio(contrasts[i : i + 1], self.counts_used, state, layout, engine=self.engine)
                empty = unchanged[:, i] & ~np.isnan(ratio.statistic)
                statistic[:, i] = np.where(empty, 0.0, ratio.statistic)
                p_value[:, i] = np.where(empty, 1.0, ratio.p_value)
            else:
                statistic[:, i], p_value[:, i] = self._against_reduced()
        return RowTests(found.lfc, found.se, statistic, p_value)

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        state, layout = self.state, self.layout
        df: float | FloatArray | None = None
        if kind == AVERAGED:
            found = self._averaging().joint(contrasts)
        elif kind == QUASI:
            quasi = self._quasi()
            found, df = quasi.joint(contrasts), quasi.df
        elif kind == "lrt":
            found = likelihood_ratio(contrasts, self.counts_used, state, layout, engine=self.engine)
        else:
            df = self._df(kind)
            found = joint_test(contrasts, state, layout, df=df, engine=self.engine)
        lfc = estimate(contrasts, state, layout, self.engine).lfc
        return JointTest(lfc, found.statistic, found.p_value, found.rank, df)

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose estimate is infinite because of a cell without counts."""
        found = separated_by_design(self.counts_used, contrasts, self.state, self.layout, engine=self.engine)
        return found & self.state.rows[:, np.newaxis]

    def with_hidden_factors(self, asked: HiddenOptions) -> HiddenFit:
        """Return the fit of the design with hidden factors as further columns."""
        # not before: few analyses need it
        from countnest.methods.deseq2.hidden import extended_by_factors
        from countnest.methods.hidden import HiddenFit, extended_design

        found = extended_by_factors(self.state, self.data.matrix, self.layout, asked, self.engine)
        base = self
        if found.state is not None and found.layout is not None:
            design = extended_design(self.design, found.layout.matrix)
            base = DESeq2Fit(found.state, self.data, design, found.layout, self.engine)
        return HiddenFit(base, self, self.layout, found.factors, asked)

    def gene_set_data(self, contrast: FloatArray) -> GeneSetData:
        """Return normal scores of the counts under the model without a contrast (p,)."""
        from countnest.methods.deseq2.scores import gene_set_scores  # not before: few analyses need it

        return gene_set_scores(contrast, self.counts_used, self.state, self.layout, self.engine)

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes with outliers, by Cook's distance or also by the model, and those at the bound."""
        return self.withheld_of(rule, cooks_cutoff, as_observed=False)

    def withheld_of(self, rule: OutlierRule, cooks_cutoff: float | bool | None, *, as_observed: bool) -> Withheld:
        """Do as `withheld` does; `as_observed` includes the outliers that were replaced for the fit."""
        state, layout, engine, observed = self.state, self.layout, self.engine, self.data.matrix
        cutoff = _cutoff(cooks_cutoff, layout)
        outlier = np.zeros(len(self.base_mean), dtype=np.bool_)
        if rule == "model":
            used = observed if as_observed else self.counts_used
            outlier |= model_outliers(used, state, layout, engine=engine).flagged
        if cutoff is not None:
            outlier |= cooks_outliers(
                observed, state, layout, cutoff, two_groups=self._has_two_groups, as_observed=as_observed, engine=engine
            )
        emptied = np.zeros_like(outlier) if state.replacement is None else state.replacement.emptied
        return Withheld(outlier, at_bound_only(self.counts_used, state, layout), emptied, cutoff)

    def _averaging(self) -> Averaging:
        return averaging(self.counts_used, self.state, self.layout, self.engine)

    def _averaged_tests(
        self,
        contrasts: FloatArray,
        wald: RowTests,
        threshold: float,
        alternative: AltHypothesis,
        unchanged: BoolArray,
    ) -> RowTests:
        """Return the averaged tests of the contrasts (k, p), with the fold changes of the Wald tests."""
        averaging = self._averaging()
        tests = _row_by_row(averaging, contrasts, threshold, alternative, unchanged)
        se = np.sqrt(averaging.variances(contrasts)) / LN2
        return RowTests(wald.lfc, se, *tests, reach=lambda level: averaging.reach(contrasts, level) / LN2)

    def _quasi(self) -> QuasiLikelihood:
        return quasi_likelihood(self.counts_used, self.state, self.layout, self.engine)

    def _quasi_tests(
        self,
        contrasts: FloatArray,
        wald: RowTests,
        threshold: float,
        alternative: AltHypothesis,
        unchanged: BoolArray,
    ) -> RowTests:
        """Return the quasi-likelihood tests of the contrasts (k, p), with the fold changes of the Wald tests."""
        quasi = self._quasi()
        tests = _row_by_row(quasi, contrasts, threshold, alternative, unchanged)
        return RowTests(wald.lfc, quasi.se(contrasts) / LN2, *tests, df=quasi.df)

    @property
    def _has_two_groups(self) -> bool:
        design = self.design
        return len(design.variables) == 1 and len(design.levels.get(design.variables[0], ())) == 2

    def _df(self, kind: str) -> float | FloatArray | None:
        """Return the degrees of freedom of t and F tests; None: normal and chi-square."""
        return residual_df(self.layout, self.state.weights) if kind == "t" else self.model.df

    def _against_reduced(self) -> tuple[FloatArray, FloatArray]:
        """Return statistic and p-value (G,) of the likelihood ratio test against the reduced model."""
        fit = self.model
        if fit.reduced is None:
            raise KeyError(REDUCED)
        return likelihood_ratio_test(fit.loglik, fit.reduced.loglik, fit.reduced.df)


def _row_by_row(
    test: Averaging | QuasiLikelihood,
    contrasts: FloatArray,
    threshold: float,
    alternative: AltHypothesis,
    unchanged: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Return statistics and p-values (G, k) of the contrasts (k, p).

    Genes that are `unchanged` say nothing: their p-value is 1 whatever the alternative.
    """
    found = [test.single(contrast, threshold, alternative) for contrast in contrasts]
    statistic, p_value = (np.column_stack(each) for each in zip(*found, strict=True))
    empty = unchanged & ~np.isnan(statistic)
    return np.where(empty, 0.0, statistic), np.where(empty, 1.0, p_value)


def _cutoff(given: float | bool | None, layout: Layout) -> float | None:
    """Return the cutoff of Cook's distances; None: no gene is checked."""
    cutoff = True if given is None else given
    if isinstance(cutoff, (bool, np.bool_)):
        return usual_cutoff(layout) if cutoff else None
    return None if math.isinf(cutoff) else float(cutoff)


@dataclass(frozen=True, slots=True, eq=False)
class StoredDESeq2Fit:
    """A DESeq2 fit that a data set keeps under a name of its own."""

    state: Fitted

    def bind(self, data: CountData, design: Design, engine: Engine) -> DESeq2Fit:
        """Return the fit with the counts that it was made of."""
        return DESeq2Fit(self.state, data, design, Layout.of(design.matrix), engine)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between the fit and these counts; see `methods.deseq2.validity`."""
        return wrong_in(self.state, data, design, Engine(n_threads=1))
