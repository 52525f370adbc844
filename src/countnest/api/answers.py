"""From a question to its table of genes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from countnest.api.adjustment import Adjuster
from countnest.api.inputs import not_negative, positive_number, probability
from countnest.api.intervals import with_interval
from countnest.api.priors import shown
from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.containers.matrix import CountMatrix
from countnest.containers.results import Results, ResultsInfo
from countnest.design.design import Design
from countnest.errors import ContrastError, OptionError, warn
from countnest.methods.chunks import Genes, without_counts
from countnest.methods.deseq2.answer import (
    Answer,
    at_bound_only,
    cooks_outliers,
    estimate,
    model_outliers,
    separated_by_design,
    single_tests,
)
from countnest.methods.deseq2.beta_prior import refuse_less_abs
from countnest.methods.deseq2.stages import Fitted as FittedState
from countnest.methods.deseq2.stages import ModelFit
from countnest.options import AltHypothesis, OutlierRule, TestType, check_flags, check_option
from countnest.parallel.run import Engine
from countnest.queries.contrasts import Contrast, resolve_contrast
from countnest.queries.estimable import sample_weights
from countnest.queries.strata import between_message, strata
from countnest.stats.glm.cooks import cooks_cutoff as default_cutoff
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.adjust import Adjustment
from countnest.stats.inference.filter import FilterFunction
from countnest.stats.inference.lrt import likelihood_ratio_test

__all__ = ["Fitted", "Options", "make_results", "make_table", "separated_genes"]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted data set, as answers need it, and the threads that it works with."""

    state: FittedState
    fit: ModelFit
    data: CountData
    design: Design
    layout: Layout
    engine: Engine

    @property
    def counts_used(self) -> CountMatrix:
        """Counts (G, n) of the fit: with outliers replaced, if any were."""
        return self.state.counts_used(self.data.matrix)

    def without_counts(self, samples: BoolArray) -> BoolArray:
        """Return for which genes and sets of samples (m, n) there was no count in any, as observed: (G, m)."""
        return without_counts(Genes(self.data.matrix, self.state.factors), samples, self.engine)

    @property
    def dispersion(self) -> FloatArray:
        """Final dispersions (G,)."""
        return self.state.dispersions.final


@dataclass(frozen=True, slots=True)
class Options:
    """How p-values are made and adjusted; the fields are arguments of `DESeqDataSet.results`."""

    alpha: float = 0.1
    lfc_threshold: float = 0.0
    alt_hypothesis: AltHypothesis = "greaterAbs"
    independent_filtering: bool = True
    cooks_cutoff: float | bool | None = None
    p_adjust: Adjustment = "BH"
    filter: object = None
    theta: object = None
    filter_fun: FilterFunction | None = None
    outliers: OutlierRule = "cooks"
    confint: float | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        probability("alpha", self.alpha)
        if self.confint is not None:
            probability("confint", self.confint)
        check_option("alt_hypothesis", self.alt_hypothesis, AltHypothesis)
        check_option("outliers", self.outliers, OutlierRule)
        check_flags(independent_filtering=self.independent_filtering)
        self.adjuster.check()
        if not_negative("lfc_threshold", self.lfc_threshold) == 0 and self.alt_hypothesis == "lessAbs":
            raise OptionError(
                "when testing alt_hypothesis='lessAbs', set the argument lfc_threshold to a positive value."
            )
        if self.cooks_cutoff is not None and not isinstance(self.cooks_cutoff, (bool, np.bool_)):
            positive_number("cooks_cutoff", self.cooks_cutoff, infinite=True)

    @property
    def adjuster(self) -> Adjuster:
        """How p-values are filtered and adjusted."""
        return Adjuster(
            float(self.alpha), self.p_adjust, self.independent_filtering, self.filter, self.theta, self.filter_fun
        )

    def require_no_threshold(self, instead: str) -> None:
        """Raise `ContrastError` where a threshold is set; only Wald tests of single contrasts have one.

        `instead` is what to use, in place of what was asked.
        """
        if self.lfc_threshold > 0 or self.alt_hypothesis != "greaterAbs":
            raise ContrastError(
                f"tests of log fold change above or below a threshold must be Wald tests: use {instead}."
            )

    def cutoff(self, layout: Layout) -> float | None:
        """Return the cutoff of Cook's distances; None: no gene is withheld."""
        cutoff = True if self.cooks_cutoff is None else self.cooks_cutoff
        if isinstance(cutoff, (bool, np.bool_)):
            return default_cutoff(layout) if cutoff else None
        return None if math.isinf(cutoff) else float(cutoff)


