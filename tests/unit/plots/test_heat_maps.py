from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.offsetbox import TextArea

import countnest as cn
from cases import each
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, SamplesError
from countnest.plots.annotation import bars_of
from countnest.plots.figure import GREY
from countnest.plots.labels import short_names
from countnest.plots.trees import distances_between, tree_of

LABELS = [f"s{j}" for j in range(6)]
GENES = [f"g{i}" for i in range(20)]


@pytest.fixture
def table():
    gene, sample = np.ogrid[:20, :6]
    values = 5 + ((7 * gene + 3 * sample + gene * sample**2) % 11) / 4 + np.where((gene < 6) & (sample % 2 == 1), 9, 0)
    return pd.DataFrame(values, index=GENES, columns=LABELS)


@pytest.fixture
def sheet():
    dose = pd.Categorical(["low", "high"] * 3, categories=["low", "high"])
    return pd.DataFrame({"dose": dose, "batch": [*"xxyyzz"], "age": [31.0, 42.0, 25.0, 60.0, 33.0, 58.0]}, index=LABELS)


@pytest.fixture
def results():
    padj = np.linspace(0.9, 0.01, 20)
    padj[19] = np.nan
    symbols = ["", "TP53", "TP53", *(f"SYM{i}" for i in range(3, 20))]
    found = pd.DataFrame(
        {"baseMean": 1.0, "log2FoldChange": 1.0, "stat": 1.0, "pvalue": padj, "padj": padj, "symbol": symbols},
        index=GENES,
    )
    return Results(found, ResultsInfo(label="high vs low", annotation=("symbol",)))


def row_names(figure):
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def column_names(figure):
    return [text.get_text() for text in figure.axes[0].get_xticklabels()]


