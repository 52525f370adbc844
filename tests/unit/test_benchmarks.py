"""The benchmarks: problems of the stated sizes, what a library must do, tables and figure from made-up seconds."""

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import countnest as cn

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = (
    "problems", "report", "scaling", "cold", "compare", "large", "roofline", "same_bits", "tree", "libraries",
    "libraries.runner",
)  # fmt: skip


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    yield types.SimpleNamespace(**{name.split(".")[-1]: importlib.import_module(name) for name in NAMES})
    sys.path.remove(str(FOLDER))
    for name in [name for name in sys.modules if name in NAMES or name.startswith("libraries.")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def small(bench, tmp_path_factory):
    return bench.problems.prepare("300x8x3", cache=tmp_path_factory.mktemp("problems"))


@pytest.mark.parametrize("name", ["pasilla", "airway", "factorial", "nested", "large", "largest"])
def test_problems_have_their_shapes(bench, name):
    found = bench.problems.kind(name)
    problem = found.make(40)
    _, n, p = found.shape
    assert problem.counts.shape == (40, n)
    assert problem.counts.dtype == np.int32
    assert problem.matrix.shape == (n, p)
    assert list(problem.matrix.index) == list(problem.samples.index)
    assert np.linalg.matrix_rank(problem.matrix) == p
    assert problem.formula in found.title
    assert np.array_equal(found.make(40).counts, problem.counts)


@pytest.mark.parametrize("name", ["pasilla", "airway"])
def test_shipped_problems_are_whole_or_have_counts(bench, name):
    genes, n, _ = bench.problems.PROBLEMS[name].shape
    assert cn.datasets.load(name).counts.shape == (genes, n)
    assert bench.problems.shipped(name, 100).counts.any(axis=1).all()


def test_a_problem_is_written_once_and_read_back(bench, small):
    assert bench.problems.shape(small) == (300, 8, 3)
    counts = np.load(small / "counts.npy")
    assert counts.flags.f_contiguous  # as R reads it
    made = bench.problems.blocked(300, 8, 3)
    study = bench.runner.Study.read(small)
    assert np.array_equal(study.counts, made.counts)
    assert np.array_equal(study.matrix, made.matrix)
    before = (small / "counts.npy").stat().st_mtime_ns
    assert bench.problems.prepare("300x8x3", cache=small.parent) == small
    assert (small / "counts.npy").stat().st_mtime_ns == before


def test_problems_that_cannot_be(bench):
    with pytest.raises(ValueError, match="multiple of 8"):
        bench.problems.blocked(10, 12, 5)
    with pytest.raises(ValueError, match="no problem 'airways'"):
        bench.problems.kind("airways")


def test_every_library_has_its_file(bench):
    for name, library in bench.libraries.LIBRARIES.items():
        assert (FOLDER / "libraries" / f"{name}{'.R' if library.host == 'R' else '.py'}").is_file()


def test_countnest_keeps_the_contract(bench, small, tmp_path):
    assert bench.runner.main("countnest", str(small), str(tmp_path), "1") == 0
    answers = pd.read_csv(tmp_path / "answers.csv")
    study = bench.runner.Study.read(small)
    dds = cn.DESeqDataSet(pd.DataFrame(study.counts, columns=study.matrix.index), study.samples, design=study.matrix)
    cn.DESeq(dds, n_threads=1, quiet=True)
    table = cn.results(dds, name=study.matrix.columns[-1]).table
    for column in ("log2FoldChange", "pvalue"):
        np.testing.assert_allclose(answers[column], table[column], rtol=1e-10)
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert timing["seconds"] > 0
    assert timing["memory_mb"] >= timing["memory_before_mb"] > 10
    assert timing["version"].startswith("countnest ")


def test_other_methods_of_countnest_keep_the_contract(bench, small, tmp_path):
    study = bench.runner.Study.read(small)
    counts = pd.DataFrame(study.counts, columns=study.matrix.index)
    dds = cn.DESeqDataSet(counts, study.samples, design=study.matrix)
    dds = dds[counts.to_numpy().any(axis=1)]
    tables = {
        "countnest_edger": cn.glm_ql_ftest(cn.glm_ql_fit(dds, quiet=True)),
        "countnest_edger_legacy": cn.glm_ql_ftest(cn.glm_ql_fit(dds, compat="bioc3.16", quiet=True)),
        "countnest_limma": cn.limma(dds, filter=False, compat="bioc3.16", quiet=True)
        .contrast(study.matrix.columns[-1])
        .test(fit="limma"),
    }
    for name, found in tables.items():
        assert bench.runner.main(name, str(small), str(tmp_path), "1") == 0
        answers = pd.read_csv(tmp_path / "answers.csv")
        for column in ("log2FoldChange", "pvalue"):
            np.testing.assert_allclose(answers.loc[counts.any(axis=1), column], found.table[column], rtol=1e-10)


def test_every_library_is_compared_with_the_package_of_its_method(bench):
    libraries = bench.libraries.LIBRARIES
    assert {library.original for library in libraries.values()} == {"deseq2", "edger", "voom"}
    assert all(libraries[library.original].host == "R" for library in libraries.values())


def test_what_is_not_installed_is_left_out(bench, small, tmp_path, monkeypatch, capsys):
    absent = types.SimpleNamespace(IMPORT="no_such_package")
    monkeypatch.setitem(sys.modules, "libraries.absent", absent)
    assert bench.runner.main("absent", str(small), str(tmp_path), "1") == bench.runner.NOT_INSTALLED
    monkeypatch.setattr(bench.problems, "CACHE", small.parent)
    monkeypatch.setattr(bench.compare.problems, "prepare", lambda *_: small)
    monkeypatch.setenv("PATH", str(tmp_path))
    runs = bench.compare.Bench({})
    runs.run("300x8x3", "voom")
    assert runs.runs == []
    assert "limma voom (R): Rscript is not installed" in bench.report.left_out(runs.missing)
    assert "voom is left out" in capsys.readouterr().err


def test_a_run_of_the_file_is_not_made_again(bench, small, tmp_path, monkeypatch):
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([{"problem": "p", "genes": 300, "library": "voom", "threads": 1, "repeat": 0}]))
    monkeypatch.setattr(bench.compare.problems, "prepare", lambda *_: small)
    asked = []
    done = types.SimpleNamespace(returncode=1, stderr="first\nwhy not\n")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command) or done)
    runs = bench.compare.Bench({}, file)
    runs.run("p", "voom")
    assert asked == []
    runs.run("p", "voom", repeat=1)
    assert len(asked) == 1
    assert runs.missing == {("voom", "p"): "why not"}


