"""Reading of htseq-count files: a line for each gene, no header, and a few lines on reads without a gene.

Source: Anders, Pyl and Huber (2015), doi:10.1093/bioinformatics/btu638.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from countnest.errors import CountsError, FileError, listing
from countnest.files import FilePath
from countnest.io.text import STAR_REMEDY, file_text

__all__ = ["read_htseq"]

# Lines about reads without a gene, as versions before 0.6 wrote them; later ones begin with an underscore.
_NO_GENE = {"no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"}
_DIGITS = 15  # counts of more digits may be no exact numbers
_WHOLE = re.compile(r"\d+", re.ASCII)


def read_htseq(path: FilePath) -> pd.Series[int]:
    """Read the counts of one sample from a file of htseq-count, plain or compressed with gzip.

    Parameters
    ----------
    path
        Lines of fields separated by tabs: the gene, perhaps further attributes, the count. Lines about reads without a
        gene, such as __no_feature, are left out; versions before 0.6 wrote them without the underscores.

    Returns
    -------
    pandas.Series
        Counts, with the genes in the index.

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
    counts: list[int] = []
    several = True
    for number, line in enumerate(file_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        gene, *fields = line.split("\t")
        if gene == "N_unmapped":
            raise FileError(f"'{path}' is a file of STAR (ReadsPerGene.out.tab), not of htseq-count. {STAR_REMEDY}")
        if not fields or not _WHOLE.fullmatch(fields[-1].strip()):
            raise FileError(
                f"'{path}' is not a file of htseq-count: line {number} does not end in a tab and a whole number: "
                f"{line[:60]!r}. A table with a header is read by cn.read_counts."
            )
        several = several and len(fields) > 1 and all(_WHOLE.fullmatch(field.strip()) for field in fields)
        if len(fields[-1].strip()) > _DIGITS:
            raise CountsError(f"'{path}': the count in line {number} is too large to be one: {line[:60]!r}.")
        if not (gene.startswith("_") or gene in _NO_GENE):
            genes.append(gene)
            counts.append(int(fields[-1]))
    if several and genes:
        raise FileError(
            f"'{path}' has several columns of whole numbers, and htseq-count writes one for a sample. If it is of "
            "several samples, read it with pd.read_csv(path, sep='\\t', header=None, index_col=0), and name its "
            f"columns. If it is of STAR: {STAR_REMEDY[0].lower()}{STAR_REMEDY[1:]}"
        )
    if not genes:
        raise FileError(f"'{path}' has no counts of genes.")
    index = pd.Index(genes)
    if index.has_duplicates:
        raise CountsError(f"'{path}': genes occur more than once: {listing(index[index.duplicated()].unique())}.")
    return pd.Series(counts, index=index, dtype=np.int64)