def image(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def keys(figure):
    return [area.get_text() for inset in figure.axes[0].child_axes for area in inset.findobj(TextArea)]


# ---- clustering ----


def test_brackets_are_those_of_complete_linkage():
    tree = tree_of(distances_between(np.array([[0.0], [5.0], [1.0]])))
    assert tree.order.tolist() == [0, 2, 1]
    np.testing.assert_allclose(tree.heights, [[0, 1, 1, 0], [0, 5, 5, 1]])
    np.testing.assert_allclose(np.sort(tree.places, axis=1), [[0, 0, 1, 1], [0.5, 0.5, 2, 2]])


def test_neighbours_are_similar_and_the_first_row_is_in_the_first_half():
    rng = np.random.default_rng(2)
    for _ in range(20):
        line = rng.permutation(np.arange(12.0) ** 1.5)
        order = tree_of(distances_between(line[:, None])).order
        assert np.flatnonzero(order == 0)[0] <= 5
        assert sorted(order) == list(range(12))
        steps = np.diff(line[order])
        assert (steps > 0).all() or (steps < 0).all()


def test_long_chains_of_mergers_have_a_tree():
    tree = tree_of(distances_between((1.01 ** np.arange(1500.0))[:, None]))
    assert sorted(tree.order) == list(range(1500))
    assert tree.places.shape == (1499, 4)


def test_one_row_and_equal_rows():
    assert tree_of(distances_between(np.ones((1, 4)))).order.tolist() == [0]
    equal = tree_of(distances_between(np.ones((5, 4))))
    assert sorted(equal.order) == [0, 1, 2, 3, 4]
    assert (equal.heights == 0).all()


# ---- bars ----


def test_no_two_levels_of_a_heat_map_have_the_same_colour(sheet):
    sheet["site"] = [f"site {j}" for j in range(6)]
    bars = bars_of(sheet[["dose", "batch", "site"]])
    assert [text for text, _ in bars[0].keys] == ["low", "high"]
    assert len({colour for bar in bars for _, colour in bar.keys}) == 2 + 3 + 6
    for bar, name in zip(bars, ["dose", "batch", "site"], strict=True):
        colours = dict(bar.keys)
        np.testing.assert_array_equal(bar.colours, [colours[level] for level in sheet[name].astype(str)])


def test_missing_values_are_grey(sheet):
    sheet.loc["s2", ["batch", "age"]] = None
    for bar in bars_of(sheet[["batch", "age"]]):
        assert (bar.keys[-1][0], to_hex(bar.keys[-1][1])) == ("NA", GREY.lower())
        assert to_hex(bar.colours[2]) == GREY.lower()
        assert sum(to_hex(colour) == GREY.lower() for colour in bar.colours) == 1


def test_numbers_have_a_scale_and_few_keys(sheet):
    (bar,) = bars_of(sheet[["age"]])
    assert [text for text, _ in bar.keys] == ["25", "42.5", "60"]
    np.testing.assert_allclose(bar.colours[[2, 3]], [bar.keys[0][1], bar.keys[2][1]])
    assert [text for text, _ in bars_of(pd.DataFrame({"dose": [5, 10, 5]}))[0].keys] == ["5", "10"]
    assert [text for text, _ in bars_of(pd.DataFrame({"same": [2.5, 2.5]}))[0].keys] == ["2.5"]
    assert [text for text, _ in bars_of(pd.DataFrame({"none": [np.nan, np.inf]}))[0].keys] == ["NA"]


def test_more_levels_than_colours_are_counted():
    (bar,) = bars_of(pd.DataFrame({"family": [f"f{j:02d}" for j in range(40)]}))
    assert [text for text, _ in bar.keys] == ["f00", "... 40 levels ...", "f39"]
    assert len(np.unique(bar.colours, axis=0)) == 40


def test_long_names_keep_both_ends_unless_two_would_be_one():
    names = ["patient_01_of_the_first_hospital_treated", "short"]
    assert short_names(names, 15) == ["patient\N{HORIZONTAL ELLIPSIS}treated", "short"]
    twins = ["patient_01_of_the_first_hospital_treated", "patient_01_of_the_other_hospital_treated"]
    assert short_names(twins, 15) == twins


# ---- distances ----


def test_distances_between_samples_in_the_order_of_the_figure(table, sheet):
    data = cn.plot_distances(table, return_data=True)
    assert data.index.equals(data.columns)
    assert sorted(data.index) == LABELS
    assert {*data.index[:3]} == {"s0", "s2", "s4"}
    for one in LABELS:
        for other in LABELS:
            assert data.loc[one, other] == pytest.approx(np.linalg.norm(table[one] - table[other]))
    figure = cn.plot_distances(table, sheet, ["dose", "age"])
    np.testing.assert_array_equal(image(figure), data)
    assert row_names(figure) == data.index.tolist()
    assert figure.axes[0].get_title(loc="left") == "Distances between samples, 20 genes"
    held = Transformed(table=table, method="vst", blind=True)
    pd.testing.assert_frame_equal(cn.plot_distances(held, return_data=True), data)


def test_distances_over_the_genes_that_vary_most(table):
    top = Transformed(table=table, method="vst", blind=True).top_variance(4)
    few = cn.plot_distances(table, ntop=4, return_data=True)
    assert few.loc["s0", "s1"] == pytest.approx(np.linalg.norm(top["s0"] - top["s1"]))
    pd.testing.assert_frame_equal(
        cn.plot_distances(table, ntop=99, return_data=True).loc[LABELS, LABELS],
        cn.plot_distances(table, return_data=True).loc[LABELS, LABELS],
    )


def test_the_scale_starts_at_the_smallest_distance(table):
    data = cn.plot_distances(table, return_data=True).to_numpy()
    apart = data[~np.eye(6, dtype=bool)]
    figure = cn.plot_distances(table)
    assert figure.axes[0].images[0].get_clim() == pytest.approx((apart.min(), apart.max()))
    assert cn.plot_distances(table[["s0", "s1"]]).axes[0].images[0].get_clim()[0] == 0.0


# ---- genes ----


def test_rows_are_centred_and_in_the_order_of_the_figure(table, sheet):
    data = cn.plot_heatmap(table, genes=8, return_data=True)
    top = Transformed(table=table, method="vst", blind=True).top_variance(8)
    assert sorted(data.index) == sorted(top.index)
    pd.testing.assert_frame_equal(
        data.loc[top.index, LABELS], top.sub(top.mean(axis=1), axis=0), check_names=False, rtol=1e-12
    )
    assert {*data.columns[:3]} == {"s0", "s2", "s4"}
    figure = cn.plot_heatmap(table, sheet, "dose", genes=8)
    np.testing.assert_array_equal(image(figure), data)
    assert (row_names(figure), column_names(figure)) == (data.index.tolist(), data.columns.tolist())
    assert figure.axes[0].get_title(loc="left") == "The 8 genes that vary most"


def test_genes_of_a_table_of_results(table, results):
    data = cn.plot_heatmap(table, genes=3, by=results, return_data=True)
    assert sorted(data.index) == ["g16", "g17", "g18"]
    assert sorted(data.attrs["names"]) == ["SYM16", "SYM17", "SYM18"]
    figure = cn.plot_heatmap(table, genes=3, by=results)
    assert row_names(figure) == data.attrs["names"]
    assert figure.axes[0].get_title(loc="left") == "First 3 genes of high vs low"
    every = cn.plot_heatmap(table, genes=100, by=results, return_data=True)
    assert len(every) == 19  # the gene that was not tested is no top gene


def test_genes_by_name_or_symbol(table, results):
    info = results.table[["symbol"]]
    for options in ({"by": results}, {"gene_info": info}):
        data = cn.plot_heatmap(table, genes=["SYM5", "g0", "g1", "g2", "g5"], return_data=True, **options)
        assert sorted(data.index) == ["g0", "g1", "g2", "g5"]
        assert sorted(data.attrs["names"]) == ["SYM5", "TP53 (g1)", "TP53 (g2)", "g0"]
    assert cn.plot_heatmap(table, genes="g3", return_data=True).index.tolist() == ["g3"]


def test_scaled_rows_have_one_standard_deviation_and_constant_ones_none(table):
    table.loc["g0"] = 4.7
    data = cn.plot_heatmap(table, genes=20, scale=True, return_data=True)
    np.testing.assert_allclose(data.drop("g0").std(axis=1), 1.0)
    assert (data.loc["g0"] == 0).all()


def test_samples_can_stay_in_their_order(table, sheet):
    data = cn.plot_heatmap(table, cluster_samples=False, return_data=True)
    assert data.columns.tolist() == LABELS
    figure = cn.plot_heatmap(table, sheet, "dose", cluster_samples=False)
    assert column_names(figure) == LABELS


def test_colours_reach_nearly_all_values():
    table, _ = many_samples()
    table.iloc[3, 1] = 1000.0
    low, high = cn.plot_heatmap(table, genes=60).axes[0].images[0].get_clim()
    assert low == -high
    assert 1 < high < 100


def test_colours_of_heat_maps_get_lighter_so_that_they_are_read_in_grey(table):
    for figure in (cn.plot_distances(table), cn.plot_heatmap(table)):
        colours = figure.axes[0].images[0].get_cmap()(np.linspace(0.0, 1.0, 101))[:, :3]
        assert (np.diff(colours @ [0.299, 0.587, 0.114]) > 0).all()


# ---- what stands beside a heat map ----


def many_samples():
    names = [f"patient_{j:03d}_of_{['Amsterdam', 'Lyon'][j % 2]}_treated_for_{j} days" for j in range(30)]
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(60, 30)), index=[f"ENSG{i:011d}" for i in range(60)], columns=names)
    sheet = pd.DataFrame({"site": ["Amsterdam", "Lyon"] * 15, "age": np.arange(30), "plate": np.arange(30) % 9})
    return table, sheet.astype({"plate": str}).set_axis(names)


