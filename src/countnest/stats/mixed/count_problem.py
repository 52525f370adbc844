"""Mixed models of counts, as their kernels take them: samples group by group, and orthogonal columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.errors import DesignError, OptionError
from countnest.kernels.mixed.counts.fit import N_FIT_COLUMNS, count_mixed_chunk
from countnest.kernels.mixed.counts.work import Problem
from countnest.stats.glm.householder import inverse_triangle, ordered_product
from countnest.stats.glm.layout import Layout
from countnest.stats.mixed.count_ends import Settings
from countnest.stats.mixed.records import MixedModel, RandomEffects

__all__ = ["CountProblem", "Found"]

MAX_NODES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the kernels found; see `kernels.mixed.counts.fit`. Effects are those of the groups in their own order."""

    beta: FloatArray
    numbers: FloatArray
    effects: FloatArray
    information: FloatArray
    evaluations: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CountProblem:
    """A model as the kernels take it.

    Attributes
    ----------
    order
        (n,) the samples, group by group.
    layout
        Of the model matrix.
    triangle
        (p, p) R of X = QR, where Q'Q is n times the identity.
    problem
        For the kernels.
    """

    order: IntArray
    layout: Layout
    triangle: FloatArray
    problem: Problem

    @classmethod
    def of(cls, model: MixedModel, nodes: int = 1) -> CountProblem:
        """Return the problem of a model with one random term of one column, and a rule with so many nodes."""
        term = only_term(model)
        if not 1 <= nodes <= MAX_NODES:
            raise OptionError(f"nodes={nodes} must be a whole number from 1 to {MAX_NODES}.")
        n, layout = len(model.matrix), Layout.of(model.matrix, as_given=True)
        order = np.argsort(term.codes, kind="stable")
        _, first, cell = np.unique(model.matrix[order], axis=0, return_index=True, return_inverse=True)
        x, weight = np.polynomial.hermite_e.hermegauss(nodes)
        rule = np.array([x, np.log(weight / np.sqrt(2.0 * np.pi)) + 0.5 * x**2])
        groups = np.concatenate([[0], np.cumsum(np.bincount(term.codes))])
        problem = Problem(
            as_float((np.sqrt(n) * layout.basis)[order][first]),
            as_int(cell.ravel()),
            as_int(groups),
            as_float(term.columns[order, 0]),
            as_float(rule),
        )
        return cls(as_int(order), layout, as_float(layout.triangle / np.sqrt(n)), problem)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of coefficients and of groups."""
        return self.problem.rows.shape[1], len(self.problem.first) - 1

    def sorted(self, values: FloatArray) -> FloatArray:
        """Return arrays (., n) of the samples in the order of the kernels."""
        return as_float(values[:, self.order])

    def fit(self, counts: FloatArray, offset: FloatArray, settings: Settings) -> Found:
        """Fit the genes with counts (G, n) and offsets (1, n) or (G, n), natural log, in the order of the kernels."""
        n_genes, (p, q) = len(counts), self.shape
        found = Found(
            np.empty((n_genes, p)),
            np.empty((n_genes, N_FIT_COLUMNS)),
            np.empty((n_genes, 2, q)),
            np.empty((n_genes, p + 2, p + 2)),
            np.empty(n_genes, dtype=np.int64),
        )
        count_mixed_chunk(
            counts, offset, as_float(settings.start), as_float(settings.prior), as_int(settings.free), settings.method,
            self.problem, found.beta, found.numbers, found.effects, found.information, found.evaluations,
        )  # fmt: skip
        return found

    def coefficients(self, beta: FloatArray) -> FloatArray:
        """Return the coefficients (G, p) of the columns of the model."""
        return ordered_product(beta, inverse_triangle(self.triangle).T)

    def covariance(self, matrices: FloatArray) -> FloatArray:
        """Return covariances (G, p, p) for the columns of the model."""
        inverse = inverse_triangle(self.triangle)
        return as_float(inverse @ matrices @ inverse.T)

    @property
    def log_volume(self) -> float:
        """Log |det R|, by which restricted log-likelihoods of the columns of the model are lower."""
        return float(np.log(np.abs(np.diagonal(self.triangle))).sum())


def only_term(model: MixedModel) -> RandomEffects:
    """Return the random term of a model that has one, of one column."""
    if len(model.terms) != 1 or model.terms[0].n_columns != 1:
        terms = ", ".join(f"({term.label})" for term in model.terms)
        raise DesignError(
            "Quadrature, the next order and posteriors of mixed models of counts take one random term with one column, "
            f"such as (1 | family); this one has {terms}. Use method='laplace', which takes any, or leave terms out."
        )
    return model.terms[0]
