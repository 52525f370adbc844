"""Reading of the tables of featureCounts: annotation beside counts, one column for each BAM file.

Source: Liao, Smyth and Shi (2014), doi:10.1093/bioinformatics/btt656; the users guide of Subread.
"""

from __future__ import annotations

import pandas as pd

from countnest.containers.count_table import CountTable
from countnest.containers.gene_info import without_annotation
from countnest.errors import CountsError, FileError, listing
from countnest.files import FilePath
from countnest.io.excel_dates import warn_of_dates
from countnest.io.formats import require_program
from countnest.io.joined import check_same_genes, rounded
from countnest.io.sample_names import Paths, bam_names, named_paths
from countnest.io.text import file_text
from countnest.io.text_table import count_frame
from countnest.remedies import advised
from countnest.signature import checked_arguments

__all__ = ["read_featurecounts"]

_PLACES = 5  # Chr, Start, End, Strand, Length


@checked_arguments
def read_featurecounts(paths: Paths) -> CountTable:
    r"""Read the table of featureCounts, or several of them.

    Parameters
    ----------
    paths
        The table; or several with the same genes, whose samples are put together: a list, or a dict, whose names are
        those of the samples where each table has one. Files may be packed.

    Returns
    -------
    CountTable
        Counts, with samples called by the names of their BAM files without folders, endings and what aligners add;
        `gene_info` has the columns that describe the genes: Chr, Start, End, Strand, Length, and those of
        --extraAttributes. Fractional counts (--fraction) are rounded.

    Raises
    ------
    FileError
        A file is missing, of another program or incomplete: the message has the line.
    CountsError
        Tables have different genes, or samples of the same name.

    Notes
    -----
    R counterpart: none; the file is read with utils::read.delim(comment.char = "#").

    Examples
    --------
    >>> from pathlib import Path
    >>> header = "# Program:featureCounts v2.0.6\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tbam/S1.sorted.bam"
    >>> _ = Path("counts.txt").write_text(header + "\ng1\tX\t1\t90\t+\t90\t7\n")
    >>> read_featurecounts("counts.txt").counts
        S1
    g1   7
    """
    files = named_paths(paths)
    parts = [(path, *_parts(path)) for path in files.values()]
    first_path, gene_info, _ = parts[0]
    for path, info, _ in parts[1:]:
        check_same_genes((path, info.index), (first_path, gene_info.index))
    counts = pd.concat([table for _, _, table in parts], axis=1)
    columns = [str(name) for name in counts.columns]
    names = list(files) if len(files) == counts.shape[1] > 1 else bam_names(columns)
    if len(set(names)) < len(names):
        repeated = pd.Index(names)
        raise CountsError(
            f"samples have the same name: {listing(repeated[repeated.duplicated()].unique())}. "
            + advised(
                "Give tables by the names of their samples: a dict {'name': path}.",
                "Give each sample once, and rename the columns of those that are different samples.",
            )
        )
    counts, notes = rounded(counts.set_axis(pd.Index(names), axis=1))
    if names != columns:
        notes = (f"Samples are called by their files: {names[0]!r} is {columns[0]!r}.", *notes)
    warn_of_dates(counts.index, gene_info)
    return CountTable(counts=counts, source="featureCounts", gene_info=gene_info, notes=notes)


def _parts(path: FilePath) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the annotation of the genes, and the counts of a table."""
    text = file_text(path)
    require_program(text, path, "featureCounts")
    frame = count_frame(text, path)
    frame.index.name = None
    rest = frame.iloc[:, _PLACES:]
    counts = without_annotation(rest)
    mixed = [name for name in counts if getattr(counts[name].dtype, "kind", "O") not in "iuf"]
    if len(mixed) == counts.shape[1]:
        raise FileError(f"'{path}' has no counts after the column Length: {listing(rest.columns)}.")
    if mixed:
        problem = f"'{path}': the column {mixed[0]!r} has text among the counts"
        raise FileError(f"{problem}{_first_text(counts[mixed[0]])}. Is the file complete?")
    return frame.drop(columns=list(counts.columns)), counts


def _first_text(column: pd.Series) -> str:
    """Return where a column has the first cell that is no number, in words; '' if it has none."""
    wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    return f", {wrong.iloc[0]!r} of the gene {str(wrong.index[0])!r}" if len(wrong) else ""
