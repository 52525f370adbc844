"""Saved fits in the shell: written by a run, asked by `countnest query`, drawn by `countnest plot`."""

import json

import numpy as np
import pytest

import countnest as cn
from cli.command import inside
from exact import read_exactly

DESIGN = "~ type + condition"
CONTRAST = ("--contrast", "condition,treated,untreated")
MODIFIED, EACH = "condition[treated - untreated]", "type[pairwise]"


@pytest.fixture(scope="module")
def study():
    found = cn.datasets.load("pasilla")
    return found.counts.iloc[::40], found.samples


@pytest.fixture(scope="module")
def dds(study):
    reference = {"condition": "untreated"}
    return cn.DESeqDataSet(*study, DESIGN, reference=reference, quiet=True).deseq(fit_type="mean", quiet=True)


@pytest.fixture(scope="module")
def folder(dds, tmp_path_factory):
    """Return a folder with the fit of DESeq2's method, those of two methods, and an analysis that is not fitted."""
    folder = tmp_path_factory.mktemp("saved")
    cn.save(dds, folder / "fit.countnest")
    others = cn.DESeqDataSet(dds.counts(), dds.samples, DESIGN, reference={"condition": "untreated"}, quiet=True)
    cn.save(others, folder / "raw.countnest")
    cn.save(cn.limma(cn.edger(others, quiet=True), quiet=True), folder / "two.countnest")
    return folder


@pytest.fixture
def ask(folder, capsys, monkeypatch):
    return lambda *arguments: inside(folder, capsys, monkeypatch, *arguments)


def test_a_run_saves_its_fit(study, tmp_path, capsys, monkeypatch):
    study[0].to_csv(tmp_path / "counts.csv", index_label="gene")
    study[1].to_csv(tmp_path / "samples.csv", index_label="sample")
    data = ("--counts", "counts.csv", "--samples", "samples.csv", "--design", DESIGN, "--fit-type", "mean")
    words = ("run", *data, "--reference", "condition=untreated", *CONTRAST, "--quiet", "--out", "out")
    done = inside(tmp_path, capsys, monkeypatch, *words, "--save")
    assert done.returncode == 0, done.stderr
    assert "  fit.countnest            the fit, for countnest query, plot and report\n" in done.stdout
    answered = inside(tmp_path, capsys, monkeypatch, "query", "out", *CONTRAST, "--out", "again.csv")
    assert answered.returncode == 0, answered.stderr
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out/results.csv").read_bytes()
    assert inside(tmp_path, capsys, monkeypatch, *words).returncode == 0
    assert not (tmp_path / "out/fit.countnest").exists()  # the fit of an earlier run does not stay
    asked = inside(tmp_path, capsys, monkeypatch, "query", "out", *CONTRAST)
    assert asked.returncode == 1
    assert "'out' holds no fit.countnest. Run the analysis with --save" in asked.stderr


def test_several_questions_are_one_table_with_a_column_that_names_them(ask, folder, dds):
    done = ask("query", "fit.countnest", MODIFIED, EACH, *CONTRAST, "--alpha", 0.05, "--out", "all.tsv.gz")
    assert done.returncode == 0, done.stderr
    written = read_exactly(folder / "all.tsv.gz", sep="\t", index_col=0)
    labels = ["condition treated vs untreated", MODIFIED, "type[single-read - paired-end]"]
    assert list(dict.fromkeys(written["contrast"])) == labels
    expected = [
        dds.results(("condition", "treated", "untreated"), alpha=0.05),
        dds.query(MODIFIED).test(alpha=0.05),
        dds.query(EACH).test(alpha=0.05),
    ]
    for label, results in zip(labels, expected, strict=True):
        part = written[written["contrast"] == label]
        np.testing.assert_array_equal(part["pvalue"], results.table["pvalue"])
        np.testing.assert_array_equal(part["padj"], results.table["padj"])
    assert "adjusted p-value < 0.05" in done.stdout
    assert f"query: {MODIFIED}\n" in done.stdout
    assert expected[2].top(1).index[0] in done.stdout
    assert done.stdout.endswith("table in all.tsv.gz\n")


