"""Residual deviances, their degrees of freedom, and the prior of quasi-dispersions along a spline."""

import numpy as np
import pytest
import scipy.special

from countnest.stats.glm.layout import Layout
from countnest.stats.glm.residual import deviance_residuals
from countnest.stats.moderated.deviance import deviance, deviance_df
from countnest.stats.moderated.spline import spline_prior

GROUPS = np.column_stack([np.ones(7), [0, 0, 0, 0, 1, 1, 1]])


def test_the_deviance_sums_squared_residuals_times_weights():
    rng = np.random.default_rng(1)
    counts, mu, alpha = rng.poisson(8.0, (20, 7)) * 1.0, rng.uniform(0.5, 20.0, (20, 7)), rng.uniform(0.01, 2.0, 20)
    weights = rng.uniform(0.0, 1.0, (20, 7))
    squares = deviance_residuals(counts, mu, alpha) ** 2
    np.testing.assert_allclose(deviance(counts, mu, alpha, None), squares.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(deviance(counts, mu, alpha, weights), (weights * squares).sum(axis=1), rtol=1e-12)
    # y log(y / mu) - (y + r) log((y + r) / (mu + r)), as the formula has it
    size = 1.0 / alpha[:, np.newaxis]
    plain = scipy.special.xlogy(counts, counts / mu) - (counts + size) * np.log((counts + size) / (mu + size))
    np.testing.assert_allclose(deviance(counts, mu, alpha, None), 2.0 * plain.sum(axis=1), rtol=1e-9)


def test_samples_of_an_empty_cell_have_no_degrees_of_freedom():
    layout = Layout.of(GROUPS)
    counts = np.array([[3, 4, 1, 2, 5, 0, 7], [0, 0, 0, 0, 5, 0, 7], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    cells = np.where(GROUPS[:, 1] > 0, counts[:, 4:].mean(axis=1)[:, None], counts[:, :4].mean(axis=1)[:, None])
    np.testing.assert_array_equal(deviance_df(counts, np.maximum(cells, 1e-7), None, layout), [5, 2, 3, 0])


def test_degrees_of_freedom_of_designs_with_more_cells_than_columns():
    rng = np.random.default_rng(2)
    matrix = np.column_stack([np.ones(8), [0, 1] * 4, [0, 0, 0, 0, 1, 1, 1, 1], rng.normal(size=8)])
    layout, counts = Layout.of(matrix), np.ones((4, 8))
    mu = np.ones((4, 8))
    for gene, empty in enumerate(([], [0], [4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7])):
        counts[gene, empty], mu[gene, empty] = 0.0, 1e-8
    expected = [8 - 4, 7 - 4, 4 - 3, 1 - 1]
    np.testing.assert_array_equal(deviance_df(counts, mu, None, layout), expected)
    weights = np.where(counts > 0, 1.0, 0.0)  # samples without weight are left out in the same way
    np.testing.assert_array_equal(deviance_df(np.ones((4, 8)), np.ones((4, 8)), weights, layout), expected)
    half = np.full((4, 8), 0.5)
    np.testing.assert_array_equal(deviance_df(np.ones((4, 8)), np.ones((4, 8)), half, layout), 0.0)
    np.testing.assert_array_equal(deviance_df(np.ones((4, 8)), np.ones((4, 8)), 1.5 * half, layout), 2.0)


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(3)
    covariate, df = rng.uniform(0.0, 9.0, 4000), rng.choice([2.0, 3.0, 4.0], 4000)
    prior = np.exp(0.5 * np.sin(covariate))
    return prior * rng.chisquare(df) / df * 6.0 / rng.chisquare(6.0, 4000), df, covariate, prior


def test_the_prior_of_quasi_dispersions_is_found(simulated):
    variance, df, covariate, prior = simulated
    found = spline_prior(variance, df, covariate)
    assert found.df == pytest.approx(6.0, rel=0.15)
    inner = (covariate > 0.5) & (covariate < 8.5)
    np.testing.assert_allclose(found.variance[inner], prior[inner], rtol=0.15)


def test_the_prior_of_quasi_dispersions_is_the_same_in_any_order(simulated):
    variance, df, covariate, _ = simulated
    order = np.random.default_rng(1).permutation(len(df))
    found, shuffled = spline_prior(variance, df, covariate), spline_prior(variance[order], df[order], covariate[order])
    assert shuffled.df == found.df
    np.testing.assert_array_equal(shuffled.variance, found.variance[order])


def test_alike_quasi_dispersions_have_infinite_prior_df(simulated):
    _, df, covariate, prior = simulated
    rng = np.random.default_rng(4)
    found = spline_prior(prior * rng.chisquare(200.0, len(df)) / 200.0, np.full(len(df), 4.0), covariate)
    assert np.isposinf(found.df)
    np.testing.assert_allclose(
        np.median(found.variance / prior), np.exp(np.log(2.0) - scipy.special.digamma(2.0)), rtol=0.1
    )


def test_few_genes_have_one_prior_variance_or_no_prior(simulated):
    variance, df, covariate, _ = simulated
    some = spline_prior(variance[:40], df[:40], covariate[:40])
    assert np.ptp(some.variance) == pytest.approx(0.0, abs=1e-12)
    df = np.where(np.arange(40) < 1, df[:40], 0.0)
    none = spline_prior(variance[:40], df, covariate[:40])
    assert none.df == 0.0
    np.testing.assert_array_equal(none.posterior(variance[:1], df[:1]), variance[:1])
    assert np.isnan(none.posterior(variance[1:2], df[1:2])).all()
