import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, SamplesError
from countnest.plots.figure import GREY, new_axes
from countnest.plots.pca import plot_pca

LABELS = [f"s{j}" for j in range(6)]


@pytest.fixture
def table():
    gene, sample = np.ogrid[:20, :6]
    values = 5 + ((7 * gene + 3 * sample + gene * sample**2) % 11) / 4 + np.where((gene < 6) & (sample >= 3), 3, 0)
    return pd.DataFrame(values, index=[f"g{i}" for i in range(20)], columns=LABELS)


@pytest.fixture
def sheet():
    dose = pd.Categorical(["low", "low", "high", "low", "high", "high"], categories=["low", "high"])
    age = [31.0, 42.0, 25.0, 60.0, 33.0, 58.0]
    return pd.DataFrame({"dose": dose, "batch": [*"xyxyxy"], "age": age}, index=LABELS)


def clouds(figure):
    return [part for part in figure.axes[0].collections if isinstance(part, PathCollection)]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def looks(figure):
    """Return colour and outline of each group."""
    return [(to_hex(part.get_facecolor()[0]), part.get_paths()[0].vertices.tobytes()) for part in clouds(figure)]


def test_components_of_deseq2(table, sheet):
    # plotPCA(intgroup = c("dose", "batch"), ntop = 8, returnData = TRUE) of DESeq2 1.38.3, for the same table
    first = [3.89394229924753876, 3.57819881854903965, 2.63285502011400485]
    first += [-4.31076730671835229, -2.84257097339295184, -2.95165785779928180]
    second = [1.64282817521097435, -1.65829594006944570, 0.35894237744735902]
    second += [1.76378220423709231, -0.22968176612074631, -1.87757505070523512]
    data = plot_pca(table, sheet, ["dose", "batch"], ntop=8, return_data=True)
    assert list(data) == ["PC1", "PC2", "group", "dose", "batch"]
    for name, expected in (("PC1", first), ("PC2", second)):
        sign = np.sign(data.loc["s0", name]) * np.sign(expected[0])
        np.testing.assert_allclose(sign * data[name], expected, atol=1e-10)
    np.testing.assert_allclose(data.attrs["percent_var"], [0.77144071456966701, 0.13465950097726739], atol=1e-10)
    assert data["group"].tolist() == ["low:x", "low:y", "high:x", "low:y", "high:x", "high:y"]
    pd.testing.assert_frame_equal(data[["dose", "batch"]], sheet[["dose", "batch"]])


def test_sign_is_fixed_by_the_largest_loading(table):
    data = plot_pca(table, ntop=8, return_data=True)
    top = table.loc[["g0", "g5", "g4", "g2", "g1", "g3", "g16", "g11"]]
    for name in ("PC1", "PC2"):
        loadings = top.sub(top.mean(axis=1), axis=0) @ data[name]
        assert loadings.loc[loadings.abs().idxmax()] > 0


def test_transformed_counts_and_their_table_are_alike(table):
    held = Transformed(table=table, method="vst", blind=True)
    pd.testing.assert_frame_equal(plot_pca(held, return_data=True), plot_pca(table, return_data=True))


def test_samples_are_matched_by_label(table, sheet):
    other = pd.concat([sheet.iloc[::-1], sheet.iloc[:1].set_axis(["more"])])
    pd.testing.assert_frame_equal(
        plot_pca(table, other, "dose", return_data=True), plot_pca(table, sheet, "dose", return_data=True)
    )


def test_every_sample_at_its_scores(table, sheet):
    figure = plot_pca(table, sheet, "dose", ntop=8)
    assert isinstance(figure, Figure)
    data = plot_pca(table, sheet, "dose", ntop=8, return_data=True)
    assert legend(figure) == ["low", "high"]  # in the order of levels
    assert figure.axes[0].get_legend().get_title().get_text() == "dose"
    for level, cloud in zip(["low", "high"], clouds(figure), strict=True):
        np.testing.assert_allclose(cloud.get_offsets(), data.loc[data["group"] == level, ["PC1", "PC2"]])
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PC1: 77% variance", "PC2: 13% variance")
    assert ax.get_title(loc="left") == "Principal components of 8 genes"


def test_both_axes_have_the_same_scale(table, sheet):
    for figure in (plot_pca(table, sheet, "dose"), plot_pca(table, ax=Figure(figsize=(7, 3)).add_subplot())):
        figure.draw_without_rendering()
        ax = figure.axes[0]
        box = ax.get_window_extent()
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        assert box.width / (right - left) == pytest.approx(box.height / (high - low))


def test_legend_is_beside_the_points(table, sheet):
    figure = plot_pca(table, sheet, ["dose", "batch"])
    figure.draw_without_rendering()
    ax = figure.axes[0]
    beside = ax.get_legend().get_window_extent()
    assert beside.x0 >= ax.get_window_extent().x1
    assert beside.x1 <= figure.bbox.x1


