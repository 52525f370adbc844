"""Likelihoods at several dispersions against plain formulas, one gene and one dispersion at a time."""

from decimal import Decimal

import numpy as np
import pytest

from cases import each, product
from countnest.kernels.negbin.nodes import (
    log_product,
    nb_node_loglik_chunk,
    nb_node_ratio_chunk,
    nb_node_variance_chunk,
    stirling_rest,
)
from countnest.stats.averaged.grid import cubic_interpolation
from unit.kernels import exact, twins
from unit.kernels.test_kernel_elimination import nested
from unit.kernels.test_kernel_special import ARGUMENTS, EPS, error

DESIGNS = {
    **twins.DESIGNS,
    "two groups": twins.one_way(7, 2),
    "no groups": np.ones((5, 1)),
    "nested": nested(8),
    "many samples": np.repeat(twins.one_way(4, 2), 40, axis=0),
}
# The whole range of the test, and nodes close to each other.
LOG_ALPHA = np.log(10.0 ** np.array([-8.0, -6.5, -5.0, -3.0, -2.0, -1.0, -0.9, -0.5, 0.0, 1.0, 2.0, 3.0]))


def known_genes(X, seed, n_genes=21):
    """Return counts, means, means of a null model, weights (G, n) and nodes (G, K) of genes of all sizes.

    One has the largest counts, one few, one none in the first cell, where its means are next to nothing.
    """
    rng = np.random.default_rng(seed)
    n = len(X)
    mu = 10.0 ** rng.uniform(-1.0, 3.3, (n_genes, 1)) * np.exp(rng.normal(0.0, 0.5, (n_genes, n)))
    mu[1, :2] = 1e6
    mu[2] = 0.3
    null_mu = mu * np.exp(rng.normal(0.0, 0.2, (n_genes, n)))
    counts = rng.poisson(mu * rng.gamma(3.0, 1.0 / 3.0, (n_genes, n))).astype(float)
    empty = (X[0] == X).all(axis=1)
    counts[3, empty], mu[3, empty] = 0.0, 1e-6
    counts[4] = 0.0
    weights = rng.choice([1.0, 1.0, 0.6, 0.05, 0.0], (n_genes, n))
    weights[:, :3] = 1.0
    poor = [np.linalg.matrix_rank(X[v > 0.0]) < X.shape[1] for v in weights]
    weights[poor] = np.maximum(weights[poor], 0.3)
    return counts, mu, null_mu, weights, LOG_ALPHA + rng.uniform(-0.1, 0.1, (n_genes, 1))


def logliks(X, counts, mu, weights, log_alpha, every=1):
    """Return what the kernel writes, with a determinant of its own for one node of so many."""
    found = np.full_like(log_alpha, np.nan)
    how = cubic_interpolation(log_alpha.shape[1], every)
    nb_node_loglik_chunk(counts, mu, weights, log_alpha, *how, *twins.plan_of(X), found)
    return found


def ratios(counts, mu, null_mu, weights, log_alpha):
    found = np.full_like(log_alpha, np.nan)
    nb_node_ratio_chunk(counts, mu, null_mu, weights, log_alpha, found)
    return found


def every_node(function, *arrays):
    """Return a function of one gene, and its dispersion, for genes and nodes (G, K)."""
    *by_gene, log_alpha = arrays
    return np.array(
        [[function(*row, np.exp(a)) for a in nodes] for *row, nodes in zip(*by_gene, log_alpha, strict=True)]
    )


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("weighted", [False, True])
def test_adjusted_log_likelihood(design, weighted):
    X = DESIGNS[design]
    counts, mu, _, weights, log_alpha = known_genes(X, seed=4)
    if not weighted:
        weights = np.ones((1, len(X)))
    found = logliks(X, counts, mu, weights, log_alpha)
    each_weight = np.broadcast_to(weights, counts.shape)
    expected = every_node(lambda *gene: twins.node_loglik(X, *gene), counts, mu, each_weight, log_alpha)
    # means of the largest counts are of size 1e6, and so are the terms
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-9)


