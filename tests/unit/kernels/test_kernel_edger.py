"""The kernels of edgeR's fits against plain twins."""

import numpy as np
import pytest
import scipy.special

from countnest.kernels.edger.deviance import CLAMPED, EXACT, UNCLAMPED, unit_deviance
from countnest.kernels.edger.profile import profile_chunk
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, fit_levenberg
from countnest.stats.edger.levels import compat_level
from countnest.stats.edger.one_group import fit_one_group
from countnest.stats.edger.profile import count_terms, profile_on


def one_group(y, f, v, alpha):
    """Return the log rate of one gene, by scoring."""
    beta = np.log((v * np.where(y > 1e-10, y, 0.0) / f).sum() / v.sum())
    for _ in range(50):
        mu = f * np.exp(beta)
        step = (v * (y - mu) / (1.0 + alpha * mu)).sum() / (v * mu / (1.0 + alpha * mu)).sum()
        beta += step
        if abs(step) < 1e-10:
            break
    return beta


@pytest.fixture(scope="module")
def genes():
    rng = np.random.default_rng(7)
    counts = rng.negative_binomial(2.0, 0.05, (40, 6)).astype(float)
    return counts, rng.uniform(0.5, 2.0, (40, 6)), rng.uniform(0.1, 1.0, (40, 6)), rng.uniform(0.01, 3.0, 40)