def test_other_components(table):
    every = plot_pca(table, pcs=range(1, 6), return_data=True)
    assert list(every) == ["PC1", "PC2", "PC3", "PC4", "PC5"]
    assert sum(every.attrs["percent_var"]) == pytest.approx(1.0)
    figure = plot_pca(table, pcs=(3, 1))
    np.testing.assert_allclose(clouds(figure)[0].get_offsets(), every[["PC3", "PC1"]])
    assert figure.axes[0].get_xlabel().startswith("PC3: ")
    assert figure.axes[0].get_ylabel().startswith("PC1: ")


def test_without_groups(table, sheet):
    for given in (None, sheet):
        figure = plot_pca(table, given)
        assert len(clouds(figure)) == 1
        assert figure.axes[0].get_legend() is None
    assert list(plot_pca(table, return_data=True)) == ["PC1", "PC2"]


def test_colour_tells_the_first_of_two_columns_and_marker_the_second(table, sheet):
    figure = plot_pca(table, sheet, ["dose", "batch"])
    assert legend(figure) == ["low:x", "low:y", "high:x", "high:y"]
    (low_x, low_y, high_x, high_y) = looks(figure)
    assert low_x[0] == low_y[0] != high_x[0] == high_y[0]
    assert low_x[1] == high_x[1] != low_y[1] == high_y[1]


@pytest.mark.parametrize("intgroup", ["family", ["family", "batch"], ["family", "batch", "dose"]])
def test_many_groups_all_look_different(intgroup):
    rng = np.random.default_rng(3)
    sheet = pd.DataFrame(
        {"family": [f"f{j // 4:02d}" for j in range(72)], "batch": [*"xy"] * 36, "dose": [*"aabb"] * 18}
    )
    table = pd.DataFrame(rng.normal(size=(50, 72)))
    figure = plot_pca(table, sheet, intgroup)
    expected = sheet.groupby(intgroup).ngroups
    assert len(legend(figure)) == expected
    assert len(set(looks(figure))) == min(expected, 70)  # seven colours, ten markers
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.get_window_extent().width > 0.5 * 5.0 * figure.dpi  # the legend does not take the room of the points
    assert ax.get_legend().get_window_extent().x1 <= figure.bbox.x1


def test_numbers_have_a_continuous_scale(table, sheet):
    figure = plot_pca(table, sheet, "age")
    (cloud,) = clouds(figure)
    np.testing.assert_array_equal(cloud.get_array(), sheet["age"])
    assert figure.axes[0].get_legend() is None
    assert figure.axes[1].get_ylabel() == "age"
    assert plot_pca(table, sheet, "age", return_data=True)["group"].tolist() == sheet["age"].tolist()


def test_numbers_give_the_colour_and_a_second_column_the_marker():
    rng = np.random.default_rng(4)
    sheet = pd.DataFrame({"age": np.arange(20.0), "site": [*"abcd"] * 5, "dose": [1, 2] * 10})
    table = pd.DataFrame(rng.normal(size=(50, 20)))
    figure = plot_pca(table, sheet, ["age", "site"])
    assert legend(figure) == ["a", "b", "c", "d"]
    figure.draw_without_rendering()
    np.testing.assert_array_equal(clouds(figure)[1].get_array(), np.arange(1.0, 20.0, 4.0))
    assert len({part.get_paths()[0].vertices.tobytes() for part in clouds(figure)}) == 4
    assert {part.get_clim() for part in clouds(figure)} == {(0.0, 19.0)}
    assert figure.axes[1].get_ylabel() == "age"
    assert legend(plot_pca(table, sheet, ["dose", "site"]))[:2] == ["1:a", "1:c"]  # two numbers are levels


def test_names_of_samples_do_not_overlap():
    rng = np.random.default_rng(4)
    names = [f"patient_{j:03d}_of_the_university_hospital" for j in range(24)]
    values = rng.normal(size=(50, 24)) + 40 * np.outer(np.arange(50) < 20, np.arange(24) % 3)
    figure = plot_pca(pd.DataFrame(values, columns=names), label=True)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    frame = ax.get_window_extent()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line to the point
    assert sorted(text.get_text()[:11] for text in ax.texts) == [name[:11] for name in names]
    for number, box in enumerate(boxes):
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_names_without_a_free_place_are_left_out():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(50, 300))).rename(columns="sample {:03d}".format)
    figure = plot_pca(table, label=True)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    assert 50 < len(boxes) < 300
    assert not any(box.overlaps(other) for number, box in enumerate(boxes) for other in boxes[:number])


def test_colours_and_markers_of_many_combinations_are_explained_apart():
    sheet = pd.DataFrame({"dose": ["low", "mid", "high"] * 10, "family": [f"f{j // 3}" for j in range(30)]})
    figure = plot_pca(pd.DataFrame(np.random.default_rng(3).normal(size=(50, 30))), sheet, ["dose", "family"])
    assert legend(figure) == ["dose", "high", "low", "mid", "family", *(f"f{j}" for j in range(10))]
    texts = figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts if text.get_fontweight() == "bold"] == ["dose", "family"]
    assert len(set(looks(figure))) == 30
    assert figure.axes[0].get_legend().get_title().get_text() == ""


