"""s-values: running means of the sorted rates."""

import numpy as np

from countnest.stats.shrink.svalue import s_values


def test_running_means():
    rates = np.array([0.3, 0.01, 0.5, 0.05])
    np.testing.assert_allclose(s_values(rates), [0.36 / 3, 0.01, 0.86 / 4, 0.03], rtol=1e-15)


def test_of_equal_rates_the_first_comes_first():
    np.testing.assert_allclose(s_values(np.array([0.2, 0.1, 0.2, 0.2])), [0.15, 0.1, 0.5 / 3, 0.175], rtol=1e-15)


def test_missing_rates_do_not_count():
    found = s_values(np.array([np.nan, 0.4, np.nan, 0.2]))
    np.testing.assert_allclose(found, [np.nan, 0.3, np.nan, 0.2], rtol=1e-15)


def test_nothing_known():
    assert np.isnan(s_values(np.full(3, np.nan))).all()
    assert len(s_values(np.empty(0))) == 0


def test_they_grow_with_the_rate_and_are_not_above_it():
    rates = np.random.default_rng(1).random(200) ** 2
    found = s_values(rates)
    assert (np.diff(found[np.argsort(rates)]) >= 0).all()
    assert (found <= rates + 1e-15).all()
