import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.special import stdtrit

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError


def part(change, padj=0.01, confint=None, **columns):
    table = pd.DataFrame(
        {"baseMean": 1.0, "log2FoldChange": change, "padj": padj, **columns, "symbol": ["A", "B"]}, index=["g1", "g2"]
    )
    return Results(table, ResultsInfo(label="x", annotation=("symbol",), confint=confint))


def test_intervals_are_those_of_the_tables_or_of_standard_errors():
    found = ResultsSet(
        {
            "normal": part(1.0, lfcSE=0.5),
            "t": part(-1.0, padj=0.5, lfcSE=0.5, df=4.0),
            "given": part(2.0, ciLower=1.5, ciUpper=4.0, lfcSE=9.0, confint=0.9),
            "none": part(0.5, padj=np.nan),
            "missing": part(np.nan, lfcSE=np.nan),
        }
    )
    data = cn.plot_changes(found, "B", return_data=True)
    t = stdtrit(4.0, 0.975) * 0.5
    expected = [
        [1.0, 1.0 - 1.959964 / 2, 1.0 + 1.959964 / 2, 0.95],
        [-1.0, -1.0 - t, -1.0 + t, 0.95],
        [2.0, 1.5, 4.0, 0.9],
        [0.5, np.nan, np.nan, np.nan],
        [np.nan, np.nan, np.nan, 0.95],
    ]
    np.testing.assert_allclose(data.iloc[:, :4].to_numpy(float), expected, rtol=1e-6)
    assert data["significant"].tolist() == [True, False, True, False, True]
    assert cn.plot_changes(found, "B", alpha=0.6, return_data=True)["significant"].tolist()[:2] == [True, True]
    figure = cn.plot_changes(found, "g2")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == list(found)
    assert ax.get_title(loc="left") == "B (g2)"
    assert ax.get_xlabel() == "log2 fold change, intervals"
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is at the top


def test_a_gene_without_any_fold_change_is_said_to_have_none(tmp_path):
    figure = cn.plot_changes(ResultsSet({"a": part(np.nan, padj=np.nan)}), "g1")
    figure.savefig(tmp_path / "figure.png")
    assert [text.get_text() for text in figure.axes[0].texts] == ["no fold change is known"]


def test_what_cannot_be_drawn_is_refused():
    joint = Results(part(1.0).table.drop(columns="log2FoldChange"), ResultsInfo(label="x", annotation=("symbol",)))
    fewer = Results(part(1.0).table.iloc[:1], ResultsInfo(label="x", annotation=("symbol",)))
    for found, gene, words in (
        (part(1.0), "g1", "draws the rows of a query"),
        (ResultsSet({"a": part(1.0), "b": joint}), "g1", "'b' is a joint test"),
        (ResultsSet({"a": part(1.0), "b": fewer}), "g2", "'b' has no gene 'g2'"),
        (ResultsSet({"a": part(1.0)}), "C", "no gene"),
    ):
        with pytest.raises(OptionError, match=words):
            cn.plot_changes(found, gene)


def test_long_names_of_rows_are_written_whole_and_stay_in_the_figure(tmp_path):
    levels = (
        "dexamethasone_100nM_24h_treatment",
        "mifepristone_RU486_plus_dex_24h",
        "vehicle_control_DMSO_0.1_percent",
    )
    names = [f"treatment_group[{one} - {other}]" for one in levels for other in levels if one != other]
    names.append("one_word_" * 20)
    found = ResultsSet({name: part(1.0, lfcSE=0.5) for name in names})
    for figure, ax in (
        (changes := cn.plot_changes(found, "g1"), changes.axes[0]),
        (upset := cn.plot_upset(found), upset.axes[0].child_axes[1]),
    ):
        figure.savefig(tmp_path / "figure.png")
        labels = ax.get_yticklabels()
        for label, name in zip(labels, names, strict=True):
            assert label.get_text().replace("\n", "").replace(" ", "").startswith(name.replace(" ", ""))
            assert max(map(len, label.get_text().split("\n"))) <= 52
            assert label.get_window_extent().x0 >= 0.0
        boxes = [label.get_window_extent() for label in labels]
        assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))
    cn.plot_changes(found, "g1", ax=Figure(layout="constrained").add_subplot()).savefig(tmp_path / "given.png")
