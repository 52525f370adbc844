"""Sums of technical replicates."""

import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.replicates import collapse_replicates
from countnest.errors import CountnestWarning, OptionError, SamplesError

LANES = [2, 1, 1, 3, 1, 2, 1, 1]


def collapse(*args, **options):
    """Collapse replicates that have lanes of their own, as they should."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "replicates of one sample differ in the sample sheet: 'lane'")
        return collapse_replicates(*args, **options)


@pytest.fixture
def lanes():
    """Eight samples in twelve lanes, shuffled: counts, sheet, and the same study with the lanes summed."""
    rng = np.random.default_rng(1)
    names = np.repeat([f"m{i}" for i in range(8)], LANES)
    order = rng.permutation(12)
    sheet = pd.DataFrame({"mouse": names, "group": np.repeat(["b", "a"] * 4, LANES), "lane": np.arange(12)})
    sheet = sheet.iloc[order].set_axis([f"r{i}" for i in range(12)])
    counts = pd.DataFrame(rng.poisson(30, (60, 12)), index=[f"g{i}" for i in range(60)], columns=sheet.index)
    return counts, sheet


@pytest.fixture
def dds(lanes):
    return cn.DESeqDataSet(*lanes, design="~ group", reference={"group": "b"})


def test_counts_are_summed_over_replicates(dds, lanes):
    counts, sheet = lanes
    found = collapse(dds, "mouse")
    expected = counts.T.groupby(sheet["mouse"]).sum().T.astype(float)
    pd.testing.assert_frame_equal(found.counts(), expected, check_names=False)
    assert found.counts().to_numpy().sum() == counts.to_numpy().sum()
    assert dds.counts().shape == (60, 12)  # unchanged
    assert list(found.samples.index) == [f"m{i}" for i in range(8)]


def test_the_design_stays(dds):
    found = collapse(dds, "mouse")
    assert (found.design.formula, found.design.levels) == (dds.design.formula, dds.design.levels)
    assert found.results_names() == dds.results_names() == ["Intercept", "group_a_vs_b"]
    by_hand = cn.DESeqDataSet(found.counts(), found.samples, design="~ group", reference={"group": "b"})
    one, other = (each.deseq(quiet=True, fit_type="mean").results().table for each in (found, by_hand))
    pd.testing.assert_frame_equal(one, other)


def test_the_sheet_is_that_of_the_first_replicate(dds, lanes):
    _, sheet = lanes
    found = collapse(dds, "mouse").samples
    first = sheet[~sheet["mouse"].duplicated()].set_index("mouse")["lane"].sort_index()
    assert list(found["lane"]) == list(first)
    assert list(found.columns) == [*sheet.columns, "runs_collapsed"]


def test_runs_are_listed(dds, lanes):
    _, sheet = lanes
    labels, lanes_of = (collapse(dds, "mouse", run).samples["runs_collapsed"] for run in (None, "lane"))
    for mouse, rows in sheet.groupby("mouse"):
        assert labels[mouse] == ",".join(rows.index)
        assert lanes_of[mouse] == ",".join(map(str, rows["lane"]))
    named = collapse(dds, "mouse", [f"run{i}" for i in range(12)]).samples["runs_collapsed"]
    assert named[sheet["mouse"].iloc[0]].startswith("run0")


def test_samples_can_keep_the_label_of_the_first_replicate(dds, lanes):
    _, sheet = lanes
    found = collapse(dds, "mouse", rename=False)
    assert list(found.samples.index) == [sheet.index[sheet["mouse"] == f"m{i}"][0] for i in range(8)]
    np.testing.assert_array_equal(found.counts(), collapse(dds, "mouse").counts())


@pytest.mark.parametrize("kind", ["array", "list", "series", "shuffled"])
def test_one_label_for_each_sample(dds, lanes, kind):
    _, sheet = lanes
    mouse = sheet["mouse"]
    given = {"array": mouse.to_numpy(), "list": list(mouse), "series": mouse, "shuffled": mouse.iloc[::-1]}[kind]
    pd.testing.assert_frame_equal(collapse(dds, given).counts(), collapse(dds, "mouse").counts())


def test_the_order_is_that_of_the_levels(dds, lanes):
    _, sheet = lanes
    levels = [f"m{i}" for i in (3, 1, 0, 2, 7, 6, 5, 4)]
    found = collapse(dds, pd.Categorical(sheet["mouse"], categories=["unused", *levels]))
    assert list(found.samples.index) == levels
    numbers = sheet["mouse"].str[1:].astype(int) + 5
    assert list(collapse(dds, numbers).samples.index) == [str(k) for k in range(5, 13)]  # 9 before 10


def test_a_model_matrix_keeps_its_rows(lanes):
    counts, sheet = lanes
    matrix = pd.DataFrame({"base": 1.0, "treated": (sheet["group"] == "a").astype(float)}, index=sheet.index)
    found = collapse(cn.DESeqDataSet(counts, sheet, design=matrix), "mouse")
    assert found.results_names() == ["base", "treated"]
    np.testing.assert_array_equal(found.design.matrix[:, 1], found.samples["group"] == "a")


def test_replicates_that_differ_in_the_design_are_refused(dds, lanes):
    counts, sheet = lanes
    groups = sheet["mouse"].replace({"m1": "m0"})
    with pytest.raises(SamplesError, match=r"1 sample \('m0'\) differ in 'group', a variable of the design: m0 has '"):
        collapse_replicates(dds, groups)
    by_matrix = cn.DESeqDataSet(counts, sheet, design=dds.design.matrix)
    with pytest.raises(SamplesError, match=r"1 sample \('m0'\) have different rows in the model matrix"):
        collapse_replicates(by_matrix, groups)


def test_other_columns_that_disagree_are_named(lanes):
    counts, sheet = lanes
    several = sheet["mouse"].isin(["m0", "m3", "m5"])
    sheet = sheet.assign(
        rin=np.where(several, np.arange(12.0), 7.0),
        note=np.where(sheet["mouse"] == "m3", [f"n{i}" for i in range(12)], None),
        missing=np.nan,
        day="mon",
        lists=[[1, 2]] * 12,
    )
    dds = cn.DESeqDataSet(counts, sheet, design="~ group")
    three = r"'rin' of 3 samples \('m3', 'm0', 'm5'\)"
    message = rf"differ in the sample sheet: 'lane' of 3 .*; {three}; 'note' of 1 sample \('m3'\)\. The value of "
    with pytest.warns(CountnestWarning, match=message) as told:
        collapse_replicates(dds, "mouse")
    assert len(told) == 1
    for run in ("lane", sheet["lane"]):
        with pytest.warns(CountnestWarning, match=rf"differ in the sample sheet: {three}; 'note'"):
            collapse_replicates(dds, "mouse", run)


def test_what_cannot_be_summed_is_dropped_with_a_warning(lanes):
    counts, sheet = lanes
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.arange(1.0, 13.0))
    with pytest.warns(CountnestWarning, match="size or normalization factors cannot be summed"):
        found = collapse(dds, "mouse")
    assert found.size_factors is None
    weighted = cn.DESeqDataSet(counts, sheet, design="~ group", weights=np.full(counts.shape, 0.5))
    with pytest.warns(CountnestWarning, match="^observation weights cannot be summed"):
        collapse(weighted, "mouse")


@pytest.mark.parametrize(
    ("groupby", "error", "words"),
    [
        ("mous", OptionError, "no such column. Did you mean 'mouse'"),
        (list("ab"), SamplesError, "each of the 12 samples; it has 2"),
        ([*"abcabcabcab", None], SamplesError, "groupby is missing for the samples 'r11'"),
        (pd.Series({"r1": "a"}), SamplesError, "samples of the counts missing: 'r0'"),
    ],
)
def test_what_is_not_one_label_for_each_sample(dds, groupby, error, words):
    with pytest.raises(error, match=words):
        collapse_replicates(dds, groupby)


def test_labels_of_runs_are_checked_too(dds):
    with pytest.raises(OptionError, match="run='lanes'"):
        collapse(dds, "mouse", "lanes")
