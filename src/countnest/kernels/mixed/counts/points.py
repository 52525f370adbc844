"""The negative binomial log-likelihood of one count in its linear predictor, with derivatives, for mixed models.

With mu = exp(eta), dispersion a, s = a mu, t = 1 + s and c = 1 + a y, derivatives by eta are f1 = (y - mu) / t,
f2 = -c mu / t^2, and further ones f2 times polynomials of s over powers of t. All forms hold at a = 0, which is the
Poisson distribution, and lose nothing near it: counts below `PRODUCT_BELOW` by products, others by the likelihood
about mu = y, so that nothing large cancels.

Source: Lawless (1987), doi:10.2307/3314912; gamma functions by their asymptotic series, DLMF 5.11.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.density import (
    HALF_LOG_TWO_PI,
    PRODUCT_BELOW,
    log_factorial,
    psi_remainder,
    psi_series,
    stirling_remainder,
    stirling_series,
)

__all__ = [
    "COUNT",
    "OFFSET",
    "alpha_slope",
    "log_density",
    "mean_of",
    "set_dispersion",
]

# Rows of the numbers by sample (13, n): the count and its offset; what depends on the dispersion alone; and
# for the passes over a gene, the linear predictor, derivatives by it, and by the dispersion.
COUNT, OFFSET, LOG_COUNT, CONSTANT, SLOPE, SCALE = 0, 1, 2, 3, 4, 5
ETA, F1, WEIGHT, F3, F1_ALPHA, F2_ALPHA, SHARE = 6, 7, 8, 9, 10, 11, 12
# Linear predictors beyond this are cut: no count is so large, and no mean so small.
LARGEST_ETA = 300.0
# Below this the series of log(1 + v) - v / (1 + v) is exact to the last digits.
SERIES_BELOW = 0.02


@kernel
def mean_of(eta: float) -> float:
    """Return exp(eta), which stays finite."""
    return math.exp(min(max(eta, -LARGEST_ETA), LARGEST_ETA))


@kernel
def log_gap(v: float, log_growth: float) -> float:
    """Return [log(1 + v) - v / (1 + v)] / v^2, given log(1 + v)."""
    if abs(v) > SERIES_BELOW:
        return (log_growth - v / (1.0 + v)) / (v * v)
    total = 0.0
    for k in range(11, 1, -1):
        total = (k - 1.0) / k - v * total
    return total


@kernel
def set_dispersion(alpha: float, sample: FloatArray) -> None:
    """Write what depends on the dispersion and the counts alone: the rows CONSTANT, SLOPE and SCALE.

    The log-likelihood is CONSTANT + y (eta - log y) - y L - L / alpha with L = log(1 + alpha m), m = (mu - y) / c; for
    counts below 16 the same about zero, m = mu. Its derivative by alpha is SLOPE + m^2 `log_gap`(alpha m), less
    y mu / t where counts are below 16.
    """
    r = 1.0 / alpha if alpha > 0.0 else math.inf
    remainder = stirling_remainder(r) if alpha > 0.0 else 0.0
    psi_rest = psi_remainder(r) if alpha > 0.0 else 0.0
    for i in range(sample.shape[1]):
        y = sample[COUNT, i]
        if y < PRODUCT_BELOW:
            product, slope = 1.0, 0.0
            for k in range(1, int(y)):
                factor = 1.0 + k * alpha
                product *= factor
                slope += k / factor
            sample[CONSTANT, i] = math.log(product) - log_factorial(y)
            sample[SLOPE, i] = slope
            sample[SCALE, i] = 1.0
        else:
            c = 1.0 + alpha * y
            x = y + r
            ends = stirling_series(x) - remainder if alpha > 0.0 else 0.0
            sample[CONSTANT, i] = (
                ends - stirling_series(y) - 0.5 * (math.log1p(alpha * y) + sample[LOG_COUNT, i]) - HALF_LOG_TWO_PI
            )
            rest = (psi_series(x) - psi_rest) / (alpha * alpha) if alpha > 0.0 else 0.0
            sample[SLOPE, i] = rest - 0.5 * y / c
            sample[SCALE, i] = 1.0 / c


@kernel
def log_density(
    y: float, eta: float, mu: float, alpha: float, i: int, sample: FloatArray
) -> tuple[float, float, float]:
    """Return the log-likelihood of the count y of sample i at a linear predictor, and m and L, see above."""
    m = mu if y < PRODUCT_BELOW else (mu - y) * sample[SCALE, i]
    growth = math.log1p(alpha * m)
    value = sample[CONSTANT, i] + y * (eta - sample[LOG_COUNT, i]) - y * growth
    return value - (growth / alpha if alpha > 0.0 else m), m, growth


@kernel
def alpha_slope(y: float, mu: float, alpha: float, m: float, growth: float, slope: float) -> float:
    """Return the derivative of `log_density` by alpha, from what that returned and row SLOPE."""
    total = slope + m * m * log_gap(alpha * m, growth)
    return total - y * mu / (1.0 + alpha * mu) if y < PRODUCT_BELOW else total
