"""Reading of count tables and sample sheets from text files, without pandas' silent repairs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from countnest.containers.given import file_remedy
from countnest.errors import CountnestError, CountsError, FileError, SamplesError, listing, suggestion, warn
from countnest.files import FilePath
from countnest.io.text import STAR_REMEDY, file_text
from countnest.remedies import advised
from countnest.signature import checked_arguments

__all__ = ["read_counts", "read_samples"]

_MISSING_COUNTS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_MISSING_NUMBERS = {"na", "n/a", "nan", "null"}  # compared in lower case
_NUMBER = re.compile(r"[+-]?(?!0\d)(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# before pandas 3.1 the last digits of a number were not exact by default; since then the option is deprecated
_FLOAT_PRECISION: Literal["round_trip"] | None = (
    "round_trip" if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else None
)
_EXACT = 2**53  # larger whole numbers are identifiers, and float64 would change them
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
# A file of the Broad Institute begins with the number of its format; htseq-count ends with reads that have no gene.
_GCT = ("#1.2", "#1.3")
_HTSEQ = re.compile(r"^(?:__)?no_feature\b", re.MULTILINE)


@checked_arguments
def read_counts(path: FilePath) -> pd.DataFrame:
    """Read a count table from a text file, plain or compressed with gzip.

    The separator (comma, tab, semicolon, space) is recognised; comment lines above the header, as featureCounts writes
    them, are skipped. A header that lacks the name of the label column, as R writes it, is understood. Columns that
    describe the genes, such as those of featureCounts (Chr, Start, End, Strand, Length), stay: `DESeqDataSet` tells
    them from samples and keeps them as `gene_info`.

    Parameters
    ----------
    path
        The file: a header line, then one line for each gene (or sample) with its label first.

    Returns
    -------
    pandas.DataFrame
        Labels of the first column as text in the index; columns of whole numbers as int64, with missing values or
        decimals as float64; text stays text.

    Raises
    ------
    FileError
        The file is missing, a folder, empty, not text, or its lines do not have equal numbers of fields.
    CountsError
        A name occurs more than once in the header.

    Notes
    -----
    R counterpart: `utils::read.table(path, header = TRUE, row.names = 1, check.names = FALSE)`.
    """
    source = _source(path)
    _refuse_repeated(source, CountsError)
    places = [str(place) for place in range(len(source.names))]
    try:
        frame = pd.read_csv(
            io.StringIO(source.body),
            sep=source.separator,
            header=None,
            names=places,
            index_col=0,
            dtype={places[0]: str},
            keep_default_na=False,
            na_values=dict.fromkeys(places[1:], _MISSING_COUNTS),
            float_precision=_FLOAT_PRECISION,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise FileError(f"'{path}' cannot be read as a table: {error}. Is the file complete?") from error
    frame.index = pd.Index([str(label) for label in frame.index], name=source.names[0] or None)
    frame.columns = pd.Index(source.names[1:])
    return frame


@checked_arguments
def read_samples(path: FilePath, *, index: str | None = None) -> pd.DataFrame:
    """Read a sample sheet from a text file, plain or compressed with gzip.

    Only an empty cell is missing: a level written None, NA or null stays that level. A column is numeric when all its
    cells are plain numbers, apart from empty ones and NA, N/A, NaN and null, which are then missing; numbers with
    leading zeros are identifiers and stay text.

    Parameters
    ----------
    path
        The file: a header line, then one line for each sample.
    index
        The name of the column that holds the sample labels; the first column when missing.

    Returns
    -------
    pandas.DataFrame
        Sample labels as text in the index; columns of type int64, float64 or text.

    Raises
    ------
    FileError
        The file is missing, a folder, empty, not text, or its lines do not have equal numbers of fields.
    SamplesError
        A name or a label occurs more than once or is missing; the column `index` does not exist.

    Notes
    -----
    R counterpart: `utils::read.table(path, header = TRUE, row.names = 1, na.strings = "")`.
    """
    source = _source(path)
    _refuse_repeated(source, SamplesError)
    if index is not None and index not in source.names:
        known = source.names
        raise SamplesError(f"'{path}' has no column {index!r}, but has {listing(known)}.{suggestion(index, known)}")
    place = 0 if index is None else source.names.index(index)
    rows = [row for _, row in _rows(source.body, source.separator, path)]
    labels = [row[place] for row in rows]
    _check_labels(labels, path)
    cells = {name: [row[i] for row in rows] for i, name in enumerate(source.names) if i != place}
    columns = {name: _converted(column) for name, column in cells.items()}
    _warn_of_commas(cells, path)
    sheet = pd.DataFrame(columns)
    sheet.index = pd.Index(labels, name=source.names[place] or None)
    return sheet


# The text of a file


class _Source(NamedTuple):
    """A text file taken apart: the names of the columns, the lines under them, the separator."""

    path: FilePath
    names: list[str]
    body: str
    separator: str


def _source(path: FilePath) -> _Source:
    text = file_text(path)
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
    return _Source(path, names, body, separator)


def _refuse_other_tables(text: str, names: list[str], body: str, path: FilePath) -> None:
    """Raise for tables without a header, or with other lines above it, and tell how to read them."""
    if text.startswith(_GCT):
        raise FileError(
            f"'{path}' is a table in the GCT format: {str(file_remedy('x.gct')).replace('x.gct', str(path))}."
        )
    if names[0] == "N_unmapped":
        raise FileError(f"'{path}' is a file of STAR (ReadsPerGene.out.tab), which has no header. {STAR_REMEDY}")
    if all(_INTEGER.fullmatch(name) for name in names[1:]) and _HTSEQ.search(body):
        raise FileError(
            f"'{path}' is a file of htseq-count, which has no header and is of one sample: use cn.dataset_from_htseq "
            f"{advised('', 'in Python ')}for the files of all samples."
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
        return ((number, len(row)) for number, row in _rows(body, separator, path))
    lines = enumerate(io.StringIO(body), start=1)
    return ((number, line.count(separator) + 1) for number, line in lines if line.strip(" \n"))


def _rows(body: str, separator: str, path: FilePath) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not blank."""
    reader = csv.reader(io.StringIO(body), delimiter=separator)
    try:
        yield from ((reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip())
    except csv.Error as error:
        raise FileError(f"'{path}' cannot be read as a table: {error}. Is a quotation mark missing?") from error


def _refuse_repeated(source: _Source, error: type[CountnestError]) -> None:
    names = source.names[1:]
    if "" in names:
        raise error(f"'{source.path}': column {names.index('') + 2} has no name in the header; name it or remove it.")
    repeated = _repeated(source.names)
    if repeated:
        raise error(f"'{source.path}': the header has names more than once: {listing(repeated)}. Rename or drop them.")


def _repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


# The cells of a sample sheet


def _check_labels(labels: list[str], path: FilePath) -> None:
    empty = labels.count("")
    if empty:
        raise SamplesError(f"'{path}': {empty} of {len(labels)} rows have no sample label; fill the label column.")
    repeated = _repeated(labels)
    if repeated:
        raise SamplesError(
            f"'{path}': sample labels occur more than once: {listing(repeated)}. Correct them, or "
            + advised("name the column of the labels with index=.", "put the column of the labels first.")
        )


def _converted(cells: list[str]) -> pd.Series:
    """Return the cells as int64, float64 or text; empty cells are missing, and in numbers NA and the like too."""
    numbers = [cell for cell in cells if cell and cell.lower() not in _MISSING_NUMBERS]
    if not numbers or not all(_NUMBER.fullmatch(cell) for cell in numbers):
        return _text_column(cells)
    whole = all(_INTEGER.fullmatch(cell) for cell in numbers)
    if whole and any(len(cell) > 20 or abs(int(cell)) > _EXACT for cell in numbers):
        return _text_column(cells)
    if whole and len(numbers) == len(cells):
        return pd.Series([int(cell) for cell in cells], dtype=np.int64)
    known = set(numbers)
    return pd.Series([float(cell) if cell in known else np.nan for cell in cells], dtype=np.float64)


def _warn_of_commas(columns: Mapping[str, list[str]], path: FilePath) -> None:
    """Warn about columns whose numbers have a decimal comma, which makes them text."""
    for name, cells in columns.items():
        numbers = [cell for cell in cells if cell and cell.lower() not in _MISSING_NUMBERS]
        commas = [cell for cell in numbers if _DECIMAL_COMMA.fullmatch(cell)]
        if commas and all(_NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell) for cell in numbers):
            warn(
                f"'{path}': the column '{name}' has numbers with a decimal comma, such as '{commas[0]}', and is read "
                "as text, so that a design treats it as a factor. Write decimal points if these are numbers."
            )


def _text_column(cells: list[str]) -> pd.Series:
    return pd.Series([cell or np.nan for cell in cells])
