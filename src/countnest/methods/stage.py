"""The stage of an analysis that all methods share: normalized counts. G genes, n samples."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from countnest.arrays import BoolArray, FloatArray
from countnest.options import SizeFactorType

__all__ = ["BaseMoments", "Normalized", "at_stage"]

Stage = TypeVar("Stage", bound="Normalized")


@dataclass(frozen=True, slots=True, eq=False)
class BaseMoments:
    """Moments of the normalized counts of every gene, before any model, each (G,).

    Attributes
    ----------
    mean, variance
        Of the normalized counts, times their observation weights where there are any.
    all_zero
        Genes that are not fitted: without any count whose weight is above zero, or whose weights do not suffice.
    weights_fail
        Genes whose observation weights leave too few samples for the model; None without weights.
    """

    mean: FloatArray
    variance: FloatArray
    all_zero: BoolArray
    weights_fail: BoolArray | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Normalized:
    """The first stage: size factors or normalization factors, and the moments of the normalized counts.

    Attributes
    ----------
    factors
        (1, n) size factors or (G, n) normalization factors.
    given
        Whether the factors were given, not estimated.
    by_gene
        Whether they are normalization factors, one for each gene and sample; a single gene has (1, n) of either.
    weights
        (G, n) observation weights of the fits, the largest of each gene one; None: all counts count alike.
    kind
        How the factors were estimated; None where they were given, or kept from an earlier step.
    raw_weights
        (G, n) observation weights as they were given, for the moments.
    moments
        Moments of the normalized counts; after replacement of outliers, of the replaced ones.
    """

    factors: FloatArray
    given: bool
    moments: BaseMoments
    weights: FloatArray | None = None
    raw_weights: FloatArray | None = None
    by_gene: bool = False
    kind: SizeFactorType | None = None


def at_stage(stage: type[Stage], state: Normalized, **changes: Any) -> Stage:  # noqa: ANN401 (the fields)
    """Return a state at another stage: the fields that both stages have, and `changes`."""
    kept = {field.name: getattr(state, field.name) for field in fields(stage) if hasattr(state, field.name)}
    return stage(**(kept | changes))
