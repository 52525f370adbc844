"""The folder of a run: which files are from an earlier run, and which are not."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from countnest.drafts import is_draft
from countnest.errors import FileError, listing
from countnest.files import check_folder

__all__ = ["METHODS", "RECORD", "SAVED", "check_names", "check_out", "earlier_files"]

RECORD: Final = "run.json"
METHODS: Final = "methods.txt"
SAVED: Final = "fit.countnest"
# A record is trusted only for files that a run may have written.
_OURS: Final = re.compile(
    r"(results|query|shrunken)(_[1-9][0-9]*)?\.csv|(ma|volcano|pvalues)(_[1-9][0-9]*)?\.(png|pdf|svg)|genes\.csv\.gz|"
    r"size_factors\.csv|normalized_counts\.csv\.gz|normalization_factors\.csv\.gz|vst\.csv\.gz|pca\.csv|"
    r"(dispersion|pca)\.(png|pdf|svg)|methods\.txt|run\.json|fit\.countnest|"
    # of contrasts that a file lists, by their ids, and of their models
    r"[A-Za-z0-9_][\w.+-]*\.(results\.csv|ma\.png|deseq2\.(results\.tsv|sizefactors\.tsv|dispersion\.png|model\.txt)|"
    r"normalised_counts\.tsv|vst\.tsv)|versions\.yml|"
    r"model_[1-9][0-9]*\.(genes\.csv\.gz|size_factors\.csv|normalized_counts\.csv\.gz|normalization_factors\.csv\.gz|"
    r"dispersion\.png|fit\.countnest)"
)
# Files that operating systems put into folders.
_OF_THE_SYSTEM: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def check_out(folder: Path, planned: Collection[str], force: bool) -> None:
    """Raise `FileError` if a run cannot write its files, or if the folder holds files that are not from a run.

    Parameters
    ----------
    folder
        Of the results.
    planned
        Names of the files that will be written.
    force
        Write even if there are other files; they are not changed, and their names are not used.
    """
    check_folder(folder)
    others = _others(folder)
    check_names(folder, planned, force)
    if others and not force:
        raise FileError(
            f"'{folder}' holds files that no run of countnest wrote: {listing(others)}. Give another folder, --out; or "
            "--force, which replaces the files of an earlier run and leaves all others alone."
        )


def check_names(folder: Path, planned: Collection[str], force: bool = True) -> None:
    """Raise `FileError` if a file that is not from a run has the name of one that will be written.

    Without `force` the message also tells what to do about files of other names.
    """
    others = _others(folder)
    taken = [name for name in others if name in planned]
    beside = [name for name in others if name not in planned]
    if taken:
        rest = "" if force or not beside else f" A run writes beside {listing(beside)} with --force only."
        raise FileError(
            f"'{folder}' holds {listing(taken)}, which would be overwritten, but no '{RECORD}' that says that a run of "
            f"countnest wrote it. Move it away, or give another folder, --out.{rest}"
        )


def earlier_files(folder: Path) -> frozenset[str]:
    """Return the names of the files in a folder that an earlier run wrote, by its record."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    if not isinstance(record, dict) or not {"countnest", "design", "started"} <= record.keys():
        return frozenset()
    names = record.get("files")
    known = set(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else None
    return frozenset(
        each.name
        for each in folder.iterdir()
        if _OURS.fullmatch(each.name) and (known is None or each.name in known) and each.is_file()
    )


def _others(folder: Path) -> list[str]:
    """Return the entries of a folder that are not from an earlier run."""
    if not folder.is_dir():
        return []
    earlier = earlier_files(folder)
    names = sorted(each.name for each in folder.iterdir())
    return [name for name in names if name not in earlier and name not in _OF_THE_SYSTEM and not is_draft(name)]
