import numpy as np
import pytest

from countnest.kernels.algebra import elimination as e
from countnest.stats.glm.layout import Layout

rng = np.random.default_rng(1)
GROUP = np.arange(10) % 3
DESIGNS = {
    "intercept": np.ones((5, 1)),
    "groups": np.column_stack([np.ones(10), GROUP == 1, GROUP == 2]).astype(float),
    "groups without intercept": np.column_stack([k == GROUP for k in range(3)]).astype(float),
    "two factors": np.column_stack([np.ones(10), GROUP == 1, GROUP == 2, np.arange(10) < 5]).astype(float),
    "number": np.column_stack([np.ones(10), rng.normal(size=10)]),
}


@pytest.fixture(params=list(DESIGNS))
def X(request):
    return DESIGNS[request.param]


def dense_rows(layout):
    """Return the rows of X that the plan has for each sample."""
    (index, numbers), n_cells = layout.plan, layout.n_cells
    start = index[index[e.ENTRY] :][: n_cells + 1]
    columns, values = index[index[e.COLUMN] :], numbers[e.FIRST_ENTRY :]
    rows = np.zeros((n_cells, layout.n_coefficients))
    for c in range(n_cells):
        entries = slice(start[c], start[c + 1])
        assert (np.diff(columns[entries]) > 0).all()  # the kernels rely on ascending columns
        assert (values[entries] != 0.0).all()
        rows[c, columns[entries]] = values[entries]
    return rows[layout.of_sample]


def test_cells_hold_the_matrix(X):
    layout = Layout.of(X)
    np.testing.assert_array_equal(dense_rows(layout), X)
    distinct, sizes = np.unique(X, axis=0, return_counts=True)
    assert layout.n_cells == len(distinct)
    assert sorted(layout.cell_sizes) == sorted(sizes)
    np.testing.assert_array_equal(layout.samples_per_cell, [(row == X).all(axis=1).sum() for row in X])
    assert (layout.n_samples, layout.n_coefficients) == X.shape
    assert layout.residual_df == X.shape[0] - X.shape[1]


def test_log_determinant_of_square_cells(X):
    layout = Layout.of(X)
    distinct = np.unique(X, axis=0)
    if len(distinct) == X.shape[1]:
        assert layout.plan.numbers[0] == pytest.approx(np.log(abs(np.linalg.det(distinct))), abs=1e-12)
    else:
        assert np.isnan(layout.plan.numbers[0])


def test_basis_and_triangle_give_the_pseudo_inverse(X):
    layout = Layout.of(X)
    found = np.linalg.solve(layout.triangle, layout.basis.T)
    np.testing.assert_allclose(found, np.linalg.pinv(X), rtol=1e-10, atol=1e-13)


def test_basis_spans_the_columns(X):
    layout = Layout.of(X)
    np.testing.assert_allclose(layout.basis @ layout.triangle, X, atol=1e-13)
    projection = X @ np.linalg.pinv(X)
    np.testing.assert_allclose(layout.basis @ layout.basis.T, projection, atol=1e-13)
    np.testing.assert_allclose(layout.rows, layout.basis, atol=1e-12)


def test_arrays_are_ready_for_the_kernels(X):
    layout = Layout.of(np.asfortranarray(X))
    arrays = [layout.matrix, layout.basis, layout.rows, layout.triangle, layout.cell_sizes, layout.of_sample]
    for array in [*arrays, layout.plan.index, layout.plan.numbers]:
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype in (np.float64, np.int64)


def test_rows_that_differ_in_the_last_digit_are_the_same_cell():
    x = np.array([0.1 + 0.2, 0.3, 0.3, 1.0])
    assert x[0] != x[1]
    layout = Layout.of(np.column_stack([np.ones(4), x]))
    assert layout.n_cells == 2
    np.testing.assert_array_equal(layout.samples_per_cell, [3, 3, 3, 1])


def test_negative_zero_is_zero():
    layout = Layout.of(np.column_stack([np.ones(4), [0.0, -0.0, 1.0, 1.0]]))
    assert layout.n_cells == 2


@pytest.mark.parametrize(
    ("X", "expected"),
    [(np.ones((4, 1)), True), (np.full((4, 1), 2.0), False), (np.ones((4, 2)) * [1, 2], False)],
)
def test_intercept_only(X, expected):
    matrix = X if X.shape[1] == 1 else np.column_stack([X[:, 0], np.arange(4.0)])
    assert Layout.of(matrix).is_intercept_only is expected


def test_a_matrix_of_full_rank_has_the_layout_it_always_has(X):
    of_any_rank, layout = Layout.of_any_rank(X), Layout.of(X)
    for attribute in ("matrix", "basis", "rows", "triangle", "cell_sizes", "of_sample"):
        np.testing.assert_array_equal(getattr(of_any_rank, attribute), getattr(layout, attribute))
    np.testing.assert_array_equal(of_any_rank.plan.index, layout.plan.index)
    np.testing.assert_array_equal(of_any_rank.plan.numbers, layout.plan.numbers)


def test_dependent_columns():
    X = np.column_stack([np.ones(10), *(k == GROUP for k in range(3))]).astype(float)
    layout = Layout.of_any_rank(np.asfortranarray(X))
    np.testing.assert_array_equal(dense_rows(layout), X)
    assert (layout.n_samples, layout.n_coefficients, layout.n_cells) == (10, 4, 3)
    np.testing.assert_allclose(
        np.linalg.solve(layout.triangle, layout.basis.T), np.linalg.pinv(X), rtol=1e-10, atol=1e-13
    )
    np.testing.assert_allclose(layout.rows @ layout.basis.T, X @ np.linalg.pinv(X), atol=1e-13)
    arrays = [layout.matrix, layout.basis, layout.rows, layout.triangle, layout.cell_sizes, layout.of_sample]
    for array in [*arrays, layout.plan.index, layout.plan.numbers]:
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype in (np.float64, np.int64)
