import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import ContrastError, OptionError
from countnest.plots.figure import BLUE, GREY, INK, ORANGE, new_axes
from countnest.plots.interaction import plot_interaction


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=200, rng=4)


@pytest.fixture(scope="module")
def dds(study):
    counts = study.counts.copy()
    untreated = (study.samples["treat1"] == "A") & (study.samples["treat2"] == "None")
    counts.loc["g00003", untreated.to_numpy()] = 0
    made = cn.DESeqDataSet(counts, study.samples, design=study.design, reference=study.reference)
    return made.deseq(quiet=True)


def lines(ax, colour):
    return [line for line in ax.lines if to_hex(line.get_color()).upper() == colour.upper() and len(line.get_xdata())]


def dots(ax):
    """Return the offsets of the points of samples, then of means, by level of x."""
    found = [
        np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets()) and not hasattr(c, "get_segments")
    ]
    return found[: len(found) // 2], found[len(found) // 2 :]


def intervals(ax):
    return np.concatenate([np.asarray(c.get_segments()) for c in ax.collections if hasattr(c, "get_segments")])


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_every_sample_at_its_normalized_count(dds):
    figure = plot_interaction(dds, "g00001")
    assert isinstance(figure, Figure)
    samples, _ = dots(figure.axes[0])
    shown = dds.counts(normalized=True).loc["g00001"]
    for level, points in zip(["None", "E"], samples, strict=True):
        here = shown[(dds.samples["treat2"] == level).to_numpy()]
        np.testing.assert_allclose(points[:, 1], np.log2(here + 0.5))


def test_means_and_intervals_are_those_of_the_model(dds):
    ax = plot_interaction(dds, "g00001").axes[0]
    answer = dds.means(["treat1", "treat2"]).test(allow_fixed_blocks=True).table.loc["g00001"]
    mean, se = answer["log2FoldChange"].to_numpy(), answer["lfcSE"].to_numpy()
    order = np.r_[0:8:2, 1:8:2]  # the plot draws level by level of treat2
    _, means = dots(ax)
    np.testing.assert_allclose(np.concatenate(means)[:, 1], np.log2(2**mean + 0.5)[order])
    low, high = intervals(ax)[:, 0, 1], intervals(ax)[:, 1, 1]
    np.testing.assert_allclose(low, np.log2(2 ** (mean - 1.959964 * se) + 0.5)[order])
    np.testing.assert_allclose(high, np.log2(2 ** (mean + 1.959964 * se) + 0.5)[order])


def test_one_thin_line_for_each_family_and_one_thick_line_for_each_group(dds):
    ax = plot_interaction(dds, "g00001", block="family").axes[0]
    families, groups = lines(ax, GREY), lines(ax, INK)
    assert (len(families), len(groups)) == (24, 4)
    first = dds.counts(normalized=True).loc["g00001"].iloc[:2]  # the sibs of family 1, None and E
    np.testing.assert_allclose(families[0].get_ydata(), np.log2(first + 0.5))
    assert labels(ax) == ["samples of one family", "treat2 None", "treat2 E", "mean, 95 % interval"]


def test_blocks_are_those_of_the_design_unless_given(dds):
    by_design, given = (plot_interaction(dds, "g00001", block=block).axes[0] for block in (None, ["treat1", "ind"]))
    for a, b in zip(lines(by_design, GREY), lines(given, GREY), strict=True):
        np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())


def test_axis_names_both_factors_reference_first(dds):
    ax = plot_interaction(dds, "g00001").axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["None", "E"] * 4
    assert [tick.get_text() for tick in ax.get_xticklabels(minor=True)] == [f"treat1 {level}" for level in "ABCD"]
    assert ax.get_ylabel() == "log2(normalized count + 0.5)"
    colours = [to_hex(c.get_facecolor()[0]).upper() for c in ax.collections if not hasattr(c, "get_segments")]
    assert colours == [BLUE, ORANGE, BLUE, ORANGE]


