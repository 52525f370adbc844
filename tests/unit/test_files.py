import errno
import os
import stat
from pathlib import Path

import pytest

from countnest.errors import FileError
from countnest.files import check_folder, check_path, whole_file, whole_folder


def write_half(writer, target, error):
    """Begin to write, and fail."""
    with writer(target) as draft:
        (draft / "one" if draft.is_dir() else draft).write_text("half")
        raise error


def test_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "table.csv.gz"
    with whole_file(target) as draft:
        draft.write_text("new")
        assert draft.name == target.name
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["table.csv.gz"]


def test_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(whole_file, target, RuntimeError)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(whole_file, tmp_path / "table.csv", KeyboardInterrupt)
    assert os.listdir(tmp_path) == []


def test_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    with whole_file(tmp_path / "table.csv") as draft:
        draft.touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_link_stays_a_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to("real.csv")
    with whole_file(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_device_is_written_to_and_not_replaced():
    with whole_file(os.devnull) as draft:
        draft.write_text("gone")
    assert not os.path.isfile(os.devnull)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no names of open files")
def test_pipe_is_written_to():
    there, here = os.pipe()
    with whole_file(f"/dev/fd/{here}") as draft:
        draft.write_text("through")
    os.close(here)
    with os.fdopen(there) as end:
        assert end.read() == "through"


@pytest.mark.parametrize(
    ("name", "problem"),
    [(".", "it is a folder"), ("no/table.csv", "does not exist"), ("file/table.csv", "[Nn]ot a dir")],
)
def test_file_that_cannot_be_written(tmp_path, name, problem):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=problem), whole_file(tmp_path / name) as draft:
        draft.touch()


def test_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "a" / "b"
    with whole_folder(target) as draft:
        (draft / "one").write_text("1")
        (draft / "two").write_text("2")
        assert not (tmp_path / "a").exists()
    assert sorted(os.listdir(target)) == ["one", "two"]
    assert os.listdir(tmp_path) == ["a"]


def test_folder_that_exists_keeps_its_other_files(tmp_path):
    (tmp_path / "one").write_text("old")
    (tmp_path / "mine").write_text("mine")
    with whole_folder(tmp_path) as draft:
        (draft / "one").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"one": "new", "mine": "mine"}


def test_failure_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError):
        write_half(whole_folder, tmp_path / "a" / "b", RuntimeError)
    assert os.listdir(tmp_path) == []


def test_folder_in_the_way_stops_before_the_first_move(tmp_path):
    (tmp_path / "two").mkdir()
    with pytest.raises(FileError, match="folders with the names 'two'"), whole_folder(tmp_path) as draft:
        [(draft / name).touch() for name in ("one", "two")]
    assert os.listdir(tmp_path) == ["two"]


def test_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "file/inside"):
        with pytest.raises(FileError, match="'file' is a file"):
            check_folder(tmp_path / name)
    check_folder(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path) == ["file"]


def test_folder_of_earlier_files_alone_is_replaced_in_one_move(tmp_path):
    target = tmp_path / "out"
    target.mkdir(mode=0o750)
    for name in ("one", "gone"):
        (target / name).write_text("old")
    before = target.stat()
    with whole_folder(target, earlier=("one", "gone", "never")) as draft:
        (draft / "one").write_text("new")
        assert sorted(os.listdir(target)) == ["gone", "one"]
    assert os.listdir(target) == ["one"]
    assert (target / "one").read_text() == "new"
    assert target.stat().st_ino != before.st_ino
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(before.st_mode)
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("hindrance", ["somebody's file", "at work there", "cannot be moved"])
def test_earlier_files_go_one_by_one_where_the_folder_stays(tmp_path, monkeypatch, hindrance):
    target = tmp_path / "out"
    target.mkdir()
    for name in ("one", "gone"):
        (target / name).write_text("old")
    match hindrance:
        case "somebody's file":
            (target / "mine").write_text("mine")
        case "at work there":
            monkeypatch.chdir(target)
        case "cannot be moved":
            monkeypatch.setattr("os.path.ismount", lambda path: str(path) == str(target))
    before = target.stat().st_ino
    with whole_folder(target, earlier=("one", "gone")) as draft:
        (draft / "one").write_text("new")
    left = {"one": "new", "mine": "mine"} if hindrance == "somebody's file" else {"one": "new"}
    assert {path.name: path.read_text() for path in target.iterdir()} == left
    assert target.stat().st_ino == before
    assert os.listdir(tmp_path) == ["out"]


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "out"
    target.mkdir()
    (target / "one").write_text("old")
    rename = Path.rename

    def fail(self, to):
        if self.name == "draft":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(FileError, match="No space left"), whole_folder(target, earlier=("one",)) as draft:
        (draft / "one").write_text("new")
    assert (target / "one").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_folders_that_are_no_place_for_results(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "nowhere").symlink_to("gone")
    for path, problem in {
        tmp_path / "link": "is a link to 'real'. Give the folder itself",
        tmp_path / "nowhere": "is a link to 'gone'",
        Path(tmp_path.anchor): "is the root of the file system",
        "a\0b": "character with the code 0",
        tmp_path / ("long" * 100): "name too long",
    }.items():
        for use in (check_folder, lambda path: whole_folder(path).__enter__()):
            with pytest.raises(FileError, match=problem):
                use(path)
    assert sorted(os.listdir(tmp_path)) == ["link", "nowhere", "real"]


def test_a_folder_where_nothing_can_be_made_is_noticed_beforehand(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", fail)
    with pytest.raises(FileError, match=r"Cannot write.*Read-only file system"):
        check_folder(tmp_path / "out")


def test_a_place_where_nothing_can_be_made_is_not_said_to_be_absent(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "no such file")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)  # as in /proc
    for use in (check_folder, lambda path: whole_folder(path).__enter__(), lambda path: whole_file(path).__enter__()):
        with pytest.raises(FileError, match=f"nothing can be made in '{tmp_path}'"):
            use(tmp_path / "x")
    with pytest.raises(FileError, match="its folder does not exist"), whole_file(tmp_path / "no" / "x"):
        pass


def test_paths_without_a_name_or_a_home_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, words in (("", "The path is empty"), ("~none-of-this-name/x", "home of a user who has none")):
        for enter in (lambda path: whole_file(path).__enter__(), check_path, check_folder):
            with pytest.raises(FileError, match=words):
                enter(path)
    assert not any(tmp_path.iterdir())
