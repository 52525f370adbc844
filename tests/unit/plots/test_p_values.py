import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.errors import OptionError
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg


def results_of(p_value, left_out=0, **info):
    padj = benjamini_hochberg(p_value)
    table = pd.DataFrame({"baseMean": 1.0, "pvalue": p_value, "padj": padj})
    table.loc[len(table) - left_out :, "padj"] = np.nan
    return Results(table, ResultsInfo(label="a joint test", **info))


def uniform(n=2000):
    return (np.arange(n) + 0.5) / n


def test_bars_count_the_genes_and_levels_are_those_of_the_verdict():
    p_value = np.concatenate([uniform(), uniform(500) ** 6])
    results = results_of(p_value, left_out=100)
    data = cn.plot_pvalues(results, bins=20, return_data=True)
    np.testing.assert_array_equal(data["tested"], np.histogram(p_value[:-100], 20, (0.0, 1.0))[0])
    np.testing.assert_array_equal(data["left_out"], np.histogram(p_value[-100:], 20, (0.0, 1.0))[0])
    verdict = results.verdict()
    assert str(data.attrs["verdict"]) == str(verdict)
    assert data.attrs["expected"] == 2400 / 20
    assert data.attrs["null"] == pytest.approx(verdict.null_share * 2400 / 20)
    figure = cn.plot_pvalues(results, bins=20)
    ax = figure.axes[0]
    assert [line.get_ydata()[0] for line in ax.lines] == [data.attrs["expected"], data.attrs["null"]]
    assert sum(bar.get_height() for bar in ax.patches) == 2500
    assert f"genes with p < 0.05: {verdict.observed:,}; by chance: 120" in ax.texts[0].get_text()


def test_the_shape_is_read():
    n = 2000
    for p_value, words in (
        (uniform(n), "level: no sign"),
        (np.concatenate([uniform(n), np.full(9, 1e-8)]), "level but for a few small ones: few effects"),
        (np.concatenate([uniform(n) ** 0.8, np.full(99, 1e-8)]), "beside the peak at 0 more and more towards 1"),
        (np.concatenate([uniform(n) ** 0.8, uniform(99) / 20.0 + 0.01]), "rising towards 1: the test is cautious"),
        (np.concatenate([uniform(n), uniform(n) ** 6]), "real effects"),
        (uniform(n) ** 0.5, "towards 1: the test is cautious"),
        (np.concatenate([uniform(n), uniform(n) ** 9, 1.0 - uniform(n) ** 9]), "near 0 and near 1"),
        (np.random.default_rng(1).beta(3.0, 3.0, n), "fewer near 0"),
        (uniform(50), "too few genes"),
    ):
        assert words in cn.plot_pvalues(results_of(p_value), return_data=True).attrs["reading"]
    threshold = cn.plot_pvalues(results_of(uniform(), lfc_threshold=1.0), return_data=True).attrs["reading"]
    assert threshold.startswith("a test against a threshold")


def test_few_genes_all_called_and_long_titles_are_drawn(tmp_path):
    for p_value in (np.array([0.01]), np.array([0.2, 0.4, 1.0]), np.zeros(300), np.ones(300)):
        results = results_of(p_value)
        cn.plot_pvalues(Results(results.table, ResultsInfo(label="a joint test of rows, " * 9))).savefig(
            tmp_path / "figure.png"
        )
        assert cn.plot_pvalues(results, return_data=True)["tested"].sum() == len(p_value)


def test_what_cannot_be_drawn_is_refused():
    results = results_of(uniform(200))
    for given, options, words in (
        (results.table, {}, "needs the Results"),
        (Results(results.table.assign(padj=np.nan, pvalue=np.nan), results.info), {}, "no gene of the table"),
        (Results(results.table.drop(columns="pvalue"), results.info), {}, "no columns pvalue and padj"),
        (Results(results.table.iloc[:0], results.info), {}, "no gene of the table"),
        (results, {"bins": 1}, "bins=1"),
        (results, {"bins": 2.5}, "bins=2.5"),
        (results, {"alpha": 0.0}, "not a level"),
    ):
        with pytest.raises(OptionError, match=words):
            cn.plot_pvalues(given, **options)
