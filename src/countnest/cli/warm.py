"""The command `countnest warm`: fill or empty the cache of compiled code."""

from __future__ import annotations

import click

import countnest as cn
from countnest import cache
from countnest.errors import counted

__all__ = ["clear_cache", "fill_cache"]


def fill_cache() -> None:
    """Compile everything, and print how long it took and where it is kept."""
    click.echo("compiling what is not there yet", err=True)
    done = cn.warm()
    what = f"{counted(done.compiled, 'kernel')} compiled" if done.compiled else "everything was compiled before; ready"
    click.echo(f"{what} in {done.seconds:.1f} s")
    if done.folder is None:
        click.echo("nothing could be kept: the next process compiles again")
        return
    files, size = cache.size(done.folder)
    click.echo(f"kept in {done.folder} ({counted(files, 'file')}, {size / 1e6:.1f} MB)")


def clear_cache() -> None:
    """Remove the compiled code of all versions."""
    removed = cache.clear()
    click.echo(f"removed {counted(removed, 'folder')} of compiled code from {cache.cache_root()}")
