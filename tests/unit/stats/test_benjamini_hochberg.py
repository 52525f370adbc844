"""Benjamini and Hochberg's adjusted p-values against those of statsmodels and SciPy."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg


def p_values(kind):
    rng = np.random.default_rng(3)
    return {
        "uniform": rng.random(5000),
        "small": 10.0 ** -rng.uniform(0.0, 300.0, 5000),
        "ties": rng.integers(0, 20, 5000) / 19.0,  # zeros and ones among them
        "descending": np.linspace(1.0, 1e-6, 777),
        "one": np.array([0.3]),
    }[kind]


@pytest.mark.parametrize("kind", ["uniform", "small", "ties", "descending", "one"])
def test_agrees_with_statsmodels_and_scipy(kind):
    p = p_values(kind)
    before = p.copy()
    found = benjamini_hochberg(p)
    np.testing.assert_allclose(found, multipletests(p, method="fdr_bh")[1], rtol=1e-13, atol=0.0)
    np.testing.assert_allclose(found, scipy.stats.false_discovery_control(p), rtol=1e-15, atol=0.0)
    np.testing.assert_array_equal(p, before)


def test_of_nothing_is_nothing():
    assert benjamini_hochberg(np.empty(0)).shape == (0,)


def test_by_hand():
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.5, 0.01, 0.04, 0.03])), [0.5, 0.04, 0.16 / 3, 0.16 / 3])
