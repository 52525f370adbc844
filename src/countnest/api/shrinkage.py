"""The function `lfc_shrink`: a table of results with shrunken fold changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.api.comparison import chosen_query, require_difference, results_of_query
from countnest.api.dataset import require_data_set
from countnest.api.inputs import not_negative, probability
from countnest.api.query import BoundQuery
from countnest.api.results import only
from countnest.arrays import FloatArray
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.errors import ContrastError, OptionError, counted, listing, warn
from countnest.methods.adjustment import MEAN, Adjuster
from countnest.methods.answer import answer, unchanged_genes
from countnest.methods.answer_options import AnswerOptions
from countnest.methods.deseq2.beta_prior import refuse_less_abs, refuse_prior
from countnest.methods.deseq2.fit import DESeq2Fit
from countnest.methods.deseq2.inference import estimate
from countnest.methods.deseq2.prior_fit import shrunken_fit
from countnest.methods.deseq2.shrinkage import ApeglmOptions, ShrunkenChanges, shrink_apeglm, shrink_ashr
from countnest.methods.deseq2.stages import Estimates
from countnest.methods.tables import annotated, with_interval, without_info, without_interval
from countnest.options import ShrinkType, check_flags, check_option
from countnest.parallel.run import Engine
from countnest.queries.contrasts import contrast_query
from countnest.queries.query import Query
from countnest.signature import checked_arguments
from countnest.stats.inference.adjust import is_adjustment
from countnest.stats.shrink.svalue import s_values

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["lfc_shrink"]

# Fold changes that differ by less, relative or absolute, are of the same comparison.
SAME = 1e-5
# The tests whose tables have the standard errors of the fit.
WITH_ERRORS_OF_FIT = ("Wald", "LRT")


@checked_arguments
def lfc_shrink(
    dds: DESeqDataSet,
    *,
    coef: str | None = None,
    contrast: object = None,
    query: str | BoundQuery | None = None,
    type: ShrinkType = "apeglm",
    res: Results | None = None,
    svalue: bool = False,
    lfc_threshold: float | None = None,
    list_values: Sequence[float] = (1.0, -1.0),
    converge: bool = False,
    adapt: bool = True,
    confint: float | None = None,
    n_threads: int | None = None,
    quiet: bool = False,
) -> Results:
    """Return a table of genes with shrunken fold changes, for ranking and plots; nothing is overwritten.

    Parameters
    ----------
    dds
        A fitted data set.
    coef, contrast, query
        At most one: a coefficient by its name, one of `results_names()`; a contrast as for `results`; or a query, a
        line of text or what `effect`, `query` and so on return, of one row. Without them what `results` would take: the
        last coefficient.
    type
        "apeglm": posterior modes under a Cauchy prior (Zhu, Ibrahim and Love 2018, doi:10.1093/bioinformatics/bty895),
        of any contrast; "ashr": posterior means under a mixture of normals (Stephens 2017,
        doi:10.1093/biostatistics/kxw041); "normal": posterior modes under a normal prior (Love, Huber and Anders 2014,
        doi:10.1186/s13059-014-0550-8), of a design without interactions. For a contrast of two levels its prior
        treats all levels of the factor alike.
    res
        The results of the same comparison, whose p-values, adjusted p-values and record are kept; by default they are
        made by `results`, or for a query by its `test()`, without other arguments.
    svalue
        Give s-values, the expected shares of wrong signs, in place of p-values.
    lfc_threshold
        s-values of "false sign or small": of a fold change with the other sign or below this (log2); they are then
        given also without `svalue`. None: the threshold of `res`. "normal" has no s-values: there the shrunken fold
        changes are tested against the threshold. These are of the counts as observed, so that p-values of genes with
        outliers are withheld though the outliers were replaced for `res`; alpha, alternative, filtering, cutoff of
        Cook's distances, rule for outliers and method of adjustment are those of `res`. A table does not hold functions
        and filter statistics that were given to `results`: then genes are filtered by their mean count and p-values
        adjusted by BH, with a warning.
    list_values
        Weights of the two lists of names of a contrast.
    converge
        apeglm: search for the posterior modes to rounding, and take the higher of two. Otherwise the search ends where
        R's does: before a mode where counts are large, but by no more than 0.3 posterior standard deviations, or at the
        lower of two.
    adapt
        apeglm: fit the scale of the Cauchy prior to the spread of the fold changes. Otherwise it is 1 (natural log).
    confint
        Add intervals of this level, as the columns ciLower and ciUpper (log2): the shrunken fold change and its
        posterior standard deviation times a normal quantile. They approximate the posterior, whose tails under the
        priors of apeglm and ashr are not those of a normal distribution. None: the level of `res`, if it has one.
    n_threads
        None: as many as the data set works with. The results do not depend on it.
    quiet
        No progress display.

    Returns
    -------
    Results
        baseMean, log2FoldChange (shrunken), lfcSE (posterior standard deviation), pvalue, padj, padj_reason; or
        baseMean, log2FoldChange, lfcSE, svalue. "normal" keeps the statistic too. `info.shrinkage` and
        `info.prior_scale` say what was done.

    Raises
    ------
    OptionError
        More than one of `coef`, `contrast` and `query`; an option out of its domain; no standard errors; a data set
        fitted with `beta_prior=True`, whose fold changes are shrunken already.
    ContrastError
        The comparison does not exist, asks for a mean and not for a difference (apeglm), or is not that of `res`.
    StratumError
        A query that compares blocks, without `res`.
    MissingStepError
        The data set is not fitted.

    Notes
    -----
    Mixed models, and tables of tests with t distributions: ashr takes standard errors as those of normal estimates, so
    that few degrees of freedom make s-values too small. A data set whose design has random terms takes `res` alone.

    R counterpart: DESeq2::lfcShrink. R shrinks single coefficients only with apeglm; here a contrast gives what R gives
    after the change of reference levels that makes it a coefficient.
    """
    require_data_set(dds, "lfc_shrink")
    engine = dds._engine(n_threads, quiet)
    check_option("type", type, ShrinkType)
    check_flags(svalue=svalue, converge=converge, adapt=adapt, quiet=quiet)
    if not adapt and type != "apeglm":
        raise OptionError(f"adapt=False is about the prior of type='apeglm'; leave it out for type={type!r}.")
    if confint is not None:
        probability("confint", confint)
    threshold = None if lfc_threshold is None else not_negative("lfc_threshold", lfc_threshold)
    if res is not None:
        _check_table(res, dds._data.genes)
        if type == "ashr" and dds._design.random and coef is None and contrast is None and query is None:
            return annotated(_of_table(res, threshold, confint, svalue=svalue), dds._data.gene_info)
    fit = _fit_of(dds, engine)
    chosen = chosen_query(fit, coef, contrast, query, list_values, alone=type == "ashr" and res is not None)
    if chosen is not None and type != "ashr":
        require_difference(fit, chosen)
    if chosen is not None and res is not None:
        _check_same(res, chosen, _estimates(fit, chosen))
    if res is None:
        res = results_of_query(fit, chosen, strict=query is not None)
    level = res.info.confint if confint is None else confint
    res = without_interval(without_info(res))
    if type == "normal" and svalue:
        raise OptionError("type='normal' has no s-values; use type='apeglm' or type='ashr'.")
    svalue = svalue or bool(threshold)
    size = res.info.lfc_threshold if threshold is None else threshold
    lfc, se = _columns(res)
    _require_errors(se, chosen.labels[0] if chosen else res.info.label)
    if type == "ashr" or chosen is None:
        found = _table(res, shrink_ashr(lfc, se, threshold=size), type, threshold=size if svalue else None)
    elif type == "normal":
        found = _normal(fit, chosen, contrast if _is_pair(contrast) else None, res, threshold or 0.0)
    else:
        found = _table(res, _apeglm(fit, chosen, size, converge, adapt), type, threshold=size if svalue else None)
    return annotated(with_interval(found, level), fit.data.gene_info)


# The results that are shrunken


def _fit_of(dds: DESeqDataSet, engine: Engine) -> DESeq2Fit:
    """Return the fit by DESeq2's method, of estimates without a prior; mixed models have none."""
    if dds._design.random:
        raise OptionError(
            f"lfc_shrink takes its estimates from a fit by DESeq2's method, and the design '{dds._design.formula}' has "
            "random terms. Of mixed models type='ashr' shrinks a table of one comparison, given alone: "
            "cn.lfc_shrink(dds, res=query.test(fit=...), type='ashr')."
        )
    fit = replace(dds._last_fit(), engine=engine)
    refuse_prior(fit.model)
    return fit


