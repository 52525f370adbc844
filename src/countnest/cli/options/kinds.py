"""What kind of value an option takes, and options in groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import click

__all__ = ["FILE", "LEVEL", "POSITIVE", "Decorator", "with_options", "word"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FILE: Final = click.Path(path_type=Path)
LEVEL: Final = click.FloatRange(0.0, 1.0, min_open=True, max_open=True)
POSITIVE: Final = click.FloatRange(0.0, min_open=True)


def word(words: object, *, any_case: bool = False) -> click.Choice[str]:
    """Return the type of an option that takes one of the words of a `Literal`."""
    return click.Choice(get_args(words), case_sensitive=not any_case)


def with_options(*groups: Sequence[Decorator]) -> Decorator:
    """Return a decorator that gives a command the options of some groups, in their order."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorated
