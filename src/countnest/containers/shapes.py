"""The shapes that the records of an analysis have, so that estimates can be held against the counts of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from countnest.containers.fit import Analysis

__all__ = ["SHAPES", "misfits"]

G, N, P, Q, K, V, R = "Gnpqkvr"

# By record and field: G genes, n samples, p coefficients, q with priors, k genes with replaced counts, v vertices of a
# curve, r rows of factors (1 or G). Fields that are not named here have the shape (G,).
SHAPES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Analysis": {"factors": (R, N), "weights": (G, N), "raw_weights": (G, N)},
        "BetaPrior": {"variance": (Q,), "beta": (G, Q), "se": (G, Q)},
        "LocalCurve": {"vertices": (V,), "values": (V,), "slopes": (V,)},
        "ModelFit": {"beta": (G, P), "se": (G, P)},
        "Replacement": {"counts": (K, N), "cooks": (K, N), "replaceable": (N,)},
    }
)


def misfits(state: Analysis, genes: int, samples: int, coefficients: int, with_prior: int) -> list[str]:
    """Return what in an analysis does not fit a data set: '' for none, or sentences without an end.

    Parameters
    ----------
    state
        The analysis; its fields are of their types.
    genes, samples, coefficients, with_prior
        G, n, p, and q, the number of coefficients with priors.
    """
    sizes = {G: genes, N: samples, P: coefficients, Q: with_prior, R: genes if state.by_gene else 1}
    if state.replacement is not None:
        sizes[K] = int(np.count_nonzero(state.replacement.flagged))
    return list(_misfits(state, sizes, "the analysis"))


def _misfits(record: Any, sizes: Mapping[str, int], where: str) -> Iterator[str]:  # noqa: ANN401 (a dataclass)
    known = SHAPES.get(type(record).__name__, {})
    own = {V: len(record.vertices)} if "vertices" in known else {}
    for field in fields(record):
        value, name = getattr(record, field.name), f"{where}.{field.name}"
        if isinstance(value, np.ndarray):
            expected = tuple({**sizes, **own}[size] for size in known.get(field.name, (G,)))
            if value.shape != expected:
                yield f"{name} has the shape {value.shape}, where {expected} is needed"
        elif is_dataclass(value):
            yield from _misfits(value, sizes, name)
