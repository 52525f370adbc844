"""Designs described and queries answered by the command, most of them in a process of its own."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cli.command import countnest, inside
from countnest.containers.results import Results
from countnest.remedies import in_the_shell

DESIGN = "~ family + treat1*treat2"
RUN = ("run", "--counts", "counts.csv", "--samples", "samples.csv", "--reference", "treat2=None", "--design", DESIGN)
BY_GROUP = "treat2[E - None] | treat1"
MODIFIED = "treat2[E - None] : treat1[B - A]"
JOINTLY = "joint(treat2[E - None] : treat1[reference])"
BETWEEN = "treat1[B - A]"
COMPARED = ("--contrast", "treat2,E,None")
CUT = ("--alpha", 0.05, "--lfc-threshold", 0.3, "--no-independent-filtering", "--cooks-cutoff", 2.5)
CUT_API = {"alpha": 0.05, "lfc_threshold": 0.3, "independent_filtering": False, "cooks_cutoff": 2.5}

# The arguments of each run, and for each of its queries how the API asks the same.
GOOD = {
    "wald": ((BY_GROUP, JOINTLY, MODIFIED), (), {}),
    "lrt": ((MODIFIED, JOINTLY), ("--query-test", "lrt"), {"kind": "lrt"}),
    "ql": ((MODIFIED, JOINTLY), ("--query-test", "ql"), {"kind": "ql"}),
    "analysis by ql": ((MODIFIED,), ("--test", "QL", *COMPARED), {"kind": "ql"}),
    "averaged": ((MODIFIED, JOINTLY), ("--query-test", "averaged"), {"kind": "averaged"}),
    "analysis by averaged": ((MODIFIED,), ("--test", "averaged", *COMPARED), {"kind": "averaged"}),
    "options": ((MODIFIED, BY_GROUP), ("--query-test", "t", *CUT), {"kind": "t", **CUT_API}),
    "forced": ((BETWEEN,), ("--allow-fixed-blocks",), {"allow_fixed_blocks": True}),
}
# The query, further arguments, and what the message must hold. The first ones get a process each.
BAD = {
    "unknown level": (
        "treat2[E - Nne]",
        (),
        ["'Nne' is not a level of 'treat2'. Did you mean 'None'?", "\n  treat2[E - Nne]\n             ^\n"],
    ),
    "between": (BETWEEN, (), ["compares blocks", "Alternatives", "--allow-fixed-blocks", f"in the query: {BETWEEN}"]),
    "open bracket": ("treat2[E - None", (), ["']' expected here.\n  treat2[E - None\n                 ^\n"]),
    "unknown variable": ("treatment2[E - None]", (), ["Did you mean 'treat2'", "\n  treatment2[E - None]\n  ^\n"]),
    "empty": ("", (), ["the name of a variable expected here"]),
    "second": (MODIFIED, ("--query", "treat2 E"), ["'[' expected here.\n  treat2 E\n         ^\n"]),
    "no such term": ("treat2[E - None] : family[f02 - f01]", (), ["no family:treat2 term", "in the query: treat2[E"]),
    "joint between": (f"joint({BETWEEN}; treat1[C - A])", (), ["'treat1[B - A]', 'treat1[C - A]' compare blocks"]),
    "joint threshold": (JOINTLY, ("--lfc-threshold", 1), ["a joint test has no threshold", f"query: {JOINTLY}"]),
}


APART = list(BAD)[:2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the counts and samples of a study of 24 families."""
    study = cn.simulate.nested(genes=300)
    folder = tmp_path_factory.mktemp("study")
    study.counts.to_csv(folder / "counts.csv", index_label="gene")
    study.samples.to_csv(folder / "samples.csv", index_label="sample")
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    """Return the same study, fitted by the API."""
    counts, samples = cn.read_counts(folder / "counts.csv"), cn.read_samples(folder / "samples.csv")
    return cn.DESeq(cn.DESeqDataSet(counts, samples, design=DESIGN, reference={"treat2": "None"}), quiet=True)


