"""Numbers in the names of levels: ``5min``, ``day10``, ``0.5uM``; which come first, where that is beyond doubt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from countnest.design.control import is_control_word

__all__ = ["by_number", "number_key"]

# A number without sign; '1e5' and '1E-5' have exponents, but '2E5' may as well be a name.
DIGITS = r"\d+(?:\.\d+)?(?:[eE][+-]\d{1,3}(?!\d)|e\d{1,3}(?!\d))?"
NUMBER = re.compile(DIGITS, re.ASCII)
# A sign counts at the beginning and after a letter: 'day-1' beside 'day1'.
SIGNED = re.compile(rf"(?:(?<![^A-Za-z])[+-])?{DIGITS}", re.ASCII)
ZERO = re.compile(r"0+(?:\.0+)?", re.ASCII)
PADDED = re.compile(r"0\d", re.ASCII)

# In seconds.
SECOND, MINUTE, HOUR, DAY, WEEK = (Decimal(x) for x in (1, 60, 3600, 86_400, 604_800))
YEAR = Decimal("365.25") * DAY
MONTH = YEAR / 12
TIMES: dict[str, Decimal] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), SECOND),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), WEEK),
    **dict.fromkeys(("mo", "month", "months"), MONTH),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), YEAR),
}
# Spelled out, they may stand before the number: 'week 2'.
TIME_WORDS = frozenset(word for word in TIMES if len(word) > 2)
# Before a number these, too, are followed by a time or an amount, not by the name of an individual.
QUANTITY_WORDS = TIME_WORDS.union({"", "t", "d", "h", "w", "hr", "wk", "mo", "yr", "time", "timepoint", "dose", "conc"})
# Hours after an infection, a fertilization and so on: all levels of a factor count from the same event.
AFTER = re.compile(r"(min|h|d|w|mo)(p[a-z])")
MOLAR = {"fM": -15, "pM": -12, "nM": -9, "uM": -6, "mM": -3, "M": 0}
MASS = {"fg": -15, "pg": -12, "ng": -9, "ug": -6, "mcg": -6, "mg": -3, "g": 0, "kg": 3}
PER = re.compile(r"(/\s?(?:[mu]?[lL]|k?g))?$")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The texts around the numbers of levels, and the number of each level that differs."""

    before: str
    values: tuple[Decimal, ...]


