"""Files that are written completely or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from countnest.drafts import EARLIER, draft_folder
from countnest.errors import FileError, listing

__all__ = ["FilePath", "check_folder", "check_path", "whole_file", "whole_folder"]

FilePath = str | os.PathLike[str]


@contextmanager
def whole_file(path: FilePath) -> Iterator[Path]:
    """Yield a draft to write to; it takes the place of `path` when the block succeeds, and vanishes when it fails.

    The draft has the name of `path`, in a hidden folder beside it: whatever is inferred from the suffixes (compression,
    image format) stays the same, and the last move is a rename within one file system. Devices and pipes, which cannot
    be replaced, are written to directly.

    Raises
    ------
    FileError
        `path` is a folder, or cannot be written.
    """
    check_path(path)
    with _as_file_error(path):
        given = Path(path).expanduser()
        if given.is_dir():
            raise FileError(f"Cannot write '{path}': it is a folder. Give the name of a file.")
        if given.exists() and not given.is_file():  # a pipe has no path to resolve: /dev/stdout, /dev/fd/63
            yield given
            return
        target = given.resolve()
        with draft_folder(target.parent) as hidden:
            draft = hidden / target.name
            yield draft
            os.replace(draft, target)


@contextmanager
def whole_folder(path: FilePath, earlier: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty draft folder to fill; its files move to `path` together when the block succeeds.

    A new folder appears in one rename, and so it does in the place of one that holds nothing but `earlier` files. In
    another folder that exists files of the same names are replaced, `earlier` ones are removed, and others stay.

    Parameters
    ----------
    path
        The folder.
    earlier
        Names of files in it that are to go.

    Raises
    ------
    FileError
        `path` is a file, a link or the root of the file system, or cannot be written.
    """
    with _as_file_error(path, makes_folders=True):
        _require_folder(path)
        target = Path(path).expanduser().resolve()
        with draft_folder(_place_for_draft(target)) as hidden:
            draft = hidden / "draft"
            draft.mkdir()
            yield draft
            _move_folder(draft, target, earlier)


def check_path(path: object) -> None:
    """Raise `FileError` unless `path` is text or a path."""
    if not isinstance(path, (str, os.PathLike)):
        shown = "None" if path is None else f"{path!r}, of type {type(path).__name__}"
        raise FileError(f"A path is needed, the name of a file as text or pathlib.Path; got {shown}.")
    if "\0" in str(path):
        raise FileError(f"{str(path)!r} cannot be the name of a file: it holds a character with the code 0.")
    if path == "":
        raise FileError("The path is empty. Give the name of a file.")
    try:
        Path(path).expanduser()
    except RuntimeError as error:
        raise FileError(f"'{path}' is in the home of a user who has none on this machine. Give the path.") from error


def check_folder(path: FilePath) -> None:
    """Raise `FileError` when a folder `path` can neither be filled nor made.

    A hidden folder is made there for a moment, because permissions alone do not always tell.
    """
    with _as_file_error(path, makes_folders=True):
        _require_folder(path)
        with draft_folder(_place_for_draft(Path(path).expanduser().resolve())):
            pass


def _require_folder(path: FilePath) -> None:
    check_path(path)
    given = Path(path).expanduser()
    if given.is_symlink():
        raise FileError(f"Cannot write to '{path}': it is a link to '{os.readlink(given)}'. Give the folder itself.")
    target = given.resolve()
    if target == target.parent:
        raise FileError(f"Cannot write to '{path}': it is the root of the file system. Give a folder of its own.")
    nearest = _nearest_folder(target)
    if not nearest.is_dir():
        raise FileError(f"Cannot write to '{path}': '{nearest.name}' is a file. Give the name of a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise FileError(f"Cannot write to '{path}': no permission to write there. Give another folder.")


def _nearest_folder(path: Path) -> Path:
    """Return `path`, or the nearest of its parents that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _place_for_draft(target: Path) -> Path:
    """Return a folder from which a draft can be renamed to `target`: its parent, or itself if that is not writable."""
    beside = _nearest_folder(target.parent)
    if target.exists() and (os.path.ismount(target) or not os.access(beside, os.W_OK | os.X_OK)):
        return target
    return beside


def _move_folder(draft: Path, target: Path, earlier: Collection[str]) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
        return
    replaceable = {each.name for each in target.iterdir()} <= {*earlier}
    if replaceable and not _is_at_work_in(target) and _swapped(draft, target):
        return
    files = sorted(draft.iterdir())
    blocked = [file.name for file in files if (target / file.name).is_dir()]
    if blocked:
        raise FileError(f"Cannot write to '{target}': it holds folders with the names {listing(blocked)}.")
    for file in files:
        _move_file(file, target / file.name)
    for name in {*earlier} - {file.name for file in files}:
        (target / name).unlink(missing_ok=True)


def _is_at_work_in(folder: Path) -> bool:
    """Return whether the working directory of this process is a folder or lies below it."""
    try:
        return Path.cwd().is_relative_to(folder)
    except OSError:  # the working directory has been removed
        return False


def _swapped(draft: Path, target: Path) -> bool:
    """Replace a folder by another; return False, with nothing changed, if it cannot be moved."""
    earlier = draft.parent / EARLIER
    earlier.mkdir()
    old = earlier / target.name
    shutil.copymode(target, draft)
    try:
        target.rename(old)
    except OSError:  # a mount point
        return False
    try:
        draft.rename(target)
    except BaseException:
        old.rename(target)
        raise
    return True


def _move_file(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with whole_file(target) as draft:
            shutil.copyfile(file, draft)


@contextmanager
def _as_file_error(path: FilePath, *, makes_folders: bool = False) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        parent = Path(path).expanduser().resolve().parent
        there = _nearest_folder(parent)
        if makes_folders or there == parent:
            raise FileError(f"Cannot write '{path}': nothing can be made in '{there}'. Give another place.") from error
        raise FileError(f"Cannot write '{path}': its folder does not exist. Make the folder first.") from error
    except OSError as error:
        raise FileError(f"Cannot write '{path}': {error.strerror or error}.") from error
