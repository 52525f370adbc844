"""Unit deviances of the negative binomial distribution: exact ones, and those that edgeR computes.

Source: McCullagh and Nelder (1989), Generalized Linear Models, ch. 8.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.logarithm import fast_log, fast_log1p
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, load_row, new_lanes, select

__all__ = ["CLAMPED", "EXACT", "UNCLAMPED", "deviance_chunk", "unit_deviance"]

# Modes: exact; as edgeR; as edgeR before version 4, which keeps what rounding leaves below 0.
EXACT, CLAMPED, UNCLAMPED = 0, 1, 2
# edgeR adds this to counts and means, has a Taylor series for dispersions below the second number, and a gamma
# deviance where mean times dispersion is above the third.
LITTLE, SMALL_DISPERSION, LARGE_PRODUCT = 1e-8, 1e-4, 1e6
COUNT, WEIGHT, MEAN, BY_SAMPLE = 0, 1, 2, np.int64(3)
DISPERSION, DEVIANCE, BY_GENE = 0, 1, np.int64(2)


@kernel
def unit_deviance(y: float, mu: float, alpha: float, mode: int) -> float:
    """Return the unit deviance of a count, of a number or of vector lanes; `alpha` may be 0."""
    if mode == EXACT:
        return exact_deviance(y, mu, alpha)
    value = computed_deviance(y + LITTLE, mu + LITTLE, alpha)
    return value if mode == UNCLAMPED else select(value < 0.0, 0.0, value)


@kernel
def exact_deviance(y: float, mu: float, alpha: float) -> float:
    """Return 2 [y log(y / mu) - (y + 1 / alpha) log(1 + alpha (y - mu) / (1 + alpha mu))]."""
    some = y > 0.0
    first = y * fast_log(select(some, y, 1.0) / select(some, mu, 1.0))
    poisson = alpha <= 0.0
    positive = select(poisson, 1.0, alpha)
    change = (y - mu) / (1.0 + positive * mu)
    rest = (y + 1.0 / positive) * fast_log1p(positive * change)
    value = 2.0 * (first - select(poisson, y - mu, rest))
    return select(value < 0.0, 0.0, value)


@kernel
def computed_deviance(y: float, mu: float, alpha: float) -> float:
    """Return the deviance as edgeR computes it, of a count and a mean above 0.

    Its Taylor series lacks the cubic term.
    """
    ratio = fast_log(y / mu)
    small, product = alpha < SMALL_DISPERSION, mu * alpha
    r = 1.0 / select(small, 1.0, alpha)
    value = 2.0 * (y * ratio + (y + r) * fast_log((mu + r) / (y + r)))
    large = product > LARGE_PRODUCT
    if any_lane(large):
        value = select(large, 2.0 * ((y - mu) / mu - ratio) * mu / (1.0 + product), value)
    if any_lane(small):
        away = y - mu
        series = 2.0 * (y * ratio - away - 0.5 * away * away * alpha * (1.0 - alpha * y))
        value = select(small, series, value)
    return value


@kernel
def deviance_chunk(
    counts: FloatArray, mu: FloatArray, weights: FloatArray, alpha: FloatArray, mode: int, deviance_out: FloatArray
) -> None:
    """Write the deviances of all genes into `deviance_out` (G,); `weights` are (1, n) or (G, n)."""
    n_genes, n = counts.shape
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    by_sample = as_lanes(data)
    y, v, mean = by_sample[COUNT], by_sample[WEIGHT], by_sample[MEAN]
    ends = new_lanes(BY_GENE)
    of_gene = as_lanes(ends)
    for begin in range(0, n_genes, LANES):
        size = min(LANES, n_genes - begin)
        for lane in range(size):
            load_row(counts, begin + lane, lane, data[COUNT])
            load_row(weights, begin + lane, lane, data[WEIGHT])
            load_row(mu, begin + lane, lane, data[MEAN])
            ends[DISPERSION, lane] = alpha[begin + lane]
        total = 0.0 * of_gene[DISPERSION]
        for j in range(n):
            total = total + v[j] * unit_deviance(y[j], mean[j], of_gene[DISPERSION], mode)
        of_gene[DEVIANCE] = total
        for lane in range(size):
            deviance_out[begin + lane] = ends[DEVIANCE, lane]
