import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError
from countnest.plots.labels import write_names


def made_up(n=500, **info):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"baseMean": 100.0, "log2FoldChange": rng.normal(0.0, 0.5, n), "pvalue": rng.uniform(size=n), "padj": 0.9},
        index=[f"g{k}" for k in range(n)],
    )
    table.iloc[:20, 1:] = np.column_stack([np.linspace(2, 4, 20), np.logspace(-20, -10, 20), np.full(20, 0.01)])
    table.iloc[20:30, 1:] = (-3.0, 1e-8, 0.05)
    table.iloc[n - 10 :, 1:] = np.nan
    return Results(table, ResultsInfo(label="dex trt vs untrt", **info))


def drawn(figure):
    return np.concatenate([np.asarray(each.get_offsets()) for each in figure.axes[0].collections])


def texts(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_data_are_the_genes_that_are_drawn():
    results = made_up()
    data = cn.plot_volcano(results, return_data=True)
    assert data.index.tolist() == results.table.index[:490].tolist()
    np.testing.assert_array_equal(data["log2FoldChange"], results.table["log2FoldChange"].iloc[:490])
    np.testing.assert_allclose(10.0 ** -data["minusLog10"], results.table["pvalue"].iloc[:490], rtol=1e-12)
    assert data["call"].tolist() == ["up"] * 20 + ["down"] * 10 + ["not significant"] * 460
    strict = cn.plot_volcano(results, alpha=0.02, lfc=3.0, return_data=True)["call"]
    assert strict.value_counts().to_dict() == {"not significant": 480, "up": 10}
    assert (results.significant(0.02, lfc=3.0).index == strict.index[strict == "up"]).all()


def test_legend_limits_and_labels():
    results = made_up()
    figure = cn.plot_volcano(results, label=3)
    assert isinstance(figure, Figure)
    assert texts(figure) == ["not significant: 460", "up, padj < 0.1: 20", "down, padj < 0.1: 10"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["g0", "g1", "g2"]
    points, (low, high), (bottom, top) = drawn(figure), figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert len(points) == 490
    assert low < points[:, 0].min() < points[:, 0].max() < high
    assert bottom < points[:, 1].min() < points[:, 1].max() < top
    assert high > 4.0  # every gene that changed is in its place
    assert top > 20.0


def test_far_genes_and_zero_p_values_are_triangles_at_the_border():
    table = made_up().table.copy()
    table.iloc[0, 1:3] = (40.0, 0.0)
    figure = cn.plot_volcano(Results(table, ResultsInfo(label="x")), label=0)
    points = drawn(figure)
    assert points[:, 0].max() == pytest.approx(2 * 1.03 * np.sort(table["log2FoldChange"].dropna())[-10])
    assert points[:, 1].max() < 45.0
    limited = cn.plot_volcano(made_up(), xlim=(-2.0, 3.0))
    assert drawn(limited)[:, 0].max() == 3.0
    assert drawn(limited)[:, 0].min() == -2.0


def test_limits_hold_thresholds_and_named_genes():
    tested = cn.plot_volcano(made_up(lfc_threshold=6.0), label=0).axes[0]
    assert tested.get_xlim()[1] > 6.0
    assert sorted(line.get_xdata()[0] for line in tested.lines) == [-6.0, 0.0, 6.0]
    table = made_up().table.copy()
    table["padj"] = 0.9
    quiet = cn.plot_volcano(Results(table, ResultsInfo(label="x")), label=["g19"])
    assert quiet.axes[0].texts[0].xy[0] == 4.0


def test_tests_within_a_threshold_are_one_group():
    results = made_up(lfc_threshold=5.0, alt_hypothesis="lessAbs")
    assert texts(cn.plot_volcano(results))[1:] == ["|LFC| < 5, padj < 0.1: 30"]
    assert set(cn.plot_volcano(results, return_data=True)["call"]) == {"within", "not significant"}


def test_tables_of_s_values():
    table = made_up().table.drop(columns="pvalue").rename(columns={"padj": "svalue"})
    table.iloc[:5, 2] = 0.0
    figure = cn.plot_volcano(Results(table, ResultsInfo(label="x", shrinkage="apeglm")))
    assert texts(figure)[1] == "up, svalue < 0.005: 5"
    assert figure.axes[0].get_ylabel() == "-log10 s-value"
    assert figure.axes[0].get_xlabel() == "log2 fold change (shrunken, apeglm)"


@pytest.mark.parametrize("rows", [slice(0), slice(490, 500), slice(3), slice(30), slice(30, 490)])
def test_awkward_tables_are_drawn(rows, tmp_path):
    results = made_up()
    for plot in (cn.plot_volcano, cn.plot_ma):
        figure = plot(Results(results.table.iloc[rows], results.info), label=3)
        figure.savefig(tmp_path / "figure.png")
        low, high = figure.axes[0].get_ylim()
        assert low < high


def test_what_cannot_be_drawn_is_refused():
    results = made_up()
    bare = Results(results.table.drop(columns="pvalue"), results.info)
    joint = Results(results.table.drop(columns="log2FoldChange"), results.info)
    for given, options, words in (
        (ResultsSet({"a": results, "b": results}), {}, "plot_volcano draws one comparison; the ResultsSet has 2"),
        (joint, {}, "joint test"),
        (bare, {}, "neither"),
        (results, {"xlim": (1.0, 2.0)}, "holds zero"),
        (results, {"lfc": -1.0}, "lfc=-1.0"),
        (results, {"label": "nothing"}, "no gene"),
        (results, {"alpha": 2.0}, "not a level"),
    ):
        with pytest.raises(OptionError, match=words):
            cn.plot_volcano(given, **options)


def test_names_do_not_overlap_and_stay_inside():
    ax = Figure(figsize=(5.0, 4.0), dpi=100).add_subplot()
    ax.set(xlim=(0.0, 10.0), ylim=(0.0, 10.0))
    rng = np.random.default_rng(2)
    x, y = np.concatenate([rng.normal(5.0, 0.4, (12, 2)), [[0.0, 0.0], [10.0, 10.0]]]).T
    write_names(ax, [f"GENE{k}" for k in range(14)], x, y, np.column_stack([x, y]))
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the lines
    assert len(boxes) == 14
    for k, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:k])
        assert ax.bbox.x0 <= one.x0
        assert one.x1 <= ax.bbox.x1
        assert ax.bbox.y0 <= one.y0
        assert one.y1 <= ax.bbox.y1
