"""The command `countnest report`: a saved fit and its answers as an HTML page."""

from __future__ import annotations

from pathlib import Path

import click

import countnest as cn
from countnest.cli.comparisons import tables_of
from countnest.cli.notices import warnings_as_lines
from countnest.cli.request import SavedRequest
from countnest.cli.saved import contrasts_of, how_of, open_saved
from countnest.errors import counted

__all__ = ["report_saved"]


def report_saved(request: SavedRequest, *, title: str | None, by: tuple[str, ...], out: Path) -> None:
    """Answer the questions of a request, and write the page to `out`; `by` are the columns that make the groups."""
    with warnings_as_lines():
        dds = open_saved(request.file)
        how = how_of(request, dds)
        tables = tables_of(request, how, dds, contrasts_of(request))
        cn.report(dds, tables, out, title=title, group=by or None, fit=how.fit)
    click.echo(f"report of {counted(len(tables), 'question')} in {out}")
