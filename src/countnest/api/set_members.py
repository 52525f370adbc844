"""Gene sets as users give them, matched to the genes of a table; and what is said where they do not match."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, IntArray
from countnest.errors import OptionError, counted, kind_of, listing, warn
from countnest.files import FilePath
from countnest.io.gene_sets import read_gmt
from countnest.options import check_option

__all__ = ["GeneLabels", "GeneSets", "SetMembers", "set_members"]

GeneSets = Mapping[str, Iterable[object]] | FilePath

# If no more than this share of the labels of the sets are genes, they are probably other identifiers.
FEW = 0.05
_KINDS = {
    "Ensembl identifiers": re.compile(r"ENS[A-Z]*[GT]\d{6,}(\.\d+)?"),
    "numbers of Entrez": re.compile(r"\d+"),
    "accessions of RefSeq": re.compile(r"[NX][MR]_\d+(\.\d+)?"),
    "FlyBase identifiers": re.compile(r"FBgn\d+"),
}
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True, eq=False)
class GeneLabels:
    """The genes that sets are matched to.

    Attributes
    ----------
    genes
        (G,) labels.
    tested
        (G,) which of them have values.
    info
        What is known of the genes, G rows.
    """

    genes: pd.Index
    tested: BoolArray
    info: pd.DataFrame

    def texts(self, ids: str | None) -> list[str]:
        """Return what sets are matched with: the labels, or a column of the annotation, '' where that is missing."""
        if ids is None:
            return [str(label) for label in self.genes]
        if not len(self.info.columns):
            raise OptionError(f"ids={ids!r} is no column: nothing is known of the genes but their labels.")
        check_option("ids", ids, [str(name) for name in self.info])
        column = self.info[ids]
        return ["" if missing else str(v) for v, missing in zip(column, column.isna(), strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class SetMembers:
    """Names of S sets, and the members of each by their places among the genes that are tested."""

    names: list[str]
    places: list[IntArray]


def set_members(sets: GeneSets, labels: GeneLabels, ids: str | None = None) -> SetMembers:
    """Return the members of gene sets.

    Parameters
    ----------
    sets
        Labels of genes by the name of a set, or the name of a file in the format GMT.
    labels
        The genes.
    ids
        The column of the annotation that has the labels of the sets; None: they are those of the genes.

    Raises
    ------
    OptionError
        The sets are not given as a mapping of lists of labels, there are none, or none of their labels is a gene.

    Warns
    -----
    CountnestWarning
        Sets without genes.
    """
    given = _given(sets)
    texts = labels.texts(ids)
    having: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        having.setdefault(text, []).append(place)
    having.pop("", None)
    matched = [[place for label in members for place in having.get(label, ())] for members in given.values()]
    among = np.cumsum(labels.tested) - 1
    places = [np.unique(np.array(found, dtype=np.int64)) for found in matched]
    tested = [among[found[labels.tested[found]]] for found in places]
    _report(given, places, tested, labels, having.keys())
    return SetMembers(list(given), tested)


def _given(sets: GeneSets) -> dict[str, list[str]]:
    """Return the labels of each set as text, each once."""
    if isinstance(sets, (str, os.PathLike)):
        return read_gmt(sets)
    if not isinstance(sets, Mapping):
        raise OptionError(
            f"sets= is {kind_of(sets)}; give a dict of names and lists of genes, {{'set': ['gene', ...]}}, or the name "
            "of a file in the format GMT."
        )
    if not sets:
        raise OptionError("sets= is empty; give a dict of names and lists of genes.")
    found: dict[str, list[str]] = {}
    for name, members in sets.items():
        if isinstance(members, (str, bytes)) or not isinstance(members, Iterable):
            raise OptionError(f"the set {name!r} is {kind_of(members)}; give a list of genes.")
        found[str(name)] = list(dict.fromkeys(str(member) for member in members))
    if len(found) < len(sets):
        raise OptionError("names of sets are the same as text; give each set a name of its own.")
    return found


def _report(
    given: Mapping[str, list[str]],
    places: list[IntArray],
    tested: list[IntArray],
    labels: GeneLabels,
    known: Collection[str],
) -> None:
    """Raise if no set has a member, and warn of those without; hint at other identifiers where few labels match."""
    every = dict.fromkeys(label for members in given.values() for label in members)
    n_known = sum(label in known for label in every)
    share = f"{n_known} of {counted(len(every), 'label')} in the sets " + ("is a gene" if n_known == 1 else "are genes")
    hint = _hint(list(every), labels, known) if n_known <= FEW * len(every) else ""
    if not any(len(found) for found in tested):
        left = f", and none of these was tested ({n_known} left out of the fit)" if n_known else ""
        raise OptionError(f"no gene set has a member that was tested: {share}{left}.{hint}")
    empty = [name for name, found in zip(given, tested, strict=True) if not len(found)]
    if empty:
        fit = [name for name, found, kept in zip(given, places, tested, strict=True) if len(found) and not len(kept)]
        also = f" Those of {listing(fit)} were left out of the fit." if fit else ""
        warn(f"{counted(len(empty), 'set')} without genes that were tested: {listing(empty)}. {share}.{also}{hint}")
    elif hint:
        warn(f"only {share}.{hint}")


def _hint(asked: list[str], labels: GeneLabels, known: Collection[str]) -> str:
    """Return a sentence on labels that are another kind of identifier than those of the genes."""
    wanted = set(asked)
    shares = {str(name): len(wanted & set(labels.texts(str(name)))) for name in labels.info}
    best = max(shares, key=shares.__getitem__, default=None)
    if best is not None and shares[best] > max(FEW * len(asked), len(wanted & set(known))):
        return f" The column {best!r} of gene_info has {shares[best]} of them: give ids={best!r}."
    for words, plain in (
        ("without the versions after the point", lambda label: label.partition(".")[0]),
        ("but for capital letters", str.upper),
    ):
        theirs = {plain(label) for label in asked}
        if len(theirs & {plain(label) for label in known}) > 2 * FEW * len(asked):
            return f" They are the same {words}: write them alike."
    kinds = _kind(asked), _kind(known)
    if kinds[0] != kinds[1]:
        return (
            f" Those of the sets look like {kinds[0]} ({_some(asked)}), those of the genes like {kinds[1]} "
            f"({_some(known)}): use sets with the same identifiers, or give the others as a column of gene_info, "
            "named by ids=."
        )
    return f" Those of the sets are {_some(asked)}, the genes {_some(known)}, and so on."


def _kind(labels: Collection[str]) -> str:
    """Return which identifiers most of the first labels are."""
    some = [label for label, _ in zip(labels, range(_LOOKED_AT), strict=False)]
    for kind, pattern in _KINDS.items():
        if 2 * sum(pattern.fullmatch(label) is not None for label in some) > len(some):
            return kind
    return "symbols"


def _some(labels: Iterable[str]) -> str:
    return listing(label for label, _ in zip(labels, range(2), strict=False))
