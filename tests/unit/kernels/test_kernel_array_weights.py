"""The kernel of sample weights against its twin."""

import numpy as np

from countnest.kernels.linear.array_weights import array_weights_chunk


def twin(values, weights, basis, columns, information, gamma):
    """Update the log variances gene by gene, by least squares of NumPy."""
    information, gamma = information.copy(), gamma.copy()
    for y, w in zip(values, weights, strict=True):
        there = w > 0
        v = (w * np.exp(-columns @ gamma))[there]
        x = basis[there] * np.sqrt(v)[:, None]
        rank = np.linalg.matrix_rank(x)
        df = there.sum() - rank
        if there.sum() <= 2 or df < 2:
            continue
        q = np.linalg.svd(x, full_matrices=False)[0][:, :rank]
        z = y[there] * np.sqrt(v)
        square = (z - q @ (q.T @ z)) ** 2
        left, d = np.zeros(len(w)), np.zeros(len(w))
        left[there], d[there] = 1.0 - (q**2).sum(axis=1), square
        variance = square.sum() / df
        if variance < 1e-15:
            continue
        shared = columns.T @ left
        information += columns.T @ (left[:, None] * columns) - np.outer(shared, shared) / left.sum()
        gamma += np.linalg.solve(information, columns.T @ (d / variance - left))
    return gamma


def test_it_is_its_twin():
    rng = np.random.default_rng(1)
    n = 9
    group = np.repeat([0, 1, 2], 3)
    basis = np.linalg.qr((group[:, None] == np.arange(3)).astype(float))[0]
    columns = np.vstack([np.eye(n - 1), -np.ones(n - 1)])
    values, weights = rng.normal(size=(60, n)), rng.uniform(0.2, 3.0, (60, n))
    weights[rng.uniform(size=weights.shape) < 0.1] = 0.0
    weights[5, :3] = 0.0  # a group is missing
    weights[6, 2:] = 0.0  # two samples are left
    weights[7, [0, 1, 3, 4, 6]] = 0.0  # one degree of freedom is left
    values[8] = basis @ np.array([1.0, 2.0, 3.0])  # fitted exactly
    start = 10.0 * columns.T @ columns
    gamma = np.zeros(n - 1)
    array_weights_chunk(values, weights, basis, columns, start.copy(), gamma)
    np.testing.assert_allclose(gamma, twin(values, weights, basis, columns, start, np.zeros(n - 1)), rtol=1e-9)
    assert np.abs(gamma).max() > 0.01
