import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import OptionError
from countnest.plots.counts import plot_counts
from countnest.plots.figure import new_axes


@pytest.fixture(scope="module")
def dds():
    rng = np.random.default_rng(1)
    sheet = pd.DataFrame(
        {"batch": [*"xyxyxyxy"], "group": [*"bbbaaabb"], "age": np.arange(8) * 1.5},
        index=[f"s{i}" for i in range(8)],
    )
    counts = pd.DataFrame(rng.poisson(40, (30, 8)), index=[f"g{i}" for i in range(30)], columns=sheet.index)
    counts.loc["g3"] = [0, 5, 2, 0, 9, 1, 1, 0]
    return cn.DESeqDataSet(
        counts, sheet, design="~ batch + group", reference={"group": "b"}, size_factors=np.linspace(0.5, 2.0, 8)
    )


def dots(ax):
    return np.asarray(ax.collections[0].get_offsets())


def ticks(ax):
    return [tick.get_text() for tick in ax.get_xticklabels()]


def test_every_sample_at_its_count_in_its_group(dds):
    figure = plot_counts(dds, "g3")
    assert isinstance(figure, Figure)
    ax = figure.axes[0]
    found = dots(ax)
    np.testing.assert_allclose(found[:, 1], dds.counts(normalized=True).loc["g3"] + 0.5)
    assert ticks(ax) == ["b", "a"]  # the last variable of the design, its reference first
    np.testing.assert_array_equal(np.round(found[:, 0]), (dds.samples["group"] == "a").astype(int))
    assert len(np.unique(found[:, 0])) == 8  # side by side
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("group", "normalized count + 0.5")
    assert ax.get_title(loc="left") == "g3"


def test_size_factors_are_estimated_for_the_plot_where_there_are_none(dds):
    fresh = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group")
    found = plot_counts(fresh, "g3", return_data=True)
    assert fresh.size_factors is None
    pd.testing.assert_frame_equal(found, plot_counts(fresh.estimate_size_factors(), "g3", return_data=True))
    lengths = np.linspace(100.0, 900.0, 240).reshape(30, 8)
    fresh = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group", avg_tx_length=lengths)
    found = plot_counts(fresh, "g3", return_data=True)
    assert fresh.normalization_factors is None
    pd.testing.assert_frame_equal(found, plot_counts(fresh.estimate_size_factors(), "g3", return_data=True))


def test_groups_of_several_columns(dds):
    ax = plot_counts(dds, "g3", ["group", "batch"]).axes[0]
    assert ticks(ax) == ["b\nx", "b\ny", "a\nx", "a\ny"]
    sheet = dds.samples
    expected = 2 * (sheet["group"] == "a") + (sheet["batch"] == "y")
    np.testing.assert_array_equal(np.round(dots(ax)[:, 0]), expected)


def test_numbers_are_drawn_as_numbers(dds):
    ax = plot_counts(dds, "g3", "age").axes[0]
    np.testing.assert_array_equal(dots(ax)[:, 0], dds.samples["age"])


def test_raw_counts_on_a_plain_axis(dds):
    ax = plot_counts(dds, "g3", normalized=False, transform=False).axes[0]
    np.testing.assert_array_equal(dots(ax)[:, 1], dds.counts().loc["g3"])
    assert ax.get_yscale() == "linear"
    assert ax.get_ylabel() == "count"


@pytest.mark.parametrize(
    ("arguments", "offset"),
    [({}, 0.5), ({"transform": False}, 0.0), ({"pc": 2}, 2.0), ({"pc": 0, "transform": True}, 0.0)],
)
def test_the_data_can_be_had(dds, arguments, offset):
    data = plot_counts(dds, "g3", ["group", "age"], return_data=True, **arguments)
    assert list(data) == ["count", "group", "age"]
    np.testing.assert_allclose(data["count"], dds.counts(normalized=True).loc["g3"] + offset)
    pd.testing.assert_frame_equal(data[["group", "age"]], dds.samples[["group", "age"]])


def test_replaced_counts():
    rng = np.random.default_rng(2)
    counts = pd.DataFrame(rng.poisson(50, (60, 16)), index=[f"g{i}" for i in range(60)])
    counts.iloc[4, 2] = 9000
    sheet = pd.DataFrame({"group": np.repeat(["a", "b"], 8)}, index=[f"s{i}" for i in range(16)])
    counts.columns = sheet.index
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, fit_type="mean")
    raw, replaced = (
        plot_counts(dds, "g4", normalized=False, pc=0, replaced=value, return_data=True)["count"]
        for value in (False, True)
    )
    assert raw.iloc[2] == 9000
    assert replaced.iloc[2] < 100


def test_a_gene_without_counts_has_its_place(dds):
    counts = dds.counts()
    counts.loc["g5"] = 0
    empty = cn.DESeqDataSet(counts, dds.samples, design="~ group", size_factors=np.ones(8))
    figure = plot_counts(empty, "g5")
    figure.canvas.draw()
    np.testing.assert_array_equal(dots(figure.axes[0])[:, 1], 0.5)


def test_counts_axis_has_plain_numbers(dds):
    figure = plot_counts(dds, "g3")
    figure.canvas.draw()
    shown = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert {"1", "2", "5"} <= set(shown)


def test_given_axes_of_counts_are_used(dds):
    ax = new_axes()
    assert plot_counts(dds, "g3", ax=ax) is ax.figure


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"gene": "gg3"}, "no gene 'gg3'. Did you mean 'g3'"),
        ({"gene": "g3", "intgroup": "groups"}, "no column 'groups'. Did you mean 'group'"),
        ({"gene": "g3", "intgroup": []}, "intgroup is empty"),
    ],
)
def test_what_is_not_there_is_named(dds, arguments, words):
    with pytest.raises(OptionError, match=words):
        plot_counts(dds, **arguments)


