"""The models of a file of contrasts: those that are the same, however they are written, share a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from countnest.design.random.term import same_terms

if TYPE_CHECKING:
    from countnest import DESeqDataSet, ListedContrast
    from countnest.design.design import Design

__all__ = ["ListedModel", "joined"]


@dataclass(frozen=True, slots=True, eq=False)
class ListedModel:
    """A model with the comparisons that are made in it, and its data set."""

    listed: tuple[ListedContrast, ...]
    dds: DESeqDataSet

    @property
    def any_coding(self) -> bool:
        """Whether all comparisons are of levels, which do not depend on the coding; sums of coefficients do."""
        return not any(isinstance(each.contrast, str) for each in self.listed)


def joined(models: Sequence[ListedModel], order: Sequence[ListedContrast]) -> list[ListedModel]:
    """Return the models without repetition; models, and the comparisons of each, are in the order given."""
    found: list[ListedModel] = []
    for model in models:
        place = next((i for i, each in enumerate(found) if _is_same(each, model)), None)
        if place is None:
            found.append(model)
            continue
        same = found[place]
        ids = {each.id for each in (*same.listed, *model.listed)}
        dds = model.dds if same.any_coding else same.dds  # sums of coefficients need the coding of their own
        found[place] = ListedModel(tuple(each for each in order if each.id in ids), dds)
    return found


def _is_same(one: ListedModel, other: ListedModel) -> bool:
    """Tell whether a fit of one model serves the other: the same samples, terms and factors, and the same coding.

    The order of the terms does not matter, and the coding only where both have sums of coefficients.
    """
    first, second = one.dds.design, other.dds.design
    if not one.dds.samples.index.equals(other.dds.samples.index) or _parts(first) != _parts(second):
        return False
    coded = set(first.names) == set(second.names) and dict(first.levels) == dict(second.levels)
    return same_terms(first.random, second.random) and (coded or one.any_coding or other.any_coding)


def _parts(design: Design) -> tuple[object, ...]:
    """Return what a model is made of, in no order: its terms, its factors with their levels, and its numbers."""
    terms = {tuple(sorted(term)) for term in design.terms}
    return design.intercept, terms, {name: set(levels) for name, levels in design.levels.items()}, set(design.numbers)
