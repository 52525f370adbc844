"""`countnest run --contrasts`: comparisons that a file lists, each in its own model, and nf-core's names of files."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import inside
from countnest.cli.folder import earlier_files

DATA = ("run", "--counts", "counts.tsv", "--samples", "samples.csv", "--fit-type", "mean", "--quiet", "--out", "out")
YAML = """
contrasts:
  - {id: one, comparison: [group, A, B], blocking_factors: [batch]}
  - {id: two, comparison: [group, B, C], blocking_factors: [batch]}
  - {id: fewer, comparison: [group, A, C], exclude_samples_col: use, exclude_samples_values: [no]}
  - id: sum
    formula: "~ 0 + group"
    make_contrasts_str: "groupC - 0.5 * (groupA + groupB)"
"""
IDS = ("one", "two", "fewer", "sum")
OF_MODULE = (
    "deseq2.results.tsv", "deseq2.dispersion.png", "deseq2.sizefactors.tsv", "normalised_counts.tsv", "vst.tsv",
    "deseq2.model.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    found = cn.simulate.groups(genes=120, sizes=(4, 4, 4), fraction=0.3, rng=1)
    samples = found.samples.assign(batch=[1, 2] * 6, use=["yes"] * 11 + ["no"])
    return found.counts, samples


@pytest.fixture
def here(study, tmp_path):
    """Return a folder with counts as nf-core/rnaseq writes them, a sample sheet and a file of contrasts."""
    counts, samples = study
    named = counts.copy()
    named.insert(0, "gene_name", [f"name {i}" for i in range(len(counts))])
    named.to_csv(tmp_path / "counts.tsv", sep="\t", index_label="gene_id")
    samples.to_csv(tmp_path / "samples.csv", index_label="sample")
    (tmp_path / "contrasts.yaml").write_text(YAML)
    return tmp_path


def expected(study):
    """Return the p-values and fold changes of each contrast, from data sets that are made one by one."""
    counts, samples = study
    factors = samples.assign(batch=samples["batch"].astype(str))
    some = factors[factors["use"] == "yes"]

    def fitted(design, sheet):
        return cn.DESeqDataSet(counts[sheet.index], sheet, design, quiet=True).deseq(fit_type="mean", quiet=True)

    blocked, fewer = fitted("~ batch + group", factors), fitted("~ group", some)
    cells = fitted("~ 0 + group", factors)
    return {
        "one": blocked.results(contrast=("group", "B", "A")).table,
        "two": blocked.results(contrast=("group", "C", "B")).table,
        "fewer": fewer.results(contrast=("group", "C", "A")).table,
        "sum": cells.results(contrast=[-0.5, -0.5, 1.0]).table,
    }


def check_numbers(folder, ending, study, **reading):
    for name, table in expected(study).items():
        found = pd.read_csv(folder / f"out/{name}.{ending}", index_col=0, **reading)
        assert list(found.index) == list(table.index)
        columns = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"]
        np.testing.assert_allclose(found[columns], table[columns], rtol=1e-9, err_msg=name)


def test_each_contrast_has_its_own_model(here, study, capsys, monkeypatch):
    done = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.yaml", "--save")
    assert done.returncode == 0, done.stderr
    check_numbers(here, "results.csv", study)
    assert cn.load(here / "out/model_2.fit.countnest").design.formula == "~ group"
    assert pd.read_csv(here / "out/one.results.csv", index_col=0)["gene_name"].iloc[3] == "name 3"
    models = ("genes.csv.gz", "size_factors.csv", "normalized_counts.csv.gz", "dispersion.png", "fit.countnest")
    written = {f"{name}.{file}" for name in IDS for file in ("results.csv", "ma.png")}
    written |= {f"model_{place}.{file}" for place in (1, 2, 3) for file in models}
    assert {each.name for each in (here / "out").iterdir()} == written | {"methods.txt", "run.json"}
    record = json.loads((here / "out/run.json").read_text())
    assert record["inputs"]["contrasts"] == "contrasts.yaml"
    assert record["design"] == ["~ batch + group", "~ group", "~ 0 + group"]
    assert [[each["id"] for each in model["comparisons"]] for model in record["models"]] == [
        ["one", "two"], ["fewer"], ["sum"],
    ]  # fmt: skip
    for name in IDS:
        assert f"contrast: {name}\n" in done.stdout
        assert f"  {name}.results.csv" in done.stdout
    listed = done.stdout.split("results in out\n")[1].splitlines()
    texts = {"fold changes and p-values by gene", "counts divided by the factors", "fold changes against mean counts"}
    assert len({line.index(text) for line in listed for text in texts if text in line}) == 1, listed
    assert "\n\n\n" not in done.stdout


SAME = """
contrasts:
  - {id: levels, comparison: [group, B, A], blocking_factors: [lane]}
  - {id: sum, formula: "~lane+group", make_contrasts_str: "0.5 * (groupB + groupC)"}
  - {id: turned, comparison: [group, B, C], formula: "~ group + lane"}
  - {id: number, formula: "~ batch + group", make_contrasts_str: groupB}
  - id: all
    comparison: [group, A, B]
    blocking_factors: [lane]
    exclude_samples_col: use
    exclude_samples_values: [maybe]
