"""The likelihoods of mixed models of counts against plain NumPy, and their gradients against differences."""

import numpy as np
from scipy.special import gammaln

from cases import each
from countnest.kernels.mixed.counts.laplace import marginal
from countnest.kernels.mixed.counts.points import (
    COUNT,
    LOG_COUNT,
    OFFSET,
    SLOPE,
    alpha_slope,
    log_density,
    set_dispersion,
)
from countnest.kernels.mixed.counts.restricted import restricted
from countnest.kernels.mixed.counts.work import N_SAMPLE_ROWS, Problem, new_work

GROUPS = np.repeat(np.arange(6), [1, 2, 3, 4, 3, 2])
N = len(GROUPS)


def loglik(y, eta, alpha):
    """Return log-likelihoods of counts."""
    mu = np.exp(eta)
    if alpha == 0.0:
        return y * eta - mu - gammaln(y + 1.0)
    r = 1.0 / alpha
    rise = gammaln(y + r) - gammaln(r) - gammaln(y + 1.0)
    return rise + y * np.log(alpha * mu) - (y + r) * np.log1p(alpha * mu)


def slope_and_weight(y, eta, alpha):
    mu = np.exp(eta)
    return (y - mu) / (1.0 + alpha * mu), mu * (1.0 + alpha * y) / (1.0 + alpha * mu) ** 2


def mode(y, base, design, prior, alpha):
    """Return the mode of a log-likelihood less prior' x^2 / 2, and the negative Hessian there, by Newton's method."""
    x = np.zeros(design.shape[1])
    for _ in range(300):
        slope, weight = slope_and_weight(y, base + design @ x, alpha)
        hessian = (design.T * weight) @ design + np.diag(prior)
        step = np.linalg.solve(hessian, design.T @ slope - prior * x)
        x = x + step * min(1.0, 1.0 / np.abs(step).max(initial=1e-300))
    _, weight = slope_and_weight(y, base + design @ x, alpha)
    return x, (design.T * weight) @ design + np.diag(prior)


def marginal_twin(case, x, order, nodes):
    sigma, alpha = x[0], x[1] ** 2
    base, total = case.offset + case.matrix @ x[2:], 0.0
    at, weights = np.polynomial.hermite_e.hermegauss(nodes)
    for group in range(GROUPS.max() + 1):
        own = group == GROUPS
        y, z = case.y[own], sigma * case.column[own]
        u, hessian = mode(y, base[own], z[:, np.newaxis], np.ones(1), alpha)
        h, places = hessian[0, 0], u[0] + at / np.sqrt(hessian[0, 0])
        values = np.array([loglik(y, base[own] + z * place, alpha).sum() - 0.5 * place**2 for place in places])
        middle = loglik(y, base[own] + z * u[0], alpha).sum() - 0.5 * u[0] ** 2
        share = weights @ np.exp(values - middle + 0.5 * at**2) / np.sqrt(2.0 * np.pi)
        total += middle - 0.5 * np.log(h) + np.log(share)
        if order == 2:
            mu = np.exp(base[own] + z * u[0])
            t, s = 1.0 + alpha * mu, alpha * mu
            f2 = -mu * (1.0 + alpha * y) / t**2
            h3, h4 = z**3 @ (f2 * (1.0 - s) / t), z**4 @ (f2 * ((1.0 - s) ** 2 - 2.0 * s) / t**2)
            total += np.log(1.0 + 5.0 * h3**2 / (24.0 * h**3) + h4 / (8.0 * h**2))
    return total


def restricted_twin(case, x):
    sigma, alpha = x[0], x[1] ** 2
    p, q = case.matrix.shape[1], GROUPS.max() + 1
    design = np.hstack([case.matrix, sigma * case.column[:, np.newaxis] * np.eye(q)[GROUPS]])
    found, hessian = mode(case.y, case.offset, design, np.repeat([0.0, 1.0], [p, q]), alpha)
    value = loglik(case.y, case.offset + design @ found, alpha).sum() - 0.5 * found[p:] @ found[p:]
    return value - 0.5 * np.linalg.slogdet(hessian)[1] + 0.5 * p * np.log(2.0 * np.pi)


class Case:
    """Counts of one gene; `depth` is their size."""

    def __init__(self, alpha, depth, slope):
        rng = np.random.default_rng(6)
        self.matrix = np.column_stack([np.ones(N), np.arange(N) % 2, rng.normal(size=N)])
        self.column = rng.normal(size=N) if slope else np.ones(N)
        self.offset = np.log(depth) + 0.2 * rng.normal(size=N)
        effects = 0.5 * self.column * rng.normal(size=6)[GROUPS]
        noise = rng.gamma(1.0 / alpha, alpha, N) if alpha > 0.0 else 1.0
        self.y = rng.poisson(noise * np.exp(self.offset + self.matrix @ [0.0, 0.5, 0.2] + effects)).astype(float)

    def work(self, nodes=1):
        rows, cell = np.unique(self.matrix, axis=0, return_inverse=True)
        first = np.concatenate([[0], np.cumsum(np.bincount(GROUPS))])
        at, weights = np.polynomial.hermite_e.hermegauss(nodes)
        rule = np.array([at, np.log(weights / np.sqrt(2.0 * np.pi)) + 0.5 * at**2])
        problem = Problem(rows, cell.ravel().astype(np.int64), first.astype(np.int64), self.column, rule)
        work = new_work(problem)
        fill(work.sample, self.y, self.offset)
        return problem, work