def test_factors_can_change_places(dds):
    ax = plot_interaction(dds, "g00001", x="treat1", by="treat2").axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list("ABCD") * 2
    assert not lines(ax, GREY)  # no family has two levels of treat1


def test_cell_without_counts_has_a_mean_at_the_floor_and_no_interval(dds):
    ax = plot_interaction(dds, "g00003").axes[0]
    _, (untreated, _) = dots(ax)
    assert untreated[0, 1] == -1.0
    assert intervals(ax).shape == (7, 2, 2)


def test_wide_intervals_do_not_flatten_the_points():
    study = cn.simulate.nested(genes=60, base=(0.3, 2.0), rng=5)
    dds = cn.DESeqDataSet(
        study.counts, study.samples, design=study.design, reference=study.reference, size_factors=np.ones(48)
    ).deseq(quiet=True, fit_type="mean")
    for gene in dds.gene_names[:10]:
        ax = plot_interaction(dds, gene).axes[0]
        samples, means = dots(ax)
        low, high = ax.get_ylim()
        values = np.concatenate([*samples, *means])[:, 1]
        assert low < values.min()
        assert values.max() < high
        assert high - low < values.max() - values.min() + 3.0


def test_one_factor_alone_with_given_blocks():
    rng = np.random.default_rng(1)
    sheet = pd.DataFrame({"line": list("aabbcc"), "dose": ["no", "yes"] * 3}, index=[f"s{i}" for i in range(6)])
    counts = pd.DataFrame(rng.poisson(80, (40, 6)), index=[f"g{i}" for i in range(40)], columns=sheet.index)
    dds = cn.DESeqDataSet(counts, sheet, design="~ line + dose").deseq(quiet=True, fit_type="mean")
    ax = plot_interaction(dds, "g7", x="dose", by=None, block="line").axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["no", "yes"]
    assert (len(lines(ax, GREY)), len(lines(ax, INK))) == (3, 1)
    assert not lines(plot_interaction(dds, "g7", x="dose", by=None).axes[0], GREY)  # the design knows no blocks


def test_given_axes_are_used(dds):
    ax = new_axes()
    assert plot_interaction(dds, "g00001", ax=ax) is ax.figure


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"gene": "g0001"}, OptionError, "no gene 'g0001'. Did you mean"),
        ({"gene": "g00001", "block": "familly"}, OptionError, "no column 'familly'. Did you mean 'family'"),
        ({"gene": "g00001", "x": "treat3"}, ContrastError, "treat3"),
        ({"gene": "g00001", "by": "family"}, ContrastError, "family"),
    ],
)
def test_what_is_not_there_is_named(dds, arguments, error, words):
    with pytest.raises(error, match=words):
        plot_interaction(dds, **arguments)


def test_the_title_has_the_symbol(dds):
    dds.gene_info = pd.Series([f"S{i}" for i in range(200)], dds.gene_names)
    try:
        assert plot_interaction(dds, "S7").axes[0].get_title(loc="left") == "S7 (g00007)"
    finally:
        dds.gene_info = None
    assert plot_interaction(dds, "g00007").axes[0].get_title(loc="left") == "g00007"


def test_axes_come_from_the_design(study):
    made = cn.DESeqDataSet(
        study.counts, study.samples.rename(columns={"treat1": "parent", "treat2": "drug"}),
        design="~ parent*drug + (1 | family)", reference={"parent": "A", "drug": "None"}, quiet=True,
    )  # fmt: skip
    cn.lmm(made, quiet=True)
    ax = plot_interaction(made, "g00001", fit="lmm").axes[0]
    own = plot_interaction(made, "g00001", x="drug", by="parent", fit="lmm").axes[0]
    assert labels(ax) == labels(own)
    np.testing.assert_array_equal(np.concatenate(dots(ax)[0]), np.concatenate(dots(own)[0]))
    one = made.with_design("~ drug + (1 | family)")
    assert len(dots(plot_interaction(cn.lmm(one, quiet=True), "g00001", fit="lmm").axes[0])[0]) == 2
    with pytest.raises(OptionError, match=r"give x=, and by= or by=None: the design '~ 1 .*' has the factors none"):
        plot_interaction(made.with_design("~ 1 + (1 | family)"), "g00001", fit="lmm")


