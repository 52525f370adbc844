"""Tests of gene sets on the fit of any method: what a fit offers for them.

A fit whose values linear models can be fitted to offers tests of gene sets by a method `gene_set_data`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from countnest.arrays import BoolArray, FloatArray
from countnest.stats.edger.levels import Compat
from countnest.stats.gene_sets.effects import LinearData

__all__ = ["GeneSetData", "TakesGeneSets"]


@dataclass(frozen=True, slots=True, eq=False)
class GeneSetData:
    """What tests of gene sets are made of.

    Attributes
    ----------
    data
        Values of the genes that were fitted (m, n), their design and weights.
    fitted
        (G,) which genes these are.
    compat
        The release whose behaviour the fit has; None: the newest, with exact numbers.
    """

    data: LinearData
    fitted: BoolArray
    compat: Compat | str | None = None


@runtime_checkable
class TakesGeneSets(Protocol):
    """A fit that has values for tests of gene sets."""

    def gene_set_data(self, contrast: FloatArray) -> GeneSetData:
        """Return the values for tests of a contrast (p,) of the coefficients."""
        ...
