"""Hidden factors: a batch, or a quantity, that acts on many genes and is not in the sample sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.errors import OptionError, kind_of
from countnest.options import check_option
from countnest.signature import checked_methods
from countnest.simulate.argument import correlation, number, probability

__all__ = ["Hidden", "HiddenFactor", "draw_hidden", "hidden_factors", "scores"]

HiddenKind = Literal["batch", "continuous"]


@checked_methods
@dataclass(frozen=True, slots=True)
class HiddenFactor:
    """A factor that acts on many genes and is not in the sample sheet.

    Attributes
    ----------
    kind
        "batch": 0 or 1 for each sample; "continuous": a standard normal value for each sample.
    fraction
        Probability that it acts on a gene, from 0 to 1.
    sd
        Standard deviation of its effects on these genes, natural log: of batch 1 against batch 0, or of one unit of a
        continuous factor.
    correlation
        Correlation with the groups, from -1 to 1. For two groups of equal size and a batch, a share (1 + correlation)/2
        of the last group and (1 - correlation)/2 of the first is in batch 1, as far as whole samples allow: with 1 the
        batches are the groups, and no method can tell their effects apart. A continuous factor has this correlation
        in expectation.

    Raises
    ------
    OptionError
        A value is outside its domain.

    Examples
    --------
    >>> HiddenFactor(sd=0.4, correlation=0.5)
    HiddenFactor(kind='batch', fraction=0.5, sd=0.4, correlation=0.5)
    """

    kind: HiddenKind = "batch"
    fraction: float = 0.5
    sd: float = 0.5
    correlation: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        check_option("kind", self.kind, HiddenKind)
        probability("fraction", self.fraction)
        number("sd", self.sd)
        correlation("correlation", self.correlation)

    def draw_values(self, score: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw the values, shape (n,), for samples whose groups have a score (n,) from -1 to 1."""
        if self.kind == "continuous":
            shared = self.correlation * (score - np.mean(score)) / np.std(score)
            return np.asarray(shared + np.sqrt(1.0 - self.correlation**2) * rng.standard_normal(len(score)))
        values = np.zeros(len(score))
        for one in np.unique(score):
            members = rng.permutation(np.flatnonzero(score == one))
            # A share that is no whole number of samples is rounded up or down at random.
            size = int(np.floor(len(members) * (1.0 + self.correlation * one) / 2.0 + rng.random()))
            values[members[:size]] = 1.0
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What was drawn for k hidden factors.

    Attributes
    ----------
    values
        By sample, shape (n, k).
    effects
        By gene, shape (G, k), natural log for one unit of the value.
    """

    values: FloatArray
    effects: FloatArray

    @property
    def names(self) -> list[str]:
        """Return the names hidden1, hidden2, ... of the factors."""
        return [f"hidden{place}" for place in range(1, self.values.shape[1] + 1)]

    def on_samples(self) -> FloatArray:
        """Return the sum of the effects, natural log, shape (G, n)."""
        return self.effects @ self.values.T


def hidden_factors(value: object) -> tuple[HiddenFactor, ...]:
    """Return the hidden factors that an argument `hidden` gives: one, several, or none."""
    given = value if isinstance(value, list | tuple) else (value,)
    for one in given:
        if not isinstance(one, HiddenFactor):
            raise OptionError(
                f"hidden holds {kind_of(one)}; give a factor such as simulate.HiddenFactor(kind='batch', sd=0.5), or a "
                "list of them."
            )
    return tuple(given)


def scores(column: pd.Series, levels: Sequence[str]) -> FloatArray:
    """Return for each sample the place of its level between the first, -1, and the last, 1; shape (n,)."""
    places = np.linspace(-1.0, 1.0, len(levels))
    return np.asarray(column.map(dict(zip(levels, places, strict=True))), dtype=np.float64)


def draw_hidden(factors: Sequence[HiddenFactor], score: FloatArray, genes: int, rng: np.random.Generator) -> Hidden:
    """Draw the values and effects of hidden factors; the effects of the first genes do not depend on how many follow.

    Parameters
    ----------
    factors
        The k factors.
    score
        By sample, (n,), from -1 in the first group to 1 in the last.
    genes
        Number of genes, G.
    rng
        Source of random numbers.
    """
    values, effects = np.zeros((len(score), len(factors))), np.zeros((genes, len(factors)))
    for place, factor in enumerate(factors):
        for_values, chance, size = rng.spawn(3)
        values[:, place] = factor.draw_values(score, for_values)
        effects[:, place] = np.where(chance.random(genes) < factor.fraction, size.normal(0.0, factor.sd, genes), 0.0)
    return Hidden(values, effects)
