"""The command with mixed models: the numbers of the package, and what is refused before a fit."""

import json

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside

DESIGN = "~ treat1*treat2 + (1 | family)"
DATA = ("--counts", "counts.csv", "--samples", "samples.csv", "--reference", "treat2=None")
BETWEEN, WITHIN = "treat1[B - A]", "treat2[E - None] | treat1"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=60, rng=1)


@pytest.fixture
def run(study, tmp_path, capsys, monkeypatch):
    study.counts.to_csv(tmp_path / "counts.csv", index_label="gene")
    study.samples.to_csv(tmp_path / "samples.csv", index_label="sample")

    def run(*arguments, design=DESIGN):
        words = ("run", *DATA, "--design", design, "--method", "mixed", "--out", "out", "--quiet", *arguments)
        return inside(tmp_path, capsys, monkeypatch, *words), tmp_path / "out"

    return run


@pytest.fixture(scope="module")
def dds(study):
    return cn.DESeqDataSet(study.counts, study.samples, DESIGN, reference={"treat2": "None"}, quiet=True)


def test_linear_models_answer_comparisons_and_queries_between_and_within_groups(run, dds):
    options = ("--values", "vst", "--test", "strata", "--query", BETWEEN, "--query", WITHIN)
    finished, out = run(*options, "--contrast", "treat2,E,None", "--contrast", "treat1,C,A")
    assert finished.returncode == 0, finished.stderr
    fitted = cn.lmm(dds, values="vst", quiet=True)
    expected = [fitted.query(text).test("strata", fit="lmm").table for text in (BETWEEN, WITHIN)]
    expected += [
        fitted.contrast(given).test("strata", fit="lmm").table
        for given in (["treat2", "E", "None"], ["treat1", "C", "A"])
    ]
    for name, table in zip(("query_1", "query_2", "results_1", "results_2"), expected, strict=True):
        written = pd.read_csv(out / f"{name}.csv", index_col=0)
        np.testing.assert_allclose(written["pvalue"], table["pvalue"], rtol=1e-12)
    record = json.loads((out / "run.json").read_text())
    assert (record["comparison"]["test"], record["queries"][0]["test"]) == ("moderated t by strata", "strata")
    options = record["options"]
    assert (options["mixed_model"], options["values"], options["bounded"]) == ("lmm", "vst", True)
    assert not {"fit_type", "robust", "filter"} & set(options)
    genes = pd.read_csv(out / "genes.csv.gz", index_col=0)
    np.testing.assert_allclose(genes, cn.gene_estimates(fitted, "lmm"), rtol=1e-12)
    factors = pd.read_csv(out / "size_factors.csv", index_col=0)["size_factor"]
    np.testing.assert_allclose(factors, fitted.size_factors, rtol=1e-12)


def test_models_of_counts(run, dds):
    finished, out = run("--mixed-model", "glmm", "--df", "residual", "--test", "LRT", "--name", "treat2_E_vs_None")
    assert finished.returncode == 0, finished.stderr
    fitted = cn.glmm(dds, df="residual", quiet=True)
    expected = fitted.contrast("treat2_E_vs_None").test("lrt", fit="glmm").table
    written = pd.read_csv(out / "results.csv", index_col=0)
    np.testing.assert_allclose(written["pvalue"], expected["pvalue"], rtol=1e-10)
    options = json.loads((out / "run.json").read_text())["options"]
    assert (options["mixed_model"], options["df"]) == ("glmm", "residual")
    assert not {"values", "bounded"} & set(options)


def test_a_design_that_has_no_groups_is_refused_in_words_of_the_shell(run):
    finished, out = run(design="~ treat1*treat2")
    assert finished.returncode == 1
    assert "has no random term, which a mixed model needs" in finished.stderr
    assert "without groups, use --method deseq2, edger or voom." in finished.stderr
    assert not out.exists()