@each(*product(y=[0, 1, 2, 9, 10, 11, 80, 5000], alpha=[1e-8, 1e-5, 1e-3, 0.09, 0.11, 1.0, 30.0, 1e3]))
def test_one_count_has_all_its_digits(y, alpha):
    X, log_alpha = np.ones((1, 1)), np.log([[alpha]])
    alpha = float(np.exp(log_alpha[0, 0]))
    for mu in (1e-6, 0.7, 12.0, 4000.0):
        found = logliks(X, np.array([[float(y)]]), np.array([[mu]]), np.ones((1, 1)), log_alpha)[0, 0]
        expected = exact_loglik(y, Decimal(mu), Decimal(alpha))
        terms = 1.0 + abs(float(expected)) + max(y, mu) + y * np.log1p(alpha * y)
        assert error(found, expected) <= 6 * EPS * terms


@exact.precise
def exact_loglik(y, mu, alpha):
    """Return the adjusted log-likelihood of one count, without terms that are free of the dispersion."""
    rise, _ = exact.log_rising_ratio(y, alpha)
    return rise - (y + 1 / alpha) * (1 + alpha * mu).ln() - (mu / (1 + alpha * mu)).ln() / 2


@pytest.mark.parametrize("design", ["two_way", "dense", "nested"])
def test_determinants_between_knots_are_interpolated(design):
    X, steps = DESIGNS[design], np.arange(33)
    counts, mu, _, weights, _ = known_genes(X, seed=5)
    log_alpha = np.repeat((-5.0 + 0.25 * steps)[None], len(counts), axis=0)
    own, between = logliks(X, counts, mu, weights, log_alpha), logliks(X, counts, mu, weights, log_alpha, every=4)
    at_knots = steps % 4 == 0
    np.testing.assert_array_equal(own[:, at_knots], between[:, at_knots])
    assert (own[:, ~at_knots] != between[:, ~at_knots]).any()
    # the error of cubic interpolation with a distance of 1, for each column
    np.testing.assert_allclose(between, own, rtol=0.0, atol=0.004 * X.shape[1])


@pytest.mark.parametrize("weighted", [False, True])
@each("design", DESIGNS)
def test_likelihood_ratio(design, weighted):
    X = DESIGNS[design]
    counts, mu, null_mu, weights, log_alpha = known_genes(X, seed=6)
    if not weighted:
        weights = np.ones((1, len(X)))
    found = ratios(counts, mu, null_mu, weights, log_alpha)
    each_weight = np.broadcast_to(weights, counts.shape)
    expected = every_node(twins.node_ratio, counts, mu, null_mu, each_weight, log_alpha)
    # where it is small, large terms have cancelled: it is right to the last digits of the largest
    terms = 2.0 * (each_weight * (counts + mu)).sum(axis=1, keepdims=True)
    assert (np.abs(found - expected) <= 1e-10 * np.abs(expected) + 1e-14 * terms).all()
    assert ((found == 0.0) | (found > 0.0)).all()
    assert (found == 0.0).any()
    assert (found > 1.0).any()


@each(*product(y=[0, 3, 700], alpha=[1e-8, 1e-3, 0.5, 1e3]))
def test_likelihood_ratio_has_all_its_digits(y, alpha):
    log_alpha = np.log([[alpha]])
    a = Decimal(float(np.exp(log_alpha[0, 0])))
    for mu, null_mu in ((700.0, 600.0), (3.0, 1e-9), (5.0, 5.0 + 1e-7), (1e-9, 2.0)):
        one = [np.array([[float(x)]]) for x in (y, mu, null_mu)]
        found = ratios(*one, np.ones((1, 1)), log_alpha)[0, 0]
        expected = exact_ratio(y, Decimal(mu), Decimal(null_mu), a)
        growth = np.log1p(alpha * abs(mu - null_mu) / (1.0 + alpha * min(mu, null_mu)))
        terms = y * (1.0 + abs(np.log(mu / null_mu))) + (y + 1.0 / alpha) * growth + abs(mu - null_mu)
        assert error(found, expected) <= 8 * EPS * terms


@exact.precise
def exact_ratio(y, mu, null_mu, alpha):
    growth = ((1 + alpha * mu) / (1 + alpha * null_mu)).ln()
    return 2 * max(Decimal(0), y * (mu / null_mu).ln() - (y + 1 / alpha) * growth)


def test_the_same_means_have_a_ratio_of_zero():
    counts, mu, _, weights, log_alpha = known_genes(DESIGNS["nested"], seed=7)
    assert (ratios(counts, mu, mu, weights, log_alpha) == 0.0).all()


