"""The folder of the cache: where it is, who may write there, and what is removed from it."""

import os
import time
from pathlib import Path

import pytest

from countnest import cache

KEYS = [f"{k:016x}" for k in range(6)]
POSIX = pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")


@pytest.fixture(autouse=True)
def no_memory():
    cache._writable_root.cache_clear()
    yield
    cache._writable_root.cache_clear()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("COUNTNEST_CACHE_DIR", str(tmp_path / "here"))
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "~/.cache/countnest"),
        ("linux", {"XDG_CACHE_HOME": "/x/y"}, "/x/y/countnest"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "~/.cache/countnest"),
        ("darwin", {"XDG_CACHE_HOME": "/x/y"}, "~/Library/Caches/countnest"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/countnest"),
        ("win32", {}, "~/AppData/Local/countnest"),
        ("linux", {"COUNTNEST_CACHE_DIR": "/mine", "XDG_CACHE_HOME": "/x/y"}, "/mine"),
        ("linux", {"COUNTNEST_CACHE_DIR": "~/mine"}, "~/mine"),
    ],
)
def test_the_place_follows_the_system_and_the_environment(monkeypatch, platform, variables, expected):
    for name in ("COUNTNEST_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert cache._wanted_root() == Path(expected).expanduser()


def test_the_folder_is_made_and_private(root):
    folder = cache.kernel_folder(KEYS[0])
    assert folder == root / f"kernels-{KEYS[0]}"
    assert folder.is_dir()
    if hasattr(os, "getuid"):
        assert root.stat().st_mode & 0o077 == 0


def is_temporary(folder, tmp_path):
    return folder.parent == tmp_path / "tmp" and folder.name.startswith("countnest-")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


@pytest.mark.usefixtures("temporary")
def test_a_place_that_cannot_be_written_is_replaced_and_logged_once(root, tmp_path, caplog):
    root.write_text("a file")  # not permissions: they do not bind the root user
    with caplog.at_level("INFO", logger="countnest"):
        folder = cache.kernel_folder(KEYS[0])
        assert cache.kernel_folder(KEYS[1]).parent == folder.parent
    assert is_temporary(folder.parent, tmp_path)
    assert len(caplog.records) == 1
    assert f"cannot be in '{root}'" in caplog.text
    assert "COUNTNEST_CACHE_DIR" in caplog.text
    cache._writable_root.cache_clear()
    assert cache.kernel_folder(KEYS[0]) == folder  # and later processes find it


@POSIX
@pytest.mark.usefixtures("temporary")
def test_code_is_not_read_from_where_others_can_write(root, tmp_path):
    root.mkdir()
    root.chmod(0o777)
    assert is_temporary(cache.cache_root(), tmp_path)
    shared = tmp_path / "tmp" / f"countnest-{os.getuid()}"
    shared.chmod(0o777)
    cache._writable_root.cache_clear()
    alone = cache.cache_root()
    assert is_temporary(alone, tmp_path)
    assert alone != shared
    shared.rmdir()
    shared.symlink_to(root)  # somebody else's folder by another name
    cache._writable_root.cache_clear()
    assert cache.cache_root() not in (shared, root)


def aged(root, key, days):
    folder = root / f"kernels-{key}"
    folder.mkdir(parents=True)
    (folder / "a.kernel").write_bytes(b"code")
    then = time.time() - 86400.0 * days
    os.utime(folder, (then, then))
    return folder


def test_of_old_versions_the_last_used_stays(root):
    old = [aged(root, KEYS[k], days) for k, days in ((1, 9.0), (2, 3.0), (3, 40.0))]
    others = [root / "kernels-mine", root / "notes"]
    for other in others:
        other.mkdir()
    cache.kernel_folder(KEYS[0])
    assert [folder.exists() for folder in old] == [False, True, False]
    assert all(other.exists() for other in others)


def test_versions_in_use_stay(root):
    used = [aged(root, KEYS[k], days) for k, days in ((1, 0.2), (2, 0.1), (3, 0.3))]
    cache.kernel_folder(KEYS[0])
    assert all(folder.exists() for folder in used)


def test_use_is_remembered(root):
    folder = aged(root, KEYS[1], 50.0)
    cache.kernel_folder(KEYS[1])
    assert time.time() - folder.stat().st_mtime < 60.0
    assert cache.size(folder) == (1, 4)


def test_clear_removes_kernels_and_nothing_else(root):
    folders = [aged(root, key, 1.0) for key in KEYS[:3]]
    (root / "notes").mkdir()
    assert cache.clear() == 3
    assert not any(folder.exists() for folder in folders)
    assert (root / "notes").exists()
    assert cache.clear() == 0


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "a.kernel"
    cache.store(path, b"one")
    cache.store(path, b"two")
    assert path.read_bytes() == b"two"

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        cache.store(path, b"three")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["a.kernel"]
