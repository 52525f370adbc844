"""How numbers are written in the names of levels: with thousands marks, decimal commas, as ordinals, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["DIGITS", "NUMBER", "SIGNED", "plain_texts", "texts_between"]

# A number without sign; '1e5' and '1E-5' have exponents, but '2E5' may as well be a name.
DIGITS = r"\d+(?:\.\d+)?(?:[eE][+-]\d{1,3}(?!\d)|e\d{1,3}(?!\d))?"
NUMBER = re.compile(DIGITS, re.ASCII)
# A sign counts at the beginning and after a letter: 'day-1' beside 'day1'.
SIGNED = re.compile(rf"(?:(?<![^A-Za-z])[+-])?{DIGITS}", re.ASCII)

ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)(?![^\W_])", re.IGNORECASE)
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])", re.ASCII)
SPACED_THOUSANDS = re.compile(r"(?<![\d.,])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?! ?\d)", re.ASCII)
COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
# Versions and dates such as 24.12.2023: the numbers between the points are whole.
POINTS = re.compile(r"(?<![^\W\d_])v(?:er(?:sion)?)?\.?\d+(?:\.\d+)+|\d+(?:\.\d+){2,}", re.ASCII | re.IGNORECASE)
DASHES = str.maketrans("\N{MINUS SIGN}\N{EN DASH}", "--")


def plain_texts(levels: Sequence[str]) -> list[str]:
    """Return levels with their numbers written as in a program, and without what separates words.

    Commas are thousands marks where all of them can be, and decimal commas otherwise. Whole numbers that points, spaces
    or underscores separate are separated by colons.

    Examples
    --------
    >>> plain_texts(["1,000 cells", "2nd_week", "1_10", "v1.10"])
    ['1000cells', '2week', '1:10', 'v1:10']
    >>> plain_texts(["0,5", "1,250"])
    ['0.5', '1.250']
    """
    texts = [_composed(level) for level in levels]
    without = [THOUSANDS.sub(lambda found: found[0].replace(",", ""), text) for text in texts]
    if any(COMMA.search(text) for text in without):
        without = [COMMA.sub(".", text) for text in texts]
    return [POINTS.sub(lambda found: re.sub(r"(?<=\d)\.", ":", found[0]), text) for text in without]


def texts_between(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return what stands between the numbers, in small letters."""
    return tuple(piece.casefold() for piece in pattern.split(text))


def _composed(level: str) -> str:
    text = unicodedata.normalize("NFKC", level).translate(DASHES)
    text = "".join(str(unicodedata.decimal(character, character)) for character in text)
    text = SPACED_THOUSANDS.sub(lambda found: found[0].replace(" ", ""), ORDINAL.sub("", text))
    return re.sub(r"[\s_]+", "", re.sub(r"(?<=\d)[\s_]+(?=\d)", ":", text))
