"""Tables in text files: a header, lines of equal numbers of fields, and a separator that is recognised."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from countnest.containers.given import file_remedy
from countnest.errors import CountnestError, CountsError, FileError, listing
from countnest.files import FilePath
from countnest.remedies import advised

__all__ = [
    "FLOAT_PRECISION",
    "TextTable",
    "count_frame",
    "refuse_repeated",
    "repeated_in",
    "rows_of",
    "star_remedy",
    "text_table",
]

_STAR = (
    "Its columns of counts are 1: unstranded, 2: the first read on the strand of the gene (htseq-count -s yes), 3: the "
    "second read on it (-s reverse, as most stranded kits have it)."
)
_MISSING_COUNTS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# before pandas 3.1 the last digits of a number were not exact by default; since then the option is deprecated
FLOAT_PRECISION: Literal["round_trip"] | None = (
    "round_trip" if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else None
)
# A file of the Broad Institute begins with the number of its format; htseq-count ends with reads that have no gene.
_GCT = ("#1.2", "#1.3")
_HTSEQ = re.compile(r"^(?:__)?no_feature\b", re.MULTILINE)


class TextTable(NamedTuple):
    """A text file taken apart: the names of the columns, the lines under them, the separator."""

    path: FilePath
    names: list[str]
    body: str
    separator: str


def text_table(text: str, path: FilePath) -> TextTable:
    """Return a table taken apart.

    Raises
    ------
    FileError
        It is empty, or its lines do not have equal numbers of fields.
    """
    header, header_line, body = _header_and_body(text, path)
    separator = _separator(header, path)
    names = next(csv.reader([header], delimiter=separator))
    _refuse_other_tables(text, names, body, path)
    lengths = _field_counts(body, separator, path)
    first = next(lengths, None)
    if first is None:
        raise FileError(f"'{path}' has a header but no lines under it.")
    if first[1] == len(names) + 1:  # R leaves out the name of the label column
        names = ["", *names]
    for line, length in chain([first], lengths):
        if length != len(names):
            raise FileError(
                f"'{path}' is not a regular table: the header has {len(names)} fields, but line {header_line + line} "
                f"has {length}. Is the file complete, and separated by {separator!r} throughout?"
            )
    return TextTable(path, names, body, separator)


def count_frame(text: str, path: FilePath) -> pd.DataFrame:
    """Return a table of counts with its labels as text in the index; see `io.tables.read_counts`."""
    table = text_table(text, path)
    refuse_repeated(table, CountsError)
    places = [str(place) for place in range(len(table.names))]
    try:
        frame = pd.read_csv(
            io.StringIO(table.body),
            sep=table.separator,
            header=None,
            names=places,
            index_col=0,
            dtype={places[0]: str},
            keep_default_na=False,
            na_values=dict.fromkeys(places[1:], _MISSING_COUNTS),
            float_precision=FLOAT_PRECISION,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise FileError(f"'{path}' cannot be read as a table: {error}. Is the file complete?") from error
    frame.index = pd.Index([str(label) for label in frame.index], name=table.names[0] or None)
    frame.columns = pd.Index(table.names[1:])
    return frame


def star_remedy() -> str:
    """Return what the columns of a file of STAR are, and how the files are read."""
    return f"{_STAR} " + advised("cn.read_star reads the files of all samples.", "Give the files of STAR alone.")


def _refuse_other_tables(text: str, names: list[str], body: str, path: FilePath) -> None:
    """Raise for tables without a header, or with other lines above it, and tell how to read them."""
    if text.startswith(_GCT):
        raise FileError(
            f"'{path}' is a table in the GCT format: {str(file_remedy('x.gct')).replace('x.gct', str(path))}."
        )
    if names[0] == "N_unmapped":
        raise FileError(f"'{path}' is a file of STAR (ReadsPerGene.out.tab), which has no header. {star_remedy()}")
    if all(_INTEGER.fullmatch(name) for name in names[1:]) and _HTSEQ.search(body):
        raise FileError(
            f"'{path}' is a file of htseq-count, which has no header and is of one sample"
            f"{advised(': use cn.dataset_from_htseq for the files of all samples', '. Give those of all samples')}."
        )


def _header_and_body(text: str, path: FilePath) -> tuple[str, int, str]:
    """Return the first line that is neither blank nor a comment, its number, and everything under it."""
    start = 0
    for number, line in enumerate(io.StringIO(text), start=1):
        start += len(line)
        if line.strip() and not line.startswith("#"):
            return line.removesuffix("\n"), number, text[start:]
    raise FileError(f"'{path}' is empty; it needs a header line and one line for each label.")


def _separator(header: str, path: FilePath) -> str:
    """Return the separator of the header: tab before comma or semicolon, or after them in a .csv file; else space."""
    bare = re.sub(r'"[^"]*"', "", header)
    mark = max(",;", key=bare.count)
    is_csv = ".csv" in [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    for separator in (mark, "\t", " ") if is_csv else ("\t", mark, " "):
        if separator in bare:
            return separator
    raise FileError(f"'{path}' has one column only; separate its columns by commas or tabs. Its header: {header!r}")


def _field_counts(body: str, separator: str, path: FilePath) -> Iterator[tuple[int, int]]:
    """Yield the number of each line under the header that is not blank, and how many fields it has."""
    if '"' in body:
        return ((number, len(row)) for number, row in rows_of(body, separator, path))
    lines = enumerate(io.StringIO(body), start=1)
    return ((number, line.count(separator) + 1) for number, line in lines if line.strip(" \n"))


def rows_of(body: str, separator: str, path: FilePath) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not blank."""
    reader = csv.reader(io.StringIO(body), delimiter=separator)
    try:
        yield from ((reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip())
    except csv.Error as error:
        raise FileError(f"'{path}' cannot be read as a table: {error}. Is a quotation mark missing?") from error


def refuse_repeated(source: TextTable, error: type[CountnestError]) -> None:
    """Raise for a header that lacks a name, or has one more than once."""
    names = source.names[1:]
    if "" in names:
        raise error(f"'{source.path}': column {names.index('') + 2} has no name in the header; name it or remove it.")
    repeated = repeated_in(source.names)
    if repeated:
        raise error(f"'{source.path}': the header has names more than once: {listing(repeated)}. Rename or drop them.")


def repeated_in(names: list[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]
