"""The command `countnest design`: its options."""

from __future__ import annotations

from pathlib import Path

import click

from countnest.cli.command import Careful
from countnest.cli.options.data import FORMULA_HELP, LEVELS, REFERENCE, SAMPLES_HELP
from countnest.cli.options.kinds import FILE

__all__ = ["design"]

_HELP = """\
Describe a design: its cells, columns and rank, what is nested in what, and the queries that it can answer.

No counts are needed, and nothing is written.

\b
Example:
  countnest design --samples S.csv --design "~ family + treat1*treat2"
"""


@click.command(cls=Careful, help=_HELP, short_help="Describe a design and what it can answer.")
@click.option("--samples", required=True, type=FILE, metavar="FILE", help=SAMPLES_HELP)
@click.option("--design", required=True, metavar="FORMULA", help=FORMULA_HELP)
@REFERENCE
@LEVELS
def design(samples: Path, design: str, reference: dict[str, str], levels: dict[str, list[str]]) -> None:
    """Print the report."""
    from countnest.cli.design import describe_design  # not before: pandas and formulaic take their time

    describe_design(samples, design, reference, levels)
