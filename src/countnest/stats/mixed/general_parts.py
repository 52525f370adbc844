"""What tests of linear mixed models with any random terms consist of. G genes, n samples, t variance parameters.

In `Parts`, a kernel K_r is the derivative of V in gamma_r, an entry of LL'; the ratio of a term is one of these.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.kernels.mixed.general.derivatives import new_sums
from countnest.kernels.mixed.general.moments import Moments, moments_chunk
from countnest.kernels.mixed.general.sweeps import new_work
from countnest.stats.mixed.components import layout_of
from countnest.stats.mixed.levels import observed
from countnest.stats.mixed.parts import Parts, triangle_pairs
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome, fits_of

__all__ = ["general_parts", "residuals_of_fixed"]

# Genes whose moments are in memory together.
GENES = 512


def general_parts(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    contrasts: FloatArray,
    *,
    joint: bool = False,
) -> Parts:
    """Return the parts of tests of contrasts (k, p), as `parts.parts_of` does.

    Parameters
    ----------
    weights
        (G, n) or (1, n) with mean one; None: all one.
    joint
        Whether rows make pairs with each other; see `parts.triangle_pairs`.
    """
    genes, t = fits.theta.shape
    pairs = triangle_pairs(len(contrasts), joint=joint)
    c = len(pairs)
    samples = np.full(genes, float(y.shape[1])) if weights is None else (weights > 0).sum(axis=1)
    found = Parts(
        covariance=np.full((genes, c), np.nan),
        slopes=np.full((genes, t, c), np.nan),
        bends=np.full((genes, t, t, c), np.nan),
        traces=np.full((genes, t), np.nan),
        products=np.full((genes, t, t), np.nan),
        plain_traces=np.full((genes, t), np.nan),
        plain_products=np.full((genes, t, t), np.nan),
        squares=np.full((genes, t), np.nan),
        cross_squares=np.full((genes, t, t), np.nan),
        samples=as_float(np.broadcast_to(samples, (genes,))),
    )
    fitted = np.flatnonzero(fits.outcome < Outcome.CONSTANT)
    for first in range(0, len(fitted), GENES):
        part = fitted[first : first + GENES]
        some = weights if weights is None or len(weights) == 1 else weights[part]
        moments, triangle = _moments(y[part], model, some, fits_of(fits, part))
        rows = _whitened(contrasts, triangle, moments.root)
        _write_forms(found, part, moments, (rows[:, pairs[:, 0]], rows[:, pairs[:, 1]]))
        found.plain_traces[part], found.traces[part] = moments.traces[:, 0], moments.traces[:, 1]
        found.plain_products[part], found.products[part] = moments.informations[:, 0], moments.informations[:, 1]
        found.squares[part], found.cross_squares[part] = moments.squares, moments.curves
    return found


def residuals_of_fixed(
    y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits
) -> tuple[FloatArray, FloatArray]:
    """Return y - X beta (G, n), and weights (G, n) or (1, n); 0 where a sample is absent."""
    values, _ = observed(y, weights)
    residual = as_float(values - np.einsum("gk,nk->gn", fits.coefficients, model.matrix))
    if weights is None:
        return residual, np.ones((1, y.shape[1]))
    return as_float(np.where(weights > 0, residual, 0.0)), as_float(weights)


def _moments(
    y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits
) -> tuple[Moments, FloatArray]:
    """Return the moments of genes that have a fit, and the triangle (p, p) of the basis that they belong to."""
    layout = layout_of(model, standardized=False)
    genes, p, t = len(y), model.matrix.shape[1], model.n_parameters
    out = Moments(
        root=np.zeros((genes, p, p)),
        fixed=np.zeros((genes, t, p, p)),
        products=np.zeros((genes, t, t, p, p)),
        traces=np.zeros((genes, 2, t)),
        informations=np.zeros((genes, 2, t, t)),
        squares=np.zeros((genes, t)),
        curves=np.zeros((genes, t, t)),
    )
    residual, own = residuals_of_fixed(y, model, weights, fits)
    memory = new_work(layout.structure), new_sums(layout.structure)
    moments_chunk(residual, own, layout.structure, *memory, as_float(fits.theta), out)
    return out, layout.triangle


def _whitened(contrasts: FloatArray, triangle: FloatArray, root: FloatArray) -> FloatArray:
    """Return contrasts (k, p) as (G, k, p), of which products of two rows are covariances, were sigma 1."""
    basis = np.linalg.solve(triangle.T, contrasts.T)
    turned = np.linalg.solve(root, np.broadcast_to(basis, (len(root), *basis.shape)))
    return as_float(np.swapaxes(turned, 1, 2))


def _write_forms(out: Parts, genes: IntArray, moments: Moments, rows: tuple[FloatArray, FloatArray]) -> None:
    """Write the forms of pairs of whitened rows, (G, c, p) each, of some genes."""
    left, right = rows
    t = moments.squares.shape[1]
    out.covariance[genes] = np.einsum("gcj,gcj->gc", left, right)
    for r in range(t):
        out.slopes[genes, r] = np.einsum("gcj,gcj->gc", left @ moments.fixed[:, r], right)
        for s in range(r, t):
            middle = moments.products[:, r, s] - moments.fixed[:, r] @ moments.fixed[:, s]
            middle = 0.5 * (middle + np.swapaxes(middle, 1, 2))
            bend = np.einsum("gcj,gcj->gc", left @ middle, right)
            out.bends[genes, r, s] = out.bends[genes, s, r] = bend
