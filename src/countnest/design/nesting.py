"""Relations of factors in the samples and in the formula: same partition, nested, or crossed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from countnest.arrays import IntArray

__all__ = [
    "MEANT_NAME",
    "Block",
    "Nesting",
    "Relation",
    "empty_cells",
    "find_nesting",
    "is_numbering",
    "looks_like_label",
    "relation",
]

Relation = Literal["same", "nested", "nests", "crossed"]

# Factors whose cells are blocks, the innermost last: ('family',) or ('treat1', 'ind').
Block = tuple[str, ...]

# Names of columns that label individuals or groups of them, with endings such as '.n', '_id', '2'.
LABEL_WORDS = (
    "animal|block|brood|clone|colony|couple|dam|donor|fam|family|fish|id|ind|indiv|individual|line|litter|mouse|nest|"
    "pair|participant|pat|patient|person|plant|plot|rat|rep|replicate|sib|sibship|sire|subj|subject|tree|twin|unit"
)
LABEL_NAME = re.compile(rf"(?:{LABEL_WORDS})s?(?:[._-]?(?:n|no|nr|num|number|id|nested))*\d*", re.IGNORECASE)

# Names of columns whose numbers have a meaning, even if they look like labels.
MEANT_NAME = re.compile(
    r".*(?:time|day|week|hour|month|year|dose|conc|stage|age|visit|temp|batch|run|lane|plate|site|cent(?:er|re))s?\d*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Nesting:
    """The nesting of the factors of a design.

    Attributes
    ----------
    data
        For each factor the factors in which it is nested by the samples: each of its levels occurs with one level of
        the other, which has fewer levels.
    formula
        For each factor the factors without which it never occurs in a term, although they occur without it.
    blocks
        The factors whose cells are blocks: nested by the samples, or numbered within others by the formula.
    """

    data: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    formula: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()

    def parents(self, factor: str) -> tuple[str, ...]:
        """Return the factors in which a factor is nested, by the samples or as a numbering of blocks."""
        numbered = [block[:-1] for block in self.blocks if block[-1] == factor and len(block) > 1]
        return tuple(dict.fromkeys([*self.data.get(factor, ()), *(name for outer in numbered for name in outer)]))

    def outermost_first(self, factors: Iterable[str]) -> list[str]:
        """Return the factors with parents before their children, otherwise in the given order."""
        names = list(factors)
        return sorted(names, key=lambda name: len(self._ancestors(name)))

    def _ancestors(self, factor: str) -> set[str]:
        found: set[str] = set()
        open_ = list(self.parents(factor))
        while open_:
            name = open_.pop()
            if name not in found:
                found.add(name)
                open_ += self.parents(name)
        return found

    def tree(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each nested factor with the factors directly above it, outermost first."""
        nested = [name for name in self.outermost_first({*self.data, *(block[-1] for block in self.blocks)})]
        above = {name: self.parents(name) for name in nested}
        return tuple(
            (name, tuple(p for p in above[name] if not any(p in above.get(other, ()) for other in above[name])))
            for name in nested
        )


def find_nesting(
    codes: Mapping[str, IntArray],
    terms: Sequence[tuple[str, ...]],
    levels: Mapping[str, Sequence[str]],
    blocks: Collection[str] | None = None,
) -> Nesting:
    """Return the nesting of the factors of a design.

    A factor nested in others by the formula but not by the samples, such as ``ind`` in ``treat1:ind``, is a numbering
    of blocks if its name or its levels are those of a label; the treatment in ``treat1:treat2`` is not.

    Parameters
    ----------
    codes
        Level of each sample, shape (n,), for each factor.
    terms
        Terms of the formula.
    levels
        Levels of each factor.
    blocks
        The factors that are blocks; None: by the rules above.
    """
    data = {
        inner: outer
        for inner in codes
        if (outer := tuple(o for o in codes if o != inner and _nested(inner, o, codes, levels, blocks)))
    }
    formula = {
        inner: outer
        for inner in codes
        if (outer := tuple(o for o in codes if _never_without(inner, o, terms) and inner not in data.get(o, ())))
    }
    found = [name for name in codes if name in data or (name in formula and looks_like_label(name, levels[name]))]
    chosen = found if blocks is None else [name for name in codes if name in blocks]
    return Nesting(data, formula, tuple(_block(name, data, formula) for name in chosen))


def _nested(
    inner: str,
    outer: str,
    codes: Mapping[str, IntArray],
    levels: Mapping[str, Sequence[str]],
    blocks: Collection[str] | None,
) -> bool:
    """Tell whether the samples nest one factor in another.

    A few conditions, one of them alone in its batch, are not taken as nested although each was run in one batch only:
    the effect of that condition is confounded. Labels of individuals are nested however few they are.
    """
    if relation(codes[inner], codes[outer]) != "nested":
        return False
    if looks_like_label(inner, levels[inner]) or inner in (blocks or ()):
        return True
    pairs = np.unique(np.stack([codes[inner], codes[outer]]), axis=1)
    alone = bool((np.bincount(pairs[1]) == 1).any())
    return not alone or pairs.shape[1] >= 2 * len(levels[outer])


def _block(name: str, data: Mapping[str, tuple[str, ...]], formula: Mapping[str, tuple[str, ...]]) -> Block:
    """Return the factors whose cells are the blocks of a factor.

    A formula such as ``site/plot`` numbers plots within sites, also where plots of one number have one treatment.
    """
    outer = formula.get(name, ())
    return (name,) if set(outer) <= set(data.get(name, ())) and name in data else (*outer, name)


def _never_without(inner: str, outer: str, terms: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether `inner` occurs in terms with `outer` only, and `outer` also without `inner`."""
    with_inner = [term for term in terms if inner in term]
    together = bool(with_inner) and all(outer in term for term in with_inner)
    return inner != outer and together and any(outer in term and inner not in term for term in terms)


def looks_like_label(name: str, levels: Sequence[str]) -> bool:
    """Tell whether a factor numbers individuals, by its name or by levels such as '1', '2', '3' or 'p1', 'p2'."""
    if LABEL_NAME.fullmatch(name):
        return True
    return not MEANT_NAME.fullmatch(name) and is_numbering(levels)


def is_numbering(levels: Sequence[str]) -> bool:
    """Tell whether the levels are the numbers 1, 2, ..., k, all with the same text before them or with none."""
    matches = [re.fullmatch(r"(\D*)0*(\d+)", level) for level in levels]
    if not all(matches):
        return False
    found = [match for match in matches if match]
    numbers = sorted(int(match[2]) for match in found)
    return len({match[1] for match in found}) == 1 and numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 1


def relation(left: IntArray, right: IntArray) -> Relation:
    """Return the relation of the factor `left` to the factor `right`, given codes of shape (n,).

    'same': each level of one occurs with one level of the other; 'nested': each level of `left` occurs with one level
    of `right`, which has fewer; 'nests': the reverse; 'crossed': anything else.
    """
    cells = len(np.unique(np.stack([left, right]), axis=1).T)
    left_determines = cells == len(np.unique(left))
    right_determines = cells == len(np.unique(right))
    if left_determines and right_determines:
        return "same"
    if left_determines:
        return "nested"
    return "nests" if right_determines else "crossed"


def empty_cells(left: IntArray, right: IntArray) -> list[tuple[int, int]]:
    """Return the pairs of levels of `left` and `right`, codes of shape (n,), without samples."""
    present = set(zip(left.tolist(), right.tolist(), strict=True))
    pairs = [(a, b) for a in sorted(set(left.tolist())) for b in sorted(set(right.tolist()))]
    return [pair for pair in pairs if pair not in present]
