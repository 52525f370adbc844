"""The command `countnest warm`: its options."""

from __future__ import annotations

import click

from countnest.cli.command import Careful

__all__ = ["warm"]

_HELP = """\
Compile everything now, so that no later run waits for the compiler, and print where the compiled code is kept.

Without this, each part is compiled when it is first used. The folder is that of the environment variable
COUNTNEST_CACHE_DIR, or the system's place for caches of a user. A new version of countnest or of numba compiles again.
"""


@click.command(cls=Careful, help=_HELP, short_help="Compile everything ahead of the first run.")
@click.option("--clear", is_flag=True, show_default=False, help="Empty the cache, and compile nothing.")
def warm(clear: bool) -> None:
    """Fill or empty the cache."""
    from countnest.cli.warm import clear_cache, fill_cache  # not before: numba takes its time

    if clear:
        clear_cache()
    else:
        fill_cache()