def make_results(
    fitted: Fitted,
    options: Options,
    *,
    contrast: object,
    name: str | None,
    list_values: Sequence[float],
    test: TestType | None,
    add_mle: bool = False,
) -> Results:
    """Return the results of one comparison; the arguments are those of `DESeqDataSet.results`."""
    check_flags(add_mle=add_mle)
    fit = fitted.fit
    test = _checked_test(test, fit)
    if fit.prior is not None:
        return _shrunken_results(fitted, options, contrast, name, list_values, test, add_mle=add_mle)
    if add_mle:
        raise OptionError(
            "add_mle=True is for fits with beta_prior=True; without a prior the fold changes are maximum likelihood "
            "estimates already."
        )
    if test == "LRT":
        options.require_no_threshold("results(test='Wald', ...)")
    asked = resolve_contrast(fitted.design, contrast, name, list_values)
    _warn_between(fitted.design, asked.vector, asked.label)
    estimates = estimate(asked.vector[np.newaxis, :], fitted.state, fitted.layout, fitted.engine)
    zero = _zero(asked, fitted)
    (found,) = single_tests(
        estimates,
        threshold=float(options.lfc_threshold),
        alternative=options.alt_hypothesis,
        df=fit.df,
        zero=zero,
    )
    if test == "LRT":
        assert fit.reduced is not None
        statistic, p_value = likelihood_ratio_test(fit.loglik, fit.reduced.loglik, fit.reduced.df)
        found = Answer(found.lfc, found.se, statistic, p_value)
    separated = separated_genes(fitted, asked.vector[np.newaxis, :], zero)
    return make_table(
        fitted, options, found, label=asked.label, test=test, separated=separated[:, 0],
        df=fit.df if test == "Wald" else None,
    )  # fmt: skip


def _shrunken_results(
    fitted: Fitted,
    options: Options,
    contrast: object,
    name: str | None,
    list_values: Sequence[float],
    test: TestType,
    *,
    add_mle: bool,
) -> Results:
    """Return the results of one comparison of coefficients that have priors."""
    refuse_less_abs(options.alt_hypothesis)
    found = shown(fitted.design, fitted.fit.prior)
    assert found is not None
    asked = found.contrast(contrast, name, list_values)
    weights = found.without_prior(asked)
    if weights is not None:
        _warn_between(fitted.design, weights, asked.label)
    zero = _zero(asked, fitted)
    (answer,) = single_tests(
        found.estimate(asked.vector, fitted.state, fitted.engine),
        threshold=float(options.lfc_threshold),
        alternative=options.alt_hypothesis,
        df=fitted.fit.df,
        zero=zero,
    )
    separated = np.zeros(len(fitted.data.genes), dtype=np.bool_)
    if weights is not None:
        separated = separated_genes(fitted, weights[np.newaxis, :], zero)[:, 0]
    results = make_table(fitted, options, answer, label=asked.label, test=test, separated=separated, df=fitted.fit.df)
    table = results.table.copy()
    if add_mle:
        mle = found.maximum_likelihood(asked, fitted.fit.beta)
        unchanged = np.zeros(len(mle), dtype=np.bool_) if zero is None else zero[:, 0] & ~np.isnan(mle)
        if fitted.state.replacement is not None:
            unchanged |= fitted.state.replacement.emptied
        place = list(table.columns).index("log2FoldChange") + 1
        table.insert(place, "lfcMLE", np.where(unchanged, 0.0, mle))
    return Results(table, replace(results.info, shrinkage="normal", shrunken_test=True))


def separated_genes(fitted: Fitted, contrasts: FloatArray, zero: BoolArray | None) -> BoolArray:
    """Return for which genes and contrasts (G, k) the estimate is infinite, as a cell has no count.

    `zero` (G, k) are genes without any count in all cells that a contrast compares, which are called unchanged.
    """
    found = separated_by_design(fitted.counts_used, contrasts, fitted.state, fitted.layout, engine=fitted.engine)
    found &= ~np.isnan(fitted.fit.beta[:, :1])
    if zero is not None:
        found &= ~zero
    return found


def _checked_test(test: TestType | None, fit: ModelFit) -> TestType:
    if test is None:
        return fit.test
    check_option("test", test, TestType)
    if test == "LRT" and fit.reduced is None:
        raise ContrastError("test='LRT' needs a likelihood ratio fit: run deseq(test='LRT', reduced=...) first.")
    return test


def _warn_between(design: Design, vector: FloatArray, label: str) -> None:
    if strata(design, sample_weights(design, vector[np.newaxis, :]), ()) == ("between",):
        warn(between_message(design, [label]))


def _zero(asked: Contrast, fitted: Fitted) -> BoolArray | None:
    """Return the genes (G, 1) without any count in the samples that the contrast compares."""
    return None if asked.zero_samples is None else fitted.without_counts(asked.zero_samples[np.newaxis, :])


