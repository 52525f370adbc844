import numpy as np
import pytest
import scipy.special

from countnest.stats.dispersion.prior import prior_variance


def residuals(df, variance, n=20_000, seed=1):
    """Return dispersions around a trend of 0.1 with the sampling and the prior variance of the model."""
    rng = np.random.default_rng(seed)
    log_ratio = np.log(rng.chisquare(df, n) / df) + rng.normal(0.0, np.sqrt(variance), n)
    return 0.1 * np.exp(log_ratio), np.full(n, 0.1)


@pytest.mark.parametrize("df", [4, 5, 17])
def test_the_sampling_variance_is_taken_off(df):
    expected = 3.0 - scipy.special.polygamma(1, df / 2)
    assert prior_variance(np.ones(5), np.ones(5), 3.0, df) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("df", [4, 50])
def test_the_variance_has_a_floor(df):
    assert prior_variance(np.ones(5), np.ones(5), 0.01, df) == 0.25


@pytest.mark.parametrize("df", [1, 2, 3])
def test_few_degrees_of_freedom_recover_the_variance_of_the_model(df):
    for variance in (1.0, 2.5, 5.0):
        # var_log_disp_ests plays no part; the smoothed divergence is a little biased near zero
        assert prior_variance(*residuals(df, variance), np.nan, df) == pytest.approx(variance, abs=0.25)


@pytest.mark.parametrize("df", [1, 2, 3])
def test_few_degrees_of_freedom_grow_with_the_spread(df):
    found = [prior_variance(*residuals(df, variance), np.nan, df) for variance in (0.3, 1.0, 2.0, 4.0, 7.0)]
    assert (np.diff(found) > 0).all()
    assert min(found) >= 0.25
    assert max(found) <= 8.0


def test_few_degrees_of_freedom_ignore_the_floor_and_what_is_off_the_histogram():
    alpha, fitted = residuals(2, 2.0)
    expected = prior_variance(alpha, fitted, np.nan, 2)
    strange = np.concatenate([alpha, np.full(500, 1e-8), np.full(500, 1e6)])
    assert prior_variance(strange, np.append(fitted, np.full(1000, 0.1)), np.nan, 2) == expected


def test_without_spread_the_floor_remains():
    assert prior_variance(np.full(100, 0.1), np.full(100, 0.1), 0.0, 1) == 0.25