@pytest.fixture(scope="module")
def runs(folder):
    """Run the good cases and some of the bad ones, some at a time; return what the command said."""
    cases = {kind: [*(f"--query={query}" for query in texts), *more] for kind, (texts, more, _) in GOOD.items()}
    cases |= {kind: [f"--query={BAD[kind][0]}", *BAD[kind][1]] for kind in APART}

    def run(kind):
        return countnest(folder, *RUN, *cases[kind], "--out", f"out/{kind}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(cases, pool.map(run, cases), strict=True))


def answers(fitted, kind):
    """Return what the API answers to the queries of a good run."""
    texts, _, options = GOOD[kind]
    return [fitted.query(text).test(**options) for text in texts]


def tables(answer):
    """Return the tables of an answer, by label."""
    return {answer.info.label: answer} if isinstance(answer, Results) else answer.parts


@pytest.mark.parametrize("kind", GOOD)
def test_files_are_those_of_the_api(folder, runs, fitted, kind, tmp_path):
    assert runs[kind].returncode == 0, runs[kind].stderr
    out = folder / "out" / kind
    expected = answers(fitted, kind)
    names = [f"query_{place}.csv" for place in range(1, len(expected) + 1)]
    assert sorted(path.name for path in out.glob("query*")) == names
    for name, answer in zip(names, expected, strict=True):
        answer.to_csv(tmp_path / name)
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes(), name


@pytest.mark.parametrize(("kind", "test"), [("analysis by averaged", "averaged"), ("analysis by ql", "QL")])
def test_the_main_table_has_the_test_of_the_analysis(folder, runs, fitted, kind, test, tmp_path):
    assert runs[kind].returncode == 0
    fitted.results(("treat2", "E", "None"), test=test).to_csv(tmp_path / "results.csv")
    assert (folder / "out" / kind / "results.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()


def test_shapes_of_the_files(folder, runs):
    out = folder / "out" / "wald"
    assert runs["wald"].returncode == 0
    by_group, jointly, modified = (pd.read_csv(out / f"query_{place}.csv") for place in (1, 2, 3))
    assert by_group["contrast"].value_counts().to_dict() == {f"treat2[E - None] | treat1={g}": 300 for g in "ABCD"}
    changes = [name for name in jointly if name.startswith("log2FoldChange.")]
    assert changes == [f"log2FoldChange.treat2[E - None] : treat1[{g} - A]" for g in "BCD"]
    assert len(jointly) == len(modified) == 300
    difference = by_group["log2FoldChange"].to_numpy()
    np.testing.assert_allclose(modified["log2FoldChange"], difference[300:600] - difference[:300], atol=1e-8)
    np.testing.assert_allclose(modified["log2FoldChange"], jointly[changes[0]], atol=1e-12)


@pytest.mark.parametrize("kind", GOOD)
def test_record(folder, runs, fitted, kind):
    assert runs[kind].returncode == 0
    record = json.loads((folder / "out" / kind / "run.json").read_text(encoding="utf-8"))
    texts, _, options = GOOD[kind]
    assert [entry["text"] for entry in record["queries"]] == list(texts)
    assert [entry["file"] for entry in record["queries"]] == [f"query_{i + 1}.csv" for i in range(len(texts))]
    assert {entry["test"] for entry in record["queries"]} == {options.get("kind", "wald")}
    assert record["options"]["allow_fixed_blocks"] == (kind == "forced")
    for entry, answer in zip(record["queries"], answers(fitted, kind), strict=True):
        query = fitted.query(entry["text"])
        assert entry["labels"] == list(query.labels)
        assert entry["joint"] == query.is_joint
        assert entry["strata"] == list(query.strata)
        np.testing.assert_array_equal(entry["vectors"], query.vector())
        assert np.shape(entry["vectors"])[1] == len(record["design"]["columns"])
        found = tables(answer).values()
        assert entry["significant"] == [(part.table["padj"] < part.info.alpha).sum() for part in found]
        assert [each["scale"] for each in entry["null"]] == [part.info.null_scale for part in found]


@pytest.mark.parametrize("kind", GOOD)
def test_answers_are_printed(runs, fitted, kind):
    lines = runs[kind].stdout.splitlines()
    texts, _, options = GOOD[kind]
    alpha = options.get("alpha", 0.1)
    for text, answer in zip(texts, answers(fitted, kind), strict=True):
        assert f"query: {text}" in lines
        for label, part in tables(answer).items():
            count = (part.table["padj"] < alpha).sum()
            shown = f"{count} gene{'' if count == 1 else 's'} with padj < {alpha:g}"
            assert (f"  {shown}" if text == JOINTLY else f"  {label}: {shown}") in lines
            if part.info.null_scale is not None:
                assert f"scale of the null: {part.info.null_scale:.2f}" in runs[kind].stdout
    assert any(line.startswith("  query_1.csv ") and line.endswith(texts[0]) for line in lines)
    start = lines.index(f"query: {texts[0]}")
    assert max(map(len, lines[start:])) <= 100


def test_queries_are_explained(runs):
    wald, forced = (" ".join(runs[kind].stdout.split()) for kind in ("wald", "forced"))
    assert "is the weighted sum of log means of 4 cells: +1 treat2=E, treat1=B (6 samples); -1 treat2=E" in wald
    assert "Do any of these 3 contrasts differ from zero? One test with 3 df." in wald
    assert "these particular blocks are compared" in forced
    assert "these particular blocks are compared" not in wald


def test_queries_alone_write_no_comparison_that_was_not_asked_for(folder, runs):
    out = folder / "out" / "wald"
    assert runs["wald"].returncode == 0
    assert not {"results.csv", "ma.png"} & {path.name for path in out.iterdir()}
    assert "results.csv" not in runs["wald"].stdout
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (record["comparisons"], record["comparison"], record["numbers"]) == ([], None, None)
    paragraphs = (out / "methods.txt").read_text(encoding="utf-8")
    assert [f"query_{place}.csv\n\nDiff" in paragraphs for place in (1, 2, 3, 4)] == [True, True, True, False]


@pytest.mark.parametrize("kind", BAD)
def test_bad_queries_stop_before_the_fit(folder, runs, kind, capsys, monkeypatch):
    query, further, parts = BAD[kind]
    arguments = (*RUN, f"--query={query}", *further, "--out", f"out/{kind}")
    finished = runs[kind] if kind in APART else inside(folder, capsys, monkeypatch, *arguments)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("error: ") == 1
    missing = [part for part in parts if part not in finished.stderr]
    assert not missing, finished.stderr
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(GOOD)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--query-test", "lrt"), "Give a --query, too"),
        (("--allow-fixed-blocks",), "Give a --query, too"),
        (("--query", MODIFIED, "--query-test", "F"), "is not one of 'wald', 't', 'lrt'"),
        (("--query", MODIFIED, "--query-test", "lrt", "--lfc-threshold", 1), "--query-test wald, t, averaged and ql"),
    ],
)
def test_usage_errors(folder, capsys, monkeypatch, arguments, problem):
    finished = inside(folder, capsys, monkeypatch, *RUN, *arguments, "--out", "usage")
    assert finished.returncode == 2
    assert problem in finished.stderr
    assert not (folder / "usage").exists()


