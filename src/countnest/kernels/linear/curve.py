"""Precision weights read from a curve."""

from __future__ import annotations

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["curve_weights_chunk"]


@kernel
def curve_weights_chunk(
    fitted: FloatArray, depth: FloatArray, x: FloatArray, y: FloatArray, starts: IntArray, weight_out: FloatArray
) -> None:
    """Write f^-4 into `weight_out` (G, n), f being the piecewise linear curve at `fitted` (G, n) + `depth` (n,).

    Parameters
    ----------
    x, y
        (m,) the points of the curve, `x` ascending; it is flat beyond its ends.
    starts
        (b,) for each of b equal parts of the range of `x`, the last point at or below its left end.
    """
    last, n_parts = len(x) - 1, len(starts)
    scale = n_parts / (x[last] - x[0]) if x[last] > x[0] else 0.0
    for g in range(fitted.shape[0]):
        for j in range(fitted.shape[1]):
            at = fitted[g, j] + depth[j]
            if not at > x[0]:
                value = y[0]
            elif at >= x[last]:
                value = y[last]
            else:
                k = starts[min(int((at - x[0]) * scale), n_parts - 1)]
                while x[k] > at:  # a part's end is rounded
                    k -= 1
                while x[k + 1] <= at:
                    k += 1
                value = (y[k + 1] - y[k]) / (x[k + 1] - x[k]) * (at - x[k]) + y[k]
            square = value * value
            weight_out[g, j] = 1.0 / (square * square)
