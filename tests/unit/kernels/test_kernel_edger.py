"""The kernels of edgeR's fits against plain twins."""

import numpy as np
import pytest

from countnest.kernels.edger.deviance import CLAMPED, EXACT, UNCLAMPED, unit_deviance
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, fit_levenberg
from countnest.stats.edger.levels import compat_level
from countnest.stats.edger.one_group import fit_one_group


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
