import numpy as np
import pytest

from cases import each
from countnest.kernels.algebra.dense import cholesky, cholesky_solve, lu_solve

SIZES = [1, 2, 3, 5, 16, 64]


def positive_definite(p):
    root = np.random.default_rng(p).normal(size=(2 * p + 1, p))
    return root.T @ root


def lower_triangle(matrix):
    """Return the lower triangle; the kernels promise not to look at the rest."""
    return np.where(np.tri(len(matrix), dtype=bool), matrix, np.nan)


@each("p", SIZES)
def test_cholesky_factor_and_log_determinant(p):
    matrix = positive_definite(p)
    factor = lower_triangle(matrix)
    log_determinant = cholesky(factor)
    np.testing.assert_allclose(np.tril(factor), np.linalg.cholesky(matrix), rtol=1e-12, atol=1e-13 * matrix.max())
    assert log_determinant == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-12)


def test_log_determinant_does_not_overflow():
    factor = 1e30 * positive_definite(64)
    expected = np.linalg.slogdet(factor)[1]
    assert cholesky(factor) == pytest.approx(expected, rel=1e-12)
    assert expected > 710.0  # exp of it is beyond the largest float


@each("p", SIZES)
def test_cholesky_solve(p):
    matrix = positive_definite(p)
    right = np.random.default_rng(99).normal(size=p)
    factor, solution = lower_triangle(matrix), right.copy()
    cholesky(factor)
    cholesky_solve(factor, solution)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=1e-10)


@pytest.mark.parametrize(
    "matrix",
    [[[0.0]], [[-1.0]], [[np.nan]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]],
    ids=["zero", "negative", "missing", "indefinite", "singular"],
)
def test_no_factor_without_positive_definiteness(matrix):
    assert np.isnan(cholesky(np.array(matrix)))


@each("p", SIZES)
def test_equations_with_pivots(p):
    rng = np.random.default_rng(p)
    matrix, right = rng.normal(size=(p, p)), rng.normal(size=p)
    matrix[0, 0] = 0.0 if p > 1 else 2.0
    solution = right.copy()
    assert lu_solve(matrix.copy(), solution)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "matrix", [np.zeros((1, 1)), [[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0, 1.0], [0, 0, 1], [0, 0, 2]]]
)
def test_singular_equations_are_reported(matrix):
    matrix = np.array(matrix)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(matrix, np.ones(len(matrix)))
    assert not lu_solve(matrix.copy(), np.ones(len(matrix)))


def test_missing_values_are_no_singular_equations():
    solution = np.ones(2)
    assert lu_solve(np.array([[np.nan, 1.0], [1.0, 1.0]]), solution)
    assert np.isnan(solution).all()
