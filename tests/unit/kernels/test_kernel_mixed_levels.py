"""Kernels of linear mixed models with one random term, or terms with common eigenvectors, against dense matrices."""

import numpy as np

from cases import each
from countnest.kernels.mixed import search
from countnest.kernels.mixed.contrasts import form_pairs, solve_rows
from countnest.kernels.mixed.gene import evaluate, load, new_gene
from countnest.kernels.mixed.levels import DERIVATIVES, VALUE
from countnest.kernels.mixed.search import CONVERGED, MEMORY, RANK_DEFICIENT, SINGULAR
from countnest.kernels.mixed.triangles import backward, factorise, forward, invert, multiply
from countnest.stats.mixed.levels import chunk_inputs, levels_model
from countnest.stats.mixed.linear import LATTICE
from countnest.stats.mixed.records import MixedModel, RandomEffects


class Dense:
    """The formulas as in papers: V, P and the criterion of one gene; `kernels` are K_k = Z_k Z_k'."""

    def __init__(self, y, X, kernels, weights, ratios):
        self.y, self.X, self.kernels, self.n, self.p = y, X, kernels, *X.shape
        V = np.diag(1 / weights) + sum(ratio * kernel for ratio, kernel in zip(ratios, kernels, strict=True))
        self.inverse = np.linalg.inv(V)
        self.S = X.T @ self.inverse @ X
        self.P = self.inverse - self.inverse @ X @ np.linalg.solve(self.S, X.T @ self.inverse)
        self.log_det = np.linalg.slogdet(V)[1] + np.log(weights).sum()

    def criterion(self, reml):
        df = self.n - self.p if reml else self.n
        value = self.log_det + df * (1 + np.log(2 * np.pi * (self.y @ self.P @ self.y) / df))
        return value + (np.linalg.slogdet(self.S)[1] if reml else 0.0)

    def moments(self):
        r2, py = self.y @ self.P @ self.y, self.P @ self.y
        first = [[np.trace(m @ K) for K in self.kernels] for m in (self.inverse, self.P)]
        second = [
            [[np.trace(m @ K @ m @ J) for J in self.kernels] for K in self.kernels] for m in (self.inverse, self.P)
        ]
        first.append([py @ K @ py / r2 for K in self.kernels])
        second.append([[py @ K @ self.P @ J @ py / r2 for J in self.kernels] for K in self.kernels])
        return np.array(first), np.array(second)


def layout(weighted, terms, seed=3):
    """Return a model of 24 samples, two responses, and weights or None."""
    rng = np.random.default_rng(seed)
    n = 24
    X = np.column_stack([np.ones(n), np.arange(n) % 2, rng.normal(size=n)])
    if terms == 1:
        codes = np.sort(rng.integers(0, 7, n))
        codes = np.unique(codes, return_inverse=True)[1]
        random = (RandomEffects(codes, rng.normal(size=(n, 1)) if weighted else np.ones((n, 1))),)
    else:  # crossed and balanced
        random = tuple(RandomEffects(codes, np.ones((n, 1))) for codes in (np.arange(n) % 4, np.arange(n) // 4))
    y = rng.normal(size=(2, n)) + 3 + rng.normal(size=(2, 7))[:, random[0].codes]
    return MixedModel(X, random), y, rng.gamma(3.0, size=(2, n)) if weighted else None


def prepared(model, y, weights):
    """Return the parts of a model, a gene with the sums of the first response, and its dense form at given ratios."""
    levels = levels_model(model, weighted=weights is not None)
    inputs = chunk_inputs(levels, y, weights)
    gene = new_gene(inputs)
    load(inputs, 0, gene)
    kernels = [term.matrix @ term.matrix.T for term in model.terms]
    weight = np.ones(y.shape[1]) if weights is None else weights[0]
    return levels, gene, lambda ratios: Dense(y[0], levels.columns, kernels, weight, ratios)


def searched(gene, reml, lattice):
    """Return the ratios at which the search ends, how it ended, and the unit."""
    terms = gene.first.shape[1]
    unit, lowest, memory = np.ones(terms), np.zeros(terms), np.zeros((MEMORY + terms, terms))
    state, numbers, heights = np.zeros(search.STATES, dtype=np.int64), np.zeros(search.NUMBERS), np.zeros(len(lattice))
    search.scale_ratios(gene, True, unit, lowest)
    search.begin(lattice, unit, lowest, unit, state, numbers, memory)
    while state[search.PHASE] != search.DONE:
        order = DERIVATIVES if state[search.PHASE] == search.DESCENT else VALUE
        value = evaluate(memory[search.TRIAL], gene, reml, order, memory[search.SLOPE], memory[MEMORY:])
        search.next_trial(value, gene, reml, lattice, unit, lowest, state, numbers, heights, memory)
    return memory[search.TRIAL].copy(), state[search.ENDED], unit


CASES = [(False, 1), (True, 1), (False, 2)]


@each(("weighted", "terms"), CASES)
def test_the_likelihood_and_its_derivatives_are_those_of_dense_matrices(weighted, terms):
    _, gene, dense = prepared(*layout(weighted, terms))
    gradient, hessian = np.zeros(terms), np.zeros((terms, terms))
    for ratios in (np.full(terms, 0.3), np.linspace(0.0, 2.0, terms)):
        for reml in (True, False):
            value = evaluate(ratios, gene, reml, DERIVATIVES, gradient, hessian)
            assert value == evaluate(ratios, gene, reml, VALUE, gradient, hessian)
            np.testing.assert_allclose(value, dense(ratios).criterion(reml), rtol=1e-12)
            first, second = dense(ratios).moments()
            np.testing.assert_allclose(gene.first, first, rtol=1e-10, atol=1e-13)
            np.testing.assert_allclose(gene.second, second, rtol=1e-10, atol=1e-13)
            for k in range(terms):
                step = np.eye(terms)[k] * 1e-5
                ends = [dense(ratios + sign * step).criterion(reml) for sign in (1, -1)]
                np.testing.assert_allclose(gradient[k], (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=1e-6)
                slopes = np.zeros((2, terms))
                for row, sign in enumerate((1, -1)):
                    evaluate(ratios + sign * step, gene, reml, DERIVATIVES, slopes[row], np.zeros((terms, terms)))
                evaluate(ratios, gene, reml, DERIVATIVES, gradient, hessian)
                np.testing.assert_allclose(hessian[k], (slopes[0] - slopes[1]) / 2e-5, rtol=1e-6, atol=1e-6)


@each(("weighted", "terms"), CASES)
def test_the_parts_of_tests_are_those_of_dense_matrices(weighted, terms):
    levels, gene, dense = prepared(*layout(weighted, terms))
    ratios = np.linspace(0.4, 0.7, terms)
    evaluate(ratios, gene, True, DERIVATIVES, np.zeros(terms), np.zeros((terms, terms)))
    rows, pairs = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]), np.array([[0, 0], [1, 0]])
    solved, half = np.zeros((2, 3)), np.zeros((terms, 2, 3))
    solve_rows(gene, rows, solved, half)
    covariance, slopes, bends = np.zeros(2), np.zeros((terms, 2)), np.zeros((terms * (terms + 1) // 2, 2))
    form_pairs(gene, solved, half, rows, pairs, covariance, slopes, bends)
    of = dense(ratios)
    a = np.linalg.solve(of.S, rows.T)
    VX = of.inverse @ levels.columns
    for c, (i, j) in enumerate(pairs):
        np.testing.assert_allclose(covariance[c], rows[i] @ a[:, j], rtol=1e-11)
        place = 0
        for k, K in enumerate(of.kernels):
            np.testing.assert_allclose(slopes[k, c], a[:, i] @ VX.T @ K @ VX @ a[:, j], rtol=1e-11, atol=1e-14)
            for J in of.kernels[: k + 1]:
                bend = VX.T @ (K @ of.P @ J + J @ of.P @ K) @ VX / 2
                np.testing.assert_allclose(bends[place, c], a[:, i] @ bend @ a[:, j], rtol=1e-9, atol=1e-13)
                place += 1


@each(("weighted", "terms"), CASES)
def test_the_search_ends_at_the_lowest_point(weighted, terms):
    for seed in range(12):
        _, gene, dense = prepared(*layout(weighted, terms, seed))
        ratios, ended, _ = searched(gene, True, np.array([0.0, 0.25, 4.0]))
        assert ended in (CONVERGED, SINGULAR)
        assert (ended == SINGULAR) == bool(np.any(ratios == 0))
        found = dense(ratios).criterion(True)
        line = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 60)])
        grid = np.meshgrid(*[line] * terms, indexing="ij")
        others = np.column_stack([each.ravel() for each in grid])[:: terms**2]
        none = np.zeros(terms), np.zeros((terms, terms))
        assert found <= min(evaluate(other, gene, True, VALUE, *none) for other in others) + 1e-9


