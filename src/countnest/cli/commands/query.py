"""The command `countnest query`: its options."""

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

__all__ = ["query"]

_HELP = """\
Answer questions from a saved fit, at once.

FILE is fit.countnest of a run with --save, the folder of that run, or what cn.save wrote. The questions are QUERIES, as
--query of countnest run takes them, --contrast and --name; without any, the fit is described. Answers are printed, with
the first genes; --out writes them into one table, in which the column 'contrast' tells them apart if there are several.

\b
Examples:
  countnest run airway --save
  countnest query countnest-airway "dex[trt - untrt]" "cell[pairwise]" --out answers.csv
  countnest query countnest-airway/fit.countnest --contrast dex,trt,untrt --lfc-threshold 1 --json
"""


@click.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Answer questions from a saved fit.",
)
@saved_file
@click.argument("queries", nargs=-1)
@with_options(COMPARISONS, ON_BLOCKS, SAVED_FIT, TESTING)
@click.option("--top", type=click.IntRange(0), metavar="NUMBER", default=10, help="How many genes are shown.")
@click.option("--out", type=FILE, metavar="FILE", help="The table of the answers: .csv, .tsv, with .gz compressed.")
@click.option("--json", "as_json", is_flag=True, show_default=False, help="Print the answers as JSON.")
def query(queries: tuple[str, ...], top: int, out: Path | None, as_json: bool, **arguments: Any) -> None:  # noqa: ANN401
    """Collect the options and answer."""
    request = SavedRequest(query=queries, **arguments)
    check_asked(request)
    if out is not None and not (request.contrast or request.name or request.query):
        raise click.UsageError("--out takes the table of the answers. Ask a question: QUERIES, --contrast or --name.")
    from countnest.cli.query import answer_saved  # not before: numpy, pandas and numba take their time

    answer_saved(request, top=top, out=out, as_json=as_json)
