"""`countnest read`: counts of any program, told and written as a table that is read back."""

import json
from pathlib import Path

import pandas as pd

import countnest as cn
from cli.command import inside

DATA = Path(__file__).parents[1] / "data"


def test_files_of_a_program_become_a_table(tmp_path, capsys, monkeypatch):
    files = sorted((DATA / "star" / "reverse").iterdir())
    done = inside(tmp_path, capsys, monkeypatch, "read", *files, "--out", "counts.csv.gz")
    assert done.returncode == 0, done.stderr
    expected = cn.read_counts(files)
    assert "format: STAR\n" in done.stdout
    assert "4 samples: S1, S2, S3, S4\n" in done.stdout
    assert all(f"note: {note}\n" in done.stdout for note in expected.notes)
    assert done.stdout.endswith("table in counts.csv.gz\n")
    pd.testing.assert_frame_equal(cn.read_counts(tmp_path / "counts.csv.gz"), expected.counts, check_names=False)


def test_annotation_stays_and_lengths_are_missed(tmp_path, capsys, monkeypatch):
    counts, lengths = (DATA / "nfcore" / f"salmon.merged.gene_{what}.tsv" for what in ("counts", "lengths"))
    done = inside(tmp_path, capsys, monkeypatch, "read", counts, "--lengths", lengths, "--out", "out.tsv", "--json")
    assert done.returncode == 0, done.stderr
    told, expected = json.loads(done.stdout), cn.read_counts(counts, lengths=lengths)
    assert (told["genes"], told["samples"]) == (4, list(expected.counts.columns))
    assert (told["gene_info"], told["transcript_lengths"], told["out"]) == (["gene_name"], True, "out.tsv")
    assert told["total_counts"] == list(expected.counts.sum())
    assert told["notes"][:-1] == list(expected.notes)
    assert told["notes"][-1].startswith("the table has no transcript lengths")
    written = cn.read_counts(tmp_path / "out.tsv")
    assert list(written["gene_name"]) == list(expected.gene_info["gene_name"])
    again = inside(tmp_path, capsys, monkeypatch, "read", "out.tsv")
    assert "format: a table\n4 rows: " in again.stdout
    assert "\n4 columns: S1, S2, S3, S4\nannotation of the genes: gene_name\n" in again.stdout


def test_errors_are_those_of_the_readers(tmp_path, capsys, monkeypatch):
    for arguments, status, problem in (
        ((), 2, "Missing argument 'FILES...'"),
        (("no.csv",), 1, "'no.csv' does not exist"),
        ((DATA / "htseq" / "S1.htseq.txt", "--out", "counts.ods"), 1, "end it with .csv"),
        ((DATA / "htseq" / "S1.htseq.txt", "--layer", "x"), 1, "--layer does not apply"),
    ):
        done = inside(tmp_path, capsys, monkeypatch, "read", *arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert problem in done.stderr
    assert not list(tmp_path.iterdir())


def test_values_that_are_no_counts_are_refused_and_nothing_is_written(tmp_path, capsys, monkeypatch):
    text = (DATA / "feature_counts" / "counts.txt").read_text()
    line = text.split("\n")[3]
    for cell, shown in (("NA", "a missing one"), ("-4", "-4"), ("inf", "inf")):
        (tmp_path / "x.txt").write_text(text.replace(line, "\t".join([*line.split("\t")[:-1], cell])))
        done = inside(tmp_path, capsys, monkeypatch, "read", "x.txt", "--out", "out.csv")
        assert done.returncode == 1
        assert f"error: 1 value is missing, infinite or negative, such as {shown} in the row " in done.stderr
        assert not (tmp_path / "out.csv").exists()
    (tmp_path / "x.txt").write_text(text + line + "\n")
    done = inside(tmp_path, capsys, monkeypatch, "read", "x.txt")
    assert f"error: genes occur more than once: '{line.split()[0]}'" in done.stderr


def test_a_plain_table_with_such_values_has_notes_and_valid_json(tmp_path, capsys, monkeypatch):
    (tmp_path / "x.csv").write_text("gene,S1,S2\na,inf,2\na,3,\n")
    told = json.loads(inside(tmp_path, capsys, monkeypatch, "read", "x.csv", "--json").stdout)
    assert told["total_counts"] == ["inf", 2.0]
    assert told["notes"][0] == "Labels of rows occur more than once: 'a'."
    assert told["notes"][1].startswith("2 values are missing, infinite or negative, such as inf in the row 'a'")


def test_an_output_that_cannot_be_written_is_an_error_without_a_traceback(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("countnest.cli.read._tell", full)
    (tmp_path / "x.csv").write_text("gene,S1,S2\na,1,2\nb,3,4\n")
    done = inside(tmp_path, capsys, monkeypatch, "read", "x.csv")
    assert (done.returncode, done.stderr) == (1, "error: the output cannot be written: No space left on device\n")