@each("seed", (428, 557, 1016, 2057, 5792))
def test_the_lower_of_two_minima_is_found(seed):
    """A few cases, of thousands, where the lowest point of the lattice lies beside the higher one."""
    rng = np.random.default_rng(seed)
    columns, groups = np.column_stack([np.ones(12), rng.normal(size=12)]), np.arange(12) // 3
    y, weights = rng.standard_t(3, size=(1, 12)), rng.gamma(0.5, size=(1, 12))
    _, gene, _ = prepared(MixedModel(columns, (RandomEffects(groups, np.ones((12, 1))),)), y, weights)
    none = np.zeros(1), np.zeros((1, 1))
    ratios, _, unit = searched(gene, False, LATTICE)
    found = evaluate(ratios, gene, False, VALUE, *none)
    heights = [evaluate(point * unit, gene, False, VALUE, *none) for point in LATTICE]
    near = np.argmin(heights)
    beside = np.linspace(LATTICE[max(near - 1, 0)], LATTICE[near + 1], 50)[:, None] * unit
    higher = min(evaluate(other, gene, False, VALUE, *none) for other in beside)
    assert found < higher - 1e-3
    line = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 40)]) * unit
    assert found <= min(evaluate(np.array([other]), gene, False, VALUE, *none) for other in line)


def test_columns_that_depend_on_each_other_have_no_fit():
    model, y, weights = layout(True, 1)
    weights[0, 2:] = 0.0
    _, gene, _ = prepared(model, y, weights)
    assert searched(gene, True, np.array([0.0, 1.0]))[1] == RANK_DEFICIENT


def test_packed_triangles_are_those_of_dense_algebra():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    matrix, values = root @ root.T, rng.normal(size=5)
    at = np.tril_indices(5)
    product = np.zeros(5)
    multiply(matrix[at], 5, values, product)
    np.testing.assert_allclose(product, matrix @ values, rtol=1e-12)
    factor, inverse, own = matrix[at], np.zeros(15), values.copy()
    assert factorise(factor, 5)
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix)[at], rtol=1e-12)
    invert(factor, 5, inverse)
    np.testing.assert_allclose(inverse, np.linalg.inv(np.linalg.cholesky(matrix))[at], rtol=1e-9)
    forward(factor, 5, own)
    backward(factor, 5, own)
    np.testing.assert_allclose(own, np.linalg.solve(matrix, values), rtol=1e-9)
    assert not factorise(np.array([1.0, 1.0, 1.0]), 2)
