"""The R script that redoes an analysis: what it holds, what it refuses, and its numbers where R is there."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import countnest as cn

REFERENCE = {"condition": "untreated", "type": "paired-end"}


@pytest.fixture(scope="module")
def dds():
    study = cn.datasets.load("pasilla")
    counts = study.counts[study.counts.sum(axis=1) > 50].iloc[:600]
    found = cn.DESeqDataSet(counts, study.samples, design="~ type + condition", reference=REFERENCE, quiet=True)
    cn.edger(found, compat="bioc3.16")
    cn.limma(found, compat="bioc3.16")
    return cn.DESeq(found, quiet=True)


def from_r(folder, package):
    """Run the script of a folder and return its tables; skip where R or the package is missing."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed")
    there = subprocess.run(
        [program, "-e", f'cat(nzchar(system.file(package = "{package}")))'], capture_output=True, text=True
    )
    if there.stdout != "TRUE":
        pytest.skip(f"{package} is not installed in R")
    done = subprocess.run([program, "analysis.R"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [pd.read_csv(path, sep="\t", index_col=0) for path in sorted(folder.glob("results_*.tsv"))]


def same(ours, theirs, names):
    for own, name in names.items():
        a, b = ours[own], theirs[name].reindex(ours.index)
        np.testing.assert_array_equal(a.isna(), b.isna())
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-300 if own == "pvalue" else 1e-9)


def test_deseq2_finds_the_same_numbers(dds, tmp_path):
    dds.to_r(tmp_path, dds.effect("condition"))
    (table,) = from_r(tmp_path, "DESeq2")
    names = ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
    same(dds.effect("condition").test(), table, dict(zip(names, names, strict=True)))


def test_edger_finds_the_same_numbers(dds, tmp_path):
    dds.to_r(tmp_path, dds.effect("condition"), fit="edger")
    (table,) = from_r(tmp_path, "edgeR")
    ours = dds.effect("condition").test(fit="edger")
    same(
        ours[ours["pvalue"].notna()], table, {"log2FoldChange": "logFC", "stat": "F", "pvalue": "PValue", "padj": "FDR"}
    )


def test_limma_finds_the_same_numbers(dds, tmp_path):
    dds.to_r(tmp_path, dds.effect("condition"), fit="limma")
    (table,) = from_r(tmp_path, "limma")
    ours = dds.effect("condition").test(fit="limma")
    names = {"log2FoldChange": "logFC", "stat": "t", "pvalue": "P.Value", "padj": "adj.P.Val"}
    same(ours[ours["pvalue"].notna()], table, names)


def test_the_files_hold_the_counts_the_design_and_the_contrasts(dds, tmp_path):
    dds.to_r(tmp_path)
    counts = pd.read_csv(tmp_path / "counts.csv", index_col=0)
    np.testing.assert_array_equal(counts, dds.counts())
    factors = pd.read_csv(tmp_path / "factors.csv", index_col=0, float_precision="round_trip")
    np.testing.assert_array_equal(factors["size_factor"], dds.size_factors)
    text = (tmp_path / "analysis.R").read_text()
    assert 'L[c("conditiontreated"), 1] <- c(1)' in text
    assert 'fitType = "parametric"' in text


def test_what_a_script_cannot_redo_is_refused_by_name(dds, tmp_path):
    other = cn.DESeq(dds.copy(), beta_prior=True, quiet=True)
    with pytest.raises(cn.errors.OptionError, match="coefficients with priors"):
        other.to_r(tmp_path / "a")
    with pytest.raises(cn.errors.ContrastError, match="another data set"):
        dds.to_r(tmp_path / "a", cn.make_example_dataset(n=20, m=6).contrast("condition_B_vs_A"))
    assert not (tmp_path / "a").exists()
