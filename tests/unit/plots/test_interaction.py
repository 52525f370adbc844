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