"""


def test_contrasts_whose_models_are_the_same_share_a_fit_however_they_are_written(here, study, capsys, monkeypatch):
    counts, samples = study
    sheet = samples.assign(lane=["x", "y"] * 6)
    sheet.to_csv(here / "samples.csv", index_label="sample")
    (here / "contrasts.yaml").write_text(SAME)
    done = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.yaml")
    assert done.returncode == 0, done.stderr
    record = json.loads((here / "out/run.json").read_text())
    assert [[each["id"] for each in model["comparisons"]] for model in record["models"]] == [
        ["levels", "sum", "turned", "all"], ["number"],
    ]  # fmt: skip
    dds = cn.DESeqDataSet(counts, sheet, "~ lane + group", quiet=True).deseq(fit_type="mean", quiet=True)
    expected = {
        "levels": ("group", "A", "B"), "sum": [0.0, 0.0, 0.5, 0.5], "turned": ("group", "C", "B"),
        "all": ("group", "B", "A"),
    }  # fmt: skip
    for name, contrast in expected.items():
        found = pd.read_csv(here / f"out/{name}.results.csv", index_col=0)
        np.testing.assert_allclose(found["pvalue"], dds.results(contrast).table["pvalue"], rtol=1e-9, err_msg=name)


def test_warnings_begin_with_the_contrasts_that_they_are_about(here, capsys, monkeypatch):
    (here / "contrasts.yaml").write_text(
        "contrasts:\n- {id: all, comparison: [group, A, B]}\n- {id: fewer, comparison: [group, A, B], "
        "exclude_samples_col: group, exclude_samples_values: [C]}\n"
    )
    done = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.yaml")
    assert done.returncode == 0, done.stderr
    assert "warning: contrast 'fewer': no sample has group 'C' any more" in done.stderr
    assert done.stderr.count("warning: ") == 1, done.stderr


def test_the_layout_of_nf_core_takes_the_place_of_an_earlier_run(here, study, capsys, monkeypatch):
    table = "id,variable,reference,target,blocking\none,group,A,B,batch\n"
    (here / "contrasts.csv").write_text(table)
    first = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.csv")
    assert first.returncode == 0, first.stderr
    plain = {each.name for each in (here / "out").iterdir()}
    assert plain >= {"one.results.csv", "genes.csv.gz", "dispersion.png"}
    assert earlier_files(here / "out") == plain
    done = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.yaml", "--layout", "nf-core")
    assert done.returncode == 0, done.stderr
    written = {each.name for each in (here / "out").iterdir()}
    assert written == {f"{name}.{file}" for name in IDS for file in OF_MODULE} | {
        "versions.yml", "methods.txt", "run.json",
    }  # fmt: skip
    assert earlier_files(here / "out") == written
    check_numbers(here, "deseq2.results.tsv", study, sep="\t")
    heads = {file: (here / f"out/fewer.{file}").read_text().split("\n")[0].split("\t") for file in OF_MODULE[2:5]}
    samples = list(study[1].index)[:11]
    assert heads == {
        "deseq2.sizefactors.tsv": ["sample", "sizeFactor"],
        "normalised_counts.tsv": ["gene_id", *samples],
        "vst.tsv": ["gene_id", *samples],
    }
    head = (here / "out/fewer.deseq2.results.tsv").read_text().split("\n")[0]
    assert head == "gene_id\tbaseMean\tlog2FoldChange\tlfcSE\tstat\tpvalue\tpadj"
    assert (here / "out/sum.deseq2.model.txt").read_text() == "~ 0 + group\n"
    assert (here / "out/versions.yml").read_text().startswith('"countnest":\n    python: ')


def test_other_methods_answer_the_contrasts_as_well(here, study, capsys, monkeypatch):
    (here / "contrasts.yaml").write_text(YAML.split("  - {id: two")[0] + YAML[YAML.index("  - id: sum") :])
    method = ("--method", "edger", "--contrasts", "contrasts.yaml", "--quiet", "--out", "out")
    done = inside(here, capsys, monkeypatch, *DATA[:5], *method)
    assert done.returncode == 0, done.stderr
    counts, samples = study
    dds = cn.DESeqDataSet(counts, samples, "~ 0 + group", quiet=True)
    cn.edger(dds, quiet=True)
    table = dds.contrast([-0.5, -0.5, 1.0]).test(fit="edger").table
    found = pd.read_csv(here / "out/sum.results.csv", index_col=0)
    np.testing.assert_allclose(found["pvalue"], table["pvalue"], rtol=1e-9)


WRONG = {
    "{id: x, comparison: [group, A, B], blocking_factors: [lane]}": "contrast 'x': the samples have no column 'lane'",
    '{id: x, formula: "~ group", make_contrasts_str: groupD}': "contrast 'x': 'groupD' is not a coefficient",
    '{id: x, formula: "~ grup", make_contrasts_str: groupB}': "contrast 'x': .*grup",
    "{id: a/b, comparison: [group, A, B]}": "contrast 'a/b': files of results are named by the id",
}


def test_a_contrast_that_cannot_be_made_stops_the_run_before_any_fit(here, capsys, monkeypatch):
    monkeypatch.setattr("countnest.cli.listed.fit", None)
    for text, message in WRONG.items():
        (here / "contrasts.yaml").write_text(f"contrasts:\n- {text}\n")
        done = inside(here, capsys, monkeypatch, *DATA, "--contrasts", "contrasts.yaml")
        assert done.returncode == 1, text
        assert re.search(f"error: 'contrasts.yaml', {message}", done.stderr), done.stderr
        assert not (here / "out").exists()


def test_options_that_do_not_go_with_contrasts_are_refused(here, capsys, monkeypatch):
    contrasts = ("--contrasts", "contrasts.yaml")
    wrong = {
        ("--layout", "nf-core", "--design", "~ group"): "Give their file: --contrasts FILE",
        (*contrasts, "--design", "~ group"): "Leave out either --contrasts or --design.",
        (*contrasts, "--contrast", "group,A,B"): "Leave out either --contrasts or --contrast.",
        (*contrasts, "--test", "LRT", "--reduced", "~ 1"): "Leave out either --contrasts or --reduced.",
        (*contrasts, "--test", "LRT"): "--test LRT",
    }
    for options, message in wrong.items():
        done = inside(here, capsys, monkeypatch, *DATA, *options)
        assert done.returncode == 2, options
        assert message in " ".join(done.stderr.split()), done.stderr
    method = ("--method", "voom", "--layout", "nf-core")
    done = inside(here, capsys, monkeypatch, *DATA[:5], *contrasts, *method)
    assert done.returncode == 2
    assert "Leave it out with --method voom" in " ".join(done.stderr.split())


def test_size_factors_of_counts_with_lengths_are_those_without_the_lengths(here, study, capsys, monkeypatch):
    counts, _ = study
    lengths = counts * 0.0 + np.random.default_rng(2).uniform(500.0, 3000.0, counts.shape)
    for name, table in {"counts": counts, "lengths": lengths}.items():
        table.rename_axis("gene_id").reset_index().to_csv(here / f"{name}.tsv", sep="\t", index=False)
    for name in ("counts", "lengths"):
        path = here / f"{name}.tsv"
        path.write_text(
            re.sub(r"^(\S+)", r"\1\tname", path.read_text(), flags=re.MULTILINE).replace("name", "gene_name", 1)
        )
    (here / "one.csv").write_text("id,variable,reference,target\none,group,A,B\n")
    layout = ("--lengths", "lengths.tsv", "--contrasts", "one.csv", "--layout", "nf-core")
    done = inside(here, capsys, monkeypatch, *DATA, *layout)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(here / "out/one.deseq2.sizefactors.tsv", sep="\t", index_col=0)["sizeFactor"]
    np.testing.assert_allclose(found, cn.estimate_size_factors_for_matrix(counts / lengths), rtol=1e-9)
