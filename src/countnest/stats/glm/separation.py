"""Separation: maximum likelihood estimates that do not exist, because whole cells have no count.

With a log link the likelihood of a gene rises without end along a direction d of the coefficients exactly if d leaves
the linear predictor of every sample with a positive count as it is, and lowers that of samples with zero counts. These
directions are a cone; a contrast c'beta is infinite, or undetermined, where c is not orthogonal to it.

Sources: Albert and Anderson (1984), doi:10.1093/biomet/71.1.1; Correia, Guimaraes and Zylkin (2019), arXiv:1903.01633;
projections on cones: Moreau (1962), Comptes rendus 255:238; Lawson and Hanson (1974), Solving Least Squares Problems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.glm.subset import cross_products, distinct, orthonormal, slices, surely_full_rank

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["cell_flags", "diverging_directions", "free_directions", "separated", "separated_by_cells"]

# Lengths below this fraction of the largest are zero.
TOLERANCE = 1e-9
# Of eigenvalues from 0 to 1, which are squares of lengths: those below the first are zero, those above the second are
# not, and the eigenvectors of zero are then exact to twelve digits. Others are looked at again.
NO_LENGTH, CLEAR_LENGTH = 1e-13, 1e-4
# Rows that may enter the least squares, for each column.
MAX_TURNS = 20


def separated(
    counts: FloatArray, contrasts: FloatArray, layout: Layout, weights: FloatArray | None = None
) -> BoolArray:
    """Return for which genes and contrasts, (G, k), the maximum likelihood estimate is not finite.

    Decided by the design and by where the zeros are, not by the size of an estimate.

    Parameters
    ----------
    counts
        (G, n), those that the model was fitted to. Genes without any count are never called separated: they are not
        fitted.
    contrasts
        (k, p) weights of the coefficients.
    layout
        Of the model matrix.
    weights
        (1, n) or (G, n) observation weights; samples of weight zero say nothing. None: all count.
    """
    return separated_by_cells(*cell_flags(counts, layout, weights), contrasts, layout)


def separated_by_cells(counted: BoolArray, used: BoolArray, contrasts: FloatArray, layout: Layout) -> BoolArray:
    """Do as `separated` does, for genes given by their `cell_flags`."""
    contrasts = np.atleast_2d(contrasts)
    found = np.zeros((len(counted), len(contrasts)), dtype=np.bool_)
    rows = np.flatnonzero(counted.any(axis=1) & (counted != used).any(axis=1))
    if not len(rows):
        return found
    flags = counted[rows]
    first, which = distinct(flags if len(used) == 1 else np.hstack([flags, used[rows]]))
    patterns = rows[first]
    empty = ~counted[patterns] & (used if len(used) == 1 else used[patterns])
    _, cells = np.unique(layout.of_sample, return_index=True)
    basis, triangle = orthonormal(layout.matrix[cells])
    scaled = np.linalg.solve(triangle.T, contrasts.T).T
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    scaled = as_float(scaled / np.where(length > 0.0, length, 1.0))
    found[rows] = _affected(counted[patterns], empty, basis, scaled)[which]
    return found


def _affected(counted: BoolArray, empty: BoolArray, basis: FloatArray, contrasts: FloatArray) -> BoolArray:
    """Return for which patterns of cells (P, C) contrasts (k, p) are not orthogonal to the cone: (P, k)."""
    n_cells, p = basis.shape
    affected = np.zeros((len(counted), len(contrasts)), dtype=np.bool_)
    for part in slices(len(counted), n_cells * p):
        places, free = free_directions(counted[part], basis)
        concerned = np.flatnonzero(_meet(contrasts, free).any(axis=1))  # the others are told by the counted cells alone
        places, free = places[concerned] + part.start, free[concerned]
        affected[places] = _meet(contrasts, diverging_directions(free, empty[places], basis))
    return affected


def _meet(contrasts: FloatArray, directions: FloatArray) -> BoolArray:
    """Return the mask (P, k) of contrasts (k, p) that are not orthogonal to all directions (P, p, p)."""
    found: BoolArray = np.any(np.abs(contrasts @ directions) > TOLERANCE, axis=2)
    return found


def free_directions(counted: BoolArray, basis: FloatArray) -> tuple[IntArray, FloatArray]:
    """Find the patterns (P, C) with directions that leave all cells with counts unchanged, and these directions.

    They are orthonormal columns (p, p), filled up with zeros, for each of these patterns.
    """
    p = basis.shape[1]
    products = cross_products(counted, basis)
    places = np.flatnonzero(~surely_full_rank(products))
    values, vectors = np.linalg.eigh(products[places])
    null = values < NO_LENGTH
    free = np.where(null[:, np.newaxis, :], vectors, 0.0)
    for i in np.flatnonzero((~null & (values < CLEAR_LENGTH)).any(axis=1)):
        exact = scipy.linalg.null_space(np.linalg.qr(basis[counted[places[i]]], mode="r"), rcond=TOLERANCE)
        free[i] = np.pad(exact, ((0, 0), (0, p - exact.shape[1])))
    some = free.any(axis=(1, 2))
    return places[some], free[some]


def diverging_directions(free: FloatArray, empty: BoolArray, basis: FloatArray) -> FloatArray:
    """Return bases of the spans of the directions along which the likelihood rises for ever.

    Parameters
    ----------
    free
        (P, p, p) for each pattern of zeros an orthonormal basis of the directions that leave the counted cells as they
        are; further columns are zero.
    empty
        (P, C) which cells have no count.
    basis
        (C, p) the rows of the cells.

    Returns
    -------
    FloatArray
        (P, p, p), columns like those of `free`; all zero where the estimate is finite.

    Notes
    -----
    With N the basis of a pattern, and A the empty rows times N, the cone is {N z: A z <= 0}.
    """
    slopes = basis @ free
    length = np.linalg.norm(slopes, axis=2)
    falling = empty & (length > TOLERANCE * np.linalg.norm(basis, axis=1).max())
    slopes *= np.where(falling, 1.0 / np.where(falling, length, 1.0), 0.0)[:, :, np.newaxis]
    # where the mean of all slopes, turned round, lowers every cell, the cone has an inside; most cones are told so
    lowered = (slopes @ -slopes.mean(axis=1)[:, :, np.newaxis])[:, :, 0]
    strict = (~falling | (lowered < -TOLERANCE)).all(axis=1)
    span = np.where(strict[:, np.newaxis, np.newaxis], free, 0.0)
    columns: BoolArray = np.any(free, axis=1)
    for i in np.flatnonzero(~strict & (columns.sum(axis=1) > 1)):  # on a line there is no other way
        part = _cone_span(slopes[i][falling[i]][:, columns[i]])
        span[i, :, : part.shape[1]] = free[i][:, columns[i]] @ part
    return span


def _cone_span(slopes: FloatArray) -> FloatArray:
    """Return an orthonormal basis (m, q) of the span of the cone {z: A z <= 0}; `slopes` A (r, m), rows of length 1.

    Rows that are negative at a point of the cone say nothing of its span: to any z that the other rows allow, enough of
    the point can be added. In the end no row that is left can be negative.
    """
    left = slopes
    while len(left):
        negative = left @ _point_of_cone(left) < -TOLERANCE
        if not negative.any():
            _, length, vectors = np.linalg.svd(left)
            return np.asarray(vectors[np.count_nonzero(length > TOLERANCE * length[0]) :].T)
        left = left[~negative]
    return np.eye(slopes.shape[1])


def _point_of_cone(slopes: FloatArray) -> FloatArray:
    """Return a point z (m,) of the cone {z: A z <= 0}, with A z = 0 only where no point has another.

    It is the projection of minus the mean of the rows on the cone (Moreau): what is left of it after least squares on
    the rows with weights that are not negative, here by the method of Lawson and Hanson. Of many dependent rows some
    are at zero but for rounding; `scipy.optimize.nnls`, which lets them in, goes astray. Here rows enter that are
    clearly violated.
    """
    toward = -slopes.mean(axis=0)
    point, held, weights = toward, np.empty(0, dtype=np.int64), np.empty(0)
    for _ in range(MAX_TURNS * slopes.shape[1]):
        at_point = slopes @ point
        if at_point.max() <= TOLERANCE:
            break
        held, weights = _least_squares(slopes, toward, np.append(held, at_point.argmax()), np.append(weights, 0.0))
        point = toward - weights @ slopes[held]
    return as_float(point)


def _least_squares(
    slopes: FloatArray, toward: FloatArray, held: IntArray, weights: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the rows that stay and their weights at the least squares, when `weights` grow or shrink to it."""
    while True:
        rows = slopes[held]
        wanted = rows @ toward if len(rows) == 1 else np.linalg.lstsq(rows.T, toward, rcond=None)[0]
        low = np.flatnonzero(wanted < 0.0)
        if not len(low):
            return held, as_float(wanted)
        way = weights[low] / (weights[low] - wanted[low])  # to zero
        first = low[way.argmin()]
        weights = np.delete(np.maximum(weights + way.min() * (wanted - weights), 0.0), first)
        held = np.delete(held, first)


def cell_flags(counts: FloatArray, layout: Layout, weights: FloatArray | None) -> tuple[BoolArray, BoolArray]:
    """Return the masks of cells with a count (G, C), and with samples of positive weight, (1, C) or (G, C)."""
    if weights is None or (weights > 0).all():
        return _in_cells(counts > 0, layout), np.ones((1, layout.n_cells), dtype=np.bool_)
    return _in_cells((counts > 0) & (weights > 0), layout), _in_cells(weights > 0, layout)


def _in_cells(samples: BoolArray, layout: Layout) -> BoolArray:
    """Return the mask of cells (G, C) that contain one of the samples (G, n)."""
    of_sample = layout.of_sample
    if layout.n_cells == layout.n_samples:
        return samples  # cells are numbered by appearance
    order = np.argsort(of_sample, kind="stable")
    start = np.searchsorted(of_sample[order], np.arange(layout.n_cells))
    return np.asarray(np.logical_or.reduceat(samples[:, order], start, axis=1))
