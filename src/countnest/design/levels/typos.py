"""Checks of the levels of a factor: levels that look the same, words for missing values, misspellings."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from countnest.design.levels.numbers import number_keys
from countnest.errors import SamplesError, counted, listing
from countnest.remedies import advised, level_order

__all__ = ["refuse_same_looking", "seen", "spelled", "typo_warnings"]

# Letters of other alphabets and signs that look like those of ASCII.
LIKE_LATIN = str.maketrans(
    # Cyrillic
    "АВЕКМНОРСТУХЅІЈԌԚԜаеорсухѕіјһԁԛԝкм"
    # Greek
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαοιρνκυχμ"
    # dashes, quotation marks, a slash
    "‐‑‒–—―−‘’ʼ′“”″⁄∕",
    "ABEKMHOPCTYXSIJGQWaeopcyxsijhdqwkm"
    "ABEZHIKMNOPTYXaoipvkuxu"
    "-------''''\"\"\"//",
)  # fmt: skip
# Invisible characters: categories of Unicode (format, control, unassigned, private), fillers, variation selectors.
INVISIBLE = frozenset({"Cf", "Cc", "Cn", "Co"})
FILLERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0").union(map(chr, range(0xFE00, 0xFE10)))

# Words for a missing value that do not name a treatment. "None" may name one, and so may "-" with "+".
MISSING_WORDS = frozenset(
    ["na", "n/a", "#n/a", "<na>", "nan", "?", "??", "???", "-", "--", "---", ".", "missing", "unknown", "unk", "tbd"]
).union(f"not {word}" for word in ("available", "known", "applicable", "determined", "recorded", "specified"))
SIGNS = re.compile(r"[+\-]+")
SODIUM = "Na"

LETTERS = re.compile(r"[A-Z]*[^\W\d_A-Z]+|[A-Z]+|[^\W\d_]+")
SHORTEST = 3


def refuse_same_looking(samples: Mapping[str, Sequence[object]], variable: str, named: Collection[str] = ()) -> None:
    """Raise `SamplesError` if levels have no visible difference, or differ only in case.

    Parameters
    ----------
    samples
        The samples of each level that occurs.
    variable
        The factor, for the message.
    named
        Levels listed by the user: these may differ only in case, as genotypes AA, Aa and aa do.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for level in samples:
        groups[seen(level).casefold()].append(level)
    alike = [group for group in groups.values() if len(group) > 1 and not _is_intended(group, named)]
    if alike:
        raise SamplesError(_same_message(alike, samples, variable))


def typo_warnings(samples: Mapping[str, Sequence[object]], variable: str) -> list[str]:
    """Return warnings about words for missing values, numbers written in two ways, and levels that may be misspelt.

    `samples` has the samples of each level that occurs.
    """
    if len(samples) < 2:
        return []
    return [*_missing(samples, variable), *_same_numbers(samples, variable), *_misspelt(samples, variable)]


def spelled(level: str) -> str:
    """Return a level with invisible and ambiguous characters spelt out: 'trt<ZERO WIDTH SPACE>'."""
    return "".join(_named(c) if c != " " and (_is_blank(c) or _is_disguised(c)) else c for c in level)


def _named(character: str) -> str:
    return f"<{unicodedata.name(character, f'U+{ord(character):04X}')}>"


def _is_blank(character: str) -> bool:
    return character.isspace() or _is_invisible(character)


def _is_disguised(character: str) -> bool:
    """Tell whether a character looks like another one, or is a combining accent."""
    other = unicodedata.normalize("NFKC", character) != character
    return other or ord(character) in LIKE_LATIN or unicodedata.category(character) == "Mn"


def _is_invisible(character: str) -> bool:
    return character in FILLERS or unicodedata.category(character) in INVISIBLE


def seen(level: str) -> str:
    """Return a level without invisible characters and with letters that look Latin as Latin ones."""
    return " ".join(_inked(level).split())


def _inked(level: str) -> str:
    """Return a level without invisible characters other than spaces and line breaks."""
    plain = unicodedata.normalize("NFKC", level).translate(LIKE_LATIN)
    return "".join(c for c in plain if c.isspace() or not _is_invisible(c))


def _is_intended(group: Sequence[str], named: Collection[str]) -> bool:
    """Tell whether levels differ only in case, and the user listed all of them."""
    return all(level in named for level in group) and len({seen(level) for level in group}) == len(group)


def _same_message(alike: Sequence[Sequence[str]], samples: Mapping[str, Sequence[object]], variable: str) -> str:
    shown = "; ".join(
        " and ".join(f"'{spelled(level)}' ({listing(samples[level], 3)})" for level in group) for group in alike[:5]
    )
    more = f"; and {len(alike) - 5} more" if len(alike) > 5 else ""
    remedy = {level: good for group in alike for good in [_best(group, samples)] for level in group if level != good}
    first, second = alike[0][:2]
    capitals = seen(first) != seen(second)
    other = (
        f"If they are different, name all levels in their order, {level_order(variable)}"
        if capitals
        else "If they are different, give them names that can be distinguished"
    )
    correction = advised(
        f"samples['{variable}'] = samples['{variable}'].replace({_ascii(remedy)})",
        "write them in one way in the sample sheet",
    )
    return (
        f"levels of '{variable}' differ only in {_differences(alike)}: {shown}{more}. If they are the same: "
        f"{correction}. {other}."
    )