def test_answers_as_json(ask, dds):
    done = ask("query", "fit.countnest", f"joint({MODIFIED}; {EACH})", *CONTRAST, "--test", "lrt", "--json", "--top", 3)
    assert done.returncode == 0, done.stderr
    comparison, joint = json.loads(done.stdout)["questions"]
    expected = dds.query(MODIFIED).test("lrt")
    (answer,) = comparison["answers"]
    assert answer["test"] == "LRT"
    assert answer["numbers"]["significant"] == (expected.table["padj"] < 0.1).sum()
    assert [row["gene"] for row in answer["top"]] == list(expected.top(3).index)
    assert answer["top"][0]["pvalue"] == expected.top(1)["pvalue"].iloc[0]
    (answer,) = joint["answers"]
    together = dds.query(f"joint({MODIFIED}; {EACH})").test("lrt")
    assert answer["numbers"]["significant"] == (together.table["padj"] < 0.1).sum()


def test_a_file_with_several_fits_is_asked_by_name(ask, folder):
    done = ask("query", "two.countnest", MODIFIED)
    assert done.returncode == 1
    assert "the file has several fits: 'edger', 'limma'. Give one of them, --fit." in done.stderr
    done = ask("query", "two.countnest", MODIFIED, "--fit", "limma", "--out", "limma.csv")
    assert done.returncode == 0, done.stderr
    loaded = cn.load(folder / "two.countnest")
    written = read_exactly(folder / "limma.csv", index_col=0)
    np.testing.assert_array_equal(written["pvalue"], loaded.query(MODIFIED).test(fit="limma").table["pvalue"])


def test_without_a_question_the_fit_is_described(ask, folder):
    done = ask("query", "two.countnest")
    assert done.returncode == 0
    names = [f"{name} ({method})" for name, method in cn.load(folder / "two.countnest").fits.items()]
    assert f"fits: {', '.join(names)}\n" in done.stdout
    assert "coefficients: Intercept, type_single.read_vs_paired.end, condition_treated_vs_untreated\n" in done.stdout
    told = json.loads(ask("query", "two.countnest", "--json").stdout)
    assert told["design"] == DESIGN
    assert list(told["fits"]) == ["edger", "limma"]


def test_what_cannot_be_answered_is_named(ask, folder):
    before = {path.name for path in folder.iterdir()}
    for arguments, status, problem in (
        (("fit.countnest", "type[pairwise"), 1, "']' expected here.\n  type[pairwise\n"),
        (("fit.countnest", MODIFIED, "--test", "strata"), 1, "--test strata is not a test of the fit deseq2. It has"),
        (("fit.countnest", MODIFIED, "--fit", "edger"), 1, "--fit edger is not in the file. It has 'deseq2'."),
        (("fit.countnest", MODIFIED, "--out", "x.xlsx"), 1, "end it with .csv"),
        (("raw.countnest", MODIFIED), 1, "holds a data set without a fit"),
        (("no.countnest", MODIFIED), 1, "there is no file 'no.countnest'"),
        (("fit.countnest", *CONTRAST, "--name", "x"), 2, "--contrast and --name exclude each other"),
        (("fit.countnest", "--out", "x.csv"), 2, "--out takes the table of the answers. Ask a question"),
        (("fit.countnest", MODIFIED, "--alpha", "nan"), 1, "error: --alpha nan must be a number"),
        (("fit.countnest", MODIFIED, "--null", "scaled", "--lfc-threshold", 1), 2, "two-sided tests of zero"),
    ):
        done = ask("query", *arguments)
        assert (done.returncode, done.stdout) == (status, ""), arguments
        assert problem in done.stderr, done.stderr
    assert {path.name for path in folder.iterdir()} == before


