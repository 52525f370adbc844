"""Confidence intervals and degrees of freedom in the tables, by the quantiles of the test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import countnest as cn
from countnest.errors import OptionError
from unit.api.simulated import study

ENDS = ["ciLower", "ciUpper"]


@pytest.fixture(scope="module")
def made():
    counts, sheet = study()

    def make(**options):
        return cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True, fit_type="mean", **options)

    return {
        "normal": make(),
        "t": make(use_t=True),
        "prior": make(beta_prior=True),
        "lrt": make(test="LRT", reduced="~ batch"),
    }


def check(table, quantile):
    change, reach = table["log2FoldChange"], quantile * table["lfcSE"]
    np.testing.assert_allclose(table["ciLower"], change - reach, rtol=1e-12)
    np.testing.assert_allclose(table["ciUpper"], change + reach, rtol=1e-12)
    assert table["ciLower"].isna().sum() == table["pvalue" if "pvalue" in table else "svalue"].isna().sum() == 2


def test_intervals_have_the_quantiles_of_the_test(made):
    df = 12 - 4
    cases = [
        (made["normal"].results(confint=0.95), stats.norm.ppf(0.975)),
        (made["normal"].results(confint=0.5, lfc_threshold=1, alt_hypothesis="greater"), stats.norm.ppf(0.75)),
        (made["t"].results(("group", "b", "a"), confint=0.95), stats.t.ppf(0.975, df)),
        (made["prior"].results(confint=0.9), stats.norm.ppf(0.95)),
        (made["lrt"].results(confint=0.95), stats.norm.ppf(0.975)),
        (made["normal"].effect("batch").test("t", confint=0.95), stats.t.ppf(0.975, df)),
        (made["normal"].effect("batch").test(confint=0.95), stats.norm.ppf(0.975)),
        (made["t"].effect("batch").test("lrt", confint=0.95), stats.norm.ppf(0.975)),
        *((part, stats.norm.ppf(0.975)) for part in made["normal"].effect("group").test(confint=0.95).parts.values()),
    ]
    for results, quantile in cases:
        check(results.table, quantile)
    results = made["normal"].results(confint=0.95)
    assert list(results.table)[2:6] == ["lfcSE", *ENDS, "stat"]
    assert results.info.confint == 0.95
    assert results.descriptions()["ciLower"] == "lower end of the 95 % confidence interval: group c vs a"
    pd.testing.assert_frame_equal(results.table.drop(columns=ENDS), made["normal"].results().table)


def test_intervals_of_shrunken_changes(made):
    dds, quantile = made["normal"], stats.norm.ppf(0.975)
    plain, t = dds.results(("group", "b", "a")), made["t"].results(("group", "b", "a"), confint=0.95)
    for kind in ("apeglm", "ashr", "normal"):
        found = cn.lfc_shrink(dds, contrast=("group", "b", "a"), type=kind, res=plain, confint=0.95, quiet=True)
        check(found.table, quantile)
        assert "95 % posterior interval (normal approximation)" in found.descriptions()["ciUpper"]
        without = cn.lfc_shrink(dds, contrast=("group", "b", "a"), type=kind, res=plain, quiet=True)
        pd.testing.assert_frame_equal(found.table.drop(columns=ENDS), without.table)
        # those of the estimates that are shrunken give way to those of the shrunken ones, at their level
        check(cn.lfc_shrink(made["t"], contrast=("group", "b", "a"), type=kind, res=t, quiet=True).table, quantile)
    check(cn.lfc_shrink(dds, svalue=True, confint=0.95, quiet=True).table, quantile)


def test_what_is_no_level_is_refused(made):
    for ask in (
        lambda level: made["normal"].results(confint=level),
        lambda level: made["normal"].effect("batch").test(confint=level),
        lambda level: cn.lfc_shrink(made["normal"], confint=level, quiet=True),
    ):
        for level in (0, 1, 95, "0.95", True, np.nan):
            with pytest.raises(OptionError, match="confint"):
                ask(level)
    with pytest.raises(OptionError, match=r"confint=0\.95 is for single rows"):
        made["normal"].effect("group").test(joint=True, confint=0.95)


def test_stage_wise_rows_have_intervals(made):
    for part in made["normal"].effect("group").test(stagewise=True, confint=0.95).parts.values():
        assert {*ENDS, "padj_stagewise"} <= set(part.table)


def test_degrees_of_freedom_stand_where_t_is_used(made):
    genes = made["t"].genes
    fitted = genes["dispersion"].notna()
    assert (genes["tDegreesFreedom"][fitted] == 8).all()
    assert genes["tDegreesFreedom"].isna().sum() == 2
    assert "tDegreesFreedom" not in made["normal"].genes
    with_df = [
        made["t"].results(), made["t"].effect("batch").test(), made["normal"].effect("batch").test("t"),
        made["t"].effect("group").test(joint=True), made["normal"].effect("group").test("t", joint=True),
    ]  # fmt: skip
    for results in with_df:
        table = results.table
        assert list(table).index("df") == list(table).index("stat") + 1
        assert (table["df"].dropna() == 8).all()
        assert table["df"].isna().equals(table["stat"].isna())
        assert "degrees of freedom" in results.descriptions()["df"]
    for results in (
        made["normal"].results(), made["lrt"].results(), made["t"].effect("batch").test("lrt"),
        made["t"].effect("group").test("lrt", joint=True),
    ):  # fmt: skip
        assert "df" not in results.table
    assert (cn.lfc_shrink(made["t"], quiet=True).table["df"].dropna() == 8).all()


def test_degrees_of_freedom_by_gene():
    counts, sheet = study(n_genes=60)
    weights = np.ones(counts.shape)
    weights[10, :3] = 0.5
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", weights=weights)
    dds.deseq(quiet=True, fit_type="mean", use_t=True)
    assert dds.genes["tDegreesFreedom"].iloc[[9, 10]].tolist() == [9.0, 7.5]
    table = dds.results(confint=0.95).table
    reach = stats.t.ppf(0.975, [9.0, 7.5]) * table["lfcSE"].iloc[9:11]
    np.testing.assert_allclose(table["ciUpper"].iloc[9:11] - table["log2FoldChange"].iloc[9:11], reach)
