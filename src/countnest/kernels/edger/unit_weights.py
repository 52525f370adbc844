"""Scale and degrees of freedom of unit deviances, from a table of one dispersion."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_exp, fast_log
from countnest.kernels.compiler.simd import LANES, as_lanes, new_lanes, select, sqrt

__all__ = ["weights_chunk"]

# What `scale` has.
LEAST, LARGEST, CENTRE, WIDTH, FIRST, SECOND = 0, 1, 2, 3, 4, 5
# Rows of the numbers of eight means.
PLACE, ALPHA, KAPPA, N_ROWS = 0, 1, 2, np.int64(3)


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
    last, order = table.shape[0] - 1, table.shape[2]
    memory = new_lanes(N_ROWS)
    lanes = as_lanes(memory)
    for begin in range(0, mean.shape[0], LANES):
        size = min(LANES, mean.shape[0] - begin)
        for lane in range(size):
            m = mean[begin + lane]
            memory[PLACE, lane] = min(m, scale[LARGEST]) if m >= scale[LEAST] else 1.0  # also where it is missing
        z = (fast_log(lanes[PLACE]) - scale[CENTRE]) / scale[WIDTH]
        away = fast_log(select(z < 0.0, -z, z) + sqrt(z * z + 1.0))
        lanes[PLACE] = (select(z < 0.0, -away, away) - scale[FIRST]) / step
        for lane in range(size):
            s = memory[PLACE, lane]
            cell = min(max(int(s), 0), last)
            at = s - cell - 0.5
            alpha = kappa = 0.0
            for i in range(order):
                alpha = alpha * at + table[cell, 0, i]
                kappa = kappa * at + table[cell, 1, i]
            memory[ALPHA, lane], memory[KAPPA, lane] = alpha, kappa
        lanes[ALPHA], lanes[KAPPA] = fast_exp(lanes[ALPHA]), fast_exp(lanes[KAPPA])
        for lane in range(size):
            some = mean[begin + lane] >= scale[LEAST]
            alpha_out[begin + lane] = memory[ALPHA, lane] if some else 0.0
            kappa_out[begin + lane] = memory[KAPPA, lane] if some else 0.0
