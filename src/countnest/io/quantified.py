"""Reading of transcript quantification, Salmon, kallisto, RSEM and oarfish, summarised to genes by pytximport.

Sources: Soneson, Love and Robinson (2015), doi:10.12688/f1000research.7563.2; Kuehl and Puelles (2024),
doi:10.1093/bioinformatics/btae700.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from countnest.containers.count_table import CountTable
from countnest.errors import CountsError, FileError, OptionError, counted, listing
from countnest.files import FilePath
from countnest.io.formats import Program, require_program
from countnest.io.joined import check_same_genes, rounded
from countnest.io.lengths import CORRECTED, usable_lengths
from countnest.io.optional import optional_library
from countnest.io.sample_names import Paths, named_paths
from countnest.io.text import file_text
from countnest.io.text_table import count_frame, text_table
from countnest.io.transcripts import GENE, SYMBOL, TRANSCRIPT, transcript_map, without_version
from countnest.options import Unmapped, check_option
from countnest.remedies import option
from countnest.signature import checked_arguments

__all__ = ["QUANTIFIED", "read_quantified"]

# What pytximport calls the programs; files of genes are read without it.
QUANTIFIED: Final[dict[Program, str]] = {
    "Salmon": "salmon",
    "kallisto": "kallisto",
    "oarfish": "oarfish",
    "RSEM transcripts": "rsem",
    "RSEM genes": "",
}
_GENES: Final[Program] = "RSEM genes"
# The columns that are read as numbers: lengths and counts.
_NUMBERS: Final[dict[Program, tuple[str, str]]] = {
    "Salmon": ("EffectiveLength", "NumReads"),
    "kallisto": ("eff_length", "est_counts"),
    "oarfish": ("len", "num_reads"),
    "RSEM transcripts": ("effective_length", "expected_count"),
    "RSEM genes": ("effective_length", "expected_count"),
}
_LONG_READS = (
    "Long reads are counted once for each transcript, whatever its length: average transcript lengths are not "
    "corrected for."
)


@checked_arguments
def read_quantified(
    paths: Paths, transcripts: pd.DataFrame | FilePath | None = None, *, unmapped: Unmapped = "refuse"
) -> CountTable:
    """Read the estimated counts of Salmon, kallisto, RSEM or oarfish, and sum them by gene.

    Parameters
    ----------
    paths
        Files of one sample each, quant.sf, abundance.tsv, genes.results, isoforms.results or .quant: one, a list, or a
        dict by sample. Without names, samples are called by their files, or by the folders of files that are all called
        alike.
    transcripts
        The gene of each transcript: a table with a transcript and its gene in each row, the path of one, such as
        tx2gene.tsv of nf-core/rnaseq, or that of a GTF file. Versions, ENST1.2, and what follows a bar are ignored.
        Not needed for genes.results.
    unmapped
        What becomes of transcripts without a gene: "refuse" names them in an error, "drop" leaves them out.

    Returns
    -------
    CountTable
        Counts by gene, rounded to whole numbers; average transcript lengths, which `DESeqDataSet` turns into
        normalization factors, except for the long reads of oarfish, whose counts do not depend on them; gene_name
        in `gene_info` where `transcripts` has it.

    Raises
    ------
    OptionError
        pytximport is not installed (``pip install 'countnest[tximport]'``); `transcripts` is missing, or has two genes
        for a transcript.
    FileError
        A file is missing, of another program than the first or incomplete, or has a count or a length that is none: the
        message has the line.
    CountsError
        Files have different transcripts, or one of them twice; or transcripts have no gene.

    Notes
    -----
    R counterpart: tximport::tximport with countsFromAbundance = "no".

    Examples
    --------
    >>> record = read_quantified(["S1/quant.sf", "S2/quant.sf"], "genes.gtf")  # doctest: +SKIP
    >>> dds = cn.DESeqDataSet(record, samples, design="~ condition")  # doctest: +SKIP
    """
    check_option("unmapped", unmapped, Unmapped)
    files = named_paths(paths)
    program, labels = _checked_files(files)
    table, notes = _genes_of(program, labels, transcripts, unmapped)
    found = _of_genes(files) if table is None else _summarised(files, program, table)
    whole, more = rounded(found["counts"])
    lengths, of_lengths = _lengths(program, found["length"])
    notes = (*notes, *more, *of_lengths)
    info = None if table is None or SYMBOL not in table else _symbols(table, whole.index)
    return CountTable(counts=whole, source=program.split()[0], gene_info=info, lengths=lengths, notes=notes)


def _checked_files(files: Mapping[str, FilePath]) -> tuple[Program, pd.Index]:
    """Return the program and the labels of the rows, which all files must share: pytximport takes them by position."""
    first: tuple[FilePath, pd.Index] | None = None
    program: Program | None = None
    for path in files.values():
        text = file_text(path)
        program = require_program(text, path, *([program] if program else QUANTIFIED))
        table = text_table(text, path)
        rows = [line.split("\t") for line in table.body.split("\n") if line.strip()]
        for name in _NUMBERS[program]:
            _check_numbers(rows, table.names.index(name), name, path, text)
        labels = pd.Index([row[0] for row in rows])
        first = first or (path, labels)
        noun = "gene" if program == _GENES else "transcript"
        check_same_genes((path, labels), first, noun)
        if labels.has_duplicates:
            raise CountsError(
                f"'{path}': {noun}s occur more than once: {listing(labels[labels.duplicated()].unique())}."
            )
    assert program is not None
    assert first is not None
    return program, first[1]


def _check_numbers(rows: list[list[str]], place: int, name: str, path: FilePath, text: str) -> None:
    """Raise `FileError` unless a column has numbers of 0 or more; the message has the line."""
    cells = [row[place] for row in rows]
    numbers = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(wrong):
        row = rows[wrong[0]]
        line = text.split("\n").index("\t".join(row)) + 1
        raise FileError(
            f"'{path}': line {line} has {row[place]!r} as {name} of {row[0]!r}, which must be a number of 0 or more"
            f"{f', and so have {len(wrong) - 1} more lines' if len(wrong) > 1 else ''}. Is the file complete? Copy it "
            "again, or run its program again."
        )


def _genes_of(
    program: Program, labels: pd.Index, transcripts: pd.DataFrame | FilePath | None, unmapped: Unmapped
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Return the genes of the transcripts in the files, None where these have genes, and notes."""
    if program == _GENES:
        return None, ()
    if transcripts is None:
        raise OptionError(
            f"files of {program.split()[0]} count transcripts, and this package compares genes. Say which gene each "
            f"belongs to: {option('transcripts', 'genes.gtf')}, or a table of transcripts and genes."
        )
    return _matched(transcript_map(transcripts), labels, unmapped)


