import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError

GENES = [f"g{k}" for k in range(8)]


def calling(called, genes=GENES):
    padj = [0.01 if int(gene[1:]) in called else np.nan if gene == "g7" else 0.5 for gene in genes]
    change = [-1.0 if gene == "g1" else 1.0 for gene in genes]
    table = pd.DataFrame({"baseMean": 1.0, "log2FoldChange": change, "padj": padj}, index=genes)
    return Results(table, ResultsInfo(label="x"))


TABLES = {"one": calling({0, 1, 2, 3}), "two": calling({1, 2, 3, 4}), "three": calling({3, 5}, GENES[:6])}


def rows(data):
    return [tuple(row) for row in data.to_numpy().tolist()]


def test_bars_count_genes_of_exactly_these_tables():
    data = cn.plot_upset(TABLES, return_data=True)
    assert data.columns.tolist() == ["one", "two", "three", "genes"]
    assert rows(data)[0] == (True, True, False, 2)
    assert set(rows(data)[1:]) == {
        (True, False, False, 1),
        (False, True, False, 1),
        (False, False, True, 1),
        (True, True, True, 1),
    }
    members = data.attrs["members"]
    assert sorted(members.index) == GENES[:6]
    assert members.loc["g3"].tolist() == [True, True, True]
    assert rows(cn.plot_upset(TABLES, direction="down", return_data=True)) == [(True, True, False, 1)]
    assert cn.plot_upset(TABLES, direction="up", return_data=True)["genes"].sum() == 5
    assert len(cn.plot_upset(TABLES, alpha=0.001, return_data=True)) == 0
    of_query = cn.plot_upset(ResultsSet(TABLES), return_data=True)
    pd.testing.assert_frame_equal(of_query, data)


def test_the_figure_has_bars_circles_and_what_is_not_shown():
    bars, matrix = cn.plot_upset(TABLES).axes[0].child_axes
    assert [bar.get_height() for bar in bars.patches] == [2, 1, 1, 1, 1]
    assert [text.get_text() for text in matrix.get_yticklabels()] == ["one  4", "two  4", "three  2"]
    assert sum(len(each.get_offsets()) for each in matrix.collections) == 15
    assert matrix.get_xlabel() == ""
    bars, matrix = cn.plot_upset(TABLES, most=2).axes[0].child_axes
    assert len(bars.patches) == 2
    assert matrix.get_xlabel() == "3 genes in 3 smaller groups: not shown"


def test_without_a_significant_gene_the_figure_says_so(tmp_path):
    figure = cn.plot_upset({"a": calling(set()), "b": calling(set(), GENES[:1])})
    figure.savefig(tmp_path / "figure.png")
    assert [text.get_text() for text in figure.axes[0].child_axes[0].texts] == ["no significant gene"]


def test_what_cannot_be_drawn_is_refused():
    joint = Results(TABLES["one"].table.drop(columns="log2FoldChange"), ResultsInfo(label="x"))
    assert len(cn.plot_upset({"a": joint, "b": TABLES["two"]}, return_data=True)) == 3
    for found, options, words in (
        (TABLES["one"], {}, "compares several tables"),
        ([TABLES["one"]], {}, "compares several tables"),
        ({"a": TABLES["one"]}, {}, "2 to 20 tables; got 1"),
        ({"a": TABLES["one"], "b": 3}, {}, "'b' is"),
        ({"a": joint, "b": joint}, {"direction": "up"}, "'a' is a joint test"),
        (TABLES, {"direction": "left"}, "direction"),
        (TABLES, {"most": 0}, "most=0"),
        (TABLES, {"alpha": 5}, "not a level"),
    ):
        with pytest.raises(OptionError, match=words):
            cn.plot_upset(found, **options)
