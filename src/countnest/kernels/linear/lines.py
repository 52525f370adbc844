"""Values of local lines through a weighted series, each from a run of neighbours: eight neighbours at once.

Source: Cleveland (1979), doi:10.1080/01621459.1979.10481038.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, as_lanes, new_lanes, select

__all__ = ["FAR", "LEAST_SPREAD", "NEAR", "lines_chunk"]

# Of `limits`: fractions of the width within which points have full weight, and beyond which they have none; and the
# least weighted variance of x with which there is a line, not a mean.
NEAR, FAR, LEAST_SPREAD = 0, 1, 2
# Rows of the series, and of sums over a neighbourhood: weights, and their products with x, x^2, y and x y.
X, Y, WEIGHTS, N_SERIES = 0, 1, 2, np.int64(3)
WEIGHT, FIRST, SECOND, VALUE, MIXED, N_SUMS = 0, 1, 2, 3, 4, np.int64(5)


@kernel
def sum_lanes(
    series: FloatArray, first: int, last: int, at: float, width: float, limits: FloatArray, sums: FloatArray
) -> None:
    """Write the weighted sums of the vectors `first` to `last` into `sums`, with x relative to `at`."""
    zero = 0.0 * series[X, first]
    weight, one, two, value, mixed = zero, zero, zero, zero, zero
    reciprocal, near, far = 1.0 / width, limits[NEAR], limits[FAR]
    for i in range(first, last):
        away = series[X, i] - at
        share = select(away < 0.0, -away, away) * reciprocal
        rest = 1.0 - share * share * share
        kernel_weight = select(share > far, 0.0, select(share > near, rest * rest * rest, 1.0))
        part = kernel_weight * series[WEIGHTS, i]
        moment = part * away
        weight = weight + part
        one = one + moment
        two = two + moment * away
        value = value + part * series[Y, i]
        mixed = mixed + moment * series[Y, i]
    sums[WEIGHT], sums[FIRST], sums[SECOND], sums[VALUE], sums[MIXED] = weight, one, two, value, mixed


@kernel
def lines_chunk(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    places: IntArray,
    widths: FloatArray,
    runs: IntArray,
    limits: FloatArray,
    value_out: FloatArray,
) -> None:
    """Write the values of the local lines at some points into `value_out` (k,).

    Parameters
    ----------
    x, y, weights
        (m,) the series, x ascending, and weights of its points; where all near a point are zero, its y is the value.
    places, widths, runs
        (k,) the points, how far their tricube weights reach, and (k, 2) runs of points that have all within that.
    limits
        (3,) see above.
    """
    m = x.shape[0]
    blocks = (m + LANES - 1) // LANES
    memory = new_lanes(N_SERIES * blocks).reshape(N_SERIES, blocks, LANES)
    for i in range(blocks * LANES):
        block, lane = i // LANES, i % LANES
        memory[X, block, lane] = x[min(i, m - 1)]
        memory[Y, block, lane] = y[min(i, m - 1)]
        memory[WEIGHTS, block, lane] = weights[i] if i < m else 0.0
    total = new_lanes(N_SUMS)
    series, sums = as_lanes(memory), as_lanes(total)
    for k in range(places.shape[0]):
        at = x[places[k]]
        sum_lanes(series, runs[k, 0] // LANES, (runs[k, 1] + LANES - 1) // LANES, at, widths[k], limits, sums)
        for row in range(N_SUMS):
            for lane in range(1, LANES):
                total[row, 0] += total[row, lane]
        weight = total[WEIGHT, 0]
        if weight <= 0.0:
            value_out[k] = y[places[k]]
            continue
        centre, value = total[FIRST, 0] / weight, total[VALUE, 0] / weight
        spread = total[SECOND, 0] / weight - centre * centre
        if spread > limits[LEAST_SPREAD]:
            value -= centre * (total[MIXED, 0] / weight - centre * value) / spread
        value_out[k] = value
