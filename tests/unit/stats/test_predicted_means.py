"""Confidence limits of means, and limits of new counts."""

import numpy as np
import scipy.stats

from countnest.stats.glm.predict import count_limits, mean_limits


def test_limits_are_those_of_the_predictor():
    predictor, se = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[0.1, 0.2], [0.3, 0.4]])
    low, high = mean_limits(predictor, se, 0.95)
    np.testing.assert_allclose(np.log(low), predictor - 1.959963984540054 * se, rtol=1e-14)
    np.testing.assert_allclose(np.log(high), predictor + 1.959963984540054 * se, rtol=1e-14)


def test_t_limits_with_one_number_and_one_for_each_gene():
    predictor, se = np.zeros((2, 3)), np.ones((2, 3))
    _, high = mean_limits(predictor, se, 0.9, 4.0)
    np.testing.assert_allclose(np.log(high), scipy.stats.t.ppf(0.95, 4), rtol=1e-13)
    _, high = mean_limits(predictor, se, 0.9, np.array([4.0, 9.0]))
    np.testing.assert_allclose(np.log(high), scipy.stats.t.ppf(0.95, [[4.0], [9.0]]) * np.ones((2, 3)), rtol=1e-13)


def test_new_counts_fall_within_their_limits():
    rng = np.random.default_rng(1)
    mean, alpha = np.exp(rng.uniform(1.0, 7.0, (50, 4))), rng.uniform(0.05, 0.5, 50)
    low, high = count_limits(mean, alpha, 0.9)
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mean), (1000, 50, 4))
    inside = ((counts >= low) & (counts <= high)).mean(axis=0)
    assert inside.min() > 0.9 - 0.04  # four standard errors of a thousand draws
    assert inside.mean() > 0.9


def test_what_is_missing_stays_missing():
    missing = np.full((1, 2), np.nan)
    for found in (mean_limits(missing, missing, 0.95), count_limits(missing, np.array([np.nan]), 0.95)):
        assert np.isnan(found).all()