def _of_table(res: Results, threshold: float | None, confint: float | None, *, svalue: bool) -> Results:
    """Return the results of a fit by any method with fold changes shrunken by ashr, from their standard errors."""
    level = res.info.confint if confint is None else confint
    res = without_interval(without_info(res))
    size = res.info.lfc_threshold if threshold is None else threshold
    lfc, se = _columns(res)
    _require_errors(se, res.info.label)
    shrunken = shrink_ashr(lfc, se, threshold=size)
    res = Results(res.table, replace(res.info, estimate=None))  # which `shrinkage` takes the place of
    return with_interval(_table(res, shrunken, "ashr", threshold=size if svalue or threshold else None), level)


def _check_table(res: Results, genes: pd.Index) -> None:
    """Raise unless `res` is a table of fold changes of these genes."""
    if not isinstance(res, Results):
        raise OptionError(f"res={res!r} is not a Results; give the table that results() returned.")
    if res.info.shrinkage is not None:
        raise OptionError(f"the fold changes of res are already shrunken ({res.info.shrinkage}); give the results().")
    missing = [name for name in ("log2FoldChange", "lfcSE") if name not in res.table]
    if missing:
        raise OptionError(
            f"res has no column {listing(missing)}; fold changes of one comparison are shrunken at a time."
        )
    if not res.table.index.equals(genes):
        raise OptionError(
            f"the {counted(len(res), 'gene')} of res are not the {len(genes)} of the data set in their "
            "order; shrink the whole table first, then sort or select."
        )


