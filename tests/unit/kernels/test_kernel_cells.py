"""Sums over cells against the same algebra with the whole model matrix."""

import numpy as np
import pytest

from countnest.kernels.cells import cell_predictor, cox_reid, gather, information, leverage
from countnest.kernels.smallmat import cholesky, cholesky_inverse
from unit.kernels import twins


@pytest.fixture(params=list(twins.DESIGNS))
def design(request):
    """A model matrix, its cells, and random weights of the samples."""
    X = twins.DESIGNS[request.param]
    weight = np.random.default_rng(5).uniform(0.1, 3.0, len(X))
    return X, twins.cells_of(X), weight


def test_the_designs_cover_both_roads():
    shapes = {name: (twins.n_cells_of(twins.cells_of(X)), *X.shape) for name, X in twins.DESIGNS.items()}
    assert shapes["one_way"][0] == shapes["one_way"][2]  # cells == columns
    assert shapes["saturated"][0] == shapes["saturated"][2]
    assert shapes["two_way"][2] < shapes["two_way"][0] < shapes["two_way"][1]
    assert shapes["dense"][0] == shapes["dense"][1]  # cells == samples


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


def test_leverage(design):
    X, cells, weight = design
    p = X.shape[1]
    matrix, inverse = X.T @ np.diag(weight) @ X, np.empty((p, p))
    expected = np.einsum("jk,kl,jl->j", X, np.linalg.inv(matrix), X)
    cholesky(matrix)
    cholesky_inverse(matrix, inverse)
    found = np.empty(twins.n_cells_of(cells))
    leverage(cells, inverse, found)
    np.testing.assert_allclose(found[cells.of_sample], expected, rtol=1e-11)


def test_cox_reid(design):
    X, cells, weight = design
    work = twins.work_of(cells, X.shape[1])
    sums = (twins.sum_by_cell(cells, weight), twins.sum_by_cell(cells, weight**2))
    log_determinant, trace = cox_reid(cells, *sums, work.no_ridge, work.matrix, work.inverse, work.quad)
    information_matrix = X.T @ np.diag(weight) @ X
    assert log_determinant == pytest.approx(np.linalg.slogdet(information_matrix)[1], rel=1e-12, abs=1e-12)
    expected = np.trace(np.linalg.solve(information_matrix, X.T @ np.diag(weight**2) @ X))
    assert trace == pytest.approx(expected, rel=1e-11)


def test_cox_reid_of_lost_weights_is_missing():
    X = twins.two_way()
    cells = twins.cells_of(X)
    work = twins.work_of(cells, X.shape[1])
    lost = np.full(twins.n_cells_of(cells), np.nan)
    assert np.isnan(cox_reid(cells, lost, lost, work.no_ridge, work.matrix, work.inverse, work.quad)).all()


@pytest.mark.parametrize("X", [twins.one_way(), twins.two_way()])
def test_cox_reid_leaves_out_columns_without_weight(X):
    cells = twins.cells_of(X)
    work = twins.work_of(cells, X.shape[1])
    there = X[:, -1] == 0.0
    weight = np.where(there, np.linspace(0.5, 2.0, len(X)), 0.0)
    sums = (twins.sum_by_cell(cells, weight), twins.sum_by_cell(cells, weight**2))
    log_determinant, trace = cox_reid(cells, *sums, work.no_ridge, work.matrix, work.inverse, work.quad)
    used = X[there, :-1]
    information_matrix = used.T @ np.diag(weight[there]) @ used
    assert log_determinant == pytest.approx(np.linalg.slogdet(information_matrix)[1], rel=1e-12)
    expected = np.trace(np.linalg.solve(information_matrix, used.T @ np.diag(weight[there] ** 2) @ used))
    assert trace == pytest.approx(expected, rel=1e-11)
