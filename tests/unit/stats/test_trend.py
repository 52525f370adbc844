"""The dispersion trend: known curves come back, and what happens where the curve is another."""

import numpy as np
import pytest

from countnest.stats.dispersion.trend import (
    FewDispersionsError,
    FlatDispersionsError,
    LocalTrend,
    MeanTrend,
    ParametricTrend,
    fit_trend,
    log_residual_variance,
)


@pytest.fixture
def mean():
    return np.exp(np.random.default_rng(1).uniform(0.0, 10.0, 800))


@pytest.mark.parametrize(("a0", "a1"), [(0.1, 1.0), (0.02, 4.0), (1.5, 0.3), (0.004, 25.0)])
def test_parametric_recovers_its_coefficients(mean, a0, a1):
    trend, note = fit_trend(mean, a1 / mean + a0, "parametric")
    assert isinstance(trend, ParametricTrend)
    assert note is None
    assert trend.coefficients == pytest.approx({"asymptDisp": a0, "extraPois": a1}, rel=1e-6)
    np.testing.assert_allclose(trend(mean), a1 / mean + a0, rtol=1e-6)


def test_parametric_leaves_out_genes_far_from_the_curve(mean):
    alpha = 2.0 / mean + 0.05
    alpha[:40] *= 50.0  # beyond 15 times the curve
    alpha[40:60] = 1e-8  # at the floor
    trend, _ = fit_trend(mean, alpha, "parametric")
    assert trend.coefficients == pytest.approx({"asymptDisp": 0.05, "extraPois": 2.0}, rel=1e-6)


def test_parametric_recovers_from_gamma_noise(mean):
    noise = np.random.default_rng(2).gamma(4.0, 1.0 / 4.0, len(mean))
    trend, _ = fit_trend(mean, (3.0 / mean + 0.1) * noise, "parametric")
    assert trend.coefficients == pytest.approx({"asymptDisp": 0.1, "extraPois": 3.0}, rel=0.15)


def test_a_hill_gets_a_local_fit_and_a_note(mean):
    x = np.log(mean)
    alpha = np.exp(-0.2 * (x - 6.0) ** 2)  # rises and falls: a1 would be negative or a0 would
    trend, note = fit_trend(mean, alpha, "parametric")
    assert isinstance(trend, LocalTrend)
    assert trend.fit_type == "local"
    assert trend.coefficients is None
    assert note.startswith("-- note: fit_type='parametric', but the dispersion trend was not well captured")
    asked, silent = fit_trend(mean, alpha, "local")
    assert silent is None
    np.testing.assert_array_equal(trend(mean), asked(mean))
    np.testing.assert_allclose(trend(mean), alpha, rtol=1e-8)  # a quadratic in logs, which the local fit reproduces


def test_local_ignores_genes_at_the_floor(mean):
    alpha = np.exp(-1.0 - 0.3 * np.log(mean))
    alpha[:50] = 1e-8
    trend, _ = fit_trend(mean, alpha, "local")
    np.testing.assert_allclose(trend(mean[50:]), alpha[50:], rtol=1e-8)


def test_mean_is_a_trimmed_mean_of_what_is_above_the_floor():
    alpha = np.concatenate([np.full(1998, 0.3), [1000.0, 1e-5, 1e-8, 1e-8]])
    mean = np.ones(len(alpha))
    trend, note = fit_trend(mean, alpha, "mean")
    assert isinstance(trend, MeanTrend)
    assert note is None
    assert trend.value == pytest.approx(0.3, rel=1e-12)  # two of 2000 are left out at either end
    assert trend.coefficients == {"mean": trend.value}
    np.testing.assert_array_equal(trend(mean), np.full(len(mean), trend.value))


@pytest.mark.parametrize("fit_type", ["parametric", "local", "mean"])
def test_dispersions_at_the_floor_have_no_trend(mean, fit_type):
    with pytest.raises(FlatDispersionsError, match="within 2 orders of magnitude from the minimum value"):
        fit_trend(mean, np.full(len(mean), 1e-7), fit_type)


def test_few_dispersions_have_no_local_trend(mean):
    alpha = np.full(len(mean), 1e-8)
    alpha[:4] = 0.3
    with pytest.raises(FewDispersionsError, match=r"only 4 genes have a dispersion above the floor.*fit_type='mean'"):
        fit_trend(mean, alpha, "local")
    assert fit_trend(mean, alpha, "mean")[0].value == pytest.approx(0.3, rel=1e-12)


@pytest.mark.parametrize("fit_type", ["local", "parametric"])
def test_a_single_dispersion_above_the_floor_is_the_trend(mean, fit_type):
    alpha = np.full(len(mean), 1e-8)
    alpha[7] = 0.3
    trend, note = fit_trend(mean, alpha, fit_type)
    assert isinstance(trend, LocalTrend)
    assert (note is None) == (fit_type == "local")
    np.testing.assert_allclose(trend(mean), 0.3, rtol=1e-15)


def test_genes_of_one_mean_have_no_curve():
    alpha = np.linspace(0.1, 0.2, 12)
    for fit_type in ("local", "parametric"):
        with pytest.raises(FewDispersionsError, match="too many genes have the same mean count"):
            fit_trend(np.full(12, 33.25), alpha, fit_type)
    assert fit_trend(np.full(12, 33.25), alpha, "mean")[0].value == pytest.approx(0.15)


def test_log_residual_variance_is_the_squared_mad():
    rng = np.random.default_rng(3)
    fitted = rng.uniform(0.05, 1.0, 20_001)
    residual = rng.normal(0.7, 1.3, len(fitted))
    alpha = fitted * np.exp(residual)
    expected = (1.4826 * np.median(np.abs(residual - np.median(residual)))) ** 2
    assert log_residual_variance(alpha, fitted) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(1.3**2, rel=0.05)
    with_floor = np.append(alpha, np.full(1000, 1e-8)), np.append(fitted, np.full(1000, 0.1))
    assert log_residual_variance(*with_floor) == pytest.approx(expected, rel=1e-12)


def test_log_residual_variance_of_nothing_is_missing():
    assert np.isnan(log_residual_variance(np.full(3, 1e-8), np.ones(3)))