def test_everything_has_its_space_in_the_figure():
    table, sheet = many_samples()
    for figure in (
        cn.plot_distances(table, sheet, ["site", "age", "plate"]),
        cn.plot_heatmap(table, sheet, ["site", "age", "plate"], genes=40),
    ):
        figure.draw_without_rendering()
        ax = figure.axes[0]
        inside = ax.get_tightbbox()
        assert inside.x0 >= 0
        assert inside.y0 >= 0
        assert inside.x1 <= figure.bbox.x1 + 1
        assert inside.y1 <= figure.bbox.y1 + 1
        assert ax.bbox.width > 4.0 * figure.dpi
        assert ax.bbox.height > 4.0 * figure.dpi
        boxes = [text.get_window_extent() for text in ax.get_yticklabels()]
        assert all(below.y1 <= above.y0 + 1 for above, below in pairwise(boxes))
        scale = next(inset for inset in ax.child_axes if inset.get_title(loc="left"))
        assert scale.get_window_extent().x0 > max(box.x1 for box in boxes)
        assert keys(figure)[:3] == ["site", "Amsterdam", "Lyon"]
        assert {"plate", "0", "8", "14.5"} <= {*keys(figure)}


def test_names_that_could_not_be_read_are_left_out():
    rng = np.random.default_rng(6)
    table = pd.DataFrame(rng.normal(size=(400, 200)), columns=[f"sample {j}" for j in range(200)]).rename("g{}".format)
    figure = cn.plot_heatmap(table, genes=400)
    assert row_names(figure) == column_names(figure) == []
    figure = Figure(figsize=(8, 4), layout="constrained")
    cn.plot_heatmap(table.iloc[:, :6], genes=80, ax=figure.add_subplot())
    assert row_names(figure) == []
    assert len(column_names(figure)) == 6