def make_table(
    fitted: Fitted,
    options: Options,
    found: Answer,
    *,
    label: str,
    test: TestType,
    reduced: str | None = None,
    columns: Mapping[str, object] | None = None,
    separated: BoolArray,
    as_observed: bool = False,
    df: float | FloatArray | None = None,
) -> Results:
    """Return the table of one test, its p-values withheld, filtered and adjusted.

    `columns` replace log2FoldChange and lfcSE, for tests of several contrasts at once. `separated` (G,) becomes a
    column. `as_observed` says that the fold changes are those of the counts as they were observed, though outliers were
    replaced for the fit: p-values of genes with such outliers are withheld too. `df`, one number or (G,), are the
    degrees of freedom of a t or F test, and become a column.
    """
    state = fitted.state
    cutoff = options.cutoff(fitted.layout)
    found, outlier = _withheld(found, _outliers(fitted, options, cutoff, as_observed=as_observed), state)
    bounded = at_bound_only(fitted.counts_used, state, fitted.layout)
    found = replace(found, p_value=np.where(bounded, np.nan, found.p_value))
    adjusted = options.adjuster.adjust(found.p_value, state.moments.mean, fitted.data.genes)
    padj, filtering = adjusted.padj, adjusted.filtering
    table = pd.DataFrame(
        {
            "baseMean": state.moments.mean,
            **({"log2FoldChange": found.lfc, "lfcSE": found.se} if columns is None else columns),
            "stat": found.statistic,
            **({} if df is None else {"df": np.where(np.isnan(found.statistic), np.nan, df)}),
            "pvalue": found.p_value,
            "padj": padj,
            "padj_reason": _reasons(outlier, bounded, found.p_value, padj, state),
            "separated": separated,
        },
        index=fitted.data.genes,
    )
    fit = fitted.fit
    info = ResultsInfo(
        label=label,
        test=test,
        formula=fitted.design.formula,
        reduced=reduced or (fit.reduced.description if fit.reduced and test == "LRT" else None),
        alpha=float(options.alpha),
        lfc_threshold=float(options.lfc_threshold),
        alt_hypothesis=options.alt_hypothesis,
        independent_filtering=filtering is not None,
        filter_threshold=filtering.threshold if filtering else 0.0,
        filter_theta=filtering.theta if filtering else None,
        filter_num_rej=(filtering.thetas, filtering.n_rejected) if filtering else None,
        cooks_cutoff=cutoff,
        outliers=options.outliers,
        p_adjust=adjusted.method,
        filter_statistic=adjusted.statistic,
        filter_fun=adjusted.function,
    )
    return with_interval(Results(table, info), options.confint, df)


def _outliers(fitted: Fitted, options: Options, cutoff: float | None, *, as_observed: bool) -> BoolArray:
    """Return the genes (G,) whose p-values are withheld."""
    outlier = np.zeros(len(fitted.data.genes), dtype=np.bool_)
    counts, state, layout, engine = fitted.data.matrix, fitted.state, fitted.layout, fitted.engine
    if options.outliers == "model":
        used = counts if as_observed else fitted.counts_used
        outlier |= model_outliers(used, state, layout, engine=engine).flagged
    if cutoff is None:
        return outlier
    design = fitted.design
    two_groups = len(design.variables) == 1 and len(design.levels.get(design.variables[0], ())) == 2
    return outlier | cooks_outliers(
        counts, state, layout, cutoff, two_groups=two_groups, as_observed=as_observed, engine=engine
    )


def _withheld(found: Answer, outlier: BoolArray, state: FittedState) -> tuple[Answer, BoolArray]:
    """Return the answer without the p-values of outliers, and with no change where replacement left no count."""
    p_value = np.where(outlier, np.nan, found.p_value)
    if state.replacement is None:
        return Answer(found.lfc, found.se, found.statistic, p_value), outlier
    empty = state.replacement.emptied
    lfc, se, statistic = (np.where(empty, 0.0, column) for column in (found.lfc, found.se, found.statistic))
    return Answer(lfc, se, statistic, np.where(empty, 1.0, p_value)), outlier & ~empty


def _reasons(
    outlier: BoolArray, bounded: BoolArray, p_value: FloatArray, padj: FloatArray, state: FittedState
) -> pd.Categorical:
    """Return why each adjusted p-value is there or missing."""
    never_counted = state.moments.all_zero & ~np.isfinite(p_value)
    if state.moments.weights_fail is not None:
        never_counted &= ~state.moments.weights_fail
    words = np.full(len(padj), "tested", dtype=object)
    words[np.isnan(padj)] = "low_count"
    words[np.isnan(p_value)] = "not_estimated"
    words[bounded] = "at_bound"
    words[outlier] = "outlier"
    words[never_counted] = "all_zero"
    usual, rare = ["tested", "all_zero", "outlier", "low_count"], ["not_estimated", "at_bound"]
    return pd.Categorical(words, categories=[*usual, *(word for word in rare if (words == word).any())])
