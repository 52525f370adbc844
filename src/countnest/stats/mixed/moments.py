"""First and second moments of linear mixed models: what degrees of freedom and adjusted covariances follow from.

G genes, n samples, p coefficients, t variance parameters, k contrasts. Relative units: V = W^-1 + Z LL' Z' is the
covariance of y over the residual variance. gamma are the entries of LL', term after term in the order of theta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.mixed.general.derivatives import new_sums
from countnest.kernels.mixed.general.moments import KernelMoments, moments_chunk
from countnest.kernels.mixed.general.sweeps import new_work
from countnest.stats.mixed.components import layout_of
from countnest.stats.mixed.records import LinearMixedFits, MixedModel

__all__ = ["Moments", "gamma_of", "moments_of", "relative_covariances"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments of some genes at the estimates. Whitened: of coefficients whose covariance is the residual variance.

    Attributes
    ----------
    triangle
        (p, p) R, which makes coefficients those of the orthogonal basis.
    root
        (G, p, p) lower Cholesky factors of X'V^-1 X of the basis.
    fixed
        (G, t, p, p) X'V^-1 dV_r V^-1 X, whitened, dV_r the derivative of V in gamma_r.
    trace, information
        (G, t) tr(P dV_r) and (G, t, t) tr(P dV_r P dV_s), P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1; with V^-1 for P where
        the likelihood is not restricted.
    jacobian
        (G, t, t) derivatives of gamma (rows) in theta.
    hessian, slope
        (G, t, t) Hessian of minus twice the log-likelihood in theta, and (G, t) derivatives of y'Py, with the residual
        standard deviation as another parameter.
    products
        (G, t, t, p, p) X'V^-1 dV_r V^-1 dV_s V^-1 X, whitened, for r <= s; of length 0 if they are not computed.
    df
        (G,) degrees of freedom of the residual variance: samples less coefficients, if the likelihood is restricted.
    """

    triangle: FloatArray
    root: FloatArray
    fixed: FloatArray
    trace: FloatArray
    information: FloatArray
    jacobian: FloatArray
    hessian: FloatArray
    slope: FloatArray
    products: FloatArray
    df: FloatArray

    def whitened(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (k, p) as (G, k, p) of which products of two rows are relative covariances."""
        basis = np.linalg.solve(self.triangle.T, contrasts.T)
        return as_float(
            np.swapaxes(np.linalg.solve(self.root, np.broadcast_to(basis, (len(self.root), *basis.shape))), 1, 2)
        )

    def whitened_each(self, contrasts: FloatArray) -> FloatArray:
        """Return contrasts (G, p), one for each gene, as `whitened` does."""
        basis = np.einsum("gk,kj->gj", contrasts, np.linalg.inv(self.triangle))
        return as_float(np.linalg.solve(self.root, basis[:, :, np.newaxis])[:, :, 0])


def relative_covariances(theta: FloatArray, model: MixedModel) -> tuple[FloatArray, ...]:
    """Return for each term the covariances (G, k, k) of its random effects, over the residual variance."""
    found, first = [], 0
    for term in model.terms:
        k = term.n_columns
        factor = np.zeros((len(theta), k, k))
        for column in range(k):
            for row in range(column, k):
                factor[:, row, column] = theta[:, first]
                first += 1
        found.append(as_float(factor @ np.swapaxes(factor, 1, 2)))
    return tuple(found)


def gamma_of(theta: FloatArray, model: MixedModel) -> FloatArray:
    """Return the entries (G, t) of LL', in the order of theta (G, t)."""
    found = []
    for relative in relative_covariances(theta, model):
        k = relative.shape[1]
        found += [relative[:, row, column] for column in range(k) for row in range(column, k)]
    return as_float(np.column_stack(found))


def moments_of(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    *,
    restricted: bool | None = None,
    products: bool = False,
) -> Moments:
    """Return the moments of genes y (G, n), all of which have a fit.

    Parameters
    ----------
    weights
        (G, n) or (1, n) with mean one; None: all one.
    restricted
        Whether P takes the place of V^-1 in traces; None: as in the likelihood.
    products
        Whether products are wanted.
    """
    layout = layout_of(model, standardized=False)
    genes, (n, p), t = len(y), model.matrix.shape, model.n_parameters
    restricted = fits.reml if restricted is None else restricted
    weights = np.ones((1, n)) if weights is None else weights
    count = (weights > 0).sum(axis=1)
    df = as_float(np.broadcast_to(count - p if fits.reml else count, (genes,)))
    residual = as_float(y - np.einsum("gk,nk->gn", fits.coefficients, model.matrix))
    out = KernelMoments(
        root=np.zeros((genes, p, p)),
        fixed=np.zeros((genes, t, p, p)),
        trace=np.zeros((genes, t)),
        information=np.zeros((genes, t, t)),
        jacobian=np.zeros((genes, t, t)),
        hessian=np.zeros((genes, t, t)),
        slope=np.zeros((genes, t)),
        products=np.zeros((genes if products else 0, t, t, p, p)),
    )
    moments_chunk(
        residual,
        as_float(weights),
        layout.structure,
        new_work(layout.structure),
        new_sums(layout.structure),
        as_float(fits.theta),
        df,
        restricted,
        out,
    )
    return Moments(layout.triangle, df=df, **out._asdict())
