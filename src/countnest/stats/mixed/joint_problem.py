"""Mixed models of counts with any random terms, as their kernels take them.

n samples, c random columns, p coefficients, t variance parameters, q random effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.mixed.joint.skyline import skyline_of
from countnest.kernels.mixed.joint.work import Joint
from countnest.stats.glm.householder import inverse_triangle, ordered_product
from countnest.stats.mixed.components import Layout, layout_of
from countnest.stats.mixed.covariances import entries_of, factors_of, in_given_columns
from countnest.stats.mixed.records import MixedModel

__all__ = ["JointProblem"]


@dataclass(frozen=True, slots=True, eq=False)
class JointProblem:
    """A model as the kernels take it, in which the columns of each term are orthogonal.

    Attributes
    ----------
    model
        As it was given.
    layout
        Its columns, and which random effects meet.
    joint
        For the kernels.
    level, column
        (q,) the first unknown of the level of each random effect, and its column.
    """

    model: MixedModel
    layout: Layout
    joint: Joint
    level: IntArray
    column: IntArray

    @classmethod
    def of(cls, model: MixedModel) -> JointProblem:
        """Return the problem of a model."""
        layout = layout_of(model, standardized=True)
        structure = layout.structure
        (n, c), p = structure.columns.shape, structure.basis.shape[1]
        level, column = _levels(model, layout)
        q = len(level)
        start = _starts(layout)[structure.component][:, np.newaxis]
        place = np.hstack([structure.place + start, np.broadcast_to(q + np.arange(p), (n, p))])
        first = np.concatenate([level, np.zeros(p, dtype=np.int64)])
        for column_place in place[:, :c].T:
            np.minimum.at(first, column_place, place[:, :c].min(axis=1))
        skyline = skyline_of(as_int(first))
        one, other = np.tril_indices(c + p)
        pairs = place[:, one], place[:, other]
        slot = skyline.row[np.maximum(*pairs)] + np.minimum(*pairs)
        joint = Joint(
            as_float(np.hstack([structure.columns, structure.basis])), as_int(place), as_int(slot), structure.entries,
            skyline,
        )  # fmt: skip
        return cls(model, layout, joint, level, column)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of variance parameters, of coefficients and of random effects."""
        return len(self.joint.entries), self.layout.structure.basis.shape[1], len(self.level)

    def coefficients(self, beta: FloatArray) -> FloatArray:
        """Return the coefficients (G, p) of the columns of the model."""
        return ordered_product(beta, inverse_triangle(self.layout.triangle).T)

    def covariance(self, matrices: FloatArray) -> FloatArray:
        """Return covariances (G, p, p) for the columns of the model."""
        inverse = inverse_triangle(self.layout.triangle)
        return as_float(inverse @ matrices @ inverse.T)

    @property
    def log_volume(self) -> float:
        """Log |det R|, by which restricted log-likelihoods of the columns of the model are lower."""
        return float(np.log(np.abs(np.diagonal(self.layout.triangle))).sum())

    def theta(self, found: FloatArray) -> FloatArray:
        """Return theta (G, t) of the columns of the model."""
        return in_given_columns(found, self.model, self.layout.scales)

    def theta_variances(self, found: FloatArray, covariance: FloatArray) -> FloatArray:
        """Return variances (G, t) of theta of the columns of the model, from covariances (G, t, t) of that found.

        NaN for terms with several columns and a singular covariance, whose theta has no derivative there.
        """
        slopes = np.zeros(covariance.shape)
        given = factors_of(self.theta(found), self.model)
        entries = entries_of(self.model)
        for r, (term, row, column) in enumerate(entries):
            inverse = inverse_triangle(self.layout.scales[term])
            root, own = inverse @ factors_of(found, self.model)[term], given[term]
            if own.shape[1] == 1:
                slopes[:, r, r] = inverse[0, 0]
                continue
            usable = np.isfinite(own).all(axis=(1, 2)) & (np.diagonal(own, axis1=1, axis2=2) > 0.0).all(axis=1)
            change = inverse[:, row, np.newaxis] * root[usable][:, np.newaxis, :, column]
            moved = _change_of_factor(own[usable], change + change.transpose(0, 2, 1))
            for s, (other, a, b) in enumerate(entries):
                if other == term:
                    slopes[~usable, s, r] = np.nan
                    slopes[usable, s, r] = moved[:, a, b]
        return as_float((slopes @ covariance * slopes).sum(axis=2))

    def effects(self, found: FloatArray, modes: FloatArray, blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return random effects (G, q), term after term, and their standard deviations; of modes and their blocks."""
        values, deviations = [], []
        start = _starts(self.layout)
        for term, places, scale, factor in zip(
            self.model.terms, self.layout.places, self.layout.scales, factors_of(found, self.model), strict=True
        ):
            k = term.n_columns
            root = inverse_triangle(scale) @ factor
            at = (start[places[:, 0]] + places[:, 1])[:, np.newaxis] + np.arange(k)
            values.append((modes.take(at, axis=1) @ root.transpose(0, 2, 1)).reshape(len(found), -1))
            own = root[:, np.newaxis]
            variances = (own @ blocks[..., :k].take(at, axis=1) * own).sum(axis=3)
            deviations.append(np.sqrt(np.maximum(variances, 0.0)).reshape(len(found), -1))
        return as_float(np.hstack(values)), as_float(np.hstack(deviations))


def _starts(layout: Layout) -> IntArray:
    """Return the first unknown of each component, and their number."""
    structure = layout.structure
    sizes = np.zeros(len(structure.pointer) - 1, dtype=np.int64)
    np.maximum.at(sizes, structure.component, structure.place.max(axis=1) + 1)
    return as_int(np.concatenate([[0], np.cumsum(sizes)]))


def _levels(model: MixedModel, layout: Layout) -> tuple[IntArray, IntArray]:
    """Return the first unknown of the level of each random effect, and its column."""
    start = _starts(layout)
    level, column = np.zeros(start[-1], dtype=np.int64), np.zeros(start[-1], dtype=np.int64)
    for term, places, first in zip(model.terms, layout.places, layout.structure.starts, strict=False):
        for a in range(term.n_columns):
            own = start[places[:, 0]] + places[:, 1]
            level[own + a], column[own + a] = own, first + a
    return level, column


def _change_of_factor(factor: FloatArray, change: FloatArray) -> FloatArray:
    """Return how Cholesky factors (G, k, k) change where their squares change by `change`."""
    inner = np.linalg.solve(factor, np.linalg.solve(factor, change).transpose(0, 2, 1))
    half = np.tril(inner)
    half[:, np.arange(half.shape[1]), np.arange(half.shape[1])] *= 0.5
    return as_float(factor @ half)
