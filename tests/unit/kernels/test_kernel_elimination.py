"""Sums over cells and sparse elimination against dense linear algebra."""

import numpy as np
import pytest

from cases import each
from countnest.kernels.algebra.elimination import (
    BELOW,
    BELOW_COLUMN,
    BELOW_SLOT,
    DIAGONAL,
    N_CELLS,
    N_COLUMNS,
    N_SLOTS,
    ORDER,
    SAMPLE_CELL,
    add_ridge,
    cell_predictors,
    cox_reid_trace,
    cox_reid_value,
    dense_information,
    factorize,
    gather_scores,
    information,
    inverse_entries,
    leverages,
    n_equations,
    solve,
)
from unit.kernels import twins


def nested(families=24):
    """Families in two groups, a treated and a control sample of each: effects of families, treatment by group."""
    family, treated = np.repeat(np.arange(families), 2), np.tile([0.0, 1.0], families)
    group = (family >= families // 2).astype(float)
    own = [family == k for k in range(families) if k % (families // 2)]
    return np.column_stack([np.ones(2 * families), group, *own, treated, group * treated]).astype(float)


def paired(pairs=7):
    """Two samples of each pair, the last pair twice."""
    pair, treated = np.repeat(np.arange(pairs), 2), np.tile([0.0, 1.0], pairs)
    X = np.column_stack([np.ones(2 * pairs), *(pair == k for k in range(1, pairs)), treated]).astype(float)
    return np.vstack([X, X[-2:]])


def random_sparse(n=40, p=12, seed=3):
    """Few entries in a row, none in some, and no structure."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, p)) < 0.2, rng.normal(size=(n, p)), 0.0)


DESIGNS = {
    **twins.DESIGNS,
    "nested": nested(),
    "paired": paired(),
    "random sparse": random_sparse(),
    "random dense": twins.dense(n=25, p=9, seed=8),
}


class Equations:
    """The normal equations of a design for random weights, dense and as the kernels have them."""

    def __init__(self, X, *, weight=None, ridge=0.0, seed=5):
        self.X, self.plan = X, twins.plan_of(X)
        self.index, self.numbers = self.plan
        n, p = X.shape
        rng = np.random.default_rng(seed)
        self.weight = rng.uniform(0.1, 3.0, n) if weight is None else weight
        self.matrix = X.T @ (self.weight[:, None] * X) + np.diag(ridge * np.arange(1.0, p + 1.0))
        self.work = np.full(n_equations(self.index), np.nan)
        self.work[:] = np.nan  # nothing may be taken from what an earlier gene left
        information(self.index, self.numbers, self.by_cell(self.weight), self.work)
        add_ridge(self.index, ridge * np.arange(1.0, p + 1.0), self.work)

    @property
    def of_sample(self):
        first = self.index[SAMPLE_CELL]
        return self.index[first : first + len(self.X)]

    def by_cell(self, values):
        return np.bincount(self.of_sample, weights=values, minlength=self.index[N_CELLS])

    def section(self, place, length):
        return self.index[self.index[place] : self.index[place] + length]

    @property
    def order(self):
        return self.section(ORDER, self.index[N_COLUMNS])

    def dense(self, part):
        """Return a part (0: entries or factor, 2: inverse) as a matrix (p, p); missing where there is none.

        Rows and columns are those of X. Below the diagonal, in the order of elimination, is what belongs to a slot.
        """
        p, n_slots = self.index[N_COLUMNS], self.index[N_SLOTS]
        values = self.work[part * n_slots : (part + 1) * n_slots]
        matrix = np.full((p, p), np.nan)
        below = self.section(BELOW, p + 1)
        slots, columns = self.section(BELOW_SLOT, below[-1]), self.section(BELOW_COLUMN, below[-1])
        for j, (column, diagonal) in enumerate(zip(self.order, self.section(DIAGONAL, p), strict=True)):
            matrix[column, column] = values[diagonal]
            under = slice(below[j], below[j + 1])
            matrix[columns[under], column] = values[slots[under]]
        return matrix

    def symmetric(self, part):
        matrix = self.dense(part)
        return np.where(np.isnan(matrix), matrix.T, matrix)

    @property
    def reciprocals(self):
        return self.work[3 * self.index[N_SLOTS] :]


every_design = each("X", DESIGNS.values(), ids=DESIGNS)


def test_the_designs_cover_both_roads():
    shapes = {name: (twins.plan_of(X)[0][N_CELLS], *X.shape) for name, X in DESIGNS.items()}
    assert shapes["one_way"][0] == shapes["one_way"][2]  # cells == columns
    assert shapes["saturated"][0] == shapes["saturated"][2]
    assert shapes["two_way"][2] < shapes["two_way"][0] < shapes["two_way"][1]
    assert shapes["dense"][0] == shapes["dense"][1]  # cells == samples
    assert shapes["nested"] == (48, 48, 26)
    assert shapes["paired"][2] < shapes["paired"][0] < shapes["paired"][1]
    for name, design in DESIGNS.items():
        assert np.linalg.matrix_rank(design) == design.shape[1], name


@every_design
def test_cell_predictors(X):
    index, numbers = twins.plan_of(X)
    beta = np.random.default_rng(1).normal(size=X.shape[1])
    eta = np.full(index[N_CELLS], np.nan)
    cell_predictors(index, numbers, beta, eta)
    of_sample = index[index[SAMPLE_CELL] : index[SAMPLE_CELL] + len(X)]
    np.testing.assert_allclose(eta[of_sample], X @ beta, rtol=1e-13, atol=1e-14)


@every_design
def test_gather_scores(X):
    equations = Equations(X)
    vector = np.full(X.shape[1], np.nan)
    gather_scores(*equations.plan, equations.by_cell(equations.weight), vector)
    np.testing.assert_allclose(vector, X.T @ equations.weight, rtol=1e-12, atol=1e-13)


@every_design
@each("ridge", [0.0, 0.37])
def test_information(X, ridge):
    equations = Equations(X, ridge=ridge)
    found = equations.symmetric(0)
    np.testing.assert_allclose(np.nan_to_num(found), equations.matrix, rtol=1e-12, atol=1e-13)
    assert (equations.matrix[np.isnan(found)] == 0.0).all()  # no slot where columns never meet, and none is needed


@every_design
@each("ridge", [0.0, 0.37])
def test_dense_information(X, ridge):
    equations = Equations(X, ridge=ridge)
    p = X.shape[1]
    matrix = np.full((p, p), np.nan)
    ridges = ridge * np.arange(1.0, p + 1.0)
    dense_information(equations.plan, equations.by_cell(equations.weight), ridges, matrix)
    lower = np.tri(p, dtype=bool)
    np.testing.assert_allclose(matrix[lower], equations.matrix[lower], rtol=1e-12, atol=1e-13)
    assert np.isnan(matrix[~lower]).all()


@every_design
@each("ridge", [0.0, 0.37])
def test_factor_and_log_determinant(X, ridge):
    equations = Equations(X, ridge=ridge)
    log_determinant = factorize(equations.index, equations.work)
    assert log_determinant == pytest.approx(np.linalg.slogdet(equations.matrix)[1], rel=1e-12, abs=1e-12)
    order = equations.order
    pivots = 1.0 / equations.reciprocals
    scaled = np.nan_to_num(equations.dense(0)[np.ix_(order, order)])  # the factor's columns times their pivots
    np.testing.assert_allclose(np.triu(scaled, 1), 0.0)
    np.testing.assert_allclose(np.diag(scaled), pivots, rtol=1e-14)
    np.testing.assert_allclose(
        scaled @ np.diag(1.0 / pivots) @ scaled.T, equations.matrix[np.ix_(order, order)], rtol=1e-11, atol=1e-12
    )


@each("scale", [1e-100, 1e-60, 1e-8, 1e8, 1e60, 1e100])
def test_log_determinant_of_a_product_beyond_the_floats(scale):
    X = DESIGNS["nested"]
    plain, scaled = Equations(X), Equations(X, weight=scale * Equations(X).weight)
    found = factorize(scaled.index, scaled.work)
    expected = np.linalg.slogdet(plain.matrix)[1] + X.shape[1] * np.log(scale)
    assert found == pytest.approx(expected, rel=1e-13)
    if not 1e-10 < scale < 1e10:
        assert abs(found) > 750.0  # exp of it is no float


@every_design
@each("scale", [1.0, 1e-60, 1e60])
def test_solve(X, scale):
    equations = Equations(X, weight=scale * np.random.default_rng(6).uniform(0.1, 3.0, len(X)))
    right = np.random.default_rng(99).normal(size=X.shape[1])
    solution = right.copy()
    factorize(equations.index, equations.work)
    solve(equations.index, equations.work, solution)
    np.testing.assert_allclose(equations.matrix @ solution, right, rtol=1e-9, atol=1e-10)
    expected = np.linalg.solve(equations.matrix, right)
    np.testing.assert_allclose(solution, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max())


@every_design
def test_inverse_entries(X):
    equations = Equations(X, ridge=0.1)
    factorize(equations.index, equations.work)
    inverse_entries(equations.index, equations.work)
    found = equations.symmetric(2)
    there = ~np.isnan(found)
    expected = np.linalg.inv(equations.matrix)
    np.testing.assert_allclose(found[there], expected[there], rtol=1e-10, atol=1e-12 * np.abs(expected).max())
    assert there[equations.matrix != 0.0].all()


@every_design
def test_factor_outlives_the_inverse(X):
    equations = Equations(X)
    factorize(equations.index, equations.work)
    inverse_entries(equations.index, equations.work)
    solution = np.ones(X.shape[1])
    solve(equations.index, equations.work, solution)
    expected = np.linalg.solve(equations.matrix, np.ones(X.shape[1]))
    np.testing.assert_allclose(solution, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max())


@every_design
def test_leverages(X):
    equations = Equations(X, ridge=0.1)
    factorize(equations.index, equations.work)
    inverse_entries(equations.index, equations.work)
    found = np.full(equations.index[N_CELLS], np.nan)
    leverages(*equations.plan, equations.work, found)
    expected = np.einsum("jk,kl,jl->j", X, np.linalg.inv(equations.matrix), X)
    np.testing.assert_allclose(found[equations.of_sample], expected, rtol=1e-10, atol=1e-13)


def cox_reid(X, weight):
    """Return value and trace, from a work space in which nothing is left of an earlier gene."""
    equations = Equations(X, weight=weight)
    equations.work[:] = np.nan
    sums = equations.by_cell(weight), equations.by_cell(weight**2)
    quad = np.full(equations.index[N_CELLS], np.nan)
    value = cox_reid_value(*equations.plan, sums[0], equations.work)
    return value, cox_reid_trace(*equations.plan, *sums, equations.work, quad)


@every_design
@each("scale", [1.0, 1e-3, 1e6])
def test_cox_reid(X, scale):
    weight = scale * np.random.default_rng(7).uniform(0.1, 3.0, len(X))
    value, trace = cox_reid(X, weight)
    matrix = X.T @ (weight[:, None] * X)
    assert value == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-12, abs=1e-12)
    expected = np.trace(np.linalg.solve(matrix, X.T @ (weight[:, None] ** 2 * X)))
    assert trace == pytest.approx(expected, rel=1e-10)


@every_design
def test_cox_reid_leaves_out_columns_without_weight(X):
    there = X[:, -1] == 0.0
    if not there.any():
        pytest.skip("every sample has the last column")
    weight = np.where(there, np.linspace(0.5, 2.0, len(X)), 0.0)
    kept = X[there].any(axis=0)
    assert not kept.all()
    used = X[there][:, kept]
    if np.linalg.matrix_rank(used) < used.shape[1]:
        pytest.skip("the other columns are dependent in the samples that are left")
    value, trace = cox_reid(X, weight)
    matrix = used.T @ (weight[there, None] * used)
    assert value == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-12)
    expected = np.trace(np.linalg.solve(matrix, used.T @ (weight[there, None] ** 2 * used)))
    assert trace == pytest.approx(expected, rel=1e-10)


@every_design
def test_lost_weights_have_no_log_determinant(X):
    value, trace = cox_reid(X, np.full(len(X), np.nan))
    assert np.isnan(value)
    assert np.isnan(trace)


@each(
    ("X", "weight"),
    [
        (np.column_stack([np.ones(4), np.zeros(4)]), np.ones(4)),
        (np.ones((4, 2)), np.ones(4)),
        (twins.two_way(), -np.ones(12)),
        (twins.two_way(), np.where(np.arange(12) % 3 == 1, -5.0, 1.0)),
        (twins.two_way(), np.where(np.arange(12) % 3 == 1, np.nan, 1.0)),
    ],
    ids=["column of zeros", "singular", "negative", "indefinite", "missing"],
)
def test_no_factor_without_positive_definiteness(X, weight):
    equations = Equations(X, weight=weight)
    assert np.isnan(factorize(equations.index, equations.work))


def test_a_ridge_makes_a_singular_matrix_regular():
    X = np.column_stack([np.ones(6), *(np.arange(6) % 3 == k for k in range(3))]).astype(float)
    singular, equations = Equations(X, weight=np.ones(6)), Equations(X, ridge=0.01)
    assert np.isnan(factorize(singular.index, singular.work))
    found = factorize(equations.index, equations.work)
    assert found == pytest.approx(np.linalg.slogdet(equations.matrix)[1], rel=1e-11)
