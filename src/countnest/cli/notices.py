"""Warnings, as the terminal shows them."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from countnest.errors import CountnestWarning
from countnest.progress import say

__all__ = ["as_in_the_shell", "warnings_as_lines"]

_LEVELS = re.compile(r"levels=\{'([^']*)': (?:\[[^\]]*\]|\.\.\.)\}")
_REFERENCE = re.compile(r"reference=\{'([^']*)': '([^']*)'\}")


def as_in_the_shell(text: str) -> str:
    """Return a message with the arguments that it advises written as options of the command."""
    return _LEVELS.sub(r"--levels '\1=level,level,...'", _REFERENCE.sub(_reference_option, text))


def _reference_option(found: re.Match[str]) -> str:
    return f"--reference {shlex.quote(f'{found[1]}={found[2]}')}"


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show each warning as one line, in place of Python's report with file and line of the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(f"warning: {as_in_the_shell(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", CountnestWarning)
        warnings.showwarning = show
        yield
