"""Files that programs write beside their counts, such as logs and summaries: refused, with the file to give instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from countnest.errors import FileError
from countnest.files import FilePath

__all__ = ["refuse_by_product"]


class _ByProduct(NamedTuple):
    content: re.Pattern[str]  # how its text begins
    what: str
    ending: str  # of its name: a pattern
    counts: str  # the ending of the file of counts, or its path from the folder
    otherwise: str  # the file of counts, if the name has another ending


_BY_PRODUCTS: Final = (
    _ByProduct(
        re.compile(r"Status\t.*\nAssigned\t"),
        "the summary of featureCounts, numbers of reads by what became of them",
        r"\.summary(?:\.gz)?$",
        "",
        "the table that featureCounts wrote beside it",
    ),
    _ByProduct(
        re.compile(r"\s*Started job on \|"),
        "the log of STAR",
        r"Log\.final\.out$",
        "ReadsPerGene.out.tab",
        "ReadsPerGene.out.tab, which STAR writes with --quantMode GeneCounts",
    ),
    _ByProduct(
        re.compile(r"\S+\t\d+\t\d+\t[012]\t[0-6]\t[01]\t\d+\t\d+\t\d+\n", re.ASCII),
        "STAR's table of splice junctions",
        r"SJ\.out\.tab$",
        "ReadsPerGene.out.tab",
        "ReadsPerGene.out.tab, which STAR writes with --quantMode GeneCounts",
    ),
    _ByProduct(
        re.compile(r'\s*\{[^{}]*"(?:salmon_version|expected_format)"'),
        "a description of Salmon's run",
        r"(?:aux_info[/\\])?(?:meta_info|cmd_info|lib_format_counts)\.json$",
        "quant.sf",
        "quant.sf of the same folder",
    ),
    _ByProduct(
        re.compile(r'\s*\{[^{}]*"kallisto_version"'),
        "a description of kallisto's run",
        r"run_info\.json$",
        "abundance.tsv",
        "abundance.tsv of the same folder",
    ),
)


def refuse_by_product(text: str, path: FilePath) -> None:
    r"""Raise `FileError` for a summary, a log or a description of a run; the message has the file of counts.

    Sources: the users guide of Subread; the manuals of STAR, Salmon and kallisto.

    Examples
    --------
    >>> refuse_by_product("Geneid\tS1\ng1\t7\n", "counts.txt")
    """
    found = next((each for each in _BY_PRODUCTS if each.content.match(text[:100_000])), None)
    if found is None:
        return
    name = str(Path(path))
    counts, known = re.subn(found.ending, found.counts, name)
    instead = f"'{counts}'" if known and counts else found.otherwise
    raise FileError(
        f"'{path}' is {found.what}, and has no counts of genes. Give {instead} instead; if a pattern of names found "
        "this file, give one that leaves it out."
    )
