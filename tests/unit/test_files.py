import os
import stat

import pytest

from countnest.errors import FileError
from countnest.files import check_folder, whole_file, whole_folder


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


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "it is a folder"), ("no/table.csv", "does not exist"), ("file/table.csv", "[Nn]ot a dir")],
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
    with pytest.raises(FileError, match="folders of the names 'two'"), whole_folder(tmp_path) as draft:
        [(draft / name).touch() for name in ("one", "two")]
    assert os.listdir(tmp_path) == ["two"]


def test_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "file/inside"):
        with pytest.raises(FileError, match="'file' is a file"):
            check_folder(tmp_path / name)
    check_folder(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path) == ["file"]
