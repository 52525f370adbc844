"""The command `countnest plot`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from countnest.cli.checks import check_asked
from countnest.cli.command import Careful
from countnest.cli.options.kinds import FILE, with_options
from countnest.cli.options.question import COMPARISONS, ON_BLOCKS, QUERIES, TESTING
from countnest.cli.options.saved import SAVED_FIT, saved_file
from countnest.cli.plot_request import GeneKind, GroupKind, Kind, PlotRequest, QuestionKind

__all__ = ["plot"]

_HELP = """\
Draw a figure from a saved fit.

FILE is fit.countnest of a run with --save, the folder of that run, or what cn.save wrote.

\b
KIND, of one question (--contrast, --name or --query):
  volcano, ma, pvalues
of the tables of several questions, or of the rows of a query:
  upset; changes, of one --gene
of a gene, --gene:
  counts
of the samples:
  pca, distances, heatmap, dispersion

\b
Examples:
  countnest plot countnest-airway volcano --contrast dex,trt,untrt --out volcano.pdf
  countnest plot countnest-airway counts --gene ENSG00000152583 --by dex --by cell
  countnest plot countnest-airway pca --by dex --out pca.svg
"""


@click.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Draw a figure from a saved fit.",
)
@saved_file
@click.argument("kind", type=click.Choice(get_args(Kind)))
@with_options(COMPARISONS, QUERIES, ON_BLOCKS, SAVED_FIT)
@click.option("--gene", metavar="NAME", help="The gene, by its label or symbol.")
@click.option(
    "--by",
    metavar="COLUMN",
    multiple=True,
    help="The column of the sample sheet that makes the groups. Repeat it for further columns.",
)
@click.option("--out", type=FILE, metavar="FILE", help="The figure: .png, .pdf or .svg.  [default: KIND.png]")
@with_options(TESTING)
def plot(gene: str | None, by: tuple[str, ...], out: Path | None, kind: Kind, **arguments: Any) -> None:  # noqa: ANN401
    """Collect the options and draw."""
    request = PlotRequest(kind=kind, gene=gene, by=by, out=out or Path(f"{kind}.png"), **arguments)
    check_asked(request)
    _check(request)
    from countnest.cli.plot import draw_saved  # not before: numpy, pandas and numba take their time

    draw_saved(request)


def _check(request: PlotRequest) -> None:
    """Refuse options that the kind of figure does not take, and ask for those that it needs."""
    if request.out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise click.UsageError(f"--out '{request.out}' must end with .png, .pdf or .svg.")
    if request.kind in get_args(GeneKind) and request.gene is None:
        raise click.UsageError(f"{request.kind} is of one gene. Give its label: --gene.")
    if request.kind not in get_args(GeneKind) and request.gene is not None:
        raise click.UsageError(f"--gene does not apply to {request.kind}. Leave it out.")
    if request.kind not in get_args(GroupKind) and request.by:
        raise click.UsageError(f"--by does not apply to {request.kind}. Leave it out.")
    if request.kind not in get_args(QuestionKind) and (request.contrast or request.name or request.query):
        raise click.UsageError(f"{request.kind} needs no question. Leave out --contrast, --name and --query.")
