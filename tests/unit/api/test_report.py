"""The report: which questions it takes, what its page holds, and that it is written whole or not at all."""

import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, FileError, MissingStepError, OptionError
from unit.api.simulated import study
from unit.reporting.page import column, held, unpacked

pytest.importorskip("bokeh")

TITLES = re.compile(r'<section id="question-\d+" class="question">\s*<h2>(.*?)</h2>')


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    symbols = pd.Series([f"S{i}" for i in range(len(counts))], index=counts.index, name="symbol")
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group", gene_info=symbols, quiet=True).deseq(quiet=True)


def written(dds, questions=None, path="report.html", **options):
    cn.report(dds, questions, path, **options)
    return path.read_text(encoding="utf-8")


def names(text):
    return TITLES.findall(text)


def test_the_page_holds_the_numbers_of_the_tables(dds, tmp_path):
    res = dds.results(("group", "b", "a"))
    text = written(dds, {"b": res}, tmp_path / "r.html")
    page = held(text)
    (question,) = page["questions"]
    genes = np.array(page["genes"])
    assert genes.tolist() == dds.gene_names[2:].tolist()  # the first two genes have no counts
    table = res.table.loc[genes[unpacked(question["rows"])]]
    for name in ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"):
        np.testing.assert_array_equal(column(question, name), table[name].to_numpy(), err_msg=name)
    assert table.index[unpacked(question["order"])].tolist() == res.top(len(res)).index[: len(table)].tolist()
    calls = unpacked(question["call"])
    expected = np.where(table["padj"] < 0.1, np.where(table["log2FoldChange"] > 0, 1, 2), 0)
    np.testing.assert_array_equal(calls, expected)
    np.testing.assert_array_equal(unpacked(page["counts"]), dds.counts().loc[genes])
    np.testing.assert_array_equal(unpacked(page["factors"]), dds.size_factors)
    assert page["symbol"] == "symbol"
    assert page["samples"] == dds.samples.index.tolist()
    assert page["groups"][0]["name"] == "batch, group"
    assert page["groups"][0]["levels"] == ["x, a", "x, b", "x, c", "y, a", "y, b", "y, c"]
    assert [each["name"] for each in page["groups"][1:]] == ["batch", "group"]
    assert str(res.methods()).split("\n")[0].replace("'", "&#39;") in text
    for reference in res.methods().references:
        assert reference in text
    assert "counts_sha256" in text


def test_questions_come_in_every_form(dds, tmp_path):
    path = tmp_path / "r.html"
    one, several = dds.results(("group", "b", "a")), dds.effect("group").test()
    cases = [
        (None, ["group c vs a"]),
        (one, ["group b vs a"]),
        (several, list(several)),
        (("group", "c", "b"), ["group c vs b"]),
        ("group[c - b]", ["group[c - b]"]),
        ("group_b_vs_a", ["group b vs a"]),
        (dds.effect("group", levels=("c", "b")), ["group[c - b]"]),
        ((one, dds.effect("group", levels=("c", "b"))), ["group b vs a", "group[c - b]"]),
        ([one, ("group", "c", "a"), one], ["group b vs a", "group c vs a", "group b vs a (2)"]),
        ({"first": one, "all": several, "any": dds.query("joint(group[pairwise])")},
         ["first", *(f"all: {label}" for label in several), "any"]),
    ]  # fmt: skip
    for questions, expected in cases:
        assert names(written(dds, questions, path)) == expected


def test_figures_follow_from_the_kind_of_table(dds, tmp_path):
    questions = {
        "plain": ("group", "b", "a"),
        "joint": "joint(group[pairwise])",
        "shrunken": cn.lfc_shrink(dds, coef="group_b_vs_a", type="apeglm", svalue=True, quiet=True),
        "small": dds.results(("group", "b", "a"), lfc_threshold=1.0, alt_hypothesis="lessAbs"),
    }
    figures = held(written(dds, questions, tmp_path / "r.html"), "figures")
    kinds = {
        place: [kind for kind in ("ma", "volcano", "pvalues") if f"{kind}-{place}" in figures] for place in range(4)
    }
    assert kinds[0] == kinds[3] == ["ma", "volcano", "pvalues"]
    assert kinds[1] == ["pvalues"]
    assert kinds[2] == ["ma", "volcano"]
    assert {"sizes", "pca", "distances", "dispersions", "gene-figure"} <= set(figures)


