"""Numbers in the names of levels: ``5min``, ``day10``, ``0.5uM``; which come first, where that is beyond doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from countnest.design.compound import Key, compound_keys
from countnest.design.control import is_control_word
from countnest.design.numeral import DIGITS, NUMBER, SIGNED, plain_texts, texts_between

__all__ = ["by_number", "number_keys"]

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
PER = re.compile(r"(/(?:[mu]?[lL]|k?g))?$")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The text before the numbers of levels, the key of each level, and whether it is a time or an amount."""

    before: str
    keys: tuple[Key, ...]
    is_quantity: bool


def by_number(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Return levels in the order of the numbers that they carry; None where that order is not clear.

    It is clear where the levels differ in one number and in nothing else; where they are times, concentrations or
    masses in units that are known; or where all are ranges, dates with the year first, versions or fractions. A level 0
    needs no unit. After a word, numbers of different length that begin with zeros are labels, such as those of cell
    lines. Words that name a control stand before times and amounts, and before all others with the number 0.

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
    >>> by_number(["10-14", "15-19", "5-9"])
    ('5-9', '10-14', '15-19')
    >>> by_number(["N052611", "N061011", "N61311"]) is None
    True
    """
    texts = dict(zip(levels, plain_texts(levels), strict=True))
    numbers = {level: NUMBER.findall(text) for level, text in texts.items()}
    controls = [level for level in levels if is_control_word(level) and not any(map(Decimal, numbers[level]))]
    words = [level for level in controls if not numbers[level]]
    for first in (words, controls):
        numbered = [level for level in levels if level not in first]
        frame = _frame([texts[level] for level in numbered])
        if frame and (frame.is_quantity or not words):
            places = sorted(range(len(numbered)), key=lambda place: frame.keys[place])
            return (*first, *(numbered[place] for place in places))
    return None


def number_keys(levels: Sequence[str]) -> list[tuple[str, ...] | None]:
    """Return what levels share that write the same numbers in different ways, as '5' and '5.0'; None without one."""
    found = [(text, NUMBER.findall(text)) for text in plain_texts(levels)]
    return [
        (*texts_between(text, NUMBER), *(str(Decimal(number).normalize()) for number in numbers)) if numbers else None
        for text, numbers in found
    ]


def _frame(texts: Sequence[str]) -> _Frame | None:
    """Return the number of each level; a level that is 0 and nothing else has the unit of the others."""
    if len(texts) < 2:
        return None
    compound = compound_keys(texts)
    if compound:
        return _Frame("", compound, is_quantity=True)
    others = [text for text in texts if not ZERO.fullmatch(text)]
    if len(others) < 2:
        others = list(texts)
    found = _one_frame(others, NUMBER) or _one_frame(others, SIGNED) or _units(others)
    if found is None or (len(others) < len(texts) and found.before):
        return None
    zero = (Decimal(0),)
    rest = iter(found.keys)
    keys = tuple(next(rest) if len(others) == len(texts) or not ZERO.fullmatch(text) else zero for text in texts)
    return _Frame(found.before, keys, found.is_quantity) if len(set(keys)) > 1 else None


def _one_frame(texts: Sequence[str], pattern: re.Pattern[str]) -> _Frame | None:
    """Return the numbers of levels that differ in one number and in nothing else."""
    frames = {texts_between(text, pattern) for text in texts}
    if len(frames) != 1:
        return None
    columns = list(zip(*(pattern.findall(text) for text in texts), strict=True))
    varying = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) != 1:
        return None
    (frame,), (place,) = frames, varying
    before = "".join(frame[: place + 1]).rstrip("+-.:=")
    if before not in QUANTITY_WORDS and _is_label(columns[place]):
        return None
    numbers = [Decimal(number) for number in columns[place]]
    if place == 0 and frame[0] == "-":  # a sign, for nothing stands before it
        numbers = [number.copy_negate() for number in numbers]
    unit = pattern.split(texts[0])[place + 1].strip("-")
    is_quantity = before in QUANTITY_WORDS or _with_unit(Decimal(1), unit) is not None
    return _Frame(before, tuple((number,) for number in numbers), is_quantity)


def _is_label(numbers: Sequence[str]) -> bool:
    """Tell whether numbers are labels: some begin with zeros, and not to make all of them equally long."""
    whole = [re.match(r"\d+", number.lstrip("+-"), re.ASCII) for number in numbers]
    digits = [found[0] for found in whole if found]
    padded = {len(text) for text in digits if PADDED.match(text)}
    return bool(padded) and (len(padded) > 1 or min(map(len, digits)) < max(padded))


def _units(texts: Sequence[str]) -> _Frame | None:
    """Return times in seconds, or concentrations or masses in their unit, where all levels are the same kind."""
    found = [_amount(text) for text in texts]
    kinds = {amount[0] for amount in found if amount}
    if None in found or len(kinds) != 1:
        return None
    return _Frame("", tuple((amount[1],) for amount in found if amount), is_quantity=True)


def _amount(text: str) -> tuple[str, Decimal] | None:
    """Return the kind of a time, concentration or mass, with the word before it, and its size."""
    match = re.fullmatch(rf"([A-Za-z]*)\.?({DIGITS})-?([A-Za-z\N{{GREEK SMALL LETTER MU}}][A-Za-z/]*)?", text)
    if match is None or not (match[1] or match[3]):
        return None
    word, value = match[1].lower(), Decimal(match[2])
    if not match[3]:
        return ("time", value * TIMES[word]) if word in TIME_WORDS else None
    amount = _with_unit(value, match[3])
    return (f"{word} {amount[0]}", amount[1]) if amount and word else amount


def _with_unit(value: Decimal, unit: str) -> tuple[str, Decimal] | None:
    unit = unit.replace("\N{GREEK SMALL LETTER MU}", "u")
    small = unit.lower()
    if small in TIMES:
        return "time", value * TIMES[small]
    after = AFTER.fullmatch(small)
    if after:
        return f"time {after[2]}", value * TIMES[after[1]]
    if unit in MOLAR:
        return "concentration", value.scaleb(MOLAR[unit])
    per = PER.search(unit)
    mass = unit[: per.start()] if per else unit
    if mass in MASS:
        return f"mass{per[0].lower() if per else ''}", value.scaleb(MASS[mass])
    return None
