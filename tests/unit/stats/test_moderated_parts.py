"""The parts of moderated variances: tails in logarithms, searches, smoothers, the natural spline."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from scipy.interpolate import CubicSpline

from countnest.stats.moderated.curve import NaturalSpline
from countnest.stats.moderated.gamma import log_minus_digamma, trigamma_inverse
from countnest.stats.moderated.search import find_minimum, find_root
from countnest.stats.moderated.smoother import smooth, weighted_lowess
from countnest.stats.moderated.tails import f_log_tails, f_quantile, log_f_tail, log_t_tail
from exact import read_exactly

DATA = Path(__file__).parent / "data"
MACHINE_FOURTH_ROOT = np.finfo(float).eps ** 0.25

# Natural logarithms of tails, computed with 60 digits: F, numerator and denominator df, lower tail, upper tail.
TAILS = [
    (1e-12, 3.0, 5.5, -41.001175989187175, -1.5610453370504104e-18),
    (0.3, 1.0, 0.7, -1.2350241920896328, -0.34365680107977775),
    (80, 2.0, 4.0, -0.0005950610113109989, -7.427144133408616),
    (900, 7.0, 300.0, 0.0, -452.41729086437397),
    (4000, 3.0, 300.0, 0.0, -554.4194791977302),
    (1000000000.0, 2.0, 20.0, 0.0, -184.20680753952365),
    (1e200, 1.0, 4.0, 0.0, -919.2422777283903),
    (1e-300, 7.0, 300.0, -2415.7544397337497, 0.0),
    (1e-200, 40.0, 20.0, -9180.35783333865, 0.0),
    (4000, 2.0, 10000.0, 0.0, -2938.933324510595),
    (80, 40.0, 10000.0, 0.0, -1292.546264169394),
    (5, 1.0, math.inf, -0.02567409573181498, -3.675082326631189),
    (900, 3.0, math.inf, 0.0, -1346.2749176618197),
    (4000, 40.0, math.inf, 0.0, -79824.8337903025),
    (1e-20, 40.0, math.inf, -903.4550081872919, 0.0),
]
# R 4.2.2: t, df, log P(T > t), log P(F > t^2) on 3 and df.
R_TAILS = [
    (0.1, 0.7, -0.75363059274801447, -0.0023685407729478547),
    (4.0, 3.0, -4.2683959945974452, -3.7385712610607587),
    (12.0, 9.5, -15.261020668269099, -17.270008263238115),
    (60.0, 60.0, -126.28849720590615, -154.12384767762993),
    (60.0, 1e4, -1542.2833420150748, -3657.7876256028494),
]


def test_log_tails_of_f_are_exact_to_far_beyond_the_smallest_float():
    for f, df, denominator, lower, upper in TAILS:
        found = f_log_tails(f, df, denominator)
        np.testing.assert_allclose([float(each) for each in found], [lower, upper], rtol=1e-11, atol=1e-15)


def test_log_tails_are_those_of_r():
    for t, df, log_t, log_f in R_TAILS:
        assert float(log_t_tail(t, df)) == pytest.approx(log_t, rel=1e-12)
        assert float(log_f_tail(t * t, 3.0, df)) == pytest.approx(log_f, rel=1e-11)


def test_both_halves_of_t_add_to_one():
    t, df = np.array([-30.0, -1.0, 0.0, 0.3, 8.0]), np.array([3.0, 40.0, 5.0, np.inf, np.inf])
    np.testing.assert_allclose(np.exp(log_t_tail(t, df)) + np.exp(log_t_tail(-t, df)), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.exp(log_t_tail(t[:3], df[:3])), scipy.special.stdtr(df[:3], -t[:3]), rtol=1e-12)
    np.testing.assert_allclose(log_t_tail(40.0, np.inf), scipy.special.log_ndtr(-40.0), rtol=1e-14)


def test_tails_of_missing_and_infinite_statistics():
    found = log_f_tail(np.array([np.nan, np.inf, 0.0, 2.0]), 2.0, np.array([5.0, 5.0, 5.0, np.nan]))
    np.testing.assert_array_equal(found, [np.nan, -np.inf, 0.0, np.nan])
    assert log_f_tail(np.inf, 2.0, np.inf) == -np.inf


def test_quantiles_of_f_invert_its_tails():
    f = np.array([1e-4, 0.2, 1.0, 3.0, 90.0])
    for denominator in (3.0, 70.0, np.inf):
        lower, upper = f_log_tails(f, 5.0, denominator)
        below, above = lower < upper, lower >= upper
        np.testing.assert_allclose(f_quantile(lower[below], 5.0, denominator, upper=False), f[below], rtol=1e-9)
        np.testing.assert_allclose(f_quantile(upper[above], 5.0, denominator, upper=True), f[above], rtol=1e-9)


def test_log_minus_digamma_keeps_its_digits():
    # R: statmod::logmdigamma
    expected = {
        1e-9: 999999979.85394979,
        0.3: 2.2985514178739805,
        50.0: 0.010033332000253862,
        2e7: 2.5000000208333331e-08,
    }
    for z, value in expected.items():
        assert float(log_minus_digamma(z)) == pytest.approx(value, rel=1e-12)


def test_trigamma_inverse_inverts_trigamma():
    for value in (1e-7, 1e-5, 0.01, 0.3, 1.0, 50.0, 1e5, 2e7):
        assert scipy.special.polygamma(1, trigamma_inverse(value)) == pytest.approx(value, rel=1e-6)
    assert trigamma_inverse(0.01) == pytest.approx(100.49916668194319, rel=1e-14)  # R: limma::trigammaInverse


def test_searches_end_where_those_of_r_end():
    def wave(u):
        return (u - 0.3) ** 2 + 0.1 * math.cos(9.0 * u)

    assert find_minimum(wave, 0.0, 1.0, MACHINE_FOURTH_ROOT) == pytest.approx(0.33933202760788478, rel=1e-14)
    at_the_end = find_minimum(lambda u: math.exp(-u), 0.5, 0.9998, MACHINE_FOURTH_ROOT)
    assert at_the_end == pytest.approx(0.99975420447925689, rel=1e-14)
    root = find_root(lambda u: math.cos(u) - u, (0.0, 1.0), (1.0, math.cos(1.0) - 1.0), 1e-8)
    assert root == pytest.approx(0.73908513456477543, rel=1e-14)


def test_searches_find_minima_and_roots():
    for place in (0.01, 0.37, 0.9999):
        assert find_minimum(lambda u, c=place: abs(u - c) ** 1.5, 0.0, 1.0, 1e-9) == pytest.approx(place, abs=1e-8)
        assert find_minimum(lambda u, c=place: (u > c) * 1.0 - u, 0.0, 1.0, 1e-9) <= 1.0  # a jump ends too
        ends = (0.0, -(place**3)), (1.0, (1.0 - place) ** 3)
        assert find_root(lambda u, c=place: (u - c) ** 3, *ends, 1e-12) == pytest.approx(place, abs=1e-5)


def test_smoothers_are_those_of_r():
    r = read_exactly(DATA / "smoothers.csv.gz")
    x, y, w = (r[name].to_numpy() for name in "xyw")
    order = np.random.default_rng(0).permutation(len(x))
    for name, smoother in {
        "lowess_f50": lambda x, y, _: smooth(x, y, fraction=0.5),
        "lowess_f30_iter0": lambda x, y, _: smooth(x, y, fraction=0.3, robust_steps=0),
        "weighted_span50": lambda x, y, w: weighted_lowess(x, y, w, span=0.5),
        "weighted_span30_it1_npts60": lambda x, y, w: weighted_lowess(x, y, w, span=0.3, iterations=1, n_points=60),
    }.items():
        np.testing.assert_allclose(smoother(x, y, w), r[name], rtol=1e-11, atol=1e-12, err_msg=name)
        tied = smoother(np.round(x), y, w)
        assert len(np.unique(tied)) <= len(np.unique(np.round(x))), name
        if "lowess_f30" in name:
            np.testing.assert_allclose(smoother(x[order], y[order], w[order])[np.argsort(order)], r[name], atol=0.05)


def test_smoothers_of_points_that_are_all_equal():
    y = np.array([1.0, 2.0, 6.0])
    np.testing.assert_allclose(smooth(np.ones(3), y, fraction=1.0, robust_steps=0), 3.0)
    np.testing.assert_allclose(weighted_lowess(np.ones(3), y, np.array([2.0, 1.0, 1.0]), span=1.0, iterations=1), 2.5)


def test_the_natural_spline_interpolates_as_scipys():
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(2.0, 9.0, 6))
    y = rng.normal(size=6)
    curve = NaturalSpline.regression(x, y, np.linspace(0.0, 1.0, 6))  # as many knots as points: through all of them
    at = np.linspace(x[0], x[-1], 50)
    np.testing.assert_allclose(curve(at), CubicSpline(x, y, bc_type="natural")(at), rtol=1e-8, atol=1e-10)
    beyond = curve(np.array([12.0, 13.0, 14.0]))
    assert np.diff(beyond, 2) == pytest.approx(0.0, abs=1e-8)


def test_the_natural_spline_of_tied_values_has_fewer_knots():
    x = np.repeat([1.0, 2.0, 5.0], 40)
    y = x**2 + np.tile([-0.1, 0.1], 60)
    curve = NaturalSpline.regression(x, y, np.linspace(0.0, 1.0, 4))
    assert curve.rank <= 3
    np.testing.assert_allclose(curve(np.array([1.0, 2.0, 5.0])), [1.0, 4.0, 25.0], atol=1e-8)
    constant = NaturalSpline.regression(np.ones(5), np.arange(5.0), np.zeros(1))
    np.testing.assert_allclose(constant(np.array([0.0, 1.0, 7.0])), 2.0)
