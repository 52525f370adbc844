"""Options of commands that answer from a saved fit."""

from __future__ import annotations

import click

from countnest.cli.options.kinds import FILE

__all__ = ["SAVED_FIT", "saved_file"]

# The kinds of test of all fits, each of which has some of them.
_KINDS = ("wald", "t", "lrt", "averaged", "ql", "strata", "dream", "posterior")

saved_file = click.argument("file", type=FILE)
SAVED_FIT = (
    click.option("--fit", metavar="NAME", help="The fit that answers.  [default: DESeq2's, or the only one]"),
    click.option(
        "--test",
        type=click.Choice(_KINDS, case_sensitive=False),
        help="How it is tested; a fit has some of these.  [default: as the analysis]",
    ),
)