def made_up(tmp_path):
    rng = np.random.default_rng(3)
    truth = pd.DataFrame({"log2FoldChange": rng.normal(size=50), "pvalue": rng.random(50)})
    truth.to_csv(tmp_path / "deseq2.csv", index=False)
    truth.assign(log2FoldChange=truth["log2FoldChange"] + 1e-7).to_csv(tmp_path / "countnest.csv", index=False)
    rows = [
        ("countnest", 1, 0.5, 0.4),
        ("countnest", 1, 0.7, 0.6),
        ("countnest", 2, 0.25, 0.5),
        ("deseq2", 1, 5.0, 4.0),
    ]
    return pd.DataFrame(
        {
            "problem": "pasilla",
            "genes": 50,
            "library": library,
            "threads": threads,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "memory_mb": 300.4,
            "memory_before_mb": 200.4,
            "version": "some 1.0",
            "load": 1.2,
            "answers": str(tmp_path / f"{library}.csv"),
        }
        for library, threads, seconds, cpu in rows
    )


def test_tables_of_made_up_seconds(bench, tmp_path):
    table, sizes = made_up(tmp_path), {"pasilla": (50, 7, 3)}
    one = bench.report.comparison(table, 1, sizes)
    ours = "| pasilla | countnest | 2 | 0.50 | 0.60 | 0.40 | 10x | 1.00x | 300 (200) | 100.00 % | 1.0000 | 1.0000 |"
    theirs = "| pasilla | DESeq2 (R) | 1 | 5.00 | 5.00 | 4.00 | 1.00x | 10x | 300 (200) | - | - | - |"
    assert one.splitlines()[-2:] == [ours, theirs]
    assert "50 genes, n = 7, p = 3" in one
    two = bench.report.comparison(table, 2, sizes)
    assert "| countnest | 1 | 0.25 | 0.25 | 0.50 | 16x | 1.00x |" in two
    assert "DESeq2 (R)" not in two
    assert bench.report.comparison(table, 4, sizes) == ""
    alone = bench.report.comparison(table[table["library"] == "countnest"], 1, sizes)
    assert "| 0.40 | - | 1.00x | 300 (200) | - | - | - |" in alone


def test_the_introduction_says_whether_the_machine_was_quiet(bench, tmp_path):
    table = made_up(tmp_path)
    assert "Nothing else ran: a load of 1.2" in bench.report.head("the command", table)
    busy = bench.report.head("the command", table.assign(load=[0.5, 4.0, 6.0, 7.0]))
    assert "**The machine was not quiet**: a load of 5.0 before a run in the median, 7.0 at most" in busy


