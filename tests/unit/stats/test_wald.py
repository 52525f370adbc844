"""Wald tests against the formulas of tail probabilities, and the limits where they must agree."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from cases import each
from countnest.errors import OptionError
from countnest.stats.inference.wald import wald_test

ALTERNATIVES = ["greaterAbs", "greaterAbs2014", "lessAbs", "greater", "less"]
b = np.array([-3.0, -1.0, -0.2, 0.0, 0.2, 0.5, 1.0, 3.0])
s = np.array([0.5, 0.4, 0.3, 1.0, 0.3, 0.25, 2.0, 0.1])


@pytest.fixture(params=[None, 7.0], ids=["normal", "t"])
def law(request):
    """Degrees of freedom, and the distribution they mean."""
    return request.param, scipy.stats.norm if request.param is None else scipy.stats.t(request.param)


@pytest.mark.parametrize("T", [0.0, 0.5, 2.0])
def test_formulas(law, T):
    df, F = law
    above, below = F.sf((T - b) / s), F.sf((b + T) / s)
    size = np.abs(b)
    expected = {
        "greaterAbs": (b / s, F.sf((size - T) / s) + F.sf((size + T) / s)),
        "greaterAbs2014": (np.sign(b) * np.maximum(0.0, (size - T) / s), np.minimum(1.0, 2.0 * F.sf((size - T) / s))),
        "lessAbs": (np.minimum(np.maximum((T - b) / s, 0.0), np.maximum((T + b) / s, 0.0)), np.maximum(above, below)),
        "greater": (np.maximum((b - T) / s, 0.0), F.sf((b - T) / s)),
        "less": (np.minimum((b + T) / s, 0.0), F.cdf((b + T) / s)),
    }
    for alternative, (statistic, p) in expected.items():
        found = wald_test(b, s, threshold=T, alternative=alternative, df=df)
        np.testing.assert_allclose(found[0], statistic, rtol=1e-14, atol=1e-15, err_msg=alternative)
        np.testing.assert_allclose(found[1], p, rtol=1e-13, err_msg=alternative)


def test_without_threshold_the_two_sided_tests_agree(law):
    df, F = law
    expected = b / s, 2.0 * F.sf(np.abs(b) / s)
    for alternative in ("greaterAbs", "greaterAbs2014"):
        statistic, p = wald_test(b, s, alternative=alternative, df=df)
        np.testing.assert_allclose(statistic, expected[0], rtol=1e-14)
        np.testing.assert_allclose(p, expected[1], rtol=1e-14)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_a_small_threshold_is_nearly_none(law, alternative):
    if alternative == "lessAbs":
        statistic, p = wald_test(b, s, threshold=1e-12, alternative=alternative, df=law[0])
        assert (p >= 0.5 - 1e-9).all()  # nothing lies within an interval without length
        np.testing.assert_allclose(statistic, 0.0, atol=1e-10)
        return
    with_threshold = wald_test(b, s, threshold=1e-12, alternative=alternative, df=law[0])
    without = wald_test(b, s, alternative=alternative, df=law[0])
    np.testing.assert_allclose(with_threshold, without, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_t_approaches_normal(alternative):
    normal = wald_test(b, s, threshold=0.5, alternative=alternative)[1]
    distance = [
        np.abs(wald_test(b, s, threshold=0.5, alternative=alternative, df=df)[1] - normal).max()
        for df in (3.0, 30.0, 3e3, 3e6)
    ]
    assert (np.diff(distance) < 0).all()
    assert distance[-1] < 1e-6


@pytest.mark.parametrize("alternative", ["greaterAbs", "greaterAbs2014", "lessAbs"])
def test_symmetric_alternatives_do_not_see_the_sign(law, alternative):
    p, mirrored = (wald_test(x, s, threshold=0.5, alternative=alternative, df=law[0])[1] for x in (b, -b))
    np.testing.assert_allclose(p, mirrored, rtol=1e-13)


def test_sides_are_mirror_images(law):
    up = wald_test(b, s, threshold=0.5, alternative="greater", df=law[0])
    down = wald_test(-b, s, threshold=0.5, alternative="less", df=law[0])
    np.testing.assert_allclose(up[0], -down[0], rtol=1e-14, atol=0.0)
    np.testing.assert_allclose(up[1], down[1], rtol=1e-13)


@pytest.mark.parametrize("alternative", ["greaterAbs", "greaterAbs2014", "greater"])
def test_far_tails_keep_their_digits(alternative):
    _, p = wald_test(np.array([30.0]), np.array([1.0]), alternative=alternative)
    sides = 1.0 if alternative == "greater" else 2.0
    assert np.log(p[0]) == pytest.approx(np.log(sides) + scipy.stats.norm.logsf(30.0), rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_missing_stays_missing(alternative):
    found = wald_test(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), threshold=0.5, alternative=alternative)
    np.testing.assert_array_equal(np.isnan(found), [[True, False], [True, False]])


# ---- the p-value averaged over the null interval ----

# |b| / s, T / s, and the p-value computed with 60 digits
UPSHOT = np.array(
    [
        (2.0, 0.5, 0.05460531316695286),
        (2.0, 3.0, 0.3611051390420103),
        (10.0, 1.0, 1.2247791791341175e-20),
        (20.0, 0.01, 5.544127688574972e-89),
        (35.0, 1.5, 4.787190146103773e-248),
        (35.0, 0.2, 1.744431021666221e-266),
        (0.0, 50.0, 1.0),
    ]
)


def upshot(b, s, T):
    return wald_test(b, s, threshold=T, alternative="greaterAbsUPSHOT")


@each(("z", "half", "expected"), UPSHOT)
def test_upshot_keeps_its_digits(z, half, expected):
    for sign in (-1.0, 1.0):
        statistic, p = upshot(np.array([sign * z * 0.37]), np.array([0.37]), half * 0.37)
        assert statistic[0] == pytest.approx(sign * z, rel=1e-14)
        assert p[0] == pytest.approx(expected, rel=2e-12)


@pytest.mark.parametrize("T", [1e-9, 0.02, 0.3, 0.9, 4.0])
def test_upshot_is_the_mean_over_the_null_interval(T):
    statistic, p = upshot(b, s, T)
    np.testing.assert_allclose(statistic, b / s, rtol=1e-15)
    for i in range(len(b)):
        ends = (abs(b[i]) - T) / s[i], (abs(b[i]) + T) / s[i]
        area = scipy.integrate.quad(scipy.stats.norm.sf, *ends, epsabs=0.0, epsrel=1e-12)[0]
        assert p[i] == pytest.approx(2.0 * area / (ends[1] - ends[0]), rel=1e-6 if T < 1e-6 else 1e-10)


def test_upshot_without_threshold_is_the_two_sided_test():
    np.testing.assert_array_equal(upshot(b, s, 0.0), wald_test(b, s))
    np.testing.assert_allclose(upshot(b, s, 1e-250)[1], wald_test(b, s)[1], rtol=1e-13)


def test_upshot_is_smooth_where_the_formula_changes():
    z = np.linspace(0.0, 35.0, 36)
    below, above = (upshot(z, np.ones(36), half)[1] for half in (1.0 - 1e-12, 1.0 + 1e-12))
    np.testing.assert_allclose(below, above, rtol=1e-9)


def test_upshot_lies_below_the_mean_of_the_ends():
    far = np.abs(b) > 0.3
    assert (upshot(b[far], s[far], 0.3)[1] < wald_test(b[far], s[far], threshold=0.3)[1]).all()


def test_upshot_is_for_the_normal_distribution():
    with pytest.raises(OptionError, match="use_t=False"):
        wald_test(b, s, threshold=0.5, alternative="greaterAbsUPSHOT", df=7.0)


def test_upshot_of_missing_is_missing():
    found = upshot(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), 0.5)
    np.testing.assert_array_equal(np.isnan(found), [[True, False], [True, False]])


@each("df", [None, 0.5, 1.0, 4.0, 33.3, 1e6, np.linspace(1.0, 200.0, 761)])
def test_far_tails(df):
    z = np.linspace(-37.5, 37.5, 761)
    tail = scipy.stats.norm.sf if df is None else scipy.stats.t(df).sf
    for alternative, expected in {"greaterAbs": 2.0 * tail(np.abs(z)), "greater": tail(z), "less": tail(-z)}.items():
        _, p = wald_test(z, np.ones(len(z)), alternative=alternative, df=df)
        np.testing.assert_allclose(p, expected, rtol=1e-14, err_msg=alternative)
        assert (p > 0.0).all()
        if df is None and alternative != "greaterAbs":
            assert (p.min(), p.max()) == (pytest.approx(4.6e-308, rel=0.02), 1.0)
