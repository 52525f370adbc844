"""Answer a query for every gene: the one path from a query and a fit to a table of results.

Every table that asks a contrast is made here, whatever the entry point and the method: the tests of the fit, the rule
for genes without counts, withheld p-values, adjustment, intervals, annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.containers.hidden import HiddenRecord
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.schema import JOINT_CHANGE
from countnest.errors import ContrastError, OptionError, listing, suggestion, warn
from countnest.methods.adjustment import Adjusted, least_mean
from countnest.methods.answer_options import AnswerOptions, OnBlocks
from countnest.methods.chunks import Genes, without_counts
from countnest.methods.fit import Fit, Withheld, notes_of
from countnest.methods.hidden import HiddenFit, df_for_factors, with_hidden_factors
from countnest.methods.null import Null, null_of
from countnest.methods.provenance import analysis_of
from countnest.methods.tables import annotated, whole_df, with_interval
from countnest.parallel.run import Engine
from countnest.queries.empty_cells import compared_samples
from countnest.queries.query import Query
from countnest.queries.strata import between_message, refuse_between
from countnest.stats.inference.stagewise import stagewise as adjust_stagewise

__all__ = ["answer", "check_blocks", "padj_reasons", "unchanged_genes"]


def answer(query: Query, fit: Fit, data: CountData, engine: Engine, options: AnswerOptions) -> Results | ResultsSet:
    """Answer a query for every gene.

    Parameters
    ----------
    query
        k contrasts of the coefficients of the fit.
    fit
        A fit of any method.
    data
        The counts, for genes without any count in what a row compares; and the labels of the genes.
    engine
        Works on the genes.
    options
        The kind of test, thresholds, adjustment.

    Returns
    -------
    Results or ResultsSet
        A `Results` for one row or a joint test, which has the fold change of every row; a `ResultsSet` for several.

    Raises
    ------
    OptionError, ContrastError
        Options that do not go together, or a test that the fit does not offer.
    StratumError
        A query that compares blocks which the fit holds fixed.
    """
    kind = _chosen_kind(fit, options.kind)
    joint = (options.joint or query.is_joint) and len(query) > 1
    _check_options(query, fit, kind, options, joint=joint)
    check_blocks(query, fit, options.on_blocks)
    if options.hidden is not None:
        fit = with_hidden_factors(query, fit, kind, options.hidden)
    unchanged = unchanged_genes(query, data, engine)
    separated = fit.separated(query.matrix) & ~unchanged
    withheld = fit.withheld(options.outliers, options.cooks_cutoff)
    request = _Request(query, fit, data, options, kind, unchanged, separated, withheld)
    if joint:
        return annotated(_answer_jointly(request), data.gene_info)
    parts = _answer_rows(request)
    if options.stagewise:
        screen = _answer_jointly(replace(request, options=replace(options, confint=None)))
        parts = _with_stages(parts, screen, options.adjuster.alpha)
    found = {label: annotated(part, data.gene_info) for label, part in parts.items()}
    return ResultsSet(found) if len(found) > 1 else next(iter(found.values()))


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """A query, with the fit and the data that answer it, the options, and what holds for all of its tests.

    Attributes
    ----------
    unchanged, separated
        (G, k) genes without counts in what a row compares, and those whose estimate is infinite.
    withheld
        The genes whose p-values are withheld.
    """

    query: Query
    fit: Fit
    data: CountData
    options: AnswerOptions
    kind: str
    unchanged: BoolArray
    separated: BoolArray
    withheld: Withheld


def _chosen_kind(fit: Fit, kind: str | None) -> str:
    if kind is None:
        return next(iter(fit.kinds))
    if not isinstance(kind, str) or kind not in fit.kinds:
        kinds = [word for word, each in fit.kinds.items() if each.is_of_query]
        why = notes_of(fit).not_offered.get(str(kind))
        raise OptionError(
            f"kind={kind!r}: a fit by {fit.method} offers the tests {listing(kinds, 20)}."
            + (suggestion(kind, kinds) if why is None else f" {why}")
        )
    return kind


def _check_options(query: Query, fit: Fit, word: str, options: AnswerOptions, *, joint: bool) -> None:
    """Raise where options do not go together, in a test of the kind `word`."""
    kind = fit.kinds[word]
    if not (kind.is_of_query or options.of_fit):
        raise OptionError(
            "the test against the reduced model is of the whole fit, whatever the query: dds.results() has it. "
            "test('lrt') tests this query, with the null model that follows from it."
        )
    if options.stagewise and options.has_threshold:
        raise ContrastError(
            "stagewise=True screens genes by a joint test, and the screening test takes no threshold: leave out "
            "lfc_threshold and alt_hypothesis, or stagewise."
        )
    if options.has_threshold and (joint or not kind.has_threshold):
        if kind.has_threshold:
            raise ContrastError(
                "tests of log fold change above or below a threshold are of each row: leave out joint=True, or "
                "lfc_threshold and alt_hypothesis."
            )
        raise ContrastError(_needs_another(query, fit))
    if options.stagewise and joint:
        raise OptionError("stagewise=True tests the joint hypothesis and then the rows; leave out joint.")
    if options.stagewise and len(query) == 1:
        raise OptionError("stagewise=True needs a query of several rows; this one has one.")
    if joint and options.confint is not None:
        raise OptionError(f"confint={options.confint!r} is for single rows; test the rows without joint=True.")
    if (joint or options.stagewise) and not kind.is_joint:
        raise OptionError(f"this kind of test ({kind.label}) is of single rows; leave out joint and stagewise.")


def _needs_another(query: Query, fit: Fit) -> str:
    """Return which tests of a fit take a threshold, for a test that takes none."""
    rows = " of each row, without joint=True" if len(query) > 1 else ""
    about = "tests of log fold change above or below a threshold"
    if "wald" in fit.kinds:
        return (
            f"{about} must be Wald, averaged or QL tests{rows}: use test('wald', ...), test('averaged', ...) or "
            "test('ql', ...), or results(test='Wald', ...)."
        )
    offered = " or ".join(f"test({word!r}, ...)" for word, kind in fit.kinds.items() if kind.has_threshold)
    return f"{about} must be t tests{rows}: use {offered}. Likelihood ratios are tested against no change only."


def check_blocks(query: Query, fit: Fit, on_blocks: OnBlocks) -> None:
    """Refuse, or warn of, a query that compares blocks which the fit holds fixed."""
    if on_blocks == "answer":
        return
    modelled = [block[-1] for block in query.design.nesting.blocks if fit.models_block(block)]
    labels = query.between(modelled)
    if labels and on_blocks == "warn":
        warn(between_message(query.design, labels))
    else:
        refuse_between(query.design, labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """One test for every gene.

    Attributes
    ----------
    label
        What is tested.
    rows, contrasts
        The labels of the rows of the query that it tests, and their contrasts (k, p).
    changes
        The columns of fold changes, (G,) each: of one row with their standard errors, or one for each row.
    statistic, p_value
        (G,).
    df
        Degrees of freedom of a t test or of the denominator of F, one number or (G,); None: there are none.
    separated
        (G,) whether the estimate of a row is infinite.
    reach
        Half the lengths (G,) of confidence intervals at a level, where they are not those of a normal or t
        distribution.
    interval
        The ends (G,) of intervals at a level, where they are not symmetric.
    columns
        Further columns (G,).
    """

    label: str
    rows: tuple[str, ...]
    contrasts: FloatArray
    changes: Mapping[str, FloatArray]
    statistic: FloatArray
    p_value: FloatArray
    df: float | FloatArray | None
    separated: BoolArray
    reach: Callable[[float], FloatArray] | None = None
    interval: Callable[[float], tuple[FloatArray, FloatArray]] | None = None
    columns: Mapping[str, FloatArray] = field(default_factory=dict)


def _answer_rows(request: _Request) -> dict[str, Results]:
    """Return the results of every row."""
    options, emptied, matrix = request.options, request.withheld.emptied, request.query.matrix
    tests = request.fit.row_tests(
        matrix, request.kind, threshold=options.lfc_threshold, alternative=options.alt_hypothesis,
        unchanged=request.unchanged,
    )  # fmt: skip
    found = {}
    for i, label in enumerate(_distinct(request.query.labels)):
        changes = {
            "log2FoldChange": np.where(emptied, 0.0, tests.lfc[:, i]),
            "lfcSE": np.where(emptied, 0.0, tests.se[:, i]),
        }
        df = tests.df[:, i] if isinstance(tests.df, np.ndarray) and tests.df.ndim == 2 else tests.df
        separated = request.separated[:, i]
        reach = None if tests.reach is None else partial(_column_of_reach, tests.reach, i)
        own, statistic, p_value = matrix[i : i + 1], tests.statistic[:, i], tests.p_value[:, i]
        interval = None if tests.interval is None else partial(_column_of_ends, tests.interval, i)
        columns = {name: values[:, i] for name, values in tests.columns.items()}
        test = _Test(label, (label,), own, changes, statistic, p_value, df, separated, reach, interval, columns)
        found[label] = _table(request, test)
    return found


def _column_of_reach(reach: Callable[[float], FloatArray], i: int, level: float) -> FloatArray:
    return reach(level)[:, i]


def _column_of_ends(
    interval: Callable[[float], tuple[FloatArray, FloatArray]], i: int, level: float
) -> tuple[FloatArray, FloatArray]:
    lower, upper = interval(level)
    return lower[:, i], upper[:, i]


def _answer_jointly(request: _Request) -> Results:
    """Return the results of all rows at once."""
    query, unchanged = request.query, request.unchanged
    found = request.fit.joint_test(query.matrix, request.kind)
    empty = unchanged.all(axis=1) & ~np.isnan(found.statistic)
    statistic, p_value = np.where(empty, 0.0, found.statistic), np.where(empty, 1.0, found.p_value)
    lfc = np.where(unchanged & ~np.isnan(found.lfc), 0.0, found.lfc)
    lfc = np.where(request.withheld.emptied[:, np.newaxis], 0.0, lfc)
    changes = {f"{JOINT_CHANGE}{label}": lfc[:, i] for i, label in enumerate(_distinct(query.labels))}
    separated = np.asarray(request.separated.any(axis=1))
    label = f"{listing(query.labels, 3)} jointly, {found.df_tested} df"
    test = _Test(label, query.labels, query.matrix, changes, statistic, p_value, found.df, separated)
    return _table(request, test)


def unchanged_genes(query: Query, data: CountData, engine: Engine) -> BoolArray:
    """Return the mask (G, k) of genes without a count in the samples that a row compares: the fold change is 0."""
    samples, counts = compared_samples(query), data.matrix
    ruled = samples.any(axis=1)
    unchanged = np.zeros((counts.shape[0], len(samples)), dtype=np.bool_)
    if ruled.any():
        genes = Genes(counts, np.ones((1, counts.shape[1])))
        unchanged[:, ruled] = without_counts(genes, samples[ruled], engine)
    return unchanged


def _table(request: _Request, test: _Test) -> Results:
    """Return the table of one test, its p-values withheld, filtered and adjusted."""
    fit, options, withheld = request.fit, request.options, request.withheld
    emptied, bounded = withheld.emptied, withheld.at_bound
    statistic = np.where(emptied, 0.0, test.statistic)
    p_value = np.where(emptied, 1.0, np.where(withheld.outlier, np.nan, test.p_value))
    p_value = np.where(bounded, np.nan, p_value)
    null = null_of(
        p_value, request.query, fit, request.kind, two_sided=options.is_two_sided, scaled=options.null == "scaled"
    )
    p_value = null.p_value
    kind = fit.kinds[request.kind]
    least = least_mean(request.data.matrix.shape[1]) if kind.is_cautious else None
    adjuster = options.adjuster.without_filtering() if kind.is_filtered else options.adjuster
    adjusted = adjuster.adjust(p_value, fit.base_mean, least=least)
    outlier = withheld.outlier & ~emptied
    columns = {
        "baseMean": fit.base_mean,
        **notes_of(fit).columns,
        **null.scaled(test.changes),
        "stat": statistic,
        **({} if test.df is None else {"df": np.where(np.isnan(statistic), np.nan, whole_df(test.df))}),
        "pvalue": p_value,
        "padj": adjusted.padj,
        "padj_reason": padj_reasons(withheld, outlier, p_value, adjusted.padj, fit.never_counted),
        "separated": test.separated,
        **test.columns,
    }
    table = pd.DataFrame(columns, index=request.data.genes)
    results = Results(table, _info(request, test, adjusted, null))
    return with_interval(results, options.confint, test.df, null.reach(test.reach), test.interval)


def _info(request: _Request, test: _Test, adjusted: Adjusted, null: Null) -> ResultsInfo:
    """Return the record of how a table was made."""
    fit, options, filtering = request.fit, request.options, adjusted.filtering
    kind, notes = fit.kinds[request.kind], notes_of(fit)
    hidden = (
        fit.record(test.contrasts, request.data.samples, request.query.design.variables)
        if isinstance(fit, HiddenFit)
        else None
    )
    return ResultsInfo(
        label=test.label,
        method=fit.method,
        test=kind.joint_label or kind.label if len(test.rows) > 1 else kind.label,
        coefficients=tuple(request.query.design.names),
        contrasts=test.contrasts,
        formula=_formula(request.query.design.formula, hidden),
        reduced=f"without {listing(test.rows, 3)}" if kind.null == "" else kind.null,
        alpha=options.adjuster.alpha,
        lfc_threshold=options.lfc_threshold,
        alt_hypothesis=options.alt_hypothesis,
        independent_filtering=filtering is not None,
        filter_threshold=filtering.threshold if filtering else 0.0,
        filter_theta=filtering.theta if filtering else None,
        filter_num_rej=(filtering.thetas, filtering.n_rejected) if filtering else None,
        cooks_cutoff=request.withheld.cooks_cutoff,
        outliers=options.outliers,
        p_adjust=adjusted.method,
        filter_statistic=adjusted.statistic,
        filter_fun=adjusted.function,
        null_scale=null.scale.value if null.scale else None,
        null_genes=null.scale.n_genes if null.scale else None,
        null_divisor=null.divisor if options.null == "scaled" else None,
        hidden=hidden,
        hidden_df=df_for_factors(fit, request.kind),
        shrinkage=fit.shrinkage,
        shrunken_test=fit.shrinkage is not None,
        compat=notes.compat,
        estimate=notes.estimate,
        filtered_before=kind.is_filtered or None,
        analysis=analysis_of(fit, request.data),
    )


def _formula(formula: str | None, hidden: HiddenRecord | None) -> str | None:
    """Return the formula with the hidden factors."""
    return formula if formula is None or hidden is None else " + ".join([formula, *hidden.columns])


def padj_reasons(
    withheld: Withheld, outlier: BoolArray, p_value: FloatArray, padj: FloatArray, never_counted: BoolArray
) -> pd.Categorical:
    """Return the reason for each adjusted p-value, present or missing."""
    words = np.full(len(padj), "tested", dtype=object)
    words[np.isnan(padj)] = "low_count"
    words[np.isnan(p_value)] = "not_estimated"
    if withheld.filtered is not None:
        words[withheld.filtered & np.isnan(p_value)] = "low_count"
    words[withheld.at_bound] = "at_bound"
    words[outlier] = "outlier"
    words[never_counted & ~np.isfinite(p_value)] = "all_zero"
    usual, rare = ["tested", "all_zero", "outlier", "low_count"], ["not_estimated", "at_bound"]
    return pd.Categorical(words, categories=[*usual, *(word for word in rare if (words == word).any())])


def _distinct(labels: Sequence[str]) -> list[str]:
    """Return labels of which none occurs twice: 'a', 'a (2)'."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found


def _with_stages(parts: Mapping[str, Results], joint: Results, alpha: float) -> dict[str, Results]:
    """Return the results of the rows with the columns of stage-wise testing."""
    p_values = np.column_stack([part.table["pvalue"] for part in parts.values()])
    screen = joint.table["padj"]
    adjusted = adjust_stagewise(screen.to_numpy(dtype=np.float64), p_values, alpha)
    return {
        label: Results(part.table.assign(padj_screen=screen, padj_stagewise=adjusted[:, i]), part.info)
        for i, (label, part) in enumerate(parts.items())
    }
