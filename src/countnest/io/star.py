"""Reading of STAR's counts: ReadsPerGene.out.tab, a column for each way to read the strand.

Source: Dobin et al. (2013), doi:10.1093/bioinformatics/bts635; the manual of STAR, "Counting number of reads per gene".
"""

from __future__ import annotations

import io
import re
from typing import Final

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.containers.count_table import CountTable
from countnest.errors import CountsError, FileError, listing
from countnest.files import FilePath
from countnest.io.formats import require_program
from countnest.io.joined import joined_counts
from countnest.io.sample_names import Paths, named_paths
from countnest.io.text import file_text
from countnest.options import Strand, check_option
from countnest.remedies import option
from countnest.signature import checked_arguments

__all__ = ["read_star"]

# The columns of the file, after the gene.
STRANDS: Final[tuple[Strand, ...]] = ("unstranded", "forward", "reverse")
# The share of the reads with a strand that are on that of the gene, as nf-core/rnaseq draws the lines (its parameters
# stranded_threshold and unstranded_threshold): stranded from here on, and unstranded if the two shares differ no more.
STRANDED, UNSTRANDED = 0.8, 0.1
# Fewer reads say nothing of the strand.
ENOUGH = 100
_OTHER = "N_"
_WHOLE = re.compile(r"[0-9]{1,15}")


@checked_arguments
def read_star(paths: Paths, *, strand: Strand | None = None) -> CountTable:
    r"""Read the counts of STAR, files ReadsPerGene.out.tab of one sample each.

    Parameters
    ----------
    paths
        The files: one, a list, or a dict by sample. Without names, samples are called by their files, and by their
        folders where all files are called ReadsPerGene.out.tab. Files may be packed.
    strand
        The column of counts: "unstranded", "forward" (the first read is on the strand of the gene) or "reverse" (the
        second one is, as most stranded kits have it). None: recognised from the counts of all samples: stranded where
        the reads on one strand are 80 % of both or more, and unstranded where the shares differ by 10 % at most.

    Returns
    -------
    CountTable
        Counts of the genes; the notes have the strand, and the lines about reads without a gene that were left out.

    Raises
    ------
    FileError
        A file is missing, of another program or incomplete: the message has the line.
    CountsError
        The files have different genes; or the strand cannot be recognised, or is not the same in all samples.

    Notes
    -----
    R counterpart: none; files are read one by one with utils::read.delim.

    Examples
    --------
    >>> from pathlib import Path
    >>> lines = ["N_unmapped\t9\t9\t9", "N_noFeature\t5\t900\t6", "g1\t500\t12\t488", "g2\t300\t3\t297"]
    >>> _ = Path("S1.ReadsPerGene.out.tab").write_text("\n".join(lines))
    >>> read_star(["S1.ReadsPerGene.out.tab"]).counts
         S1
    g1  488
    g2  297
    """
    if strand is not None:
        check_option("strand", strand, Strand)
    files = named_paths(paths)
    tables = {name: _table(path) for name, path in files.items()}
    sums = {name: _sums(table) for name, table in tables.items()}
    chosen, note = (strand, f"Strand: {strand}, as given.") if strand is not None else recognised_strand(sums)
    place = STRANDS.index(chosen)
    columns = {name: table.loc[_are_genes(table.index)].iloc[:, place] for name, table in tables.items()}
    first = next(iter(tables.values()))
    others = [str(label) for label in first.index[~_are_genes(first.index)]]
    left_out = f"Lines about reads without a gene are left out: {', '.join(others)}." if others else ""
    return CountTable(
        counts=joined_counts(columns, files), source="STAR", notes=tuple(text for text in (note, left_out) if text)
    )


def recognised_strand(sums: dict[str, FloatArray]) -> tuple[Strand, str]:
    """Return the strand that the counts of all samples show, and a note.

    Parameters
    ----------
    sums
        By sample, the sums (3,) of its counts: unstranded, forward, reverse.
    """
    found = {name: _strand_of(three) for name, three in sums.items()}
    kinds = {strand for strand, _ in found.values()}
    shares = [share for _, share in found.values()]
    (strand,) = kinds if len(kinds) == 1 else (None,)
    if strand is not None:
        low, high = (f"{100 * share:.1f}" for share in (min(shares), max(shares)))
        share = f"{low} %" if low == high else f"{low} to {high} %"
        return strand, f"Strand: {strand}, recognised: {share} of the reads are on the strand of their gene."
    shown = [
        f"{name} {three[0]:.0f}, {three[1]:.0f}, {three[2]:.0f} ({found[name][0] or 'cannot be told'})"
        for name, three in list(sums.items())[:5]
    ]
    more = f"; and {len(sums) - 5} more" if len(sums) > 5 else ""
    what = "cannot be recognised from the counts" if None in kinds else "is not the same in all samples"
    raise CountsError(
        f"the strand {what}. The sums of the counts, unstranded, forward, reverse: {'; '.join(shown)}{more}. Say how "
        f"the libraries were made: {option('strand', 'unstranded')}, {option('strand', 'forward')} or "
        f"{option('strand', 'reverse')}."
    )


def _strand_of(sums: FloatArray) -> tuple[Strand | None, float]:
    """Return the strand of one sample, None if it cannot be told, and the share of reads on the strand of the gene."""
    forward, reverse = float(sums[1]), float(sums[2])
    total = forward + reverse
    if total < ENOUGH:
        return None, 0.0
    share = forward / total
    if abs(forward - reverse) <= UNSTRANDED * total:
        return "unstranded", share
    if share >= STRANDED:
        return "forward", share
    return ("reverse" if share <= 1.0 - STRANDED else None), share


def _sums(table: pd.DataFrame) -> FloatArray:
    sums: FloatArray = table.loc[_are_genes(table.index)].to_numpy(dtype=np.float64).sum(axis=0)
    return sums


def _are_genes(labels: pd.Index) -> np.ndarray:
    return ~np.asarray(labels.str.startswith(_OTHER), dtype=np.bool_)


def _table(path: FilePath) -> pd.DataFrame:
    """Return the three columns of counts of a file, with the lines about reads without a gene."""
    text = file_text(path)
    require_program(text, path, "STAR")
    for number, line in enumerate(text.split("\n"), start=1):
        gene, *fields = line.split("\t")
        if line.strip() and not (gene and len(fields) == 3 and all(map(_WHOLE.fullmatch, fields))):
            raise FileError(
                f"'{path}': line {number} is not a gene and three whole numbers: {line[:60]!r}. If it is the last one, "
                "the file is incomplete: copy it again."
            )
    table = pd.read_csv(
        io.StringIO(text), sep="\t", header=None, names=["gene", *STRANDS], index_col=0, dtype={"gene": str},
        keep_default_na=False,
    )  # fmt: skip
    table.index = pd.Index([str(label) for label in table.index])
    if table.index.has_duplicates:
        repeated = listing(table.index[table.index.duplicated()].unique())
        raise CountsError(f"'{path}': genes occur more than once: {repeated}.")
    if not _are_genes(table.index).any():
        raise FileError(f"'{path}' has no genes: only lines about other reads.")
    return table