def _estimates(fit: DESeq2Fit, query: Query) -> tuple[FloatArray, FloatArray]:
    """Return the maximum likelihood estimates and standard errors (G,) of a query of one row, log2.

    As in a table of results, there is no change where the replacement of outliers left no count; but a comparison of
    two groups without counts keeps its estimate, as it would if it were a coefficient.
    """
    found = estimate(query.matrix, fit.state, fit.layout, fit.engine)
    lfc, se = found.lfc[:, 0], found.se[:, 0]
    if fit.state.replacement is None:
        return lfc, se
    empty = fit.state.replacement.emptied
    return np.where(empty, 0.0, lfc), np.where(empty, 0.0, se)


def _columns(res: Results) -> tuple[FloatArray, FloatArray]:
    lfc, se = (res.table[name].to_numpy(dtype=np.float64) for name in ("log2FoldChange", "lfcSE"))
    return lfc, se


def _check_same(res: Results, query: Query, estimates: tuple[FloatArray, FloatArray]) -> None:
    """Raise `ContrastError` when the fold changes of `res` are not those of the query.

    Standard errors tell more, where the test has those of the fit: averaged and quasi-likelihood tests have their own.
    """
    if res.info.hidden is not None or (res.info.null_divisor or 1.0) != 1.0:
        raise OptionError(
            "res has fold changes without hidden factors, or errors of a scaled null distribution, which the "
            "fit does not have: type='ashr' shrinks them, from res alone, without coef, contrast and query."
        )
    pairs = list(zip(_columns(res), estimates, strict=True))
    for given, own in pairs if res.info.test in WITH_ERRORS_OF_FIT else pairs[:1]:
        compared = np.isfinite(given) & np.isfinite(own) & (given != 0.0)
        if not np.allclose(given[compared], own[compared], rtol=SAME, atol=SAME):
            raise ContrastError(
                f"res is about '{res.info.label}', or of another fit, and '{query.labels[0]}' would be shrunken: give "
                "lfc_shrink the same coef, contrast or query as the results."
            )


def _require_errors(se: FloatArray, label: str) -> None:
    if not (np.isfinite(se) & (se > 0)).any():
        raise OptionError(f"'{label}' has no standard errors, which the prior needs; fit the model first.")


# The answer


def _apeglm(fit: DESeq2Fit, query: Query, threshold: float, converge: bool, adapt: bool) -> ShrunkenChanges:
    lfc, se = _estimates(fit, query)
    shrunken = shrink_apeglm(
        fit.design, query.matrix[0], Estimates(lfc[:, np.newaxis], se[:, np.newaxis]), fit.data.matrix, fit.state,
        ApeglmOptions(threshold, converge, adapt), fit.engine,
    )  # fmt: skip
    if shrunken.failed is not None and shrunken.failed.any():
        genes = fit.data.genes[shrunken.failed]
        warn(
            f"{counted(len(genes), 'gene')} did not converge: {listing(genes)}. log2FoldChange and lfcSE are missing "
            "there."
        )
    return shrunken


