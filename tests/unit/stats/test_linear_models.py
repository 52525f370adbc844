"""Linear models of many genes: missing values, blocks, contrasts, joint tests."""

import numpy as np
import pytest
import statsmodels.api as sm

from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.linear.least_squares import independent_columns, lm_fit
from countnest.stats.moderated.joint import mean_squares
from countnest.stats.moderated.log_odds import effect_variance, log_odds
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.t_and_f import moderated_t

GROUP = np.repeat([0, 1, 2], 4)
DESIGN = np.column_stack([np.ones(12), GROUP == 1, GROUP == 2, np.tile([0.0, 1.0], 6)]).astype(float)
BLOCK = np.repeat(np.arange(6), 2).astype(np.int64)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    return rng.normal(5.0, 1.0, (40, 12)), rng.uniform(0.3, 4.0, (40, 12))


def test_fits_are_weighted_least_squares(data):
    values, weights = data
    fits = lm_fit(values, DESIGN, weights)
    for g in (0, 7):
        expected = sm.WLS(values[g], DESIGN, weights[g]).fit()
        np.testing.assert_allclose(fits.coefficients[g], expected.params)
        np.testing.assert_allclose(fits.sigma[g] ** 2, expected.scale)
        np.testing.assert_allclose(fits.stdev_unscaled[g] * fits.sigma[g], expected.bse)
    np.testing.assert_allclose(fits.common, np.linalg.inv(DESIGN.T @ DESIGN), atol=1e-12)
    assert (fits.df == 8).all()


def test_missing_values_and_weights_of_zero_leave_samples_out(data):
    values, weights = (each.copy() for each in data)
    values[3, [0, 5]] = np.nan
    weights[4, 11] = 0.0
    fits = lm_fit(values, DESIGN, weights)
    for g, left in ((3, [0, 5]), (4, [11])):
        there = np.setdiff1d(np.arange(12), left)
        expected = sm.WLS(values[g, there], DESIGN[there], weights[g, there]).fit()
        np.testing.assert_allclose(fits.coefficients[g], expected.params)
        np.testing.assert_allclose([fits.sigma[g] ** 2, fits.df[g]], [expected.scale, expected.df_resid])
    np.testing.assert_allclose(fits.mean[3], np.nanmean(values[3]))


def test_coefficients_that_are_not_determined_are_missing(data):
    values = data[0].copy()
    values[2, 4:8] = np.nan  # a whole group
    values[5] = np.nan
    values[6, 1:] = np.nan
    fits = lm_fit(values, DESIGN)
    assert np.isnan(fits.coefficients[2]).tolist() == [False, True, False, False]
    there = ~np.isnan(values[2])
    expected = sm.OLS(values[2, there], DESIGN[there][:, [0, 2, 3]]).fit()
    np.testing.assert_allclose(fits.coefficients[2, [0, 2, 3]], expected.params)
    np.testing.assert_allclose(fits.sigma[2] ** 2, expected.scale)
    assert np.isnan(fits.stdev_unscaled[2]).tolist() == [False, True, False, False]
    assert np.isnan(fits.coefficients[5]).all()
    assert fits.df[5] == fits.df[6] == 0
    assert np.isnan(fits.sigma[[5, 6]]).all()
    assert np.isnan(fits.coefficients[6]).tolist() == [False, True, True, True]
    asked = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0]])
    found = contrast_fits(fits, asked)
    assert np.isnan(found.estimates[2]).tolist() == np.isnan(found.stdev_unscaled[2]).tolist() == [True, False]
    squares, rank = mean_squares(found.estimates, found.stdev_unscaled, found.covariance, found.common)
    assert rank == 2
    assert np.flatnonzero(np.isnan(squares)).tolist() == [2, 5, 6]


def test_weights_of_any_size_are_used(data):
    values, weights = (each.copy() for each in data)
    weights[0, ::3] *= 1e12
    fits = lm_fit(values, DESIGN, weights)
    expected = np.linalg.lstsq(DESIGN * np.sqrt(weights[0])[:, None], values[0] * np.sqrt(weights[0]), rcond=None)[0]
    np.testing.assert_allclose(fits.coefficients[0], expected, rtol=1e-8)


def test_weights_of_samples_serve_all_genes(data):
    values, weights = data
    one = lm_fit(values, DESIGN, weights[:1])
    every = lm_fit(values, DESIGN, np.repeat(weights[:1], 40, axis=0))
    np.testing.assert_allclose(one.coefficients, every.coefficients)
    np.testing.assert_allclose(one.stdev_unscaled, every.stdev_unscaled)
    np.testing.assert_allclose(one.sigma, every.sigma)


def test_blocks_are_generalized_least_squares(data):
    values, weights = data
    values = values.copy()
    values[1, 4] = np.nan
    values[2, 4:8] = np.nan
    rho = 0.4
    fits = lm_fit(values, DESIGN[:, :3], weights, Blocks(BLOCK, rho))
    correlation = np.where(BLOCK[:, None] == BLOCK, rho, 0.0) + (1 - rho) * np.eye(12)
    for g, columns in ((0, [0, 1, 2]), (1, [0, 1, 2]), (2, [0, 2])):
        there = ~np.isnan(values[g])
        root = 1 / np.sqrt(weights[g, there])
        covariance = correlation[np.ix_(there, there)] * np.outer(root, root)
        expected = sm.GLS(values[g, there], DESIGN[np.ix_(there, columns)], covariance).fit()
        np.testing.assert_allclose(fits.coefficients[g, columns], expected.params)
        np.testing.assert_allclose(fits.sigma[g] ** 2, expected.scale)
        np.testing.assert_allclose(fits.stdev_unscaled[g, columns] * fits.sigma[g], expected.bse)


