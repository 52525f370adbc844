"""Treatment effects: which genes have them, how large they are, and which samples they apply to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray

__all__ = ["Effects", "Term", "draw_effects"]

# The levels that an effect needs, one of each variable of its term: (("treat1", "B"), ("treat2", "E")).
Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A main effect or an interaction.

    Attributes
    ----------
    variables
        The variables of the term; one for a main effect.
    fraction
        The probability that a gene has it, from 0 to 1.
    sd
        Standard deviation of its effects, natural log.
    """

    variables: tuple[str, ...]
    fraction: float
    sd: float


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """The effects of all terms on G genes, in treatment coding: the first level of each variable has none.

    Attributes
    ----------
    values
        Shape (G, K), natural log.
    levels
        For each of the K effects the levels of the samples that have it.
    """

    values: FloatArray
    levels: tuple[Levels, ...]

    @property
    def names(self) -> list[str]:
        """The K names: 'treat2[E]', 'treat1[B]:treat2[E]'."""
        return [":".join(f"{variable}[{level}]" for variable, level in levels) for levels in self.levels]

    def on(self, sheet: pd.DataFrame) -> FloatArray:
        """Return the sum of the effects, natural log, shape (G, n), on the n samples of a sheet."""
        applies = np.ones((len(self.levels), len(sheet)))
        for row, levels in enumerate(self.levels):
            for variable, level in levels:
                applies[row] *= sheet[variable].to_numpy() == level
        return self.values @ applies

    def null(self, *variables: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return for each gene whether no effect that involves all of `variables` differs from 0."""
        involved = [set(variables) <= {variable for variable, _ in levels} for levels in self.levels]
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~np.any(self.values[:, involved] != 0, axis=1)
        return found


def draw_effects(
    terms: Sequence[Term], levels: Mapping[str, Sequence[str]], genes: int, rng: np.random.Generator
) -> Effects:
    """Draw the effects: a gene has a term with the term's probability, and then normal effects at all its levels.

    Parameters
    ----------
    terms
        The main effects and interactions.
    levels
        Levels of each variable; the first is the reference.
    genes
        Number of genes, G.
    rng
        Source of random numbers. The effects of the first genes do not depend on how many follow.
    """
    places = [_places(term, levels) for term in terms]
    streams = rng.spawn(2 * len(terms))
    values = [
        np.where(chance.random((genes, 1)) < term.fraction, size.normal(0.0, term.sd, (genes, len(place))), 0.0)
        for term, place, chance, size in zip(terms, places, streams[::2], streams[1::2], strict=True)
    ]
    return Effects(np.concatenate(values, axis=1), tuple(one for place in places for one in place))


def _places(term: Term, levels: Mapping[str, Sequence[str]]) -> list[Levels]:
    """Return the combinations of levels, other than the reference levels, that a term has an effect on."""
    return list(product(*([(variable, level) for level in levels[variable][1:]] for variable in term.variables)))
