"""Models whose random terms share their eigenvectors, and models with one random term: what their kernels work on.

G genes, n samples, p coefficients, t terms, m levels. The kernel of a term is K = Z Z', with Z its model matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, as_int
from countnest.kernels.mixed.gene import Inputs
from countnest.stats.mixed.records import MixedModel, RandomEffects

__all__ = ["LevelsModel", "chunk_inputs", "levels_model", "memory_of_parts"]

# Relative to the size of the kernels: products in both orders that are equal, and eigenvalues that are.
COMMUTE, EQUAL = 1e-8, 1e-10
# With more samples, several terms are not searched for common eigenvectors, which takes time in n^3.
MANY = 2000


@dataclass(frozen=True, slots=True, eq=False)
class LevelsModel:
    """A model matrix with orthogonal columns, and the eigenspaces of the random terms.

    Attributes
    ----------
    columns, triangle
        (n, p) Q with Q'Q = n, and (p, p) R: the model matrix is QR.
    column, codes
        (n,) of the single term; zeros where there are several.
    eigenvalues, bases
        (m, t) of the levels, and an orthonormal basis (n, c) of each; the first level, with eigenvalues of zero, has
        none: it is what the others leave. No levels where samples have weights.
    dimensions
        (m,) number of dimensions of the levels.
    """

    columns: FloatArray
    triangle: FloatArray
    column: FloatArray
    codes: IntArray
    eigenvalues: FloatArray
    bases: tuple[FloatArray, ...]
    dimensions: FloatArray

    @property
    def n_terms(self) -> int:
        """Number t of random terms."""
        return int(self.eigenvalues.shape[1])

    @property
    def log_triangle(self) -> float:
        """The log-determinant of R'R."""
        return float(2.0 * np.log(np.abs(np.diag(self.triangle))).sum())

    def own(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (k, p) as those of the orthogonal columns."""
        return as_float(np.linalg.solve(self.triangle.T, contrasts.T).T)

    def levels_of(self, values: FloatArray) -> list[FloatArray]:
        """Return values (., n) in coordinates of each level (., c); of the first one (., n), what others leave."""
        # Not products of matrices, whose last bits depend on how many rows there are.
        parts = [np.einsum("gn,nc->gc", values, basis) for basis in self.bases]
        rest = values.copy()
        for part, basis in zip(parts, self.bases, strict=True):
            rest -= np.einsum("gc,nc->gn", part, basis)
        return [as_float(rest), *(as_float(part) for part in parts)]


def levels_model(model: MixedModel, *, weighted: bool) -> LevelsModel | None:
    """Return a model as the kernels need it, or None where it takes general methods.

    A single term with one column always has levels, and several have if their kernels commute, as they do in balanced
    layouts; with weights only a single term has.
    """
    if any(term.n_columns > 1 for term in model.terms) or (weighted and len(model.terms) > 1):
        return None
    n = len(model.matrix)
    if len(model.terms) == 1:
        eigenvalues, bases = ([], []) if weighted else _levels_of_groups(model.terms[0])
        column, codes = model.terms[0].columns[:, 0], model.terms[0].codes
    else:
        found = _common_levels(model)
        if found is None:
            return None
        eigenvalues, bases = found
        column, codes = np.zeros(n), np.zeros(n, dtype=np.int64)
    columns, triangle = np.linalg.qr(model.matrix)
    dimensions = np.array([basis.shape[1] for basis in bases], dtype=np.float64)
    return LevelsModel(
        columns=as_float(columns * np.sqrt(n)),
        triangle=as_float(triangle / np.sqrt(n)),
        column=as_float(column),
        codes=as_int(codes),
        eigenvalues=as_float(np.vstack([np.zeros((1, len(model.terms))), *eigenvalues])),
        bases=tuple(as_float(basis) for basis in bases),
        dimensions=np.concatenate([[n - dimensions.sum()], dimensions]),
    )


def _levels_of_groups(term: RandomEffects) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the eigenvalues other than zero (1,) of a term with one column, and their bases."""
    sizes = np.bincount(term.codes, weights=term.columns[:, 0] ** 2)
    bases, eigenvalues = [], []
    some = np.flatnonzero(sizes > 0)
    matrix = term.matrix[:, some] / np.sqrt(sizes[some])
    for members in _equal(as_float(sizes[some, np.newaxis]), float(sizes.max())):
        eigenvalues.append(np.array([sizes[some][members].mean()]))
        bases.append(matrix[:, members])
    return eigenvalues, bases


def _common_levels(model: MixedModel) -> tuple[list[FloatArray], list[FloatArray]] | None:
    """Return the eigenvalues other than zero (t,) of kernels that commute, and their bases; None: they do not."""
    if len(model.matrix) > MANY:
        return None
    kernels = [term.matrix @ term.matrix.T for term in model.terms]
    sizes = [float(np.linalg.norm(kernel)) for kernel in kernels]
    for k, one in enumerate(kernels):
        for j in range(k):
            if np.linalg.norm(one @ kernels[j] - kernels[j] @ one) > COMMUTE * sizes[k] * sizes[j]:
                return None
    parts = [kernel * np.pi**-k / size for k, (kernel, size) in enumerate(zip(kernels, sizes, strict=True))]
    _, vectors = np.linalg.eigh(sum(parts, np.zeros(1)))
    turned = [vectors.T @ kernel @ vectors for kernel in kernels]
    values = np.column_stack([np.diag(each) for each in turned])
    for each, size in zip(turned, sizes, strict=True):
        if np.linalg.norm(each - np.diag(np.diag(each))) > COMMUTE * size:
            return None
    values = values / sizes
    values[np.abs(values) < COMMUTE] = 0.0
    groups = [members for members in _equal(values, 1.0) if values[members[0]].any()]
    return [values[members].mean(axis=0) * sizes for members in groups], [vectors[:, members] for members in groups]


def _equal(values: FloatArray, size: float) -> list[IntArray]:
    """Return the places of rows (m, t) that are equal, up to rounding."""
    ranks = np.empty(values.shape, dtype=np.int64)
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column])
        ranks[order, column] = np.cumsum(np.diff(values[order, column], prepend=-np.inf) > EQUAL * size)
    _, group = np.unique(ranks, axis=0, return_inverse=True)
    return [as_int(np.flatnonzero(group.reshape(-1) == each)) for each in range(int(group.max()) + 1)]