def test_agreement(bench):
    lfc = np.array([0.0, 1.0, 2.0, 3.0, np.nan])
    one = pd.DataFrame({"log2FoldChange": lfc, "pvalue": [0.1, 0.2, 0.3, 0.4, np.nan]})
    other = pd.DataFrame(
        {"log2FoldChange": lfc + np.array([0, 5e-7, 2e-6, -9, 0]), "pvalue": [0.4, 0.3, 0.2, 0.1, 0.5]}
    )
    same, rho_lfc, rho_p = bench.report.agreement(one, other)
    assert same == 0.5
    assert rho_lfc == pytest.approx(-0.2)  # ranks 2, 3, 4, 1
    assert rho_p == pytest.approx(-1.0)


def test_scaling_of_made_up_seconds(bench, tmp_path):
    names = bench.scaling.points("genes")
    sizes = [int(name.split("x")[0]) for name in names]
    rows = [
        {"problem": name, "library": "countnest", "cpu_seconds": 2e-6 * g**1.5}
        for name, g in zip(names, sizes, strict=True)
    ]
    rows += [{**rows[-1], "cpu_seconds": 1e9}]  # the fewest count
    x, seconds = bench.scaling.times(pd.DataFrame(rows[::-1]), "genes", "countnest")
    assert list(x) == sizes
    assert bench.scaling.exponent(x, seconds) == pytest.approx(1.5)
    assert np.isnan(bench.scaling.exponent(x[:1], seconds[:1]))
    bench.scaling.draw(pd.DataFrame(rows), ["countnest"], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_roofline_counts_by_hand(bench):
    size = bench.roofline.Size.of(np.array([[1, 0], [1, 0], [1, 1], [1, 1]]))
    assert (size.n, size.cells, size.p, size.entries, size.pairs, size.updates, size.below) == (4, 2, 2, 3, 4, 1, 1)
    k = np.array([3, 4])
    value = bench.roofline.value(size, k)
    assert list(value["log"]) == [4 + 1 + 2 * 3 + 2, 4 + 1 + 2 * 4 + 2]
    assert list(value["lgamma series"]) == [4, 5]
    assert list(bench.roofline.slope(size, k)["digamma series"]) == [4, 5]
    assert float(bench.roofline.iteration(size)["exp"]) == 2
    columns = ["dispGeneIter", "dispGeneEst", "dispIter", "betaIter"]
    genes = pd.DataFrame([[10, 0.1, 8, 5], [1, 0.1, 7, 4]], columns=columns)
    found = bench.roofline.counted(genes, k, size)
    values = [10 + 8 + 2, 1 + 7 + 2 + 40]  # the second gene went through the grid
    assert found["exp"] == sum(values) + 2 * (5 + 4)
    assert found["digamma series"] == 18 * 4 + 8 * 5


def test_roofline_counts_the_first_fit_of_designs_with_more_cells_than_columns(bench):
    size = bench.roofline.Size.of(bench.problems.blocked(10, 8, 3).matrix.to_numpy())
    assert size.cells > size.p
    genes = pd.DataFrame({"dispGeneIter": [10.0], "dispGeneEst": 0.1, "dispIter": 8.0, "betaIter": 5.0})
    assert bench.roofline.counted(genes, np.array([8]), size)["exp"] == 20 + 2 * 5 * size.cells


def test_which_runs_are_made(bench, monkeypatch):
    asked = []
    runs = bench.compare.Bench({})
    monkeypatch.setattr(
        bench.compare.Bench, "run", lambda _, name, library, **more: asked.append((name, library, more))
    )
    words = "--problems pasilla --alone large --libraries countnest voom --threads 1 2 --genes 9 --rival-python /a/b"
    bench.compare.compare(runs, bench.compare.parsed(words.split()))
    assert [(name, library, more["threads"]) for name, library, more in asked] == [
        ("pasilla", "countnest", 1),
        ("pasilla", "voom", 1),
        ("pasilla", "countnest", 2),
        ("large", "countnest", 1),
        ("large", "countnest", 2),
    ]
    assert {more["genes"] for _, _, more in asked} == {9}


def test_the_command_that_is_shown_names_no_paths_of_the_machine(bench):
    words = "--python voom=/a b=/c --threads 1 2 --rival-python /d --extra --write docs/performance.md"
    shown = bench.compare.shown(words.split())
    assert shown == "python benchmarks/compare.py --threads 1 2 --extra --write docs/performance.md"


def test_a_cohort_in_a_file(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(bench.problems, "CACHE", tmp_path)
    folder = bench.large.cohort(30, 800)
    counts = np.load(folder / "counts.npy", mmap_mode="r")
    assert counts.shape == (30, 800)
    assert counts.flags.c_contiguous  # genes one after the other
    run = bench.large.measure(folder, 1, "file")
    assert run["shape"] == [30, 800, 20]
    assert run["tested"] == 30
    text = bench.large.section([run])
    assert "30 x 800 x 20 | file | 1 |" in text


def made_of(number):
    """Return an analysis of one table."""
    table = pd.DataFrame({"pvalue": [0.5, np.nan, number], "padj_reason": ["tested", None, "outlier"]})
    return lambda _, record: record.take("results", lambda **_: table, alpha=0.1)


def test_a_column_that_differs_in_its_last_bit_is_reported(bench, tmp_path, monkeypatch, capsys):
    file = tmp_path / "digests.json"
    runs = ["--only", "pasilla"]
    monkeypatch.setattr(bench.same_bits.analyses, "analyse", made_of(0.3))
    assert bench.same_bits.main(["--save", str(file), *runs]) == 0
    assert bench.same_bits.main(["--compare", str(file), *runs]) == 0
    assert "no column differs" in capsys.readouterr().out
    monkeypatch.setattr(bench.same_bits.analyses, "analyse", made_of(np.nextafter(0.3, 1)))
    assert bench.same_bits.main(["--compare", str(file), *runs]) == 1
    assert capsys.readouterr().out.splitlines()[2:] == ["differs: pasilla | results, alpha=0.1 | pvalue"]
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "versions": {"numpy": "0.1"}}))
    assert bench.same_bits.main(["--compare", str(file), *runs]) == 2


