"""The negative binomial GLM: every number that the kernels write, against dense least squares."""

import numpy as np
import pytest
import scipy.optimize

from countnest.kernels.negbin.inference import nb_log_covariance_chunk, nb_log_inference_chunk, nb_log_variance_chunk
from countnest.kernels.negbin.irls import (
    nb_log_irls_chunk,
    nb_log_start_chunk,
)
from unit.kernels import twins

RIDGE_LOG2 = 1e-6  # the prior precision of a coefficient
RIDGE = RIDGE_LOG2 / np.log(2.0) ** 2
FITTED = ("beta", "variance", "mu", "hat", "loglik")


def start(counts, factors, X):
    beta = np.full((len(counts), X.shape[1]), np.nan)
    basis, triangle = np.linalg.qr(X)
    nb_log_start_chunk(counts, factors, np.ascontiguousarray(basis), np.ascontiguousarray(triangle), beta)
    return beta


def fit(counts, factors, X, alpha, beta, ridge=RIDGE, min_mu=0.5, max_iter=100, v=None, only_means=False):
    (n_genes, n), p = counts.shape, X.shape[1]
    found = {
        "beta": beta.copy(),
        "variance": np.empty((n_genes, p)),
        "mu": np.empty((n_genes, n)),
        "hat": np.empty((n_genes, n)),
        "loglik": np.empty(n_genes),
        "n_iter": np.empty(n_genes, dtype=np.int64),
    }
    v = np.ones((1, n)) if v is None else v
    plan, ridge = twins.plan_of(X), np.broadcast_to(ridge, p).copy()
    nb_log_irls_chunk(
        counts, factors, np.log(factors), v, alpha, *plan, ridge, min_mu, 1e-8, max_iter,
        found["beta"], found["mu"], found["n_iter"],
    )  # fmt: skip
    nb_log_inference_chunk(
        counts, factors, v, alpha, found["beta"], *plan, ridge, only_means,
        found["mu"], found["variance"], found["hat"], found["loglik"],
    )  # fmt: skip
    return found


def assert_like_twin(found, counts, factors, X, alpha, beta, *, rtol=1e-8, v=None, ridge=RIDGE, **options):
    for g in range(len(counts)):
        f = factors[0] if len(factors) == 1 else factors[g]
        w = 1.0 if v is None else v[g]
        twin = twins.irls(counts[g], f, X, alpha[g], beta[g], ridge, v=w, **options)
        assert found["n_iter"][g] == twin["n_iter"], g
        for name in FITTED:
            np.testing.assert_allclose(found[name][g], twin[name], rtol=rtol, atol=1e-9, err_msg=f"{name} {g}")


@pytest.fixture(params=list(twins.DESIGNS))
def X(request):
    return twins.DESIGNS[request.param]


def test_start_is_least_squares_of_logs(X):
    counts, f, _, _ = twins.simulate(X, 10, seed=1)
    found = start(counts, f[None], X)
    np.testing.assert_allclose(found, [twins.start(y, f, X) for y in counts], rtol=1e-10, atol=1e-12)


def test_fit(X):
    counts, f, _, alpha = twins.simulate(X, 60, seed=21)
    beta = start(counts, f[None], X)
    found = fit(counts, f[None], X, alpha, beta)
    assert (found["n_iter"] < 100).all()
    assert len(np.unique(found["n_iter"])) > 1
    assert_like_twin(found, counts, f[None], X, alpha, beta)


def test_fit_with_normalization_factors(X):
    counts, f, _, alpha = twins.simulate(X, 20, seed=22)
    factors = f * np.random.default_rng(3).uniform(0.5, 2.0, counts.shape)
    beta = start(counts, factors, X)
    np.testing.assert_allclose(beta[7], twins.start(counts[7], factors[7], X), rtol=1e-10)
    assert_like_twin(fit(counts, factors, X, alpha, beta), counts, factors, X, alpha, beta)


@pytest.mark.parametrize("min_mu", [0.5, 5.0, 0.0])
def test_fit_with_floored_means(min_mu):
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 30, seed=23, low=0.5, high=8.0)
    beta = start(counts, f[None], X)
    found = fit(counts, f[None], X, alpha, beta, min_mu=min_mu)
    if min_mu:
        assert (found["mu"] < min_mu).any(axis=1).sum() > 5
    assert_like_twin(found, counts, f[None], X, alpha, beta, min_mu=min_mu)


