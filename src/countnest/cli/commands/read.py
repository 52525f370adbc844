"""The command `countnest read`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from countnest.cli.command import Careful
from countnest.cli.options.data import READING
from countnest.cli.options.kinds import FILE, with_options
from countnest.cli.request import Reading
from countnest.cli.values import as_files

__all__ = ["read"]

_HELP = """\
Read the counts in FILES, tell what they are, and write them as one table.

FILES are what countnest run --counts takes: a table, or the files of featureCounts, STAR, htseq-count, Salmon,
kallisto, RSEM, oarfish, nf-core/rnaseq, AnnData, R or Cell Ranger, which is recognised. Printed are the format, the
numbers of genes and samples, their labels, and what was recognised, rounded and left out.

\b
Examples:
  countnest read star/*.tab --out counts.csv.gz
  countnest read salmon/*/quant.sf --transcripts genes.gtf --out counts.csv.gz --json
"""


@click.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Read counts of any program, and write a table.",
)
@click.argument("files", nargs=-1, required=True, type=FILE, callback=as_files)
@with_options(READING)
@click.option("--out", type=FILE, metavar="FILE", help="The table of genes x samples: .csv, .tsv, with .gz compressed.")
@click.option("--json", "as_json", is_flag=True, show_default=False, help="Print what was recognised as JSON.")
def read(files: tuple[Path, ...], out: Path | None, as_json: bool, **arguments: Any) -> None:  # noqa: ANN401
    """Collect the options and read."""
    from countnest.cli.read import read_and_tell  # not before: numpy and pandas take their time

    read_and_tell(Reading(counts=files, **arguments), out=out, as_json=as_json)
