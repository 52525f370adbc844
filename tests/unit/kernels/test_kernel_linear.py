"""The kernels of weighted least squares and of precision weights against their twins."""

import numpy as np

from countnest.kernels.linear.curve import curve_weights_chunk
from countnest.kernels.linear.normal_equations import normal_equations_chunk
from countnest.stats.voom.voom import VarianceCurve


def test_equations_are_solved_and_their_matrices_inverted():
    rng = np.random.default_rng(3)
    for n_genes, p in ((1, 1), (8, 2), (11, 3), (19, 7)):
        root = rng.normal(size=(n_genes, p, p + 4))
        matrix = root @ np.swapaxes(root, 1, 2)
        rows, columns = np.triu_indices(p)
        right = rng.normal(size=(n_genes, p))
        inverse, solution = np.zeros((n_genes, len(rows))), np.zeros((n_genes, p))
        normal_equations_chunk(matrix[:, rows, columns], right, inverse, solution)
        np.testing.assert_allclose(inverse, np.linalg.inv(matrix)[:, rows, columns], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(solution, np.linalg.solve(matrix, right[:, :, np.newaxis])[:, :, 0], rtol=1e-9)


def test_weights_are_read_from_the_curve():
    rng = np.random.default_rng(4)
    x = np.sort(np.concatenate([rng.normal(5.0, 2.0, 60), [4.0, 4.0 + 1e-12, 40.0]]))
    y = rng.uniform(0.5, 1.5, len(x))
    fitted = np.concatenate([rng.uniform(-10.0, 50.0, 200), x - 1.0, [x[0] - 1.0, x[-1] - 1.0]])
    fitted = np.column_stack([fitted, fitted[::-1]])
    depth = np.array([1.0, 1.5])
    expected = np.interp(fitted + depth, x, y) ** -4.0
    for n_parts in (1, 7, 1000):
        ends = np.linspace(x[0], x[-1], n_parts, endpoint=False)
        starts = np.searchsorted(x, ends, side="right") - 1
        found = np.empty_like(expected)
        curve_weights_chunk(fitted, depth, x, y, starts.astype(np.int64), found)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        curve_weights_chunk(fitted, depth, x, y, np.full(n_parts, len(x) - 2), found)  # starts beyond the value
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_equal_means_share_a_point_of_the_curve():
    curve = VarianceCurve(np.array([2.0, 1.0, 2.0]), np.ones(3), np.array([1.0, 0.5, 2.0]))
    library = np.array([1e6 - 1.0])
    np.testing.assert_allclose(curve.weights(np.array([[0.0], [1.5], [9.0]]), library)[:, 0], [16.0, 1.0, 1.5**-4.0])
    alone = VarianceCurve(np.array([2.0, 2.0]), np.ones(2), np.array([1.0, 3.0]))
    np.testing.assert_allclose(alone.weights(np.array([[0.0], [2.0], [3.0]]), library), 2.0**-4)