def test_fit_of_a_group_without_counts():
    X = twins.one_way()
    counts, f, _, alpha = twins.simulate(X, 20, seed=24)
    counts[:, X[:, 1] == 1] = 0.0
    beta = start(counts, f[None], X)
    found = fit(counts, f[None], X, alpha, beta)
    assert (found["beta"][:, 1] < -3).mean() > 0.5
    assert_like_twin(found, counts, f[None], X, alpha, beta)


def test_fit_with_small_and_large_dispersions():
    X = twins.dense()
    counts, f, _, _ = twins.simulate(X, 12, seed=25)
    alpha = np.repeat([1e-3, 1.0, 10.0], 4)
    beta = start(counts, f[None], X)
    assert_like_twin(fit(counts, f[None], X, alpha, beta), counts, f[None], X, alpha, beta)


def test_fit_whose_coefficients_diverge_is_given_up():
    X = np.column_stack([np.ones(8), np.linspace(0.0, 7e-2, 8)])  # needs a coefficient of 100
    y = np.round(3.0 * np.exp(100.0 * X[:, 1]))[None]
    f, alpha = np.ones((1, 8)), np.array([0.1])
    beta = start(y, f, X)
    found = fit(y, f, X, alpha, beta)
    assert found["n_iter"][0] == 100
    assert np.abs(found["beta"]).max() > 30.0  # the coefficients as they were left ...
    np.testing.assert_allclose(found["mu"][0], np.exp(X @ found["beta"][0]), rtol=1e-12)  # ... give the means
    mu = np.maximum(np.exp(X @ beta[0]), 0.5)  # and the weights are those of the start
    w = mu / (1.0 + 0.1 * mu)
    np.testing.assert_allclose(found["variance"][0], np.diag(twins.covariance(X, w, RIDGE)), rtol=1e-6)
    assert_like_twin(found, y, f, X, alpha, beta, rtol=1e-6)


def test_fit_that_runs_out_of_iterations():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 10, seed=26)
    beta = start(counts, f[None], X) + 0.5
    found = fit(counts, f[None], X, alpha, beta, max_iter=2)
    assert (found["n_iter"] == 2).all()
    assert_like_twin(found, counts, f[None], X, alpha, beta, max_iter=2)


def test_fit_without_information_is_missing():
    X = np.column_stack([np.ones(6), np.zeros(6)])
    y, f = np.full((1, 6), 20.0), np.ones((1, 6))
    found = fit(y, f, X, np.array([0.1]), np.zeros((1, 2)), ridge=0.0)
    assert found["n_iter"][0] == 100
    assert np.isnan(found["variance"]).all()
    assert np.isnan(found["hat"]).all()


def test_a_gene_without_information_takes_nothing_from_the_gene_before():
    X = twins.one_way()
    counts, f, _, alpha = twins.simulate(X, 3, seed=36)
    beta = start(counts, f[None], X)
    v = np.ones_like(counts)
    v[1, X[:, 2] == 1.0] = 0.0
    for only_means in (False, True):
        together = fit(counts, f[None], X, alpha, beta, ridge=0.0, v=v, only_means=only_means)
        assert np.isnan(together["variance"][1]).all()
        assert together["n_iter"][1] == 100
        for g in (0, 2):
            assert (together["variance"][g] > 0).all()
        if not only_means:
            assert np.isnan(together["hat"][1]).all()
            assert np.isfinite(together["hat"][[0, 2]]).all()


def test_only_means_are_those_of_the_whole_fit(X):
    counts, f, _, alpha = twins.simulate(X, 25, seed=35, low=1.0)
    factors = f * np.random.default_rng(8).uniform(0.5, 2.0, counts.shape)
    beta = start(counts, factors, X)
    whole = fit(counts, factors, X, alpha, beta)
    part = fit(counts, factors, X, alpha, beta, only_means=True)
    for name in ("beta", "mu", "n_iter"):
        np.testing.assert_array_equal(part[name], whole[name])
    np.testing.assert_array_equal(part["variance"] > 0, whole["variance"] > 0)


