"""Numbers in the names of levels, such as ``5min``, ``day10``, ``0.5uM``, and the order that they give."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["by_number", "number_keys"]

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

# A number without a sign; '1e5' and '1E-5' have exponents, but '2E5' may be a name.
DIGITS = r"\d+(?:\.\d+)?(?:[eE][+-]\d{1,3}(?!\d)|e\d{1,3}(?!\d))?"
NUMBER = re.compile(DIGITS, re.ASCII)
# A sign belongs to the number at the beginning and after a letter: 'day-1' and 'day1'.
SIGNED = re.compile(rf"(?:(?<![^A-Za-z])[+-])?{DIGITS}", re.ASCII)

ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)(?![^\W_])", re.IGNORECASE)
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])", re.ASCII)
SPACED_THOUSANDS = re.compile(r"(?<![\d.,])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?! ?\d)", re.ASCII)
COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
# Versions and dates such as 24.12.2023, in which points separate whole numbers.
POINTS = re.compile(r"(?<![^\W\d_])v(?:er(?:sion)?)?\.?\d+(?:\.\d+)+|\d+(?:\.\d+){2,}", re.ASCII | re.IGNORECASE)
DASHES = str.maketrans("\N{MINUS SIGN}\N{EN DASH}", "--")

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
# Spelled out, they may precede the number: 'week 2'.
TIME_WORDS = frozenset(word for word in TIMES if len(word) > 2)
# Words before a number that is a time or an amount, not a label of an individual.
QUANTITY_WORDS = TIME_WORDS.union({"", "t", "d", "h", "w", "hr", "wk", "mo", "yr", "time", "timepoint", "dose", "conc"})
# Hours after an infection, a fertilization and so on; all levels of a factor refer to the same event.
AFTER = re.compile(r"(min|h|d|w|mo)(p[a-z])")
MOLAR = {"fM": -15, "pM": -12, "nM": -9, "uM": -6, "mM": -3, "M": 0}
MASS = {"fg": -15, "pg": -12, "ng": -9, "ug": -6, "mcg": -6, "mg": -3, "g": 0, "kg": 3}
PER = re.compile(r"(/(?:[mu]?[lL]|k?g))?$")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The text before the numbers of levels, the sort key of each level, and whether they are times or amounts."""

    before: str
    keys: tuple[Key, ...]
    is_quantity: bool


def by_number(levels: Sequence[str], controls: Collection[str] = ()) -> tuple[str, ...] | None:
    """Return levels in the order of their numbers; None if that order is not clear.

    It is clear if the levels differ only in one number; if they are times, concentrations or masses in known units; or
    if all are ranges, dates with the year first, versions or fractions. A level 0 needs no unit. After a word, numbers
    of different length that begin with zeros are labels, such as those of cell lines. Controls come before times and
    amounts; controls with the number 0 come before all others.

    Parameters
    ----------
    levels
        Different levels, in the order that equal numbers keep.
    controls
        Those that contain a word for a control.

    Examples
    --------
    >>> by_number(["0", "120", "15", "5"])
    ('0', '5', '15', '120')
    >>> by_number(["1d", "2h", "30min", "0"])
    ('0', '30min', '2h', '1d')
    >>> by_number(["10uM", "5uM", "control"], controls=["control"])
    ('control', '5uM', '10uM')
    >>> by_number(["10-14", "15-19", "5-9"])
    ('5-9', '10-14', '15-19')
    >>> by_number(["N052611", "N061011", "N61311"]) is None
    True
    """
    texts = dict(zip(levels, _plain_texts(levels), strict=True))
    numbers = {level: NUMBER.findall(text) for level, text in texts.items()}
    controls = [level for level in levels if level in controls and not any(map(Decimal, numbers[level]))]
    words = [level for level in controls if not numbers[level]]
    for first in (words, controls):
        numbered = [level for level in levels if level not in first]
        frame = _frame([texts[level] for level in numbered])
        if frame and (frame.is_quantity or not words):
            places = sorted(range(len(numbered)), key=lambda place: frame.keys[place])
            return (*first, *(numbered[place] for place in places))
    return None


