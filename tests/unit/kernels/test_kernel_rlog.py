"""The regularized logarithm of one gene, against dense matrices, and its two searches against each other."""

import numpy as np
import pytest
import scipy.optimize

from countnest.kernels.shrinkage.rlog import nb_rlog_chunk
from unit.kernels import twins

INTERCEPT_RIDGE = 1e-6 / np.log(2.0) ** 2
N = 9


@pytest.fixture
def genes():
    """Counts (G, n), size factors (1, n), dispersions (G,); low and high counts."""
    rng = np.random.default_rng(5)
    factors = rng.uniform(0.4, 2.5, (1, N))
    mean = np.exp(rng.uniform(0.0, 7.0, (12, 1)))
    alpha = 0.05 + 1.0 / mean[:, 0]
    counts = rng.negative_binomial(1 / alpha[:, None], 1 / (1 + alpha[:, None] * mean * factors)).astype(float)
    counts[:, 0] += 1.0
    return counts, factors, alpha


def fit(counts, factors, alpha, ridge, *, start=None, weights=None, pinned=False, min_mu=0.5, tol=1e-4, max_iter=100):
    beta = np.zeros((len(counts), counts.shape[1] + 1))
    beta[:, 0] = 0.0 if pinned else np.log((counts / factors).mean(axis=1))
    if start is not None:
        beta[:, 1:] = start
    n_iter = np.empty(len(counts), dtype=np.int64)
    weights = np.ones((1, counts.shape[1])) if weights is None else weights
    first = np.inf if pinned else INTERCEPT_RIDGE
    nb_rlog_chunk(counts, factors, np.log(factors), weights, alpha, first, ridge, min_mu, tol, max_iter, beta, n_iter)
    return beta, n_iter


def dense(y, f, alpha, ridge, *, v=1.0, pinned=False, start=None, min_mu=0.5, tol=1e-4):
    """Iteratively reweighted least squares with all columns of X."""
    n = len(y)
    X = np.column_stack([np.ones(n), np.eye(n)])
    penalty = np.diag(np.concatenate([[INTERCEPT_RIDGE], np.full(n, ridge)]))
    beta = np.concatenate([[np.log(np.mean(y / f))], np.zeros(n)])
    if pinned:
        X, penalty, beta = X[:, 1:], penalty[1:, 1:], np.asarray(start)
    old = 0.0
    for iteration in range(1, 101):
        mu = np.maximum(f * np.exp(X @ beta), min_mu)
        W = np.diag(v * mu / (1 + alpha * mu))
        z = np.log(mu / f) + (y - mu) / mu
        beta = np.linalg.solve(X.T @ W @ X + penalty, X.T @ W @ z)
        mu = np.maximum(f * np.exp(X @ beta), min_mu)
        deviance = -2.0 * np.sum(v * twins.nb_loglik(y, mu, alpha))
        if iteration > 1 and abs(deviance - old) / (abs(deviance) + 0.1) < tol:
            return (np.concatenate([[0.0], beta]) if pinned else beta), iteration
        old = deviance
    raise AssertionError("no convergence")


def loss(beta, y, f, alpha, ridge, v=1.0):
    """Negative log posterior, without a floor of the means."""
    loglik = np.sum(v * twins.nb_loglik(y, f * np.exp(beta[0] + beta[1:]), alpha))
    return -loglik + 0.5 * (INTERCEPT_RIDGE * beta[0] ** 2 + ridge * np.sum(beta[1:] ** 2))


