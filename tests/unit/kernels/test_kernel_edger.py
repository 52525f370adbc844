"""The kernels of edgeR's fits against plain twins."""

import numpy as np
import pytest

from countnest.stats.edger.one_group import fit_one_group


def one_group(y, f, v, alpha):
    """Return the log rate of one gene, by scoring."""
    beta = np.log((v * np.where(y > 1e-10, y, 0.0) / f).sum() / v.sum())
    for _ in range(50):
        mu = f * np.exp(beta)
        step = (v * (y - mu) / (1.0 + alpha * mu)).sum() / (v * mu / (1.0 + alpha * mu)).sum()
        beta += step
        if abs(step) < 1e-10:
            break
    return beta


@pytest.fixture(scope="module")
def genes():
    rng = np.random.default_rng(7)
    counts = rng.negative_binomial(2.0, 0.05, (40, 6)).astype(float)
    return counts, rng.uniform(0.5, 2.0, (40, 6)), rng.uniform(0.1, 1.0, (40, 6)), rng.uniform(0.01, 3.0, 40)


def test_rates_of_one_group_are_those_of_the_twin(genes):
    counts, factors, weights, alpha = genes
    found = fit_one_group(counts, factors, alpha, weights)
    expected = [one_group(*each) for each in zip(counts, factors, weights, alpha, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    started = fit_one_group(counts, factors, alpha, weights, start=found + 0.5)
    np.testing.assert_allclose(started, found, rtol=1e-9)


def test_rates_without_dispersion_or_counts_are_exact(genes):
    counts, factors, weights, _ = genes
    expected = np.log((weights * counts).sum(axis=1) / (weights * factors).sum(axis=1))
    np.testing.assert_allclose(fit_one_group(counts, factors, 0.0, weights), expected, rtol=1e-13)
    assert np.all(fit_one_group(0.0 * counts, factors[0], 0.1) == -np.inf)
