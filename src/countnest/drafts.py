"""Temporary folders for unfinished files, removed at the end or, after a killed process, by the next one.

A killed process leaves its drafts behind. Each draft holds a file that stays locked while its process lives, so that
the next process that makes a draft in the same place can tell abandoned drafts from those in use and remove them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

try:
    import fcntl as _fcntl

    _locks: Any = _fcntl
except ImportError:  # Windows
    _locks = None

__all__ = ["EARLIER", "Draft", "draft_folder", "is_draft"]

HIDDEN: Final = ".countnest-"
# In a draft, the folder of what its content takes the place of, while it does so.
EARLIER: Final = ".earlier"
_MARK: Final = ".countnest-draft"
_RANDOM: Final = r"[a-z0-9_]{8}"
_LOCKED: Final = b"locked"
# Where files cannot be locked, a draft is abandoned after so many seconds.
_DAY: Final = 86400.0

_in_use: set[Path] = set()


class Draft:
    """A new folder; abandoned drafts with the same prefix in the same place are removed first.

    Parameters
    ----------
    parent
        The folder that it is made in.
    prefix
        With which its name begins, and those of its kind.

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, parent: Path, prefix: str = HIDDEN) -> None:
        _remove_abandoned(parent, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        _in_use.add(self.path)
        try:
            self._lock = _marked(self.path)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        _in_use.discard(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """Yield a hidden folder in `parent` that is removed at the end of the block."""
    draft = Draft(parent)
    try:
        yield draft.path
    finally:
        draft.remove()


def is_draft(name: str) -> bool:
    """Return whether a file or folder may be a draft, by its name."""
    return re.fullmatch(re.escape(HIDDEN) + _RANDOM, name) is not None


def _marked(folder: Path) -> int | None:
    """Lock a file in a new folder, and return its number, to be closed at the end; it is named once it is locked."""
    unready = folder / f"{_MARK}-unready"
    number = os.open(unready, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    locked = _lock(number)
    os.write(number, _LOCKED if locked else b"not locked")
    if not locked:  # on Windows a file that is open can be neither renamed nor removed
        os.close(number)
    os.rename(unready, folder / _MARK)
    return number if locked else None


def _lock(number: int) -> bool:
    """Return whether a file could be locked; the lock goes with the process, however it ends."""
    if _locks is None:
        return False
    try:
        _locks.flock(number, _locks.LOCK_EX | _locks.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(parent: Path, prefix: str) -> None:
    name = re.compile(re.escape(prefix) + _RANDOM)
    try:
        with os.scandir(parent) as entries:
            folders = [each for each in entries if name.fullmatch(each.name) and each.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in (Path(each.path) for each in folders):
        if folder not in _in_use and _is_abandoned(folder):
            _put_back(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a folder is a draft whose process has ended."""
    try:
        number = os.open(folder / _MARK, os.O_RDWR)
    except OSError:  # it is just being made, is not a draft, or belongs to another user
        return False
    try:
        if os.read(number, len(_LOCKED)) == _LOCKED:
            return _lock(number)
        return time.time() - os.fstat(number).st_mtime > _DAY
    finally:
        os.close(number)


def _put_back(folder: Path) -> None:
    """Restore what a killed process had moved away before the replacement was in place."""
    earlier = folder / EARLIER
    for old in earlier.iterdir() if earlier.is_dir() else ():
        with contextlib.suppress(OSError):
            if not (folder.parent / old.name).exists():
                old.rename(folder.parent / old.name)
