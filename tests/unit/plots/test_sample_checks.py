"""Figures that show whether a sample differs from the others: size factors and Cook's distances."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import MissingStepError, OptionError


@pytest.fixture(scope="module")
def dds():
    return cn.DESeq(cn.make_example_dataset(n=300, m=8, seed=3), quiet=True)


def names(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def example_of_two_factors():
    example = cn.make_example_dataset(n=50, m=8, seed=3)
    sheet = example.samples.assign(batch=[*"xyxyxyxy"])
    return cn.DESeqDataSet(example.counts(), sheet, design="~ batch + condition", quiet=True)


# ---- size factors ----


def test_library_sizes_and_size_factors(dds):
    data = cn.plot_size_factors(dds, "condition", return_data=True)
    assert list(data) == ["librarySize", "sizeFactor", "ratio", "condition"]
    np.testing.assert_array_equal(data["librarySize"], dds.counts().sum())
    np.testing.assert_array_equal(data["sizeFactor"], dds.size_factors)
    assert data["ratio"].median() == pytest.approx(1.0)
    per_count = data["sizeFactor"] / data["librarySize"]
    np.testing.assert_allclose(data["ratio"] / per_count, (data["ratio"] / per_count).iloc[0])
    figure = cn.plot_size_factors(dds, "condition")
    assert legend(figure) == ["A", "B"]
    ax = figure.axes[0]
    points = np.concatenate([part.get_offsets() for part in ax.collections])
    assert sorted(points[:, 0]) == pytest.approx(sorted(data["librarySize"] / 1e6))
    (line,) = ax.lines
    slope = (data["sizeFactor"] / data["ratio"] / data["librarySize"]).iloc[0] * 1e6
    np.testing.assert_allclose(line.get_ydata(), slope * np.asarray(line.get_xdata()))


def test_size_factors_are_estimated_for_the_plot_alone(dds):
    fresh = cn.make_example_dataset(n=300, m=8, seed=3)
    data = cn.plot_size_factors(fresh, return_data=True)
    np.testing.assert_array_equal(data["sizeFactor"], dds.size_factors)
    assert fresh.size_factors is None


def test_a_sample_off_the_line_is_named():
    example = cn.make_example_dataset(n=300, m=8, seed=3)
    counts = example.counts()
    counts.loc["gene7", "sample3"] += 5 * counts["sample3"].sum()
    fresh = cn.DESeqDataSet(counts, example.samples, design="~ condition", quiet=True)
    assert names(cn.plot_size_factors(fresh)) == ["sample3"]
    assert cn.plot_size_factors(fresh, return_data=True)["ratio"].idxmin() == "sample3"
    assert len(names(cn.plot_size_factors(fresh, label=True))) == 8
    assert names(cn.plot_size_factors(fresh, label=False)) == []
    assert names(cn.plot_size_factors(fresh, label="sample1")) == ["sample1"]


def test_normalization_factors_are_drawn_by_their_median():
    fresh = cn.make_example_dataset(n=300, m=8, seed=3)
    factors = np.exp(np.random.default_rng(1).normal(size=(300, 8)) / 4)
    factors /= np.exp(np.log(factors).mean(axis=1, keepdims=True))
    fresh.normalization_factors = factors
    data = cn.plot_size_factors(fresh, return_data=True)
    np.testing.assert_allclose(data["sizeFactor"], np.median(factors, axis=0))
    assert cn.plot_size_factors(fresh).axes[0].get_ylabel() == "median normalization factor"


def test_very_different_libraries_have_logarithmic_axes(tmp_path):
    example = cn.make_example_dataset(n=300, m=4, seed=3)
    counts = example.counts() * [1, 50, 3, 1]
    figure = cn.plot_size_factors(cn.DESeqDataSet(counts, example.samples, design="~ condition", quiet=True))
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    figure.savefig(tmp_path / "sizes.png")


# ---- Cook's distances ----


def test_quantiles_of_cooks_distances(dds):
    cooks = dds.cooks().dropna()
    data = cn.plot_cooks(dds, "condition", return_data=True)
    assert list(data) == ["low", "q1", "median", "q3", "high", "largest", "above", "condition"]
    for name, level in (("low", 0.01), ("q1", 0.25), ("median", 0.5), ("q3", 0.75), ("high", 0.99), ("largest", 1.0)):
        np.testing.assert_allclose(data[name], cooks.quantile(level))
    assert data.attrs["genes"] == len(cooks)
    assert data.attrs["cutoff"] == pytest.approx(10.924767)  # qf(0.99, 2, 6) in R
    np.testing.assert_array_equal(data["above"], (cooks > data.attrs["cutoff"]).sum())


def test_the_cutoff_is_that_of_results(dds):
    data = cn.plot_cooks(dds, return_data=True)
    assert data.attrs["cutoff"] == dds.results().info.cooks_cutoff


def test_boxes_and_counts_of_cooks_distances(dds):
    figure = cn.plot_cooks(dds, "condition")
    data = cn.plot_cooks(dds, return_data=True)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == data.index.tolist()
    assert names(figure) == [str(number) for number in data["above"]]
    assert legend(figure) == ["A", "B"]
    boxes = [bar for bar in ax.patches if bar.get_width() > 0]
    np.testing.assert_allclose([box.get_x() for box in boxes], data["q1"])
    np.testing.assert_allclose([box.get_x() + box.get_width() for box in boxes], data["q3"])
    assert len({box.get_facecolor() for box in boxes[:4]}) == 1
    assert boxes[0].get_facecolor() != boxes[4].get_facecolor()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first sample at the top
    drawn = sum(len(part.get_offsets()) for part in ax.collections if part.get_paths() and len(part.get_offsets()) > 1)
    assert drawn == 8  # the largest of each sample, and not every gene


def test_boxes_of_many_samples_fit_a_page():
    cooks = pd.DataFrame(np.random.default_rng(1).chisquare(1, (50, 250))).rename(columns="sample {}".format)
    data = cn.plots.cooks._data(cooks, 250, 2)
    figure = cn.plots.cooks._drawn(data, pd.DataFrame(index=data.index), None)
    assert figure.get_size_inches()[1] < 15
    assert names(figure) == []
    assert len(figure.axes[0].get_yticklabels()) == 0


def test_the_legend_of_long_levels_stays_in_the_figure_of_cooks_distances():
    cooks = pd.DataFrame(
        np.random.default_rng(1).chisquare(1, (50, 6)), columns=[f"{'long_name_' * 4}{k}" for k in range(6)]
    )
    data = cn.plots.cooks._data(cooks, 6, 3)
    levels = [
        "vehicle_control_DMSO_0.1_percent",
        "dexamethasone_100nM_24h_treatment",
        "mifepristone_RU486_plus_dex_24h",
    ]
    figure = cn.plots.cooks._drawn(data, pd.DataFrame({"treatment": levels * 2}, index=data.index), None)
    figure.draw_without_rendering()
    assert sorted(legend(figure)) == sorted(levels)
    ax = figure.axes[0]
    for part in (ax.get_legend(), ax.xaxis.label):
        assert part.get_window_extent().x1 <= figure.bbox.x1
    title = next(text for text in ax.get_children() if getattr(text, "get_text", str)() == ax.get_title(loc="left"))
    assert ax.get_legend().get_window_extent().y1 <= title.get_window_extent().y0 + 2.0


def test_designs_without_residual_degrees_of_freedom_have_no_cutoff(tmp_path):
    example = cn.make_example_dataset(n=300, m=4, seed=3)
    sheet = example.samples.assign(who=[*"abcd"])
    given = cn.DESeqDataSet(example.counts(), sheet, design="~ condition", quiet=True).deseq(quiet=True)
    assert np.isfinite(cn.plot_cooks(given, return_data=True).attrs["cutoff"])
    found = cn.plots.cooks._data(pd.DataFrame(np.full((5, 4), np.nan), columns=[*"abcd"]), 4, 4)
    assert np.isnan(found.attrs["cutoff"])
    assert found.attrs["genes"] == 0
    assert (found["above"] == 0).all()
    figure = cn.plots.cooks._drawn(found, pd.DataFrame(index=found.index), None)
    assert names(figure) == []
    figure.savefig(tmp_path / "none.png")
    zero = cn.plots.cooks._data(pd.DataFrame(np.zeros((5, 4)), columns=[*"abcd"]), 4, 2)
    cn.plots.cooks._drawn(zero, pd.DataFrame(index=zero.index), None).savefig(tmp_path / "zero.png")


def test_given_axes_of_samples_are_used(dds, tmp_path):
    figure = Figure(figsize=(12, 5), layout="constrained")
    one, two = figure.subplots(1, 2)
    assert cn.plot_size_factors(dds, "condition", label=True, ax=one) is figure
    assert cn.plot_cooks(dds, ax=two) is figure
    figure.savefig(tmp_path / "samples.pdf")


def test_wrong_input_of_figures_of_samples_is_named(dds):
    for draw in (cn.plot_size_factors, cn.plot_cooks):
        with pytest.raises(OptionError, match=f"{draw.__name__} needs a DESeqDataSet; got None"):
            draw(None)
        with pytest.raises(OptionError, match=r"no column 'conditions'. Did you mean 'condition'"):
            draw(dds, "conditions")
    with pytest.raises(OptionError, match=r"there is no sample 'sample9'. Did you mean"):
        cn.plot_size_factors(dds, label=["sample9"])
    for value in ("no", 1, [True]):
        with pytest.raises(OptionError, match=r"label=.* must be True or False, or name samples"):
            cn.plot_size_factors(dds, label=value)
    with pytest.raises(OptionError, match="the boxes have one colour each; give one column"):
        cn.plot_cooks(example_of_two_factors(), ["condition", "batch"])
    with pytest.raises(MissingStepError, match=r"couldn't find results. You should first run deseq"):
        cn.plot_cooks(cn.make_example_dataset(n=50, m=6))
