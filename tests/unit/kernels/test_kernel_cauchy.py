"""Posterior modes under a Cauchy prior, against a dense posterior and SciPy's searches."""

import numpy as np
import pytest
import scipy.optimize

from countnest.kernels.r_search.apeglm import nb_cauchy_chunk
from unit.kernels import twins

PRECISION = 1.0 / 15.0**2


def search(counts, factors, X, alpha, *, scale=0.3, place=None, weights=None, early=False):
    """Return modes (G, p), variances (G,) and whether a mode was reached."""
    (n_genes, n), p = counts.shape, X.shape[1]
    beta = np.array([twins.start(y, factors[0 if len(factors) == 1 else g], X) for g, y in enumerate(counts)])
    variance, reached = np.empty(n_genes), np.empty(n_genes, dtype=np.int64)
    nb_cauchy_chunk(
        counts, np.log(factors), np.ones((1, n)) if weights is None else weights, alpha,
        twins.plan_of(X), p - 1 if place is None else place, scale, PRECISION, early, beta, variance, reached,
    )  # fmt: skip
    return beta, variance, reached == 1


class Posterior:
    """The negative log posterior of one gene, its gradient and its Hessian."""

    def __init__(self, y, f, X, alpha, *, scale=0.3, place=-1, v=1.0):
        self.y, self.f, self.X, self.alpha, self.v = y, f, X, alpha, v
        self.scale, self.place = scale, place
        self.precision = np.full(X.shape[1], PRECISION)
        self.precision[place] = 0.0

    def mean(self, beta):
        return self.f * np.exp(self.X @ beta)

    def loss(self, beta):
        loglik = np.sum(self.v * twins.nb_loglik(self.y, self.mean(beta), self.alpha))
        prior = np.log1p((beta[self.place] / self.scale) ** 2)
        return -loglik + 0.5 * np.sum(self.precision * beta**2) + prior

    def gradient(self, beta):
        mu, b = self.mean(beta), beta[self.place]
        slope = -self.X.T @ (self.v * (self.y - mu) / (1.0 + self.alpha * mu)) + self.precision * beta
        slope[self.place] += 2.0 * b / (self.scale**2 + b**2)
        return slope

    def hessian(self, beta):
        mu, b = self.mean(beta), beta[self.place]
        w = self.v * mu * (1.0 + self.alpha * self.y) / (1.0 + self.alpha * mu) ** 2
        hessian = self.X.T @ (w[:, None] * self.X) + np.diag(self.precision)
        hessian[self.place, self.place] += 2.0 * (self.scale**2 - b**2) / (self.scale**2 + b**2) ** 2
        return hessian


@pytest.fixture(params=list(twins.DESIGNS))
def X(request):
    return twins.DESIGNS[request.param]


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
def test_the_mode_is_a_maximum(X, scale):
    counts, f, _, alpha = twins.simulate(X, 40, seed=31)
    beta, variance, reached = search(counts, f[None], X, alpha, scale=scale)
    assert reached.all()
    for g, y in enumerate(counts):
        posterior = Posterior(y, f, X, alpha[g], scale=scale)
        hessian = posterior.hessian(beta[g])
        assert np.linalg.eigvalsh(hessian)[0] > 0
        newton = np.linalg.solve(hessian, posterior.gradient(beta[g]))
        np.testing.assert_allclose(newton, 0.0, atol=1e-9)
        np.testing.assert_allclose(variance[g], np.linalg.inv(hessian)[-1, -1], rtol=1e-7)


def test_no_start_of_scipy_finds_a_higher_mode(X):
    counts, f, _, alpha = twins.simulate(X, 12, seed=32, low=1.0, high=20.0)
    beta, _, _ = search(counts, f[None], X, alpha, scale=0.1)
    rng = np.random.default_rng(5)
    for g, y in enumerate(counts):
        posterior = Posterior(y, f, X, alpha[g], scale=0.1)
        for _ in range(4):
            start = beta[g] + rng.normal(0.0, 2.0, X.shape[1])
            found = scipy.optimize.minimize(posterior.loss, start, jac=posterior.gradient, method="BFGS")
            assert posterior.loss(beta[g]) <= found.fun + 1e-9


def test_of_two_modes_the_higher_one():
    """One huge count: the likelihood wants a change of 13 with a standard error of 1.4, the prior wants none."""
    X = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)])
    f = np.ones(12)
    counts = np.array([[19, 28, 27, 23, 905375, 15, 14, 16, 11, 23, 16, 7.0]] * 2)
    alpha = np.array([5.4, 12.0])
    beta, _, reached = search(counts, f[None], X, alpha, scale=0.35)
    assert reached.all()
    assert beta[0, 1] < -5
    assert abs(beta[1, 1]) < 0.1
    for g in range(2):
        posterior = Posterior(counts[g], f, X, alpha[g], scale=0.35)
        for other in ([11.2, -0.05], [11.7, -9.0]):
            found = scipy.optimize.minimize(posterior.loss, other, jac=posterior.gradient, method="BFGS")
            assert posterior.loss(beta[g]) <= found.fun + 1e-9


