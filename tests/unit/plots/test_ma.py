import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError
from countnest.plots import plot_ma


def made_up(**info):
    rng = np.random.default_rng(1)
    mean = rng.lognormal(4.0, 2.0, 500)
    change = rng.normal(0.0, 0.5, 500)
    table = pd.DataFrame({"baseMean": mean, "log2FoldChange": change, "padj": 0.5})
    table.loc[:19, ["log2FoldChange", "padj"]] = (3.0, 0.01)
    table.loc[20:29, ["log2FoldChange", "padj"]] = (-3.0, 0.05)
    table.loc[490:, ["baseMean", "log2FoldChange", "padj"]] = (0.0, np.nan, np.nan)
    return Results(table, ResultsInfo(label="dex trt vs untrt", **info))


def points(figure):
    """Return the points of each colour and marker kind, as offsets."""
    return [np.asarray(collection.get_offsets()) for collection in figure.axes[0].collections]


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_legend_counts_what_the_summary_counts():
    figure = plot_ma(made_up())
    assert isinstance(figure, Figure)
    assert labels(figure) == ["not significant: 460", "up, padj < 0.1: 20", "down, padj < 0.1: 10"]


def test_alpha_can_be_another():
    assert labels(plot_ma(made_up(), alpha=0.02)) == [
        "not significant: 470",
        "up, padj < 0.02: 20",
        "down, padj < 0.02: 0",
    ]


def test_every_gene_with_counts_is_drawn_once_and_inside():
    figure = plot_ma(made_up())
    drawn = np.concatenate(points(figure))
    assert len(drawn) == 490
    low, high = figure.axes[0].get_ylim()
    assert drawn[:, 1].min() >= low
    assert drawn[:, 1].max() <= high


def test_genes_outside_are_triangles_at_the_border():
    figure = plot_ma(made_up(), ylim=(-2.0, 2.5))
    inside, above, below = points(figure)[3:6][0], points(figure)[4], points(figure)[8]
    assert len(inside) == 0
    assert above.shape == (20, 2)
    assert set(above[:, 1]) == {2.5}
    assert below.shape == (10, 2)
    assert set(below[:, 1]) == {-2.0}


def test_default_limits_follow_the_99_percent_quantile():
    results = made_up()
    change = results.table["log2FoldChange"].dropna().abs()
    low, high = plot_ma(results).axes[0].get_ylim()
    reach = 1.1 * change.quantile(0.99)
    assert (high - low) == pytest.approx(2 * reach * 1.06)


@pytest.mark.parametrize(
    ("info", "heights"),
    [
        ({}, [0.0]),
        ({"lfc_threshold": 1.0}, [0.0, -1.0, 1.0]),
        ({"lfc_threshold": 1.0, "alt_hypothesis": "greater"}, [0.0, 1.0]),
        ({"lfc_threshold": 1.0, "alt_hypothesis": "less"}, [0.0, -1.0]),
    ],
)
def test_lines_mark_zero_and_the_tested_threshold(info, heights):
    lines = plot_ma(made_up(**info)).axes[0].lines
    assert [line.get_ydata()[0] for line in lines] == heights


def test_genes_within_a_threshold_are_one_group():
    figure = plot_ma(made_up(lfc_threshold=4.0, alt_hypothesis="lessAbs"))
    assert labels(figure) == ["not significant: 460", "|LFC| < 4, padj < 0.1: 30"]


def test_up_and_down_have_colours_that_the_colour_blind_can_tell_apart():
    collections = plot_ma(made_up()).axes[0].collections
    colours = {to_hex(collection.get_facecolor()[0]) for collection in collections if len(collection.get_facecolor())}
    assert {"#d55e00", "#0072b2"} <= colours


def test_axes_can_be_given():
    figure = Figure()
    outer, inner = figure.subfigures(1, 2)
    ax = inner.add_subplot()
    assert plot_ma(made_up(), ax=ax) is figure
    assert ax.get_xlabel() == "mean of normalized counts"
    assert ax.get_ylabel() == "log2 fold change"
    assert not outer.axes


def test_limits_must_hold_zero():
    with pytest.raises(OptionError, match="holds zero"):
        plot_ma(made_up(), ylim=(1.0, 2.0))


def test_nothing_to_draw(tmp_path):
    results = made_up()
    empty = Results(results.table.iloc[490:], results.info)
    plot_ma(empty).savefig(tmp_path / "ma.png")


def test_without_a_notebook_a_figure_says_how_to_see_it():
    with pytest.raises(OptionError, match=r"savefig\('figure.png'\)"):
        plot_ma(made_up()).show()


def test_notebooks_show_the_figure():
    assert plot_ma(made_up())._repr_png_().startswith(b"\x89PNG")


