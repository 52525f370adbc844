"""Scale and degrees of freedom of unit deviances: those of small counts are not of a chi-square distribution.

The unit deviance d of a count with mean m and dispersion phi has a mean E and a variance V. With alpha = 2 E / V and
kappa = 2 E^2 / V, alpha d has the mean and the variance of a chi-square distribution on kappa degrees of freedom. Both
are exact at the nodes of a table for each dispersion, and interpolated between them.

Source: Chen et al. (2025), doi:10.1093/nar/gkaf018, of the quasi-likelihood with adjusted
deviances; the numbers are sums over the distribution, see `deviance_moments`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.kernels.edger.unit_weights import weights_chunk
from countnest.stats.edger.moments import deviance_moments

__all__ = ["unit_weights"]

# Means below the first count as none; those beyond the last as that.
LEAST_MEAN, LARGEST_MEAN = 1e-32, 1e10
# Nodes are evenly spaced in s, where log m = CENTRE + WIDTH sinh(s): they are close where means are near one.
CENTRE, WIDTH, N_NODES = 0.3, 2.5, 320
# Nodes of the polynomial in a cell, and where they are, in cells from its middle.
ORDER = 8
OFFSETS: FloatArray = np.arange(float(ORDER)) - 0.5 * (ORDER - 1)
# Up to so many dispersions have tables of their own; more are interpolated, between nodes of the log dispersion.
MAX_TABLES = 24
LOG_STEP, LEAST_DISPERSION = 0.1, 1e-14

# Coefficients (cells, 2, ORDER) of the polynomials of log alpha and log kappa, the highest power first.
Table = FloatArray


def unit_weights(mean: FloatArray, dispersion: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return alpha and kappa (G, n) of the unit deviances of negative binomial counts.

    Parameters
    ----------
    mean
        (G, n) means; those below 1e-32, and missing ones, have alpha and kappa zero.
    dispersion
        One number, (G, 1) or (G, n); 0 is the Poisson distribution.

    Returns
    -------
    tuple of arrays
        With a relative error below 1e-8.

    Notes
    -----
    R counterpart: inside edgeR::glmQLFit, where the numbers have relative errors up to 1e-3 for dispersions below 0.7,
    and larger ones beyond.
    """
    distinct = np.unique(np.asarray(dispersion, dtype=np.float64))
    if len(distinct) == 1:
        alpha, kappa = np.empty((2, mean.size))
        scale = np.array([LEAST_MEAN, LARGEST_MEAN, CENTRE, WIDTH, *_nodes()[:2]])
        weights_chunk(as_float(mean).ravel(), _table(float(distinct[0])), scale, alpha, kappa)
        return alpha.reshape(mean.shape), kappa.reshape(mean.shape)
    counted = mean >= LEAST_MEAN
    cell, place = _cells(mean[counted])
    values = np.broadcast_to(np.asarray(dispersion, dtype=np.float64), mean.shape)[counted]
    logs = np.zeros((2, len(cell)))
    if len(distinct) <= MAX_TABLES:
        for each in distinct:
            some = values == each
            logs[:, some] = _at(_table(float(each)), cell[some], place[some])
    else:
        _add_between_tables(logs, values, cell, place)
    alpha, kappa = np.zeros((2, *mean.shape))
    alpha[counted], kappa[counted] = np.exp(logs)
    return alpha, kappa


def _add_between_tables(logs: FloatArray, dispersion: FloatArray, cell: IntArray, place: FloatArray) -> None:
    """Add to `logs` (2, m) those of means with dispersions (m,), interpolated between the tables of some."""
    at = np.log(np.maximum(dispersion, LEAST_DISPERSION)) / LOG_STEP
    below = np.floor(at).astype(np.int64)
    powers = (at - below - 0.5) ** np.arange(ORDER - 1, -1, -1)[:, np.newaxis]
    shares = _FROM_VALUES.T @ powers
    first = below - (ORDER // 2 - 1)
    for node in range(int(first.min()), int(first.max()) + ORDER):
        some = np.flatnonzero((first <= node) & (node < first + ORDER))
        if len(some):
            table = _table(float(np.exp(node * LOG_STEP)))
            logs[:, some] += shares[node - first[some], some] * _at(table, cell[some], place[some])


def _cells(mean: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the cell between nodes in which each mean lies, and its place there, from -1/2 to 1/2."""
    nodes = _nodes()
    s = (_evenly(np.minimum(mean, LARGEST_MEAN)) - nodes[0]) / (nodes[1] - nodes[0])
    cell = np.clip(s.astype(np.int64), 0, N_NODES - 2)
    return cell, s - cell - 0.5


def _evenly(mean: FloatArray) -> FloatArray:
    """Return means on the scale on which nodes are evenly spaced."""
    return np.asarray(np.arcsinh((np.log(mean) - CENTRE) / WIDTH))


def _nodes() -> FloatArray:
    first, last = _evenly(np.array([LEAST_MEAN, LARGEST_MEAN]))
    return np.linspace(float(first), float(last), N_NODES)


def _at(table: Table, cell: IntArray, place: FloatArray) -> FloatArray:
    """Return log alpha and log kappa (2, m) by Horner's scheme."""
    powers = np.moveaxis(table, -1, 0)
    found: FloatArray = powers[0][cell].T
    for coefficients in powers[1:]:
        found = found * place + coefficients[cell].T
    return found


@lru_cache(maxsize=256)
def _table(dispersion: float) -> Table:
    """Return the table of a dispersion."""
    nodes = np.exp(CENTRE + WIDTH * np.sinh(_nodes()))
    logs = np.log(np.stack(deviance_moments(nodes, dispersion)))
    cells = np.arange(N_NODES - 1)
    first = np.clip(cells - (ORDER // 2 - 1), 0, N_NODES - ORDER)
    values = logs[:, first[:, np.newaxis] + np.arange(ORDER)]
    table = np.empty((ORDER, 2, len(cells)))
    inside = first == cells - (ORDER // 2 - 1)
    table[:, :, inside] = np.moveaxis(values[:, inside] @ _FROM_VALUES.T, -1, 0)
    for i in np.flatnonzero(~inside):  # the ends, where the cell is not in the middle of its nodes
        table[:, :, i] = _from_values(OFFSETS + (first[i] - (cells[i] - (ORDER // 2 - 1)))) @ values[:, i].T
    return as_float(np.moveaxis(table, 0, -1).swapaxes(0, 1))


def _from_values(places: FloatArray) -> FloatArray:
    """Return the matrix that makes coefficients, the highest power first, of values at these places."""
    return np.asarray(np.linalg.inv(np.vander(places)))


_FROM_VALUES = _from_values(OFFSETS)