def test_names_of_some_samples(table, sheet):
    figure = plot_pca(table, sheet, "dose", label=["s4", "s1"])
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["s1", "s4"]
    assert [text.get_text() for text in plot_pca(table, label="s2").axes[0].texts] == ["s2"]
    assert not plot_pca(table).axes[0].texts
    with pytest.raises(OptionError, match=r"must be True or False, or name samples; there is no sample 's44'. Did you"):
        plot_pca(table, label=["s44"])


def test_missing_numbers_are_grey(table, sheet):
    sheet["age"] = pd.array([1, 2, None, 3, 4, 5], dtype="Int64")
    figure = plot_pca(table, sheet, "age")
    figure.draw_without_rendering()
    (cloud,) = clouds(figure)
    assert to_hex(cloud.get_facecolor()[2]) == to_hex(GREY)
    np.testing.assert_allclose(cloud.get_facecolor()[5], to_rgba(mpl.colormaps["viridis"](1.0)))
    assert figure.axes[1].get_ylabel() == "age (grey: missing)"


def test_missing_levels_are_a_group(table, sheet):
    sheet.loc["s2", "batch"] = None
    assert legend(plot_pca(table, sheet, "batch")) == ["x", "y", "NA"]


def test_truth_values_and_numbers_joined_are_groups(table, sheet):
    sheet["old"] = sheet["age"] > 40
    assert legend(plot_pca(table, sheet, "old")) == ["False", "True"]
    sheet["run"] = [10, 9, 10, 9, 10, 9]
    assert legend(plot_pca(table, sheet, ["run", "dose"])) == ["9:low", "9:high", "10:low", "10:high"]


def test_column_names_stay_unique(table, sheet):
    data = plot_pca(table, sheet.rename(columns={"dose": "group", "batch": "PC1"}), ["group", "PC1"], return_data=True)
    assert list(data) == ["PC1", "PC2", "group", "group.1", "PC1.1"]
    assert data["group.1"].tolist() == sheet["dose"].tolist()
    assert data["group"].tolist()[:2] == ["low:x", "low:y"]


def test_inputs_stay_as_they_are(table, sheet):
    before, rows = table.copy(), sheet.copy()
    data = plot_pca(table, sheet, ["dose", "batch"], return_data=True)
    data["PC1"] = 0.0
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(sheet, rows)


def test_given_axes_of_components_are_used(table, sheet, tmp_path):
    ax = new_axes()
    assert plot_pca(table, sheet, "dose", ax=ax) is ax.figure
    ax.figure.savefig(tmp_path / "pca.pdf")
    figure = Figure(layout="constrained")
    for part in figure.subplots(1, 2, sharex=True, sharey=True):
        plot_pca(table, sheet, "age", ax=part)
    figure.savefig(tmp_path / "shared.png")


def test_samples_on_one_line(tmp_path):
    line = pd.DataFrame(np.outer(np.arange(5), np.arange(6.0)))
    figure = plot_pca(line)
    figure.savefig(tmp_path / "line.png")
    assert figure.axes[0].get_xlabel() == "PC1: 100% variance"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"intgroup": "doses"}, "no column 'doses'. Did you mean 'dose'"),
        ({"intgroup": "dose", "samples": None}, "intgroup='dose' needs the sample sheet; give samples=dds.samples"),
        ({"ntop": 0}, "ntop=0 genes"),
        ({"ntop": 2.5}, "ntop=2.5 genes"),
        ({"ntop": 1}, "no component 2; 6 samples and 1 gene have 1"),
        ({"pcs": (1, 6)}, "no component 6; 6 samples and 20 genes have 5"),
        ({"pcs": (0, 1)}, "different whole numbers"),
        ({"pcs": (1, 1)}, "different whole numbers"),
        ({"pcs": 1}, "different whole numbers"),
        ({"pcs": (1, 2, 3)}, "the figure has two axes"),
    ],
)
def test_what_cannot_be_drawn_is_named(table, sheet, arguments, words):
    with pytest.raises(OptionError, match=words):
        plot_pca(**{"transformed": table, "samples": sheet, **arguments})


def test_tables_that_have_no_components(table):
    with pytest.raises(OptionError, match="not of a ndarray; give vst"):
        plot_pca(table.to_numpy())
    with pytest.raises(OptionError, match="no gene varies"):
        plot_pca(table * 0)
    with pytest.raises(OptionError, match="are not numbers"):
        plot_pca(table.astype(str) + "x")
    with pytest.raises(OptionError, match="no component 2; 0 samples"):
        plot_pca(table.iloc[:, :0])
    table.loc["g7", "s2"] = np.nan
    table.loc["g9", "s0"] = -np.inf
    with pytest.raises(OptionError, match="in 2 genes: 'g7', 'g9'"):
        plot_pca(table)


def test_sheets_of_other_samples(table, sheet):
    with pytest.raises(SamplesError, match="lacks 2 samples of the transformed counts: 's4', 's5'"):
        plot_pca(table, sheet.iloc[:4], "dose")
    with pytest.raises(SamplesError, match="more than once: 's1'"):
        plot_pca(table, pd.concat([sheet, sheet.iloc[1:2]]), "dose")