# ---- what is drawn, and what is not ----


def s_values(**info):
    results = made_up(**info)
    table = results.table.rename(columns={"padj": "svalue"})
    table.loc[:9, "svalue"] = 0.001
    return Results(table, results.info)


def test_s_values_are_coloured_by_their_own_level():
    assert labels(plot_ma(s_values())) == ["not significant: 480", "up, svalue < 0.005: 10", "down, svalue < 0.005: 0"]
    assert labels(plot_ma(s_values(), alpha=0.02))[1] == "up, svalue < 0.02: 20"


def test_the_axis_says_how_fold_changes_were_shrunken():
    assert plot_ma(made_up(shrinkage="apeglm")).axes[0].get_ylabel() == "log2 fold change (shrunken, apeglm)"


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3, -0.1, "a"])
def test_alpha_must_be_a_level(alpha):
    with pytest.raises(OptionError, match="is not a level"):
        plot_ma(made_up(), alpha=alpha)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda results: results.table, "needs the Results that results.. returns; got a DataFrame"),
        (
            lambda results: ResultsSet({"a": results, "b": results}),
            "draws one comparison; the ResultsSet has 2: 'a', 'b'",
        ),
        (
            lambda results: Results(results.table.drop(columns="log2FoldChange"), results.info),
            "this table is of a joint test",
        ),
    ],
)
def test_other_objects_are_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        plot_ma(wrong(made_up()))


def test_genes_are_named_by_their_symbols():
    plain = Results(made_up().table.assign(pvalue=0.001), ResultsInfo(label="x"))
    texts = [text.get_text() for text in plot_ma(plain).axes[0].texts]
    assert texts == []
    first = plot_ma(plain, label=3).axes[0].texts
    assert [text.get_text() for text in first] == [str(gene) for gene in plain.top(3).index]
    table = plain.table.assign(symbol=[f"S{i % 400}" for i in range(500)]).rename(index="g{}".format)
    named = Results(table, ResultsInfo(label="x", annotation=("symbol",)))
    figure = plot_ma(named, label=["g401", "S350", "g499"], ylim=(-2.0, 2.0))  # the last one has no counts
    assert [text.get_text() for text in figure.axes[0].texts] == ["S1", "S350"]
    mean, change = table.loc["g350", ["baseMean", "log2FoldChange"]]
    assert figure.axes[0].texts[1].xy == (mean, change)
    assert plot_ma(named, label="g0", ylim=(-2.0, 2.0)).axes[0].texts[0].xy[1] == 2.0  # at the border
    for label, words in (("nothing", "no gene"), ("S5", "2 genes have the symbol 'S5'"), (-1, "whole number")):
        with pytest.raises(OptionError, match=words):
            plot_ma(named, label=label)


def test_data_are_the_genes_that_are_drawn():
    results = made_up()
    data = plot_ma(results, return_data=True)
    pd.testing.assert_frame_equal(
        data[["baseMean", "log2FoldChange"]], results.table[["baseMean", "log2FoldChange"]].iloc[:490]
    )
    assert data["call"].tolist() == ["up"] * 20 + ["down"] * 10 + ["not significant"] * 460
    within = plot_ma(made_up(lfc_threshold=4.0, alt_hypothesis="lessAbs"), return_data=True)
    assert (within["call"] == "within").sum() == 30


def test_limits_reach_the_genes_that_are_named():
    plain = plot_ma(made_up()).axes[0].get_ylim()[1]
    table = made_up().table.copy()
    table.loc[40, "log2FoldChange"] = 4.5
    named = plot_ma(Results(table.rename(index=str), ResultsInfo(label="x")), label=["40"])
    assert plain < 4.0
    assert named.axes[0].texts[0].xy[1] == 4.5
    assert named.axes[0].get_ylim()[1] > 4.5


def test_titles_stay_in_the_figure():
    label = "treatment_group dexamethasone_100nM_24h_treatment vs vehicle_control_DMSO_0.1_percent and so on"
    table = pd.DataFrame(
        {"baseMean": 10.0, "log2FoldChange": [1.0, -1.0], "pvalue": [0.01, 0.5], "padj": [0.02, 0.5]},
        index=["g1", "g2"],
    )
    res = Results(table, ResultsInfo(label=label))
    for figure in (cn.plot_ma(res), cn.plot_volcano(res), cn.plot_pvalues(res), cn.compare(res, res).plot()):
        figure.draw_without_rendering()
        ax = figure.axes[0]
        title = next(text for text in ax.get_children() if getattr(text, "get_text", str)() == ax.get_title(loc="left"))
        assert ax.get_title(loc="left").startswith("treatment_group")
        box = title.get_window_extent()
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
