"""Linear dependence among the columns of a model matrix, and messages that explain it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.centring import same_size
from countnest.design.nesting import empty_cells, relation
from countnest.errors import RankError, listing

__all__ = ["Dependence", "check_rank", "confounding", "find_dependence", "zero_columns"]

# A column, centred if there is an intercept, is a combination of earlier ones if its remainder is shorter than this
# fraction. R's lm uses the same number, on columns without centring.
TOLERANCE = 1e-7

# Smaller weights of a relation are rounding errors.
SMALL_WEIGHT = 1e-8


@dataclass(frozen=True, slots=True)
class Dependence:
    """The columns that are linear combinations of earlier ones.

    Attributes
    ----------
    kept
        Positions of the independent columns, in order.
    dependent
        For each other column the independent columns and their weights.
    """

    kept: tuple[int, ...]
    dependent: Mapping[int, Mapping[int, float]]

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return len(self.kept)


def zero_columns(matrix: FloatArray) -> BoolArray:
    """Return the mask (q,) of columns of a matrix (n, q) that are all zero."""
    zero: BoolArray = ~np.any(matrix != 0, axis=0)
    return zero


def find_dependence(matrix: FloatArray) -> Dependence:
    """Return the columns (n, q) that are independent of those before them, and the others in terms of these.

    Sequential orthogonalisation in the order of the columns, so that the later one of two equal columns is the
    dependent one. Neither the unit nor the origin of a number makes a difference: columns are scaled to the same size,
    and numbers are centred if other columns absorb their mean.

    Notes
    -----
    R counterpart: the pivoting of base::qr (LINPACK) with tolerance 1e-7, which loses a time in Unix seconds.
    """
    n, q = matrix.shape
    basis = np.empty((n, min(n, q)), order="F")
    kept: list[int] = []
    for place, column in enumerate(same_size(matrix)[0].T):
        found = basis[:, : len(kept)]
        rest = column.copy()
        for _ in range(2):  # twice, against rounding errors
            rest = rest - found @ (found.T @ rest)
        length = np.linalg.norm(rest)
        if len(kept) < n and length > TOLERANCE * np.linalg.norm(column):
            basis[:, len(kept)] = rest / length
            kept.append(place)
    others = sorted(set(range(q)) - set(kept))
    return Dependence(tuple(kept), _weights(matrix, kept, others))


def _weights(matrix: FloatArray, kept: Sequence[int], others: Sequence[int]) -> dict[int, dict[int, float]]:
    """Return for each other column the weights of the independent columns that give it."""
    if not others:
        return {}
    working, change, _ = same_size(matrix, by=kept)
    given = np.linalg.lstsq(working[:, kept], working[:, others], rcond=None)[0]
    solution = (change[np.ix_(kept, kept)] @ given - change[np.ix_(kept, others)]).T / np.diag(change)[
        others, np.newaxis
    ]
    size = np.abs(matrix).max(axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    scaled = solution * (size[kept] / size[others, np.newaxis])
    large = np.abs(scaled) > SMALL_WEIGHT * np.maximum(1.0, np.abs(scaled).max(axis=1, initial=0.0, keepdims=True))
    return {
        place: {kept[i]: float(weights[i]) for i in np.flatnonzero(chosen).tolist()}
        for place, weights, chosen in zip(others, solution, large, strict=True)
    }


def check_rank(matrix: FloatArray, columns: Sequence[str]) -> None:
    """Raise `RankError`, naming the dependent columns, unless the columns (n, p) are independent.

    Notes
    -----
    R counterpart: the full-rank check of DESeq2::DESeqDataSet, which does not name the columns.
    """
    if find_dependence(matrix).dependent:
        raise RankError(confounding(matrix, columns))


def confounding(
    matrix: FloatArray,
    columns: Sequence[str],
    terms: Sequence[tuple[str, ...]] = (),
    factors: Mapping[str, tuple[IntArray, Sequence[str]]] | None = None,
) -> str:
    """Return a message on which columns are combinations of others, why, and what to do.

    Parameters
    ----------
    matrix
        Shape (n, p).
    columns
        Names of the columns, p of them.
    terms
        The term of each column; empty if unknown.
    factors
        Codes of shape (n,) and levels of each factor of the design.
    """
    dependence = find_dependence(matrix)
    n, p = matrix.shape
    sentences = [
        "the model matrix is not full rank, so the model cannot be fit as specified: "
        f"{len(dependence.dependent)} of {p} columns are linear combinations of the others ({n} samples)",
        _relations(dependence, columns),
        *_confounded_terms(dependence, terms),
    ]
    advice = _factor_advice(dependence, terms, factors or {})
    sentences += advice or ["Leave out one of the dependent terms or columns, or check the sample sheet"]
    return ". ".join(sentences) + "."


def _relations(dependence: Dependence, columns: Sequence[str], limit: int = 5) -> str:
    """Return the first relations as equations, and the number of others."""
    equations = [
        f"{columns[place]} = {_combination(weights, columns)}" for place, weights in dependence.dependent.items()
    ]
    hidden = len(equations) - limit
    return "; ".join(equations[:limit]) + (f"; and {hidden} more" if hidden > 0 else "")


def _combination(weights: Mapping[int, float], columns: Sequence[str], limit: int = 6) -> str:
    """Return a linear combination as text: 'a - 0.5*b'."""
    pieces = []
    for place, weight in itertools.islice(weights.items(), limit):
        sign = "-" if weight < 0 else "+"
        size = f"{abs(weight):.4g}"
        pieces.append(f"{sign} {columns[place] if size == '1' else f'{size}*{columns[place]}'}")
    text = " ".join(pieces).removeprefix("+ ")
    hidden = len(weights) - limit
    return (text or "0") + (f" + {hidden} more" if hidden > 0 else "")


def _confounded_terms(dependence: Dependence, terms: Sequence[tuple[str, ...]]) -> list[str]:
    """Return sentences on the terms that cannot be separated."""
    tied: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for place, weights in dependence.dependent.items() if terms else ():
        others = (terms[i] for i in weights if terms[i] not in ((), terms[place]))
        tied.setdefault(terms[place], {}).update(dict.fromkeys(others))
    return [
        f"The term '{':'.join(term)}' is confounded with {listing(':'.join(other) for other in others)}"
        for term, others in tied.items()
        if others
    ]


def _factor_advice(
    dependence: Dependence,
    terms: Sequence[tuple[str, ...]],
    factors: Mapping[str, tuple[IntArray, Sequence[str]]],
) -> list[str]:
    """Return sentences on how the factors of the relations are confounded, and what to do."""
    involved = _involved(dependence, terms)
    names = [name for name in factors if any(name in term for term in involved)]
    pairs = list(itertools.combinations(names, 2))
    same = [_same_advice(left, right) for left, right in pairs if _relation(left, right, factors) == "same"]
    return (
        same
        or _cell_advice(involved, factors)
        or [sentence for left, right in pairs if (sentence := _only_advice(left, right, factors))]
    )


def _relation(left: str, right: str, factors: Mapping[str, tuple[IntArray, Sequence[str]]]) -> str:
    return relation(factors[left][0], factors[right][0])


def _involved(dependence: Dependence, terms: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the terms of the relations, in the order of the columns."""
    places = set(dependence.dependent).union(*dependence.dependent.values())
    return list(dict.fromkeys(terms[place] for place in sorted(places))) if terms else []


