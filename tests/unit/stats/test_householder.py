import numpy as np
import pytest

from countnest.stats.glm.householder import householder_qr, inverse_triangle, ordered_product

rng = np.random.default_rng(1)
MATRICES = {
    "random": rng.normal(size=(12, 5)),
    "square": rng.normal(size=(6, 6)),
    "one column": rng.normal(size=(7, 1)),
    "one number": np.array([[-3.0]]),
    "design": np.column_stack([np.ones(9), np.arange(9) % 3 == 1, np.arange(9) % 3 == 2]).astype(float),
    "orthogonal": np.eye(8, 3),
    "first entry zero": np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]),
    "scales": rng.normal(size=(10, 3)) * np.array([1e-6, 1.0, 1e6]),
}


@pytest.fixture(params=list(MATRICES))
def matrix(request):
    return MATRICES[request.param]


def test_factors_multiply_to_the_matrix(matrix):
    basis, triangle = householder_qr(matrix)
    np.testing.assert_allclose(basis @ triangle, matrix, rtol=1e-12, atol=1e-14 * np.abs(matrix).max())
    np.testing.assert_array_equal(triangle, np.triu(triangle))


def test_basis_is_orthonormal(matrix):
    basis, _ = householder_qr(matrix)
    np.testing.assert_allclose(basis.T @ basis, np.eye(matrix.shape[1]), atol=1e-14)


def test_factors_are_unique_up_to_signs(matrix):
    basis, triangle = householder_qr(matrix)
    expected_basis, expected_triangle = np.linalg.qr(matrix)
    signs = np.sign(np.diag(triangle)) * np.sign(np.diag(expected_triangle))
    np.testing.assert_allclose(basis * signs, expected_basis, atol=1e-13)
    np.testing.assert_allclose(
        triangle * signs[:, None], expected_triangle, rtol=1e-10, atol=1e-13 * np.abs(matrix).max()
    )


def test_the_matrix_is_not_changed(matrix):
    before = matrix.copy()
    householder_qr(matrix)
    np.testing.assert_array_equal(matrix, before)


def test_inverse_triangle(matrix):
    _, triangle = householder_qr(matrix)
    inverse = inverse_triangle(triangle)
    np.testing.assert_array_equal(inverse, np.triu(inverse))
    np.testing.assert_allclose(triangle @ inverse, np.eye(len(triangle)), atol=1e-9)


def test_ordered_product():
    left, right = rng.normal(size=(6, 4)), rng.normal(size=(4, 3))
    found = ordered_product(left, right)
    np.testing.assert_allclose(found, left @ right, rtol=1e-13, atol=1e-15)
    in_order = 0.0
    for k in range(4):
        in_order += left[2, k] * right[k, 1]
    assert found[2, 1] == in_order  # to the last bit
