"""The command with the methods of edgeR and limma: the same files, with the numbers of the package."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside

SAMPLES = pd.DataFrame({"group": list("ababab"), "batch": list("xxyyzz")}, index=[f"s{j}" for j in range(6)])
DATA = ("--counts", "counts.csv", "--samples", "samples.csv", "--design", "~ batch + group")
FILES = {
    "results.csv", "genes.csv.gz", "size_factors.csv", "normalized_counts.csv.gz", "ma.png", "methods.txt", "run.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    mean = np.exp(rng.normal(4.5, 1.2, (400, 1))) * np.where(SAMPLES["group"] == "b", rng.choice([1, 3], (400, 1)), 1)
    return pd.DataFrame(rng.negative_binomial(10, 10 / (10 + mean)), [f"g{i}" for i in range(400)], SAMPLES.index)


@pytest.fixture
def run(counts, tmp_path, capsys, monkeypatch):
    counts.to_csv(tmp_path / "counts.csv", index_label="gene")
    SAMPLES.to_csv(tmp_path / "samples.csv", index_label="sample")

    def run(*arguments):
        return inside(tmp_path, capsys, monkeypatch, "run", *DATA, "--out", "out", *arguments), tmp_path / "out"

    return run


def analysed(counts, method):
    dds = cn.DESeqDataSet(counts, SAMPLES, design="~ batch + group", quiet=True)
    words = {"QL": ("edger", {}), "LRT": ("edger", {"test": "lrt"}), "voom": ("limma", {})}
    name, options = words[method]
    return getattr(cn, name)(dds, quiet=True, **options), name


def test_options_of_edger_and_limma_are_those_of_the_package(run, counts):
    for arguments, call, options in (
        (("edger", "--robust", "--compat", "bioc3.16"), cn.edger, {"robust": True, "compat": "bioc3.16"}),
        (
            ("limma", "--quality-weights", "--compat", "bioc3.20"),
            cn.limma,
            {"quality_weights": True, "compat": "bioc3.20"},
        ),
    ):
        finished, out = run("--method", *arguments, "--contrast", "group,b,a")
        assert finished.returncode == 0, finished.stderr
        dds = cn.DESeqDataSet(counts, SAMPLES, design="~ batch + group", quiet=True)
        expected = call(dds, quiet=True, **options).effect("group").test(fit=call.__name__).table
        table = pd.read_csv(out / "results.csv", index_col=0)
        np.testing.assert_allclose(table["pvalue"], expected["pvalue"], rtol=1e-12)
        record = json.loads((out / "run.json").read_text())["options"]
        assert {**record, **options} == record
        assert (record["filter"], record["norm_factors"]) == ("filter_by_expr", "TMM")
        assert not {"fit_type", "minmu", "size_factor_type", "independent_filtering", "use_t"} & set(record)


@pytest.mark.parametrize(
    ("arguments", "method", "test"),
    [
        (("--method", "edger"), "QL", "QL F"),
        (("--method", "edger", "--test", "LRT"), "LRT", "LRT"),
        (("--method", "voom"), "voom", "moderated t"),
    ],
)
def test_files_have_the_numbers_of_the_package(run, counts, arguments, method, test):
    finished, out = run(*arguments, "--contrast", "group,b,a", "--query", "batch[pairwise]", "--alpha", "0.05")
    assert finished.returncode == 0, finished.stderr
    assert {each.name for each in out.iterdir()} == FILES | {"query_1.csv"}
    dds, name = analysed(counts, method)
    expected = dds.effect("group").test(fit=name, alpha=0.05).table
    table = pd.read_csv(out / "results.csv", index_col=0)
    np.testing.assert_allclose(table["pvalue"], expected["pvalue"], rtol=1e-12)
    record = json.loads((out / "run.json").read_text())
    assert (record["comparison"]["test"], record["queries"][0]["test"]) == (test, test)
    assert record["comparison"]["method"] == dds.fits[name]
    assert record["dispersion_trend"] is None
    assert record["options"]["method"] == arguments[1]
    factors = pd.read_csv(out / "size_factors.csv", index_col=0)["size_factor"]
    assert factors.mean() == pytest.approx(1.0)
    normalized = pd.read_csv(out / "normalized_counts.csv.gz", index_col=0)
    np.testing.assert_allclose(normalized * factors, counts, rtol=1e-10)
    genes = pd.read_csv(out / "genes.csv.gz", index_col=0)
    np.testing.assert_allclose(genes["group_b_vs_a"], expected["log2FoldChange"], rtol=1e-8, atol=1e-10)
    for name in FILES | {"query_1.csv"}:
        assert re.search(rf"^  {re.escape(name)} ", finished.stdout, re.MULTILINE), name
    assert "Cook" not in finished.stdout
    assert "filter=" not in finished.stdout


def test_messages_advise_options_of_the_shell(run, tmp_path):
    finished, _ = run("--method", "edger", "--hidden-factors", "1", "--contrast", "group,b,a")
    assert finished.returncode == 1
    assert "8 residual degrees of freedom" in finished.stderr
    few = pd.DataFrame(1, [f"g{i}" for i in range(9)], SAMPLES.index)
    few.iloc[0] = range(1, 7)
    few.to_csv(tmp_path / "counts.csv", index_label="gene")
    finished, out = run("--method", "voom")
    assert finished.returncode == 1
    assert "no gene is left: none has min_count=10" in finished.stderr
    assert "Take --method deseq2" in finished.stderr
    assert not out.exists()
