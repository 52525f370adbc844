"""What tests of a linear mixed model consist of, at its variance ratios. G genes, t terms, c pairs of rows.

V is the covariance of a gene's responses, were sigma 1; K_k is the kernel of term k, S = X'V^-1 X, and
P = V^-1 - V^-1 X S^-1 X'V^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.mixed.fit import mixed_chunk
from countnest.stats.mixed.levels import LevelsModel, chunk_inputs, observed
from countnest.stats.mixed.records import LinearMixedFits, Outcome

__all__ = ["Parts", "memory_of_parts", "parts_of", "ratios_of", "square", "triangle_pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Forms of pairs of rows l, with a = S^-1 l, and of the responses; NaN for genes without a fit.

    Attributes
    ----------
    covariance
        (G, c) a_i' S a_j: the covariance of two estimates, were sigma 1.
    slopes
        (G, t, c) a_i' X'V^-1 K_k V^-1 X a_j: its derivative in the ratio of a term.
    bends
        (G, t, t, c) the symmetric part of a_i' X'V^-1 K_k P K_j V^-1 X a_j.
    traces, products
        (G, t) tr P K_k, and (G, t, t) tr P K_k P K_j.
    plain_traces, plain_products
        The same with V^-1 in place of P, for the likelihood that is not restricted.
    squares, cross_squares
        (G, t) y'P K_k P y and (G, t, t) y'P K_k P K_j P y, over y'P y.
    samples
        (G,) number of samples with a weight.
    """

    covariance: FloatArray
    slopes: FloatArray
    bends: FloatArray
    traces: FloatArray
    products: FloatArray
    plain_traces: FloatArray
    plain_products: FloatArray
    squares: FloatArray
    cross_squares: FloatArray
    samples: FloatArray


def ratios_of(fits: LinearMixedFits) -> FloatArray:
    """Return the variance ratios (G, t) of fits whose terms have one column each."""
    return fits.theta**2 if fits.bounded else fits.theta


def triangle_pairs(k: int, *, joint: bool) -> IntArray:
    """Return pairs (c, 2) of k rows: each row with itself or, `joint`, the lower triangle row by row."""
    return as_int(np.column_stack(np.tril_indices(k) if joint else (np.arange(k), np.arange(k))))


def square(packed: FloatArray) -> FloatArray:
    """Return symmetric matrices (..., k, k) from lower triangles (..., k (k + 1) / 2)."""
    k = int(np.sqrt(2 * packed.shape[-1]))
    rows, columns = np.tril_indices(k)
    found = np.empty((*packed.shape[:-1], k, k))
    found[..., rows, columns] = packed
    found[..., columns, rows] = packed
    return found


def memory_of_parts(genes: int, terms: int, pairs: int) -> tuple[FloatArray, ...]:
    """Return the arrays into which the kernel writes parts."""
    shapes = ((pairs,), (terms, pairs), (terms * (terms + 1) // 2, pairs), (3, terms), (3, terms, terms))
    return tuple(np.full((genes, *shape), np.nan) for shape in shapes)


def parts_of(
    y: FloatArray,
    levels: LevelsModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    *,
    joint: bool = False,
) -> Parts:
    """Return the parts of tests of contrasts (k, p); see `triangle_pairs` for `joint`."""
    genes, terms = len(y), levels.n_terms
    values, there = observed(y, weights)
    ratios = as_float(ratios_of(fits))
    known = np.asarray(np.isfinite(ratios).all(axis=1))
    values = np.where(known[:, np.newaxis], values, 0.0)
    inputs = chunk_inputs(levels, as_float(values), weights)
    pairs = triangle_pairs(len(contrasts), joint=joint)
    found = memory_of_parts(genes, terms, len(pairs))
    outcome = as_int(np.where(known, Outcome.CONVERGED, Outcome.NOT_FINITE))
    own, results = np.zeros((genes, levels.columns.shape[1])), np.zeros((2, genes))
    rows = levels.own(contrasts)
    mixed_chunk(
        inputs,
        levels.triangle,
        fits.reml,
        fits.bounded,
        np.zeros(0),
        ratios,
        outcome,
        own,
        results,
        rows,
        pairs,
        *found,
    )
    covariance, slopes, bends, first, second = found
    return Parts(
        covariance=covariance,
        slopes=slopes,
        bends=as_float(np.moveaxis(square(np.moveaxis(bends, 1, -1)), 1, -1)),
        traces=first[:, 1],
        products=second[:, 1],
        plain_traces=first[:, 0],
        plain_products=second[:, 0],
        squares=first[:, 2],
        cross_squares=second[:, 2],
        samples=as_float(there.sum(axis=1)),
    )
