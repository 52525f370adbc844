"""Residuals: against statsmodels, exact values, and the distribution of quantile residuals."""

import decimal
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from countnest.stats.glm.residual import (
    deviance_residuals,
    nb_variance,
    pearson_residuals,
    quantile_residuals,
    raw_residuals,
)

ALPHA = np.array([1e-8, 1e-3, 0.1, 2.0])


@pytest.fixture(scope="module")
def data():
    """Counts around means from 0.1 to a million, with zeros."""
    rng = np.random.default_rng(1)
    mu = np.exp(rng.uniform(-2.0, 14.0, (4, 60)))
    counts = rng.negative_binomial(1.0 / ALPHA[:, None], 1.0 / (1.0 + ALPHA[:, None] * mu)).astype(float)
    counts[:, :5] = 0
    return counts, mu


@pytest.mark.parametrize("g", range(1, 4))
def test_deviance_and_pearson_are_those_of_statsmodels(data, g):
    counts, mu = data
    family = sm.families.NegativeBinomial(alpha=ALPHA[g])
    np.testing.assert_allclose(
        deviance_residuals(counts, mu, ALPHA)[g], family.resid_dev(counts[g], mu[g]), rtol=1e-7, atol=1e-8
    )
    expected = (counts[g] - mu[g]) / np.sqrt(family.variance(mu[g]))
    np.testing.assert_allclose(pearson_residuals(counts, mu, ALPHA)[g], expected, rtol=1e-13)
    np.testing.assert_array_equal(raw_residuals(counts, mu), counts - mu)
    np.testing.assert_allclose(nb_variance(mu, ALPHA)[g], family.variance(mu[g]), rtol=1e-14)


def exact_deviance(y, mu, alpha):
    """Return the signed root of a contribution to the deviance, from fifty digits."""
    with decimal.localcontext(prec=50):
        count, m, r = Decimal(y), Decimal(mu), 1 / Decimal(alpha)
        half = (count * (count / m).ln() if count else 0) - (count + r) * ((count + r) / (m + r)).ln()
        return np.sign(y - mu) * float((2 * half).sqrt())


def test_deviance_loses_no_digits(data):
    counts, mu = data
    found = deviance_residuals(counts, mu, ALPHA)
    for g, alpha in enumerate(ALPHA):
        for j in range(0, 60, 3):
            assert found[g, j] == pytest.approx(exact_deviance(counts[g, j], mu[g, j], alpha), abs=1e-11)


def test_deviances_of_means_far_from_their_counts_are_finite():
    counts, mu = (np.tile(row, (4, 1)) for row in ([0.0, 5.0, 3.0, 1e7, 2.0], [1e30, 1e30, 1e-30, 1e-20, 1e-9]))
    found = deviance_residuals(counts, mu, ALPHA)
    for g, alpha in enumerate(ALPHA):
        for j in range(5):
            assert found[g, j] == pytest.approx(exact_deviance(counts[g, j], mu[g, j], alpha), rel=1e-11)


def test_a_count_at_its_mean_has_no_residual():
    y = np.array([[1.0, 5.0, 1e6]])
    for residual in (deviance_residuals, pearson_residuals):
        np.testing.assert_array_equal(residual(y, y, np.array([0.3])), 0.0)


def test_quantile_residuals_are_standard_normal_under_the_model():
    rng = np.random.default_rng(2)
    mu, alpha = np.exp(rng.uniform(-1.5, 8.0, (200, 100))), rng.uniform(0.01, 2.0, 200)
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu)).astype(float)
    found = quantile_residuals(counts, mu, alpha, np.random.default_rng(3))
    assert scipy.stats.kstest(found.ravel(), "norm").pvalue > 0.01
    # another dispersion, or no draw within the steps, is noticed
    wrong = quantile_residuals(counts, mu, 0.8 * alpha, np.random.default_rng(3))
    assert scipy.stats.kstest(wrong.ravel(), "norm").pvalue < 1e-6
    middle = quantile_residuals(counts, mu, alpha, None)
    assert scipy.stats.kstest(middle.ravel(), "norm").pvalue < 1e-6


def test_quantile_residuals_lie_within_the_step_of_the_count():
    rng = np.random.default_rng(4)
    mu, alpha = np.exp(rng.uniform(-1.0, 4.0, (5, 40))), rng.uniform(0.05, 1.0, 5)
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu)).astype(float)
    size = 1.0 / alpha[:, None]
    model = scipy.stats.nbinom(size, size / (size + mu))
    found = quantile_residuals(counts, mu, alpha, rng)
    probability = scipy.stats.norm.cdf(found)
    assert (probability >= model.cdf(counts - 1) - 1e-12).all()
    assert (probability <= model.cdf(counts) + 1e-12).all()
    middle = scipy.stats.norm.cdf(quantile_residuals(counts, mu, alpha, None))
    np.testing.assert_allclose(middle, (model.cdf(counts - 1) + model.cdf(counts)) / 2.0, rtol=1e-10)


def test_quantile_residuals_are_finite_in_the_tails():
    found = quantile_residuals(np.array([[1e6, 0.0]]), np.array([[3.0, 1e5]]), np.array([0.01]), None)
    assert 30 < found[0, 0] < 38
    assert -38 < found[0, 1] < -30


@pytest.mark.parametrize(
    "residual", [deviance_residuals, pearson_residuals, lambda y, mu, a: quantile_residuals(y, mu, a, None)]
)
def test_genes_that_are_not_fitted_have_none(residual):
    mu = np.array([[2.0, 3.0], [np.nan, np.nan]])
    found = residual(np.array([[1.0, 0.0], [0.0, 0.0]]), mu, np.array([0.1, np.nan]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
