"""Cubic spline with the end conditions of Forsythe, Malcolm and Moler.

Source: Forsythe, Malcolm and Moler (1977), Computer Methods for Mathematical Computations, ch. 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from countnest.arrays import FloatArray

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

__all__ = ["cubic_spline"]


def cubic_spline(x: FloatArray, y: FloatArray) -> BSpline:
    """Return the cubic spline through the points (x, y), x ascending, at least four.

    Its third derivative at each end is that of the cubic through the four points at that end. Beyond the ends its first
    and last cubic go on.

    Notes
    -----
    R counterpart: stats::splinefun(x, y, method = "fmm").
    """
    from scipy.interpolate import make_interp_spline  # late: it takes a while to import

    ends: Any = tuple([(3, _third_derivative(x[at], y[at]))] for at in (slice(None, 4), slice(-4, None)))
    return make_interp_spline(x, y, k=3, bc_type=ends)


def _third_derivative(x: FloatArray, y: FloatArray) -> float:
    """Return the third derivative of the cubic through four points: six times their divided difference."""
    differences = y
    for order in range(1, 4):
        differences = (differences[1:] - differences[:-1]) / (x[order:] - x[:-order])
    return 6.0 * float(differences[0])
