"""Hidden factors and the scaled null distribution in the shell: tables, record, what is printed and refused."""

import json

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside
from countnest.simulate import HiddenFactor

RUN = ("run", "--counts", "counts.csv", "--samples", "samples.csv", "--design", "~ group", "--quiet")


@pytest.fixture(scope="module")
def study():
    hidden = HiddenFactor(sd=0.5, correlation=0.3)
    return cn.simulate.groups(genes=700, sizes=(6, 6, 6), base=(20, 2000), hidden=hidden, rng=3)


@pytest.fixture
def folder(study, tmp_path):
    study.counts.to_csv(tmp_path / "counts.csv", index_label="gene")
    study.samples.to_csv(tmp_path / "samples.csv", index_label="sample")
    return tmp_path


def test_tables_and_record_are_those_of_the_package(study, folder, capsys, monkeypatch):
    options = ("--contrast", "group,C,A", "--query", "group[B - A]", "--hidden-factors", "auto", "--null", "scaled")
    finished = inside(folder, capsys, monkeypatch, *RUN, *options, "--out", "out")
    assert (finished.returncode, finished.stderr) == (0, "")
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True).deseq(quiet=True)
    asked = {"hidden_factors": "auto", "null": "scaled"}
    expected = [dds.results(("group", "C", "A"), **asked), dds.effect("group", levels=("B", "A")).test(**asked)]
    record = json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["null"] == record["comparisons"][0]["null"]
    assert record["options"]["hidden_factors"] == "auto"
    for file, null, results in zip(
        ("results.csv", "query_1.csv"), (record["null"], *record["queries"][0]["null"]), expected, strict=True
    ):
        written = pd.read_csv(folder / "out" / file, index_col=0)
        np.testing.assert_allclose(written["padj"], results.table["padj"], rtol=1e-9)
        hidden = results.info.hidden
        assert null["hidden"]["n_factors"] == hidden.n_factors == 1
        np.testing.assert_allclose(null["hidden"]["columns"]["hidden1"], hidden.columns["hidden1"])
        np.testing.assert_allclose(null["hidden"]["tau"], hidden.tau)
        np.testing.assert_allclose(null["divisor"], results.info.null_divisor)
    assert "hidden factors: 1 taken out (by parallel analysis)" in finished.stdout
    assert "    hidden factors taken out: 1\n    scale of the null: " in finished.stdout


def test_what_cannot_be_is_refused_before_the_fit(folder, capsys, monkeypatch):
    cases = (
        (("--hidden-factors", "auto"), 1, "say which, by --contrast or --name"),
        (
            ("--hidden-factors", 5, "--name", "group_C_vs_A"),
            1,
            "at most 3 can be found; give a smaller number, or --hid",
        ),
        (("--hidden-factors", "0"), 2, "'0' is neither a whole number of 1 or more nor 'auto'"),
        (("--hidden-factors", "many"), 2, "'many' is neither a whole number of 1 or more nor 'auto'"),
        (("--hidden-factors", 1, "--test", "LRT", "--reduced", "~ 1"), 2, "--hidden-factors is for comparisons"),
        (("--null", "scaled", "--lfc-threshold", 1), 2, "--null scaled is for two-sided tests of zero"),
        (("--null", "wide"), 2, "is not one of 'theoretical', 'scaled'"),
    )
    monkeypatch.setattr(cn, "DESeq", None)
    for options, status, text in cases:
        finished = inside(folder, capsys, monkeypatch, *RUN, *options)
        assert (finished.returncode, finished.stdout) == (status, "")
        assert text in " ".join(finished.stderr.split())
    finished = inside(folder, capsys, monkeypatch, "run", "airway", "--quiet", "--hidden-factors", "auto")
    assert "need 8 residual degrees of freedom; this design leaves 3" in finished.stderr
    assert "What remains is --null scaled" in finished.stderr
