"""Subsets of the rows of a model matrix: the same ones, their ranks, and the genes whose weights suffice."""

import numpy as np
import pytest

from cases import each
from countnest.stats.glm import subset
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.subset import cross_products, distinct, orthonormal, surely_full_rank
from countnest.stats.glm.weight import weights_suffice


def rank(matrix):
    """Return the rank; NumPy 1 has none of nothing."""
    return np.linalg.matrix_rank(matrix) if matrix.size else 0


@each("n", [3, 8, 13, 33, 64, 65, 200])
def test_distinct_rows(n):
    rng = np.random.default_rng(n)
    rows = rng.random((5, n)) < 0.5
    chosen = rows[rng.integers(0, 5, 40)]
    first, which = distinct(chosen)
    assert len(first) == len(np.unique(chosen, axis=0))
    np.testing.assert_array_equal(chosen[first][which], chosen)


def test_orthonormal_columns_do_not_depend_on_units():
    rng = np.random.default_rng(1)
    matrix = np.column_stack([np.ones(20), rng.normal(size=(20, 2))])
    basis, triangle = orthonormal(matrix)
    np.testing.assert_allclose(basis @ triangle, matrix, atol=1e-14)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(orthonormal(matrix * [1.0, 1e9, 1e-9])[0], basis, atol=1e-14)


def test_full_rank_is_only_said_where_it_is():
    rng = np.random.default_rng(2)
    matrix = np.column_stack([np.ones(12), np.arange(12) % 2, np.arange(12) % 3 == 0, rng.normal(size=12)]).astype(
        float
    )
    chosen = rng.random((400, 12)) < rng.uniform(0.1, 0.9, (400, 1))
    basis, _ = orthonormal(matrix)
    ranks = np.array([rank(matrix[rows]) for rows in chosen])
    np.testing.assert_array_equal(surely_full_rank(cross_products(chosen, basis)), ranks == 4)
    assert 0.2 < np.mean(ranks == 4) < 0.8


@pytest.mark.parametrize("block", [subset.BLOCK, 1])
def test_weights_suffice_where_the_rows_they_leave_have_full_rank(monkeypatch, block):
    monkeypatch.setattr(subset, "BLOCK", block)
    rng = np.random.default_rng(3)
    n = 10
    matrix = np.column_stack([np.ones(n), np.repeat([0.0, 1.0], 5), rng.normal(size=n)])
    weights = rng.choice([0.0, 0.009, 0.5, 1.0], (300, n), p=[0.4, 0.3, 0.2, 0.1])

    def suffice(row):
        heavy = matrix[row > 0.01]
        heavy = heavy[:, heavy.any(axis=0)]
        ranks = rank(matrix * row[:, np.newaxis]), rank(heavy)
        return ranks == (3, heavy.shape[1])

    found = weights_suffice(weights, Layout.of(matrix))
    np.testing.assert_array_equal(found, [suffice(row) for row in weights])
    assert 0.2 < found.mean() < 0.8
    assert weights_suffice(np.ones((2, n)), Layout.of(matrix)).all()