def _matched(table: pd.DataFrame, labels: pd.Index, unmapped: Unmapped) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the genes of the transcripts in the files, without versions, and a note on those that have none."""
    known = table.assign(**{TRANSCRIPT: without_version(pd.Index(table[TRANSCRIPT]))}).drop_duplicates(TRANSCRIPT)
    plain = without_version(labels)
    lacking = labels[~plain.isin(known[TRANSCRIPT])]
    if len(lacking) == len(labels):
        raise CountsError(
            f"no transcript of the files has a gene: they are {listing(labels)}, those of {option('transcripts')} are "
            f"{listing(table[TRANSCRIPT])}. Give the annotation that the index was made of."
        )
    if not len(lacking):
        return known.loc[known[TRANSCRIPT].isin(plain)], ()
    number = counted(len(lacking), "transcript")
    if unmapped == "refuse":
        raise CountsError(
            f"{number} of {len(labels)} without a gene in {option('transcripts')}: {listing(lacking)}. Give the "
            f"annotation that the index was made of, or leave them out: {option('unmapped', 'drop')}."
        )
    note = (f"{number} of {len(labels)} without a gene, left out: {listing(lacking)}.",)
    return known.loc[known[TRANSCRIPT].isin(plain)], note


def _lengths(program: Program, lengths: pd.DataFrame) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Return the lengths to correct for, None where counts do not depend on them, and notes."""
    if program == "oarfish":
        return None, (_LONG_READS,)
    usable, notes = usable_lengths(lengths)
    return usable, (*notes, CORRECTED)


def _of_genes(files: Mapping[str, FilePath]) -> dict[str, pd.DataFrame]:
    """Return counts and average transcript lengths by gene of files of genes, which need no summary."""
    frames = {name: count_frame(file_text(path), path) for name, path in files.items()}
    genes = next(iter(frames.values())).index
    names = {"counts": "expected_count", "length": "effective_length"}
    return {
        what: pd.DataFrame({name: frame[column].reindex(genes) for name, frame in frames.items()}).rename_axis(None)
        for what, column in names.items()
    }


def _summarised(files: Mapping[str, FilePath], program: Program, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return counts and average transcript lengths by gene, as pytximport makes them."""
    with _silenced():
        library = optional_library("pytximport", "tximport", f"reading files of {program.split()[0]}")
        try:
            found: Any = library.tximport(
                [str(path) for path in files.values()],
                data_type=QUANTIFIED[program],
                transcript_gene_map=table[[TRANSCRIPT, GENE]].copy(),
                ignore_transcript_version=True,
                ignore_after_bar=True,
                output_type="anndata",
            )
        except Exception as error:  # of another library, whatever its kind
            raise FileError(f"pytximport cannot read these files of {program.split()[0]}: {error}") from error
    genes, names = pd.Index(found.var_names.astype(str)), list(files)
    tables = {"counts": found.X, "length": found.obsm["length"]}
    return {
        what: pd.DataFrame(np.asarray(values, dtype=np.float64).T, index=genes, columns=names)
        for what, values in tables.items()
    }


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep a library from writing: what matters is checked before."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _symbols(table: pd.DataFrame, genes: pd.Index) -> pd.DataFrame:
    by_gene = table.drop_duplicates(GENE).set_index(GENE)[SYMBOL]
    return pd.DataFrame({SYMBOL: by_gene.reindex(genes)}, index=genes)