def _same_advice(left: str, right: str) -> str:
    """Return a sentence about two factors that divide the samples in the same way."""
    return (
        f"'{left}' and '{right}' carry the same information (each level of one goes with one level of the other); "
        "keep one of them, since their effects cannot be separated with these samples"
    )


def _only_advice(left: str, right: str, factors: Mapping[str, tuple[IntArray, Sequence[str]]]) -> str:
    """Return a sentence about levels of two crossed factors that occur only together, or ''."""
    (a, a_levels), (b, b_levels) = factors[left], factors[right]
    pairs = [
        f"{left} {a_levels[i]} was only run with {right} {b_levels[j]}"
        for i, j in sorted(set(zip(a.tolist(), b.tolist(), strict=True)))
        if np.array_equal(a == i, b == j)
    ]
    if not pairs:
        return ""
    return f"{', and '.join(pairs[:3])}, so their effects cannot be separated; leave these samples or one factor out"


def _cell_advice(
    involved: Sequence[tuple[str, ...]], factors: Mapping[str, tuple[IntArray, Sequence[str]]]
) -> list[str]:
    """Return the combinations of levels in the interactions that have no samples."""
    names = [[name for name in term if name in factors] for term in involved]
    pairs = dict.fromkeys(pair for term in names for pair in itertools.combinations(term, 2))
    cells = [
        f"{left}={factors[left][1][a]}, {right}={factors[right][1][b]}"
        for left, right in pairs
        for a, b in empty_cells(factors[left][0], factors[right][0])
    ]
    if not cells:
        return []
    return [f"No samples have {listing(cells)}, so the interaction cannot be estimated; leave it out"]
