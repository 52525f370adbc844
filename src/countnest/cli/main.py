"""The entry point: the commands, errors and exit codes."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from countnest.cli.command import signals_end_it
from countnest.cli.commands.design import design
from countnest.cli.commands.plot import plot
from countnest.cli.commands.query import query
from countnest.cli.commands.read import read
from countnest.cli.commands.report import report
from countnest.cli.commands.run import run
from countnest.cli.commands.warm import warm
from countnest.errors import CountnestError
from countnest.remedies import in_the_shell
from countnest.version import installed_version

__all__ = ["cli", "main"]

_FAILED = 1
_SIGNAL = 128
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code: 0 done, 1 an error in the data, 2 in the options, 130 Ctrl-C.

    Another signal that ends it makes 128 and its number.
    """
    atexit.register(gc.freeze)  # what a process leaves behind is not worth looking through
    try:
        with _few_collections(), signals_end_it(), in_the_shell():
            status = cli.main(arguments, prog_name="countnest", standalone_mode=False)
    except CountnestError as error:
        click.echo(f"error: {error}", err=True)
        status = _FAILED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except OSError as error:  # a full disk under the output, or a terminal that is gone
        click.echo(f"error: the output cannot be written: {error.strerror or error}", err=True)
        status = _FAILED
    except (KeyboardInterrupt, click.Abort) as stop:
        click.echo("interrupted", err=True)
        status = _SIGNAL + getattr(stop.__cause__, "number", signal.SIGINT)
    sys.exit(status or 0)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage less often: imports alone create a hundred thousand objects that stay."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 (click's shape)
    if value:
        click.echo(f"countnest {installed_version()}")
        ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Differential expression of count data, by the methods of DESeq2, edgeR and limma."""


for _command in (run, query, plot, report, read, design, warm):
    cli.add_command(_command)
