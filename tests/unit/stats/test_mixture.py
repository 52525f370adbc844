"""Mixtures over the statistics of all genes: what is estimated, and what it says of a gene."""

import numpy as np
import pytest
import scipy.stats

from countnest.errors import OptionError
from countnest.stats.shrink.mixture import PENALTY, posterior_of, scale_mixture, two_components

DF = 12.0


def statistics(genes=4000, null_share=0.75, sd=3.0, df=DF, seed=7):
    """Return t statistics, and which genes have no effect."""
    rng = np.random.default_rng(seed)
    null = np.arange(genes) < null_share * genes
    shift = np.where(null, 0.0, rng.normal(0.0, sd, genes))
    return (rng.normal(size=genes) + shift) / np.sqrt(rng.chisquare(df, genes) / df), null


def penalised(weights, mixture, t):
    density = scipy.stats.t.pdf(t[:, None] / mixture.scales, DF) / mixture.scales
    return np.log(density @ weights).sum() + (PENALTY - 1) * np.log(weights[0])


def test_weights_are_those_of_the_penalised_likelihood():
    t, _ = statistics(600)
    found = scale_mixture(t, DF)
    weights = np.full(len(found.scales), 1 / len(found.scales))
    density = scipy.stats.t.pdf(t[:, None] / found.scales, DF) / found.scales
    for _ in range(20000):  # the EM algorithm, which is slow and plain
        each = weights * density
        weights = (each / each.sum(axis=1, keepdims=True)).sum(axis=0)
        weights[0] += PENALTY - 1
        weights /= weights.sum()
    assert found.weights.sum() == pytest.approx(1.0)
    assert penalised(found.weights, found, t) >= penalised(weights, found, t) - 1e-6
    assert found.null_share == pytest.approx(weights[0], abs=1e-3)


def test_the_share_of_genes_without_effect_is_found_with_few_degrees_of_freedom():
    for df in (6.0, 20.0, np.inf):
        t, null = statistics(df=1e9 if np.isinf(df) else df)
        found = scale_mixture(t, df)
        assert found.null_share == pytest.approx(0.75, abs=0.03)
        posterior = posterior_of(t, found, df)
        called = posterior.fdr < 0.05
        assert called.sum() > 150
        assert null[called].mean() < 0.08


def test_probabilities_are_what_they_say():
    t, null = statistics(40000)
    lfdr = posterior_of(t, scale_mixture(t, DF), DF).lfdr
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (lfdr >= low) & (lfdr < high)
        assert null[inside].mean() == pytest.approx(lfdr[inside].mean(), abs=0.04)


def test_without_effects_nothing_is_called():
    t, _ = statistics(3000, null_share=1.0)
    found = scale_mixture(t, DF)
    posterior = posterior_of(t, found, DF)
    assert found.null_share > 0.95
    assert (posterior.fdr < 0.05).sum() <= 1


def test_missing_statistics_stay_missing_and_do_not_count():
    t, _ = statistics(500)
    own = posterior_of(t, scale_mixture(t, DF), DF)
    longer = np.append(t, [np.nan, np.nan])
    found = posterior_of(longer, scale_mixture(longer, np.full(502, DF)), np.full(502, DF))
    for name in ("probability", "lfdr", "fdr", "kept"):
        np.testing.assert_allclose(getattr(found, name)[:-2], getattr(own, name), rtol=1e-12)
        assert np.isnan(getattr(found, name)[-2:]).all()
    np.testing.assert_allclose(own.probability, 1 - own.lfdr, atol=1e-12)
    assert np.all((own.kept >= 0) & (own.kept < 1))


def test_signs_do_not_matter_and_larger_statistics_are_more_probable():
    t, _ = statistics(500)
    mixture = scale_mixture(t, DF)
    np.testing.assert_allclose(scale_mixture(-t, DF).weights, mixture.weights, atol=1e-12)
    probability = posterior_of(np.array([0.0, 1.0, 2.0, 4.0, 8.0, 1e3, 1e100]), mixture, DF).probability
    assert np.all(np.diff(probability) >= 0)
    assert probability[0] < 0.2 < 0.99 < probability[-1]


def test_densities_integrate_to_one():
    t, _ = statistics(500)
    x = np.linspace(-35, 35, 70001)
    for mixture in (scale_mixture(t, DF), scale_mixture(t), two_components(t)):
        each = mixture.densities(x)
        np.testing.assert_allclose(each.sum(axis=0) * (x[1] - x[0]), mixture.weights, atol=1e-5)
    null = scale_mixture(t, DF).densities(np.array([0.5]))[0, 0]
    assert null == pytest.approx(scale_mixture(t, DF).null_share * scipy.stats.norm.pdf(0.5))


def test_two_components_are_found_and_the_narrower_one_is_the_null():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(0, 0.2, 8000), rng.normal(0, 1.0, 2000)])
    found = two_components(x)
    np.testing.assert_allclose(found.scales, [0.2, 1.0], rtol=0.04)
    assert found.null_share == pytest.approx(0.8, abs=0.02)
    np.testing.assert_allclose(two_components(100 * x).scales, 100 * found.scales, rtol=1e-6)
    wide = posterior_of(np.array([0.0, 3.0]), found)
    assert wide.probability[0] < 0.1 < 0.999 < wide.probability[1]


def test_too_few_or_constant_statistics_are_refused():
    with pytest.raises(OptionError, match="9 have a statistic"):
        scale_mixture(np.arange(9.0))
    with pytest.raises(OptionError, match="zero"):
        two_components(np.r_[np.zeros(20), np.ones(10)])
