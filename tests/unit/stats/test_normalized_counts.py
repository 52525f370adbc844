"""Moments of normalized counts, and factors that cannot be used."""

import numpy as np
import pytest

from countnest.errors import NormalizationError
from countnest.stats.norm.size_factors import base_mean, base_variance, check_factors, normalized_counts


@pytest.mark.parametrize("factors", [np.array([[0.5, 2.0, 1.0]]), np.array([[0.5, 2.0, 1.0], [1.0, 4.0, 0.25]])])
def test_moments_of_normalized_counts(factors):
    counts = np.array([[1.0, 8.0, 3.0], [0.0, 4.0, 1.0]])
    normalized = normalized_counts(counts, factors)
    np.testing.assert_array_equal(normalized, counts / factors)
    np.testing.assert_allclose(base_mean(normalized), normalized.mean(axis=1), rtol=1e-15)
    np.testing.assert_allclose(base_variance(normalized), normalized.var(axis=1, ddof=1), rtol=1e-15)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_factors_that_cannot_be_used_are_counted_and_shown(bad):
    with pytest.raises(NormalizationError, match=f"size factors must be finite.*1 of 3 are not, such as {bad}"):
        check_factors(np.array([1.0, bad, 2.0]), "size factors")


def test_factors_that_cannot_be_used_are_found_by_gene():
    factors = np.ones((9, 2))
    factors[2:, 1] = 0.0
    with pytest.raises(NormalizationError, match=r"7 of 18 are not, such as 0.0, in 'c', 'd', 'e', 'f', 'g' and 2"):
        check_factors(factors, "lengths", list("abcdefghi"))
