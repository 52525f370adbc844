"""Sums over cells against the same algebra with the whole model matrix."""

import numpy as np
import pytest

from countnest.kernels.algebra.cells import cell_predictor, gather, information
from unit.kernels import twins


@pytest.fixture(params=list(twins.DESIGNS))
def design(request):
    """A model matrix, its cells, and random weights of the samples."""
    X = twins.DESIGNS[request.param]
    weight = np.random.default_rng(5).uniform(0.1, 3.0, len(X))
    return X, twins.cells_of(X), weight


def test_cell_predictor(design):
    X, cells, _ = design
    beta = np.random.default_rng(1).normal(size=X.shape[1])
    eta = np.empty(twins.n_cells_of(cells))
    cell_predictor(cells, beta, eta)
    np.testing.assert_allclose(eta[cells.of_sample], X @ beta, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("scale", [0.0, 0.37])
def test_information(design, scale):
    X, cells, weight = design
    p = X.shape[1]
    ridge = scale * np.arange(1.0, p + 1.0)
    matrix = np.full((p, p), np.nan)
    information(cells, twins.sum_by_cell(cells, weight), ridge, matrix)
    lower = np.tri(p, dtype=bool)
    expected = X.T @ np.diag(weight) @ X + np.diag(ridge)
    np.testing.assert_allclose(matrix[lower], expected[lower], rtol=1e-12, atol=1e-13)


def test_gather(design):
    X, cells, score = design
    vector = np.full(X.shape[1], np.nan)
    gather(cells, twins.sum_by_cell(cells, score), vector)
    np.testing.assert_allclose(vector, X.T @ score, rtol=1e-12, atol=1e-13)
