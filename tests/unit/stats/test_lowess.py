"""Cleveland's smoother: the program as he describes it, point by point, and the one in statsmodels."""

import numpy as np
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

from countnest.stats.inference.lowess import lowess
from countnest.stats.moderated.smoother import lowess_of_many


def plain_lowess(x, y, fraction, steps=3):
    n = len(x)
    k = max(2, int(fraction * n + 1e-7))
    robust = np.ones(n)
    for step in range(steps + 1):
        fitted = np.array([plain_local_line(x, y, robust, x[i], y[i], k) for i in range(n)])
        residual = np.abs(y - fitted)
        limit = 6.0 * np.median(residual)
        if step == steps or limit < 1e-7 * residual.mean():
            break
        robust = np.array([bisquare(value / limit) for value in residual])
    return fitted


def bisquare(u):
    if u <= 0.001:
        return 1.0
    return (1.0 - u**2) ** 2 if u <= 0.999 else 0.0


def plain_local_line(x, y, robust, at, y_at, k):
    distance = np.abs(x - at)
    h = np.sort(distance)[k - 1]
    weight = np.where(distance <= 0.001 * h, 1.0, (1.0 - np.minimum(distance / h, 1.0) ** 3) ** 3)
    weight = np.where(distance <= 0.999 * h, weight, 0.0) * robust
    if weight.sum() == 0:
        return y_at
    weight /= weight.sum()
    centre = weight @ x
    spread = weight @ (x - centre) ** 2
    if np.sqrt(spread) <= 0.001 * (x[-1] - x[0]):
        return weight @ y
    slope = weight @ ((x - centre) * y) / spread
    return weight @ y + slope * (at - centre)


SERIES = {
    "smooth": lambda x, rng: 200.0 + 80.0 * x - 150.0 * x**2 + rng.normal(0.0, 1.0, len(x)),
    "counts": lambda x, rng: rng.poisson(500.0 * (1.0 - x**4)).astype(float),
    "outliers": lambda x, rng: 100.0 * x + np.where(rng.random(len(x)) < 0.1, 80.0, 0.0) + rng.normal(0.0, 1.0, len(x)),
    "falls to zero": lambda x, rng: np.maximum(0.0, np.round(300.0 * (0.6 - x) + rng.normal(0.0, 5.0, len(x)))),
}


@pytest.fixture(params=[0.0, 0.31])
def x(request):
    return np.linspace(request.param, 0.95, 50)


@pytest.mark.parametrize("kind", list(SERIES))
@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_lowess_is_the_plain_program(x, kind, fraction):
    y = SERIES[kind](x, np.random.default_rng(4))
    np.testing.assert_allclose(lowess(x, y, fraction=fraction), plain_lowess(x, y, fraction), rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("kind", ["smooth", "outliers"])
def test_lowess_agrees_with_statsmodels(x, kind):
    y = SERIES[kind](x, np.random.default_rng(5))
    expected = statsmodels_lowess(y, x, frac=0.2, it=3, delta=0.0, return_sorted=False)
    # its bisquare is cut elsewhere, and its medians are taken otherwise
    np.testing.assert_allclose(lowess(x, y, fraction=0.2), expected, rtol=1e-3)


def test_lowess_reproduces_a_line(x):
    np.testing.assert_allclose(lowess(x, 3.0 - 2.0 * x, fraction=0.2), 3.0 - 2.0 * x, rtol=1e-12)


def test_lowess_resists_an_outlier(x):
    y = 10.0 * x + np.random.default_rng(8).normal(0.0, 0.1, len(x))
    y[20] += 5.0
    robust, plain = (np.abs(lowess(x, y, fraction=0.2, robust_steps=steps) - 10.0 * x).max() for steps in (3, 0))
    assert plain > 0.8
    assert robust < 0.25


def test_lowess_at_uneven_points():
    rng = np.random.default_rng(6)
    x = np.sort(rng.exponential(1.0, 60))
    y = np.sin(x) + rng.normal(0.0, 0.1, 60)
    np.testing.assert_allclose(lowess(x, y, fraction=0.3), plain_lowess(x, y, 0.3), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("m", [2, 3, 9])
def test_lowess_through_every_point_does_not_divide_by_zero(m):
    y = np.arange(float(m)) ** 2
    np.testing.assert_array_equal(lowess(np.arange(float(m)), y, fraction=0.2), y)


def test_lowess_of_many_differs_by_rounding_only():
    rng = np.random.default_rng(7)
    for m, digits, fraction, share in ((3, 3, 0.2, 0.0), (61, 1, 0.3, 0.0), (400, 6, 0.5, 0.01), (997, 1, 0.05, 0.02)):
        x = np.sort(np.round(rng.gamma(2.0, 1.0, m), digits))  # those of one digit have ties
        y = np.sin(x) + 0.2 * rng.standard_t(2, m)
        options = {"fraction": fraction, "delta": share * np.ptp(x)}
        np.testing.assert_allclose(lowess_of_many(x, y, **options), lowess(x, y, **options), rtol=0, atol=1e-11)
