"""The parts of tests of mixed models whose terms have common levels, computed by kernels. G genes."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float, as_int
from countnest.kernels.mixed.fit import mixed_chunk
from countnest.stats.mixed.levels import LevelsModel, chunk_inputs, memory_of_parts, observed
from countnest.stats.mixed.parts import Parts, square, triangle_pairs
from countnest.stats.mixed.records import LinearMixedFits, Outcome

__all__ = ["parts_of"]


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
    ratios = as_float(_ratios_of(fits))
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


def _ratios_of(fits: LinearMixedFits) -> FloatArray:
    """Return the variance ratios (G, t) of fits whose terms have one column each."""
    return fits.theta**2 if fits.bounded else fits.theta
