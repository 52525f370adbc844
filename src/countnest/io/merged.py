"""Reading of tables of estimated counts of many samples: merged tables of nf-core/rnaseq, matrices of RSEM.

Sources: the output of nf-core/rnaseq, https://nf-co.re/rnaseq; Li and Dewey (2011), doi:10.1186/1471-2105-12-323.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from countnest.containers.count_table import CountsFromAbundance, CountTable
from countnest.containers.gene_info import without_annotation
from countnest.errors import CountsError, FileError, listing
from countnest.files import FilePath
from countnest.io.excel_dates import warn_of_dates
from countnest.io.formats import Program, program_of
from countnest.io.joined import check_same_genes, rounded
from countnest.io.lengths import CORRECTED, usable_lengths
from countnest.io.text import file_text
from countnest.io.text_table import count_frame
from countnest.options import check_option
from countnest.remedies import advised, option
from countnest.signature import checked_arguments

__all__ = ["read_merged"]

_MILLION = 1e6  # the sum of TPM in a sample
_CLOSE = 1e-3
# What the names of nf-core's files say of how the counts were made; the first that occurs counts.
_MADE: dict[str, CountsFromAbundance] = {
    "length_scaled": "lengthScaledTPM",
    "lengthscaled": "lengthScaledTPM",
    "counts_scaled": "scaledTPM",
}
_LENGTHS = re.compile(r"gene_lengths?\b|[._]lengths?\.tsv", re.IGNORECASE)
_RESULTS = re.compile(r"\.(genes|isoforms)\.results$")
_TRANSCRIPTS = "transcript_id(s)"


@checked_arguments
def read_merged(
    path: FilePath, *, lengths: FilePath | None = None, counts_from_abundance: CountsFromAbundance | None = None
) -> CountTable:
    r"""Read a table of estimated counts of genes, all samples in one file, as nf-core/rnaseq and RSEM write it.

    Parameters
    ----------
    path
        Such as salmon.merged.gene_counts.tsv, rsem.merged.gene_counts.tsv or star_salmon's, or the matrix of
        rsem-generate-data-matrix. The columns gene_name and transcript_id(s) are no samples.
    lengths
        The table of average transcript lengths beside it, salmon.merged.gene_lengths.tsv, for counts that depend on
        them. Without it, fold changes are not corrected for changes of the lengths of transcripts.
    counts_from_abundance
        How the counts were made: "no", "scaledTPM" or "lengthScaledTPM". None: as the name of the file says,
        gene_counts_length_scaled and gene_counts_scaled, and "no" otherwise.

    Returns
    -------
    CountTable
        The counts, rounded to whole numbers, with gene_name in `gene_info`.

    Raises
    ------
    FileError
        The file is missing, incomplete (the message has the line), or of another kind, such as TPM or transcripts.
    OptionError
        Lengths are given for counts that do not depend on them.
    CountsError
        The lengths are those of other genes or samples.

    Notes
    -----
    R counterpart: DESeq2::DESeqDataSetFromTximport on the SummarizedExperiment of nf-core/rnaseq.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("gene_counts.tsv").write_text("gene_id\tgene_name\tS1\tS2\nENSG1\tTP53\t10.4\t7\n")
    >>> record = read_merged("gene_counts.tsv")
    >>> record.counts
           S1  S2
    ENSG1  10   7
    >>> record.gene_info
          gene_name
    ENSG1      TP53
    """
    if counts_from_abundance is not None:
        check_option("counts_from_abundance", counts_from_abundance, CountsFromAbundance)
    made = counts_from_abundance or _made(path)
    program, info, counts = _parts(path)
    _refuse_other_values(counts, path)
    whole, notes = rounded(counts)
    of_rsem = program == "RSEM matrix" or _TRANSCRIPTS in info
    if _TRANSCRIPTS in info:
        info, notes = info.drop(columns=_TRANSCRIPTS), (*notes, f"The column {_TRANSCRIPTS} is left out.")
    found: pd.DataFrame | None = None
    if lengths is not None:
        if made != "no":
            CountTable(counts=whole, source=program, counts_from_abundance=made).refuse_lengths()
        found, more = _lengths(lengths, path, whole)
        notes = (*notes, *more, CORRECTED)
    else:
        notes = (*notes, *_note_of_lengths(path, made))
    warn_of_dates(whole.index, info)
    return CountTable(
        counts=whole,
        source="RSEM" if of_rsem else "a merged table of nf-core/rnaseq",
        gene_info=info if info.shape[1] else None,
        lengths=found,
        counts_from_abundance=made,
        notes=notes,
    )


def _made(path: FilePath) -> CountsFromAbundance:
    name = Path(path).name.lower()
    return next((made for words, made in _MADE.items() if words in name), "no")


def _parts(path: FilePath) -> tuple[Program, pd.DataFrame, pd.DataFrame]:
    """Return the program, the annotation of the genes, and the numbers of a table."""
    text = file_text(path)
    program = program_of(text, path)
    if program == "merged transcripts":
        raise FileError(
            f"'{path}' has counts of transcripts, and this package compares genes: give the table of genes beside it, "
            "gene_counts.tsv."
        )
    if program not in ("merged genes", "RSEM matrix"):
        raise FileError(
            f"'{path}' is no merged table of genes: its first columns are not gene_id and gene_name, or gene_id and "
            f"transcript_id(s).{advised(' Other tables are read with cn.read_counts.', '')}"
        )
    frame = count_frame(text, path)
    frame.index.name = None
    numbers = without_annotation(frame.drop(columns=_TRANSCRIPTS, errors="ignore"))
    wrong = [name for name in numbers if getattr(numbers[name].dtype, "kind", "O") not in "iuf"]
    if wrong:
        raise FileError(f"'{path}': columns that should have counts have other values: {listing(wrong)}.")
    counts = numbers.set_axis(pd.Index([_RESULTS.sub("", Path(str(name)).name) for name in numbers.columns]), axis=1)
    return program, frame.drop(columns=list(numbers.columns)), counts


def _refuse_other_values(counts: pd.DataFrame, path: FilePath) -> None:
    """Raise `FileError` for TPM, and for lengths by the name of the file."""
    if _is_tpm(counts):
        raise FileError(
            f"'{path}' has TPM: every sample sums to a million. Give the table of counts beside it, gene_counts.tsv."
        )
    if _LENGTHS.search(Path(path).name):
        raise FileError(
            f"'{path}' has lengths of transcripts by its name. Give the table of counts, and this one as "
            f"{option('lengths')}."
        )


def _is_tpm(table: pd.DataFrame) -> bool:
    """Return whether numbers are transcripts per million, which sum to a million in every sample."""
    values = table.to_numpy(dtype=np.float64)
    decimals = bool(np.any(values != np.floor(values)))
    return decimals and bool(np.all(np.abs(values.sum(axis=0) - _MILLION) <= _CLOSE * _MILLION))


def _lengths(path: FilePath, counts_path: FilePath, counts: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return average transcript lengths in the order of the counts, and notes."""
    _, _, found = _parts(path)
    check_same_genes((path, found.index), (counts_path, counts.index))
    if set(found.columns) != set(counts.columns):
        differing = set(found.columns) ^ set(counts.columns)
        raise CountsError(f"'{path}' does not have the same samples as '{counts_path}': {listing(sorted(differing))}.")
    found = found[list(counts.columns)]
    what = "TPM" if _is_tpm(found) else "the counts again" if _are_same(found, counts) else None
    if what is not None:
        raise FileError(f"'{path}' has {what}, not average transcript lengths. Give the table of lengths beside it.")
    return usable_lengths(found)


def _are_same(table: pd.DataFrame, counts: pd.DataFrame) -> bool:
    """Return whether numbers are the counts before they were rounded."""
    return bool(np.array_equal(np.rint(table.to_numpy(dtype=np.float64)), counts.to_numpy(dtype=np.float64)))


def _note_of_lengths(path: FilePath, made: CountsFromAbundance) -> tuple[str, ...]:
    """Return a note on lengths that are not used."""
    if made != "no":
        return (f"The counts are of the kind {made}: they do not depend on transcript lengths.",)
    name = Path(path).name
    beside = Path(path).expanduser().with_name(name.replace("gene_counts", "gene_lengths"))
    if beside.name == name or not beside.is_file():
        return ()
    return (
        f"Average transcript lengths are beside it and not used: {option('lengths', beside.name)} corrects for them.",
    )