def test_given_axes_of_heat_maps_are_used(table, sheet, tmp_path):
    figure = Figure(figsize=(12, 6), layout="constrained")
    one, two = figure.subplots(1, 2)
    assert cn.plot_distances(table, sheet, "dose", ax=one) is figure
    assert cn.plot_heatmap(table, sheet, ["dose", "age"], ax=two) is figure
    figure.savefig(tmp_path / "both.pdf")
    assert one.get_tightbbox().x1 <= two.get_tightbbox().x0


def test_awkward_tables_are_drawn(table, sheet, tmp_path):
    for number, figure in enumerate(
        [
            cn.plot_distances(table[["s0", "s1"]], sheet, "dose"),
            cn.plot_distances(table * 0),
            cn.plot_distances(table.iloc[:1]),
            cn.plot_heatmap(table[["s0", "s1"]], sheet, ["dose", "age"], genes=1),
            cn.plot_heatmap(table * 0, sheet, "dose"),
            cn.plot_heatmap(table * 0, scale=True),
        ]
    ):
        figure.savefig(tmp_path / f"{number}.png")


@each(
    ("options", "words"),
    [
        ({"intgroup": "doses"}, "no column 'doses'. Did you mean 'dose'"),
        ({"intgroup": "dose", "samples": None}, "needs the sample sheet; give samples=dds.samples"),
        ({"intgroup": "dose", "samples": "dose"}, "samples must be the sample sheet, such as dds.samples; got a str"),
        ({"genes": 0}, "genes=0 genes cannot be chosen"),
        ({"genes": ["g1", "g99"]}, "no gene 'g99'"),
        ({"genes": []}, "draws 1 to 5,000 genes; 0 were chosen"),
        ({"by": "g1"}, "by= chooses the genes; give the Results that results.. returns, not a str"),
        ({"gene_info": ["TP53"]}, "gene_info must be a DataFrame such as dds.gene_info; got a list"),
    ],
)
def test_heat_maps_that_cannot_be_drawn_are_named(table, sheet, options, words):
    with pytest.raises(OptionError, match=words):
        cn.plot_heatmap(**{"transformed": table, "samples": sheet, **options})


def test_tables_that_are_no_heat_map(table, sheet, results):
    for draw in (cn.plot_distances, cn.plot_heatmap):
        with pytest.raises(OptionError, match="made of transformed counts, not of a ndarray; give vst"):
            draw(table.to_numpy())
        with pytest.raises(OptionError, match="1 sample"):
            draw(table[["s0"]])
        with pytest.raises(OptionError, match="missing or infinite values in 1 gene: 'g7'"):
            draw(table.drop("g7").reindex(table.index))
        with pytest.raises(SamplesError, match="lacks 2 samples of the transformed counts: 's4', 's5'"):
            draw(table, sheet.iloc[:4], "dose")
    with pytest.raises(OptionError, match="6 samples and 0 genes"):
        cn.plot_distances(table.iloc[:0])
    with pytest.raises(OptionError, match="ntop=0 genes"):
        cn.plot_distances(table, ntop=0)
    with pytest.raises(OptionError, match="genes= is a table of results; give by=res"):
        cn.plot_heatmap(table, genes=results)
    with pytest.raises(OptionError, match="lack 2 genes of the table: 'g18', 'g17'"):
        cn.plot_heatmap(table.iloc[:17], genes=2, by=results)