def test_design_report_needs_no_counts(folder, fitted):
    arguments = ("design", "--samples", "samples.csv", "--design", DESIGN, "--reference", "treat2=None")
    finished = countnest(folder, *arguments)
    assert (finished.returncode, finished.stderr) == (0, "")
    with in_the_shell():
        assert finished.stdout == f"{fitted.design.report()}\n"
    assert "refused unless --allow-fixed-blocks" in finished.stdout
    assert "nesting: family within treat1" in finished.stdout
    assert "dropped columns: treat1B, treat1C, treat1D" in finished.stdout


def test_design_warns_in_lines(folder, capsys, monkeypatch):
    arguments = ("design", "--samples", "samples.csv", "--design", "~ treat1/C(ind) + treat2:treat1")
    finished = inside(folder, capsys, monkeypatch, *arguments)
    assert finished.returncode == 0
    (line,) = finished.stderr.splitlines()
    assert line.startswith("warning: 'treat2' has a level, 'None', which is not the reference level")
    assert "nesting: ind within treat1" in finished.stdout


def test_orders_of_levels_are_options_of_the_shell(tmp_path, capsys, monkeypatch):
    counts = pd.DataFrame(np.random.default_rng(1).poisson(50, (60, 8)), columns=[f"s{i}" for i in range(8)])
    counts.set_axis([f"g{i}" for i in range(60)]).to_csv(tmp_path / "counts.csv")
    sheet = pd.DataFrame(
        {"minute": ["0min", "120min", "15min", "5min"] * 2, "dose": list("lhlhhlhl")}, index=counts.columns
    )
    sheet.replace({"dose": {"l": "low", "h": "high"}}).to_csv(tmp_path / "samples.csv")
    options = ("--samples", "samples.csv", "--design", "~ minute + dose", "--levels", "dose=low,high")
    finished = inside(tmp_path, capsys, monkeypatch, "design", *options)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "reference levels: minute 0min, dose low" in finished.stdout
    assert "order of minute: 0min < 5min < 15min < 120min (by their numbers)" in finished.stdout
    query = ("--query", "minute[consecutive]", "--query", "minute[linear]", "--reference", "minute=15min")
    finished = inside(tmp_path, capsys, monkeypatch, "run", "--counts", "counts.csv", *options, *query, "--out", "out")
    assert finished.returncode == 0, finished.stderr
    assert (
        "-- reference levels: minute 15min, dose low\n-- order of minute: 0min < 5min < 15min < 120min"
        in finished.stderr
    )
    assert (
        "  order of minute: 0min < 5min < 15min < 120min (by their numbers)\n  minute[5min - 0min]:" in finished.stdout
    )
    assert "(by their numbers), equally spaced\n  minute[linear]:" in finished.stdout
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["design"]["orders"]["dose"] == {"levels": ["low", "high"], "source": "named"}
    finished = inside(tmp_path, capsys, monkeypatch, "design", *options[:4], "--levels", "dose=low,hi")
    assert finished.returncode == 1
    assert (
        "must name all levels that occur; it lacks 'high'. 'hi' has no sample. Did you mean 'high'?" in finished.stderr
    )
    assert "--levels dose=level,level,... must" in finished.stderr