def test_digests_tell_values_types_and_texts_apart(bench):
    digest = bench.same_bits.digest
    assert digest(pd.Series([1.0, np.nan])) == digest(np.array([1.0, -np.nan]))
    columns = [[0.0], [-0.0], [0], [False], ["0"], [None], [np.nan], np.zeros(1, np.float32), np.zeros((1, 1)), []]
    assert len({digest(np.asarray(values)) for values in columns}) == len(columns)


def test_tables_that_are_new_or_gone_or_an_error_now(bench):
    record = bench.same_bits.Record()
    assert record.take("b", lambda: 1 / 0) is None
    assert record.digests == {"b": {"error": "ZeroDivisionError"}}
    now, stored = {"x": record.digests}, {"x": {"a": {"padj": "1"}, "b": {"padj": "2"}}, "not run": {"a": {}}}
    assert bench.same_bits.differences(now, stored) == [
        "gone: x | a | padj",
        "new: x | b | error",
        "gone: x | b | padj",
    ]


def test_figures_of_a_made_up_tree(bench, tmp_path):
    package = tmp_path / "src" / "countnest"
    (package / "stats").mkdir(parents=True)
    text = '''"""Two
lines."""

def f(self, a, *, b):
    """Say."""
    # nothing
    def g(): return 1

    return g
'''
    modules = {
        "__init__": "",
        "errors": text,
        "stats/__init__": "",
        "stats/fit": "from countnest import errors\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from countnest.api import later\n",
        "api": "def later():\n    import countnest.cli\ntry:\n    import countnest.stats.fit\nfinally:\n    pass\n",
        "cli": "from countnest.errors import f\n",
    }
    for name, content in modules.items():
        (package / f"{name}.py").write_text(content)
    (tmp_path / "tests" / "architecture").mkdir(parents=True)
    (tmp_path / "tests" / "architecture" / "test_layers.py").write_text('LAYERS = (("errors",), ("stats",), ("api",))')
    tree = bench.tree.Tree(tmp_path)
    assert tree.chain == ("api", "stats.fit", "errors")
    assert tree.layers == 3
    assert list(tree.functions) == ["api.later", "errors.f", "errors.f.g"]
    node = tree.functions["errors.f"]
    assert (bench.tree.n_lines(node), bench.tree.n_arguments(node)) == (5, 2)
    assert bench.tree.code_lines(text) == 3


def test_the_functions_that_readers_ask_for_are_found(bench):
    found = bench.tree.measured_stacks()
    assert found.keys() == bench.tree.QUESTIONS.keys()
    for one in found.values():
        assert {f"{frame.partition(':')[0]}.py" for frame in one["frames"]} <= set(one["modules"])
    assert any("wald" in frame for frame in found["a Wald p-value"]["frames"])
