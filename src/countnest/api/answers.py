"""From a question to its table of genes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from countnest.api.inputs import positive_number
from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.containers.fit import Analysis, ModelFit
from countnest.containers.results import Results, ResultsInfo
from countnest.design.contrast import Contrast, resolve_contrast
from countnest.design.model import Design
from countnest.errors import ContrastError, OptionError
from countnest.options import AltHypothesis, PAdjust, TestType, check_option
from countnest.parallel.run import Engine
from countnest.pipelines.answer import Answer, answer, cooks_outliers
from countnest.pipelines.deseq import no_counts
from countnest.stats.glm.cooks import cooks_cutoff as default_cutoff
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.filter import Filtering
from countnest.stats.inference.filter import independent_filtering as filter_genes

__all__ = ["make_results"]


def make_results(
    state: Analysis,
    fit: ModelFit,
    data: CountData,
    design: Design,
    layout: Layout,
    *,
    contrast: object,
    name: str | None,
    list_values: Sequence[float],
    test: TestType | None,
    alpha: float,
    lfc_threshold: float,
    alt_hypothesis: AltHypothesis,
    independent_filtering: bool,
    cooks_cutoff: float | bool | None,
    p_adjust: PAdjust,
) -> Results:
    """Return the results of one comparison; the arguments are those of `DESeqDataSet.results`."""
    test = _checked_test(test, fit)
    _check_threshold(test, alpha, lfc_threshold, alt_hypothesis)
    check_option("p_adjust", p_adjust, PAdjust)
    asked = resolve_contrast(design, contrast, name, list_values)
    cutoff = _cutoff(cooks_cutoff, layout)
    assert state.dispersions is not None
    found = answer(
        asked.vector,
        fit,
        state.dispersions.final,
        state.factors,
        layout,
        likelihood_ratio=test == "LRT",
        threshold=float(lfc_threshold),
        alternative=alt_hypothesis,
        zero=_zero(asked, data),
        engine=Engine(),
    )
    outlier = _outliers(fit, data, design, cutoff)
    found, outlier = _withheld(found, outlier, state)
    filtering = filter_genes(found.p_value, state.moments.mean, alpha, p_adjust) if independent_filtering else None
    padj = filtering.padj if filtering else adjust(found.p_value, p_adjust)
    table = pd.DataFrame(
        {
            "baseMean": state.moments.mean,
            "log2FoldChange": found.lfc,
            "lfcSE": found.se,
            "stat": found.statistic,
            "pvalue": found.p_value,
            "padj": padj,
            "padj_reason": _reasons(state.moments.all_zero, outlier, found.p_value, padj, state),
        },
        index=data.genes,
    )
    return Results(
        table, _info(asked, test, fit, design, alpha, lfc_threshold, alt_hypothesis, filtering, cutoff, p_adjust)
    )


def _checked_test(test: TestType | None, fit: ModelFit) -> TestType:
    if test is None:
        return fit.test
    check_option("test", test, TestType)
    if test == "LRT" and fit.reduced is None:
        raise ContrastError("test='LRT' needs a likelihood ratio fit: run deseq(test='LRT', reduced=...) first.")
    return test


def _check_threshold(test: TestType, alpha: float, lfc_threshold: float, alternative: AltHypothesis) -> None:
    positive_number("alpha", alpha)
    if alpha >= 1:
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1.")
    check_option("alt_hypothesis", alternative, AltHypothesis)
    if lfc_threshold != 0:
        positive_number("lfc_threshold", lfc_threshold)
    if test == "LRT" and (lfc_threshold > 0 or alternative != "greaterAbs"):
        raise ContrastError(
            "tests of log fold change above or below a threshold must be Wald tests: use results(test='Wald', ...)."
        )
    if alternative == "lessAbs" and lfc_threshold == 0:
        raise OptionError("when testing alt_hypothesis='lessAbs', set the argument lfc_threshold to a positive value.")


def _cutoff(cooks_cutoff: float | bool | None, layout: Layout) -> float | None:
    """Return the cutoff of Cook's distances; None: no gene is withheld."""
    if cooks_cutoff is None or cooks_cutoff is True:
        return default_cutoff(layout)
    if cooks_cutoff is False:
        return None
    positive_number("cooks_cutoff", cooks_cutoff, infinite=True)
    return None if math.isinf(cooks_cutoff) else float(cooks_cutoff)


def _zero(asked: Contrast, data: CountData) -> BoolArray | None:
    """Return the genes without any count in the samples that the contrast compares."""
    if asked.zero_samples is None:
        return None
    return no_counts(data.counts[:, asked.zero_samples])


def _outliers(fit: ModelFit, data: CountData, design: Design, cutoff: float | None) -> BoolArray:
    if cutoff is None:
        return np.zeros(len(data.genes), dtype=np.bool_)
    two_groups = len(design.variables) == 1 and len(design.levels.get(design.variables[0], ())) == 2
    return cooks_outliers(fit, data.counts, cutoff, two_groups=two_groups)


def _withheld(found: Answer, outlier: BoolArray, state: Analysis) -> tuple[Answer, BoolArray]:
    """Return the answer without the p-values of outliers, and with no change where replacement left no count."""
    p_value = np.where(outlier, np.nan, found.p_value)
    if state.replacement is None:
        return Answer(found.lfc, found.se, found.statistic, p_value), outlier
    empty = state.replacement.emptied
    columns: list[FloatArray] = [found.lfc, found.se, found.statistic]
    lfc, se, statistic = (np.where(empty, 0.0, column) for column in columns)
    return Answer(lfc, se, statistic, np.where(empty, 1.0, p_value)), outlier & ~empty


def _reasons(
    all_zero: BoolArray, outlier: BoolArray, p_value: FloatArray, padj: FloatArray, state: Analysis
) -> pd.Categorical:
    emptied = np.zeros_like(all_zero) if state.replacement is None else state.replacement.emptied
    words = np.full(len(padj), "tested", dtype=object)
    words[np.isnan(padj)] = "low_count"
    words[np.isnan(p_value)] = "not_estimated"
    words[outlier] = "outlier"
    words[all_zero & ~emptied] = "all_zero"
    order = ["tested", "all_zero", "outlier", "low_count", "not_estimated"]
    return pd.Categorical(
        words, categories=[word for word in order if word != "not_estimated" or (words == word).any()]
    )


def _info(
    asked: Contrast,
    test: TestType,
    fit: ModelFit,
    design: Design,
    alpha: float,
    lfc_threshold: float,
    alt_hypothesis: AltHypothesis,
    filtering: Filtering | None,
    cutoff: float | None,
    p_adjust: PAdjust,
) -> ResultsInfo:
    return ResultsInfo(
        label=asked.label,
        test=test,
        formula=design.formula,
        reduced=fit.reduced.description if fit.reduced else None,
        alpha=float(alpha),
        lfc_threshold=float(lfc_threshold),
        alt_hypothesis=alt_hypothesis,
        independent_filtering=filtering is not None,
        filter_threshold=filtering.threshold if filtering else 0.0,
        filter_theta=filtering.theta if filtering else None,
        filter_num_rej=(filtering.thetas, filtering.n_rejected) if filtering else None,
        cooks_cutoff=cutoff,
        p_adjust=p_adjust,
    )