def test_a_design_without_variables_has_no_groups(dds):
    bare = cn.DESeqDataSet(dds.counts(), dds.samples, design=np.ones((8, 1)), size_factors=np.ones(8))
    with pytest.raises(OptionError, match="give intgroup=, one of the columns 'batch', 'group', 'age'"):
        plot_counts(bare, "g3")
    assert ticks(plot_counts(bare, "g3", "batch").axes[0]) == ["x", "y"]


def test_a_gene_is_found_and_called_by_its_symbol(dds):
    named = cn.DESeqDataSet(
        dds.counts().assign(symbol=["TP53", *["MYC"] * 29]), dds.samples, design="~ group", size_factors=np.ones(8)
    )
    for gene in ("TP53", "g0"):
        assert plot_counts(named, gene).axes[0].get_title(loc="left") == "TP53 (g0)"
        pd.testing.assert_frame_equal(
            plot_counts(named, gene, return_data=True), plot_counts(named, "g0", return_data=True)
        )
    with pytest.raises(OptionError, match=r"29 genes have the symbol 'MYC'.*'g1'"):
        plot_counts(named, "MYC")


def faces(ax):
    return np.asarray(ax.collections[0].get_facecolors())


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def test_samples_without_a_count_are_open_and_counted(dds):
    zero = dds.counts().loc["g3"].to_numpy() == 0
    for arguments in ({}, {"pc": 0}, {"transform": False}, {"kind": "swarm"}, {"kind": "box", "pc": 0}):
        ax = plot_counts(dds, "g3", **arguments).axes[0]
        points = next(c for c in ax.collections if len(c.get_offsets()) == 8)
        np.testing.assert_array_equal((points.get_facecolors() == 1.0).all(axis=1), zero)
        assert legend(ax) == ["no counts: 3 of 8 samples"]
    assert legend(plot_counts(dds, "g5").axes[0]) == []


def test_zeros_stand_below_all_counts_on_a_logarithmic_axis_to_which_nothing_is_added(dds):
    ax = plot_counts(dds, "g3", pc=0).axes[0]
    shown, counts = dots(ax)[:, 1], dds.counts(normalized=True).loc["g3"].to_numpy()
    np.testing.assert_allclose(shown[counts > 0], counts[counts > 0])
    assert (shown[counts == 0] == counts[counts > 0].min() / 2).all()
    assert ax.get_ylim()[0] < shown.min()
    assert len([line for line in ax.lines if line.get_linestyle() == "--"]) == 1
    assert [tick.get_text() for tick in ax.get_yticklabels(minor=True)] == ["0"]
    np.testing.assert_array_equal(plot_counts(dds, "g3", pc=0, return_data=True)["count"], counts)


def test_an_axis_of_zeros_says_zero(dds):
    counts = dds.counts()
    counts.loc["g5"] = 0
    empty = cn.DESeqDataSet(counts, dds.samples, design="~ group", size_factors=np.ones(8))
    ax = plot_counts(empty, "g5", pc=0).axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels(minor=True)] == ["0"]
    assert not ax.get_yticklabels()
    assert legend(ax) == ["no counts in any of 8 samples"]


def test_groups_differ_by_colour_and_those_of_several_columns_by_the_first(dds):
    sheet = dds.samples
    one = faces(plot_counts(dds, "g5", "group").axes[0])
    two = faces(plot_counts(dds, "g5", ["group", "batch"]).axes[0])
    np.testing.assert_array_equal(one, two)
    assert len(np.unique(one, axis=0)) == 2
    assert len(np.unique(one[(sheet["group"] == "a").to_numpy()], axis=0)) == 1


def test_swarms_and_boxes_stand_at_their_groups():
    rng = np.random.default_rng(3)
    sheet = pd.DataFrame({"group": [*"a" * 20, *"b" * 5, *"c" * 3]}, index=[f"s{i}" for i in range(28)])
    counts = pd.DataFrame(rng.poisson(3, (20, 28)) + 1, index=[f"g{i}" for i in range(20)], columns=sheet.index)
    study = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.ones(28), quiet=True)
    for kind in ("swarm", "box"):
        ax = plot_counts(study, "g1", kind=kind).axes[0]
        found = dots(ax)
        np.testing.assert_array_equal(np.round(found[:, 0]), sheet["group"].map({"a": 0, "b": 1, "c": 2}))
        assert len(np.unique(found, axis=0)) == 28  # none hides another
        assert len(ax.patches) == (2 if kind == "box" else 0)  # no box for three samples
    middle = np.median(counts.loc["g1"].iloc[:20] + 0.5)
    assert any(np.allclose(line.get_ydata(), middle) for line in ax.lines)


def test_samples_without_a_group_have_a_place_of_their_own(dds):
    sheet = dds.samples.assign(site=["x", None, "y", "x", "x", np.nan, "y", "x"])
    study = cn.DESeqDataSet(dds.counts(), sheet, design="~ group", size_factors=np.ones(8), quiet=True)
    ax = plot_counts(study, "g5", "site").axes[0]
    assert ticks(ax) == ["x", "y", "(missing)"]
    np.testing.assert_array_equal(np.round(dots(ax)[:, 0]), [0, 2, 1, 0, 0, 2, 1, 0])


def test_a_kind_that_is_not_known_is_named(dds):
    with pytest.raises(OptionError, match=r"kind='boxes' is not known.*Did you mean 'box'"):
        plot_counts(dds, "g3", kind="boxes")
