"""Answers to queries in words: against DESeq2's tables, between spellings of one model, and between tests.

Against DESeq2 a number of each gene is held to 1e-8 relative, or to 1e-7 where rounding moves the trend; the listed
genes whose dispersion is decided by rounding have limits of their own (`quantities` tells these genes apart).

Between spellings of one model the ridge penalty of the fit sets the limit: 1e-6 on the log2 scale, as in DESeq2, on the
coefficients, so on something else in each spelling. Half of the genes agree within 1e-6 of a standard error, 95 %
within 1e-5 and nearly all within 1e-4; a gene that the penalty makes stop an iteration earlier may be 1e-3 of one away.
The same holds for likelihood ratio tests against other spellings of the null model. Without the penalty all genes agree
within 1e-6, so that nothing else differs.
"""

import warnings
from contextlib import ExitStack, contextmanager
from functools import cache
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from comparison import (
    OTHER_OPTIMISER,
    ROUNDING,
    SAME_ALGORITHM,
    SAME_ARITHMETIC,
    SAME_OPTIMUM,
    SE_FRACTION,
    Tolerance,
    compare,
)
from quantities import ordinary_tolerance, padj_limits, rounding_limits
from runs import Run
from test_queries import BETWEEN48, NESTED48, QUERIES94, WITHIN48

from countnest.api.query import bind
from countnest.errors import CountnestWarning
from countnest.stats.glm import fit, irls, variance
from countnest.stats.glm.inputs import LN2

R = "reference"
PARENTS = ["father", "mother"]
BOTH = "father=yes, mother=yes"
SPELLINGS = {
    "study48": (NESTED48, "~ family + treat1*treat2", "~ treat1/family + treat1:treat2"),
    "study94": (
        "~ father*mother + father:mother:ind + father:mother:treat2 + father:mother:treat3 "
        "+ father:mother:treat2:treat3",
        "~ family + father*mother*treat2*treat3",
    ),
}
CASES = [(name, formula) for name, formulas in SPELLINGS.items() for formula in formulas]


# ---- how each table of the reference is asked for ----


def in_group(group):
    return lambda dds: dds.effect("treat2", by="treat1")[group]


def in_parents(father, mother):
    return lambda dds: dds.interaction(treat2=R, treat3=R, at={"father": father, "mother": mother})


LAST = {"study48": in_group("D"), "study94": in_parents("yes", "yes")}
ASKED = {
    "study48": {
        **{f"results_treat1{group}_treat2E": (in_group(group), {}) for group in "ABCD"},
        "contrast_last_minus_previous": (lambda dds: dds.query("treat2[E - None] : treat1[D - C]"), {}),
    },
    "study94": {
        **{
            f"results_father{f}_mother{m}_treat2E_treat3H": (in_parents(f, m), {})
            for f in ("no", "yes")
            for m in ("no", "yes")
        },
        "contrast_last_minus_previous": (
            lambda dds: dds.interaction(treat2=R, treat3=R, father=R, at={"mother": "yes"}),
            {},
        ),
    },
}
for study, asked in ASKED.items():
    asked["results_alpha01"] = (LAST[study], {"alpha": 0.01})
    asked["results_plain"] = (LAST[study], {"independent_filtering": False, "cooks_cutoff": False})
    for side in ("greater", "greaterAbs", "greaterAbs2014", "less", "lessAbs"):
        asked[f"results_lfc1_{side}"] = (LAST[study], {"lfc_threshold": 1.0, "alt_hypothesis": side})
TABLES = [(name, table) for name, tables in ASKED.items() for table in tables]


def by_place(dds):
    """Return the differences of the eight effects of treat2 from the first: do parents or treat3 change it?"""
    effects = dds.effect("treat2", by=[*PARENTS, "treat3"])
    return effects[1:] - effects[0]