@pytest.mark.parametrize("ridge", [0.3, 4.0, 50.0])
@pytest.mark.parametrize("by_gene", [False, True])
def test_iterations_are_those_of_dense_least_squares(genes, ridge, by_gene):
    counts, factors, alpha = genes
    if by_gene:
        factors = factors * np.random.default_rng(6).uniform(0.5, 2.0, counts.shape)
    beta, n_iter = fit(counts, factors, alpha, ridge)
    for g, y in enumerate(counts):
        expected, iterations = dense(y, factors[g] if by_gene else factors[0], alpha[g], ridge)
        assert n_iter[g] == iterations
        np.testing.assert_allclose(beta[g], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_weights_multiply_the_likelihood(genes, shared):
    counts, factors, alpha = genes
    weights = np.random.default_rng(7).uniform(0.1, 1.0, (1, N) if shared else counts.shape)
    beta, n_iter = fit(counts, factors, alpha, 2.0, weights=weights)
    for g, y in enumerate(counts):
        expected, iterations = dense(y, factors[0], alpha[g], 2.0, v=weights[0 if shared else g])
        assert n_iter[g] == iterations
        np.testing.assert_allclose(beta[g], expected, rtol=1e-9, atol=1e-12)


def test_an_infinite_ridge_leaves_the_effects_alone(genes):
    counts, factors, alpha = genes
    start = np.log(counts / factors + 0.1) - 1.0
    beta, n_iter = fit(counts, factors * np.e, alpha, 2.0, pinned=True, start=start)
    assert (beta[:, 0] == 0.0).all()
    for g, y in enumerate(counts):
        expected, iterations = dense(y, factors[0] * np.e, alpha[g], 2.0, pinned=True, start=start[g])
        assert n_iter[g] == iterations
        np.testing.assert_allclose(beta[g], expected, rtol=1e-9, atol=1e-12)


# ---- Newton's method ----

EXTREME = np.array([[14.0, 6.0, 15.0, 15.0, 16.0, 200000.0, 10.0, 24.0, 9.0], [0, 0, 5000.0, 0, 0, 0, 0, 0, 0]])
DISPERSION = np.array([0.8, 0.9])


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_newton_finds_the_maximum_where_scoring_does_not_converge(pinned, weighted):
    factors = np.random.default_rng(8).uniform(0.5, 2.0, (1, N))
    weights = np.random.default_rng(9).uniform(0.5, 1.0, (1, N)) if weighted else np.ones((1, N))
    beta, n_iter = fit(EXTREME, factors, DISPERSION, 0.9, weights=weights, pinned=pinned, min_mu=1e-300)
    assert (n_iter == 100).all()
    free = slice(1, None) if pinned else slice(None)
    for g, y in enumerate(EXTREME):

        def function(part, y=y, alpha=DISPERSION[g]):
            whole = np.zeros(N + 1)
            whole[free] = part
            return loss(whole, y, factors[0], alpha, 0.9, weights[0])

        start = beta[g, free]
        best = scipy.optimize.minimize(function, start, method="BFGS", options={"gtol": 1e-8})
        assert function(start) <= best.fun + 1e-9
        gradient = scipy.optimize.approx_fprime(start, function, 1e-6)
        np.testing.assert_allclose(gradient, 0.0, atol=2e-3)


@pytest.mark.parametrize("min_mu", [5.0, 40.0])
def test_newton_and_scoring_have_the_same_limit(genes, min_mu):
    counts, factors, alpha = genes
    scoring, n_iter = fit(counts, factors, alpha, 2.0, tol=1e-15, min_mu=min_mu, max_iter=1000)
    assert (n_iter < 1000).all()
    newton, n_iter = fit(counts, factors, alpha, 2.0, min_mu=min_mu, max_iter=1)
    assert (n_iter == 1).all()
    np.testing.assert_allclose(newton, scoring, rtol=1e-6, atol=1e-7)
    floored = factors * np.exp(newton[:, :1] + newton[:, 1:]) < min_mu
    assert floored.any()
    assert not floored.all()


def test_a_gene_does_not_feel_its_neighbours(genes):
    counts, factors, alpha = genes
    together, _ = fit(counts, factors, alpha, 1.0)
    for g in range(len(counts)):
        alone, _ = fit(counts[g : g + 1], factors, alpha[g : g + 1], 1.0)
        np.testing.assert_array_equal(alone[0], together[g])
