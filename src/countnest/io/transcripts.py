"""Which gene a transcript belongs to, from a table or from the annotation in the format GTF."""

from __future__ import annotations

import csv
import io
import os
import re

import pandas as pd

from countnest.errors import FileError, OptionError, kind_of, listing
from countnest.files import FilePath
from countnest.io.text import file_text
from countnest.remedies import option

__all__ = ["GENE", "SYMBOL", "TRANSCRIPT", "transcript_map", "without_version"]

TRANSCRIPT, GENE, SYMBOL = "transcript_id", "gene_id", "gene_name"
# Names of columns, in lower case, and headings that begin a table with a header.
_TRANSCRIPTS = ("transcript_id", "tx", "txname", "transcript", "target_id", "ensembl_transcript_id", "tx_id", "name")
_GENES = ("gene_id", "geneid", "gene", "ensembl_gene_id", "ens_gene")
_SYMBOLS = ("gene_name", "symbol", "gene_symbol", "external_gene_name", "ext_gene")
_ATTRIBUTE = re.compile(r'(transcript_id|gene_id|gene_name|transcript_version|gene_version) "([^"]*)"')
_GTF_FIELDS = 9
_VERSION = re.compile(r"\.\d+(_PAR_Y)?$")


def transcript_map(given: pd.DataFrame | FilePath) -> pd.DataFrame:
    """Return a table with the columns transcript_id, gene_id and, if it is known, gene_name; one row by transcript.

    Parameters
    ----------
    given
        A table or its file, with a transcript and its gene in each row, columns found by their names, or else the first
        two; or a file in the format GTF.

    Raises
    ------
    FileError
        The file is missing, or holds no transcripts with their genes; the message has the line.
    OptionError
        It is no table; or a transcript has two genes.
    """
    if isinstance(given, pd.DataFrame):
        table = _of_frame(given)
    elif isinstance(given, (str, os.PathLike)):
        text = file_text(given)
        table = _of_gtf(text, given) if _is_gtf(text) else _of_frame(_of_text(text, given))
    else:
        raise OptionError(
            f"transcripts= is {kind_of(given)}; give a table of transcripts and their genes, or the path of one, or of "
            "a GTF file."
        )
    table = table.drop_duplicates([TRANSCRIPT, GENE])
    twice = table[TRANSCRIPT][table[TRANSCRIPT].duplicated()].unique()
    if len(twice):
        raise OptionError(
            f"{option('transcripts')} has two genes for some transcripts: {listing(twice)}. Keep one row of each."
        )
    return table.reset_index(drop=True)


def without_version(identifiers: pd.Index) -> pd.Index:
    """Return identifiers without what follows a bar, and without their version: ENST1.2|x is ENST1."""
    return identifiers.str.split("|").str[0].str.replace(_VERSION, r"\1", regex=True)


def _of_frame(frame: pd.DataFrame) -> pd.DataFrame:
    named = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    places = {str(name).lower(): place for place, name in reversed(list(enumerate(named.columns)))}
    first, second = (_place(places, known) for known in (_TRANSCRIPTS, _GENES))
    if first is None or second is None or first == second:
        first, second = 0, 1
    if named.shape[1] < 2:
        raise OptionError(
            f"{option('transcripts')} has one column; it needs two: transcripts, and the genes they belong to."
        )
    found = {TRANSCRIPT: named.iloc[:, first], GENE: named.iloc[:, second]}
    symbol = _place(places, _SYMBOLS)
    if symbol is not None and symbol not in (first, second):
        found[SYMBOL] = named.iloc[:, symbol]
    table = pd.DataFrame(found).dropna(subset=[TRANSCRIPT, GENE])
    return table.astype(str)


def _place(places: dict[str, int], known: tuple[str, ...]) -> int | None:
    return next((places[name] for name in known if name in places), None)


def _of_text(text: str, path: FilePath) -> pd.DataFrame:
    """Return the table of a file, with a header or without."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if not lines:
        raise FileError(f"'{path}' is empty; it needs a transcript and its gene in each line.")
    separator = next((each for each in ("\t", ",", ";", " ") if each in lines[0]), "\t")
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    for number, row in enumerate(rows, start=1):
        if len(row) < 2 or len(row) != len(rows[0]):
            raise FileError(
                f"'{path}': row {number} has {len(row)} fields, the first has {len(rows[0])}; a transcript and its "
                "gene are needed in each. Is the file complete?"
            )
    header = rows[0][0].lower() in _TRANSCRIPTS or rows[0][1].lower() in (*_GENES, *_TRANSCRIPTS)
    names = rows[0] if header else [TRANSCRIPT, GENE, SYMBOL, *map(str, range(3, len(rows[0])))][: len(rows[0])]
    return pd.DataFrame(rows[1:] if header else rows, columns=names)


def _is_gtf(text: str) -> bool:
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    return first.count("\t") == _GTF_FIELDS - 1


def _of_gtf(text: str, path: FilePath) -> pd.DataFrame:
    """Return transcripts and genes of all lines of an annotation that have both."""
    found: dict[tuple[str, str], str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != _GTF_FIELDS:
            raise FileError(
                f"'{path}': line {number} has {len(fields)} fields, and lines of GTF have {_GTF_FIELDS}: "
                f"{line[:60]!r}. Is the file complete?"
            )
        if fields[2] == "gene":
            continue
        attributes = dict(_ATTRIBUTE.findall(fields[8]))
        if attributes.get(TRANSCRIPT) and GENE in attributes:
            found.setdefault((attributes[TRANSCRIPT], attributes[GENE]), attributes.get(SYMBOL, ""))
    if not found:
        raise FileError(
            f'\'{path}\' has no transcripts with their genes: no line has transcript_id "..." and gene_id "...". A '
            "GFF3 file must be converted to GTF first, such as by gffread -T."
        )
    table = pd.DataFrame([*found], columns=[TRANSCRIPT, GENE])
    return table.assign(**{SYMBOL: list(found.values())}) if any(found.values()) else table