def _is_pair(contrast: object) -> bool:
    """Return whether a contrast is (factor, numerator level, denominator level)."""
    return isinstance(contrast, (tuple, list)) and len(contrast) == 3 and all(isinstance(one, str) for one in contrast)


def _normal(fit: DESeq2Fit, query: Query, levels: object, res: Results, threshold: float) -> Results:
    """Return the results with fold changes under a normal prior; tested again where there is a threshold.

    `levels` is the contrast of two levels of a factor, in R's form, whose prior treats all levels alike.
    """
    shrunken = shrunken_fit(fit, expanded=levels is not None)
    if levels is not None:
        query = contrast_query(shrunken.prior.design, levels)
    refuse_less_abs(res.info.alt_hypothesis)
    if threshold:
        found = only(answer(query, shrunken, fit.data, fit.engine, _options_of(res.info, threshold)))
        separated = {"separated": res.table["separated"]} if "separated" in res.table else {}
        return Results(
            without_info(found).table.assign(**separated), replace(found.info, label=res.info.label, annotation=())
        )
    tests = shrunken.row_tests(
        query.matrix, "wald", threshold=0.0, alternative=res.info.alt_hypothesis,
        unchanged=unchanged_genes(query, fit.data, fit.engine),
    )  # fmt: skip
    lfc, se = tests.lfc[:, 0], tests.se[:, 0]
    if fit.state.replacement is not None:
        empty = fit.state.replacement.emptied
        lfc, se = np.where(empty, 0.0, lfc), np.where(empty, 0.0, se)
    return Results(res.table.assign(log2FoldChange=lfc, lfcSE=se), replace(res.info, shrinkage="normal"))


def _options_of(info: ResultsInfo, threshold: float) -> AnswerOptions:
    """Return the options that results were made with, as far as their record holds them, with a threshold."""
    function = info.filter_fun or (None if is_adjustment(info.p_adjust) else info.p_adjust)
    statistic = None if info.filter_statistic == MEAN else info.filter_statistic
    method = info.p_adjust if function is None else "BH"
    filtering = info.independent_filtering or info.filter_fun is not None
    lost = [name for name in (function, statistic) if name is not None]
    if lost:
        warn(
            f"res holds the name of {listing(lost)}, but not the function itself: p-values are adjusted by {method}"
            f"{', and genes filtered by their mean count' if filtering else ''}."
        )
    tried = info.filter_num_rej if statistic is None and info.filter_fun is None else None
    thetas = None if tried is None else np.asarray(tried[0], dtype=np.float64)
    return AnswerOptions(
        lfc_threshold=threshold,
        alt_hypothesis=info.alt_hypothesis,
        adjuster=Adjuster(info.alpha, method, filtering, thetas=thetas),
        cooks_cutoff=False if info.cooks_cutoff is None else info.cooks_cutoff,
        outliers=info.outliers,
        on_blocks="answer",
    )


def _table(res: Results, shrunken: ShrunkenChanges, type: ShrinkType, *, threshold: float | None) -> Results:
    """Return the results with shrunken fold changes; with s-values for p-values where there is a threshold."""
    info = replace(res.info, shrinkage=type, prior_scale=shrunken.scale)
    columns = {"baseMean": res.table["baseMean"], "log2FoldChange": shrunken.lfc, "lfcSE": shrunken.se}
    if threshold is None:
        kept = res.table.drop(columns=[*columns, "stat"], errors="ignore")
        return Results(pd.concat([pd.DataFrame(columns, index=res.table.index), kept], axis=1), info)
    table = pd.DataFrame(columns | {"svalue": s_values(shrunken.rate)}, index=res.table.index)
    return Results(table, _without_test(info, threshold))


def _without_test(info: ResultsInfo, threshold: float) -> ResultsInfo:
    """Return the record of a table of s-values, whose threshold is that of the s-values."""
    return replace(info, lfc_threshold=threshold, alt_hypothesis="greaterAbs")