def test_estimates_maximise_the_penalized_likelihood():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 15, seed=27, low=50.0)
    found = fit(counts, f[None], X, alpha, start(counts, f[None], X))
    for y, a, beta in zip(counts, alpha, found["beta"], strict=True):
        gradient = twins.penalized_gradient(beta / np.log(2.0), y, f, X, a, RIDGE_LOG2)
        scale = np.abs(X).T @ (y + 1.0)
        assert (np.abs(gradient) < 1e-3 * scale).all()
        best = scipy.optimize.minimize(
            twins.penalized_loss, beta / np.log(2.0), (y, f, X, a, RIDGE_LOG2), jac=twins.penalized_gradient, tol=1e-10
        )
        # the deviance is converged to 1e-8 of its size
        found_loss = twins.penalized_loss(beta / np.log(2.0), y, f, X, a, RIDGE_LOG2)
        assert found_loss - best.fun < 1e-7 * abs(best.fun)


@pytest.mark.parametrize("min_mu", [0.5, 20.0])
@pytest.mark.parametrize("shared", [True, False])
def test_variance_of_contrasts(X, shared, min_mu):
    counts, f, _, alpha = twins.simulate(X, 8, seed=28, low=1.0, high=100.0)
    rng = np.random.default_rng(9)
    factors = f[None] if shared else f * rng.uniform(0.5, 2.0, counts.shape)
    beta = rng.normal(1.0, 1.0, (8, X.shape[1]))
    contrasts = np.vstack([np.eye(X.shape[1]), rng.normal(size=(2, X.shape[1]))])
    v = np.ones((1, len(X))) if shared else rng.uniform(0.01, 1.0, counts.shape)
    ridge = RIDGE * np.arange(1.0, X.shape[1] + 1.0)
    found = np.empty((8, len(contrasts)))
    plan = twins.plan_of(X)
    nb_log_variance_chunk(contrasts, beta, factors, v, alpha, *plan, ridge, min_mu, found)
    for g in range(8):
        mu = np.maximum((factors[0] if shared else factors[g]) * np.exp(X @ beta[g]), min_mu)
        w = v[0 if shared else g] * mu / (1.0 + alpha[g] * mu)
        covariance = twins.covariance(X, w, ridge)
        np.testing.assert_allclose(found[g], np.einsum("ik,kl,il->i", contrasts, covariance, contrasts), rtol=1e-8)
    joint = np.empty((8, len(contrasts), len(contrasts)))
    nb_log_covariance_chunk(contrasts, beta, factors, v, alpha, *plan, ridge, min_mu, joint)
    np.testing.assert_allclose(np.einsum("gii->gi", joint), found, rtol=1e-12)
    np.testing.assert_allclose(joint[-1], contrasts @ covariance @ contrasts.T, rtol=1e-8, atol=1e-10)


def test_weights_and_ridges_of_each_coefficient(X):
    counts, f, _, alpha = twins.simulate(X, 10, seed=31)
    rng = np.random.default_rng(5)
    v = rng.uniform(0.05, 1.0, counts.shape)
    ridge = rng.uniform(0.0, 0.3, X.shape[1])
    beta = start(counts, f[None], X)
    found = fit(counts, f[None], X, alpha, beta, ridge=ridge, v=v)
    for g in range(len(counts)):
        twin = twins.irls(counts[g], f, X, alpha[g], beta[g], ridge, v=v[g])
        assert found["n_iter"][g] == twin["n_iter"] < 100
        for name in FITTED:
            np.testing.assert_allclose(found[name][g], twin[name], rtol=1e-7, atol=1e-8, err_msg=name)
    whole = fit(counts, f[None], X, alpha, beta, v=np.ones_like(counts))
    for name, values in fit(counts, f[None], X, alpha, beta).items():
        np.testing.assert_array_equal(whole[name], values)


def test_a_weight_of_two_is_two_samples():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 5, seed=33)
    twice = np.append(np.arange(12), 3)
    v = np.ones_like(counts)
    v[:, 3] = 2.0
    weighted = fit(counts, f[None], X, alpha, start(counts, f[None], X), v=v)
    repeated = fit(np.ascontiguousarray(counts[:, twice]), f[None, twice], X[twice], alpha, start(counts, f[None], X))
    for name in ("beta", "variance", "loglik"):
        np.testing.assert_allclose(weighted[name], repeated[name], rtol=1e-9)
    np.testing.assert_array_equal(weighted["n_iter"], repeated["n_iter"])
