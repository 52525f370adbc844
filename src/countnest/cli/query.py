"""The command `countnest query`: answers from a saved fit, printed and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from countnest.cli.comparisons import compare
from countnest.cli.found import Answered, Compared
from countnest.cli.notices import warnings_as_lines
from countnest.cli.queries import answer_queries, read_queries
from countnest.cli.record import answer_record
from countnest.cli.request import SavedRequest
from countnest.cli.saved import advice_on, contrasts_of, how_of, open_saved
from countnest.cli.telling import tell_design, tell_query, tell_results, tell_top
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.table_file import check_ending, write_table
from countnest.version import installed_version

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["answer_saved"]


def answer_saved(request: SavedRequest, *, top: int, out: Path | None, as_json: bool) -> None:
    """Answer the questions of a request; `top` genes are shown, and the tables written to `out`."""
    if out is not None:
        check_ending(out)
    with warnings_as_lines():
        dds = open_saved(request.file)
        if not (request.contrast or request.name or request.query):
            _describe(dds, as_json=as_json)
            return
        how = how_of(request, dds)
        queries = read_queries(request, dds)
        compared = compare(request, how, dds, contrasts_of(request))
        answers = answer_queries(request, how, queries)
        if out is not None:
            write_table(_long(compared, answers), out)
    if as_json:
        click.echo(json.dumps(_records(request, compared, answers, top), indent=2, allow_nan=False))
        return
    for each in compared:
        tell_results(each.results, top)
    for answered in answers:
        tell_query(answered)
        tell_top(answered, top)
    if how.fit in (None, dds._last):
        _advise(dds, [*(each.results for each in compared), *(part for each in answers for part in each.parts)])
    if out is not None:
        click.echo(f"table in {out}")


def _advise(dds: DESeqDataSet, answers: Sequence[Results]) -> None:
    advice = advice_on(dds, answers)
    if advice is not None:
        click.echo(f"note: {advice}")


def _describe(dds: DESeqDataSet, *, as_json: bool) -> None:
    """Print what is in the file, and how to ask it."""
    names = list(dds.design.names)
    if as_json:
        click.echo(json.dumps({"design": dds.design.formula, "fits": dds.fits, "coefficients": names}, indent=2))
        return
    tell_design(dds, ())
    click.echo(f"{len(dds.gene_names)} genes x {len(dds.samples)} samples")
    click.echo(f"fits: {', '.join(f'{name} ({method})' for name, method in dds.fits.items())}")
    click.echo(f"coefficients: {', '.join(names)}")
    click.echo("ask by a query such as 'factor[level - level]', by --contrast or by --name")


def _long(compared: Sequence[Compared], answers: Sequence[Answered]) -> pd.DataFrame:
    """Return the only table, or all of them below each other with a column that names them."""
    tables: dict[str, Results] = {each.results.info.label: each.results for each in compared}
    for answered in answers:
        parts = answered.answer.parts if isinstance(answered.answer, ResultsSet) else {answered.label: answered.answer}
        tables |= parts
    return next(iter(tables.values())).table if len(tables) == 1 else ResultsSet(tables).table


def _records(
    request: SavedRequest, compared: Sequence[Compared], answers: Sequence[Answered], top: int
) -> dict[str, Any]:
    """Return the answers, ready for JSON."""
    asked = [(each.results.info.label, [each.results]) for each in compared]
    asked += [(answered.text.strip(), answered.parts) for answered in answers]
    return {
        "countnest": installed_version(),
        "file": str(request.file),
        "questions": [
            {"question": text, "answers": [answer_record(part, top) for part in parts]} for text, parts in asked
        ],
    }
