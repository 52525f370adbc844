"""Local quadratic regression: exact where it should be, and the same as plain local fits at its vertices."""

import numpy as np
import pytest

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


def halved(low, high, bandwidth):
    """Return the vertices within a cell, which is halved while it is longer than 0.8 of the smaller bandwidth."""
    if high - low <= 0.8 * min(bandwidth(low), bandwidth(high)):
        return []
    middle = (low + high) / 2
    return [*halved(low, middle, bandwidth), middle, *halved(middle, high, bandwidth)]


@pytest.mark.parametrize("seed", range(12))
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
