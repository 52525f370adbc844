"""Results read as their table does, print themselves as wide as the screen is, and everything is escaped."""

import contextlib
import copy
import pickle
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.narrow import GeneTable, as_text
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import ContrastError, CountnestError, OptionError, UnknownColumnError, UnknownNameError
from unit.api.simulated import study

N = 40


@pytest.fixture
def res():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=N) ** 20
    table = pd.DataFrame(
        {
            "baseMean": rng.uniform(1e4, 1e5, N),
            "log2FoldChange": rng.normal(0, 2, N),
            "lfcSE": rng.uniform(0.1, 0.3, N),
            "stat": rng.normal(0, 9, N),
            "pvalue": p,
            "padj": p * 1.5,
            "padj_reason": pd.Categorical(["tested"] * N),
            "separated": False,
        },
        index=pd.Index([f"ENSG{i:011d}" for i in range(N)], name="gene"),
    )
    return Results(table, ResultsInfo(label="dex trt vs untrt", formula="~ dex"))


# ---- as a DataFrame ----


def test_columns_and_rows(res):
    table = res.table
    pd.testing.assert_series_equal(res["padj"], table["padj"])
    pd.testing.assert_series_equal(res.padj, table["padj"])
    pd.testing.assert_frame_equal(res[["padj", "stat"]], table[["padj", "stat"]])
    pd.testing.assert_frame_equal(res[res.padj < 0.1], table[table["padj"] < 0.1])
    pd.testing.assert_frame_equal(res[:3], table[:3])
    assert (len(res), res.shape, res.index[0], list(res.columns)) == (N, table.shape, "ENSG00000000000", list(table))
    pd.testing.assert_frame_equal(res.sort_values("stat"), table.sort_values("stat"))
    assert res.loc["ENSG00000000003", "stat"] == table["stat"].iloc[3]
    pd.testing.assert_frame_equal(pd.DataFrame(res.head()), table.head())
    assert len(res.head(2)) == 2
    assert {"padj", "table", "top", "head"} <= set(dir(res))


def test_iteration_and_membership(res):
    assert list(res) == list(res.table) == list(res.keys())
    assert list(reversed(res)) == list(res.table)[::-1]
    assert "padj" in res
    assert "ENSG00000000003" not in res
    assert res.get("padj") is not None
    assert res.get("nothing") is None


def test_a_data_frame_of_it_is_a_copy_of_the_table(res):
    made = pd.DataFrame(res)
    pd.testing.assert_frame_equal(made, res.table)
    made["padj"] = 0.0
    assert (res.padj > 0).all()
    assert set(dict(res)) == set({**res}) == set(res.table)
    pd.testing.assert_series_equal(dict(res.items())["stat"], res.stat)
    pd.testing.assert_series_equal(res.values()[3], res.stat)
    assert np.asarray(res[["stat"]]).shape == (N, 1)
    assert np.asarray(res).shape == res.shape


def test_columns_of_ones_own_reach_the_table(res, tmp_path):
    before = res.table
    res["rank"] = res.padj.rank()
    assert list(res.table) == [*before, "rank"]
    res["rank"] = res["rank"] + 1
    res.to_csv(tmp_path / "res.csv")
    assert "rank" in pd.read_csv(tmp_path / "res.csv")
    del res["rank"]
    pd.testing.assert_frame_equal(res.table, before)
    with pytest.raises(UnknownColumnError, match="no column 'rank'"):
        del res["rank"]