def chunk_inputs(model: LevelsModel, values: FloatArray, weights: FloatArray | None) -> Inputs:
    """Return what the kernel takes of genes (G, n).

    Values are finite; those of samples without weight do not matter.
    """
    n, p = model.columns.shape
    packed = np.tril_indices(p)
    shared = weights is None
    several = shared and model.n_terms > 1
    levels = model.levels_of(as_float(model.columns.T)) if shared else []
    coordinates, level_of, sizes, basis = np.zeros((0, p)), np.zeros(0), np.zeros(0), np.zeros((n, 0))
    if several:
        whole = _completed(model.bases)
        basis = np.hstack([whole, *model.bases])
        level_of = np.repeat(np.arange(len(levels)), [each.shape[1] for each in (whole, *model.bases)])
        coordinates = basis.T @ model.columns
    elif shared:
        sizes = as_float(np.bincount(model.codes, weights=model.column**2))
        roots = np.sqrt(np.where(sizes > 0, sizes, np.inf))
        coordinates = np.zeros((len(sizes), p))
        np.add.at(coordinates, model.codes, model.column[:, np.newaxis] * model.columns)
        coordinates /= roots[:, np.newaxis]
        level_of = np.argmin(np.abs(model.eigenvalues[:, 0] - sizes[:, np.newaxis]), axis=1)
    return Inputs(
        values=as_float(values),
        weights=np.zeros((0, n)) if weights is None else as_float(weights),
        columns=model.columns,
        column=model.column,
        codes=model.codes,
        eigenvalues=model.eigenvalues,
        multiplicity=model.dimensions,
        matrices=as_float(np.array([(each @ each.T)[packed] for each in levels]).reshape(len(levels), len(packed[0]))),
        level_of=as_int(level_of),
        coordinates=as_float(coordinates),
        sizes=as_float(sizes),
        within=as_float(levels[0].T) if shared else np.zeros((0, p)),
        basis=as_float(basis),
    )


def _completed(bases: tuple[FloatArray, ...]) -> FloatArray:
    """Return an orthonormal basis (n, c) of what is orthogonal to some bases."""
    together = np.hstack(bases)
    whole, _ = np.linalg.qr(together, mode="complete")
    return as_float(whole[:, together.shape[1] :])


def observed(values: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, BoolArray]:
    """Return values (G, n) without gaps, and which samples (G, n) count; without weight, a gene's mean takes the place.

    Values that count and are not finite stay.
    """
    there = np.ones(values.shape, dtype=np.bool_) if weights is None else np.broadcast_to(weights > 0, values.shape)
    if there.all():
        return values, there
    number = np.maximum(there.sum(axis=1, keepdims=True), 1)
    means = np.where(there, values, 0.0).sum(axis=1, keepdims=True) / number
    return as_float(np.where(there, values, means)), there


def memory_of_parts(genes: int, terms: int, pairs: int) -> tuple[FloatArray, ...]:
    """Return the arrays into which the kernel writes parts."""
    shapes = ((pairs,), (terms, pairs), (terms * (terms + 1) // 2, pairs), (3, terms), (3, terms, terms))
    return tuple(np.full((genes, *shape), np.nan) for shape in shapes)
