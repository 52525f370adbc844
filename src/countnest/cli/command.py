"""A command that refuses repeated and empty options, and cleans up however it ends."""

from __future__ import annotations

import shlex
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import click

__all__ = ["Careful", "Ended", "signals_end_it"]


class Careful(click.Command):
    """A command that refuses a single option given twice, of which click takes the last, or with an empty value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Check which options were given, then parse them."""
        if not ctx.resilient_parsing:
            values, given = self._parsed(ctx, args)
            options = [each for each in given if isinstance(each, click.Option) and not each.is_eager]
            single = [each for each in options if not each.multiple]
            _refuse_repeated(ctx, single)
            _refuse_empty(ctx, [*single, *(each for each in options if isinstance(each.type, click.Path))], values)
        return super().parse_args(ctx, args)

    def _parsed(self, ctx: click.Context, args: list[str]) -> tuple[dict[str, Any], list[click.Parameter]]:
        """Return the values and what was given; a query in the form of another command is told the one of this."""
        names = {name for each in self.params for name in (each.name, *each.opts)}
        try:
            values, rest, given = self.make_parser(ctx).parse_args(args=list(args))
        except click.NoSuchOption as error:
            if error.option_name == "--query" and "queries" in names:
                raise click.UsageError(
                    f"{ctx.command_path} takes queries without --query, after the file. Leave out --query, and keep "
                    "the quotation marks of the query.",
                    ctx,
                ) from error
            raise
        query = next((text for text in rest if "[" in text or "(" in text), None)
        if query is not None and "--query" in names:
            raise click.UsageError(f"Queries are options here. Give --query {shlex.quote(query)}.", ctx)
        return values, given


def _refuse_repeated(ctx: click.Context, options: list[click.Option]) -> None:
    for option, number in Counter(options).items():
        if number > 1:
            raise click.UsageError(f"{option.opts[0]} is given {number} times. Give it once.", ctx)


def _refuse_empty(ctx: click.Context, options: list[click.Option], values: dict[str, Any]) -> None:
    for option in options:
        value = values[option.name or ""]
        if any(isinstance(text, str) and not text.strip() for text in (value if option.multiple else [value])):
            raise click.BadParameter("the value is empty. Give one, or leave the option out.", ctx, option)


class Ended(KeyboardInterrupt):
    """Raised by a signal that ends the process, such as SIGTERM, as Ctrl-C raises KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def signals_end_it() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, end the command as Ctrl-C does, without incomplete files."""

    def end(number: int, _: FrameType | None) -> None:
        raise Ended(number)

    before = {}
    with suppress(ValueError):  # only the main thread hears of signals
        for each in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
            if signal.getsignal(each) is signal.SIG_DFL:
                before[each] = signal.signal(each, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
