"""A second method beside DESeq2: the same queries, the same tables, the same guard; saved and loaded."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm

import countnest as cn
from countnest.errors import ContrastError, FileError, MissingStepError, OptionError, StratumError
from countnest.methods import fit as fits
from countnest.methods.deseq2.fit import StoredDESeq2Fit
from unit.api.simulated import study
from unit.methods.ols import fit_ols


@pytest.fixture(scope="module")
def dds():
    made = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)
    return made.add_fit("ols", fit_ols(made.counts().to_numpy(dtype=float), made.design))


def test_its_answers_are_those_of_least_squares(dds):
    table = dds.effect("group", levels=("c", "b")).test(fit="ols").table
    contrast = dds.effect("group", levels=("c", "b")).matrix[0]
    for gene in table.index[10:15]:
        values = np.log2(dds.counts().loc[gene].to_numpy() + 1.0)
        expected = sm.OLS(values, dds.design.matrix).fit().t_test(contrast)
        row = table.loc[gene]
        np.testing.assert_allclose(
            [row["log2FoldChange"], row["lfcSE"], row["stat"], row["pvalue"], row["df"]],
            [expected.effect[0], expected.sd.item(), expected.tvalue.item(), expected.pvalue.item(), expected.df_denom],
        )


def test_its_tables_have_the_columns_of_all_tables(dds):
    query = dds.effect("group")
    for ask in ({}, {"joint": True}, {"stagewise": True}, {"confint": 0.95}):
        own, other = query.test(fit="ols", **ask), query.test("t", **ask)
        assert type(own) is type(other)
        for one, two in zip(*(each.values() if len(each) == 2 else [each] for each in (own, other)), strict=True):
            assert list(one.table.columns) == list(two.table.columns)
            assert one.descriptions().keys() == two.descriptions().keys()
    found = query[0].test(fit="ols")
    assert (found.info.method, found.info.test) == ("OLS", "t")
    assert "t test p-value" in found.descriptions()["pvalue"]
    assert set(found.table["padj_reason"]) <= {"tested", "all_zero", "low_count"}


def test_intervals_and_filtering_are_those_of_the_path(dds):
    found = dds.effect("group")[0].test(fit="ols", confint=0.9, independent_filtering=False, p_adjust="bonferroni")
    table = found.table
    half = table["ciUpper"] - table["log2FoldChange"]
    np.testing.assert_allclose(half, table["lfcSE"] * scipy.stats.t.ppf(0.95, table["df"]))
    tested = table["padj"].notna()
    np.testing.assert_allclose(table["padj"][tested], np.minimum(1.0, table["pvalue"][tested] * tested.sum()))


def test_the_rule_for_genes_without_counts_is_the_same():
    counts, sheet = study()
    counts = counts.copy()
    counts.iloc[20, (sheet["group"] != "a").to_numpy()] = 0
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True)
    dds.add_fit("ols", fit_ols(dds.counts().to_numpy(dtype=float), dds.design))
    for options in ({}, {"fit": "ols"}):
        row = dds.effect("group", levels=("c", "b")).test(**options).table.iloc[20]
        assert (row["log2FoldChange"], row["stat"], row["pvalue"]) == (0.0, 0.0, 1.0)


def test_it_offers_its_own_kinds_of_test(dds):
    query = dds.effect("group")[0]
    t, f = (query.test(kind, fit="ols").table for kind in ("t", "F"))
    np.testing.assert_allclose(t["stat"] ** 2, f["stat"])
    np.testing.assert_allclose(t["pvalue"], f["pvalue"], rtol=1e-6)
    with pytest.raises(OptionError, match=r"kind='lrt'.* 't', 'F'"):
        query.test("lrt", fit="ols")
    with pytest.raises(ContrastError, match="threshold"):
        query.test(fit="ols", lfc_threshold=1.0)
    with pytest.raises(OptionError, match=r"fit='olsen' is not known; use one of 'deseq2', 'ols'.*Did you mean 'ols'"):
        query.test(fit="olsen")


def test_the_guard_against_comparing_blocks_asks_the_fit():
    sheet = pd.DataFrame(
        {"treat": list("aaaabbbb"), "ind": list("11221122"), "drug": list("nynynyny")},
        index=[f"s{i}" for i in range(8)],
    )
    counts = pd.DataFrame(
        np.random.default_rng(1).poisson(50, (30, 8)), columns=sheet.index, index=[f"g{i}" for i in range(30)]
    )
    dds = cn.DESeqDataSet(counts, sheet, design="~ treat + treat:ind + treat:drug", quiet=True)
    query = dds.effect("treat", levels=("b", "a"))
    values = counts.to_numpy(dtype=float)
    dds.add_fit("fixed", fit_ols(values, dds.design)).add_fit("random", fit_ols(values, dds.design, ("ind",)))
    with pytest.raises(StratumError):
        query.test(fit="fixed")
    assert len(query.test(fit="random").table) == 30


def test_several_fits_of_deseq2_stand_side_by_side():
    made = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)
    wald = made.results(name="group_b_vs_a").table
    made.keep_fit("wald").deseq(test="LRT", reduced="~ batch", quiet=True)
    assert made.fits == {"deseq2": "DESeq2", "wald": "DESeq2"}
    pd.testing.assert_frame_equal(made.contrast("group_b_vs_a").test(fit="wald").table, wald)
    pd.testing.assert_frame_equal(made.results(name="group_b_vs_a", fit="wald").table, wald)
    ratio = made.results(name="group_b_vs_a")
    assert (ratio.info.test, ratio.info.reduced) == ("LRT", "~ batch")
    with pytest.raises(OptionError, match="of the whole fit, whatever the query"):
        made.contrast("group_b_vs_a").test("reduced")
    with pytest.raises(OptionError, match="kind='reduced'"):
        made.contrast("group_b_vs_a").test("reduced", fit="wald")
    with pytest.raises(OptionError, match=r"kind='LRT'.*Did you mean 'lrt'"):
        made.contrast("group_b_vs_a").test("LRT")


def test_fits_are_saved_and_loaded(dds, tmp_path):
    cn.save(dds.keep_fit("kept"), tmp_path / "a.countnest")
    again = cn.load(tmp_path / "a.countnest")
    assert again.fits == dds.fits == {"deseq2": "DESeq2", "ols": "OLS", "kept": "DESeq2"}
    for fit in dds.fits:
        for one, two in zip(*(each.effect("group").test(fit=fit).values() for each in (dds, again)), strict=True):
            pd.testing.assert_frame_equal(one.table, two.table)


def test_fits_that_a_file_cannot_hold_or_that_are_of_other_counts(dds, tmp_path, monkeypatch):
    path, other = tmp_path / "a.countnest", dds.copy()
    small = fit_ols(np.ones((5, 12)), dds.design)
    with pytest.raises(OptionError, match=r"'small' does not belong .* its coefficients have the shape \(5, 4\)"):
        dds.copy().add_fit("small", small)
    other._fits = {"ols": small}
    cn.save(other, path)
    with pytest.raises(FileError, match=r"'ols'.*its coefficients have the shape \(5, 4\)"):
        cn.load(path)
    cn.save(dds, path)
    monkeypatch.setattr(fits, "STORED", [])
    with pytest.raises(FileError, match="StoredOls"):
        cn.load(path)
    with pytest.raises(FileError, match="StoredOls"):
        cn.save(dds, path)


def test_kept_fits_are_checked_as_the_last_analysis_is(dds, tmp_path):
    state = dds._fitted()
    wrong = {
        "size factors": replace(state, factors=state.factors * 0.0),
        "other counts": replace(state, moments=replace(state.moments, mean=state.moments.mean * 100.0)),
        "degrees of freedom": replace(state, fit=replace(state.fit, df=-3.0)),
    }
    for words, changed in wrong.items():
        with pytest.raises(OptionError, match=words):
            dds.copy().add_fit("mine", StoredDESeq2Fit(changed))
        other = dds.copy()
        other._fits = {"mine": StoredDESeq2Fit(changed)}
        cn.save(other, tmp_path / "a.countnest")
        with pytest.raises(FileError, match=words):
            cn.load(tmp_path / "a.countnest")


def test_fits_go_with_what_they_were_made_of(dds):
    for change in (
        lambda it: setattr(it, "design", "~ group"),
        lambda it: setattr(it, "size_factors", np.ones(len(it.samples))),
        lambda it: it.estimate_size_factors(control_genes=range(20, 60)),
    ):
        other = dds.copy()
        change(other)
        assert other.fits == {}
        with pytest.raises(MissingStepError):
            other.effect("group").test(fit="ols")
    assert dds.copy().remove_fit("ols").fits.keys() == dds.fits.keys() - {"ols"}
    assert "ols" in dds.fits


def test_what_is_no_fit_or_no_name():
    made = cn.DESeqDataSet(*study(), design="~ batch + group")
    with pytest.raises(OptionError, match="dataclass with the methods bind"):
        made.add_fit("mine", object())
    for name in ("deseq2", "", 3):
        with pytest.raises(OptionError, match="cannot name a fit"):
            made.add_fit(name, None)
    with pytest.raises(OptionError, match="dataclass with the methods bind"):
        made.add_fit("mine", StoredDESeq2Fit)
    with pytest.raises(MissingStepError):
        made.keep_fit("mine")
    with pytest.raises(OptionError, match="is not known"):
        made.remove_fit("mine")


def test_results_are_of_any_fit(dds):
    found = dds.results(fit="ols")
    asked = dds.contrast(dds.design.names[-1]).test(fit="ols")
    assert found.info.method == asked.info.method
    np.testing.assert_array_equal(found.table["pvalue"], asked.table["pvalue"])
    with pytest.raises(OptionError, match="add_mle=True is for DESeq2's fits"):
        dds.results(fit="ols", add_mle=True)


def test_dropped_fits_are_reported(dds, capfd):
    other = dds.copy()
    other.size_factors = np.ones(len(other.samples))
    assert "the fits that were kept are dropped: ols" in capfd.readouterr().err


def test_joint_tests_of_genes_that_lost_all_counts_have_no_change():
    counts, sheet = study()
    counts = counts.copy()
    counts.iloc[20] = 0
    counts.iloc[20, 5] = 900
    made = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, min_replicates_for_replace=3)
    assert made._fitted().replacement.emptied[20]
    for kind in ("wald", "lrt"):
        row = made.effect("group").test(kind, joint=True).table.iloc[20]
        assert (row.filter(like="log2FoldChange") == 0.0).all()
        assert (row["stat"], row["pvalue"]) == (0.0, 1.0)