# The question of the likelihood ratio test of the reference, its reduced formula, and others for the same model.
RATIO = {
    "study48": (
        lambda dds: dds.interaction(treat2=R, treat1=R),
        ("~ treat1 + treat1:ind + treat2", "~ family + treat2"),
    ),
    "study94": (
        by_place,
        (
            "~ father*mother + father:mother:ind + treat2 + father:mother:treat3",
            "~ family + treat2 + father*mother*treat3",
        ),
    ),
}
QUESTIONS = {
    "study48": {
        "effect in each group": lambda dds: dds.effect("treat2", by="treat1"),
        "pairwise interaction": lambda dds: dds.interaction(treat2=R, treat1="pairwise"),
        "average effect": lambda dds: dds.effect("treat2"),
        "deviation from the mean": lambda dds: dds.interaction(treat2=R, treat1="deviation"),
    },
    "study94": {
        "effect in each cell": lambda dds: dds.effect("treat2", by=[*PARENTS, "treat3"]),
        "father x treat2": lambda dds: dds.interaction(father=R, treat2=R),
        "mother x treat2": lambda dds: dds.interaction(mother=R, treat2=R),
        "father x mother x treat2": lambda dds: dds.interaction(father=R, mother=R, treat2=R),
        "father x treat2 x treat3": lambda dds: dds.interaction(father=R, treat2=R, treat3=R),
        "average effect": lambda dds: dds.effect("treat2"),
    },
}
RECODED = [(name, formula, asked) for name, formulas in SPELLINGS.items() for formula in formulas[1:]
           for asked in QUESTIONS[name]]  # fmt: skip


# ---- comparisons ----


def column(name, ours, theirs, *, target=SAME_ALGORITHM, tolerance=ROUNDING, limits=None):
    """Compare a column of two tables."""
    floor = SE_FRACTION if name == "stat" else 0.0
    if name == "log2FoldChange":
        floor = SE_FRACTION * theirs["lfcSE"]
    scale = "logarithmic" if name in ("pvalue", "padj") else "relative"
    return compare(name, ours[name], theirs[name], tolerance, target=target, floor=floor, scale=scale, limits=limits)


def require_but_for_rounding(run, table, name, ours):
    """Hold a column to DESeq2's, but for genes that rounding decides, which have limits of their own."""
    truth = run.truth.name
    limits = padj_limits(truth, table) if name == "padj" else rounding_limits(truth)
    tolerance, _ = ordinary_tolerance(truth)
    found = column(name, ours, run.truth.tables[table], tolerance=tolerance, limits=limits.dropna())
    assert found.passed, found.message()


def share_within(found):
    """Return the fraction of the genes within the target."""
    return 1.0 - len(found.beyond) / found.compared


def require(found, share=0.995):
    """Hold a fraction of the genes to the target, every gene to the tolerance; the missing values must be the same."""
    assert found.passed, found.message()
    assert share_within(found) >= share, found.message(beyond=True)


def distance(first, second):
    """Return the largest difference of the log fold changes of each gene, in standard errors."""
    return np.max([
        np.abs(a.table["log2FoldChange"] - b.table["log2FoldChange"]) / a.table["lfcSE"]
        for a, b in zip(parts(first), parts(second), strict=True)
    ], axis=0)  # fmt: skip


def parts(results):
    """Return the results of the rows."""
    return list(results.parts.values()) if hasattr(results, "parts") else [results]


def every_question(name, dds):
    """Return the name of each worked-out question of a study, and the question; joint ones have the rows of others."""
    for label, ask, *_ in [*WITHIN48, *BETWEEN48] if name == "study48" else QUERIES94:
        query = bind(ask(dds.design), dds)
        if not query.is_joint:
            yield label, query