def _differences(alike: Sequence[Sequence[str]]) -> str:
    """Describe the difference between the levels."""
    found = dict.fromkeys(
        what for group in alike for a, b in itertools.combinations(group, 2) for what in _difference(a, b)
    )
    return " or ".join(found) or "the way in which their characters are composed"


def _difference(one: str, other: str) -> list[str]:
    def odd(test: Callable[[str], bool]) -> bool:
        return [c for c in one if test(c)] != [c for c in other if test(c)]

    tests = {
        "invisible characters": odd(lambda c: c != " " and _is_blank(c)),
        "characters that look alike": odd(lambda c: not _is_blank(c) and _is_disguised(c)),
        "spaces": _inked(one).casefold() != _inked(other).casefold(),
        "capital letters": seen(one) != seen(other),
    }
    return [what for what, differs in tests.items() if differs]


def _best(group: Sequence[str], samples: Mapping[str, Sequence[object]]) -> str:
    """Return the replacement of a group of levels: the one without odd characters that has most samples."""
    clean = [level for level in group if seen(level) == level]
    best = max(clean or group, key=lambda level: len(samples[level]))
    return best if clean else seen(best)


def _ascii(remedy: Mapping[str, str]) -> str:
    """Return a dict as code, with escapes for invisible and ambiguous characters."""
    pairs = (f"{_quoted(old)}: {_quoted(new)}" for old, new in remedy.items())
    return f"{{{', '.join(pairs)}}}"


def _quoted(level: str) -> str:
    return repr(level) if spelled(level) == level else ascii(level)


def _missing(samples: Mapping[str, Sequence[object]], variable: str) -> list[str]:
    """Return a warning about levels that look like missing values, if there are any."""
    found = [level for level in samples if _is_missing_word(level, samples)]
    if not found or len(found) == len(samples):
        return []
    where = "; ".join(f"'{level}' in {counted(len(samples[level]), 'sample')} ({listing(samples[level])})"
                      for level in found)  # fmt: skip
    return [
        f"levels of '{variable}' look like missing values and are fitted as groups: {where}. If they are "
        "missing, leave these samples out"
        + advised(f": samples = samples[~samples['{variable}'].isin({found!r})].", ", or their cells empty.")
    ]


def _is_missing_word(level: str, samples: Mapping[str, Sequence[object]]) -> bool:
    word = seen(level).casefold()
    if level == SODIUM:
        return False
    if word == "none":
        # a control has replicates, or is compared with one treatment
        return len(samples[level]) == 1 and len(samples) > 2
    if SIGNS.fullmatch(word) and any(SIGNS.fullmatch(seen(other)) for other in samples if other != level):
        return False
    return word in MISSING_WORDS


def _same_numbers(samples: Mapping[str, Sequence[object]], variable: str) -> list[str]:
    """Return a warning about levels that are the same number written in different ways, if there are any."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for level, key in zip(samples, number_keys(list(samples)), strict=True):
        if key is not None:
            groups[key].append(level)
    same = [f"{listing(group)}" for group in groups.values() if len(group) > 1]
    if not same:
        return []
    return [
        f"levels of '{variable}' are the same number written in different ways and are fitted as different groups: "
        f"{'; '.join(same[:5])}. If they are the same, write them in one way."
    ]


def _misspelt(samples: Mapping[str, Sequence[object]], variable: str) -> list[str]:
    """Return warnings about levels with one sample that differ by one letter from a more frequent one."""
    counts = Counter({level: len(labels) for level, labels in samples.items()})
    lone = [level for level, count in counts.items() if count == 1]
    if len(lone) > len(counts) / 2:  # as in a study with one sample per individual
        return []
    pairs = [(level, other) for level in lone for other in counts if counts[other] > 1 and _by_a_letter(level, other)]
    return [
        f"the level '{level}' of '{variable}' has one sample, {listing(samples[level])}, and differs from '{other}' by "
        f"one letter. If it is misspelt: samples['{variable}'] = samples['{variable}'].replace("
        f"{_ascii({level: other})})."
        for level, other in pairs[:5]
    ]


def _by_a_letter(one: str, other: str) -> bool:
    """Tell whether texts differ by one missing, extra, wrong or swapped letter of a word longer than an initial."""
    if LETTERS.sub("", one) != LETTERS.sub("", other):  # digits and signs must be the same
        return False
    words = [LETTERS.findall(text) for text in (one, other)]
    if len(words[0]) != len(words[1]):
        return False
    differing = [(a, b) for a, b in zip(*words, strict=True) if a != b]
    return len(differing) == 1 and max(map(len, differing[0])) >= SHORTEST and _one_edit(*differing[0])


def _one_edit(one: str, other: str) -> bool:
    short, long = sorted((one.casefold(), other.casefold()), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = short[start:], long[start:]
    if len(short) < len(long):
        return rest[0] == rest[1][1:]
    swapped = rest[1][1::-1] + rest[1][2:]
    return rest[0][1:] == rest[1][1:] or rest[0] == swapped
