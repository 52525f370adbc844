"""The command `countnest report`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from countnest.cli.checks import check_asked
from countnest.cli.command import Careful
from countnest.cli.options.kinds import FILE, with_options
from countnest.cli.options.question import COMPARISONS, ON_BLOCKS, TESTING
from countnest.cli.options.saved import SAVED_FIT, saved_file
from countnest.cli.request import SavedRequest

__all__ = ["report"]

_HELP = """\
Write a saved fit and its answers as one HTML page, to send to colleagues.

FILE is fit.countnest of a run with --save, the folder of that run, or what cn.save wrote. The questions are QUERIES, as
--query of countnest run takes them, --contrast and --name; without any, the comparison of the last coefficient. The
page has the design, quality control and the methods; each question has an MA plot, a volcano plot, its p-values with a
verdict, and a table that can be searched; a click on a gene shows its counts. It needs no network and no other file.

It needs bokeh and jinja2: pip install 'countnest[report]'.

\b
Examples:
  countnest run airway --save
  countnest report countnest-airway --contrast dex,trt,untrt
  countnest report countnest-airway "dex[trt - untrt]" "joint(cell[pairwise])" --title Airway --out airway.html
"""


@click.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Write a saved fit and its answers as an HTML page.",
)
@saved_file
@click.argument("queries", nargs=-1)
@with_options(COMPARISONS, ON_BLOCKS, SAVED_FIT, TESTING)
@click.option("--title", metavar="TEXT", help="The title of the page.")
@click.option(
    "--by",
    metavar="COLUMN",
    multiple=True,
    help="The column of the sample sheet that makes the groups of samples. Repeat it for further columns.  [default: "
    "the factors of the design without blocks]",
)
@click.option("--out", type=FILE, metavar="FILE", default=Path("report.html"), help="The page: .html.")
def report(queries: tuple[str, ...], title: str | None, by: tuple[str, ...], out: Path, **arguments: Any) -> None:  # noqa: ANN401
    """Collect the options and write the page."""
    request = SavedRequest(query=queries, **arguments)
    check_asked(request)
    if out.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"--out '{out}' must end with .html.")
    from countnest.cli.report import report_saved  # not before: numpy, pandas and numba take their time

    report_saved(request, title=title, by=by, out=out)
