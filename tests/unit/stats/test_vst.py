"""The variance stabilizing transformation: its closed forms and its integral agree, and the variance is stable."""

import numpy as np
import pytest
import scipy.integrate

from countnest.errors import CountsError
from countnest.stats.dispersion.trend import MeanTrend, ParametricTrend
from countnest.stats.transform.vst import stabilize

PARAMETRIC = ParametricTrend(0.05, 3.0)


@pytest.fixture
def normalized():
    rng = np.random.default_rng(1)
    mean = np.exp(rng.uniform(0.0, 12.0, (4000, 1)))
    return rng.negative_binomial(4.0, 4.0 / (4.0 + mean * np.ones(6))).astype(float)


def slope(function, q):
    h = 1e-5 * q
    return (function(q + h) - function(q - h)) / (2 * h)


@pytest.mark.parametrize("trend", [PARAMETRIC, MeanTrend(0.2)])
def test_closed_forms_have_the_slope_of_a_stabilizer_and_approach_log2(trend):
    q = np.geomspace(0.1, 1e5, 40)[:, None]
    dispersion = trend(q[:, 0])[:, None]
    expected = np.sqrt(trend.asymptotic if trend is PARAMETRIC else trend.value) / np.sqrt(q + dispersion * q**2)
    found = slope(lambda at: stabilize(at, np.ones((1, 1)), trend), q)
    np.testing.assert_allclose(found, expected / np.log(2.0), rtol=1e-6)
    large = np.array([[1e12]])
    np.testing.assert_allclose(stabilize(large, np.ones((1, 1)), trend), np.log2(large), rtol=1e-6)


def test_the_integral_is_near_the_closed_form(normalized):
    closed = stabilize(normalized, np.ones((1, 6)), PARAMETRIC)
    numerical = stabilize(normalized, np.ones((1, 6)), lambda mean: PARAMETRIC(mean))
    # trapezoids err most near zero, where the density is steepest
    np.testing.assert_allclose(numerical, closed, atol=0.05)
    np.testing.assert_allclose(numerical[normalized > 5], closed[normalized > 5], atol=0.02)


@pytest.mark.parametrize("by_gene", [False, True])
def test_the_integral_takes_the_shot_noise_of_the_mean_factor(normalized, by_gene):
    rng = np.random.default_rng(2)
    factors = rng.uniform(0.05, 0.3, normalized.shape if by_gene else (1, 6))
    xi = np.mean(1.0 / np.exp(np.log(factors).mean(axis=0)))
    found = stabilize(normalized, factors, lambda mean: PARAMETRIC(mean))

    def ratio(xi):
        """Ratios of differences do not depend on how the scale is anchored."""
        density = [
            scipy.integrate.quad(lambda at: 1.0 / np.sqrt(xi * at + 3.0 * at + 0.05 * at**2), q[i], q[i + 1])[0]
            for i in (0, 1)
        ]
        return density[1] / density[0]

    at = [int(np.argmin(np.abs(normalized[:, 0] - target))) for target in (20.0, 200.0, 5000.0)]
    q, value = normalized[at, 0], found[at, 0]
    assert (value[2] - value[1]) / (value[1] - value[0]) == pytest.approx(ratio(xi), rel=5e-3)
    assert ratio(1.0) != pytest.approx(ratio(xi), rel=0.1)


def test_the_integral_is_log2_at_its_anchors(normalized):
    low, high = np.quantile(normalized.mean(axis=1), [0.95, 0.999])
    with_anchors = np.vstack([normalized, np.repeat([[low], [high]], 6, axis=1)])
    found = stabilize(with_anchors, np.ones((1, 6)), lambda mean: PARAMETRIC(mean))
    np.testing.assert_allclose(found[-2:, 0], np.log2([low, high]), atol=0.01)


@pytest.mark.parametrize("known", [True, False])
def test_the_variance_hardly_depends_on_the_mean(known):
    rng = np.random.default_rng(3)
    mean = np.repeat([30.0, 300.0, 3000.0, 30000.0], 500)[:, None]
    alpha = PARAMETRIC(mean)
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mean), (2000, 20)).astype(float)
    found = stabilize(counts, np.ones((1, 20)), PARAMETRIC if known else lambda at: PARAMETRIC(at))
    variance = found.var(axis=1, ddof=1).reshape(4, 500).mean(axis=1)
    assert variance.max() / variance.min() < 1.3
    raw = np.log2(counts + 1).var(axis=1, ddof=1).reshape(4, 500).mean(axis=1)
    assert raw.max() / raw.min() > 3.0


@pytest.mark.parametrize(
    "q", [np.full((50, 3), 7.0), np.eye(3)[np.r_[0, np.full(99, 1)]] * np.r_[4.0, np.zeros(99)][:, None]]
)
def test_means_that_are_alike_cannot_be_anchored(q):
    with pytest.raises(CountsError, match="too much alike"):
        stabilize(q, np.ones((1, 3)), lambda mean: PARAMETRIC(mean))
