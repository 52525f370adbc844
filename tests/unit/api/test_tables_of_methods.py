"""One object, one table: queries of every kind, answered by the fits of every method."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import MissingStepError, OptionError

# What all tables of one comparison have, in this order.
SHARED = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "padj_reason", "separated"]
# What some methods have besides.
OWN = {"deseq2": [], "edger": ["logCPM", "df"], "edger_lrt": ["logCPM"], "limma": ["AveExpr", "df"]}


@pytest.fixture(scope="module")
def dds():
    study = cn.simulate.groups(genes=300, sizes=(4, 4, 4), levels=("A", "B", "C"), fraction=0.3, rng=7)
    counts = study.counts.copy()
    counts.iloc[:3] = 0
    sheet = study.samples.assign(sex=list("fmfm") * 3)
    dds = cn.DESeqDataSet(counts, sheet, design="~ sex * group", reference={"group": "A"}, quiet=True)
    dds = cn.limma(cn.edger(cn.DESeq(dds, quiet=True), quiet=True), quiet=True)
    return cn.edger(dds, test="lrt", compat="bioc3.16", name="edger_lrt", quiet=True)


def queries(dds):
    return {
        "effect": dds.effect("group", levels=("B", "A")),
        "interaction": dds.interaction(sex=("m", "f"), group=("B", "A")),
        "query": dds.query("group[B - A]"),
        "contrast": dds.contrast("group_B_vs_A"),
        "cell": dds.cell(group="A", sex="f"),
        "mean": dds.means("group")[0],
    }


def words(table):
    return table.descriptions()["log2FoldChange"]


def test_every_query_has_the_same_columns_by_every_method(dds):
    assert set(dds.fits) == set(OWN)
    for fit, own in OWN.items():
        for kind, query in queries(dds).items():
            table = query.test(fit=fit)
            assert [name for name in table if name not in own] == SHARED, (fit, kind)
            assert set(own) <= set(table), (fit, kind)
            assert set(table.padj_reason) >= {"all_zero", "tested"}, (fit, kind)
            assert set(map(str, table)) == set(table.descriptions()), (fit, kind)


def test_every_table_says_the_method_the_release_and_the_kind_of_fold_change(dds):
    prior = "shrunken by a prior count of 0.125"
    expected = {
        "deseq2": ("DESeq2", "Wald", None, "MLE"),
        "edger": ("edgeR", "QL F", "the newest release, with exact numbers", prior),
        "edger_lrt": ("edgeR", "LRT", "bioc3.16", prior),
        "limma": ("limma-voom", "moderated t", "the newest release", "least squares of log counts"),
    }
    for fit, (method, test, compat, kind) in expected.items():
        for query in queries(dds).values():
            table = query.test(fit=fit)
            assert (table.info.method, table.info.test, table.info.compat) == (method, test, compat)
            assert words(table) == f"log2 fold change ({kind}): {query.labels[0]}"
            assert compat is None or f"method: {method}, as in {compat}" in str(table)


def test_joint_and_stagewise_tests_are_of_every_method(dds):
    rows = dds.effect("group")
    for fit, own in OWN.items():
        joint = rows.joint().test(fit=fit)
        changes = [f"log2FoldChange.{label}" for label in rows.labels]
        assert [name for name in joint if name not in own] == [
            "baseMean", *changes, "stat", "pvalue", "padj", "padj_reason", "separated"
        ]  # fmt: skip
        stages = rows.test(fit=fit, stagewise=True)
        for label, part in stages.items():
            assert [name for name in part if name not in own] == [*SHARED, "padj_screen", "padj_stagewise"]
            np.testing.assert_array_equal(part.log2FoldChange, joint[f"log2FoldChange.{label}"])
        assert next(iter(stages.table)) == "contrast"


def test_thresholds_and_intervals_are_of_every_method(dds):
    query = dds.effect("group", levels=("B", "A"))
    for fit in OWN:
        plain = query.test(fit=fit, confint=0.95)
        inside = (plain.ciLower < plain.log2FoldChange) & (plain.log2FoldChange < plain.ciUpper)
        assert inside[plain.pvalue.notna()].all(), fit
        beyond = query.test(fit=fit, lfc_threshold=0.5)
        both = plain.pvalue.notna() & beyond.pvalue.notna()
        assert (beyond.pvalue[both] >= plain.pvalue[both] - 1e-12).mean() > 0.95, fit
        assert "log2 fold change threshold: 0.5" in str(beyond)


def test_results_in_rs_forms_are_of_every_method(dds):
    query = dds.contrast("group_B_vs_A")
    for fit in OWN:
        asked = query.test(fit=fit).table
        for found in (
            cn.results(dds, contrast=("group", "B", "A"), fit=fit),
            dds.results(name="group_B_vs_A", fit=fit),
        ):
            pd.testing.assert_frame_equal(found.table, asked)
    by_ratio = dds.results(name="group_B_vs_A", test="LRT", fit="edger_lrt")
    assert by_ratio.info.test == "LRT"
    with pytest.raises(OptionError, match="a fit by limma-voom offers the tests 't'"):
        dds.results(test="Wald", fit="limma")
    with pytest.raises(OptionError, match="add_mle=True is for DESeq2's fits"):
        dds.results(add_mle=True, fit="edger")


def test_tables_are_written_drawn_and_summarized_whatever_the_method(dds, tmp_path, capsys):
    for fit in OWN:
        table = dds.effect("group", levels=("B", "A")).test(fit=fit)
        table.to_csv(tmp_path / f"{fit}.csv")
        assert list(pd.read_csv(tmp_path / f"{fit}.csv", index_col=0)) == list(table)
        assert isinstance(cn.plot_ma(table), Figure)
        table.summary()
        assert "adjusted p-value < 0.1" in capsys.readouterr().out
        assert table.top(3).shape[0] == 3


def test_no_table_speaks_of_infinite_fold_changes_that_it_does_not_have(dds):
    query = dds.effect("group", levels=("B", "A"))
    said = {fit: query.test(fit=fit).descriptions()["separated"] for fit in OWN}
    assert "the fold change is infinite and its Wald p-value is unreliable" in said["deseq2"]
    assert "the maximum likelihood fold change is infinite, and the p-value is valid" in said["edger"]
    assert "a constant is added to all counts" in said["limma"]


def test_tables_of_tests_against_a_threshold_say_which_test_it_is(dds):
    group = dds.effect("group", levels=("B", "A"))
    for fit, kind, statistic, test in (
        ("edger", "ql", "signed root of the QL F", "QL F test of |log2 fold change| > 1 (glmTreat)"),
        ("edger", "ql_worst", "signed root of the QL F, worst case", "QL F, worst case test of |log2 fold change| > 1"),
        ("edger_lrt", "lrt", "signed root of the LRT", "LRT of |log2 fold change| > 1 (glmTreat)"),
        ("limma", "t", "moderated t", "moderated t test of |log2 fold change| > 1 (TREAT)"),
    ):
        table = group.test(kind, fit=fit, lfc_threshold=1.0)
        said = table.descriptions()
        assert said["stat"].startswith(f"{statistic} statistic"), fit
        assert said["pvalue"].startswith(test), fit
        within = table.table["log2FoldChange"].abs() < 0.9
        assert within.any()
        assert not np.signbit(table.table["stat"][within & (table.table["stat"] == 0)]).any()
    less = group.test(fit="edger", lfc_threshold=1.0, alt_hypothesis="less").descriptions()["pvalue"]
    assert less == "QL F test of log2 fold change < -1 p-value: group[B - A]"
    assert group.test(fit="edger").descriptions()["pvalue"] == "QL F test p-value: group[B - A]"
    assert "'~ sex * group' with and without 'group[B - A]'" in group.test(fit="edger_lrt").descriptions()["pvalue"]
    wald = group.test("wald", fit="deseq2", lfc_threshold=1.0).descriptions()
    assert (wald["stat"], wald["pvalue"]) == ("Wald statistic: group[B - A]", "Wald test p-value: group[B - A]")


def test_summaries_of_fits_without_a_filter_have_no_line_of_low_counts():
    study = cn.simulate.groups(genes=300, base=(0.3, 500.0), rng=2)
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", reference=study.reference, quiet=True)
    for filtered in (True, False):
        dds = cn.limma(cn.edger(dds, filter=filtered, quiet=True), filter=filtered, quiet=True)
        for fit in ("edger", "limma"):
            lines = str(dds.effect("group").test(fit=fit).summary(file=io.StringIO()))
            assert ("low counts" in lines, "left out" in lines, "[1]" in lines) == (filtered,) * 3, (fit, lines)


def test_a_data_set_says_which_fits_it_has_and_points_to_them():
    study = cn.simulate.groups(genes=120, rng=2)
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", reference=study.reference, quiet=True)
    assert "not fitted" in repr(dds)
    dds = cn.limma(cn.edger(dds, quiet=True), quiet=True)
    assert "fitted by edgeR and limma-voom" in repr(dds)
    assert "fits: edger (edgeR), limma (limma-voom)" in repr(dds)
    sets = {"some": list(dds.gene_names[:20])}
    for call in (
        lambda: dds.effect("group").test(),
        lambda: cn.results(dds),
        lambda: cn.camera(dds.effect("group"), sets),
    ):
        with pytest.raises(MissingStepError, match=r"fit='edger' or 'limma'.*cn\.gene_estimates"):
            call()
    for call in (lambda: dds.genes, lambda: dds.counts(normalized=True)):
        with pytest.raises(MissingStepError, match=r"size factors yet.*other methods leave none.*cn\.gene_estimates"):
            call()


def test_estimates_by_gene_are_those_of_the_fit(dds):
    own = cn.gene_estimates(dds, fit="edger")
    names = list(dds.design.names)
    assert list(own) == ["baseMean", "logCPM", "dispersion", "quasiDispersion", "dfResidual", "dfPrior", *names]
    table = dds.contrast("group_B_vs_A").test(fit="edger").table
    np.testing.assert_allclose(own["group_B_vs_A"], table["log2FoldChange"], rtol=1e-12)
    np.testing.assert_allclose(np.minimum(own["dfResidual"] + own["dfPrior"], own["dfResidual"].sum()), table["df"])
    limma = cn.gene_estimates(dds, fit="limma")
    assert list(limma) == ["baseMean", "AveExpr", "sigma", "moderatedVariance", "dfResidual", "dfPrior", *names]
    fit = cn.e_bayes(cn.lm_fit(cn.voom(dds[cn.filter_by_expr(dds)])))
    here = limma.loc[fit.genes]
    for column, expected in {
        "group_C_vs_A": fit.coefficients["group_C_vs_A"], "sigma": fit.sigma, "moderatedVariance": fit.s2_post,
        "dfPrior": fit.df_prior, "AveExpr": fit.ave_expr,
    }.items():  # fmt: skip
        np.testing.assert_allclose(here[column], expected, rtol=1e-10, err_msg=column)
    assert limma["sigma"].isna().sum() == len(limma) - len(here)
    with pytest.raises(OptionError, match="several fits: give one of 'edger', 'limma', 'edger_lrt' as fit="):
        cn.gene_estimates(dds)
    empty = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group", quiet=True)
    with pytest.raises(MissingStepError, match=r"call cn\.edger\(dds\).*dds\.genes"):
        cn.gene_estimates(empty)
