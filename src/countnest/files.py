"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        target = Path(path).expanduser().resolve()
        if target.is_dir():
            raise FileError(f"Cannot write '{path}': it is a folder. Give the name of a file.")
        if target.exists() and not target.is_file():
            yield target
            return
        with _hidden_folder(target.parent) as hidden:
            draft = hidden / target.name
            yield draft
            os.replace(draft, target)


@contextmanager
def whole_folder(path: FilePath) -> Iterator[Path]:
    """Yield an empty draft folder to fill; its files move to `path` together when the block succeeds.

    A new folder appears in one rename. In a folder that exists, files of the same names are replaced and others stay.

    Raises
    ------
    FileError
        `path` is a file, or cannot be written.
    """
    with _as_file_error(path):
        check_folder(path)
        target = Path(path).expanduser().resolve()
        with _hidden_folder(_nearest_folder(target)) as hidden:
            draft = hidden / "draft"
            draft.mkdir()
            yield draft
            _move_folder(draft, target)


def check_path(path: object) -> None:
    """Raise `FileError` unless `path` is text or a path."""
    if not isinstance(path, (str, os.PathLike)):
        shown = "None" if path is None else f"{path!r}, of type {type(path).__name__}"
        raise FileError(f"A path is needed, the name of a file as text or pathlib.Path; got {shown}.")


def check_folder(path: FilePath) -> None:
    """Raise `FileError` when a folder `path` can neither be filled nor made; nothing is written."""
    check_path(path)
    with _as_file_error(path):
        target = Path(path).expanduser().resolve()
        nearest = _nearest_folder(target)
        if not nearest.is_dir():
            raise FileError(f"Cannot write to '{path}': '{nearest.name}' is a file. Give the name of a folder.")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise FileError(f"Cannot write to '{path}': no permission to write there. Give another folder.")


def _nearest_folder(path: Path) -> Path:
    """Return `path`, or the nearest of its parents that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _move_folder(draft: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
        return
    files = sorted(draft.iterdir())
    blocked = [file.name for file in files if (target / file.name).is_dir()]
    if blocked:
        raise FileError(f"Cannot write to '{target}': it holds folders of the names {listing(blocked)}.")
    for file in files:
        file.replace(target / file.name)


@contextmanager
def _hidden_folder(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".countnest-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _as_file_error(path: FilePath) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileError(f"Cannot write '{path}': its folder does not exist. Make the folder first.") from error
    except OSError as error:
        raise FileError(f"Cannot write '{path}': {error.strerror or error}.") from error