def test_a_question_that_cannot_be_answered_is_named_and_nothing_is_written(dds, tmp_path):
    other, _ = study(n_genes=160)
    foreign = cn.DESeqDataSet(other, study(n_genes=160)[1], design="~ group", quiet=True).deseq(quiet=True).results()
    cases = [
        ({"good": None, "bad one": ("group", "z", "a")}, ContrastError, r"the question 'bad one': .*'z'"),
        ({"inter": "group[b - a] : batch[y - x]"}, ContrastError, "the question 'inter': .*no batch:group term"),
        ([("group", "b", "a"), "grup[b - a]"], ContrastError, r"the question 'grup\[b - a\]'"),
        ({"x": 5}, OptionError, "the question 'x': an int is no question; give a table"),
        ({"other": foreign}, OptionError, "the question 'other': its table has 10 genes that .* lacks: 'g150'"),
        ({5: None}, OptionError, "5 cannot be the name"),
        ([], OptionError, "there are no questions"),
    ]  # fmt: skip
    for questions, error, message in cases:
        with pytest.raises(error, match=message):
            cn.report(dds, questions, tmp_path / "r.html")
    unfitted = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group", quiet=True)
    with pytest.raises(MissingStepError, match="the question of the default comparison: "):
        cn.report(unfitted, None, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_named_and_leave_the_file_as_it_was(dds, tmp_path):
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(FileError, match=r"name that ends with \.html"):
        cn.report(dds, None, tmp_path / "r.pdf")
    with pytest.raises(FileError, match="its folder does not exist"):
        cn.report(dds, None, tmp_path / "none" / "r.html")
    for wrong, message in (
        ({"group": "grup"}, "no column 'grup'. Did you mean 'group'"),
        ({"group": 3}, "group=3 cannot be used; give a name"),
        ({"group": {"group"}}, "is a set, which has no order"),
        ({"title": 5}, "title=5 must be text"),
        ({"fit": "edger"}, "fit"),
        ({"alpha": 2}, "alpha=2"),
    ):
        with pytest.raises(OptionError, match=message):
            cn.report(dds, None, path, **wrong)
    with pytest.raises(OptionError, match="report needs a DESeqDataSet"):
        cn.report(dds.results(), None, path)
    assert path.read_text() == "mine"


def test_without_its_libraries_the_message_says_what_to_install(dds, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bokeh", None)
    with pytest.raises(OptionError, match=r"a report needs bokeh.*pip install 'countnest\[report\]'"):
        cn.report(dds, None, tmp_path / "r.html")


def test_text_is_escaped(tmp_path):
    hostile = ['<script>alert("x")</script>', "a&b", "Δ'\"", "</script>", "{{ 7 * 7 }}", "𝛼"]
    counts, sheet = study(n_genes=40, n=6, levels=("a", "b"))
    counts.index = [*hostile, *counts.index[len(hostile) :]]
    counts.iloc[:6] += 10
    sheet["group"] = sheet["group"].replace({"a": "<a>", "b": "<b>bold</b>"})
    reference = {"group": "<a>"}
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", reference=reference, quiet=True).deseq(quiet=True)
    res = dds.results()
    text = written(dds, {"<i>q</i> {{ 1 }}": res}, tmp_path / "r.html", title="<u>T</u> & co")
    assert held(text)["genes"][:6] == hostile
    shown = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    for tag in ("<b>", "<i>", "<script", "<u>T"):
        assert tag not in shown
    assert "&lt;i&gt;q&lt;/i&gt; {{ 1 }}" in shown
    assert "&lt;u&gt;T&lt;/u&gt; &amp; co" in shown


def test_the_page_needs_no_network(dds, tmp_path):
    text = written(dds, None, tmp_path / "r.html")
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', markup)
    assert not re.findall(r"@import|url\(", re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)[1])
    assert text.count("<script") - text.count('<script type="application/json"') >= 2


def test_the_same_report_twice_has_the_same_data(dds, tmp_path):
    one, two = (written(dds, None, tmp_path / f"{k}.html") for k in range(2))
    assert held(one) == held(two)


def test_other_methods_and_normalization_factors_make_reports_too(tmp_path):
    counts, sheet = study(n=6, levels=("a", "b"))
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True)
    cn.edger(dds, quiet=True)
    text = written(dds, ("group", "b", "a"), tmp_path / "edger.html", fit="edger")
    assert "dispersions of DESeq2&#39;s method were not estimated" in text
    assert "dispersions" not in held(text, "figures")
    assert dds.size_factors is None  # the data set is as it was
    lengths = pd.DataFrame(np.tile([1000.0, 2000.0], (len(counts), 3)), counts.index, counts.columns)
    by_gene = cn.DESeqDataSet(counts, sheet, design="~ group", avg_tx_length=lengths, quiet=True).deseq(quiet=True)
    page = held(written(by_gene, None, tmp_path / "lengths.html"))
    expected = by_gene.normalization_factors.loc[page["genes"]]
    np.testing.assert_allclose(unpacked(page["factors"]), expected, rtol=1e-7)


