"""`countnest report`: the page that `cn.report` writes, of a saved fit and the questions of the command line."""

import numpy as np
import pytest

import countnest as cn
from cli.command import inside
from unit.api.simulated import study
from unit.reporting.page import column, held

pytest.importorskip("bokeh")


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group", quiet=True).deseq(quiet=True)


@pytest.fixture(scope="module")
def folder(dds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    cn.save(dds, folder / "fit.countnest")
    return folder


@pytest.fixture
def ask(folder, capsys, monkeypatch):
    return lambda *arguments: inside(folder, capsys, monkeypatch, "report", *arguments)


def names(page):
    return [question["name"] for question in page["questions"]]


def test_the_page_has_the_questions_of_the_command(ask, folder, dds):
    words = ("group[b - a]", "joint(group[pairwise])", "--contrast", "group,c,a", "--alpha", "0.05")
    done = ask("fit.countnest", *words, "--by", "group", "--title", "A <study>", "--out", "out.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "report of 3 questions in out.html\n"
    text = (folder / "out.html").read_text(encoding="utf-8")
    page = held(text)
    assert names(page) == ["group c vs a", "group[b - a]", "joint(group[pairwise])"]
    expected = dds.results(("group", "c", "a"), alpha=0.05).table.loc[page["genes"]]
    np.testing.assert_array_equal(column(page["questions"][0], "padj"), expected["padj"])
    assert page["questions"][0]["alpha"] == 0.05
    assert page["groups"][0]["name"] == "group"
    assert "<title>A &lt;study&gt;</title>" in text


def test_without_a_question_it_is_the_last_coefficient(ask, folder):
    done = ask(".")
    assert done.returncode == 0, done.stderr
    assert names(held((folder / "report.html").read_text(encoding="utf-8"))) == ["group c vs a"]


def test_what_cannot_be_done_is_named_and_nothing_is_written(ask, folder):
    before = sorted(folder.iterdir())
    for words, code, message in (
        (("fit.countnest", "group[z - a]"), 1, "'z'"),
        (("fit.countnest", "group[b - a] : batch[y - x]"), 1, "no batch:group term"),
        (("fit.countnest", "--by", "grup"), 1, "--by: the sample sheet has no column 'grup'"),
        (("fit.countnest", "--out", "out.pdf"), 2, "--out 'out.pdf' must end with .html"),
        (("none.countnest",), 1, "none.countnest"),
    ):
        done = ask(*words, *(() if "--out" in words else ("--out", "new.html")))
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert sorted(folder.iterdir()) == before
