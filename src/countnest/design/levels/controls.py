"""Levels that name a control, with which others are usually compared."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["control_levels", "is_control_word"]

# Words for the untreated, unchanged or first state in sample sheets of public studies.
UNTREATED = (
    "control controls ctrl ctrls ctl cntrl contr con none untreated untrt unt nontreated nottreated notreatment nodrug "
    "unstim unstimulated nonstimulated uninfected noninfected uninduced noninduced unexposed untransfected "
    "untransduced uninjured unperturbed unaffected"
)
GIVEN_INSTEAD = "vehicle veh mock dmso placebo sham saline pbs scramble scrambled scr nontargeting ntc nt empty ev"
UNCHANGED = "wt wildtype wildtypes parental naive naïve normal healthy normoxia normoxic reference"
FIRST = "pre before baseline pretreatment predose timezero"
CONTROL_WORDS = frozenset(" ".join((UNTREATED, GIVEN_INSTEAD, UNCHANGED, FIRST)).split())
# Shorter words with a number name genes and viruses, such as WT1 and EV71.
LONG_ENOUGH = 4

NO_TIME_OR_DOSE = re.compile(
    r"(?:t|d|h|w|day|days|time|timepoint|hour|hours|hr|week|weeks|wk|month|min|dose|conc)?[\s_.-]*0+(?:[.,]0+)?"
    r"[\s_-]*(?:[a-zµμ%][a-zµμ%/ ]*)?"
)
WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
NOT = frozenset({"non", "not", "no"})


def control_levels(levels: Iterable[str]) -> list[str]:
    """Return the levels that contain a word for a control, or are a time or a dose of 0.

    Examples
    --------
    >>> control_levels(["KO", "wild type", "siCtrl", "day0", "0 uM", "0.5 uM", "WT1", "non-healthy"])
    ['wild type', 'siCtrl', 'day0', '0 uM']
    """
    return [level for level in levels if is_control_word(level) or any(map(_is_zero, (level, *level.split())))]


def is_control_word(level: str) -> bool:
    """Tell whether a level contains a word for a control."""
    text = unicodedata.normalize("NFKC", level)
    words = [piece.casefold() for word in WORD.findall(text) for piece in _pieces(word)]
    pairs = [first + second for first, second in itertools.pairwise(words)]
    alone = [word for before, word in zip(["", *words], words, strict=False) if before not in NOT]
    return any(word in CONTROL_WORDS for word in (*alone, *pairs))


def _is_zero(text: str) -> bool:
    return NO_TIME_OR_DOSE.fullmatch(unicodedata.normalize("NFKC", text).strip().casefold()) is not None


def _pieces(word: str) -> list[str]:
    """Return the parts of a word: 'si' and 'Ctrl' of siCtrl, 'control' of control2."""
    pieces = HUMPS.split(word)
    bare = [piece.rstrip("0123456789") for piece in pieces]
    return [short if len(short) >= LONG_ENOUGH else piece for piece, short in zip(pieces, bare, strict=True)]