def test_small_and_odd_studies_make_reports(tmp_path):
    rng = np.random.default_rng(2)
    counts = pd.DataFrame(rng.poisson(50, (30, 4)), [f"g{i}" for i in range(30)], [f"s{i}" for i in range(4)])
    sheet = pd.DataFrame({"dose": [0.0, 1.0, 2.5, 4.0]}, index=counts.columns)
    dds = cn.DESeqDataSet(counts, sheet, design="~ dose", quiet=True).deseq(quiet=True, fit_type="mean")
    page = held(written(dds, None, tmp_path / "dose.html"))
    assert page["groups"][0]["levels"] == ["all samples"]
    assert page["groups"][1]["levels"] == ["0", "1", "2.5", "4"]


def test_the_means_of_the_model_are_those_of_its_cells(dds, tmp_path):
    page = held(written(dds, None, tmp_path / "r.html"))
    answer = dds.means(["batch", "group"]).test(independent_filtering=False)
    for code, level in enumerate(page["groups"][0]["levels"]):
        batch, group = level.split(", ")
        table = answer[f"mean | batch={batch}, group={group}"].table.loc[page["genes"]]
        change, se = table["log2FoldChange"].to_numpy(), table["lfcSE"].to_numpy()
        has_counts = dds.counts().loc[page["genes"], (dds.samples == [batch, group]).all(axis=1)].any(axis=1).to_numpy()
        assert has_counts.sum() > 100
        for name, expected in (("mean", change), ("low", change - 1.959964 * se), ("high", change + 1.959964 * se)):
            found = unpacked(page["means"][name])[:, code]
            np.testing.assert_allclose(found[has_counts], np.exp2(expected)[has_counts], rtol=1e-6)
        assert (unpacked(page["means"]["mean"])[~has_counts, code] == 0).all()
    sheet = dds.samples.assign(other=["u", "v", "w"] * 4)
    other = dds.copy()
    other.samples = sheet
    other.deseq(quiet=True)
    assert held(written(other, None, tmp_path / "r.html", group="other"))["means"] is None


def test_groups_are_the_factors_without_blocks(tmp_path):
    counts, sheet = study()
    sheet["person"] = np.repeat([f"p{i}" for i in range(6)], 2)
    sheet["group"] = np.repeat(["a", "b"], 6)
    sheet["drug"] = ["no", "yes"] * 6
    dds = cn.DESeqDataSet(counts, sheet, design="~ group + group:person + group*drug", quiet=True).deseq(quiet=True)
    page = held(written(dds, None, tmp_path / "r.html"))
    assert page["groups"][0]["name"] == "group, drug"
    assert page["joined"] == "person"
    assert held(written(dds, None, tmp_path / "r.html", group="drug"))["groups"][0]["levels"] == ["no", "yes"]