def test_place_factors_and_weights():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 15, seed=33)
    rng = np.random.default_rng(8)
    factors = f * rng.uniform(0.5, 2.0, counts.shape)
    weights = rng.uniform(0.05, 1.0, counts.shape)
    weights[:, 0] = 0.0
    beta, variance, reached = search(counts, factors, X, alpha, place=1, weights=weights)
    assert reached.all()
    for g, y in enumerate(counts):
        posterior = Posterior(y, factors[g], X, alpha[g], place=1, v=weights[g])
        hessian = posterior.hessian(beta[g])
        np.testing.assert_allclose(np.linalg.solve(hessian, posterior.gradient(beta[g])), 0.0, atol=1e-9)
        np.testing.assert_allclose(variance[g], np.linalg.inv(hessian)[1, 1], rtol=1e-7)


def test_a_weight_of_two_is_two_samples():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 10, seed=34)
    twice = np.vstack([X, X[:4]])
    weights = np.ones((1, len(X)))
    weights[0, :4] = 2.0
    found = search(counts, f[None], X, alpha, weights=weights)
    expected = search(np.hstack([counts, counts[:, :4]]), np.append(f, f[:4])[None], twice, alpha)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)
    early, early_expected = (
        search(counts, f[None], X, alpha, weights=weights, early=True),
        search(np.hstack([counts, counts[:, :4]]), np.append(f, f[:4])[None], twice, alpha, early=True),
    )
    np.testing.assert_allclose(early[0], early_expected[0], rtol=1e-6, atol=1e-7)


def test_the_early_search_ends_near_a_mode(X):
    counts, f, _, alpha = twins.simulate(X, 60, seed=35, low=20.0)
    beta, variance, reached = search(counts, f[None], X, alpha, early=True)
    assert reached.all()
    at_mode, exact, _ = search(counts, f[None], X, alpha)
    distance = np.abs(beta[:, -1] - at_mode[:, -1]) / np.sqrt(exact)
    assert 0 < np.median(distance) < 0.02
    assert np.quantile(distance, 0.95) < 0.2
    np.testing.assert_allclose(np.median(variance / exact), 1.0, rtol=0.01)


def test_an_early_end_far_before_the_mode_does_not_count():
    """Counts of millions: the search ends when the log posterior changes by less than a hundred-millionth of itself."""
    X = twins.DESIGNS["saturated"]
    counts, f, _, alpha = twins.simulate(X, 150, seed=39, low=5e5, high=5e6)
    alpha /= 10.0
    beta, _, reached = search(counts, f[None], X, alpha, early=True)
    mode, exact, _ = search(counts, f[None], X, alpha)
    ahead = np.empty(len(counts))
    for g, y in enumerate(counts):
        posterior = Posterior(y, f, X, alpha[g])
        covariance = np.linalg.inv(posterior.hessian(beta[g]))
        ahead[g] = abs(covariance[-1] @ posterior.gradient(beta[g])) / np.sqrt(covariance[-1, -1])
    assert 1 < np.count_nonzero(~reached) < 15
    assert ahead[reached].max() <= 0.3 + 1e-6
    assert ahead[~reached].min() > 0.3 - 1e-6
    distance = np.abs(beta - mode)[:, -1] / np.sqrt(exact)
    assert distance[reached].max() < 0.32
    assert distance[~reached].max() > 1.0


def test_genes_do_not_see_each_other():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 20, seed=36)
    for early in (True, False):
        together = search(counts, f[None], X, alpha, early=early)
        alone = search(counts[7:8].copy(), f[None], X, alpha[7:8].copy(), early=early)
        np.testing.assert_array_equal(together[0][7], alone[0][0])
        np.testing.assert_array_equal(together[1][7], alone[1][0])


def test_extreme_counts():
    X = twins.two_way()
    n = len(X)
    group = X[:, -1] == 1
    counts = np.zeros((4, n))
    counts[0, 0] = 1.0
    counts[1, group] = 40.0
    counts[2] = 1e7
    counts[3, ~group] = 3e6
    alpha = np.array([8.0, 1e-8, 1e-8, 10.0])
    for early in (True, False):
        beta, variance, reached = search(counts, np.ones((1, n)), X, alpha, scale=0.2, early=early)
        assert reached.tolist() == [True, True, not early, True]  # an early end far before the mode
        assert np.isfinite(beta).all()
        assert (variance > 0).all()


def test_missing_numbers_end_the_search():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 3, seed=37)
    alpha[1] = np.nan
    for early in (True, False):
        _, variance, reached = search(counts, f[None], X, alpha, early=early)
        assert (reached & np.isfinite(variance)).tolist() == [True, False, True]
