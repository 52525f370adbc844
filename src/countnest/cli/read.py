"""The command `countnest read`: counts of any program, told and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from countnest.cli.inputs import read_files
from countnest.cli.notices import warnings_as_lines
from countnest.cli.request import Reading
from countnest.containers.count_table import CountTable
from countnest.containers.record import plain
from countnest.containers.table_file import check_ending, write_table
from countnest.display import first_of
from countnest.errors import CountsError, counted, listing

__all__ = ["read_and_tell"]

_PLAIN = "a table"
_LENGTHS = (
    "the table has no transcript lengths, which the analysis of these files corrects for: give countnest run the files."
)


def read_and_tell(request: Reading, *, out: Path | None, as_json: bool) -> None:
    """Read the files of a request, print what they are, and write the counts to `out`."""
    if out is not None:
        check_ending(out)
    with warnings_as_lines():
        found = read_files(request)
    table = found if isinstance(found, CountTable) else _plain(found)
    if table.source != _PLAIN:
        _refuse_other_values(table.counts)
    if out is not None:
        write_table(_written(table), out)
    told = _told(table)
    if out is not None and table.lengths is not None:
        told["notes"].append(_LENGTHS)
    if table.source == _PLAIN:
        told["notes"] += _doubts(table.counts)
    if as_json:
        click.echo(json.dumps(told | ({} if out is None else {"out": str(out)}), indent=2, allow_nan=False))
        return
    _tell(table, told["notes"])
    if out is not None:
        click.echo(f"table in {out}")


def _plain(frame: pd.DataFrame) -> CountTable:
    """Return a plain table, whose columns of text describe the genes."""
    counts = frame.select_dtypes("number")
    info = frame.drop(columns=counts.columns)
    return CountTable(counts=counts, source=_PLAIN, gene_info=info if len(info.columns) else None)


def _refuse_other_values(counts: pd.DataFrame) -> None:
    """Raise `CountsError` for genes that occur twice, and for values that are no counts."""
    repeated = counts.index[counts.index.duplicated()].unique()
    if len(repeated):
        raise CountsError(f"genes occur more than once: {listing(repeated)}.")
    wrong = _wrong(counts)
    if wrong:
        raise CountsError(f"{wrong}. Is the file complete?")


def _doubts(counts: pd.DataFrame) -> list[str]:
    """Return notes on a plain table, whose columns of numbers may describe genes and be no counts."""
    repeated = counts.index[counts.index.duplicated()].unique()
    labels = [f"Labels of rows occur more than once: {listing(repeated)}."] if len(repeated) else []
    wrong = _wrong(counts)
    return [*labels, f"{wrong}: these are no counts."] if wrong else labels


def _wrong(counts: pd.DataFrame) -> str | None:
    """Return how many values are missing, infinite or negative, and the first of them; None: there are none."""
    values = counts.to_numpy(dtype=np.float64)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if not wrong.any():
        return None
    row, column = (int(place[0]) for place in np.nonzero(wrong))
    where = f"in the row {str(counts.index[row])!r} and the column {str(counts.columns[column])!r}"
    number = int(wrong.sum())
    verb = "is" if number == 1 else "are"
    shown = "a missing one" if np.isnan(values[row, column]) else f"{values[row, column]:g}"
    return f"{counted(number, 'value')} {verb} missing, infinite or negative, such as {shown} {where}"


def _sizes(table: CountTable) -> dict[str, int]:
    """Return the numbers of genes and samples; a plain table may have either of them in its rows."""
    names = ("row", "column") if table.source == _PLAIN else ("gene", "sample")
    return dict(zip(names, table.shape, strict=True))


def _told(table: CountTable) -> dict[str, Any]:
    """Return what was recognised, ready for JSON."""
    info, sheet = table.gene_info, table.samples
    return {
        "format": table.source,
        "genes": len(table.counts),
        "samples": [str(name) for name in table.counts.columns],
        "gene_info": [] if info is None else [str(name) for name in info.columns],
        "sample_sheet": [] if sheet is None else [str(name) for name in sheet.columns],
        "transcript_lengths": table.lengths is not None,
        "total_counts": plain([float(total) for total in table.counts.sum()]),
        "notes": list(table.notes),
    }


def _tell(table: CountTable, notes: list[str]) -> None:
    counts, info, sheet = table.counts, table.gene_info, table.samples
    click.echo(f"format: {table.source}")
    for labels, (what, number) in zip(counts.axes, _sizes(table).items(), strict=True):
        click.echo(f"{counted(number, what)}: {first_of(map(str, labels))}")
    if info is not None and len(info.columns):
        click.echo(f"annotation of the genes: {first_of(map(str, info.columns))}")
    if sheet is not None:
        click.echo(f"sample sheet: {first_of(map(str, sheet.columns))}")
    if table.lengths is not None:
        click.echo("average transcript lengths: by gene and sample")
    totals = counts.sum()
    if len(totals):
        click.echo(f"counts of a sample: {totals.min():,.0f} to {totals.max():,.0f}")
    for note in notes:
        click.echo(f"note: {note}")


def _written(table: CountTable) -> pd.DataFrame:
    """Return the counts with the annotation of the genes in front, as `read_counts` takes it back."""
    if table.gene_info is None:
        return table.counts
    info = table.gene_info.loc[:, ~table.gene_info.columns.isin(table.counts.columns)]
    return pd.concat([info.reindex(table.counts.index), table.counts], axis=1)
