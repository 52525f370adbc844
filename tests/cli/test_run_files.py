"""Files that a run writes on request: shrunken fold changes, transformed counts, further figures, R scripts, JSON."""

import json

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside
from exact import read_exactly

RUN = ("run", "--counts", "counts.csv", "--samples", "samples.csv", "--design", "~ group", "--quiet", "--out", "out")
TWO = ("--contrast", "group,b,a", "--contrast", "group,c,a")
HEADS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def study():
    found = cn.simulate.groups(genes=200, sizes=(3, 3, 3), fraction=0.3, rng=1)
    return found.counts, found.samples.assign(group=np.repeat(["a", "b", "c"], 3))


@pytest.fixture(scope="module")
def dds(study):
    return cn.DESeqDataSet(*study, "~ group", quiet=True).deseq(quiet=True)


@pytest.fixture
def run(study, tmp_path, capsys, monkeypatch):
    study[0].to_csv(tmp_path / "counts.csv", index_label="gene")
    study[1].to_csv(tmp_path / "samples.csv", index_label="sample")

    def run(*options, words=RUN):
        return inside(tmp_path, capsys, monkeypatch, *words, *options), tmp_path / "out"

    return run


def names(folder):
    return {each.name for each in folder.iterdir()}


def test_shrunken_fold_changes_keep_the_p_values_of_the_comparison(run, dds, tmp_path):
    for shrink in ("apeglm", "ashr"):
        finished, out = run(*TWO, "--shrink", shrink, "--alpha", 0.05)
        assert finished.returncode == 0, finished.stderr
        for place, high in enumerate("bc", start=1):
            results = dds.results(("group", high, "a"), alpha=0.05)
            asked = {} if shrink == "ashr" else {"contrast": ("group", high, "a")}
            cn.lfc_shrink(dds, res=results, type=shrink, quiet=True, **asked).to_csv(tmp_path / "expected.csv")
            assert (out / f"shrunken_{place}.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
            assert f"  shrunken_{place}.csv           shrunken fold changes by gene, {shrink}: group" in finished.stdout
    assert json.loads((out / "run.json").read_text())["options"]["shrink"] == "ashr"
    finished, out = run("--name", "group_b_vs_a", "--shrink", "normal")
    assert finished.returncode == 0, finished.stderr
    expected = cn.lfc_shrink(dds, coef="group_b_vs_a", type="normal", quiet=True).table
    written = read_exactly(out / "shrunken.csv", index_col="gene")
    np.testing.assert_array_equal(written["log2FoldChange"], expected["log2FoldChange"])
    assert run(*TWO)[0].returncode == 0
    assert not {name for name in names(out) if "shrunken" in name}  # nor does anything of the run before stay


def test_transformed_counts_and_components(run, dds):
    finished, out = run("--vst")
    assert finished.returncode == 0, finished.stderr
    values = cn.variance_stabilizing_transformation(dds, quiet=True)
    written = read_exactly(out / "vst.csv.gz", index_col="gene")
    np.testing.assert_allclose(written, values.table, rtol=1e-12)
    components = cn.plot_pca(values, dds.samples, "group", return_data=True)
    pca = pd.read_csv(out / "pca.csv", index_col="sample")
    np.testing.assert_allclose(pca[["PC1", "PC2"]], components[["PC1", "PC2"]], rtol=1e-8)
    assert list(pca["group"]) == list(dds.samples["group"])
    assert (out / "pca.png").read_bytes().startswith(HEADS["png"])


def test_figures_have_the_format_that_is_asked_for(run):
    before = set()
    for ending, head in HEADS.items():
        finished, out = run(*TWO, "--all-figures", "--vst", "--figures", ending)
        assert finished.returncode == 0, finished.stderr
        figures = {f"{kind}_{place}.{ending}" for kind in ("ma", "volcano", "pvalues") for place in (1, 2)}
        figures |= {f"{kind}.{ending}" for kind in ("dispersion", "pca")}
        assert figures <= names(out)
        assert not before & names(out)
        assert all((out / name).read_bytes().startswith(head) for name in figures)
        record = json.loads((out / "run.json").read_text())
        assert record["comparisons"][1]["files"] == [
            "results_2.csv",
            *(f"{k}_2.{ending}" for k in ("ma", "volcano", "pvalues")),
        ]
        assert all(f"  {name} " in finished.stdout for name in record["files"])
        before = figures


def test_the_record_as_json_is_all_that_is_printed(run):
    finished, out = run("--query", "group[pairwise]", "--json")
    assert (finished.returncode, finished.stderr) == (0, "")
    told = json.loads(finished.stdout)
    assert told.pop("folder") == "out"
    assert told == json.loads((out / "run.json").read_text())
    assert told["queries"][0]["significant"]


def test_the_script_for_r_has_a_column_for_each_question(run, dds, tmp_path):
    finished, out = run("--contrast", "group,b,a", "--query", "group[pairwise]", "--r-script", "in_r")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("R script in in_r\n")
    assert "in_r" not in names(out)
    script = (tmp_path / "in_r/analysis.R").read_text()
    labels = ("group b vs a", "group[b - a]", "group[c - a]", "group[c - b]")
    assert [script.count(f'"{label}"') > 0 for label in labels] == [True] * 4
    assert {"counts.csv", "samples.csv", "design.csv", "factors.csv"} <= names(tmp_path / "in_r")
    dds.to_r(tmp_path / "expected", dds.contrast(["group", "b", "a"]))
    alone, _ = run("--contrast", "group,b,a", "--r-script", "alone")
    assert alone.returncode == 0
    assert (tmp_path / "alone/analysis.R").read_text() == (tmp_path / "expected/analysis.R").read_text()


def test_what_cannot_be_written_stops_before_the_fit(run, monkeypatch):
    monkeypatch.setattr(cn, "DESeq", None)
    for options, problem in (
        (
            ("--method", "edger", "--shrink", "ashr"),
            "--shrink ashr is for --method deseq2. Leave it out with --method edger",
        ),
        (
            ("--method", "mixed", "--shrink", "apeglm"),
            "--shrink apeglm is for --method deseq2, ashr for --method mixed, too",
        ),
        (("--query", "group[b - a]", "--shrink", "ashr"), "--shrink is of comparisons. Give a --contrast or a --name"),
        (("--r-script", "out"), "--r-script needs a folder of its own"),
        (
            ("--r-script", "in_r", "--vst", "--contrasts", "list.csv"),
            "--vst and --r-script cannot be had",
        ),
        (("--figures", "jpg"), "is not one of 'png', 'pdf', 'svg'"),
    ):
        words = [word for word in RUN if word not in ("--design", "~ group")] if "--contrasts" in options else RUN
        finished, out = run(*options, words=words)
        assert (finished.returncode, finished.stdout) == (2, "")
        assert problem in " ".join(finished.stderr.split())
        assert not out.exists()
