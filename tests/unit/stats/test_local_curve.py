"""Local quadratic regression: exact where it should be, and the same as plain local fits at its vertices."""

import numpy as np
import pytest

from cases import each
from countnest.stats.dispersion.local import LocalCurve, fit_local_curve


@pytest.fixture
def points():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-2.0, 9.0, 300))
    return x, rng.uniform(0.1, 5.0, 300)


def test_a_quadratic_is_reproduced_inside_and_outside(points):
    x, weights = points

    def quadratic(at):
        return 1.5 - 0.7 * at + 0.12 * at**2

    curve = fit_local_curve(x, quadratic(x), weights)
    at = np.linspace(-10.0, 20.0, 101)
    np.testing.assert_allclose(curve(at), quadratic(at), rtol=1e-9, atol=1e-9)
    assert curve.curvature == pytest.approx(0.12, rel=1e-9)


def test_values_and_slopes_at_the_vertices_are_local_fits(points):
    x, weights = points
    y = np.sin(x) + np.random.default_rng(2).normal(0.0, 0.1, len(x))
    curve = fit_local_curve(x, y, weights)
    k = int(0.7 * len(x))
    for at, value, slope in zip(curve.vertices, curve.values, curve.slopes, strict=True):
        u = np.abs(x - at) / np.sort(np.abs(x - at))[k - 1]
        tricube = np.where(u < 1.0, (1.0 - u**3) ** 3, 0.0)
        coefficients = np.polyfit(x - at, y, 2, w=np.sqrt(tricube * weights))
        np.testing.assert_allclose([value, slope], coefficients[[2, 1]], rtol=1e-8)


def test_the_number_of_neighbours_is_that_of_r():
    # predict(locfit(y ~ x, weights = w)) in R; with 90, 170, ... 0.7 n is just below a whole number in floating point,
    # and with 40,970 so far below that R, too, has one neighbour less
    of_r = {
        90: [0.7161704858, 0.4889037474, -0.8937793271, 0.3115327993, 0.8216013381],
        150: [0.7661406897, 0.4658374003, -0.8954262504, 0.3269698608, 0.7970715071],
        170: [0.7522764329, 0.4668222135, -0.8981986954, 0.3281258019, 0.8001123087],
        180: [0.7285212551, 0.4809192989, -0.9004014992, 0.3136164662, 0.8091668051],
        1350: [0.7326562173, 0.4720777305, -0.9001811508, 0.3149076664, 0.8271954063],
        40970: [0.7321341947, 0.4713955115, -0.9000912335, 0.3140649666, 0.8279261508],
    }
    for n, expected in of_r.items():
        i = np.arange(1, n + 1)
        x = 9.0 * (i * 0.6180339887498949 % 1)
        curve = fit_local_curve(x, np.sin(x) + 0.3 * np.cos(7 * i), 1.0 + x)
        np.testing.assert_allclose(curve(np.array([0.5, 2.25, 4.5, 6.75, 8.5])), expected, rtol=2e-8)


def test_one_point_gives_a_constant():
    curve = fit_local_curve(np.array([3.0]), np.array([-1.5]), np.array([2.0]))
    np.testing.assert_array_equal(curve(np.array([-50.0, 3.0, 3.5, 4.0, 80.0])), np.full(5, -1.5))


def halved(low, high, bandwidth):
    """Return the vertices within a cell, which is halved while it is longer than 0.8 of the smaller bandwidth."""
    if high - low <= 0.8 * min(bandwidth(low), bandwidth(high)):
        return []
    middle = (low + high) / 2
    return [*halved(low, middle, bandwidth), middle, *halved(middle, high, bandwidth)]


@each("seed", range(12))
def test_vertices_divide_long_cells_in_halves(seed):
    rng = np.random.default_rng(seed)
    x = rng.gamma(rng.uniform(0.3, 3.0), 2.0, 150)
    curve = fit_local_curve(x, np.sin(x), np.ones(150))
    expected = halved(x.min(), x.max(), lambda at: np.sort(np.abs(x - at))[int(0.7 * 150) - 1])
    np.testing.assert_array_equal(curve.vertices, [x.min(), *expected, x.max()])


def test_between_vertices_it_is_the_cubic_of_values_and_slopes():
    # x^3 on [0, 2], x^3 shifted on [2, 3]: a cubic is its own Hermite interpolant
    v = np.array([0.0, 2.0, 3.0])
    curve = LocalCurve(v, v**3, 3 * v**2, curvature=0.5)
    at = np.linspace(0.0, 3.0, 31)
    np.testing.assert_allclose(curve(at), at**3, rtol=1e-13, atol=1e-14)


def test_beyond_the_vertices_it_goes_on_with_slope_and_curvature():
    curve = LocalCurve(np.array([0.0, 1.0]), np.array([5.0, 7.0]), np.array([-1.0, 3.0]), curvature=0.5)
    np.testing.assert_allclose(curve(np.array([-2.0, 3.0])), [5.0 + 2.0 + 0.5 * 4.0, 7.0 + 6.0 + 0.5 * 4.0], rtol=1e-15)
    edges = curve(np.array([-1e-9, 0.0, 1.0, 1.0 + 1e-9]))
    np.testing.assert_allclose(edges, [5.0, 5.0, 7.0, 7.0], atol=1e-8)
