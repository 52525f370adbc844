"""Names of samples, from the names of their files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from countnest.errors import FileError, listing
from countnest.files import FilePath, check_path
from countnest.remedies import advised

__all__ = ["Paths", "bam_names", "named_paths", "sample_name"]

# A file, several, or several by the names of their samples.
Paths: TypeAlias = FilePath | Iterable[FilePath] | Mapping[str, FilePath]

_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$", re.IGNORECASE)
# What programs and pipelines put after the name of a sample, without the ending that says the kind of file.
_ENDING = re.compile(r"\.(tab|tsv|txt|csv|sf|quant|results|counts?|out|h5)$", re.IGNORECASE)
_TAIL = re.compile(
    r"[._-]?reads?pergene(\.out)?$"
    r"|(^|[._-])(htseq([._-]?counts?)?|feature[._-]?counts?|gene[._-]?counts?|counts?|genes|isoforms|quant|abundance)$",
    re.IGNORECASE,
)
_ALIGNED = re.compile(
    r"[._-]?aligned([._-]?sortedbycoord)?([._-]?out)?$"
    r"|[._-](sorted(bycoord)?|sort|markdup|markduplicates|dedup|deduped|rmdup|umi_dedup|hisat2?|star|filtered|primary)$",
    re.IGNORECASE,
)
_BAM = re.compile(r"\.(bam|sam|cram)$", re.IGNORECASE)


def named_paths(paths: Paths) -> dict[str, FilePath]:
    """Return files by the names of their samples, which are those given, or follow from the names of the files.

    Raises
    ------
    FileError
        There is no path, or two files would have the same name.
    """
    if isinstance(paths, (Mapping, pd.Series)):
        named = {str(name): path for name, path in paths.items()}
    elif isinstance(paths, Iterable) and not isinstance(paths, (str, bytes)):
        given = list(paths)
        for path in given:
            check_path(path)
        named = dict(zip(_unique_names(given), given, strict=True))
    else:
        check_path(paths)
        named = {sample_name(paths): paths}
    if not named:
        raise FileError("there are no files: the list of paths is empty.")
    for path in named.values():
        check_path(path)
    return named


def _unique_names(paths: list[FilePath]) -> list[str]:
    names = [sample_name(path) for path in paths]
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        which = [str(path) for path, name in zip(paths, names, strict=True) if name == repeated[0]]
        raise FileError(
            f"files would be of samples of the same name, {listing(repeated)}, such as {listing(which)}. "
            + advised("Give names: a dict {'name': path}.", "Rename the files by their samples.")
        )
    return names


def sample_name(path: FilePath) -> str:
    """Return the name of the sample of a file: its own without what programs add, or else that of its folder.

    Examples
    --------
    >>> sample_name("star/S1.ReadsPerGene.out.tab"), sample_name("salmon/S2/quant.sf.gz")
    ('S1', 'S2')
    """
    place = Path(os.path.abspath(Path(path).expanduser()))
    name = _ENDING.sub("", _PACKED.sub("", place.name))
    while (shorter := _TAIL.sub("", name)) != name:
        name = _ENDING.sub("", shorter) if shorter else ""
    return name.strip("._- ") or place.parent.name or place.name


def bam_names(labels: Iterable[str]) -> list[str]:
    """Return the names of the samples of BAM files, given by their paths.

    A name is that of the file without its folders, its ending and what aligners add; where files of several folders
    have the same, the name of the folder. Labels that are no BAM files, and names that would be the same, stay.

    Examples
    --------
    >>> bam_names(["/data/S1Aligned.sortedByCoord.out.bam", "/data/S2.sorted.bam"])
    ['S1', 'S2']
    """
    given = list(labels)
    parts = [re.split(r"[\\/]", label) for label in given]
    if not all(_BAM.search(label) or len(split) > 1 for label, split in zip(given, parts, strict=True)):
        return given
    short = [_without_tails(split[-1]) for split in parts]
    folders = [split[-2] if len(split) > 1 else "" for split in parts]
    for names in (short, folders):
        if all(names) and len(set(names)) == len(names):
            return names
    return given


def _without_tails(name: str) -> str:
    name = _BAM.sub("", name)
    while (shorter := _ALIGNED.sub("", name)) != name and shorter:
        name = shorter
    return name