HEADS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def test_figures_of_every_kind_in_every_format(ask, folder, dds):
    gene = str(dds.results().top(1).index[0])
    cases = (
        ("volcano", ".pdf", CONTRAST),
        ("ma", ".svg", ("--query", MODIFIED)),
        ("pvalues", ".png", ("--name", "condition_treated_vs_untreated")),
        ("upset", ".png", ("--query", MODIFIED, "--query", EACH)),
        ("changes", ".png", ("--query", MODIFIED, "--query", EACH, "--gene", gene)),
        ("counts", ".png", ("--gene", gene, "--by", "condition")),
        ("pca", ".png", ("--by", "condition")),
        ("distances", ".png", ()),
        ("heatmap", ".png", CONTRAST),
        ("dispersion", ".png", ()),
    )
    for kind, ending, options in cases:
        done = ask("plot", "fit.countnest", kind, *options, "--out", f"{kind}{ending}")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"figure in {kind}{ending}\n"
        assert (folder / f"{kind}{ending}").read_bytes().startswith(HEADS[ending])


def test_figures_that_lack_something_or_have_too_much(ask):
    for arguments, status, problem in (
        (("counts",), 2, "counts is of one gene. Give its label: --gene."),
        (("ma", "--gene", "x"), 2, "--gene does not apply to ma."),
        (("dispersion", "--by", "condition"), 2, "--by does not apply to dispersion."),
        (("volcano", "--query", f"joint({MODIFIED}; {EACH})"), 1, "volcano draws the fold changes of one"),
        (("upset", *CONTRAST), 1, "error: upset draws 2 to 20 tables; got 1."),
        (("pca", *CONTRAST), 2, "pca needs no question. Leave out --contrast, --name and --query."),
        (("ma", "--out", "ma.jpg"), 2, "--out 'ma.jpg' must end with .png, .pdf or .svg."),
        (("volcano", "--query", MODIFIED, "--query", EACH), 1, "volcano is of one table, and there are 2: 'condition["),
        (("counts", "--gene", "FBgn"), 1, "has no gene 'FBgn'"),
        (("pca", "--by", "sex"), 1, "error: --by: the sample sheet has no column 'sex'."),
    ):
        done = ask("plot", "fit.countnest", *arguments)
        assert (done.returncode, done.stdout) == (status, ""), arguments
        assert problem in " ".join(done.stderr.split()), done.stderr


def test_the_fits_of_a_folder_without_a_fit_of_its_own_are_named(ask, folder):
    (folder / "models").mkdir()
    for name in ("model_1", "model_2"):
        (folder / f"models/{name}.fit.countnest").write_bytes((folder / "fit.countnest").read_bytes())
    done = ask("query", "models", MODIFIED)
    assert done.returncode == 1
    assert "It holds 'model_1.fit.countnest', 'model_2.fit.countnest'. Give one of them, such as " in done.stderr
    assert ask("query", "models/model_2.fit.countnest", MODIFIED).returncode == 0


def test_a_query_in_the_form_of_another_command_is_told_that_of_this_one(ask):
    expected = {
        ("query", "fit.countnest", "--query", MODIFIED): "takes queries without --query, after the file",
        ("report", "fit.countnest", "--query", MODIFIED): "takes queries without --query, after the file",
        ("plot", "fit.countnest", "volcano", MODIFIED): f"Give --query '{MODIFIED}'",
        ("run", "airway", MODIFIED): f"Give --query '{MODIFIED}'",
        ("query", "fit.countnest", "--quary", MODIFIED): "--quary",
    }
    for words, message in expected.items():
        done = ask(*words)
        assert done.returncode == 2, words
        assert message in " ".join(done.stderr.split()), done.stderr


def test_messages_of_figures_name_the_options_of_the_command(ask):
    for kind in (("counts", "--gene", "0"), ("pca",), ("heatmap",), ("distances",)):
        done = ask("plot", "fit.countnest", *kind, "--by", "cond")
        assert done.returncode == 1, kind
        assert "intgroup" not in done.stderr, done.stderr
        if kind[0] != "counts":
            assert "error: --by: the sample sheet has no column 'cond'" in done.stderr, done.stderr


def test_wald_tests_of_few_samples_are_told_of_the_averaged_test(ask):
    note = "note: with few samples (4 residual degrees of freedom) Wald tests often exceed their false discovery rate"
    assert note in ask("query", "fit.countnest", MODIFIED).stdout
    averaged = ask("query", "fit.countnest", MODIFIED, "--test", "averaged")
    assert averaged.returncode == 0, averaged.stderr
    assert "with few samples" not in averaged.stdout
