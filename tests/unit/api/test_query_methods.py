"""Queries of a data set: kinds of test, joint and stage-wise tests, cells without counts, blocks, options."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.containers.result_set import ResultsSet
from countnest.errors import ContrastError, CountnestWarning, MissingStepError, OptionError, StratumError
from countnest.queries import effects
from countnest.stats.inference.stagewise import stagewise
from unit.api import simulated

R = "reference"
NESTED = "~ treat1 + treat1:ind + treat1:treat2"
SPELLINGS = (NESTED, "~ family + treat1*treat2", "~ treat1/family + treat1:treat2")
NEVER, TREATED, TWO_GROUPS, ONE_GROUP = "g00000", "g00001", "g00002", "g00003"
MADE = [NEVER, TREATED, TWO_GROUPS, ONE_GROUP]
B_A = "treat2[E - None] : treat1[B - A]"


def study():
    """24 families in groups A-D; the first genes have no count: at all; in E of A and B; in A and B; in A."""
    made = cn.simulate.nested(genes=200, rng=3, base=(50.0, 5000.0))
    counts, samples = made.counts.copy(), made.samples
    groups, treated = samples["treat1"], samples["treat2"] == "E"
    counts.iloc[1:4] += 5
    for gene, none in (
        (0, groups.notna()),
        (1, groups.isin(["A", "B"]) & treated),
        (2, groups.isin(["A", "B"])),
        (3, groups == "A"),
    ):
        counts.iloc[gene, none.to_numpy()] = 0
    return counts, samples


def dataset(formula=NESTED):
    return cn.DESeqDataSet(*study(), design=formula, reference={"treat2": "None"})


@pytest.fixture(scope="module")
def dds():
    """Not changed by the tests."""
    return dataset().deseq(quiet=True)


@pytest.fixture(scope="module")
def spelled(dds):
    return {NESTED: dds, **{formula: dataset(formula).deseq(quiet=True) for formula in SPELLINGS[1:]}}


@pytest.fixture(scope="module")
def pair(dds):
    """E - None in B against A."""
    return dds.interaction(treat2=R, treat1=("B", "A"))


@pytest.fixture(scope="module")
def changes(dds):
    """B - A, C - A and D - A of the response to E."""
    return dds.interaction(treat2=R, treat1=R)


def ordinary(table):
    """Return the genes that have counts in all cells."""
    return table.drop(index=MADE)


def covariance(dds, gene):
    """Return the covariance of the coefficients of a gene, log2, from the definition."""
    X, mu = dds.design.matrix, np.maximum(dds.mu().loc[gene].to_numpy(), 0.5)
    information = (X.T * (mu / (1.0 + dds.dispersions[gene] * mu))) @ X
    inverse = np.linalg.inv(information + 1e-6 * np.eye(X.shape[1]))
    return inverse @ information @ inverse / np.log(2.0) ** 2


# ---- kinds ----


def test_wald(dds, pair):
    found = pair.test()
    beta, table = dds.coef().to_numpy(), ordinary(found.table)
    np.testing.assert_allclose(found.table["log2FoldChange"].iloc[4:], (beta @ pair.matrix[0])[4:], rtol=1e-10)
    for gene in table.index[:5]:
        variance = pair.matrix[0] @ covariance(dds, gene) @ pair.matrix[0]
        assert table.loc[gene, "lfcSE"] == pytest.approx(np.sqrt(variance), rel=1e-6)
    np.testing.assert_allclose(table["stat"], table["log2FoldChange"] / table["lfcSE"], rtol=1e-12)
    np.testing.assert_allclose(table["pvalue"], 2 * scipy.stats.norm.sf(np.abs(table["stat"])), rtol=1e-10)
    assert (found.info.test, found.info.label, found.info.alpha) == ("Wald", B_A, 0.1)
    assert list(found.table.columns) == [
        "baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "padj_reason", "separated",
    ]  # fmt: skip


def test_t_has_heavier_tails(dds, pair):
    normal, t = pair.test().table, pair.test("t").table
    np.testing.assert_array_equal(normal["stat"], t["stat"])
    df = len(dds.samples) - 28
    expected = 2 * scipy.stats.t.sf(np.abs(ordinary(t)["stat"]), df)
    np.testing.assert_allclose(ordinary(t)["pvalue"], expected, rtol=1e-10)
    assert (ordinary(t)["pvalue"] > ordinary(normal)["pvalue"]).all()


def test_fit_with_t_answers_with_t(pair):
    fitted = dataset().deseq(use_t=True, quiet=True)
    query = fitted.interaction(treat2=R, treat1=("B", "A"))
    np.testing.assert_array_equal(query.test().table["pvalue"], query.test("t").table["pvalue"])
    np.testing.assert_allclose(query.test().table["pvalue"], pair.test("t").table["pvalue"], rtol=1e-12)


def test_ratio_test_of_one_row_is_near_the_wald_test(pair):
    wald, ratio = ordinary(pair.test().table), ordinary(pair.test(kind="lrt").table)
    np.testing.assert_array_equal(wald["log2FoldChange"], ratio["log2FoldChange"])
    np.testing.assert_array_equal(wald["lfcSE"], ratio["lfcSE"])
    np.testing.assert_allclose(ratio["stat"], wald["stat"] ** 2, rtol=0.1, atol=0.1)
    np.testing.assert_allclose(ratio["pvalue"], scipy.stats.chi2.sf(ratio["stat"], 1), rtol=1e-10)
    info = pair.test(kind="lrt").info
    assert (info.test, info.reduced) == ("LRT", f"without '{B_A}'")


def test_ratio_test_is_that_of_the_reduced_formula(dds, changes):
    reduced = dataset().deseq(test="LRT", reduced="~ treat1 + treat1:ind + treat2", quiet=True).results().table
    found = changes.joint().test(kind="lrt").table
    np.testing.assert_allclose(found["stat"], reduced["stat"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["pvalue"], reduced["pvalue"], rtol=1e-5)
    assert dds.results().info.test == "Wald"


def test_wald_tests_after_a_ratio_fit(pair):
    fitted = dataset().deseq(test="LRT", reduced="~ treat1 + treat1:ind + treat2", quiet=True)
    found = fitted.interaction(treat2=R, treat1=("B", "A")).test()
    assert found.info.test == "Wald"
    np.testing.assert_allclose(found.table["pvalue"], pair.test().table["pvalue"], rtol=1e-9)


# ---- several rows ----


def test_joint_test(dds, changes):
    found = changes.joint().test()
    assert list(found.table.columns) == [
        "baseMean", *(f"log2FoldChange.{label}" for label in changes.labels),
        "stat", "pvalue", "padj", "padj_reason", "separated",
    ]  # fmt: skip
    beta, C = dds.coef(), changes.matrix
    for gene in found.table.index[4:9]:
        change = C @ beta.loc[gene].to_numpy()
        statistic = change @ np.linalg.solve(C @ covariance(dds, gene) @ C.T, change)
        row = found.table.loc[gene]
        np.testing.assert_allclose(row.filter(like="log2FoldChange.").to_numpy(dtype=float), change, rtol=1e-9)
        assert row["stat"] == pytest.approx(statistic, rel=1e-6)
        assert row["pvalue"] == pytest.approx(scipy.stats.chi2.sf(statistic, 3), rel=1e-4)
    assert found.info.label.endswith("jointly, 3 df")


def test_joint_by_argument_and_by_method(changes):
    pd.testing.assert_frame_equal(changes.test(joint=True).table, changes.joint().test().table)


@pytest.mark.parametrize("kind", ["wald", "t", "lrt"])
def test_dependent_rows_add_nothing_to_a_joint_test(dds, changes, kind):
    pairwise = dds.interaction(treat2=R, treat1="pairwise")
    one, other = (ordinary(query.joint().test(kind).table) for query in (changes, pairwise))
    np.testing.assert_allclose(one["stat"], other["stat"], rtol=1e-7, atol=1e-8)
    assert len(other.filter(like="log2FoldChange.").columns) == 6


def test_joint_t_is_an_f_test(dds, changes):
    chi_square, f = (ordinary(changes.joint().test(kind).table) for kind in ("wald", "t"))
    np.testing.assert_allclose(f["stat"], chi_square["stat"] / 3, rtol=1e-10)
    np.testing.assert_allclose(f["pvalue"], scipy.stats.f.sf(f["stat"], 3, len(dds.samples) - 28), rtol=1e-10)


def test_joint_of_one_row_is_the_test_of_the_row(pair):
    pd.testing.assert_frame_equal(pair.joint().test().table, pair.test().table)
    assert pair.test(joint=True, lfc_threshold=0.5).info.lfc_threshold == 0.5


def test_long_and_wide_tables(changes):
    found = changes.test()
    assert isinstance(found, ResultsSet)
    assert list(found) == list(changes.labels)
    long, wide = found.table, found.wide()
    assert long.columns[0] == "contrast"
    assert len(long) == 3 * len(wide) == 600
    assert list(long["contrast"].cat.categories) == list(changes.labels)
    for label in changes.labels:
        part = found[label].table
        pd.testing.assert_frame_equal(long[long["contrast"] == label].drop(columns="contrast"), part)
        pd.testing.assert_series_equal(wide[f"padj: {label}"], part["padj"], check_names=False)
        assert found[label].info.label == label
    assert list(wide.columns).count("baseMean") == 1


def test_every_column_is_described(changes):
    answers = (
        changes.test(stagewise=True, confint=0.9),
        changes.test(kind="t"),
        ResultsSet({"all": changes.joint().test()}),
    )
    for part in (part for answer in answers for part in answer.parts.values()):
        assert list(part.descriptions()) == list(part.table)


def test_rows_are_the_same_alone_and_together(changes):
    whole = changes.test()
    for label in changes.labels:
        pd.testing.assert_frame_equal(whole[label].table, changes[label].test().table, rtol=1e-12)


def test_stagewise(changes):
    found, joint = changes.test(stagewise=True), changes.joint().test()
    p_values = np.column_stack([found[i].table["pvalue"] for i in range(3)])
    expected = stagewise(joint.table["padj"].to_numpy(), p_values, 0.1)
    for i in range(3):
        table = found[i].table
        assert list(table.columns[-2:]) == ["padj_screen", "padj_stagewise"]
        np.testing.assert_array_equal(table["padj_screen"], joint.table["padj"])
        np.testing.assert_array_equal(table["padj_stagewise"], expected[:, i])
    failed = ~(joint.table["padj"].to_numpy() <= 0.1)
    assert failed.any()
    assert np.isnan(expected[failed]).all()
    assert (expected < 0.1).any()
    plain = changes.test()
    pd.testing.assert_frame_equal(found[0].table[plain[0].table.columns], plain[0].table)


def test_stagewise_tables_count_what_stagewise_testing_found(changes, capsys):
    found, plain = changes.test(stagewise=True), changes.test()
    counts = [int((part.table["padj_stagewise"] < 0.1).sum()) for part in found.parts.values()]
    assert counts != [int((part.table["padj"] < 0.1).sum()) for part in plain.parts.values()]
    assert [f"{n} gene{'s' * (n != 1)} with padj_stagewise < 0.1" in repr(found) for n in counts] == [True] * 3
    assert "padj_stagewise" in found._repr_html_()
    part = found[0]
    assert "padj_stagewise says which genes changed" in repr(part)
    summary = part.summary()
    assert "stage-wise adjusted p-value (padj_stagewise) < 0.1" in capsys.readouterr().out
    assert (summary.significant, summary.by) == (counts[0], "padj_stagewise")
    assert summary.low_counts == plain[0].summary().low_counts
    assert len(part.significant()) == counts[0]
    assert set(part.top(counts[0]).index) == set(part.significant().index)
    assert "screened at alpha=0.1" in str(part.summary(0.05))
    assert set(plain[0].significant().columns).isdisjoint({"padj_screen", "padj_stagewise"})


# ---- cells without counts ----


@pytest.mark.parametrize("formula", SPELLINGS)
def test_no_count_in_any_cell_means_no_change(spelled, formula):
    table = spelled[formula].interaction(treat2=R, treat1=("B", "A")).test().table
    assert table.loc[NEVER, ["log2FoldChange", "lfcSE", "stat", "pvalue", "padj"]].isna().all()
    assert list(table.loc[TWO_GROUPS, ["log2FoldChange", "stat", "pvalue"]]) == [0.0, 0.0, 1.0]
    assert list(table.loc[MADE, "separated"]) == [False, True, False, True]
    assert not ordinary(table)["separated"].any()


@pytest.mark.parametrize("formula", SPELLINGS)
def test_each_row_has_its_own_cells(spelled, formula):
    found = spelled[formula].effect("treat2", by="treat1").test()
    separated = pd.DataFrame({group: found[i].table["separated"] for i, group in enumerate("ABCD")})
    none = pd.DataFrame({group: found[i].table["pvalue"] == 1.0 for i, group in enumerate("ABCD")})
    for frame, expected in ((separated, {TREATED: "AB"}), (none, {TWO_GROUPS: "AB", ONE_GROUP: "A"})):
        for gene in MADE:
            assert "".join(frame.columns[frame.loc[gene]]) == expected.get(gene, ""), gene
    for i in range(2):
        assert found[i].table.loc[TREATED, "log2FoldChange"] < -8


@pytest.mark.parametrize("formula", SPELLINGS)
@pytest.mark.parametrize("kind", ["wald", "lrt"])
def test_joint_tests_of_cells_without_counts(spelled, formula, kind):
    """Gene without a count in A and B: the effects in both say nothing, and the four together say what C and D do."""
    dds = spelled[formula]
    both = dds.effect("treat2", by="treat1")[["A", "B"]].joint().test(kind).table
    assert list(both.loc[TWO_GROUPS, ["stat", "pvalue"]]) == [0.0, 1.0]
    assert list(both.loc[MADE, "separated"]) == [False, True, False, False]
    assert np.isnan(both.loc[NEVER, "pvalue"])
    four = dds.effect("treat2", by="treat1").joint().test(kind).table
    assert 0 < four.loc[TWO_GROUPS, "pvalue"] < 1e-20
    change = four.loc[TWO_GROUPS].filter(like="log2FoldChange.").to_numpy(dtype=float)
    assert list(change[:2]) == [0.0, 0.0]
    assert (np.abs(change[2:]) > 0.1).all()
    assert not four.loc[TWO_GROUPS, "separated"]
    single = dds.interaction(treat2=R, treat1=("B", "A")).test(kind).table
    assert list(single.loc[TWO_GROUPS, ["log2FoldChange", "stat", "pvalue"]]) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("formula", SPELLINGS)
def test_averages_are_infinite_where_a_part_is(spelled, formula):
    table = spelled[formula].effect("treat2").test().table
    assert table.loc[TREATED, "separated"]
    assert not table.loc[NEVER, "separated"]


def test_infinite_estimates_are_the_same_in_every_coding(spelled):
    for kind in ("wald", "lrt"):
        tables = [dds.interaction(treat2=R, treat1=R).joint().test(kind).table for dds in spelled.values()]
        for table in tables[1:]:
            np.testing.assert_array_equal(table["separated"], tables[0]["separated"])
            np.testing.assert_allclose(table.loc[MADE, "pvalue"], tables[0].loc[MADE, "pvalue"], rtol=1e-3)


# ---- blocks ----


@pytest.mark.parametrize("formula", SPELLINGS)
@pytest.mark.parametrize(
    "ask",
    [
        lambda d: d.effect("treat1", levels=("B", "A")),
        lambda d: d.effect("treat1", levels=("B", "A"), at={"treat2": "E"}),
        lambda d: d.query("treat1[B - A]"),
        lambda d: d.cell(treat1="B") - d.cell(treat1="A"),
        lambda d: d.effect("treat1").joint(),
    ],
)
def test_comparing_blocks_is_refused(spelled, formula, ask):
    query = ask(spelled[formula])
    with pytest.raises(StratumError, match=r" compares? blocks, .*allow_fixed_blocks=True"):
        query.test()
    for kind in ("t", "lrt"):
        with pytest.raises(StratumError):
            query.test(kind)


def test_comparing_blocks_when_forced(spelled):
    first, *others = [
        dds.effect("treat1", levels=("B", "A")).test(allow_fixed_blocks=True).table for dds in spelled.values()
    ]
    for table in others:
        np.testing.assert_allclose(ordinary(table)["stat"], ordinary(first)["stat"], rtol=1e-3, atol=1e-3)


def test_the_way_of_r_only_warns(dds):
    with pytest.warns(CountnestWarning, match="compares blocks"):
        found = dds.results(name="treat1_B_vs_A")
    with pytest.raises(StratumError):
        dds.contrast("treat1_B_vs_A").test()
    forced = dds.contrast("treat1_B_vs_A").test(allow_fixed_blocks=True)
    np.testing.assert_array_equal(forced.table["pvalue"], found.table["pvalue"])


# ---- options ----


def test_thresholds_act_on_the_row(pair):
    for side in ("greaterAbs", "less", "greater", "lessAbs", "greaterAbs2014"):
        found = pair.test(lfc_threshold=0.5, alt_hypothesis=side)
        assert (found.info.lfc_threshold, found.info.alt_hypothesis) == (0.5, side)
    table = ordinary(pair.test(lfc_threshold=0.5, alt_hypothesis="greater").table)
    z = (table["log2FoldChange"] - 0.5) / table["lfcSE"]
    np.testing.assert_allclose(table["pvalue"], scipy.stats.norm.sf(z), rtol=1e-9)
    double = ordinary((pair * 2).test(lfc_threshold=1.0, alt_hypothesis="greater").table)
    np.testing.assert_allclose(double["pvalue"], table["pvalue"], rtol=1e-9)
    t = ordinary(pair.test("t", lfc_threshold=0.5, alt_hypothesis="greater").table)
    np.testing.assert_allclose(t["pvalue"], scipy.stats.t.sf(z, 20), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "lrt"}, r"threshold must be Wald, averaged or QL tests.*: use test\('wald', \.\.\.\)"),
        ({"joint": True}, r"above or below a threshold are of each row: leave out joint=True"),
        ({"stagewise": True}, "the screening test takes no threshold"),
    ],
)
@pytest.mark.parametrize("threshold", [{"lfc_threshold": 1.0}, {"alt_hypothesis": "greater"}])
def test_thresholds_are_for_single_wald_tests(changes, options, message, threshold):
    with pytest.raises(ContrastError, match=message):
        changes.test(**options, **threshold)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "score"}, "kind"),
        ({"alt_hypothesis": "lessAbs"}, "lfc_threshold"),
        ({"alpha": 1.5}, "alpha"),
        ({"lfc_threshold": -1.0}, "lfc_threshold"),
        ({"p_adjust": "fdr"}, "p_adjust"),
        ({"cooks_cutoff": -1.0}, "cooks_cutoff"),
        ({"stagewise": True, "joint": True}, "leave out joint"),
    ],
)
def test_bad_options(changes, options, message):
    with pytest.raises(OptionError, match=message):
        changes.test(**options)


def test_stagewise_needs_several_rows(pair):
    with pytest.raises(OptionError, match="several rows"):
        pair.test(stagewise=True)


def test_options_of_the_adjustment(pair):
    found = pair.test(alpha=0.01, independent_filtering=False, p_adjust="bonferroni", cooks_cutoff=False)
    p = found.table["pvalue"]
    np.testing.assert_allclose(found.table["padj"], np.minimum(p * p.notna().sum(), 1.0), rtol=1e-12)
    assert (found.info.alpha, found.info.independent_filtering, found.info.cooks_cutoff) == (0.01, False, None)


def test_outliers_are_withheld():
    groups = cn.DESeqDataSet(*simulated.study(), design="~ group").deseq(quiet=True).effect("group")
    p_values = [groups[0].test(cooks_cutoff=cutoff).table["pvalue"] for cutoff in (False, 1e-6)]
    assert [int(p.isna().sum()) for p in p_values] == [2, 150]
    joint = groups.joint().test(cooks_cutoff=1e-6).table
    assert (joint["padj_reason"] == "outlier").sum() == 148


def test_a_query_without_a_data_set(dds):
    asked = effects.effect(dds.design, "treat2")
    assert not hasattr(asked, "test")
    loose = BoundQuery(**{field.name: getattr(asked, field.name) for field in fields(asked)})
    with pytest.raises(OptionError, match="belongs to no data set"):
        loose.test()


def test_a_query_may_come_before_the_fit():
    unfitted = dataset()
    asked = unfitted.interaction(treat2=R, treat1=("B", "A"))
    assert "within blocks" in asked.explain()
    with pytest.raises(MissingStepError, match="deseq"):
        asked.test()
    unfitted.deseq(quiet=True)
    assert len(asked.test()) == 200


# ---- coefficients ----

NAMES = ("treat1B.treat2E", "treat1A.treat2E")


@pytest.mark.parametrize(
    "form",
    [
        "treat1B.treat2E - treat1A.treat2E",
        "treat1B:treat2E - treat1A:treat2E",
        "treat1[B]:treat2[T.E] - treat1[A]:treat2[T.E]",
        ([NAMES[0]], [NAMES[1]]),
        {NAMES[0]: 1.0, NAMES[1]: -1.0},
        pd.Series({NAMES[0]: 1.0, NAMES[1]: -1.0}),
        np.eye(28)[25] - np.eye(28)[24],
        list(np.eye(28)[25] - np.eye(28)[24]),
    ],
    ids=["names", "columns", "brackets", "lists", "dict", "series", "vector", "list"],
)
def test_forms_of_a_contrast(dds, pair, form):
    asked = dds.contrast(form)
    assert isinstance(asked, BoundQuery)
    np.testing.assert_allclose(asked.matrix, pair.matrix, rtol=0, atol=1e-12)
    found, expected = ordinary(asked.test().table), ordinary(pair.test().table)
    for column in ("log2FoldChange", "lfcSE", "stat", "pvalue"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-9)


def test_list_values_and_matrices(dds, changes):
    halves = dds.contrast((list(NAMES), ["treat1C.treat2E", "treat1D.treat2E"]), list_values=(0.5, -0.5))
    np.testing.assert_allclose(halves.matrix[0, 24:], [0.5, 0.5, -0.5, -0.5], rtol=0, atol=1e-12)
    matrix = dds.contrast(changes.matrix)
    assert matrix.is_joint
    found, expected = (ordinary(query.joint().test().table) for query in (matrix, changes))
    np.testing.assert_allclose(found["stat"], expected["stat"], rtol=1e-10)


@pytest.mark.parametrize(
    ("asked", "message"),
    [("treat1B.treat2F", "Did you mean"), (np.ones(27), "28"), (np.zeros(28), "zero"), ({}, "[a-z]")],
)
def test_bad_contrasts(dds, asked, message):
    with pytest.raises(ContrastError, match=message):
        dds.contrast(asked)


def test_one_line_cells_and_arithmetic_ask_the_same(dds, pair):
    effects = dds.effect("treat2", by="treat1")
    for asked in (
        dds.query(B_A),
        effects["B"] - effects["A"],
        effects.across("treat1", ("B", "A")),
        (dds.cell(treat1="B", treat2="E") - dds.cell(treat1="B", treat2="None"))
        - (dds.cell(treat1="A", treat2="E") - dds.cell(treat1="A", treat2="None")),
    ):
        assert isinstance(asked, BoundQuery)
        found, expected = asked.test().table, pair.test().table
        pd.testing.assert_frame_equal(found, expected, rtol=1e-10)