def number_keys(levels: Sequence[str]) -> list[tuple[str, ...] | None]:
    """Return keys that are equal for levels with the same numbers, such as '5' and '5.0'; None without a number."""
    found = [(text, NUMBER.findall(text)) for text in _plain_texts(levels)]
    return [
        (*_texts_between(text, NUMBER), *(str(Decimal(number).normalize()) for number in numbers)) if numbers else None
        for text, numbers in found
    ]


def _frame(texts: Sequence[str]) -> _Frame | None:
    """Return the number of each level; a level that is just 0 has the unit of the others."""
    if len(texts) < 2:
        return None
    compound = _compound_keys(texts)
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
    """Return the numbers of levels that differ only in one number."""
    frames = {_texts_between(text, pattern) for text in texts}
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
    if place == 0 and frame[0] == "-":  # a minus sign, because nothing precedes it
        numbers = [number.copy_negate() for number in numbers]
    unit = pattern.split(texts[0])[place + 1].strip("-")
    is_quantity = before in QUANTITY_WORDS or _with_unit(Decimal(1), unit) is not None
    return _Frame(before, tuple((number,) for number in numbers), is_quantity)


def _is_label(numbers: Sequence[str]) -> bool:
    """Tell whether numbers are labels: some begin with zeros that do not pad all of them to one length."""
    whole = [re.match(r"\d+", number.lstrip("+-"), re.ASCII) for number in numbers]
    digits = [found[0] for found in whole if found]
    padded = {len(text) for text in digits if PADDED.match(text)}
    return bool(padded) and (len(padded) > 1 or min(map(len, digits)) < max(padded))


def _units(texts: Sequence[str]) -> _Frame | None:
    """Return times in seconds, or concentrations or masses in their unit, if all levels are of the same kind."""
    found = [_amount(text) for text in texts]
    kinds = {amount[0] for amount in found if amount}
    if None in found or len(kinds) != 1:
        return None
    return _Frame("", tuple((amount[1],) for amount in found if amount), is_quantity=True)


def _amount(text: str) -> tuple[str, Decimal] | None:
    """Return the kind of a time, concentration or mass, with the preceding word, and its size."""
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


def _plain_texts(levels: Sequence[str]) -> list[str]:
    """Return levels with their numbers in the notation of programs, and without spaces between words.

    Commas are thousands separators if all of them can be, and decimal commas otherwise. Whole numbers separated by
    points, spaces or underscores become separated by colons.

    Examples
    --------
    >>> _plain_texts(["1,000 cells", "2nd_week", "1_10", "v1.10"])
    ['1000cells', '2week', '1:10', 'v1:10']
    >>> _plain_texts(["0,5", "1,250"])
    ['0.5', '1.250']
    """
    texts = [_composed(level) for level in levels]
    without = [THOUSANDS.sub(lambda found: found[0].replace(",", ""), text) for text in texts]
    if any(COMMA.search(text) for text in without):
        without = [COMMA.sub(".", text) for text in texts]
    return [POINTS.sub(lambda found: re.sub(r"(?<=\d)\.", ":", found[0]), text) for text in without]


def _texts_between(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return the text between the numbers, in lower case."""
    return tuple(piece.casefold() for piece in pattern.split(text))


def _composed(level: str) -> str:
    text = unicodedata.normalize("NFKC", level).translate(DASHES)
    text = "".join(str(unicodedata.decimal(character, character)) for character in text)
    text = SPACED_THOUSANDS.sub(lambda found: found[0].replace(" ", ""), ORDINAL.sub("", text))
    return re.sub(r"[\s_]+", "", re.sub(r"(?<=\d)[\s_]+(?=\d)", ":", text))


def _compound_keys(texts: Sequence[str]) -> tuple[Key, ...] | None:
    """Return the sort keys of ranges, dates, versions or fractions, all of one form; None for other texts.

    Ranges must not overlap; '<20', '65+' and single numbers may occur with them. Fractions are at most 1, because
    others may be a day and a month.

    Examples
    --------
    >>> _compound_keys(["10-14", "5-9"])
    ((Decimal('10'), Decimal('14')), (Decimal('5'), Decimal('9')))
    >>> _compound_keys(["1/2", "1/4"])
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
    """Return the matches of texts with the same words before and after; none if a text does not match."""
    found = [each for text in texts if (each := pattern.fullmatch(text))]
    words = {(each["before"].casefold(), each["after"].casefold()) for each in found}
    return found if len(found) == len(texts) and len(words) == 1 else []