def test_cells_of_a_query(dds):
    query = dds.effect("treat2", by="treat1")
    whole, asked = (plot_interaction(dds, "g00001", query=each).axes[0] for each in (query, query[["B", "D"]]))
    plain = plot_interaction(dds, "g00001").axes[0]
    np.testing.assert_array_equal(np.concatenate(dots(whole)[1]), np.concatenate(dots(plain)[1]))
    assert [tick.get_text() for tick in asked.get_xticklabels(minor=True)] == ["treat1 B", "treat1 D"]
    assert len(np.concatenate(dots(asked)[0])) == 24
    means = [set(np.concatenate(dots(ax)[1])[:, 1]) for ax in (asked, whole)]
    assert means[0] < means[1]
    levels = dds.effect("treat1", levels=("C", "A"))
    one = plot_interaction(dds, "g00001", query=levels).axes[0]
    assert [tick.get_text() for tick in one.get_xticklabels()] == ["A", "C"]


def test_the_factor_that_varies_within_blocks_is_on_the_axis_of_an_interaction(dds):
    query = dds.interaction(treat1=("B", "A"), treat2="reference")
    ax = plot_interaction(dds, "g00001", query=query).axes[0]
    assert ax.get_xlabel() == "treat2"
    assert [tick.get_text() for tick in ax.get_xticklabels(minor=True)] == ["treat1 A", "treat1 B"]


def test_the_data_are_counts_with_the_means_of_their_cells(dds, study):
    data = plot_interaction(dds, "g00001", return_data=True)
    assert list(data) == ["count", "treat1", "treat2", "block", "mean", "low", "high"]
    np.testing.assert_allclose(data["count"], dds.counts(normalized=True).loc["g00001"])
    answer = dds.means(["treat1", "treat2"]).test(allow_fixed_blocks=True)
    means = {label: part.table.loc["g00001", "log2FoldChange"] for label, part in answer.items()}
    for _, row in data.iterrows():
        label = f"mean | treat1={row['treat1']}, treat2={row['treat2']}"
        np.testing.assert_allclose(row["mean"], 2 ** means[label])
        assert row["low"] < row["mean"] < row["high"]
    assert data["block"].nunique() == 24
    empty = plot_interaction(dds, "g00003", return_data=True)
    untreated = (study.samples["treat1"] == "A") & (study.samples["treat2"] == "None")
    assert (empty.loc[untreated, "mean"] == 0).all()
    np.testing.assert_array_equal(empty["low"].isna(), untreated)


def test_data_of_a_query_are_of_its_cells_alone(dds, study):
    data = plot_interaction(dds, "g00001", query=dds.effect("treat2", at={"treat1": "B"}), return_data=True)
    assert data.index.tolist() == study.samples.index[study.samples["treat1"] == "B"].tolist()


def test_means_of_mixed_models_are_those_of_their_tables(study):
    dds = cn.DESeqDataSet(
        study.counts, study.samples, design="~ treat1 * treat2 + (1 | family)", reference=study.reference, quiet=True
    )
    cn.lmm(dds, quiet=True)
    query = dds.effect("treat2", by="treat1")
    data = plot_interaction(dds, "g00001", query=query, fit="lmm", return_data=True)
    table = dds.means(["treat1", "treat2"]).test(fit="lmm", confint=0.95)[0].table.loc["g00001"]
    first = data[(data["treat1"] == "A") & (data["treat2"] == "None")].iloc[0]
    np.testing.assert_allclose(
        first[["mean", "low", "high"]].to_numpy(float),
        2 ** table[["log2FoldChange", "ciLower", "ciUpper"]].to_numpy(float),
    )
    ax = plot_interaction(dds, "g00001", query=query, fit="lmm").axes[0]
    cells = np.log2(data.groupby(["treat1", "treat2"], observed=True)["mean"].first())
    np.testing.assert_allclose(np.sort(np.concatenate(dots(ax)[1])[:, 1]), np.sort(cells))
    assert labels(ax)[0] == "samples of one family"


