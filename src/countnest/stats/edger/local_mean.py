"""Local constants: the columns of a table smoothed along a covariate.

Source: Loader (1999), Local Regression and Likelihood, doi:10.1007/b98858, chapters 2 and 12. G genes.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float

__all__ = ["local_means", "trend_span"]

# A cell is split while it is longer than this times the smaller of its ends' bandwidths.
CUT = 0.8
# Added to the number of neighbours before it is cut to a whole number.
GUARD = 1e-12


def trend_span(n_genes: int, *, adaptive: bool) -> float:
    """Return the fraction of the genes in each neighbourhood; `adaptive` is the rule of newer releases."""
    if adaptive:
        return float(min(0.3 + 0.7 * np.cbrt(50.0 / n_genes), 1.0))
    return 1.0 if n_genes <= 50 else float(0.25 + 0.75 * np.sqrt(50.0 / n_genes))


def local_means(x: FloatArray, values: FloatArray, span: float) -> FloatArray:
    """Return weighted means (G, K) of `values` (G, K), of the genes whose `x` (G,) is near, with tricube weights.

    The nearest fraction `span` of the genes takes part. Means are taken at the vertices of a tree, and interpolated
    linearly between them.
    """
    low, high = float(x.min()), float(x.max())
    if low == high:
        return as_float(np.broadcast_to(values.mean(axis=0), values.shape).copy())
    order = np.argsort(x, kind="stable")
    x_sorted, sorted_values = x[order], values[order]
    found = {end: _mean_at(end, x_sorted, sorted_values, span) for end in (low, high)}
    most = int(2.0 * (5.0 / (CUT * min(span, 1.0)) + 1.0))
    cells = [(low, high)]
    while cells:
        a, b = cells.pop()
        if len(found) < most and b - a > CUT * min(found[a][1], found[b][1]):
            middle = 0.5 * (a + b)
            found[middle] = _mean_at(middle, x_sorted, sorted_values, span)
            cells += [(middle, b), (a, middle)]  # the left one is next
    vertices = np.array(sorted(found))
    means = np.array([found[vertex][0] for vertex in vertices])
    left = np.clip(np.searchsorted(vertices, x, side="right") - 1, 0, len(vertices) - 2)
    share = ((x - vertices[left]) / (vertices[left + 1] - vertices[left]))[:, np.newaxis]
    return as_float(means[left] * (1.0 - share) + means[left + 1] * share)


def _mean_at(at: float, x: FloatArray, values: FloatArray, span: float) -> tuple[FloatArray, float]:
    """Return the local means (K,) and the bandwidth, of ascending `x`."""
    distance = np.abs(x - at)
    k = max(int(len(x) * span + GUARD), 1)
    width = float(np.partition(distance, min(k, len(x)) - 1)[min(k, len(x)) - 1])
    near = slice(int(np.searchsorted(x, at - width)), int(np.searchsorted(x, at + width, side="right")))
    if width == 0.0:
        return as_float(values[near].mean(axis=0)), width
    cube = 1.0 - np.minimum(distance[near] / width, 1.0) ** 3
    weights = cube * cube * cube
    if not weights.any():  # all are at the edge
        return as_float(values[near].mean(axis=0)), width
    return as_float(weights @ values[near] / weights.sum()), width