def distance_from_deseq2(query, coefficients):
    """Return the largest relative difference of the fold changes of each gene from the sums of DESeq2's coefficients.

    Genes that the rule on cells without counts sets to zero are left out.
    """
    tables = [part.table for part in parts(query.test(allow_fixed_blocks=True))]
    ours, se = (np.column_stack([table[each] for table in tables]) for each in ("log2FoldChange", "lfcSE"))
    theirs = coefficients.to_numpy() @ query.matrix.T
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    off = np.abs(ours - theirs) / np.maximum(np.abs(theirs), SE_FRACTION * se)
    assert (np.isfinite(off) & (ours != 0)).mean() > 0.9
    return np.where(np.isnan(theirs) | (ours == 0), 0.0, off).max(axis=1)


@contextmanager
def without_ridge():
    """Make the ridge penalty so small that it does not show."""
    with ExitStack() as patches:
        for module in (fit, irls, variance):
            patches.enter_context(patch.object(module, "RIDGE_LOG2", 1e-12 * LN2**2))
        yield


@pytest.fixture(scope="module")
def fitted(run_of):
    """Return a function from a data set and a formula to the fit."""
    return cache(lambda name, formula: run_of(name).fitted(formula))


# ---- DESeq2's tables ----


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_answers_are_those_of_deseq2(fitted, run_of, name, table):
    query, options = ASKED[name][table]
    ours = query(fitted(name, SPELLINGS[name][0])).test(**options).table
    theirs = run_of(name).truth.tables[table]
    require(column("baseMean", ours, theirs, target=SAME_ARITHMETIC, tolerance=SAME_ARITHMETIC))
    for each in ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj"):
        require_but_for_rounding(run_of(name), table, each, ours)
    level = options.get("alpha", 0.1)
    np.testing.assert_array_equal(ours["padj"] < level, theirs["padj"] < level)


def test_rows_of_one_query_are_the_tables_of_its_rows(fitted):
    dds = fitted("study48", NESTED48)
    whole = dds.effect("treat2", by="treat1").test()
    for group, part in zip("ABCD", whole.parts.values(), strict=True):
        alone = in_group(group)(dds).test().table
        pd.testing.assert_frame_equal(part.table, alone, check_exact=False, rtol=1e-12)
        named = dds.results(name=f"treat1{group}.treat2E").table
        pd.testing.assert_frame_equal(part.table[named.columns], named, check_exact=False, rtol=1e-12)


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_query_has_the_fold_changes_of_deseq2(fitted, run_of, name):
    """DESeq2's fold change of a numeric contrast is the weighted sum of its coefficients."""
    dds = fitted(name, SPELLINGS[name][0])
    truth = run_of(name).truth
    coefficients = truth.genes[truth.coefficients]
    limits = rounding_limits(name).reindex(truth.genes.index).fillna(ordinary_tolerance(name)[0].value)
    for label, query in every_question(name, dds):
        outside = distance_from_deseq2(query, coefficients) > limits
        assert not outside.any(), f"{label}: {list(limits.index[outside])}"


# ---- likelihood ratio tests ----


@pytest.mark.parametrize("name", SPELLINGS)
def test_ratio_test_of_a_formula_is_that_of_deseq2(run_of, name):
    run = run_of(name)
    dds = run.fitted(SPELLINGS[name][0], test="LRT", reduced=RATIO[name][1][0])
    ours, theirs = dds.results().table, run.truth.tables["results_lrt"]
    for each in ("stat", "pvalue", "padj"):
        require_but_for_rounding(run, "results_lrt", each, ours)
    np.testing.assert_array_equal(ours["padj"] < 0.1, theirs["padj"] < 0.1)


@pytest.mark.parametrize("name", SPELLINGS)
def test_ratio_test_of_a_query_is_that_of_deseq2(fitted, run_of, name):
    """The null model has another basis than DESeq2's, so its ridge penalty acts on other coefficients."""
    ours = RATIO[name][0](fitted(name, SPELLINGS[name][0])).joint().test(kind="lrt").table
    theirs = run_of(name).truth.tables["results_lrt"]
    for each in ("stat", "pvalue", "padj"):
        require(column(each, ours, theirs, target=SAME_OPTIMUM))
    np.testing.assert_array_equal(ours["padj"] < 0.1, theirs["padj"] < 0.1)


