"""What a run leaves in its folder: its own files, all or none, and those of others as they were."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import countnest as cn
from countnest import version
from countnest.cli.folder import check_out, earlier_files
from countnest.cli.main import main
from countnest.errors import FileError
from exact import read_exactly

PACKAGE = Path(version.__file__).parents[1]
posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
RUN = ("run", "--counts", "counts.csv", "--samples", "samples.csv", "--design", "~ group", "--out", "out", "--quiet")
TWO = ("--contrast", "group,b,a", "--contrast", "group,c,a")
COMMON = {"genes.csv.gz", "size_factors.csv", "normalized_counts.csv.gz", "dispersion.png", "methods.txt", "run.json"}
ONE_FILES = COMMON | {"results.csv", "ma.png"}
TWO_FILES = COMMON | {"results_1.csv", "ma_1.png", "results_2.csv", "ma_2.png"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    study = cn.simulate.groups(genes=300, sizes=(3, 3, 3), fraction=0.3, rng=1)
    study.samples.assign(group=np.repeat(["a", "b", "c"], 3)).to_csv(folder / "samples.csv", index_label="sample")
    study.counts.to_csv(folder / "counts.csv", index_label="gene")
    return folder


@pytest.fixture
def here(tables, tmp_path, monkeypatch):
    for name in ("counts.csv", "samples.csv"):
        shutil.copy(tables / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main([*RUN, *map(str, arguments)])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def names(folder):
    return {each.name for each in folder.iterdir()}


def test_the_second_run_leaves_no_file_of_the_first(here, capsys):
    assert run(capsys, *TWO, "--query", "group[pairwise]", "--query", "group[b - a]")[0] == 0
    assert names(here / "out") == TWO_FILES | {"query_1.csv", "query_2.csv"}
    assert run(capsys, "--query", "group[c - b]")[0] == 0
    assert names(here / "out") == COMMON | {"query_1.csv"}
    assert json.loads((here / "out" / "run.json").read_text())["files"] == sorted(names(here / "out"))
    assert names(here) == {"counts.csv", "samples.csv", "out"}


def test_several_contrasts(here, capsys):
    code, out, _ = run(capsys, *TWO)
    assert code == 0
    record = json.loads((here / "out" / "run.json").read_text())
    dds = cn.DESeqDataSet(cn.read_counts("counts.csv"), cn.read_samples("samples.csv"), "~ group").deseq(quiet=True)
    for place, (high, comparison) in enumerate(zip("bc", record["comparisons"], strict=True), start=1):
        results = dds.results(("group", high, "a"))
        written = read_exactly(here / "out" / f"results_{place}.csv", index_col="gene")
        np.testing.assert_array_equal(written["padj"], results.table["padj"])
        assert comparison["files"] == [f"results_{place}.csv", f"ma_{place}.png"]
        assert comparison["comparison"]["contrast"] == ["group", high, "a"]
        assert comparison["numbers"]["significant"] == (results.table["padj"] < 0.1).sum()
        assert f"  results_{place}.csv            fold changes and p-values by gene: group {high} vs a\n" in out
        assert f"log2 fold change (MLE): group {high} vs a\n" in out
    for key in ("comparison", "thresholds", "null", "numbers"):
        assert record[key] == record["comparisons"][0][key]


def test_files_of_somebody_else_stop_a_run_before_it_begins(here, capsys):
    assert run(capsys)[0] == 0
    (here / "out" / "notes.txt").write_text("mine")
    (here / "out" / "plots").mkdir()
    before = {each.name: each.stat().st_mtime_ns for each in (here / "out").iterdir()}
    code, out, err = run(capsys, *TWO)
    assert (code, out) == (1, "")
    assert "'out' holds files that no run of countnest wrote: 'notes.txt', 'plots'." in err
    assert "--force" in err
    assert {each.name: each.stat().st_mtime_ns for each in (here / "out").iterdir()} == before
    assert run(capsys, *TWO, "--force")[0] == 0
    assert names(here / "out") == TWO_FILES | {"notes.txt", "plots"}  # and no results.csv of the first
    assert (here / "out" / "notes.txt").read_text() == "mine"


def test_a_file_that_is_not_known_to_be_of_a_run_is_never_replaced(here, capsys):
    (here / "out").mkdir()
    (here / "out" / "results.csv").write_text("somebody's")
    (here / "out" / "notes.txt").write_text("mine")
    for arguments in ((), ("--force",)):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        assert "holds 'results.csv', which would be overwritten" in err
        assert ("A run writes beside 'notes.txt' with --force only." in err) == (not arguments)
        assert (here / "out" / "results.csv").read_text() == "somebody's"


def test_what_systems_leave_in_folders_is_no_hindrance(here, capsys):
    assert run(capsys)[0] == 0
    (here / "out" / ".DS_Store").touch()
    assert run(capsys, *TWO)[0] == 0
    assert names(here / "out") == TWO_FILES | {".DS_Store"}


def write_record(folder, text):
    (folder / "run.json").write_text(text)


RECORD = {"countnest": "0.1.0", "design": {}, "started": "2026-01-01"}


def test_records_are_believed_as_far_as_a_run_may_have_written_the_files(tmp_path):
    for name in ("results.csv", "query_1.csv", "thesis.docx", "results_mine.csv", "ma_01.png"):
        (tmp_path / name).touch()
    (tmp_path / "ma.png").mkdir()
    for record, expected in [
        (RECORD | {"files": ["results.csv", "thesis.docx", "../thesis.docx"]}, {"run.json", "results.csv"}),
        (RECORD | {"files": "all"}, {"run.json", "results.csv", "query_1.csv"}),
        (RECORD, {"run.json", "results.csv", "query_1.csv"}),  # of a version that did not list them
        ({"countnest": "0.1.0"}, set()),
        ([], set()),
    ]:
        write_record(tmp_path, json.dumps(record))
        assert earlier_files(tmp_path) - {"run.json"} == expected - {"run.json"}, record
    for text in ("", "{", "\x00", '{"countnest": '):
        write_record(tmp_path, text)
        assert earlier_files(tmp_path) == set()
        with pytest.raises(FileError, match=r"'ma\.png', 'ma_01\.png', .* and 2 more"):
            check_out(tmp_path, (), False)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--out", ""), "'--out': the value is empty"),
        (("--out", " "), "'--out': the value is empty"),
        (("--counts", ""), "'--counts': the value is empty"),
        (("--design", "~ group", "--design", "~ 1"), "--design is given 2 times. Give it once."),
        (("--alpha", "0.1", "--alpha", "0.1"), "--alpha is given 2 times"),
        (("--independent-filtering", "--no-independent-filtering"), "is given 2 times"),
        (("--contrast", "group,b,a", "--contrast", "group, b, a"), "'group,b,a' is given more than once"),
        (("--contrast", "group,b,a", "--contrast", ""), "variable,level,level"),
    ],
)
def test_options_say_one_thing_each(here, capsys, arguments, problem):
    with pytest.raises(SystemExit) as left:
        main(["run", "airway", *arguments])
    captured = capsys.readouterr()
    assert (left.value.code, captured.out) == (2, "")
    assert problem in captured.err
    assert names(here) == {"counts.csv", "samples.csv"}


def test_every_command_is_as_careful(here, capsys):  # noqa: ARG001
    for arguments in (
        ("design", "--design", "~ a", "--design", "~ b", "--samples", "s.csv"),
        ("warm", "--clear", "--clear"),
    ):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
        assert "is given 2 times" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["counts.csv", "/", "link", "counts.csv/out"])
def test_places_that_are_no_folder_for_results(here, capsys, place):
    (here / "link").symlink_to(".")
    with pytest.raises(SystemExit) as left:
        main([*RUN[: RUN.index("--out")], "--out", place])
    code, (out, err) = left.value.code, capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("error: Cannot write to")
    assert names(here) == {"counts.csv", "samples.csv", "link"}


@posix
def test_a_signal_ends_a_run_and_nothing_is_left(here):
    code = (
        "import os, signal, sys, time, countnest.cli.run as run\n"
        "from countnest.cli.main import main\n"
        "write = run.write_outputs\n"
        "def half(folder, *rest):\n"
        "    write(folder, *rest)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
        "run.write_outputs = half\n"
        "main(sys.argv[1:])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), *filter(None, sys.path)])}
    command = [sys.executable, "-c", code, *RUN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert done.stderr.strip() == "interrupted"
    assert names(here) == {"counts.csv", "samples.csv"}


@posix
def test_signals_that_end_a_run_are_those_of_a_closed_terminal_and_of_a_scheduler(capsys, monkeypatch):
    for number in (signal.SIGTERM, signal.SIGHUP):
        monkeypatch.setattr("countnest.cli.run.run_request", lambda _, number=number: os.kill(os.getpid(), number))
        with pytest.raises(SystemExit) as left:
            main(["run", "airway"])
        assert left.value.code == 128 + number
        assert capsys.readouterr().err.strip() == "interrupted"
        assert signal.getsignal(number) is signal.SIG_DFL  # as before
