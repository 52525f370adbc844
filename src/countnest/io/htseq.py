"""Reading of htseq-count files: a line for each gene, no header, and a few lines on reads without a gene.

Source: Anders, Pyl and Huber (2015), doi:10.1093/bioinformatics/btu638.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from countnest.containers.count_table import CountTable
from countnest.errors import CountsError, FileError, listing
from countnest.files import FilePath
from countnest.io.formats import program_of, require_program
from countnest.io.joined import joined_counts
from countnest.io.sample_names import Paths, named_paths
from countnest.io.text import file_text
from countnest.io.text_table import star_remedy
from countnest.remedies import advised
from countnest.signature import checked_arguments

__all__ = ["htseq_counts", "read_htseq"]

# Lines about reads without a gene, as versions before 0.6 wrote them; later ones begin with an underscore.
_NO_GENE = {"no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"}
# Programs whose files have messages of their own below.
_KNOWN_HERE = ("htseq-count", "STAR", "featureCounts", "table")
_DIGITS = 15  # counts of more digits may be no exact numbers
_WHOLE = re.compile(r"\d+", re.ASCII)


@checked_arguments
def read_htseq(paths: Paths) -> CountTable:
    r"""Read the counts of htseq-count, files of one sample each.

    Parameters
    ----------
    paths
        The files: one, a list, or a dict by sample. Without names, samples are called by their files. Files may be
        packed. Lines about reads without a gene, such as __no_feature, are left out.

    Returns
    -------
    CountTable
        Counts of the genes; the notes name the lines that were left out.

    Raises
    ------
    FileError
        A file is missing, of another program or incomplete: the message has the line.
    CountsError
        The files do not have the same genes in the same order.

    Notes
    -----
    R counterpart: DESeq2::DESeqDataSetFromHTSeqCount, without the sample sheet.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("S1.txt").write_text("g1\t488\ng2\t297\n__no_feature\t60\n")
    >>> read_htseq({"treated": "S1.txt"}).counts
        treated
    g1      488
    g2      297
    """
    files = named_paths(paths)
    read = {name: htseq_counts(path) for name, path in files.items()}
    left_out = next(iter(read.values())).left_out
    notes = (f"Lines about reads without a gene are left out: {', '.join(left_out)}.",) if left_out else ()
    counts = joined_counts({name: each.counts for name, each in read.items()}, files)
    return CountTable(counts=counts, source="htseq-count", notes=notes)


class SampleCounts(NamedTuple):
    """The counts of one sample with the genes in the index, and the labels of the lines that were left out."""

    counts: pd.Series[int]
    left_out: tuple[str, ...]


def htseq_counts(path: FilePath) -> SampleCounts:
    """Read the counts of one sample from a file of htseq-count.

    Parameters
    ----------
    path
        Lines of fields separated by tabs: the gene, perhaps further attributes, the count. Lines about reads without a
        gene, such as __no_feature, are left out; versions before 0.6 wrote them without the underscores.

    Raises
    ------
    FileError
        The file is missing, a folder, empty or not text, a line has no count, or all lines have several, as in a file
        of STAR or of several samples.
    CountsError
        A gene occurs more than once, or a count has more than 15 digits.

    Notes
    -----
    R counterpart: a file of `DESeq2::DESeqDataSetFromHTSeqCount`.
    """
    genes: list[str] = []
    left_out: list[str] = []
    counts: list[int] = []
    several = True
    text = file_text(path)
    if program_of(text, path) not in _KNOWN_HERE:
        require_program(text, path, "htseq-count")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        gene, *fields = line.split("\t")
        if gene == "N_unmapped":
            raise FileError(f"'{path}' is a file of STAR (ReadsPerGene.out.tab), not of htseq-count. {star_remedy()}")
        if not fields or not _WHOLE.fullmatch(fields[-1].strip()):
            raise FileError(
                f"'{path}' is not a file of htseq-count: line {number} does not end in a tab and a whole number: "
                f"{line[:60]!r}.{advised(' A table with a header is read by cn.read_counts.', '')}"
            )
        several = several and len(fields) > 1 and all(_WHOLE.fullmatch(field.strip()) for field in fields)
        if len(fields[-1].strip()) > _DIGITS:
            raise CountsError(f"'{path}': the count in line {number} is too large to be one: {line[:60]!r}.")
        if gene.startswith("_") or gene in _NO_GENE:
            left_out.append(gene)
        else:
            genes.append(gene)
            counts.append(int(fields[-1]))
    if several and genes:
        raise FileError(
            f"'{path}' has several columns of whole numbers, and htseq-count writes one for a sample. If it is of "
            "several samples, "
            + advised(
                "read it with pd.read_csv(path, sep='\\t', header=None, index_col=0), and name its columns.",
                "write a header above them, with the names of the samples.",
            )
            + f" If it is of STAR: {star_remedy()[0].lower()}{star_remedy()[1:]}"
        )
    if not genes:
        raise FileError(f"'{path}' has no counts of genes.")
    index = pd.Index(genes)
    if index.has_duplicates:
        raise CountsError(f"'{path}': genes occur more than once: {listing(index[index.duplicated()].unique())}.")
    return SampleCounts(pd.Series(counts, index=index, dtype=np.int64), tuple(left_out))
