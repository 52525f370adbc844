"""Levels of a data set: their order, what is said of it, and samples of one level."""

import logging

import numpy as np
import pandas as pd
import pytest
from simulated import study

import countnest as cn
from countnest.design.build import build_design
from countnest.errors import CountnestWarning, DesignError
from countnest.methods.deseq2.shrinkage import coefficient_for

MINUTES = ["0", "5", "15", "120"]


def in_time(**options):
    counts, sheet = study(levels=MINUTES)
    sheet = sheet.rename(columns={"group": "minute"})
    return cn.DESeqDataSet(counts, sheet, design="~ batch + minute", **options)


def test_the_order_is_reported_once_when_the_data_set_is_made(capsys):
    dds = in_time()
    assert capsys.readouterr().err.splitlines() == [
        "-- reference levels: batch x, minute 0",
        "-- order of minute: 0 < 5 < 15 < 120 (by their numbers)",
    ]
    dds.deseq()
    assert "minute" not in capsys.readouterr().err


def test_notes_come_with_the_data_set_and_a_quiet_fit_does_not_swallow_them(capsys):
    counts, sheet = study()
    groups = pd.Categorical(sheet["group"].replace("c", "c d"), categories=["b", "a", "c d", "e"])
    dds = cn.DESeqDataSet(counts, sheet.assign(group=groups), design="~ group")
    told = capsys.readouterr().err
    assert "-- reference levels: group b" in told
    assert "-- note: Levels of 'group' without samples were dropped: 'e'." in told
    assert "-- note: Characters other than letters" in told
    dds.deseq(quiet=True)
    assert capsys.readouterr().err == ""


def test_a_quiet_data_set_says_nothing(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="countnest"):
        in_time(quiet=True)
    assert capsys.readouterr().err == ""
    assert "-- reference levels: batch x, minute 0" in caplog.messages  # a log has it


def test_an_order_of_text_is_reported_where_another_may_be_meant(capsys):
    def told(groups, **options):
        counts, sheet = study(levels=groups)
        dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group", **options)
        return dds, capsys.readouterr().err

    for levels, order in (
        (["0", "15", "5min", "60"], "0, 15, 5min, 60"),
        (["T0", "T10_rep", "T5"], "T0, T10_rep, T5"),
        (["E14.5", "E9.5", "P0"], "E14.5, E9.5, P0"),
    ):
        dds, said = told(levels)
        assert f"-- order of group: {order} (as text); levels= gives another\n" in said
        assert f"order of group: {order} (as text)" in str(dds.design.report())
    for levels in (["high", "low", "mid"], ["a", "b", "c"], ["d1", "d2", "d3"], ["a1b", "a2"]):
        assert "order of" not in told(levels)[1]
    dds, _ = told(["high", "low", "mid"])
    dds.effect("group")
    assert capsys.readouterr().err == ""
    for ask in (lambda: dds.effect("group", levels="consecutive"), lambda: dds.query("group[consecutive]")):
        ask()
        assert "group[consecutive] uses the order high, low, mid (as text); levels=" in capsys.readouterr().err
    dds, _ = told(["high", "low", "mid"], levels={"group": ["low", "mid", "high"]})
    dds.effect("group", levels="consecutive")
    told(["high", "low", "mid"], quiet=True)[0].effect("group", levels="poly")
    assert capsys.readouterr().err == ""


def test_fold_changes_do_not_depend_on_how_the_order_is_given():
    asked = "minute[consecutive]"
    plain = in_time(quiet=True).deseq(quiet=True).query(asked)
    assert plain.labels == ("minute[5 - 0]", "minute[15 - 5]", "minute[120 - 15]")
    other = in_time(levels={"minute": [0, 5, 15, 120]}, reference={"minute": "15"}, quiet=True).deseq(quiet=True)
    found = other.query(asked)
    assert found.labels == plain.labels
    for label in plain.labels:
        np.testing.assert_allclose(
            found.test()[label].table["log2FoldChange"], plain.test()[label].table["log2FoldChange"], rtol=0, atol=1e-4
        )