def by_number(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Return levels in the order of the numbers that they carry; None where that order is not clear.

    It is clear where the levels differ in one number and in nothing else, or where they are times, concentrations or
    masses in units that are known. A level 0 needs no unit. Numbers of different length that begin with zeros are
    labels, such as those of cell lines. Words that name a control stand before times and amounts.

    Parameters
    ----------
    levels
        Different levels, in the order that equal numbers keep.

    Examples
    --------
    >>> by_number(["0", "120", "15", "5"])
    ('0', '5', '15', '120')
    >>> by_number(["1d", "2h", "30min", "0"])
    ('0', '30min', '2h', '1d')
    >>> by_number(["10uM", "5uM", "control"])
    ('control', '5uM', '10uM')
    >>> by_number(["N052611", "N061011", "N61311"]) is None
    True
    """
    words = [level for level in levels if not NUMBER.search(level) and is_control_word(level)]
    numbered = [level for level in levels if level not in words]
    if len(numbered) < 2:
        return None
    frame = _values(numbered)
    if frame is None or len(set(frame.values)) < 2 or (words and frame.before not in QUANTITY_WORDS):
        return None
    places = sorted(range(len(numbered)), key=lambda place: frame.values[place])
    return (*words, *(numbered[place] for place in places))


def number_key(level: str) -> tuple[str, ...] | None:
    """Return what levels share that write the same numbers in different ways, such as '5' and '5.0'; None without."""
    text = _plain(level)
    numbers = NUMBER.findall(text)
    return (*_texts(text, NUMBER), *(str(Decimal(number).normalize()) for number in numbers)) if numbers else None


def _plain(level: str) -> str:
    """Return a level without what separates words."""
    return re.sub(r"[\s_]+", "", unicodedata.normalize("NFKC", level)).replace("\N{MINUS SIGN}", "-")


def _texts(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return what stands between the numbers, in small letters."""
    return tuple(piece.casefold() for piece in pattern.split(text))


def _values(levels: Sequence[str]) -> _Frame | None:
    """Return the number of each level; a level that is 0 and nothing else has the unit of the others."""
    others = [level for level in levels if not ZERO.fullmatch(level)]
    if len(others) < 2:
        others = list(levels)
    found = _one_frame(others, NUMBER) or _one_frame(others, SIGNED) or _units(others)
    if found is None or (len(others) < len(levels) and found.before):
        return None
    known = dict(zip(others, found.values, strict=True))
    return _Frame(found.before, tuple(known.get(level, Decimal(0)) for level in levels))


def _one_frame(levels: Sequence[str], pattern: re.Pattern[str]) -> _Frame | None:
    """Return the numbers of levels that differ in one number and in nothing else."""
    plain = [_plain(level) for level in levels]
    frames = {_texts(text, pattern) for text in plain}
    if len(frames) != 1:
        return None
    columns = list(zip(*(pattern.findall(text) for text in plain), strict=True))
    varying = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) != 1 or _is_label(columns[varying[0]]):
        return None
    (frame,) = frames
    before, numbers = "".join(frame[: varying[0] + 1]), [Decimal(number) for number in columns[varying[0]]]
    if before == "-":  # a sign, for nothing stands before it
        numbers = [number.copy_negate() for number in numbers]
    return _Frame(before.rstrip("+-.:="), tuple(numbers))


def _is_label(numbers: Sequence[str]) -> bool:
    """Tell whether numbers are labels: some begin with zeros, and not to make all of them equally long."""
    whole = [re.match(r"\d+", number.lstrip("+-"), re.ASCII) for number in numbers]
    digits = [found[0] for found in whole if found]
    padded = {len(text) for text in digits if PADDED.match(text)}
    return bool(padded) and (len(padded) > 1 or min(map(len, digits)) < max(padded))


def _units(levels: Sequence[str]) -> _Frame | None:
    """Return times in seconds, or concentrations or masses in their unit, where all levels are the same kind."""
    found = [_amount(level) for level in levels]
    kinds = {amount[0] for amount in found if amount}
    if None in found or len(kinds) != 1:
        return None
    return _Frame("", tuple(amount[1] for amount in found if amount))


def _amount(level: str) -> tuple[str, Decimal] | None:
    """Return the kind of a time, concentration or mass, and its size."""
    text = unicodedata.normalize("NFKC", level).replace("\N{GREEK SMALL LETTER MU}", "u").strip()
    match = re.fullmatch(rf"([A-Za-z]*)[\s_.]*({DIGITS})[\s_-]*([A-Za-z][A-Za-z /]*)?", text, re.ASCII)
    if match is None or bool(match[1]) == bool(match[3]):
        return None
    word, value = match[1].lower(), Decimal(match[2])
    if word:
        return ("time", value * TIMES[word]) if word in TIME_WORDS else None
    return _with_unit(value, match[3].strip())


def _with_unit(value: Decimal, unit: str) -> tuple[str, Decimal] | None:
    small = unit.lower()
    if small in TIMES:
        return "time", value * TIMES[small]
    after = AFTER.fullmatch(small)
    if after:
        return f"time {after[2]}", value * TIMES[after[1]]
    if unit in MOLAR:
        return "concentration", value.scaleb(MOLAR[unit])
    per = PER.search(unit)
    mass = unit[: per.start()].strip() if per else unit
    if mass in MASS:
        return f"mass{per[0].replace(' ', '').lower() if per else ''}", value.scaleb(MASS[mass])
    return None
