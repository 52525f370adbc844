from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from countnest.errors import MissingStepError, OptionError
from countnest.plots import plot_dispersion


@pytest.fixture
def genes():
    rng = np.random.default_rng(2)
    mean = rng.lognormal(5.0, 2.0, 300)
    fit = 0.05 + 3.0 / mean
    table = pd.DataFrame(
        {
            "baseMean": mean,
            "dispGeneEst": fit * rng.lognormal(0.0, 1.0, 300),
            "dispFit": fit,
            "dispersion": fit * rng.lognormal(0.0, 0.4, 300),
            "dispOutlier": False,
        }
    )
    table.loc[:9, "dispGeneEst"] = 1e-8
    table.loc[10:14, "dispOutlier"] = True
    table.loc[10:14, "dispersion"] = table.loc[10:14, "dispGeneEst"]
    table["dispOutlier"] = table["dispOutlier"].astype(object)
    table.loc[290:] = (0.0, np.nan, np.nan, np.nan, np.nan)
    return table


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_all_layers(genes):
    figure = plot_dispersion(genes, SimpleNamespace(fit_type="parametric"))
    assert isinstance(figure, Figure)
    below = plot_dispersion(genes, return_data=True)["below"].sum()
    first, second, *others = labels(figure)
    assert (first, second.split(": ")[1]) == ("gene-wise", str(below))
    assert others == ["fitted (parametric)", "final", "outliers, not shrunken: 5"]
    ax = figure.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mean of normalized counts", "dispersion")
    assert [len(collection.get_offsets()) for collection in ax.collections] == [290 - below, below, 285, 5]


def test_trend_is_a_line_in_order_of_the_mean(genes):
    (line,) = plot_dispersion(genes).axes[0].lines
    assert (np.diff(line.get_xdata()) >= 0).all()
    assert len(line.get_xdata()) == 290


def test_estimates_at_the_minimum_are_triangles_at_the_border(genes):
    genes.loc[:4, "dispGeneEst"] = 0.0
    data = plot_dispersion(genes, return_data=True)
    border = data.attrs["border"]
    assert data.index[data["below"]].tolist()[:10] == list(range(10))
    assert 10 <= data["below"].sum() <= 13  # and 1 % of the 280 others at most
    ax = plot_dispersion(genes).axes[0]
    triangles = np.asarray(ax.collections[1].get_offsets())
    np.testing.assert_array_equal(triangles[:, 0], data.loc[data["below"], "baseMean"])
    assert set(triangles[:, 1]) == {border}
    assert border < min(genes["dispFit"].min(), genes["dispersion"].min())
    low, high = ax.get_ylim()
    assert 0 < np.log10(border / low) < 0.05 * np.log10(high / low)


def test_final_values_at_the_minimum_are_triangles_too(genes):
    """Dispersions of one gene each: final ones at the minimum of the search do not stretch the axis."""
    own = genes[["baseMean", "dispGeneEst"]].assign(dispersion=genes["dispGeneEst"])
    ax = plot_dispersion(own).axes[0]
    assert ax.get_ylim()[0] > 1e-5
    assert len(ax.collections[3].get_offsets()) == plot_dispersion(own, return_data=True)["below"].sum()


def test_estimates_that_are_all_at_the_minimum_are_drawn(genes, tmp_path):
    genes["dispGeneEst"] = 1e-8
    figure = plot_dispersion(genes[["baseMean", "dispGeneEst"]])
    assert labels(figure) == ["gene-wise"]
    figure.savefig(tmp_path / "dispersion.png")


def test_data_of_the_dispersion_plot(genes):
    data = plot_dispersion(genes, return_data=True)
    assert list(data) == ["baseMean", "dispGeneEst", "dispFit", "dispersion", "dispOutlier", "below"]
    shown = genes.iloc[:290]
    columns = ["baseMean", "dispGeneEst", "dispFit", "dispersion"]
    pd.testing.assert_frame_equal(data[columns], shown[columns], check_flags=False)
    assert data.index[data["dispOutlier"]].tolist() == [10, 11, 12, 13, 14]
    with pytest.raises(OptionError, match="return_data='no' must be True or False"):
        plot_dispersion(genes, return_data="no")


def test_gene_wise_estimates_alone(genes):
    figure = plot_dispersion(genes.loc[10:, ["baseMean", "dispGeneEst"]])
    assert labels(figure)[0] == "gene-wise"
    assert len(labels(figure)) == 2


def test_before_the_estimation(genes):
    with pytest.raises(MissingStepError, match="estimate_dispersions"):
        plot_dispersion(genes[["baseMean"]])


def test_axes_can_be_given_and_saved(genes, tmp_path):
    figure = Figure()
    assert plot_dispersion(genes, ax=figure.add_subplot()) is figure
    figure.savefig(tmp_path / "dispersion.pdf")
    assert (tmp_path / "dispersion.pdf").stat().st_size > 1000


def test_nothing_to_draw(genes, tmp_path):
    plot_dispersion(genes.iloc[290:]).savefig(tmp_path / "dispersion.png")


def test_dispersions_without_a_trend(genes):
    """Dispersions that were estimated gene by gene have no trend, and no gene keeps its own for being an outlier."""
    own = genes.assign(dispersion=genes["dispGeneEst"], dispFit=np.nan)
    own["dispOutlier"] = pd.array([pd.NA] * len(own), dtype="boolean")
    first, below, last = labels(plot_dispersion(own))
    assert (first, below[:6], last) == ("gene-wise", "below ", "final")


def test_dispersions_that_were_given(genes):
    given = genes.assign(dispGeneEst=np.nan, dispFit=np.nan)
    given["dispOutlier"] = pd.array([pd.NA] * len(given), dtype="boolean")
    figure = plot_dispersion(given)
    assert labels(figure) == ["final"]
    least = genes["dispersion"].min()
    assert least / 20 < figure.axes[0].get_ylim()[0] < least
