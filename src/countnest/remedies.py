"""Advice in messages, in terms of Python arguments or of options of the shell command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["advised", "as_factor", "given", "in_the_shell", "level_order", "option", "reference_level"]

_FEW = 12  # values that are written out
_in_the_shell = ContextVar("_in_the_shell", default=False)


@contextmanager
def in_the_shell() -> Iterator[None]:
    """Make messages advise options of the command within the block."""
    before = _in_the_shell.set(True)
    try:
        yield
    finally:
        _in_the_shell.reset(before)


def advised(python: str, shell: str) -> str:
    """Return the advice for Python, or for the shell.

    Examples
    --------
    >>> advised("dds.effect('dex').test('lrt')", "--query-test lrt")
    "dds.effect('dex').test('lrt')"
    """
    return shell if _in_the_shell.get() else python


def option(name: str, value: str | bool | None = None) -> str:
    """Return an argument, or the option of the command with the same name; without a value, the name alone.

    Examples
    --------
    >>> option("fit_type", "local"), option("cooks_cutoff")
    ("fit_type='local'", 'cooks_cutoff=')
    >>> with in_the_shell():
    ...     option("fit_type", "local"), option("cooks_cutoff"), option("allow_fixed_blocks", True)
    ('--fit-type local', '--cooks-cutoff', '--allow-fixed-blocks')
    """
    words = name.replace("_", "-")
    if value is None:
        return advised(f"{name}=", f"--{words}")
    if isinstance(value, bool):
        return advised(f"{name}={value}", f"--{words}" if value else f"--no-{words}")
    return advised(f"{name}={value!r}", f"--{words} {shlex.quote(value)}")


def given(name: str, value: object) -> str:
    """Return an argument with the value that was given, or the option of the command with it.

    Names in capitals, of arguments of the command, stay as they are.

    Examples
    --------
    >>> given("lfc_threshold", -1.0)
    'lfc_threshold=-1.0'
    >>> with in_the_shell():
    ...     given("lfc_threshold", -1.0)
    '--lfc-threshold -1.0'
    """
    python = f"{name}={value!r}"
    return python if name.isupper() else advised(python, f"--{name.replace('_', '-')} {shlex.quote(str(value))}")


def reference_level(variable: str, level: str) -> str:
    """Return advice on setting the reference level of a factor."""
    return advised(f"reference={{'{variable}': '{level}'}}", f"--reference {shlex.quote(f'{variable}={level}')}")


def level_order(variable: str, levels: str = "[...]") -> str:
    """Return advice on setting the order of the levels of a factor; `levels` as Python writes them."""
    return advised(f"levels={{'{variable}': {levels}}}", f"--levels {shlex.quote(f'{variable}=level,level,...')}")


def as_factor(variable: str, values: Sequence[str] = ()) -> str:
    """Return advice on turning a numeric variable into a factor; `values` are its values in order."""
    listed = ",".join(values) if 2 <= len(values) <= _FEW else "level,level,..."
    return advised(
        f"samples['{variable}'] = samples['{variable}'].astype(str)", f"--levels {shlex.quote(f'{variable}={listed}')}"
    )