def test_no_correlation_is_no_blocks(data):
    values, weights = data
    np.testing.assert_array_equal(
        lm_fit(values, DESIGN, weights, Blocks(BLOCK, 0.0)).sigma, lm_fit(values, DESIGN, weights).sigma
    )
    assert Blocks(BLOCK, 0.0).least_correlation == -1.0
    assert Blocks(np.zeros(3, dtype=np.int64), 0.0).least_correlation == -0.5


def test_exact_contrasts_do_not_depend_on_the_coding(data):
    values, weights = data
    turned = DESIGN @ np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 2]])
    one, other = lm_fit(values, DESIGN, weights), lm_fit(values, turned, weights)
    asked = np.array([[0.0, -1, 1, 0]])
    found = contrast_fits(one, asked)
    np.testing.assert_allclose(found.estimates[:, 0], other.coefficients[:, 2], atol=1e-12)
    np.testing.assert_allclose(found.stdev_unscaled[:, 0], other.stdev_unscaled[:, 2])
    rough = contrast_fits(one, asked, approximate=True)
    assert np.abs(rough.stdev_unscaled / found.stdev_unscaled - 1).max() > 0.01
    plain = lm_fit(values, DESIGN)
    np.testing.assert_allclose(
        contrast_fits(plain, asked, approximate=True).stdev_unscaled, contrast_fits(plain, asked).stdev_unscaled
    )


def test_joint_tests_use_the_covariance_of_the_gene(data):
    values, weights = data
    fits = lm_fit(values, DESIGN, weights)
    asked = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, -1, 1, 0]])  # of rank 2
    found = contrast_fits(fits, asked)
    squares, rank = mean_squares(found.estimates, found.stdev_unscaled, found.covariance, found.common)
    assert rank == 2
    expected = sm.WLS(values[0], DESIGN, weights[0]).fit().f_test(asked[:2])
    np.testing.assert_allclose(squares[0] / fits.sigma[0] ** 2, expected.fvalue)
    plain = contrast_fits(lm_fit(values, DESIGN), asked[:2])
    one = mean_squares(plain.estimates, plain.stdev_unscaled, plain.covariance, plain.common)[0]
    other = mean_squares(plain.estimates, plain.stdev_unscaled, None, plain.common)[0]
    np.testing.assert_allclose(one, other)


def test_genes_do_not_depend_on_each_other(data):
    values, weights = data
    fits = lm_fit(values, DESIGN, weights, Blocks(BLOCK, 0.2))
    part = lm_fit(values[[5, 2]], DESIGN, weights[[5, 2]], Blocks(BLOCK, 0.2))
    np.testing.assert_allclose(part.coefficients, fits.coefficients[[5, 2]], rtol=1e-12)
    np.testing.assert_allclose(part.sigma, fits.sigma[[5, 2]], rtol=1e-12)


def test_independent_columns_are_the_first_ones():
    x = np.arange(6.0)
    matrix = np.column_stack([np.ones(6), x, 2 * x - 3, np.zeros(6), x**2, x**2 + x])
    assert independent_columns(matrix) == [0, 1, 4]
    assert independent_columns(np.eye(2, 5)) == [0, 1]


def test_the_odds_rise_with_the_statistic_and_allow_for_its_degrees_of_freedom():
    rng = np.random.default_rng(4)
    t = rng.standard_t(6, 1000) * np.where(np.arange(1000) < 50, 5.0, 1.0)
    df, unscaled = np.where(np.arange(1000) % 2, 3.0, 6.0), np.full(1000, 0.4)
    moderated = ModeratedVariances(np.ones(1000), df, ScaledFPrior(4.0, 1.0))
    variance = effect_variance(t, unscaled, moderated)
    assert 0.1**2 <= variance <= 4.0**2
    odds = log_odds(t, unscaled, moderated, variance)
    for own in (df == 3, df == 6):
        order = np.argsort(np.abs(t[own]))
        assert (np.diff(odds[own][order]) > 0).all()
    # the same statistic says less with fewer degrees of freedom
    pair = ModeratedVariances(np.ones(2), np.array([3.0, 1000.0]), ScaledFPrior(0.0, 1.0))
    few, many = log_odds(np.full(2, 6.0), np.full(2, 0.4), pair, variance)
    assert few < many
    certain = ModeratedVariances(np.ones(3), np.full(3, 5.0), ScaledFPrior(np.inf, 1.0))
    assert np.isfinite(log_odds(np.array([0.0, 2.0, 50.0]), np.full(3, 0.4), certain, variance)).all()
    none = ModeratedVariances(np.array([np.nan]), np.array([np.nan]), ScaledFPrior(1.0, 2.0))
    assert np.isnan(effect_variance(np.array([np.nan]), np.array([1.0]), none))


def test_f_of_one_contrast_is_the_square_of_t(data):
    values, weights = data
    fits = lm_fit(values, DESIGN, weights)
    moderated = moderate_variances(fits.sigma**2, fits.df)
    asked = np.array([[0.0, 1, -1, 0]])
    found = contrast_fits(fits, asked)
    t = moderated_t(found.estimates[:, 0], found.stdev_unscaled[:, 0], moderated)
    squares, _ = mean_squares(found.estimates, found.stdev_unscaled, found.covariance, found.common)
    np.testing.assert_allclose(squares / moderated.variance, t.statistic**2)
