"""Size factors by the median of ratios, and normalization factors from a matrix."""

import numpy as np
import pytest

from countnest.containers.matrix import InMemory
from countnest.errors import NormalizationError
from countnest.methods import normalization
from countnest.parallel.run import Engine
from countnest.stats.norm.factors import normalization_factors, over_geometric_mean
from countnest.stats.norm.size_factors import log_geometric_means


def estimate_size_factors(counts, kind="ratio", **options):
    return normalization.estimate_size_factors(InMemory(counts), kind, engine=Engine(n_threads=1), **options)


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
    with pytest.raises(NormalizationError, match=r"every gene contains at least one zero.*poscounts.*geo_means"):
        estimate_size_factors(counts)
    np.testing.assert_allclose(estimate_size_factors(counts, "poscounts"), 1.0, rtol=1e-14)


def test_a_sample_without_counts_has_no_size_factor():
    counts = np.array([[5.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    with pytest.raises(NormalizationError, match="sample number 2 has no positive count"):
        estimate_size_factors(counts, "poscounts")


def test_another_location_than_the_median(profile):
    counts = np.random.default_rng(4).poisson(profile[:, None] * np.array([1.0, 3.0, 5.0])) + 1.0
    logs = np.log(counts)
    found = estimate_size_factors(counts, location=np.mean)
    np.testing.assert_allclose(found, np.exp((logs - logs.mean(axis=1, keepdims=True)).mean(axis=0)), rtol=1e-12)


@pytest.mark.parametrize(
    ("location", "message"),
    [(lambda x: x, "must return one number; it returned 201"), (lambda _: np.nan, "size factors must be finite")],
)
def test_a_location_is_one_finite_number(profile, location, message):
    with pytest.raises(NormalizationError, match=message):
        estimate_size_factors(profile[:, None] * np.array([1.0, 2.0]), location=location)


@pytest.mark.parametrize("kind", ["ratio", "poscounts"])
def test_control_genes_alone_decide(profile, kind):
    counts = profile[:, None] * np.array([1.0, 2.0, 4.0])
    control = np.arange(len(profile)) % 3 == 0
    changed = np.where(control[:, None], counts, counts[::-1] * np.array([7.0, 0.0, 1.0]))
    np.testing.assert_array_equal(
        estimate_size_factors(changed, kind, control=control), estimate_size_factors(counts[control], kind)
    )


def test_control_genes_that_all_have_a_zero():
    counts = np.array([[1.0, 0.0], [4.0, 8.0], [0.0, 3.0]])
    with pytest.raises(NormalizationError, match="none of the 2 control genes has a geometric mean"):
        estimate_size_factors(counts, control=np.array([True, False, True]))


def test_geometric_means_can_come_from_elsewhere(profile):
    depth = np.array([1.0, 2.0, 4.0])
    counts = profile[:, None] * depth
    expected = depth / np.exp(np.log(depth).mean())
    np.testing.assert_allclose(estimate_size_factors(counts, geo_means=profile * 50.0), expected, rtol=1e-13)
    free = estimate_size_factors(counts, geo_means=profile * 50.0, centered=False)
    np.testing.assert_allclose(free, depth / 50.0, rtol=1e-13)
    some = np.where(np.arange(len(profile)) < 100, profile, 0.0)  # the other genes are left out
    counts[100:] *= np.array([9.0, 1.0, 1.0])
    np.testing.assert_allclose(estimate_size_factors(counts, geo_means=some), expected, rtol=1e-13)
    with pytest.raises(NormalizationError, match="no gene has a geometric mean greater than 0 in geo_means"):
        estimate_size_factors(counts, geo_means=np.zeros(len(profile)))


def test_poscounts_without_centering_has_the_same_ratios():
    counts = np.random.default_rng(5).poisson(3.0, (50, 4)).astype(float)
    centered, free = (estimate_size_factors(counts, "poscounts", centered=value) for value in (True, False))
    np.testing.assert_allclose(centered, free / np.exp(np.log(free).mean()), rtol=1e-14)
    assert abs(np.log(free).mean()) > 1e-3
    means = np.exp(log_geometric_means(counts, "poscounts"))
    np.testing.assert_allclose(estimate_size_factors(counts, geo_means=means), centered, rtol=1e-14)


def test_normalization_factors_undo_the_matrix(profile):
    rng = np.random.default_rng(6)
    depth, matrix = np.array([1.0, 2.0, 4.0, 0.5]), rng.uniform(0.5, 2.0, (201, 4))
    counts = profile[:, None] * depth * matrix
    factors = normalization_factors(counts, matrix, estimate_size_factors)
    np.testing.assert_allclose(np.log(factors).mean(axis=1), 0.0, atol=1e-14)
    normalized = counts / factors
    np.testing.assert_allclose(normalized, np.broadcast_to(normalized[:, :1], (201, 4)), rtol=1e-12)
    np.testing.assert_allclose(factors, over_geometric_mean(factors), rtol=1e-14)
