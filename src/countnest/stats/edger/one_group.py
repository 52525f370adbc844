"""The rate of one group of samples under a negative binomial model. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.edger.one_group import one_way_chunk

__all__ = ["MAX_ITER", "TOLERANCE", "fit_one_group"]

TOLERANCE = 1e-10
MAX_ITER = 50


def fit_one_group(
    counts: FloatArray,
    factors: FloatArray,
    dispersion: float | FloatArray,
    weights: FloatArray | None = None,
    start: FloatArray | None = None,
) -> FloatArray:
    """Return the log rates (G,), natural log, -inf for genes without counts.

    Parameters
    ----------
    counts
        (G, n), not negative; fractions are allowed.
    factors
        (n,), (1, n) or (G, n): what the means are proportional to, such as library sizes.
    dispersion
        One number, or (G,).
    weights
        (G, n) observation weights; None: all one.
    start
        (G,) starting values; None: the log of the mean of counts / factors.

    Notes
    -----
    R counterpart: edgeR::mglmOneGroup.
    """
    n_genes, n = counts.shape
    rates = np.full((n_genes, 1), np.nan) if start is None else as_float(start.reshape(-1, 1).copy())
    one_way_chunk(
        as_float(counts),
        as_float(np.atleast_2d(factors)),
        np.ones((1, n)) if weights is None else as_float(weights),
        as_float(np.broadcast_to(dispersion, n_genes).copy()),
        np.arange(n),
        np.array([0, n]),
        TOLERANCE,
        MAX_ITER,
        rates,
        np.empty((n_genes, n)),
    )
    return as_float(rates[:, 0])
