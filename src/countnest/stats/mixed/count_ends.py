"""How fits of mixed models of counts begin and end: settings, which genes can be fitted, covariances. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.mixed.records import Outcome

__all__ = [
    "CONVERGED",
    "FAILED",
    "RESTARTS",
    "SEPARATED_PRECISION",
    "Settings",
    "inverse_where_positive",
    "packed",
    "unusable",
]

# Eigenvalues of a Hessian below this fraction of the largest are not positive.
NO_CURVATURE = 1e-10
# Squared length of Newton's step, in standard errors, beyond which a fit has not converged.
CONVERGED = 1e-10
# Precision of orthogonal coefficients of genes with a separated one, which keeps those finite.
SEPARATED_PRECISION = 1e-5
# Starting values for genes that fail: standard deviations and dispersions.
RESTARTS = ((0.02, 0.1), (0.3, 0.01), (0.3, 1.0), (1.0, 0.1), (1.0, 1.0))
FAILED = (Outcome.ITERATIONS_EXHAUSTED, Outcome.SEARCH_FAILED, Outcome.HESSIAN_INDEFINITE)


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """How genes are fitted; arrays by gene.

    Attributes
    ----------
    start
        (G, 2) standard deviation of the random effects and dispersion, kept where not free; NaN: by moments.
    prior
        (G, 4) mean and precision of the log dispersion, precisions of the standard deviation and of the coefficients.
    free
        (2,) whether standard deviation and dispersion are estimated.
    method
        0: restricted likelihood, 1: likelihood by Laplace's method or quadrature, 2: by the next order.
    """

    start: FloatArray
    prior: FloatArray
    free: BoolArray
    method: int

    def at(self, genes: IntArray, start: FloatArray | None = None) -> Settings:
        """Return the settings of some genes, with other starting values where these are given."""
        own = self.start[genes]
        if start is not None:
            own = as_float(np.where(self.free, start, own))
        return Settings(own, self.prior[genes], self.free, self.method)


def unusable(counts: FloatArray, offset: FloatArray, given: FloatArray | None, prior: FloatArray) -> BoolArray:
    """Return which genes (G,) have a number that is missing, infinite or negative; `given` (G,) are dispersions."""
    wrong = ~((counts >= 0.0) & np.isfinite(counts)).all(axis=1) | ~np.isfinite(offset).all(axis=1)
    if given is not None:
        wrong |= ~((given >= 0.0) & np.isfinite(given))
    return np.asarray(wrong | ~np.isfinite(prior).all(axis=1))


def inverse_where_positive(matrices: FloatArray, regular: BoolArray) -> FloatArray:
    """Return the inverses of symmetric matrices (G, p, p), on the spaces of their positive eigenvalues.

    Those that are `regular` (G,) are positive definite.
    """
    out = np.full(matrices.shape, np.nan)
    out[regular] = np.linalg.inv(matrices[regular])
    rest = ~regular & np.isfinite(matrices).all(axis=(1, 2))
    values, vectors = np.linalg.eigh(matrices[rest])
    usable = values > NO_CURVATURE * values[:, -1:]
    weights = np.where(usable, 1.0 / np.where(usable, values, 1.0), 0.0)
    out[rest] = (vectors * weights[:, np.newaxis, :]) @ vectors.transpose(0, 2, 1)
    return out


def packed(matrices: FloatArray) -> FloatArray:
    """Return the lower triangles (G, p (p + 1) / 2) of matrices (G, p, p), row by row."""
    rows, columns = np.tril_indices(matrices.shape[-1])
    return as_float(matrices[:, rows, columns])
