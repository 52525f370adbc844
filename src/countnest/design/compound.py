"""Levels that are made of several numbers: ranges, dates with the year first, versions, fractions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from decimal import Decimal

__all__ = ["Key", "compound_keys"]

Key = tuple[Decimal, ...]

WORD = r"[^\W\d]*"
VALUE = r"\d+(?:\.\d+)?"
RANGE = re.compile(
    rf"(?P<before>{WORD})(?:(?P<low>{VALUE})(?:-|to)(?P<high>{VALUE})|(?:<=?|≤)(?P<below>{VALUE})"
    rf"|(?:>=?|≥)(?P<above>{VALUE})|(?P<from>{VALUE})\+|(?P<alone>{VALUE}))(?P<after>{WORD}|%)",
    re.ASCII,
)
DATE = re.compile(r"(\d{4})([-/])(0?[1-9]|1[0-2])(?:\2(0?[1-9]|[12]\d|3[01]))?", re.ASCII)
VERSION = re.compile(r"v(?:er(?:sion)?)?\.?(\d+(?::\d+)*)", re.ASCII | re.IGNORECASE)
FRACTION = re.compile(rf"(?P<before>{WORD})(\d+)/(\d+)(?P<after>{WORD})", re.ASCII)


def compound_keys(texts: Sequence[str]) -> tuple[Key, ...] | None:
    """Return what levels are sorted by that are ranges, dates, versions or fractions, all of one form; None for others.

    Ranges must not overlap; '<20', '65+' and single numbers may stand beside them. Fractions are at most 1, for others
    may be a day and a month.

    Parameters
    ----------
    texts
        Different levels, as `plain_texts` gives them.

    Examples
    --------
    >>> compound_keys(["10-14", "5-9"])
    ((Decimal('10'), Decimal('14')), (Decimal('5'), Decimal('9')))
    >>> compound_keys(["1/2", "1/4"])
    ((Decimal('0.5'),), (Decimal('0.25'),))
    """
    return _dates(texts) or _versions(texts) or _fractions(texts) or _ranges(texts)


def _dates(texts: Sequence[str]) -> tuple[Key, ...] | None:
    found = [[part for part in each.group(1, 3, 4) if part] for text in texts if (each := DATE.fullmatch(text))]
    if len(found) < len(texts) or len(set(map(len, found))) > 1:
        return None
    return tuple(tuple(map(Decimal, parts)) for parts in found)


def _versions(texts: Sequence[str]) -> tuple[Key, ...] | None:
    found = [each[1].split(":") for text in texts if (each := VERSION.fullmatch(text))]
    if len(found) < len(texts) or max(map(len, found)) == 1:
        return None
    return tuple(tuple(map(Decimal, parts)) for parts in found)


def _fractions(texts: Sequence[str]) -> tuple[Key, ...] | None:
    parts = [(Decimal(each[2]), Decimal(each[3])) for each in _alike(texts, FRACTION)]
    if not parts or any(above > below or not below for above, below in parts):
        return None
    return tuple((above / below,) for above, below in parts)


def _ranges(texts: Sequence[str]) -> tuple[Key, ...] | None:
    found = _alike(texts, RANGE)
    if not any(each["low"] for each in found):
        return None
    keys = [_ends(each) for each in found]
    in_order = sorted(keys)
    if any(low > high for low, high in keys) or any(a[1] > b[0] for a, b in itertools.pairwise(in_order)):
        return None
    return tuple(keys)


def _ends(found: re.Match[str]) -> tuple[Decimal, Decimal]:
    """Return the two ends of a range, one of which may be infinite."""
    if found["low"]:
        return Decimal(found["low"]), Decimal(found["high"])
    if found["below"]:
        return Decimal("-Infinity"), Decimal(found["below"])
    if found["alone"]:
        return Decimal(found["alone"]), Decimal(found["alone"])
    return Decimal(found["above"] or found["from"]), Decimal("Infinity")


def _alike(texts: Sequence[str], pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """Return the matches of levels that have the same words before and after; nothing where one does not match."""
    found = [each for text in texts if (each := pattern.fullmatch(text))]
    words = {(each["before"].casefold(), each["after"].casefold()) for each in found}
    return found if len(found) == len(texts) and len(words) == 1 else []
