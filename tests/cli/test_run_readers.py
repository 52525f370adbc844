"""`countnest run` on the files of other programs."""

import json

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside

FIT = ("--fit-type", "mean", "--quiet", "--out", "out")
STAR = "N_unmapped\t9\t9\t9\nN_noFeature\t4\t8\t6\n"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.groups(genes=60, sizes=(3, 3), fraction=0.3, rng=1)


@pytest.fixture
def here(study, tmp_path):
    """Return a folder with STAR's files of a study and its sample sheet."""
    (tmp_path / "star").mkdir()
    for name, counts in study.counts.items():
        rows = "".join(f"{gene}\t{c}\t{c // 50}\t{c}\n" for gene, c in counts.items())
        (tmp_path / f"star/{name}.ReadsPerGene.out.tab").write_text(STAR + rows)
    study.samples.to_csv(tmp_path / "samples.csv", index_label="sample")
    return tmp_path


def results(folder):
    return pd.read_csv(folder / "out/results.csv", index_col=0)


def test_files_of_star_by_a_pattern(here, study, capsys, monkeypatch):
    design = ("--samples", "samples.csv", "--design", "~ group")
    done = inside(here, capsys, monkeypatch, "run", "--counts", "star/*.tab", *design, *FIT)
    assert done.returncode == 0, done.stderr
    dds = cn.DESeqDataSet(study.counts, study.samples, "~ group", quiet=True).deseq(fit_type="mean", quiet=True)
    np.testing.assert_allclose(results(here)["pvalue"], dds.results().table["pvalue"], rtol=1e-12)
    inputs = json.loads((here / "out/run.json").read_text())["inputs"]
    assert inputs["counts"] == [f"star/{name}.ReadsPerGene.out.tab" for name in study.counts]
    assert inputs["notes"][0].startswith("Strand: reverse, recognised")
    assert f"note: {inputs['notes'][0]}" in done.stdout
    one = [f"star/{study.counts.columns[0]}.ReadsPerGene.out.tab"]
    wrong = inside(here, capsys, monkeypatch, "run", "--counts", *one, *design, "--layer", "x", *FIT)
    assert wrong.returncode == 1
    assert "--layer does not apply to files of STAR" in wrong.stderr


def test_a_strand_that_cannot_be_told_is_asked_for_in_words_of_the_shell(here, capsys, monkeypatch):
    path = here / "a.tab"
    path.write_text(STAR + "g1\t100\t70\t30\n")
    design = ("--samples", "samples.csv", "--design", "~ group")
    done = inside(here, capsys, monkeypatch, "run", "--counts", "a.tab", *design, *FIT)
    assert done.returncode == 1
    assert "--strand unstranded, --strand forward or --strand reverse" in done.stderr


def test_a_file_of_anndata_brings_its_sample_sheet(here, study, capsys, monkeypatch):
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(
        X=np.log1p(study.counts.T.to_numpy()), obs=study.samples, layers={"counts": study.counts.T.to_numpy()},
        var=pd.DataFrame(index=study.counts.index),
    )  # fmt: skip
    adata.write_h5ad(here / "x.h5ad")
    design = ("--counts", "x.h5ad", "--design", "~ group")
    wrong = inside(here, capsys, monkeypatch, "run", *design, *FIT)
    assert wrong.returncode == 1
    assert "--layer counts" in wrong.stderr
    done = inside(here, capsys, monkeypatch, "run", *design, "--layer", "counts", *FIT)
    assert done.returncode == 0, done.stderr
    assert len(results(here)) == 60


def test_transcript_lengths_become_normalization_factors(here, study, capsys, monkeypatch):
    lengths = pd.DataFrame(np.random.default_rng(1).uniform(500, 1500, study.counts.shape), *study.counts.axes)
    for name, table in (("counts", study.counts), ("lengths", lengths)):
        labelled = table.rename_axis("gene_id")
        labelled.insert(0, "gene_name", labelled.index)
        labelled.to_csv(here / f"{name}.tsv", sep="\t")
    data = ("--counts", "counts.tsv", "--lengths", "lengths.tsv", "--samples", "samples.csv", "--design", "~ group")
    done = inside(here, capsys, monkeypatch, "run", *data, *FIT)
    assert done.returncode == 0, done.stderr
    assert not (here / "out/size_factors.csv").exists()
    table = cn.read_counts(here / "counts.tsv", lengths=here / "lengths.tsv")
    dds = cn.DESeqDataSet(table, study.samples, "~ group", quiet=True).deseq(fit_type="mean", quiet=True)
    for name, expected in (
        ("normalization_factors", dds.normalization_factors),
        ("normalized_counts", dds.counts(normalized=True)),
    ):
        written = pd.read_csv(here / f"out/{name}.csv.gz", index_col=0)
        np.testing.assert_allclose(written, expected, rtol=1e-10)


def test_a_missing_sample_sheet_is_asked_for(here, capsys, monkeypatch):
    done = inside(here, capsys, monkeypatch, "run", "--counts", "star/*.tab", "--design", "~ group", *FIT)
    assert done.returncode == 2
    assert "Missing --samples" in done.stderr
