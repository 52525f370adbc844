"""Genes ranked by a table of results, for tools for gene sets."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    counts = counts.assign(gene_name=[None if i == 9 else f"S{i % 140}" for i in range(150)])
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True, fit_type="mean")


@pytest.fixture(scope="module")
def res(dds):
    return dds.results(("group", "b", "a"))


def test_all_genes_with_a_p_value_are_ranked_from_up_to_down(res):
    for by in (None, "stat", "log2FoldChange"):
        ranked = res.ranked(by)
        tested = res.table["pvalue"].notna()
        assert 100 < len(ranked) == tested.sum() < len(res)
        assert ranked.name == (by or "stat")
        assert ranked.is_monotonic_decreasing
        expected = res.table.loc[tested, by or "stat"].sort_index()
        pd.testing.assert_series_equal(ranked.sort_index(), expected, check_index_type=False)


def test_p_values_get_the_sign_of_the_change_and_zeros_stay_finite(res):
    table = res.table.assign(pvalue=np.where(res.table.index == "g5", 0.0, res.table["pvalue"]))
    ranked = cn.Results(table, res.info).ranked("pvalue")
    expected = -np.log10(res.table["pvalue"]) * np.sign(res.table["log2FoldChange"])
    others = ranked.index.drop("g5")
    np.testing.assert_allclose(ranked[others], expected[others], rtol=1e-14)
    assert abs(ranked["g5"]) == pytest.approx(-np.log10(5e-324))


def test_statistics_without_a_sign_get_the_one_of_the_change(dds):
    found = dds.effect("group").test("lrt")[0]
    ranked = found.ranked()
    np.testing.assert_allclose(ranked**2, found.table.loc[ranked.index, "stat"], rtol=1e-12)
    assert (np.sign(ranked) == np.sign(found.table.loc[ranked.index, "log2FoldChange"])).all()


def test_shrunken_tables_are_ranked_by_the_fold_change(dds):
    shrunken = cn.lfc_shrink(dds, coef="group_b_vs_a", type="apeglm", quiet=True)
    assert shrunken.ranked().name == "log2FoldChange"
    with pytest.raises(OptionError, match="by='stat': the table has no such column"):
        shrunken.ranked("stat")
    only_s = cn.lfc_shrink(dds, coef="group_b_vs_a", type="apeglm", svalue=True, quiet=True)
    assert "pvalue" not in only_s.table
    assert (
        only_s.ranked().index.to_list()
        == only_s["log2FoldChange"].dropna().sort_values(ascending=False, kind="stable").index.to_list()
    )


def test_of_genes_with_one_symbol_the_one_with_most_counts_stays(res):
    ranked = res.ranked(ids="gene_name")
    assert ranked.index.is_unique
    assert "" not in ranked.index
    pair = res.table.loc[["g6", "g146"]]
    assert pair["gene_name"].to_list() == ["S6", "S6"]
    assert ranked["S6"] == pair["stat"][pair["baseMean"].idxmax()]
    assert res.table["stat"]["g9"] not in ranked.to_numpy()


def test_a_row_for_each_comparison(dds, res):
    row = res.to_decoupler()
    assert row.index.to_list() == ["group b vs a"]
    pd.testing.assert_series_equal(row.iloc[0], res.table["stat"][res.table["pvalue"].notna()], check_names=False)
    several = dds.effect("group").test()
    matrix = several.to_decoupler()
    assert matrix.index.to_list() == list(several)
    assert matrix.notna().all(axis=None)
    for label, part in several.items():
        pd.testing.assert_series_equal(
            matrix.loc[label], part.table.loc[matrix.columns, "stat"], check_names=False, check_index_type=False
        )


def test_genes_without_a_value_are_dropped_or_zero(dds):
    several = dds.effect("group").test()
    table = several[0].table.copy()
    table.loc["g5", "pvalue"] = np.nan
    parts = cn.ResultsSet({"x": cn.Results(table, several[0].info), "y": several[1]})
    assert "g5" not in parts.to_decoupler()
    zero = parts.to_decoupler(missing="zero")
    assert zero.loc["x", "g5"] == 0.0
    assert zero.loc["y", "g5"] == several[1]["stat"]["g5"]
    assert [name for name in zero if name in parts.to_decoupler()] == list(parts.to_decoupler())
    with pytest.raises(OptionError, match="missing='no' is not known"):
        parts.to_decoupler(missing="no")


def test_what_is_refused(dds, res):
    for call, words in (
        (lambda: dds.effect("group").joint().test().ranked(), "has no direction"),
        (lambda: res.ranked(ids="gene_nam"), "ids='gene_nam' is no column of the table. Did you mean 'gene_name'"),
        (lambda: res.ranked("padj"), "by='padj' is not known"),
        (lambda: res.ranked(ids=3), "ids=3 is no column"),
        (lambda: cn.Results(res.table.assign(pvalue=np.nan), res.info).ranked(), "no gene of this table has a value"),
    ):
        with pytest.raises(OptionError, match=words):
            call()
