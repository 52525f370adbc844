import numpy as np
import pytest

from countnest.errors import NormalizationError
from countnest.stats.norm.size_factors import (
    base_mean,
    base_variance,
    check_factors,
    estimate_size_factors,
    normalized_counts,
)


@pytest.fixture
def profile():
    """One expression profile (G,), all positive."""
    return np.random.default_rng(1).integers(1, 5000, 201).astype(float)


@pytest.mark.parametrize("kind", ["ratio", "poscounts"])
def test_scaled_columns_recover_their_ratios(profile, kind):
    depth = np.array([1.0, 2.0, 4.0, 10.0])
    found = estimate_size_factors(profile[:, None] * depth, kind)
    np.testing.assert_allclose(found, depth / np.exp(np.log(depth).mean()), rtol=1e-13)


@pytest.mark.parametrize("kind", ["ratio", "poscounts"])
def test_a_minority_of_changed_genes_has_no_influence(profile, kind):
    counts = profile[:, None] * np.array([1.0, 3.0, 5.0])
    counts[:40, 2] *= 100.0  # they move a geometric mean, but not the order of the ratios of the others
    found = estimate_size_factors(counts, kind)
    np.testing.assert_allclose(found / found[0], [1.0, 3.0, 5.0], rtol=1e-12)


def test_ratio_is_the_median_of_ratios():
    counts = np.random.default_rng(2).poisson(30.0, (40, 5)).astype(float)
    counts[:7, 0] = 0.0
    logs = np.log(counts[(counts > 0).all(axis=1)])
    log_ratios = logs - logs.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(estimate_size_factors(counts), np.exp(np.median(log_ratios, axis=0)), rtol=1e-12)


def test_poscounts_takes_the_positive_counts():
    rng = np.random.default_rng(3)
    counts = rng.poisson(20.0, (60, 6)) * rng.integers(0, 2, (60, 6)).astype(float)
    counts[0] = 0.0
    positive = counts > 0
    logs = np.log(np.where(positive, counts, 1.0))
    log_geometric = logs.sum(axis=1) / 6  # zeros count as ones
    log_factors = np.array([np.median((logs[:, j] - log_geometric)[positive[:, j]]) for j in range(6)])
    found = estimate_size_factors(counts, "poscounts")
    np.testing.assert_allclose(found, np.exp(log_factors - log_factors.mean()), rtol=1e-12)
    assert np.log(found).mean() == pytest.approx(0.0, abs=1e-14)


def test_a_zero_in_every_gene_suggests_poscounts():
    counts = np.full((4, 4), 5.0)
    np.fill_diagonal(counts, 0.0)
    with pytest.raises(NormalizationError, match=r"every gene contains at least one zero.*poscounts"):
        estimate_size_factors(counts)
    np.testing.assert_allclose(estimate_size_factors(counts, "poscounts"), 1.0, rtol=1e-14)


def test_a_sample_without_counts_has_no_size_factor():
    counts = np.array([[5.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    with pytest.raises(NormalizationError, match="sample number 2 has no positive count"):
        estimate_size_factors(counts, "poscounts")


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
