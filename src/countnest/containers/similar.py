"""Labels as text, and labels that mean the same without being equal: paths of BAM files, names that R has changed.

Labels that are not equal are compared by their words, which are runs of letters and digits in lower case.
'X.data.S1.bam' has the words x, data, s1 and bam; the sheet's 'S1' is one of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.errors import CountsError, SamplesError, counted, listing

__all__ = ["Similarity", "label_texts", "similarity", "text_labels"]

Words = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+")
# Digits alone mean little, as '1' occurs in many names. So many of them are an identifier.
_ENOUGH_DIGITS = 4


def text_labels(index: pd.Index, owner: Literal["counts", "samples"]) -> pd.Index | None:
    """Return the labels as text, 3 and 3.0 as '3'; None for a default RangeIndex."""
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return None
    error = SamplesError if owner == "samples" else CountsError
    if isinstance(index, pd.MultiIndex):
        raise error(f"{owner} has labels of {index.nlevels} levels; give one label for each row and column.")
    texts = label_texts(index)
    missing = index.isna() | np.array([text == "" for text in texts])
    if missing.any():
        places = np.flatnonzero(missing)
        raise error(
            f"{owner} has {counted(len(places), 'missing label')}, at position {listing(places)}; fill or drop them."
        )
    return pd.Index(texts, name=index.name)


def label_texts(values: pd.Index | pd.Series) -> list[str]:
    """Return values as text; whole numbers have no decimal point."""
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        return [str(value) for value in values]
    return [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Which label of the sample sheet is meant by each label of the counts.

    Attributes
    ----------
    places
        (m,) place in the sheet for each label of the counts; -1 where none is alike, -2 where several are.
    n_labels
        Number of labels of the sheet.
    """

    places: IntArray
    n_labels: int

    @property
    def n_alike(self) -> int:
        """How many labels of the sheet are meant by a label of the counts."""
        return len(np.unique(self.places[self.places >= 0]))

    @property
    def is_unique(self) -> bool:
        """Whether each label of either side has exactly one of the other."""
        return len(self.places) == self.n_labels == self.n_alike

    def pairs(self, axis: pd.Index, labels: pd.Index, limit: int = 5) -> str:
        """Return the first pairs of labels in words: 'a.bam' for 'a', ... and 3 more."""
        where = np.flatnonzero(self.places >= 0)
        shown = [f"{axis[i]!r} and {labels[self.places[i]]!r}" for i in where[:limit]]
        more = f" and {len(where) - limit} more" if len(where) > limit else ""
        return ", ".join(shown) + more

    def ambiguous(self, axis: pd.Index) -> str:
        """Return the labels of the counts that contain several labels of the sheet; '' if there are none."""
        several = axis[self.places == -2]
        return listing(several) if len(several) else ""


def similarity(axis: pd.Index, labels: pd.Index) -> Similarity:
    """Match labels of the sheet to those of the counts that contain them, or differ in case and punctuation only.

    A label occurs in another if its words do, one after the other; the longest one counts. The file name of a path is
    tried first. If no label of the sheet occurs in one of the counts, the reverse is tried.
    """
    forward = _places(axis, labels)
    if (forward == -1).all():
        backward = _places(labels, axis)
        if (backward >= 0).any():
            return Similarity(_turned(backward, len(axis)), len(labels))
    return Similarity(forward, len(labels))


def _turned(backward: IntArray, n: int) -> IntArray:
    """Return for each label of the counts the label of the sheet that contains it."""
    places = np.full(n, -1, dtype=np.int64)
    for label, place in enumerate(backward):
        if place >= 0:
            places[place] = label if places[place] == -1 else -2
    return places


def _places(longer: pd.Index, shorter: pd.Index) -> IntArray:
    """Return for each of the longer labels the position of the shorter one that it contains."""
    known: dict[Words, set[int]] = defaultdict(set)
    for place, label in enumerate(shorter):
        for words in {_words(label), _as_before_r(_words(label))}:
            if words:
                known[words].add(place)
    lengths = sorted({len(words) for words in known}, reverse=True)
    return np.array([_place(label, known, lengths) for label in longer], dtype=np.int64)


def _place(label: str, known: dict[Words, set[int]], lengths: list[int]) -> int:
    """Return the position of the label whose words this one contains; -1: there is none, -2: there are several."""
    name = re.split(r"[\\/]", label)[-1]
    for text in dict.fromkeys((label.strip(), name)):  # the same label, but for case, blanks and punctuation
        words = _words(text)
        found = known.get(words, set()) | known.get(_as_before_r(words), set())
        if found:
            return next(iter(found)) if len(found) == 1 else -2
    for text in dict.fromkeys((name, label)):
        words = _words(text)
        for length in lengths:
            found = {place for run in _runs(words, length) if _says_much(run) for place in known.get(run, ())}
            if found:
                return next(iter(found)) if len(found) == 1 else -2
    return -1


def _runs(words: Words, length: int) -> Iterator[Words]:
    """Yield the stretches of so many words; the first word also without the X that R puts before digits."""
    for start in range(len(words) - length + 1):
        run = words[start : start + length]
        yield run
        if start == 0:
            yield _as_before_r(run)


def _words(label: str) -> Words:
    return tuple(_WORD.findall(label.lower()))


def _as_before_r(words: Words) -> Words:
    """Return words without the X that R's make.names puts before a label that begins with a digit."""
    if words and re.match(r"x\d", words[0]):
        return (words[0][1:], *words[1:])
    return words


def _says_much(words: Words) -> bool:
    text = "".join(words)
    return not text.isdigit() or len(text) >= _ENOUGH_DIGITS
