"""Cook's distances once more, gene by gene and sample by sample in plain Python."""

import numpy as np
import pytest
import scipy.stats

from countnest.stats.glm.cooks import cooks_cutoff, cooks_distance, max_cooks, replacement_counts, trimmed_mean
from countnest.stats.glm.layout import Layout


def plain_trimmed_mean(values, trim):
    drop = int(len(values) * trim)
    kept = sorted(values)[drop : len(values) - drop]
    return sum(kept) / len(kept)


def plain_trimmed_variance(values, trim, scale):
    centre = plain_trimmed_mean(values, trim)
    return scale * plain_trimmed_mean([(value - centre) ** 2 for value in values], trim)


def plain_robust_dispersion(normalized, X):
    cells = {}
    for value, row in zip(normalized, X, strict=True):
        cells.setdefault(tuple(row), []).append(value)
    large = [values for values in cells.values() if len(values) >= 3]
    variances = []
    for values in large:
        trim, scale = (1 / 3, 2.04) if len(values) <= 3 else (1 / 4, 1.86) if len(values) <= 23 else (1 / 8, 1.51)
        variances.append(plain_trimmed_variance(values, trim, scale))
    if not large:
        variances.append(plain_trimmed_variance(list(normalized), 1 / 8, 1.51))
    mean = sum(normalized) / len(normalized)
    return max((max(variances) - mean) / mean**2, 0.04)


def plain_cooks(y, normalized, mu, hat, X):
    alpha = plain_robust_dispersion(normalized, X)
    p = X.shape[1]
    return [(y[j] - mu[j]) ** 2 / (mu[j] + alpha * mu[j] ** 2) / p * hat[j] / (1 - hat[j]) ** 2 for j in range(len(y))]


def groups(*sizes):
    label = np.repeat(np.arange(len(sizes)), sizes)
    return np.column_stack([np.ones(len(label))] + [label == k for k in range(1, len(sizes))]).astype(float)


DESIGNS = {
    "cells of 2 and 3": groups(2, 3),
    "cells of 4 and 6": groups(4, 6),
    "cells of 23 and 24": groups(23, 24),
    "no cell of 3": groups(2, 2, 2),
    "no replicates": np.column_stack([np.ones(9), np.linspace(0, 1, 9)]),
}


@pytest.mark.parametrize("which", list(DESIGNS))
def test_distances(which):
    X = DESIGNS[which]
    n = len(X)
    rng = np.random.default_rng(1)
    mu = rng.uniform(1.0, 300.0, (20, n))
    counts = rng.negative_binomial(2.0, 2.0 / (2.0 + mu)).astype(float) + 1.0
    counts[:4] = np.round(mu[:4])  # no more than the smallest dispersion
    normalized = counts / rng.uniform(0.5, 2.0, n)
    hat = rng.uniform(0.05, 0.9, (20, n))
    found = cooks_distance(counts, normalized, mu, hat, Layout.of(X))
    expected = [plain_cooks(*row, X) for row in zip(counts, normalized, mu, hat, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("n", "trim", "kept"),
    [
        (3, 1 / 3, slice(1, 2)),
        (8, 1 / 4, slice(2, 6)),
        (24, 1 / 8, slice(3, 21)),
        (7, 0.2, slice(1, 6)),
        (2, 1 / 3, slice(0, 2)),
    ],
)
def test_trimmed_mean_drops_whole_values(n, trim, kept):
    values = np.random.default_rng(n).normal(size=(5, n))
    np.testing.assert_allclose(trimmed_mean(values, trim), np.sort(values, axis=1)[:, kept].mean(axis=1), rtol=1e-14)
    assert trimmed_mean(values, trim)[0] == pytest.approx(plain_trimmed_mean(list(values[0]), trim), rel=1e-12)


def test_largest_distance_is_over_samples_with_replicates():
    layout = Layout.of(groups(3, 2, 4))
    cooks = np.random.default_rng(2).uniform(size=(6, 9))
    cooks[:, 4] = 100.0  # in the pair
    np.testing.assert_array_equal(max_cooks(cooks, layout), np.delete(cooks, [3, 4], axis=1).max(axis=1))


@pytest.mark.parametrize(
    "X",
    [groups(2, 2), np.eye(3), np.column_stack([np.ones(5), np.arange(5.0)])],
    ids=["pairs", "saturated", "number"],
)
def test_largest_distance_without_replicates_is_missing(X):
    assert np.isnan(max_cooks(np.ones((4, len(X))), Layout.of(X))).all()


def test_cutoff_is_a_quantile_of_f():
    assert cooks_cutoff(Layout.of(groups(4, 6))) == pytest.approx(scipy.stats.f.ppf(0.99, 2, 8), rel=1e-14)
    assert scipy.stats.f.sf(cooks_cutoff(Layout.of(groups(3, 3, 4))), 3, 7) == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize(
    "factors", [np.linspace(0.5, 1.4, 10)[None], np.random.default_rng(3).uniform(0.5, 2, (4, 10))]
)
def test_replacements_are_trimmed_means_as_whole_counts(factors):
    normalized = np.random.default_rng(4).uniform(0.0, 100.0, (4, 10))
    normalized[0, 3] = 1e6
    found = replacement_counts(normalized, factors)
    for g in range(4):
        f = factors[0] if len(factors) == 1 else factors[g]
        np.testing.assert_array_equal(found[g], np.trunc(plain_trimmed_mean(list(normalized[g]), 0.2) * f))
    assert found[0].max() < 300.0


def test_replacements_that_are_whole_numbers_but_for_rounding_are_those_of_r():
    # as.integer(apply(t(t(k) / f), 1, mean, trim = 0.2) * f) in R; sums in another order cut most of them one lower
    of_r = [
        (0.7, 30, [25, 38, 28, 33, 21, 34, 35]),
        (1.1, 28, [28, 30, 29, 34, 29, 26, 29]),
        (0.9, 28, [35, 26, 19, 22, 28, 29, 35]),
        (1.3, 30, [24, 31, 36, 35, 27, 28, 29]),
        (2.3, 28, [29, 32, 35, 21, 27, 38, 28, 27, 25, 19]),
        (0.7, 30, [31, 36, 35, 21, 31, 30, 30, 31, 30, 24, 29, 28, 34, 26]),
        (1.1, 28, [24, 29, 27, 24, 35, 33, 34, 26, 38, 22, 29, 38, 29, 20]),
        (2.3, 29, [28, 38, 31, 27, 29, 29, 27, 35, 30, 26, 31, 27, 29, 29]),
    ]
    for factor, replacement, counts in of_r:
        factors = np.full((1, len(counts)), factor)
        found = replacement_counts(np.array([counts]) / factors, factors)
        np.testing.assert_array_equal(found, np.full((1, len(counts)), float(replacement)))