def test_design_that_leaves_nothing_for_the_dispersion(folder, capsys, monkeypatch):
    arguments = ("design", "--samples", "samples.csv", "--design", "~ family*treat2", "--reference", "treat2=None")
    finished = inside(folder, capsys, monkeypatch, *arguments)
    assert finished.returncode == 0
    assert "0 residual degrees of freedom" in finished.stdout
    assert finished.stderr.startswith("warning: the design has the same number of samples and coefficients")


def test_random_terms_are_planned_and_fitted_by_mixed_models_alone(folder, tmp_path, capsys, monkeypatch):
    options = (
        "--samples",
        folder / "samples.csv",
        "--design",
        "~ treat1*treat2 + (1|family)",
        "--reference",
        "treat2=None",
    )
    finished = inside(tmp_path, capsys, monkeypatch, "design", *options)
    assert finished.returncode == 0
    assert "stratum: between family, 20 residual degrees of freedom" in finished.stdout
    assert "mixed model: --method mixed of log counts, or with --mixed-model glmm of counts" in finished.stdout
    assert "groups fixed, QL F test: --method edger --design '~ family + treat1*treat2'" in finished.stdout
    assert finished.stderr == ""
    run = inside(tmp_path, capsys, monkeypatch, "run", "--counts", folder / "counts.csv", *options, "--out", "out")
    assert run.returncode == 1
    advice = (
        "Fit a mixed model, --method mixed; or hold the groups fixed, --design '~ family + treat1*treat2', to compare"
    )
    assert advice in run.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (("--samples", "samples.csv", "--design", "~ famly + treat2"), 1, "Did you mean 'family'?"),
        (("--samples", "samples.csv", "--design", "~ treat1:ind"), 1, "'ind' in the term 'treat1:ind' is numeric"),
        (("--samples", "no.csv", "--design", "~ treat2"), 1, "no.csv"),
        (("--samples", "samples.csv", "--design", "~ treat2", "--reference", "treat2=F"), 1, "no sample has this"),
        (("--samples", "samples.csv"), 2, "Missing option '--design'"),
        (("--design", "~ treat2"), 2, "Missing option '--samples'"),
    ],
)
def test_design_errors(folder, capsys, monkeypatch, arguments, status, problem):
    finished = inside(folder, capsys, monkeypatch, "design", *arguments)
    assert (finished.returncode, finished.stdout) == (status, "")
    assert problem in finished.stderr