FIRST = {"site": "elsewhere", "treatment": "vehicle control"}


@pytest.fixture(scope="module")
def long_names():
    rng = np.random.default_rng(1)
    levels = ["vehicle control", "dexamethasone 100 nM", "dexamethasone 100 nM and inhibitor", "inhibitor alone"]
    sheet = pd.DataFrame(
        {"site": np.repeat(["the north ward", "the south ward", "elsewhere"], 8), "treatment": np.tile(levels, 6)},
        index=[f"s{i}" for i in range(24)],
    )
    counts = pd.DataFrame(rng.poisson(80, (40, 24)), index=[f"g{i}" for i in range(40)], columns=sheet.index)
    counts.loc["g5"] = 0
    return cn.DESeqDataSet(counts, sheet, design="~ site * treatment", reference=FIRST, quiet=True).deseq(
        quiet=True, fit_type="mean"
    )


def test_long_names_are_slanted_and_the_legend_is_no_wider_than_the_axes(long_names):
    figure = plot_interaction(long_names, "g3", "treatment", "site")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    first = ax.get_xticklabels()[0]
    assert (first.get_text(), first.get_rotation()) == ("site elsewhere, vehicle control", 45.0)
    assert ax.get_legend().get_window_extent().x1 <= figure.bbox.x1
    assert len(ax.get_xticklabels()) == 12


def test_one_sample_in_each_cell_and_several_factors_side_by_side():
    rng = np.random.default_rng(1)
    sheet = pd.DataFrame(
        [(a, b, c) for a in "ab" for b in "xy" for c in "uv"], columns=["one", "two", "three"],
        index=[f"s{i}" for i in range(8)],
    )  # fmt: skip
    counts = pd.DataFrame(rng.poisson(80, (40, 8)), index=[f"g{i}" for i in range(40)], columns=sheet.index)
    dds = cn.DESeqDataSet(counts, sheet, design="~ one + two + three").deseq(quiet=True, fit_type="mean")
    ax = plot_interaction(dds, "g3", "three", ["one", "two"]).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels(minor=True)][1] == "one a, two y"
    asked = plot_interaction(dds, "g3", query=dds.effect("three", by=["one", "two"]), return_data=True)
    assert list(asked)[1:4] == ["one", "two", "three"]


def test_a_gene_that_was_not_fitted_is_drawn_without_means(long_names):
    ax = plot_interaction(long_names, "g5", "treatment").axes[0]
    assert labels(ax) == ["no counts in these cells"]
    assert len(np.concatenate([c.get_offsets() for c in ax.collections])) == 24
    data = plot_interaction(long_names, "g5", "treatment", return_data=True)
    assert (data["mean"] == 0).all()
    assert data["low"].isna().all()


def test_queries_that_cannot_be_drawn_are_named(dds, long_names):
    for query, arguments, words in (
        (dds.contrast("Intercept"), {}, r"the query 'Intercept' names no cells: give x="),
        (dds.effect("treat2"), {"x": "treat2"}, r"query= and x= or by= were given"),
        (long_names.effect("treatment"), {}, "query= is of another data set"),
        ("treat2", {}, "query= takes what dds.effect"),
    ):
        with pytest.raises(OptionError, match=words):
            plot_interaction(dds, "g00001", query=query, **arguments)
    with pytest.raises(OptionError, match="has several factors: give x= as well"):
        plot_interaction(dds, "g00001", by=["treat1", "treat2"])
