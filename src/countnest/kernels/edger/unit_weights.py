"""Scale and degrees of freedom of unit deviances, from a table of one dispersion."""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["weights_chunk"]

# What `scale` has.
LEAST, LARGEST, CENTRE, WIDTH, FIRST, SECOND = 0, 1, 2, 3, 4, 5


@kernel
def polynomial(coefficients: FloatArray, at: float) -> float:
    """Return the value of a polynomial, the highest power first."""
    value = 0.0
    for i in range(coefficients.shape[0]):
        value = value * at + float(coefficients[i])
    return value


@kernel
def weights_chunk(
    mean: FloatArray, table: FloatArray, scale: FloatArray, alpha_out: FloatArray, kappa_out: FloatArray
) -> None:
    """Write alpha and kappa of means (m,) into `alpha_out` and `kappa_out` (m,); 0 where a mean is none.

    Parameters
    ----------
    table
        (cells, 2, order) coefficients of the polynomials of log alpha and log kappa.
    scale
        (6,) the least and the largest mean; centre and width of the scale on which nodes are evenly spaced, and the
        first two of these.
    """
    step = scale[SECOND] - scale[FIRST]
    last = table.shape[0] - 1
    for i in range(mean.shape[0]):
        alpha_out[i] = 0.0
        kappa_out[i] = 0.0
        if mean[i] >= scale[LEAST]:  # not where it is missing
            log_mean = math.log(min(mean[i], scale[LARGEST]))
            s = (math.asinh((log_mean - scale[CENTRE]) / scale[WIDTH]) - scale[FIRST]) / step
            cell = min(max(int(s), 0), last)
            at = s - cell - 0.5
            alpha_out[i] = math.exp(polynomial(table[cell, 0], at))
            kappa_out[i] = math.exp(polynomial(table[cell, 1], at))
