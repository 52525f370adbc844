"""The folder of this user in which compiled kernels are kept from one process to the next.

Files in it are read as code, so the folder is private: that of the user, or a temporary one that only they can write.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

__all__ = ["ADVICE", "cache_root", "clear", "drawback", "kernel_folder", "obstacle", "size", "store"]

VARIABLE = "COUNTNEST_CACHE_DIR"
ADVICE = f"Set {VARIABLE} to a folder that only you can write to."
# Keep this many version folders regardless of age; delete the others after a day without use.
KEPT = 2
_DAY = 86400.0
_DRAFT = ".draft-"
_FOLDER = re.compile(r"kernels-[0-9a-f]{16}")

_logger = logging.getLogger("countnest")


def cache_root() -> Path:
    """Return the folder for caches: $COUNTNEST_CACHE_DIR, or where the system keeps those of a user.

    Without a place there that can be written, a temporary folder; it may be the same one for later processes, or not.
    """
    return _writable_root(_wanted_root()).folder


def obstacle() -> str | None:
    """Return why the folder for caches is a temporary one, or None if it is not."""
    wanted = _wanted_root()
    reason = _writable_root(wanted).obstacle
    return None if reason is None else f"'{wanted}' cannot be used ({reason})"


def drawback(folder: Path | None) -> str | None:
    """Return why later processes compile the kernels of `folder` again, and what to do about it; None: they do not.

    Without a folder, which is None, they do.
    """
    if folder is None:
        return f"No folder can be made for the compiled code. {ADVICE}"
    reason = obstacle()
    return reason and f"The compiled code is kept among temporary files only, for {reason}. {ADVICE}"


def kernel_folder(key: str) -> Path:
    """Return the folder for kernels of one version, named by `key`, 16 hexadecimal digits; made if it is not there.

    A new folder displaces older ones: two are kept, and those that were used within a day.

    Raises
    ------
    OSError
        It cannot be made.
    """
    root = cache_root()
    folder = root / f"kernels-{key}"
    assert _FOLDER.fullmatch(folder.name)
    if folder.is_dir():
        _mark_used(folder)
        _remove_drafts(folder)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    _remove_old(root, folder)
    return folder


def clear() -> int:
    """Remove all kernels that were kept; return the number of folders."""
    found = _folders(cache_root())
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def size(folder: Path) -> tuple[int, int]:
    """Return the number of files in `folder` and their bytes together."""
    sizes = [file.stat().st_size for file in folder.glob("*") if file.is_file()]
    return len(sizes), sum(sizes)


def store(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader or another writer sees all of it or nothing.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, draft = tempfile.mkstemp(prefix=_DRAFT, dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _wanted_root() -> Path:
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "countnest-without-a-home"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return (base if base.is_absolute() else home / ".cache") / "countnest"


class _Root(NamedTuple):
    """A folder for caches, and what speaks against the one that was wanted."""

    folder: Path
    obstacle: str | None


@functools.cache
def _writable_root(wanted: Path) -> _Root:
    """Return `wanted` if files can be made there that only this user can change, otherwise a temporary folder."""
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=wanted).close()
        if _is_private(wanted):
            return _Root(wanted, None)
        reason = "other users can write there"
    except OSError as error:
        reason = error.strerror or str(error)
    instead = _temporary_root()
    _logger.info(
        f"the cache of compiled kernels cannot be in '{wanted}' ({reason}): it is in '{instead}'. "
        f"Set {VARIABLE} to choose a folder."
    )
    return _Root(instead, reason)


def _temporary_root() -> Path:
    """Return a folder among the temporary ones that is this user's, and the same in the next process if possible."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    shared = Path(tempfile.gettempdir()) / f"countnest-{user}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
        tempfile.TemporaryFile(dir=shared).close()
        if _is_private(shared):
            return shared
    except OSError:
        pass
    alone = Path(tempfile.mkdtemp(prefix="countnest-"))
    atexit.register(shutil.rmtree, alone, ignore_errors=True)
    return alone


def _is_private(folder: Path) -> bool:
    """Return whether the folder belongs to this user (or to the system) and only they can write in it."""
    if not hasattr(os, "getuid"):
        return True
    state = folder.lstat() if folder.parent == Path(tempfile.gettempdir()) else folder.stat()
    writable_by_others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(state.st_mode) and state.st_uid in (os.getuid(), 0) and not writable_by_others


def _folders(root: Path) -> list[Path]:
    """Return the folders of kernels, the last used first."""
    found = [(folder.stat().st_mtime, folder) for folder in root.glob("kernels-*") if _FOLDER.fullmatch(folder.name)]
    return [folder for _, folder in sorted(found, reverse=True)]


def _remove_old(root: Path, new: Path) -> None:
    """Remove folders of other versions, except the last used and those that may be in use."""
    try:
        others = [folder for folder in _folders(root) if folder != new]
        for folder in others[KEPT - 1 :]:
            if time.time() - folder.stat().st_mtime > _DAY:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # another process tidies up
        pass


def _remove_drafts(folder: Path) -> None:
    """Remove the unfinished files of processes that were killed."""
    for draft in folder.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):  # another process tidies up
            if time.time() - draft.stat().st_mtime > _DAY:
                draft.unlink()


def _mark_used(folder: Path) -> None:
    """Set the time of the folder, which tells when it was last used."""
    with contextlib.suppress(OSError):
        os.utime(folder)
