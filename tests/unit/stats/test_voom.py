"""voom, sample weights, correlation within blocks: what holds of them whatever the data."""

import numpy as np
import pytest

from countnest.stats.voom.array_weights import array_weights, variance_columns
from countnest.stats.voom.batch import without_batches
from countnest.stats.voom.components import Squares, variance_components
from countnest.stats.voom.duplicates import block_correlation, is_spanned
from countnest.stats.voom.structural import SampleModel, exact_zeros, voom_lm_fit
from countnest.stats.voom.voom import voom, voom_span

GROUP = np.repeat([0.0, 1.0], 4)
DESIGN = np.column_stack([np.ones(8), GROUP])
PAIR = np.array([0, 1, 2, 3, 0, 1, 2, 3])


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(2)
    mean = np.exp(rng.normal(4.0, 1.5, 300))[:, None] * np.ones(8)
    return rng.negative_binomial(5, 5 / (5 + mean)).astype(float)


@pytest.fixture(scope="module")
def library(counts):
    return counts.sum(axis=0)


def test_weights_rise_with_the_counts(counts, library):
    found = voom(counts, DESIGN, library)
    means = found.values.mean(axis=1)
    order = np.argsort(means)
    assert found.weights[order[:50]].mean() < found.weights[order[-50:]].mean()
    assert found.curve.mean.shape == (300,)


def test_without_replicates_weights_are_one(counts, library):
    found = voom(counts[:, :2], np.eye(2), library[:2])
    assert (found.weights == 1).all()
    assert not len(found.curve.mean)


def test_genes_without_counts_have_no_part_in_the_curve(counts, library):
    more = np.vstack([counts, np.zeros((20, 8))])
    one, other = voom(counts, DESIGN, library), voom(more, DESIGN, library)
    np.testing.assert_array_equal(one.curve.smoothed, other.curve.smoothed)
    np.testing.assert_allclose(one.weights, other.weights[:300])


def test_a_span_may_follow_the_number_of_genes():
    assert voom_span(50) == voom_span(20) == 1.0
    assert 0.3 < voom_span(20_000) < 0.5


def test_a_noisy_sample_has_a_small_weight():
    rng = np.random.default_rng(9)
    scale = np.ones(8)
    scale[2] = 3.0
    values = rng.normal(5.0, scale, (2000, 8))
    weights = rng.uniform(0.5, 2.0, (2000, 8))
    noisy = rng.normal(0.0, scale / np.sqrt(weights))
    missing = np.where(rng.uniform(size=values.shape) < 0.02, np.nan, noisy)
    for found in (
        array_weights(values, DESIGN),
        array_weights(noisy, DESIGN, weights),
        array_weights(missing, DESIGN, weights),
    ):
        np.testing.assert_allclose(found[2] / np.delete(found, 2).mean(), 1 / 9, rtol=0.15)
        np.testing.assert_allclose(np.log(found).sum(), 0.0, atol=1e-9)


def test_samples_may_share_a_weight():
    rng = np.random.default_rng(10)
    group = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    values = rng.normal(0.0, np.where(group == 1, 2.0, 1.0), (2000, 8))
    shared = array_weights(values, DESIGN, columns=variance_columns(8, group))
    assert len(np.unique(shared)) == 2
    np.testing.assert_allclose(shared[0] / shared[2], 4.0, rtol=0.1)
    columns = variance_columns(8, columns=np.column_stack([np.ones(8), group, 2 * group]))
    assert columns.shape == (8, 1)
    np.testing.assert_allclose(array_weights(values, DESIGN, columns=columns), shared, rtol=1e-6)


def test_few_degrees_of_freedom_give_no_sample_weights():
    assert (array_weights(np.ones((5, 3)), np.eye(3)[:, :2]) == 1).all()


def test_the_correlation_within_blocks_is_found():
    rng = np.random.default_rng(11)
    shared = rng.normal(0.0, np.sqrt(0.6), (3000, 4))[:, PAIR]
    values = shared + rng.normal(0.0, np.sqrt(0.4), (3000, 8))
    found = block_correlation(values, DESIGN, PAIR)
    assert abs(found.consensus - 0.6) < 0.05
    order = np.array([3, 1, 7, 0, 2, 6, 5, 4])
    again = block_correlation(values[:, order], DESIGN[order], PAIR[order])
    np.testing.assert_allclose(again.atanh, found.atanh, rtol=1e-6, atol=1e-8)
    values[0, :4] = np.nan  # four samples are too few
    values[1, 0] = np.nan
    missing = block_correlation(values, DESIGN, PAIR).atanh
    assert np.isnan(missing[0])
    assert np.isfinite(missing[1])
    assert missing[1] != found.atanh[1]
    np.testing.assert_allclose(missing[2:], found.atanh[2:])


def test_blocks_within_the_design_are_recognised():
    assert is_spanned(np.eye(4)[PAIR], PAIR)
    assert not is_spanned(DESIGN, PAIR)


def test_components_of_exact_squares_are_exact():
    d = np.array([[2.0, 1.0, 0.5, 0.0], [2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    u = np.where(d > 0, 0.3 + 0.7 * d, 0.0)
    rest, n_rest = np.array([0.9, 1.2, 1.5]), np.array([3.0, 4.0, 5.0])
    between, within = variance_components(Squares(d, u, n_rest, rest))
    np.testing.assert_allclose(between[:2], 0.7)
    np.testing.assert_allclose(within[:2], 0.3)
    assert np.isnan(between[2])


def test_zeros_that_the_design_explains_are_exact():
    counts = np.array([[0.0, 0, 0, 0, 5, 3, 8, 1], [0, 0, 1, 0, 5, 3, 8, 1], [9] * 8, [0] * 8])
    found = exact_zeros(counts, DESIGN, np.full(8, 100.0))
    assert found.tolist() == [[True] * 4 + [False] * 4, [False] * 8, [False] * 8, [True] * 8]


def test_exact_zeros_add_no_degrees_of_freedom(counts, library):
    counts = counts.copy()
    counts[:10, :4] = 0.0
    counts[10] = 0.0
    found = voom_lm_fit(counts, DESIGN, library)
    assert (found.fits.df[:10] == 3).all()
    assert found.fits.df[10] == 0
    assert (found.fits.df[11:] == 6).all()
    assert np.isfinite(found.fits.coefficients).all()
    assert (found.sample_weights, found.correlation) == (None, None)
    in_blocks = voom_lm_fit(counts, DESIGN, library, SampleModel(of_sample=PAIR))
    assert in_blocks.sample_weights is None
    assert in_blocks.correlation is not None


def test_what_is_left_without_batches_has_no_batch_effect():
    rng = np.random.default_rng(12)
    batch = np.array([1.0, -1, 1, -1, 1, -1, 1, -1])[:, None]
    age = rng.normal(size=(8, 1))
    columns = np.hstack([batch, age - age.mean(), batch])  # one is there twice
    values = rng.normal(size=(30, 8))
    moved = values + rng.normal(size=(30, 1)) * batch.T + rng.normal(size=(30, 1)) * (age - age.mean()).T
    np.testing.assert_allclose(without_batches(moved, DESIGN, columns), without_batches(values, DESIGN, columns))