def test_the_order_stays_in_files_and_with_reduced_models(tmp_path):
    dds = in_time(levels={"minute": ["0", "15", "5", "120"]}, reference={"minute": "5"}, quiet=True)
    dds.deseq(test="LRT", reduced="~ minute", quiet=True)
    cn.save(dds, tmp_path / "data")
    loaded = cn.load(tmp_path / "data")
    assert loaded.design.levels == dds.design.levels == {"batch": ("x", "y"), "minute": ("5", "0", "15", "120")}
    assert loaded.query("minute[consecutive]").labels[0] == "minute[15 - 0]"
    pd.testing.assert_frame_equal(loaded.results().table, dds.results().table)


def test_shrinkage_of_a_contrast_keeps_the_levels_of_the_design():
    sheet = pd.DataFrame({"batch": ["10", "2"] * 6, "group": np.repeat(["30", "10", "2"], 4)})
    options = {"levels": {"batch": ["10", "2"]}}  # not by number
    design = build_design("~ batch + group", sheet, reference={"group": "10"}, **options)
    assert design.names[2:] == ("group_2_vs_10", "group_30_vs_10")
    matrix, place = coefficient_for(design, np.array([0.0, 0.0, -1.0, 1.0]))
    wanted = build_design("~ batch + group", sheet, reference={"group": "2"}, **options)
    np.testing.assert_array_equal(matrix, wanted.matrix)
    assert wanted.names[place] == "group_30_vs_2"


def test_figures_have_levels_in_their_order():
    dds = in_time(reference={"minute": "15"}, quiet=True)
    assert list(dds.samples["minute"].cat.categories) == MINUTES
    for kind in ("points", "box"):
        (ax,) = cn.plot_counts(dds, dds.gene_names[0], "minute", kind=kind).axes
        assert [text.get_text() for text in ax.get_xticklabels()] == MINUTES
    pca = cn.plots.plot_pca(cn.vst(dds, nsub=100, quiet=True), dds.samples.astype(str), "minute", return_data=True)
    assert list(pca["group"].cat.categories) == MINUTES


def test_a_frozen_transformation_takes_new_samples_of_one_group():
    counts, sheet = study()
    old = cn.DESeqDataSet(counts, sheet, design="~ batch + group", quiet=True)
    like = cn.vst(old, nsub=100, quiet=True)
    for chosen in (sheet.index[sheet["group"] == "b"], sheet.index[:1]):
        new = sheet.loc[chosen].assign(dose=3.0)
        with pytest.warns(CountnestWarning, match="the factor 'group' has one level only.*vst"):
            dds = cn.DESeqDataSet(
                counts[chosen], new, design="~ batch + group + dose", size_factors=np.ones(len(new)), quiet=True
            )
        plain = cn.DESeqDataSet(counts[chosen], new, design="~ 1", size_factors=np.ones(len(new)), quiet=True)
        found, same = cn.vst(dds, like=like, quiet=True), cn.vst(plain, like=like, quiet=True)
        pd.testing.assert_frame_equal(found.table, same.table)
        for fit in (
            lambda dds: dds.deseq(quiet=True),
            lambda dds: dds.estimate_dispersions(quiet=True),
            lambda dds: cn.vst(dds, blind=False, nsub=100, quiet=True),
        ):
            with pytest.raises(DesignError, match=r"the factor 'group' has one level only.*'dose' is 3 in all samples"):
                fit(dds)
        dds.dispersions = np.full(len(counts), 0.1)
        with pytest.raises(DesignError, match="one level only"):
            dds.nbinom_wald_test(quiet=True)


def test_truth_values_and_signs_are_tested():
    counts, sheet = study(levels=("CD4+", "CD4-"))
    sheet["flag"] = sheet["batch"] == "y"
    dds = cn.DESeqDataSet(counts, sheet, design="~ flag + group", reference={"group": "CD4-"}, quiet=True)
    dds.deseq(quiet=True)
    assert dds.results_names() == ["Intercept", "flag_TRUE_vs_FALSE", "group_CD4plus_vs_CD4minus"]
    named = dds.results(name="flag_TRUE_vs_FALSE").table
    for pair in (("True", "False"), (True, False), ("TRUE", "FALSE")):
        asked = dds.results(contrast=("flag", *pair)).table
        np.testing.assert_array_equal(asked["log2FoldChange"].iloc[4:], named["log2FoldChange"].iloc[4:])
    predicted = cn.predict(dds, pd.DataFrame({"flag": ["True"], "group": ["CD4+"]}))
    assert predicted.shape[0] == len(counts)
