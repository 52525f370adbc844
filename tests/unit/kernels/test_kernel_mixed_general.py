"""Kernels of linear mixed models with any random terms, beside their formulas on dense matrices."""

import numpy as np
import pytest

from cases import each
from countnest.kernels.mixed.general.derivatives import add_levels, close_sums, derivatives, in_factor, new_sums
from countnest.kernels.mixed.general.newton import damped_step, descend
from countnest.kernels.mixed.general.sweeps import evaluate, new_work, sums_of_columns, sums_of_response, whiten
from countnest.stats.mixed.components import layout_of
from countnest.stats.mixed.records import MixedModel, RandomEffects

N = 24


def random_model(kind, rng):
    one, x = np.ones((N, 1)), rng.normal(size=(N, 1))
    groups, others = np.arange(N) % 6, np.arange(N) // 8
    slopes = RandomEffects(groups, np.hstack([one, x]))
    terms = {
        "slopes": (slopes,),
        "uncorrelated": (RandomEffects(groups, one), RandomEffects(groups, x)),
        "crossed": (RandomEffects(groups, one), RandomEffects(others, one)),
        "nested": (RandomEffects(np.arange(N) // 3, one), RandomEffects(np.arange(N) // 12, one)),
        "slopes and crossed": (RandomEffects(others, one), slopes),
    }
    return MixedModel(np.hstack([one, x, rng.normal(size=(N, 1))]), terms[kind])


KINDS = ("slopes", "uncorrelated", "crossed", "nested", "slopes and crossed")


def covariance(theta, model, weights):
    """V by its definition."""
    found, first = np.diag(1.0 / weights), 0
    for term in model.terms:
        k = term.n_columns
        factor = np.zeros((k, k))
        for column in range(k):
            for row in range(column, k):
                factor[row, column] = theta[first]
                first += 1
        found += term.matrix @ np.kron(np.eye(term.n_levels), factor @ factor.T) @ term.matrix.T
    return found


def twin_deviance(theta, y, basis, model, weights, df, restricted, variance=None):
    """The deviance by its definition, but for the sum of log weights; profiled unless the variance is given."""
    v = covariance(theta, model, weights)
    inverse = np.linalg.inv(v)
    s = basis.T @ inverse @ basis
    p = inverse - inverse @ basis @ np.linalg.solve(s, basis.T @ inverse)
    square = y @ p @ y
    log = np.linalg.slogdet(v)[1] + np.log(weights).sum() + (np.linalg.slogdet(s)[1] if restricted else 0.0)
    if variance is None:
        return log + df * (1.0 + np.log(2.0 * np.pi * square / df)), square
    return log + square / variance, square


class Gene:
    """A gene of a random model, its kernel arrays, and its twin."""

    def __init__(self, kind, restricted, rng):
        self.model = random_model(kind, rng)
        self.layout = layout_of(self.model, standardized=False)
        self.structure = self.layout.structure
        self.y, self.weights = rng.normal(size=N), rng.gamma(3.0, size=N)
        self.restricted, self.df = restricted, float(N - 3 if restricted else N)
        self.work, self.sums = new_work(self.structure), new_sums(self.structure)
        sums_of_columns(self.structure, self.weights, self.work)
        sums_of_response(self.structure, self.y, self.weights, self.work)

    def value(self, theta):
        return evaluate(theta, self.df, self.restricted, self.structure, self.work)

    def twin(self, theta, variance=None):
        basis = self.structure.basis
        return twin_deviance(theta, self.y, basis, self.model, self.weights, self.df, self.restricted, variance)

    def slopes(self, theta, *, profiled):
        t = len(theta)
        gradient, hessian = np.zeros(t), np.zeros((t, t))
        _, square = self.value(theta)
        whiten(self.work)
        add_levels(self.structure, self.work, self.restricted, self.sums)
        close_sums(self.restricted, self.sums)
        derivatives(square, self.df, profiled, self.sums)
        in_factor(self.structure, self.work, self.sums, gradient, hessian)
        return gradient, hessian


def genes():
    rng = np.random.default_rng(5)
    for kind in KINDS:
        for restricted in (True, False):
            gene = Gene(kind, restricted, rng)
            yield gene, rng.normal(size=gene.model.n_parameters)


def differences(function, at, step=1e-5):
    return np.array([(function(at + h) - function(at - h)) / (2.0 * step) for h in step * np.eye(len(at))])


def test_deviance_and_sum_of_squares_are_those_of_dense_matrices():
    for gene, theta in genes():
        np.testing.assert_allclose(gene.value(theta), gene.twin(theta), rtol=1e-11)


def test_cross_moments_are_those_of_dense_matrices():
    for gene, theta in genes():
        gene.value(theta)
        v = covariance(theta, gene.model, gene.weights)
        basis = gene.structure.basis
        s = basis.T @ np.linalg.solve(v, basis)
        np.testing.assert_allclose(gene.work.root @ gene.work.root.T, s, rtol=1e-10)
        whiten(gene.work)
        beta = np.linalg.solve(s, basis.T @ np.linalg.solve(v, gene.y))
        score = np.linalg.solve(v, gene.y - basis @ beta)
        for term, places in zip(gene.model.terms, gene.layout.places, strict=True):
            z = term.matrix
            at = [(m, start + k) for m, start in places for k in range(term.n_columns)]
            np.testing.assert_allclose([gene.work.residual[i] for i in at], z.T @ score, atol=1e-10)
            crossed = z.T @ np.linalg.solve(v, basis) @ np.linalg.inv(gene.work.root).T
            np.testing.assert_allclose([gene.work.cross[i] for i in at], crossed, atol=1e-10)
            inner = [[gene.work.inner[i[0], i[1], j[1]] if i[0] == j[0] else 0.0 for j in at] for i in at]
            np.testing.assert_allclose(inner, z.T @ np.linalg.solve(v, z), atol=1e-10)


def test_gradient_is_the_slope_of_the_deviance():
    for gene, theta in genes():
        expected = differences(lambda at, gene=gene: gene.twin(at)[0], theta)
        np.testing.assert_allclose(gene.slopes(theta, profiled=True)[0], expected, rtol=1e-6, atol=1e-7)


def test_hessian_is_the_slope_of_the_gradient():
    for gene, theta in genes():
        expected = differences(lambda at, gene=gene: gene.slopes(at, profiled=True)[0], theta)
        np.testing.assert_allclose(gene.slopes(theta, profiled=True)[1], expected, rtol=1e-6, atol=1e-6)


def test_derivatives_with_the_variance_held_are_those_of_that_deviance():
    for gene, theta in genes():
        variance = gene.value(theta)[1] / gene.df
        found, hessian = gene.slopes(theta, profiled=False)
        expected = differences(lambda at, gene=gene, v=variance: gene.twin(at, v)[0], theta)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)

        def slope(at, gene=gene, v=variance):
            return differences(lambda here: gene.twin(here, v)[0], at, 1e-4)

        np.testing.assert_allclose(hessian, differences(slope, theta, 1e-4), rtol=1e-4, atol=1e-4)


def test_a_descent_ends_where_the_gradient_vanishes_and_the_deviance_is_lower():
    for gene, theta in genes():
        t = len(theta)
        before = gene.value(theta)[0]
        at = theta.copy()
        outcome, found = descend(
            at, np.inf, gene.df, gene.restricted, gene.structure, gene.work, gene.sums, np.zeros((2 * t + 4, t))
        )
        assert outcome == 0
        assert found < before
        gradient, hessian = gene.slopes(at, profiled=True)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-5)
        assert np.linalg.eigvalsh(hessian)[0] > -1e-6


def test_a_descent_from_above_a_bound_ends_at_once():
    gene = Gene("slopes", True, np.random.default_rng(1))
    theta = np.array([1.0, 0.0, 1.0])
    value = gene.value(theta)[0]
    memory = np.zeros((10, 3))
    ended, found = descend(theta, value, gene.df, True, gene.structure, gene.work, gene.sums, memory)
    assert (ended, found) == (3, pytest.approx(value))
    np.testing.assert_array_equal(theta, [1.0, 0.0, 1.0])


@each(("damping", "there"), [(0.0, False), (3.0, True)])
def test_steps_need_a_positive_definite_hessian(damping, there):
    hessian, step = np.diag([2.0, -1.0]), np.zeros(2)
    assert damped_step(hessian, np.array([5.0, 4.0]), damping, np.zeros((2, 2)), step) == there
    if there:
        np.testing.assert_allclose(step, [-1.0, -2.0])
