"""The regularized logarithm: its prior, its weighted quantile, and how it shrinks."""

import numpy as np
import pytest
import scipy.stats

from countnest.stats.glm.inputs import NBInputs
from countnest.stats.shrink.quantile import normal_variance, weighted_quantile
from countnest.stats.transform.rlog import effect_variance, fit_rlog, sparse_share


@pytest.fixture
def genes():
    """Counts (G, n), size factors (1, n), dispersions (G,)."""
    rng = np.random.default_rng(1)
    factors = rng.uniform(0.4, 2.0, (1, 8))
    mean = np.exp(rng.uniform(0.0, 9.0, (60, 1)))
    alpha = 0.05 + 2.0 / mean[:, 0]
    counts = rng.negative_binomial(1 / alpha[:, None], 1 / (1 + alpha[:, None] * mean * factors)).astype(float)
    counts[:, 0] += 1.0
    return counts, factors, alpha


# ---- quantiles ----


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.95, 1.0])
def test_equal_weights_give_the_usual_quantile(probability):
    values = np.random.default_rng(2).normal(size=101)
    found = weighted_quantile(values, np.full(101, 3.0), probability)
    assert found == pytest.approx(np.quantile(values, probability), rel=1e-13)


def test_a_weight_is_a_number_of_copies():
    rng = np.random.default_rng(3)
    values, copies = rng.permutation(40.0 + np.arange(30)), rng.integers(1, 6, 30)
    n, total = len(values), copies.sum()
    repeated = np.sort(np.repeat(values, copies))
    for probability in (0.1, 0.5, 0.93):
        place = 1.0 + (n - 1) * probability
        below, above = np.floor(place), min(np.floor(place) + 1, n)
        # the weights are scaled to n, so that the k-th of n values is the one at k / n of all the copies
        x = [repeated[int(np.ceil(k * total / n - 1e-9)) - 1] for k in (below, above)]
        expected = x[0] + (place - below) * (x[1] - x[0])
        assert weighted_quantile(values, copies.astype(float), probability) == pytest.approx(expected, rel=1e-12)


def test_the_variance_of_normal_values_is_found():
    values = scipy.stats.norm.ppf(np.linspace(0.0005, 0.9995, 4001)) * 1.7
    assert normal_variance(values, np.ones(4001)) == pytest.approx(1.7**2, rel=0.01)


def test_effects_are_weighted_by_the_precision_of_the_gene():
    rng = np.random.default_rng(4)
    mean = np.repeat([5.0, 1e5], 300)
    change = rng.normal(0.0, np.repeat([2.0, 0.5], 300)[:, None], (600, 6))
    normalized = mean[:, None] * 2.0**change
    found = effect_variance(normalized, mean, np.full(600, 1e-6))
    assert found == pytest.approx(0.25, rel=0.1)
    both = effect_variance(normalized, mean, np.full(600, 1e6))
    assert both > 1.0


# ---- values ----


def test_much_prior_gives_the_intercept_and_none_the_logarithm(genes):
    counts, factors, alpha = genes
    loose = fit_rlog(counts, NBInputs(factors, alpha), 1e8)
    large = (counts > 5.0).all(axis=1)
    assert large.sum() > 20
    expected = np.log2(counts[large] / factors)
    np.testing.assert_allclose(loose.values[large], expected, atol=1e-3)  # the stopping rule is loose
    tight = fit_rlog(counts, NBInputs(factors, alpha), 1e-8)
    np.testing.assert_allclose(tight.values, np.repeat(tight.intercept[:, None], 8, axis=1), atol=1e-5)


def test_low_counts_are_shrunken_more(genes):
    counts, factors, alpha = genes
    found = fit_rlog(counts, NBInputs(factors, alpha), 0.5)
    spread = found.values.std(axis=1)
    raw = np.log2(counts / factors + 0.5).std(axis=1)
    mean = counts.mean(axis=1)
    assert np.median((spread / raw)[mean < 20]) < 0.5 * np.median((spread / raw)[mean > 500])


def test_given_intercepts_are_kept(genes):
    counts, factors, alpha = genes
    free = fit_rlog(counts, NBInputs(factors, alpha), 0.5)
    frozen = fit_rlog(counts, NBInputs(factors, alpha), 0.5, intercept=free.intercept)
    np.testing.assert_array_equal(frozen.intercept, free.intercept)
    np.testing.assert_allclose(frozen.values, free.values, atol=0.05)  # each stops short of the optimum by its rule


def test_a_sample_alone_is_transformed_like_among_others(genes):
    counts, factors, alpha = genes
    intercept = fit_rlog(counts, NBInputs(factors, alpha), 0.5).intercept
    together = fit_rlog(counts, NBInputs(factors, alpha), 0.5, intercept=intercept)
    alone = fit_rlog(np.ascontiguousarray(counts[:, 2:3]), NBInputs(factors[:, 2:3], alpha), 0.5, intercept=intercept)
    np.testing.assert_allclose(alone.values[:, 0], together.values[:, 2], atol=0.05)


def test_a_gene_has_the_same_bits_alone_and_among_others(genes):
    counts, factors, alpha = genes
    factors = factors * np.random.default_rng(6).uniform(0.8, 1.2, counts.shape)
    plain = fit_rlog(counts, NBInputs(factors, alpha), 0.5)
    for weights in (None, np.random.default_rng(5).uniform(0.1, 1.0, counts.shape)):
        inputs = NBInputs(factors, alpha, weights)
        whole = fit_rlog(counts, inputs, 0.5)
        parts = [fit_rlog(counts[i : i + 7], inputs.at(slice(i, i + 7)), 0.5).values for i in range(0, 60, 7)]
        np.testing.assert_array_equal(whole.values, np.vstack(parts))
        assert np.array_equal(whole.values, plain.values) == (weights is None)


def test_weight_zero_leaves_a_sample_at_the_intercept(genes):
    counts, factors, alpha = genes
    weights = np.ones((1, 8))
    weights[0, 3] = 0.0
    found = fit_rlog(counts, NBInputs(factors, alpha, weights), 0.5)
    np.testing.assert_allclose(found.values[:, 3], found.intercept, rtol=1e-12)


def test_sparse_genes_are_counted_among_large_ones():
    normalized = np.array(
        [[99.0, 0.0, 0.0], [200.0, 0.0, 1.0], [90.0, 10.0, 1.0], [40.0, 40.0, 40.0], [95.0, 6.0, 5.0]]
    )
    assert sparse_share(normalized) == pytest.approx(1 / 4)
    assert sparse_share(normalized[:1]) == 0.0
