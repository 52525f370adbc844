import numpy as np
import pytest
import scipy.stats

from cases import each
from countnest.stats.inference.lrt import is_nested, likelihood_ratio_test


def test_statistic_and_p_value():
    full, reduced = np.array([-10.0, -100.0, -5.0, np.nan]), np.array([-12.5, -400.0, -5.0, np.nan])
    statistic, p = likelihood_ratio_test(full, reduced, 2)
    np.testing.assert_array_equal(statistic, [5.0, 600.0, 0.0, np.nan])
    # with two degrees of freedom the tail is exp(-x / 2)
    np.testing.assert_allclose(p, np.exp(-np.array([2.5, 300.0, 0.0, np.nan])), rtol=1e-12)


def test_degrees_of_freedom():
    _, p = likelihood_ratio_test(np.zeros(1), np.array([-3.0]), 5)
    assert p[0] == pytest.approx(scipy.stats.chi2.sf(6.0, 5), rel=1e-14)


def test_p_values_are_uniform_without_a_change():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(4000, 20))
    x = np.linspace(-1.0, 1.0, 20)
    slope = (y @ x) / (x @ x)
    full, reduced = (-0.5 * ((y - fit) ** 2).sum(axis=1) for fit in (slope[:, None] * x, 0.0))
    _, p = likelihood_ratio_test(full, reduced, 1)
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.01


FULL = np.column_stack([np.ones(6), [0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1]]).astype(float)


@each(
    ("reduced", "nested"),
    [
        (FULL[:, :1], True),
        (FULL[:, :2], True),
        (FULL, True),
        (FULL @ np.array([[1.0, 2.0], [3.0, 0.0], [1e3, -1.0]]), True),
        (FULL[:, :0], True),
        (np.arange(6.0)[:, None], False),
        (FULL[:, 1:2] * FULL[:, 2:3], False),
        (FULL[:, :1] + 1e-4 * np.arange(6.0)[:, None], False),
    ],
    ids=["intercept", "one factor", "itself", "other coding", "nothing", "number", "interaction", "slightly off"],
)
def test_nesting_is_of_spans(reduced, nested):
    assert is_nested(reduced, FULL) is nested


def test_far_tails_and_rounding_below_zero():
    statistic = np.concatenate([np.linspace(0.0, 1400.0, 500), [-1e-13, -3.0]])
    for df in (1, 2, 3, 30):
        found, p = likelihood_ratio_test(statistic / 2.0, np.zeros(len(statistic)), df)
        np.testing.assert_array_equal(found, statistic)
        np.testing.assert_allclose(p, scipy.stats.chi2.sf(statistic, df), rtol=1e-14)
        np.testing.assert_array_equal(p[-2:], 1.0)  # the larger model fitted less well by rounding
    assert 0.0 < p[np.searchsorted(statistic[:-2], 1300.0)] < 1e-200