def test_rates_of_one_group_are_those_of_the_twin(genes):
    counts, factors, weights, alpha = genes
    found = fit_one_group(counts, factors, alpha, weights)
    expected = [one_group(*each) for each in zip(counts, factors, weights, alpha, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    started = fit_one_group(counts, factors, alpha, weights, start=found + 0.5)
    np.testing.assert_allclose(started, found, rtol=1e-9)


def test_rates_without_dispersion_or_counts_are_exact(genes):
    counts, factors, weights, _ = genes
    expected = np.log((weights * counts).sum(axis=1) / (weights * factors).sum(axis=1))
    np.testing.assert_allclose(fit_one_group(counts, factors, 0.0, weights), expected, rtol=1e-13)
    assert np.all(fit_one_group(0.0 * counts, factors[0], 0.1) == -np.inf)


def deviance(y, mu, alpha):
    """Return unit deviances as twice what the log-likelihood of a perfect fit is larger."""
    saturated = np.where(y > 0, y, 1.0)
    return 2.0 * (
        np.where(y > 0, y * np.log(saturated / mu), 0.0)
        - (y + 1.0 / alpha) * np.log((1.0 + alpha * y) / (1.0 + alpha * mu))
    )


def computed_deviance(y, mu, alpha):
    """Return unit deviances as edgeR computes them."""
    y, mu = y + 1e-8, mu + 1e-8
    away, ratio, r = y - mu, np.log(y / mu), 1.0 / alpha
    plain = 2.0 * (y * ratio + (y + r) * np.log((mu + r) / (y + r)))
    large = 2.0 * (away / mu - ratio) * mu / (1.0 + mu * alpha)
    small = 2.0 * (y * ratio - away - 0.5 * away**2 * alpha * (1.0 - alpha * y))
    return np.where(alpha < 1e-4, small, np.where(mu * alpha > 1e6, large, plain))


def test_unit_deviances_are_those_of_the_twins():
    y, mu, alpha = (each.ravel() for each in np.meshgrid([0.0, 0.5, 3.0, 1e4], [0.1, 3.0, 2e7], [1e-3, 0.2, 4.0]))
    found = np.array([unit_deviance(*each, EXACT) for each in zip(y, mu, alpha, strict=True)])
    np.testing.assert_allclose(found, deviance(y, mu, alpha), rtol=1e-9, atol=1e-12)
    y, mu, alpha = (each.ravel() for each in np.meshgrid([0.0, 3.0, 1e4], [0.1, 3.0, 2e7], [1e-6, 1e-3, 0.2, 4.0]))
    for mode in (CLAMPED, UNCLAMPED):
        found = np.array([unit_deviance(*each, mode) for each in zip(y, mu, alpha, strict=True)])
        expected = computed_deviance(y, mu, alpha)
        np.testing.assert_allclose(found, np.maximum(expected, 0.0) if mode == CLAMPED else expected, rtol=1e-12)
    for each in (0.0, 1e-12):  # the limit without dispersion
        assert unit_deviance(3.0, 2.0, each, EXACT) == pytest.approx(2.0 * (3.0 * np.log(1.5) - 1.0), rel=1e-9)
        assert unit_deviance(0.0, 2.0, each, EXACT) == pytest.approx(4.0, rel=1e-9)
    assert unit_deviance(7.0, 7.0, 0.3, EXACT) == 0.0


def levenberg(y, X, f, v, alpha):
    """Return coefficients and iterations of one gene, by damped scoring until a step gains less than 1e-6."""

    def means_and_deviance(beta):
        mu = f * np.exp(X @ beta)
        return mu, (v * np.maximum(computed_deviance(y, mu, alpha), 0.0)).sum()

    c = v * f / (1.0 + alpha * f)
    beta = np.linalg.lstsq(X, np.full(len(y), np.log((y / f * c).sum() / c.sum())), rcond=None)[0]
    mu, now = means_and_deviance(beta)
    largest = damping = 0.0
    n_iter = 0
    while True:
        n_iter += 1
        score = X.T @ (v * (y - mu) / (1.0 + alpha * mu))
        information = X.T @ ((v * mu / (1.0 + alpha * mu))[:, None] * X)
        largest = max(largest, np.diag(information).max())
        damping = damping or max(1e-6 * largest, 1e-13)
        trial = 0
        while True:
            step = np.linalg.solve(information + damping * np.eye(len(beta)), score)
            new_mu, new = means_and_deviance(beta + step)
            low = new / y.max() < 1e-13
            if new <= now or low:
                break
            damping, trial = 2.0 * damping, trial + 1
        beta, mu, now = beta + step, new_mu, new
        if low or score @ step < 1e-6:
            break
        if trial == 0:
            damping /= 10.0
    return beta, n_iter


def test_damped_scoring_is_that_of_the_twin(genes):
    counts, factors, weights, alpha = genes
    X = np.column_stack([np.ones(6), [0.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.1, 2.0, 0.3, 1.4, 2.0, 0.6]])
    fit = fit_levenberg(GLMInputs.of(counts, factors, weights), Columns.of(X), alpha, level=compat_level("bioc3.20"))
    for g, each in enumerate(zip(counts, factors, weights, alpha, strict=True)):
        y, f, v, a = each
        beta, n_iter = levenberg(y, X, f, v, a)
        assert fit.n_iter[g] == n_iter
        np.testing.assert_allclose(fit.beta[g], beta, rtol=1e-8)
        assert fit.deviance[g] == pytest.approx((v * computed_deviance(y, fit.mu[g], a)).sum(), rel=1e-10)


def adjusted_profile_of_means(y, mu, X, v, alpha):
    """Return the adjusted log-likelihood of one gene at given means."""
    r, lgamma = v / alpha, scipy.special.gammaln
    loglik = v * y * np.log(v * mu) - (v * y + r) * np.log(v * mu + r) + r * np.log(r)
    loglik += lgamma(v * y + r) - lgamma(v * y + 1.0) - lgamma(r)
    information = X.T @ ((v * mu / (1.0 + alpha * mu))[:, None] * X)
    pivots = np.diag(np.linalg.cholesky(information + 1e-300 * np.eye(X.shape[1]))) ** 2
    return loglik.sum() - 0.5 * np.log(pivots).sum()


def test_adjusted_profile_likelihoods_are_those_of_the_twin(genes):
    counts, _, weights, _ = genes
    X = np.column_stack([np.ones(6), [0.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.1, 2.0, 0.3, 1.4, 2.0, 0.6]])
    plan = Columns.of(X).plan
    mu = counts.mean(axis=1, keepdims=True) * np.linspace(0.4, 1.7, 6)
    for v in (np.ones((1, 6)), weights):
        for alpha in (1e-3, 0.3, 40.0):
            found = np.empty(len(counts))
            profile_chunk(counts, mu, v, count_terms(counts * v), alpha, plan.index, plan.numbers, 1.0, found)
            each_v = np.broadcast_to(v, counts.shape)
            expected = [adjusted_profile_of_means(*each, alpha)
                        for each in zip(counts, mu, [X] * len(counts), each_v, strict=True)]  # fmt: skip
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            alone = np.empty(1)  # weights of one gene are weights too
            own = v[3:4] if len(v) > 1 else v
            terms = count_terms(counts[3:4] * own)
            profile_chunk(counts[3:4], mu[3:4], own, terms, alpha, plan.index, plan.numbers, 1.0, alone)
            assert alone[0] == found[3]


def test_profile_likelihoods_without_dispersion_are_those_of_poisson_and_pivots_have_a_floor():
    y, mu = np.array([[3.0, 0.0, 700.0, 12.0]]), np.array([[2.5, 0.7, 690.0, 11.0]])
    plan = Columns.of(np.ones((4, 1))).plan
    found = np.empty(1)
    for alpha in (0.0, 1e-18):
        profile_chunk(y, mu, np.ones((1, 4)), count_terms(y), alpha, plan.index, plan.numbers, 1.0, found)
        poisson = (y * np.log(mu) - mu - scipy.special.gammaln(y + 1.0)).sum() - 0.5 * np.log(mu.sum())
        assert found[0] == pytest.approx(poisson, rel=1e-10)
    for share in (0.5, 1.0):
        profile_chunk(
            0.0 * y, 0.0 * mu, np.ones((1, 4)), count_terms(0.0 * y), 0.1, plan.index, plan.numbers, share, found
        )
        assert found[0] == pytest.approx(-share * np.log(1e-10), rel=1e-12)


def test_likelihoods_on_a_grid_are_those_of_fits_at_each_dispersion(genes):
    counts, factors, weights, _ = genes
    covariate = np.column_stack([np.ones(6), [0.1, 2.0, 0.3, 1.4, 2.0, 0.6]])
    groups = np.column_stack([np.ones(6), [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]])
    inputs = GLMInputs.of(counts, factors, weights)
    for X in (covariate, groups):
        columns = Columns.of(X)
        grid = np.array([0.01, 0.2, 3.0])
        found = profile_on(inputs, columns, grid, compat_level())
        for k, alpha in enumerate(grid):
            mu = fit_levenberg(inputs, columns, alpha).mu
            expected = np.empty(len(counts))
            terms = count_terms(counts * weights)
            profile_chunk(counts, mu, weights, terms, alpha, columns.plan.index, columns.plan.numbers, 1.0, expected)
            np.testing.assert_allclose(found[:, k], expected, rtol=1e-8)
