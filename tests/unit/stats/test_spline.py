import numpy as np
import pytest

from countnest.stats.transform.spline import cubic_spline


@pytest.fixture
def points():
    x = np.array([-1.0, 0.2, 0.9, 2.5, 3.0, 4.4, 7.0])
    return x, np.array([2.0, 1.0, 1.5, -0.5, 0.0, 3.0, 2.5])


def cubic(x):
    return 1.5 - 0.7 * x + 0.12 * x**2 - 0.3 * x**3


def test_a_cubic_is_reproduced_inside_and_outside(points):
    x, _ = points
    at = np.linspace(-4.0, 12.0, 81)
    np.testing.assert_allclose(cubic_spline(x, cubic(x))(at), cubic(at), rtol=1e-12, atol=1e-12)


def test_it_goes_through_the_points_with_two_continuous_derivatives(points):
    x, y = points
    spline = cubic_spline(x, y)
    np.testing.assert_allclose(spline(x), y, atol=1e-13)
    for order in (1, 2):
        derivative = spline.derivative(order)
        np.testing.assert_allclose(derivative(x[1:-1] - 1e-9), derivative(x[1:-1] + 1e-9), atol=1e-6)


def test_third_derivatives_at_the_ends_are_those_of_the_end_cubics(points):
    x, y = points
    third = cubic_spline(x, y).derivative(3)
    np.testing.assert_allclose(third(x[0]), 6 * np.polyfit(x[:4], y[:4], 3)[0], rtol=1e-10)
    np.testing.assert_allclose(third(x[-1]), 6 * np.polyfit(x[-4:], y[-4:], 3)[0], rtol=1e-10)


def test_numbers_of_r():
    # splinefun(x, y, method = "fmm")(c(-1, 0.5, 3, 6.5)) for x = 0, 1, 2.5, 3, 5, 6 and y = x sin(x)
    x = np.array([0.0, 1.0, 2.5, 3.0, 5.0, 6.0])
    found = cubic_spline(x, x * np.sin(x))(np.array([-1.0, 0.5, 3.0, 6.5]))
    np.testing.assert_allclose(
        found, [1.547017006695724, 0.2633066893945367, 0.4233600241796016, 2.888935971333286], rtol=1e-12
    )
