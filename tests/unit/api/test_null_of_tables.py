"""The scale of the null of tables: where there is one, what summaries and printed tables say of it."""

import pandas as pd
import pytest

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.containers.summary import summarize
from countnest.stats.hidden.factors import FEWEST_DF
from countnest.stats.hidden.scale import null_scale
from unit.api.simulated import study
from unit.methods.ols import fit_ols


@pytest.fixture(scope="module")
def dds():
    made = cn.DESeqDataSet(*study(n_genes=700), design="~ batch + group").deseq(quiet=True, fit_type="mean")
    return made.add_fit("ols", fit_ols(made.counts().to_numpy(dtype=float), made.design))


@pytest.fixture(scope="module")
def reduced():
    made = cn.DESeqDataSet(*study(n_genes=700), design="~ batch + group")
    return made.deseq(quiet=True, fit_type="mean", test="LRT", reduced="~ batch")


def check(results):
    table = results.table
    found = null_scale(table["pvalue"].to_numpy(), table["baseMean"].to_numpy())
    assert found.n_genes > 200
    assert (results.info.null_scale, results.info.null_genes) == (found.value, found.n_genes)


def test_every_test_of_zero_has_one(dds, reduced):
    query = dds.effect("group")
    for part in (
        dds.results(),
        dds.results(alt_hypothesis="greaterAbs2014"),
        query.test("lrt")[0],
        query.test("t", joint=True),
        query.test(stagewise=True)[1],
        query[0].test(fit="ols"),
        reduced.results(),
        reduced.results(name="Intercept"),  # the test is that of the whole fit
        cn.lfc_shrink(dds, coef="group_b_vs_a"),
    ):
        check(part)


def test_withheld_p_values_are_not_used():
    made = cn.DESeqDataSet(*study(n_genes=700), design="~ group").deseq(quiet=True, fit_type="mean")
    strict = made.results(cooks_cutoff=0.5)
    assert strict.table["pvalue"].isna().sum() > 20
    check(strict)


def test_there_is_none_where_p_values_are_not_uniform(dds):
    for part in (
        dds.results(lfc_threshold=0.5),
        dds.results(alt_hypothesis="less"),
        dds.results(alt_hypothesis="greater"),
        dds.results(name="Intercept"),
        dds.means("group").test()[0],
        dds.means("group").test("lrt", joint=True),
    ):
        assert (part.info.null_scale, part.info.null_genes) == (None, None)
        assert "scale of the null" not in f"{part}{summarize(part.table, part.info)}"


def test_there_is_none_of_few_genes(dds):
    few = dds[:220].deseq(quiet=True, fit_type="mean").results()
    assert few.info.null_scale is None
    assert "scale of the null" not in f"{few}{summarize(few.table, few.info)}"


def test_summary_and_table_read_it():
    table = pd.DataFrame({"baseMean": [1.0], "log2FoldChange": [0.0], "pvalue": [1.0], "padj": [1.0]})

    def said(scale, hidden_df=8):
        info = ResultsInfo(label="x", null_scale=scale, null_genes=1234, hidden_df=hidden_df)
        summary = summarize(table, info)
        assert summary.null_scale == scale
        return str(summary), repr(Results(table, info))

    for scale, reading in ((0.85, "cautious"), (0.9, "fine"), (1.1, "fine"), (1.15, "weak hidden factor")):
        summary, printed = said(scale)
        line = next(line for line in summary.splitlines() if line.startswith("scale of the null"))
        assert line.startswith(f"scale of the null: {scale:.2f} (1234 genes; 1 in theory): ")
        assert reading in line
        assert f"\nscale of the null: {scale:.2f}\n" in f"\n{printed}"
    summary, printed = said(1.46)
    assert "a hidden factor, or very many real effects;\np-values alone cannot tell which: look at plot_pca" in summary
    assert "hidden_factors='auto' takes hidden factors out, null='scaled' widens the null" in summary
    assert "scale of the null: 1.46, a hidden factor or very many real effects: see summary()\n" in printed
    for hidden_df, factors in (
        (7, "8 residual degrees of freedom, 7 are too few;"),
        (None, "look at plot_pca(vst(dds));"),
    ):
        summary, _ = said(1.46, hidden_df)
        assert f"{factors}\nnull='scaled' widens the null" in summary
        assert "hidden_factors=" not in summary


def test_hidden_factors_are_advised_only_where_they_can_be_taken_out(dds, reduced):
    """The record has the degrees of freedom for them; other methods, and tests of the whole fit, have none."""
    df = len(dds.samples) - len(dds.results_names())
    assert df >= FEWEST_DF
    query = dds.effect("group")
    assert dds.results().info.hidden_df == query.test("averaged", joint=True).info.hidden_df == df
    out = query[0].test(hidden_factors=1)
    assert (out.info.hidden.n_factors, out.info.hidden_df) == (1, None)
    assert query[0].test(fit="ols").info.hidden_df is None
    assert reduced.results().info.hidden_df is None


def test_s_values_have_no_null(dds):
    shrunken = cn.lfc_shrink(dds, coef="group_b_vs_a", svalue=True)
    assert summarize(shrunken.table, shrunken.info).null_scale is None
    assert "scale of the null" not in repr(shrunken)
