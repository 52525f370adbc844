"""Parsing of option values that are more than a word or a number."""

from __future__ import annotations

import csv
import glob
import math
from pathlib import Path
from typing import Literal

import click

__all__ = ["as_contrasts", "as_factors", "as_files", "as_levels", "as_method", "as_number_or_off", "as_references"]


def as_contrasts(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str, str], ...]:
    """Return variable, level and level to compare with, of each 'dex,trt,untrt'; none may be there twice."""
    found = tuple(_as_contrast(ctx, param, text) for text in texts)
    repeated = next((each for place, each in enumerate(found) if each in found[:place]), None)
    if repeated is not None:
        raise click.BadParameter(f"'{','.join(repeated)}' is given more than once. Give it once.", ctx, param)
    return found


def _as_contrast(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, str, str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(parts):
        raise click.BadParameter(
            f"{text!r} is not of the form variable,level,level, such as dex,trt,untrt.", ctx, param
        )
    return parts[0], parts[1], parts[2]


def as_references(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return the reference level of each variable, of 'dex=untrt'; one variable cannot have two."""
    levels: dict[str, str] = {}
    for text in texts:
        variable, _, level = (part.strip() for part in text.partition("="))
        if not variable or not level:
            raise click.BadParameter(f"{text!r} is not of the form variable=level, such as dex=untrt.", ctx, param)
        if levels.setdefault(variable, level) != level:
            problem = f"two reference levels for {variable!r}: {levels[variable]!r} and {level!r}. Give one."
            raise click.BadParameter(problem, ctx, param)
    return levels


def as_levels(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the levels of each variable in their order, of 'minute=0,5,15'; quotation marks keep a comma."""
    orders: dict[str, list[str]] = {}
    for text in texts:
        variable, _, listed = (part.strip() for part in text.partition("="))
        levels = [level.strip() for level in next(csv.reader([listed], skipinitialspace=True), [])]
        if not variable or len(levels) < 2 or not all(levels):
            problem = f"{text!r} is not of the form variable=level,level,..., such as minute=0,5,15."
            raise click.BadParameter(problem, ctx, param)
        if orders.setdefault(variable, levels) != levels:
            raise click.BadParameter(f"two orders of levels for {variable!r}. Give one.", ctx, param)
    return orders


def as_number_or_off(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """Return the positive number, whole where it is whole; infinity for 'off'."""
    if text is None or text.strip().lower() == "off":
        return None if text is None else math.inf
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise click.BadParameter(f"{text!r} is neither a positive number nor 'off'.", ctx, param)
    return int(number) if number.is_integer() else number


def as_factors(ctx: click.Context, param: click.Parameter, text: str | None) -> int | Literal["auto"] | None:
    """Return the number of hidden factors, 1 or more, or 'auto'."""
    if text is None or text.strip().lower() == "auto":
        return None if text is None else "auto"
    if not text.strip().isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a whole number of 1 or more nor 'auto'.", ctx, param)
    return int(text)


def as_files(_context: click.Context, _option: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return files in order; a pattern in quotation marks, 'star/*.tab', stands for those that match it."""
    found: list[Path] = []
    for path in paths:
        matching = [] if path.exists() else sorted(glob.glob(str(path.expanduser())))
        found += map(Path, matching) if matching else [path]
    return tuple(dict.fromkeys(found))


def as_method(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Return the method by the name that the command has for it."""
    return "voom" if value == "limma" else value
