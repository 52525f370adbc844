"""Drafts: what is left by processes that end in any way, and who removes it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from countnest import drafts, files
from countnest.drafts import EARLIER, Draft, draft_folder, is_draft
from countnest.files import whole_file, whole_folder

PACKAGE = Path(files.__file__).parents[1]
WRITE = """
import sys, time
from countnest.files import whole_folder
with whole_folder(sys.argv[1]) as draft:
    (draft / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(100)
"""
posix = pytest.mark.skipif(drafts._locks is None, reason="locks of POSIX")


def writing(target):
    """Start a process that has begun to write a folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), *filter(None, sys.path)])}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(target)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"writing\n"
    return process


def end(process, number):
    process.send_signal(number)
    process.communicate(timeout=60)


@posix
def test_a_killed_process_is_tidied_up_after_and_one_at_work_is_not(tmp_path):
    killed, at_work = writing(tmp_path / "a"), writing(tmp_path / "b")
    end(killed, signal.SIGKILL)
    try:
        assert len(os.listdir(tmp_path)) == 2
        with whole_folder(tmp_path / "a") as draft:
            (draft / "whole").touch()
        (left,) = [name for name in os.listdir(tmp_path) if name != "a"]
        assert is_draft(left)
        assert (tmp_path / left / "draft" / "half").exists()
    finally:
        end(at_work, signal.SIGKILL)
    with whole_file(tmp_path / "c.csv") as draft:
        draft.touch()
    assert sorted(os.listdir(tmp_path)) == ["a", "c.csv"]


def test_an_interrupted_process_leaves_nothing(tmp_path):
    end(writing(tmp_path / "a"), signal.SIGINT)
    assert os.listdir(tmp_path) == []


def test_drafts_of_this_process_stay(tmp_path):
    with draft_folder(tmp_path) as one, draft_folder(tmp_path) as other:
        assert sorted(tmp_path.iterdir()) == sorted([one, other])
    assert os.listdir(tmp_path) == []


def test_what_only_looks_like_a_draft_stays(tmp_path):
    mine = tmp_path / ".countnest-mydrafts"
    same = tmp_path / ".countnest-backup00"
    for folder in (mine, same):
        folder.mkdir()
        (folder / "thesis.txt").touch()
        os.utime(folder, (0, 0))
    (tmp_path / ".countnest-linked00").symlink_to(mine)
    with draft_folder(tmp_path):
        pass
    assert (mine / "thesis.txt").exists()
    assert (same / "thesis.txt").exists()


def test_where_files_cannot_be_locked_a_day_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(drafts, "_locks", None)
    abandoned = Draft(tmp_path)
    abandoned.path.joinpath("half").touch()
    drafts._in_use.discard(abandoned.path)
    with draft_folder(tmp_path):
        assert abandoned.path.exists()
    yesterday = time.time() - 100_000
    os.utime(abandoned.path / ".countnest-draft", (yesterday, yesterday))
    with draft_folder(tmp_path):
        assert not abandoned.path.exists()


@posix
def test_what_was_moved_away_for_the_new_comes_back(tmp_path):
    draft = Draft(tmp_path)
    (draft.path / EARLIER / "out").mkdir(parents=True)
    (draft.path / EARLIER / "out" / "results.csv").write_text("old")
    os.close(draft._lock)  # as the end of the process does, between the two moves
    drafts._in_use.discard(draft.path)
    with draft_folder(tmp_path):
        assert (tmp_path / "out" / "results.csv").read_text() == "old"
        assert not draft.path.exists()


def test_kinds_by_prefix(tmp_path):
    draft = Draft(tmp_path, "countnest-counts-")
    assert draft.path.name.startswith("countnest-counts-")
    assert not is_draft(draft.path.name)
    draft.remove()
    draft.remove()
    assert os.listdir(tmp_path) == []
