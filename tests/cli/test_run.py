"""The command as a user runs it, in a process of its own."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cases import each
from cli.command import countnest, inside

DATA = Path(__file__).parents[2] / "data"
FILES = {
    "results.csv",
    "genes.csv.gz",
    "size_factors.csv",
    "normalized_counts.csv.gz",
    "ma.png",
    "dispersion.png",
    "methods.txt",
    "run.json",
}
QUESTION = ("--reference", "condition=untreated", "--contrast", "condition,treated,untreated")


@pytest.fixture(scope="module")
def study():
    """2,000 genes of the pasilla study, and its samples in another order."""
    counts = pd.read_csv(DATA / "pasilla_counts.csv.gz", index_col=0)
    samples = pd.read_csv(DATA / "pasilla_samples.csv", index_col=0)
    return counts.iloc[::7].head(2000), samples.iloc[::-1]


@pytest.fixture(scope="module")
def done(study, tmp_path_factory):
    """Run the command once with everything in order."""
    folder = tmp_path_factory.mktemp("good")
    write(folder, *study)
    finished = countnest(folder, *given("~ type + condition"), *QUESTION, "--out", "new/results")
    assert finished.returncode == 0, finished.stderr
    return finished, folder / "new" / "results"


def write(folder, counts, samples):
    counts.to_csv(folder / "counts.csv", index_label="gene")
    samples.to_csv(folder / "samples.csv", index_label="sample")


def given(design, **others):
    """Return the arguments that every run has; `others` take their places."""
    values = {"counts": "counts.csv", "samples": "samples.csv", "design": design} | others
    return ("run", *(text for name, value in values.items() for text in (f"--{name}", value)))


def test_files_are_all_there_and_nothing_else(done):
    _, out = done
    assert {path.name for path in out.iterdir()} == FILES
    assert {path.name for path in out.parent.parent.iterdir()} == {"counts.csv", "samples.csv", "new"}


def test_report(done):
    finished, out = done
    lines = finished.stdout.splitlines()
    results = pd.read_csv(out / "results.csv", index_col=0)
    assert "reference levels: type paired-end, condition untreated" in lines
    assert "log2 fold change (MLE): condition treated vs untreated" in lines
    assert f"out of {(results['baseMean'] > 0).sum()} with nonzero total read count" in lines
    start = next(row for row, line in enumerate(lines) if line.startswith("gene "))
    top = [line.split()[0] for line in lines[start + 1 : start + 11]]
    assert top == list(results.sort_values(["padj", "pvalue"]).index[:10])
    assert max(map(len, lines[start : start + 11])) <= 100
    assert "results in new/results" in lines
    assert all(any(line.startswith(f"  {name}") for line in lines) for name in FILES)


def test_progress_is_on_the_other_stream(done):
    finished, _ = done
    for step in ("estimating size factors", "estimating dispersions", "fitting model and testing"):
        assert step in finished.stderr
        assert step not in finished.stdout
    assert "Traceback" not in finished.stderr


def test_tables_agree(done, study):
    _, out = done
    counts, samples = study
    results = pd.read_csv(out / "results.csv", index_col="gene")
    genes = pd.read_csv(out / "genes.csv.gz", index_col="gene")
    factors = pd.read_csv(out / "size_factors.csv", index_col="sample")["size_factor"]
    normalized = pd.read_csv(out / "normalized_counts.csv.gz", index_col="gene")
    columns = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "padj_reason", "separated"]
    assert list(results.columns) == columns
    assert list(results.index) == list(genes.index) == list(normalized.index) == list(counts.index)
    assert set(factors.index) == set(samples.index)
    pd.testing.assert_frame_equal(normalized, counts / factors, check_names=False, check_like=True, rtol=1e-14)
    np.testing.assert_allclose(results["baseMean"], normalized.mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(results["baseMean"], genes["baseMean"])
    assert {"dispGeneEst", "dispFit", "dispersion"} <= set(genes.columns)


def test_record(done):
    finished, out = done
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    results = pd.read_csv(out / "results.csv", index_col=0)
    significant = results[results["padj"] < 0.1]
    assert record["design"]["formula"] == "~ type + condition"
    assert record["design"]["reference_levels"] == {"type": "paired-end", "condition": "untreated"}
    assert "condition_treated_vs_untreated" in record["design"]["columns"]
    assert record["comparison"]["contrast"] == ["condition", "treated", "untreated"]
    assert record["options"]["min_replicates_for_replace"] == 7
    assert record["numbers"]["genes"] == 2000
    assert record["numbers"]["samples"] == 7
    assert record["numbers"]["up"] == (significant["log2FoldChange"] > 0).sum()
    assert record["numbers"]["down"] == (significant["log2FoldChange"] < 0).sum()
    assert record["thresholds"]["alpha"] == 0.1
    assert f"scale of the null: {record['null']['scale']:.2f} ({record['null']['genes']} genes" in finished.stdout
    assert record["dependencies"]["numpy"] == np.__version__
    assert record["dispersion_trend"]["fit_type"] == "parametric"


def test_figures_are_images(done):
    _, out = done
    for name in ("ma.png", "dispersion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_a_second_run_replaces_its_files_with_the_same_bytes(done, study, tmp_path):
    _, first = done
    write(tmp_path, *study)
    shutil.copytree(first, tmp_path / "out")
    (tmp_path / "out" / "results.csv").write_text("old")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    arguments = (*given("~ type + condition"), *QUESTION, "--out", "out", "--force", "--quiet", "--threads", 1)
    finished = countnest(tmp_path, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "estimating" not in finished.stderr
    assert finished.stdout.lower().count("reference levels") == 1
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    for name in FILES - {"run.json"}:
        assert (tmp_path / "out" / name).read_bytes() == (first / name).read_bytes(), name


def test_likelihood_ratio_test_with_thresholds(study, tmp_path):
    counts, samples = study
    symbols = [f"S{i}" for i in range(len(counts))]
    write(tmp_path, counts.assign(symbol=symbols, Length=7), samples)  # beside the counts, and no samples
    options = ("--test", "LRT", "--reduced", "~ type", "--alpha", 0.05, "--cooks-cutoff", "off")
    finished = countnest(tmp_path, *given("~ type + condition"), *options, *QUESTION)
    assert finished.returncode == 0, finished.stderr
    assert "LRT p-value: '~ type + condition' vs '~ type'" in finished.stdout
    assert "adjusted p-value < 0.05" in finished.stdout
    table = pd.read_csv(tmp_path / "countnest-results" / "results.csv", index_col="gene")
    assert list(table)[-2:] == ["symbol", "Length"]
    assert list(table["symbol"]) == symbols
    assert re.search(r"^gene +symbol +baseMean", finished.stdout, re.MULTILINE)


def test_shipped_study_with_another_design(tmp_path):
    finished = countnest(tmp_path, "run", "pasilla", "--design", "~ type", "--quiet")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "reference levels: type paired-end" in finished.stdout
    assert "log2 fold change (MLE): type single-read vs paired-end" in finished.stdout
    assert {path.name for path in (tmp_path / "countnest-pasilla").iterdir()} == FILES


def spoil(counts, samples, kind):
    """Return the study with one fault."""
    counts, samples = counts.copy(), samples.copy()
    match kind:
        case "negative":
            counts.iloc[3, 2] = -1
        case "fraction":
            counts = counts.astype(float)
            counts.iloc[3, 2] = 0.5
        case "missing count":
            counts = counts.astype(object)
            counts.iloc[3, 2] = ""
        case "double gene":
            counts.index = [counts.index[1], *counts.index[1:]]
        case "other sample":
            samples = samples.rename(index={"treated3": "treated9"})
        case "empty sample":
            counts["treated1"] = 0
        case "missing level":
            samples.iloc[0, 0] = ""
        case "one level":
            samples["batch"] = "a"
        case "confounded":
            samples["group"] = samples["condition"].map({"treated": "x", "untreated": "y"})
        case "each its own":
            samples["each"] = [f"s{place}" for place in range(len(samples))]
        case "a total":
            counts.loc["all"] = counts.sum()
        case "zeros":
            counts = counts.mask(np.eye(len(counts), counts.shape[1], dtype=bool)[np.arange(len(counts)) % 7], 0)
    return counts, samples


BAD = {  # the fault, the design, further arguments, and what the message must hold
    "negative": ("~ condition", (), ["negative"]),
    "fraction": ("~ condition", (), ["0.5"]),
    "missing count": ("~ condition", (), ["missing"]),
    "double gene": ("~ condition", (), ["FBgn"]),
    "other sample": ("~ condition", (), ["treated3"]),
    "empty sample": ("~ condition", (), ["treated1"]),
    "missing level": ("~ condition", (), ["condition"]),
    "one level": ("~ batch + condition", (), ["batch"]),
    "confounded": ("~ group + condition", (), ["group", "condition"]),
    "each its own": ("~ each", (), ["Replicates"]),
    "a total": ("~ condition", (), ["'all' is the sum of all other rows"]),
    "zeros": ("~ condition", (), ["poscounts"]),
    "unknown variable": ("~ conditions", (), ["Did you mean 'condition'?"]),
    "not a formula": ("~ condition +* type", (), ["condition +* type"]),
    "unknown level": ("~ condition", ("--contrast", "condition,treatd,untreated"), ["treatd", "'treated'"]),
    "unknown coefficient": ("~ condition", ("--name", "condition_treated"), ["condition_treated"]),
    "unknown reference": ("~ condition", ("--reference", "condition=control"), ["control", "untreated"]),
    "no file": ("~ condition", {"counts": "no.csv"}, ["no.csv"]),
    "not a sample sheet": ("~ condition", {"samples": "counts.csv"}, ["sample"]),
    "file for folder": ("~ condition", {"out": "counts.csv"}, ["counts.csv", "is a file"]),
}


# Two of the cases in a process of their own, which takes seconds, the others in this one.
APART = ("negative", "unknown level")
BEFORE_THE_FIT = ("unknown level", "unknown coefficient", "file for folder")


@each("kind", BAD)
def test_bad_input_gets_one_message_and_leaves_nothing(kind, study, tmp_path_factory, capsys, monkeypatch):
    folder = tmp_path_factory.mktemp("bad")
    write(folder, *spoil(*study, kind))
    design, further, parts = BAD[kind]
    options, others = ((), further) if isinstance(further, dict) else (further, {})
    arguments = (*given(design, **{"out": "new/results"} | others), *options)
    finished = countnest(folder, *arguments) if kind in APART else inside(folder, capsys, monkeypatch, *arguments)
    check_failure(finished, parts)
    assert sorted(os.listdir(folder)) == ["counts.csv", "samples.csv"]
    if kind in BEFORE_THE_FIT:
        assert "estimating" not in finished.stderr


def test_unknown_study(tmp_path, capsys, monkeypatch):
    check_failure(inside(tmp_path, capsys, monkeypatch, "run", "airways"), ["airways", "airway"])
    assert not os.listdir(tmp_path)


def test_broken_file(tmp_path, study, capsys, monkeypatch):
    write(tmp_path, *study)
    packed = gzip.compress((tmp_path / "counts.csv").read_bytes())
    (tmp_path / "counts.csv.gz").write_bytes(packed[: len(packed) // 2])
    arguments = given("~ condition", counts="counts.csv.gz")
    check_failure(inside(tmp_path, capsys, monkeypatch, *arguments), ["counts.csv.gz"])


def check_failure(finished, parts):
    """One message that says what is wrong, no traceback, exit code 1."""
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    message = finished.stderr[finished.stderr.index("error: ") :]
    assert message.count("error: ") == 1
    missing = [part for part in parts if part not in message]
    assert not missing, message


def test_installed_script():
    script = Path(sysconfig.get_path("scripts")) / "countnest"
    if not script.exists():
        pytest.skip("the package is not installed")
    finished = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout.startswith("countnest ")


def test_module_is_the_same_command(tmp_path):
    finished = countnest(tmp_path, "--version")
    assert finished.stdout.startswith("countnest ")
    assert countnest(tmp_path, "run").returncode == 2