def test_what_was_found_cannot_be_edited(res):
    before, significant = res.table.copy(), len(res.significant())
    annotated = Results(res.table.assign(symbol="A"), ResultsInfo(label="dex", annotation=("symbol",)))
    for edit in (
        res.clear,
        res.popitem,
        lambda: res.fromkeys(["a"]),
        lambda: res.pop("padj"),
        lambda: res.update(padj=1),
        lambda: res | {"a": 1},
        lambda: res.__setitem__(res.padj > 0.1, 0),
        lambda: res.__setitem__(["padj", "a"], 0),
        lambda: res.__setitem__("padj", 0),
        lambda: res.__setitem__("svalue", 0),  # would decide what is significant
        lambda: res.__setitem__("log2FoldChange.a", 0),
        lambda: res.__delitem__("stat"),
        lambda: annotated.__delitem__("symbol"),
        lambda: res.table.__setitem__("padj", 0),
        lambda: res.table.__setitem__("a", 0),
        lambda: res.loc.__setitem__((before.index[0], "padj"), 0),
        lambda: res.table.sort_values("stat", inplace=True),  # noqa: PD002
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas gives up inplace=True
            with pytest.raises(
                OptionError, match=r"holds what was found, and is not edited: take .* res\.table\.copy\(\)"
            ):
                edit()
    with pytest.raises(UnknownNameError, match=r"A column of your own is set by results\['name'\] = values"):
        res.padj = 1.0
    for part in (
        res.padj,
        res.table["padj"],
        res.table.loc[:, "padj"],
        res.iloc[:, 5],
        res.values()[5],
        res.get("padj"),
    ):
        with contextlib.suppress(ValueError):  # from pandas 3 on these values are read-only
            part.to_numpy()[:] = 0
    copy = res.table.copy()
    copy["padj"] = 0
    pd.testing.assert_frame_equal(pd.DataFrame(res.table), before)
    assert len(res.significant()) == significant


def test_a_copy_has_a_table_of_its_own(res):
    table = res.table.copy()
    made = Results(table, res.info)
    again = made.copy()
    again["rank"] = 1
    table["padj"] = 0.0  # of the caller
    for each in (made, again):
        assert type(each) is Results
        pd.testing.assert_frame_equal(each.table[list(res)], res.table)
    assert "rank" not in made.table


def test_what_is_not_there(res):
    for name, message in (
        ("pdj", r"^the table has no column 'pdj'\. Did you mean 'padj'.* Its columns are 'baseMean'"),
        ("ENSG00000000003", r"^'ENSG00000000003' is a gene, not a column: its row is res\.table\.loc"),
        ("results_df", "^the table has no column 'results_df'. Here it is res.table"),
    ):
        with pytest.raises(KeyError, match=message) as caught:
            res[name]
        assert isinstance(caught.value, UnknownColumnError)
        assert isinstance(caught.value, CountnestError)
    for name in ("pdj", "results_df", "lfc_shrink"):
        with pytest.raises(UnknownNameError):
            getattr(res, name)


def test_it_stays_one_object(res):
    assert res == res
    assert res != Results(res.table, res.info)
    assert len({res, res}) == 1
    for again in (pickle.loads(pickle.dumps(res)), copy.copy(res), copy.deepcopy(res)):
        pd.testing.assert_frame_equal(again.table, res.table)
        assert again.info.label == res.info.label
        assert type(again) is Results


def test_several_contrasts_are_no_single_table(res):
    several = ResultsSet({"a": res, "b": res})
    with pytest.raises(OptionError, match=r"take rs\.table, the long one, or rs\.wide\(\)"):
        pd.DataFrame(several)
    for name in ("padj", "head", "significant"):
        with pytest.raises(UnknownNameError, match=r"Here it is rs"):
            getattr(several, name)
    assert list(several) == ["a", "b"]


# ---- significant ----


def test_significant_genes_of_a_size(res):
    every, large = res.significant(0.05), res.significant(0.05, lfc=2)
    assert 0 < len(large) < len(every)
    assert (large["log2FoldChange"].abs() > 2).all()
    assert set(large.index) == set(every.index[every["log2FoldChange"].abs() > 2])
    pd.testing.assert_frame_equal(res.significant(), res.significant(0.1, 0))
    for lfc in (-1, np.nan, np.inf, "1", True, None):
        with pytest.raises(OptionError, match="is not an absolute log2 fold change"):
            res.significant(lfc=lfc)
    joint = Results(res.table.drop(columns=["log2FoldChange", "lfcSE"]), res.info)
    with pytest.raises(OptionError, match="a joint test has several fold changes"):
        joint.significant(lfc=1)


# ---- text ----


def widths(text):
    return [len(line) for line in text.splitlines()]


def test_the_best_genes_show_padj_in_eighty_columns(res, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for text in (repr(res.top(3)), str(res.significant()), repr(res.head()), repr(res)):
        assert max(widths(text)) <= 80
        assert " padj" in text
        assert "log2FoldChange" in text
        assert "..." not in text.splitlines()[0]
    assert repr(res.top(3)).endswith("not shown: padj_reason, separated")
    monkeypatch.setenv("COLUMNS", "200")
    assert "padj_reason" in repr(res.top(3)).splitlines()[0]
    assert "not shown" not in repr(res.top(3))


def test_symbols_stay_and_descriptions_go(res, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = res.table.assign(description="a long text " * 9)
    table.insert(0, "symbol", "TSPAN6")
    text = as_text(table.head(3))
    assert "TSPAN6" in text
    assert " padj" in text
    assert text.splitlines()[-1].endswith("padj_reason, separated, description")
    monkeypatch.setenv("COLUMNS", "30")  # what cannot be left out is shown in any case
    assert all(word in as_text(table.head(3)) for word in ("log2FoldChange", "padj"))


def test_the_column_that_says_which_comparison_is_never_left_out(res, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    many = ResultsSet({f"treat2[E - None] : treat1[{b} - A]": res for b in "BCD"})
    lines = repr(many.top(1)).splitlines()
    assert "contrast" in lines[0]
    assert sum("treat2[E - None]" in line for line in lines) == 3
    monkeypatch.setenv("COLUMNS", "30")
    assert "contrast" in repr(many.top(1)).splitlines()[0]


def test_a_set_reads_as_a_dict_and_says_how_to_reach_its_tables(res):
    many = ResultsSet({"B - A": res, "C - A": res})
    assert (list(many.keys()), list(many.values()), dict(many)) == (["B - A", "C - A"], [res, res], many.parts)
    assert many[np.int64(-1)] is res
    for shown in (repr(many), many._repr_html_().replace("&#x27;", "'")):
        assert "['B - A']" in shown
    for place in (2, -3, 17):
        with pytest.raises(ContrastError, match=rf"no contrast {place}: the 2 contrasts are counted from 0 to 1. They"):
            many[place]
    for place in (None, 1.5, True, ("B", "A")):
        with pytest.raises(ContrastError, match=r"neither a label nor a place; the table of one: \['B - A'\]"):
            many[place]


def test_a_joint_test_shows_its_statistic_and_all_fold_changes_or_none(res, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = res.table.drop(columns=["log2FoldChange", "lfcSE"])
    for place, row in enumerate(("minute[5 - 0]", "minute[15 - 0]", "minute[60 - 15]"), start=1):
        table.insert(place, f"log2FoldChange.{row}", res.table["log2FoldChange"])
    lines = as_text(table.head(3)).splitlines()
    assert lines[0].split() == ["baseMean", "stat", "pvalue", "padj"]
    assert lines[-1] == "not shown: " + ", ".join(name for name in table if name not in lines[0].split())
    monkeypatch.setenv("COLUMNS", "180")
    assert as_text(table.head(3)).splitlines()[0].count("log2FoldChange.") == 3


def test_requested_intervals_are_shown(res, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = res.table.copy()
    for place, name in enumerate(("ciLower", "ciUpper"), start=3):
        table.insert(place, name, res.table["log2FoldChange"])
    table.insert(0, "symbol", "TSPAN6")
    shown = as_text(table.head(3)).splitlines()[0].split()
    assert {"symbol", "baseMean", "log2FoldChange", "ciLower", "ciUpper", "padj"} <= set(shown)


def test_what_is_made_of_printed_genes_is_plain(res):
    top = res.top(5)
    assert isinstance(top, GeneTable)
    assert {type(each) for each in (top.copy(), top[["padj"]], top.loc[top["padj"] < 1], top.reset_index())} == {
        pd.DataFrame
    }
    top["note"] = "x"  # the caller's own
    assert "note" not in res.table
    assert repr(top.iloc[:0])
    assert len(repr(res.top(40)).splitlines()) == 43


# ---- HTML ----


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_everything_shows_itself_in_short_and_escaped(res):
    evil = "<script>&b"
    counts, sheet = study(n=6)
    counts.index = [evil, *counts.index[1:]]
    sheet = sheet.assign(group=["a", "a", evil, evil, "c", "c"]).rename(columns={"batch": "b<i>"})
    dds = cn.DESeqDataSet(
        counts, sheet, "~ group", reference={"group": "a"}, gene_info=pd.Series(evil, counts.index, name=evil)
    )
    fold = Results(res.table.rename(index={"ENSG00000000000": evil}), ResultsInfo(label=evil))
    published = cn.datasets.load("pasilla")
    simulated = cn.simulate.groups(genes=5)
    for it, words in (
        (dds, ["DESeqDataSet: 150 genes x 6 samples", "design ~ group, not fitted", "coefficients"]),
        (dds.design, ["Design ~ group: 6 samples, 3 coefficients", evil]),
        (fold, [evil, "40 genes"]),
        (ResultsSet({evil: fold}), [evil, "1 contrast of 40 genes"]),
        (published, ["Study pasilla: 14599 genes x 7 samples", "condition treated vs untreated", "Brooks"]),
        (simulated, ["SimulatedStudy: 5 genes"]),
        (dds.design.report(), [evil]),
    ):
        reader = Reader()
        reader.feed(it._repr_html_())
        assert "script" not in reader.tags
        assert "i" not in reader.tags
        text = repr(it)
        for word in words:
            assert word in "".join(reader.texts), (it, word)
            assert word in text
        if it is not fold and it is not dds.design and not text.startswith("design"):
            assert len(text.splitlines()) <= 5


def test_many_names_are_cut():
    study = cn.simulate.nested(genes=20)
    dds = cn.DESeqDataSet(study.counts, study.samples, study.design, reference=study.reference)
    for it in (dds, dds.design):
        assert len(repr(it)) < 1000
        assert " more" in repr(it)