def test_counts_of_zero_do_not_ask_for_the_logarithm_of_their_means():
    counts, mu = np.zeros((1, 2)), np.array([[1e-300, 3.0]])
    found = ratios(counts, mu, np.array([[1e-290, 3.5]]), np.ones((1, 2)), np.log([[0.2]]))
    assert found[0, 0] == pytest.approx(2.0 * 5.0 * np.log(1.7 / 1.6), rel=1e-12)


def test_means_of_an_empty_cell_leave_its_information_alone():
    X = twins.one_way(6, 2)
    counts, mu = np.array([[0.0, 9.0, 0.0, 4.0, 0.0, 6.0]]), np.where(X[:, 1] == 1, 6.0, 1e-6)[None]
    log_alpha = np.log([[0.01, 0.1, 1.0, 10.0]])
    both = logliks(X, counts, mu, np.ones((1, 6)), log_alpha)
    other = logliks(np.ones((3, 1)), counts[:, 1::2].copy(), mu[:, 1::2].copy(), np.ones((1, 3)), log_alpha)
    # what the cell adds is the same at every dispersion
    np.testing.assert_allclose(np.diff(both), np.diff(other), rtol=1e-4)


@pytest.mark.parametrize("design", DESIGNS)
def test_variances(design):
    X = DESIGNS[design]
    p = X.shape[1]
    rng = np.random.default_rng(8)
    counts, _, _, weights, _ = known_genes(X, seed=9)
    log_alpha = np.repeat(np.log([[1e-8, 1e-3, 0.1, 1.0, 1e3]]), len(counts), axis=0) + rng.uniform(0, 0.1, (21, 1))
    beta = rng.normal(0.0, 0.5, (len(counts), p))
    beta[:, 0] += rng.uniform(-3.0, 6.0, len(counts))
    contrasts = np.vstack([np.eye(p)[-1], rng.normal(size=p)])
    for factors in (rng.uniform(0.5, 2.0, (1, len(X))), rng.uniform(0.5, 2.0, counts.shape)):
        for v in (np.ones((1, len(X))), np.maximum(weights, 0.05)):
            found = np.full((len(counts), 2, 5), np.nan)
            ridge = np.linspace(1e-6, 3e-6, p)
            nb_node_variance_chunk(contrasts, beta, factors, v, log_alpha, *twins.plan_of(X), ridge, 0.5, found)
            for g in range(len(counts)):
                f, own = (values[g] if len(values) > 1 else values[0] for values in (factors, v))
                mu = np.maximum(f * np.exp(X @ beta[g]), 0.5)
                for k, alpha in enumerate(np.exp(log_alpha[g])):
                    covariance = twins.covariance(X, own * mu / (1.0 + alpha * mu), np.diag(ridge))
                    expected = np.einsum("ki,ij,kj->k", contrasts, covariance, contrasts)
                    np.testing.assert_allclose(found[g, :, k], expected, rtol=1e-8, err_msg=f"{g} {k}")


@each("x", ARGUMENTS)
def test_the_rest_of_the_gamma_function(x):
    assert error(stirling_rest(x), exact.stirling_remainder(Decimal(x))) <= 20 * EPS


def test_small_counts_have_a_product():
    for alpha in (1e-8, 0.3, 1e3):
        expected = [np.log1p(alpha * np.arange(y)).sum() for y in range(10)]
        np.testing.assert_allclose([log_product(float(y), alpha) for y in range(10)], expected, rtol=1e-12, atol=4e-16)


@pytest.mark.parametrize("seed", range(3))
def test_the_log_likelihood_is_that_of_the_dispersion_estimates(seed):
    """Besides terms that are free of the dispersion: its differences are those of the posterior without a prior."""
    X = twins.two_way()
    counts, _, mu, _ = twins.simulate(X, 4, seed)
    log_alpha = np.repeat(np.linspace(-4.0, 1.0, 9)[None], 4, axis=0)
    found = logliks(X, counts, mu, np.ones((1, 12)), log_alpha)
    expected = [[twins.log_posterior(a, counts[g], mu[g], X) for a in log_alpha[g]] for g in range(4)]
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-8, atol=1e-7)