def fill(sample, y, offset):
    sample[COUNT], sample[OFFSET] = y, offset
    sample[LOG_COUNT] = np.where(y < 16.0, 0.0, np.log(np.maximum(y, 1.0)))


CASES = [(0.0, 1.0, False), (0.3, 30.0, True), (0.0, 300.0, True), (2.0, 5.0, False), (0.01, 200.0, False)]


def differences(function, x, *arguments):
    """Return the gradient of a likelihood by central differences."""
    unused, steps = np.empty(len(x)), 1e-5 * np.eye(len(x))
    ends = [[function(at, *arguments, unused) for at in (x - step, x + step)] for step in steps]
    return np.diff(ends)[:, 0] / 2e-5


@each(("alpha", "depth", "slope"), CASES)
def test_likelihoods_and_their_gradients(alpha, depth, slope):
    case = Case(alpha, depth, slope)
    x = np.array([0.6, 1.1 * np.sqrt(alpha), 0.1, 0.4, 0.1])
    for order, nodes in ((1, 1), (2, 1), (1, 7)):
        gradient = np.empty(5)
        value = marginal(x, order, *case.work(nodes), gradient)
        np.testing.assert_allclose(value, marginal_twin(case, x, order, nodes), rtol=1e-11)
        np.testing.assert_allclose(gradient, differences(marginal, x, order, *case.work(nodes)), atol=1e-7, rtol=1e-6)


@each(("alpha", "depth", "slope"), CASES)
def test_restricted_likelihoods_and_their_gradients(alpha, depth, slope):
    case = Case(alpha, depth, slope)
    x = np.array([0.6, 1.1 * np.sqrt(alpha)])
    gradient = np.empty(2)
    value = restricted(x, True, *case.work(), gradient)
    np.testing.assert_allclose(value, restricted_twin(case, x), rtol=1e-11)
    np.testing.assert_allclose(gradient, differences(restricted, x, True, *case.work()), atol=1e-7, rtol=1e-6)


def test_a_gradient_of_sigma_is_zero_at_zero():
    case = Case(0.3, 30.0, False)
    problem, work = case.work()
    gradient = np.empty(5)
    marginal(np.array([0.0, 0.5, 0.1, 0.4, 0.1]), 1, problem, work, gradient)
    assert gradient[0] == 0.0
    restricted(np.array([0.0, 0.5]), True, problem, work, gradient)
    assert abs(gradient[0]) < 1e-14


def test_points_hold_for_all_dispersions():
    y = np.array([0.0, 1.0, 5.0, 15.0, 16.0, 90.0, 2500.0])
    eta = np.log(y + 2.0) + np.linspace(-0.7, 0.7, len(y))
    sample = np.zeros((N_SAMPLE_ROWS, len(y)))
    fill(sample, y, 0.0)

    def points(alpha):
        set_dispersion(alpha, sample)
        found = [log_density(y[i], eta[i], np.exp(eta[i]), alpha, i, sample) for i in range(len(y))]
        slopes = [
            alpha_slope(y[i], np.exp(eta[i]), alpha, m, growth, sample[SLOPE, i])
            for i, (_, m, growth) in enumerate(found)
        ]
        return np.array([value for value, _, _ in found]), np.array(slopes)

    values, slopes = points(0.0)
    np.testing.assert_allclose(values, loglik(y, eta, 0.0), rtol=1e-12)
    np.testing.assert_allclose(slopes, 0.5 * ((y - np.exp(eta)) ** 2 - y), rtol=1e-10, atol=1e-10)
    for alpha in (1e-3, 0.02, 0.3, 4.0, 500.0):
        values, slopes = points(alpha)
        np.testing.assert_allclose(values, loglik(y, eta, alpha), rtol=1e-9)
        low, high = points(alpha * (1.0 - 1e-5))[0], points(alpha * (1.0 + 1e-5))[0]
        np.testing.assert_allclose(slopes, (high - low) / (2e-5 * alpha), rtol=1e-6, atol=1e-6)
    for alpha in (1e-14, 1e-12, 1e-9):  # the likelihood is smooth where gamma functions have lost all digits
        expected = points(0.0)[0] + alpha * slopes_at_zero(y, eta)
        np.testing.assert_allclose(points(alpha)[0], expected, rtol=1e-14, atol=1e11 * alpha**2 + 1e-12)


def slopes_at_zero(y, eta):
    return 0.5 * ((y - np.exp(eta)) ** 2 - y)
