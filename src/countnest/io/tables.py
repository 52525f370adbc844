"""Reading of count tables, whatever wrote them, and of sample sheets, without pandas' silent repairs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from countnest.containers.count_table import CountTable
from countnest.errors import FileError, OptionError, SamplesError, counted, listing, suggestion, warn
from countnest.files import FilePath
from countnest.io.annotated import read_h5ad
from countnest.io.excel_dates import warn_of_dates
from countnest.io.feature_counts import read_featurecounts
from countnest.io.formats import Program, binary_kind, program_of, tenx_matrix
from countnest.io.htseq import read_htseq
from countnest.io.merged import read_merged
from countnest.io.quantified import QUANTIFIED, read_quantified
from countnest.io.r_objects import read_rds
from countnest.io.sample_names import Paths, named_paths
from countnest.io.spreadsheets import excel_frame, parquet_frame
from countnest.io.star import read_star
from countnest.io.tenx import tenx_table
from countnest.io.text import file_bytes, file_text, text_of, unpacked
from countnest.io.text_table import count_frame, refuse_repeated, repeated_in, rows_of, text_table
from countnest.options import Strand, Unmapped
from countnest.remedies import advised, option
from countnest.signature import checked_arguments

__all__ = ["read_counts", "read_samples"]

_MISSING_NUMBERS = {"na", "n/a", "nan", "null"}  # compared in lower case
_NUMBER = re.compile(r"[+-]?(?!0\d)(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_EXACT = 2**53  # larger whole numbers are identifiers, and float64 would change them
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)


@checked_arguments
def read_counts(
    path: Paths,
    *,
    layer: str | None = None,
    strand: Strand | None = None,
    transcripts: pd.DataFrame | FilePath | None = None,
    unmapped: Unmapped | None = None,
    lengths: FilePath | None = None,
    sheet: str | None = None,
) -> pd.DataFrame | CountTable:
    r"""Read counts from a table, or from the files of a program, which is recognised by their content.

    `DESeqDataSet` takes what is returned. A plain table is a DataFrame: comma-, tab-, semicolon- or space-separated
    text, Parquet, or a sheet of a workbook. What a program wrote is a `CountTable`, which has more than counts:
    featureCounts, STAR, htseq-count, Salmon, kallisto, RSEM, oarfish, merged tables of nf-core/rnaseq, AnnData (.h5ad),
    a SummarizedExperiment of R (.rds), and folders of Cell Ranger whose barcodes are samples. Text may be UTF-8 or
    UTF-16, plain, or packed with gzip, bzip2, xz or zip.

    Parameters
    ----------
    path
        The file or the folder; of programs with a file by sample all files, as a list or as a dict by sample. A plain
        table has a header, perhaps with comment lines above it, then one line for each gene (or sample) with its label
        first; a header that lacks the name of the label column, as R writes it, is understood. Columns that describe
        the genes stay: `DESeqDataSet` tells them from samples and keeps them as `gene_info`.
    layer
        The layer of an AnnData file, or the assay of a file of R, that holds the counts.
    strand
        The column of STAR's files, see `read_star`; None: recognised from the counts.
    transcripts
        The gene of each transcript, of Salmon, kallisto, RSEM and oarfish, see `read_quantified`.
    unmapped
        What becomes of transcripts without a gene: "refuse" (None) or "drop".
    lengths
        The table of average transcript lengths beside a merged table of nf-core/rnaseq, see `read_merged`.
    sheet
        The sheet of a workbook of Excel; None: the first one.

    Returns
    -------
    pandas.DataFrame or CountTable
        Of a plain table a DataFrame: labels of the first column as text in the index; columns of whole numbers as
        int64, with missing values or decimals as float64; text stays text. Otherwise what `read_featurecounts`,
        `read_star`, `read_htseq`, `read_quantified`, `read_merged`, `read_h5ad` or `read_rds` returns.

    Raises
    ------
    FileError
        A file is missing, empty or incomplete, or files are of different programs: the message has the file and the
        line.
    CountsError
        A name occurs more than once in the header; files have different genes.
    OptionError
        A library is not installed that files of this kind need; or an argument does not apply to them.

    Warns
    -----
    CountnestWarning
        Names of genes are dates, as spreadsheets make them of SEPT2 and MARCH1.

    Notes
    -----
    R counterpart: `utils::read.table(path, header = TRUE, row.names = 1, check.names = FALSE)` of a plain table.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("counts.csv").write_text("gene,S1,S2\ng1,4,7\ng2,0,3\n")
    >>> read_counts("counts.csv").to_dict("list")
    {'S1': [4, 0], 'S2': [7, 3]}
    """
    given: dict[str, Any] = {
        "layer": layer, "strand": strand, "transcripts": transcripts, "unmapped": unmapped, "lengths": lengths,
        "sheet": sheet,
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    files = named_paths(path)
    first = next(iter(files.values()))
    if not isinstance(path, (str, os.PathLike)):
        return _of_program(program_of(file_text(first), first, one_sample=True), files, options)
    if tenx_matrix(path) is not None:
        _refuse_options(options, "a folder of Cell Ranger")
        return tenx_table(path)
    data = file_bytes(path)
    found = _of_binary(data, path, options)
    if found is not None:
        return found
    text = text_of(data, path)
    program = program_of(text, path)
    if program != "table":
        return _of_program(program, files, options)
    _refuse_options(options, "a plain table")
    frame = count_frame(text, path)
    warn_of_dates(frame.index)
    return frame


def _of_binary(data: bytes, path: FilePath, options: dict[str, Any]) -> pd.DataFrame | CountTable | None:
    """Return the counts in a file that is not text; None: it may be text."""
    kind = binary_kind(unpacked(data, path), path)
    if kind == "hdf5":
        _refuse_options(options, "a file of AnnData", "layer")
        return read_h5ad(path, **options)
    if kind == "rds":
        _refuse_options(options, "a file of R", "layer")
        return read_rds(path, **options)
    if kind == "parquet":
        _refuse_options(options, "a Parquet file")
        frame = parquet_frame(data, path)
    elif kind == "excel":
        _refuse_options(options, "a workbook", "sheet")
        frame = excel_frame(unpacked(data, path), path, **options)
    else:
        return None
    warn_of_dates(frame.index)
    return frame


def _of_program(program: Program, files: Mapping[str, FilePath], options: dict[str, Any]) -> CountTable:
    """Return the counts in the files of a program."""
    what = f"files of {program}"
    if program == "STAR":
        _refuse_options(options, what, "strand")
        return read_star(files, **options)
    if program in QUANTIFIED:
        _refuse_options(options, what, "transcripts", "unmapped")
        return read_quantified(files, **options)
    if program in ("featureCounts", "htseq-count"):
        _refuse_options(options, what)
        return read_featurecounts(files) if program == "featureCounts" else read_htseq(files)
    first, *others = files.values()
    if program == "table":
        raise FileError(
            f"'{first}' is a plain table, or one of a program that is not known, and {counted(len(files), 'file')} "
            "were given. Read each with cn.read_counts, and join them: pd.concat([...], axis=1)."
        )
    _refuse_options(options, what, "lengths")
    if others:
        raise FileError(
            f"'{first}' is of all samples: give this table alone, and that of lengths as {option('lengths')}."
        )
    return read_merged(first, **options)


def _refuse_options(options: dict[str, Any], what: str, *known: str) -> None:
    """Raise `OptionError` for arguments that do not apply to a kind of file."""
    wrong = [name for name in options if name not in known]
    if wrong:
        raise OptionError(f"{option(wrong[0])} does not apply to {what}; leave it out.")


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
    source = text_table(file_text(path), path)
    refuse_repeated(source, SamplesError)
    if index is not None and index not in source.names:
        known = source.names
        raise SamplesError(f"'{path}' has no column {index!r}, but has {listing(known)}.{suggestion(index, known)}")
    place = 0 if index is None else source.names.index(index)
    rows = [row for _, row in rows_of(source.body, source.separator, path)]
    labels = [row[place] for row in rows]
    _check_labels(labels, path)
    cells = {name: [row[i] for row in rows] for i, name in enumerate(source.names) if i != place}
    columns = {name: _converted(column) for name, column in cells.items()}
    _warn_of_commas(cells, path)
    sheet = pd.DataFrame(columns)
    sheet.index = pd.Index(labels, name=source.names[place] or None)
    return sheet


def _check_labels(labels: list[str], path: FilePath) -> None:
    empty = labels.count("")
    if empty:
        raise SamplesError(f"'{path}': {empty} of {len(labels)} rows have no sample label; fill the label column.")
    repeated = repeated_in(labels)
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
