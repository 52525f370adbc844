"""The R script that redoes an analysis: what it holds, what it refuses, and its numbers where R is there."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each

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


def family_study(design, **options):
    study = cn.simulate.nested(genes=40, families=3, sibs=2, rng=3)
    reference = {"treat1": "A", "treat2": "None"}
    found = cn.DESeqDataSet(study.counts, study.samples, design=design, reference=reference, quiet=True)
    return cn.lmm(found, quiet=True, **options)


@each(
    ("design", "options"),
    [
        ("~ treat1 * treat2 + (1 | family)", {}),
        ("~ treat1 * treat2 + (1 | family)", {"values": "voom", "df": "satterthwaite", "reml": False}),
        ("~ treat1 * treat2 + (treat2 | family)", {"df": "satterthwaite"}),
    ],
)
def test_lmer_finds_the_same_numbers(design, options, tmp_path):
    mixed = family_study(design, **options)
    folder = tmp_path / str(sorted(options)) / str(len(design))
    mixed.to_r(folder, mixed.effect("treat2"), fit="lmm")
    (table,) = from_r(folder, "pbkrtest")
    ours = mixed.effect("treat2").test(fit="lmm")
    fitted = ours[ours["pvalue"].notna() & (ours["code"] == 0)]
    assert len(fitted) >= 5  # of genes whose variances are not zero
    # lmer's search ends about 1e-5 before the optimum
    names = {"log2FoldChange": "Estimate", "lfcSE": "Std. Error", "stat": "t value", "pvalue": "Pr(>|t|)"}
    for own, name in names.items():
        np.testing.assert_allclose(fitted[own], table[name].reindex(fitted.index), rtol=2e-4, atol=1e-5)


def test_scripts_of_mixed_models_have_the_groups_and_refuse_what_lmertest_has_not(tmp_path):
    mixed = family_study("~ treat1 * treat2 + (1 | family)")
    mixed.to_r(tmp_path / "a", fit="lmm")
    random = pd.read_csv(tmp_path / "a" / "random.csv", index_col=0)
    np.testing.assert_array_equal(random["group1"], mixed.samples["family"])
    assert "y ~ 0 + X + (1 | group1)" in (tmp_path / "a" / "analysis.R").read_text()
    for options, words in (({"df": "containment"}, "the rule 'containment'"), ({"bounded": False}, "without a bound")):
        other = family_study("~ treat1 * treat2 + (1 | family)", **options)
        with pytest.raises(cn.errors.OptionError, match=words):
            other.to_r(tmp_path / "b", fit="lmm")
    cn.glmm(mixed, quiet=True)
    with pytest.raises(cn.errors.OptionError, match="negative binomial mixed model"):
        mixed.to_r(tmp_path / "b", fit="glmm")
    assert not (tmp_path / "b").exists()


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


def test_files_of_others_are_not_overwritten(dds, tmp_path):
    (tmp_path / "counts.csv").write_text("mine")
    with pytest.raises(cn.errors.FileError, match=r"holds 'counts\.csv', which would be overwritten"):
        dds.to_r(tmp_path, dds.effect("condition"))
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]
    assert (tmp_path / "counts.csv").read_text() == "mine"
    for _ in range(2):  # a folder of an earlier call is written again
        dds.to_r(tmp_path / "own", dds.effect("condition"))
    assert (tmp_path / "own" / "analysis.R").exists()