@pytest.mark.parametrize(("name", "formula"), CASES)
def test_null_space_and_reduced_formula_are_one_test(fitted, name, formula):
    """Within 1e-6 for 98 % of the genes: the ridge penalty acts on other coefficients in each spelling of the null."""
    dds = fitted(name, formula)
    asked = RATIO[name][0](dds).joint().test(kind="lrt").table
    for reduced in RATIO[name][1]:
        other = ratio_table(dds, reduced)
        for each in ("stat", "pvalue"):
            require(column(each, asked, other, target=SAME_OPTIMUM, tolerance=Tolerance("other basis", 2e-4)), 0.98)
        assert np.median(np.abs(asked["stat"] - other["stat"])) < 1e-8


def ratio_table(dds, reduced):
    """Return the likelihood ratio test against a formula, with the dispersions of `dds`, which is not changed."""
    state = dds._state
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            return dds.nbinom_lrt(reduced, quiet=True).results().table
    finally:
        dds._state = state


# ---- spellings of one model ----


@pytest.mark.parametrize(("name", "formula", "asked"), RECODED)
def test_spellings_of_a_model_give_one_answer(fitted, name, formula, asked):
    first, second = (fitted(name, each) for each in (SPELLINGS[name][0], formula))
    one, other = (QUESTIONS[name][asked](dds).test() for dds in (first, second))
    off = distance(one, other)
    iterations = [dds.genes["betaIter"] for dds in (first, second)]
    assert (iterations[0] == iterations[1]).mean() > 0.995
    assert np.median(off) < 1e-6
    assert np.quantile(off, 0.95) < 1e-5
    assert np.quantile(off, 0.998) < 1e-4
    assert off.max() < ROUNDING.value
    for a, b in zip(parts(one), parts(other), strict=True):
        found = column("lfcSE", b.table, a.table, target=Tolerance("other spelling", 1e-5), tolerance=OTHER_OPTIMISER)
        require(found, 0.98)
        np.testing.assert_array_equal(a.table["padj"] < 0.1, b.table["padj"] < 0.1)
        np.testing.assert_array_equal(a.table["separated"], b.table["separated"])


@pytest.mark.parametrize(("name", "formula"), [case for case in CASES if case[1] != SPELLINGS[case[0]][0]])
@pytest.mark.parametrize("kind", ["wald", "lrt"])
def test_spellings_of_a_model_give_one_joint_test(fitted, name, formula, kind):
    one, other = (RATIO[name][0](fitted(name, each)).joint().test(kind).table for each in (SPELLINGS[name][0], formula))
    for each in ("stat", "pvalue"):
        require(column(each, other, one, target=Tolerance("other spelling", 1e-5)), 0.98)
    np.testing.assert_array_equal(one["padj"] < 0.1, other["padj"] < 0.1)


@pytest.mark.parametrize("name", SPELLINGS)
def test_only_the_ridge_penalty_tells_spellings_apart(name):
    with without_ridge():
        run = Run(name)  # a run of its own: without the penalty, rounding decides in other orders of samples
        fits = [run.fitted(formula) for formula in SPELLINGS[name]]
        for asked, query in QUESTIONS[name].items():
            answers = [query(dds).test() for dds in fits]
            for other in answers[1:]:
                assert distance(answers[0], other).max() < 1e-6, asked
        ratios = [RATIO[name][0](dds).joint().test(kind="lrt").table for dds in fits]
        for ratio, dds in zip(ratios, fits, strict=True):
            for reduced in RATIO[name][1]:
                found = column("stat", ratio, ratio_table(dds, reduced), target=SAME_OPTIMUM, tolerance=SAME_OPTIMUM)
                require(found, 1.0)
