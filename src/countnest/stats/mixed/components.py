"""Which random effects meet in a sample: components, and the order in which their levels are eliminated.

n samples, c random columns, t variance parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.mixed.general.sweeps import Structure
from countnest.stats.mixed.records import MixedModel, RandomEffects

__all__ = ["Layout", "layout_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A mixed model as the kernels take it.

    Attributes
    ----------
    structure
        Its fixed columns are orthogonal with mean square one.
    triangle
        (p, p) R: the model matrix is the fixed columns @ R.
    scales
        For each term (k, k) R: its columns are those of the structure @ R.
    places
        For each term (levels, 2): component and first place of the coefficients of each level.
    """

    structure: Structure
    triangle: FloatArray
    scales: tuple[FloatArray, ...]
    places: tuple[IntArray, ...]

    @property
    def largest(self) -> int:
        """Number q of random effects of the largest component."""
        return int(self.structure.place.max()) + 1


def layout_of(model: MixedModel, *, standardized: bool) -> Layout:
    """Return the layout of a model.

    Parameters
    ----------
    standardized
        Whether the columns of each term are made orthogonal, in which a search for their variances is well scaled.
    """
    basis, triangle = _orthogonal(model.matrix)
    pairs = [_orthogonal(term.columns) if standardized else _as_given(term.columns) for term in model.terms]
    component, labels = _components(model.terms)
    pointer, levels, places = _levels(model.terms, labels)
    starts = np.cumsum([0, *(term.n_columns for term in model.terms)])
    entries = [
        (start + row, start + column)
        for start, term in zip(starts, model.terms, strict=False)
        for column in range(term.n_columns)
        for row in range(column, term.n_columns)
    ]
    place = [
        at[term.codes, 1][:, np.newaxis] + np.arange(term.n_columns)
        for at, term in zip(places, model.terms, strict=True)
    ]
    structure = Structure(
        basis,
        as_float(np.hstack([columns for columns, _ in pairs])),
        as_int(component),
        as_int(np.hstack(place)),
        pointer,
        levels,
        as_int(starts),
        as_int(entries),
        as_int(np.cumsum([0, *(term.n_columns * (term.n_columns + 1) // 2 for term in model.terms)])),
    )
    return Layout(structure, triangle, tuple(scale for _, scale in pairs), places)


def _orthogonal(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthogonal columns (n, k) with mean square one, and the upper triangle that gives the columns."""
    root = np.sqrt(len(columns))
    q, r = np.linalg.qr(columns)
    sign = np.where(np.diag(r) < 0, -1.0, 1.0)
    return as_float(q * sign * root), as_float(r * sign[:, np.newaxis] / root)


def _as_given(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    return as_float(columns), np.eye(columns.shape[1])


def _components(terms: tuple[RandomEffects, ...]) -> tuple[IntArray, tuple[IntArray, ...]]:
    """Return the component of each sample (n,), and of the levels of each term (levels,)."""
    n = len(terms[0].codes)
    offsets = np.cumsum([n, *(term.n_levels for term in terms)])
    rows = np.tile(np.arange(n), len(terms))
    columns = np.concatenate([offset + term.codes for offset, term in zip(offsets, terms, strict=False)])
    size = int(offsets[-1])
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    labels = tuple(as_int(label[offset : offset + term.n_levels]) for offset, term in zip(offsets, terms, strict=False))
    return as_int(label[:n]), labels


def _levels(
    terms: tuple[RandomEffects, ...], labels: tuple[IntArray, ...]
) -> tuple[IntArray, IntArray, tuple[IntArray, ...]]:
    """Return pointer, levels and places: in a component, the term with most levels is eliminated first."""
    order = sorted(range(len(terms)), key=lambda term: -terms[term].n_levels)
    n_components = 1 + max(int(of.max()) for of in labels)
    filled = np.zeros(n_components, dtype=np.int64)
    rows: list[tuple[int, int, int]] = []
    places = [np.zeros((term.n_levels, 2), dtype=np.int64) for term in terms]
    for term in order:
        for level, component in enumerate(labels[term]):
            places[term][level] = component, filled[component]
            rows.append((int(component), term, int(filled[component])))
            filled[component] += terms[term].n_columns
    table = np.array(sorted(rows, key=lambda row: (row[0], row[2])), dtype=np.int64)
    pointer = np.searchsorted(table[:, 0], np.arange(n_components + 1))
    return as_int(pointer), as_int(table[:, 1:]), tuple(as_int(each) for each in places)
