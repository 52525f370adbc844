"""Warnings, as the terminal shows them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from countnest.errors import CountnestWarning
from countnest.progress import say

__all__ = ["warnings_as_lines"]


@contextmanager
def warnings_as_lines(start: str = "") -> Iterator[None]:
    """Show each warning as one line, in place of Python's report with file and line of the code.

    Lines begin with `start`, which tells what a warning is about, after the word "warning".
    """

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(f"warning: {start}{message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", CountnestWarning)
        warnings.showwarning = show
        yield
