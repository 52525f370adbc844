"""Linear dependence among the columns of a model matrix, found exactly and explained in words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.design.nesting import empty_cells, relation
from countnest.errors import RankError, listing

__all__ = ["Dependence", "check_rank", "find_dependence", "zero_columns"]

# A column is a combination of earlier ones when what remains of it is shorter than this fraction; R's lm uses the same.
TOLERANCE = 1e-7

# Weights of a relation that are smaller than this are rounding errors.
SMALL_WEIGHT = 1e-8


@dataclass(frozen=True, slots=True)
class Dependence:
    """Which columns are linear combinations of earlier ones.

    Attributes
    ----------
    kept
        Places of the independent columns, in order.
    dependent
        For each other column the independent columns and the weights that give it.
    """

    kept: tuple[int, ...]
    dependent: Mapping[int, Mapping[int, float]]

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return len(self.kept)


def zero_columns(matrix: FloatArray) -> BoolArray:
    """Return which columns of a matrix of shape (n, q) are all zero, shape (q,)."""
    zero: BoolArray = ~np.any(matrix != 0, axis=0)
    return zero


def find_dependence(matrix: FloatArray) -> Dependence:
    """Return the columns that are independent of those before them, and the others in terms of these.

    Sequential orthogonalisation in the order of the columns, so that the later one of two equal columns is the
    dependent one.

    Parameters
    ----------
    matrix
        Shape (n, q).

    Returns
    -------
    Dependence
        The independent columns and the relations.

    Notes
    -----
    R counterpart: the pivoting of base::qr (LINPACK) with tolerance 1e-7.
    """
    basis = np.empty((matrix.shape[0], 0))
    kept: list[int] = []
    dependent: dict[int, dict[int, float]] = {}
    for place, column in enumerate(matrix.T):
        rest = column.copy()
        for _ in range(2):  # once more, against the rounding errors of the first time
            rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > TOLERANCE * np.linalg.norm(column):
            basis = np.column_stack([basis, rest / length])
            kept.append(place)
        else:
            dependent[place] = _weights(matrix[:, kept], column, kept)
    return Dependence(tuple(kept), dependent)


def _weights(independent: FloatArray, column: FloatArray, kept: Sequence[int]) -> dict[int, float]:
    """Return the weights of the independent columns that give a column."""
    solution = np.linalg.lstsq(independent, column, rcond=None)[0]
    large = np.abs(solution) > SMALL_WEIGHT * max(1.0, np.abs(solution).max(initial=0.0))
    return {kept[i]: float(solution[i]) for i in range(len(kept)) if large[i]}


def check_rank(
    matrix: FloatArray,
    columns: Sequence[str],
    terms: Sequence[tuple[str, ...]] = (),
    factors: Mapping[str, tuple[IntArray, Sequence[str]]] | None = None,
) -> None:
    """Raise `RankError` unless the columns are independent, and say which are not and why.

    Parameters
    ----------
    matrix
        Shape (n, p).
    columns
        Names of the columns, p of them.
    terms
        The term of each column; empty when they are not known.
    factors
        Codes of shape (n,) and levels of each factor of the design.

    Raises
    ------
    RankError
        A column is a linear combination of others.

    Notes
    -----
    R counterpart: the full-rank check of DESeq2::DESeqDataSet, which does not name the columns.
    """
    dependence = find_dependence(matrix)
    if not dependence.dependent:
        return
    n, p = matrix.shape
    sentences = [
        "the model matrix is not full rank, so the model cannot be fit as specified: "
        f"{len(dependence.dependent)} of {p} columns are linear combinations of the others ({n} samples)",
        _relations(dependence, columns),
        *_confounded_terms(dependence, terms),
    ]
    advice = _factor_advice(dependence, terms, factors or {})
    sentences += advice or ["Leave out one of the terms or columns that are tied, or check the sample sheet"]
    raise RankError(". ".join(sentences) + ".")


def _relations(dependence: Dependence, columns: Sequence[str], limit: int = 5) -> str:
    """Return the first relations as equations, and the count of the others."""
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
    """Return which terms cannot be told apart."""
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
    """Return what ties the factors of the relations, and what to do about it."""
    involved = _involved(dependence, terms)
    names = [name for name in factors if any(name in term for term in involved)]
    advice = [
        sentence for left, right in itertools.combinations(names, 2) if (sentence := _pair_advice(left, right, factors))
    ]
    return advice or _cell_advice(involved, factors)


def _involved(dependence: Dependence, terms: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the terms that take part in the relations, in the order of the columns."""
    places = set(dependence.dependent).union(*dependence.dependent.values())
    return list(dict.fromkeys(terms[place] for place in sorted(places))) if terms else []


def _pair_advice(left: str, right: str, factors: Mapping[str, tuple[IntArray, Sequence[str]]]) -> str:
    """Return a sentence about two factors, or '' when they are crossed."""
    kind = relation(factors[left][0], factors[right][0])
    if kind == "same":
        return (
            f"'{left}' and '{right}' carry the same information (each level of one goes with one level of the other); "
            "keep one of them, since their effects cannot be separated with these samples"
        )
    if kind == "crossed":
        return ""
    inner, outer = (left, right) if kind == "nested" else (right, left)
    counts = f"{len(factors[inner][1])} levels in {len(factors[outer][1])}"
    return (
        f"'{inner}' is nested in '{outer}' ({counts}): differences between levels of '{outer}' cannot be separated "
        f"from '{inner}', differences within '{inner}' can. Leave '{outer}' and its interactions out, or number "
        f"'{inner}' anew within each level of '{outer}' in a text column, say '{inner}_n', and write "
        f"'~ {outer} + {outer}:{inner}_n + ...' with the interactions with '{outer}' that you need"
    )


def _cell_advice(
    involved: Sequence[tuple[str, ...]], factors: Mapping[str, tuple[IntArray, Sequence[str]]]
) -> list[str]:
    """Return which combinations of levels in the interactions have no samples."""
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
