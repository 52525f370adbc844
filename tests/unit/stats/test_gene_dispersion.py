"""Gene-wise and shrunken dispersions: starts, floors and ceilings, and that they are maxima."""

import numpy as np
import pytest

from countnest.containers.matrix import InMemory
from countnest.methods.chunks import Genes
from countnest.methods.deseq2 import steps
from countnest.methods.normalized import base_moments
from countnest.parallel.run import Engine
from countnest.stats.dispersion.genewise import dispersion_means
from countnest.stats.dispersion.map import shrink_dispersions
from countnest.stats.dispersion.posterior import DispersionPosterior, grid_search, line_search, max_dispersion
from countnest.stats.dispersion.trend import DispersionTrend, MeanTrend
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs
from countnest.stats.glm.layout import Layout
from unit.kernels import twins

# Where the search gains nothing it stays at its start or takes the point of a grid with this spacing.
COARSE = 0.12
GRID = np.linspace(np.log(1e-8), np.log(12.0), 400)


def profile(counts, mu, X, *prior):
    """Return the log posterior of a gene on GRID."""
    return np.array([twins.log_posterior(a, counts, mu, X, *prior) for a in GRID])


def estimated(counts, f, X, min_mu=0.5):
    """Return the gene-wise dispersions of counts, and the means that they were estimated with."""
    found = steps.genewise_dispersions(
        Genes(InMemory(counts), f[None]), moments_of(counts, f), Layout.of(X), min_mu=min_mu, engine=Engine(n_threads=1)
    )
    return found, dispersion_means(counts, f[None], Layout.of(X), found.beta, min_mu=min_mu)


def moments_of(counts, f):
    return base_moments(Genes(InMemory(counts), f[None]), Engine(n_threads=1))


def shrunken(own, trend, counts, mu, layout, prior_var, var_log_disp_ests):
    prior = DispersionTrend(MeanTrend(float(trend[0])), var_log_disp_ests, prior_var)
    return shrink_dispersions(own, trend, DispersionPosterior(counts, mu, layout), prior)


@pytest.fixture(params=["one_way", "two_way"])
def study(request):
    X = twins.DESIGNS[request.param]
    counts, f, _, alpha = twins.simulate(X, 30, seed=6, low=20.0)
    return X, counts, f, alpha


def test_largest_dispersion():
    assert [max_dispersion(n) for n in (3, 10, 11, 200)] == [10.0, 10.0, 11.0, 200.0]


def test_means_are_projections_or_fits(study):
    X, counts, f, _ = study
    _, mu = estimated(counts, f, X, min_mu=5.0)
    if len(np.unique(X, axis=0)) == X.shape[1]:
        expected = [f * twins.projection(y, f, X) for y in counts]
        np.testing.assert_allclose(mu, np.maximum(expected, 5.0), rtol=1e-10)
        return
    # the start: the smaller of the rough and the moment estimate
    normalized = counts / f
    mean = normalized.mean(axis=1)
    moments = (normalized.var(axis=1, ddof=1) - np.mean(1.0 / f) * mean) / mean**2
    rough = [twins.rough_dispersion(y, f, X) for y in counts]
    start = np.clip(np.minimum(rough, moments), 1e-8, 12.0)
    for g in range(len(counts)):
        beta = twins.start(counts[g], f, X)
        twin = twins.irls(counts[g], f, X, start[g], beta, RIDGE_LOG2 / LN2**2, min_mu=5.0)
        np.testing.assert_allclose(mu[g], np.maximum(twin["mu"], 5.0), rtol=1e-7)


def test_genewise_estimates_are_maxima(study):
    X, counts, f, _ = study
    found, mu = estimated(counts, f, X)
    assert ((found.alpha >= 1e-8) & (found.alpha <= max_dispersion(len(X)))).all()
    for g in np.flatnonzero(found.alpha > 1e-4):
        near = np.log(found.alpha[g]) + np.linspace(-COARSE, COARSE, 5)
        values = [twins.log_posterior(a, counts[g], mu[g], X) for a in near]
        assert max(values) >= profile(counts[g], mu[g], X).max() - 1e-3
        # a gain of less than a millionth of the log-likelihood counts as none
        assert values[2] >= max(values) - 0.01 - 1e-6 * abs(values[2])


def test_counts_that_vary_less_than_poisson_have_the_smallest_dispersion():
    X = twins.one_way()
    found, _ = estimated(np.full((1, 9), 500.0), np.ones(9), X)
    assert found.alpha[0] <= 1e-7


def test_counts_of_single_samples_have_the_largest_dispersion():
    X = np.ones((30, 1))
    counts = np.zeros((1, 30))
    counts[0, 0] = 1e6
    found, _ = estimated(counts, np.ones(30), X)
    assert found.alpha[0] == pytest.approx(30.0, rel=0.2)
    assert found.alpha[0] <= 30.0


def test_shrinkage_goes_between_the_gene_and_the_trend(study):
    X, counts, f, _ = study
    layout = Layout.of(X)
    own, mu = estimated(counts, f, X)
    trend = np.full(len(counts), 0.2)
    found = shrunken(own.alpha, trend, counts, mu, layout, prior_var=0.5, var_log_disp_ests=2.0)
    inside = (own.alpha > 1e-3) & (own.alpha < 5.0)
    low, high = np.minimum(own.alpha, trend), np.maximum(own.alpha, trend)
    assert (found.map_alpha[inside] >= low[inside] * np.exp(-COARSE)).all()
    assert (found.map_alpha[inside] <= high[inside] * np.exp(COARSE)).all()
    for g in range(len(counts)):
        best = profile(counts[g], mu[g], X, np.log(0.2), 0.5).max()
        a = np.log(found.map_alpha[g])
        assert twins.log_posterior(a, counts[g], mu[g], X, np.log(0.2), 0.5) >= best - 1e-3


def test_shrinkage_starts_at_the_gene_unless_it_is_far_below_the_trend():
    X = twins.two_way()
    layout = Layout.of(X)
    counts, _, mu, _ = twins.simulate(X, 4, seed=8)
    own, trend = np.array([0.0199, 0.0201, 0.1, 1e-8]), np.full(4, 0.2)
    found = shrunken(own, trend, counts, mu, layout, prior_var=0.5, var_log_disp_ests=2.0)
    start = np.log([0.2, 0.0201, 0.1, 0.2])  # a tenth of the trend decides
    expected = line_search(DispersionPosterior(counts, mu, layout, prior_mean=np.log(trend), prior_variance=0.5), start)
    np.testing.assert_array_equal(found.n_iter, expected.n_iter)
    np.testing.assert_array_equal(found.map_alpha, np.exp(expected.log_alpha))


def test_narrow_priors_give_the_trend_and_wide_ones_the_gene(study):
    X, counts, f, _ = study
    layout = Layout.of(X)
    own, mu = estimated(counts, f, X)
    trend = np.full(len(counts), 0.1)
    narrow, wide = (
        shrunken(own.alpha, trend, counts, mu, layout, prior_var=variance, var_log_disp_ests=9.0).map_alpha
        for variance in (1e-6, 1e6)
    )
    np.testing.assert_allclose(narrow, trend, rtol=1e-3)
    inside = (own.alpha > 1e-2) & (own.alpha < 5.0)
    np.testing.assert_allclose(np.log(wide[inside]), np.log(own.alpha[inside]), atol=COARSE)
    assert np.median(np.abs(np.log(wide[inside] / own.alpha[inside]))) < 0.01


def test_outliers_keep_their_own_dispersion():
    X = twins.two_way()
    layout = Layout.of(X)
    counts, _, mu, _ = twins.simulate(X, 5, seed=7)
    own = np.array([0.1, 0.1 * np.exp(2.0) * 0.999, 0.1 * np.exp(2.0) * 1.001, 9.0, 1e-8])
    found = shrunken(own, np.full(5, 0.1), counts, mu, layout, prior_var=0.4, var_log_disp_ests=1.0)
    np.testing.assert_array_equal(found.outlier, [False, False, True, True, False])  # two standard deviations above
    np.testing.assert_array_equal(found.alpha, np.where(found.outlier, own, found.map_alpha))


def test_line_search_without_prior_mean_has_no_prior(study):
    X, counts, f, alpha = study
    layout = Layout.of(X)
    mu = np.maximum(fit_nb_glm(counts, NBInputs(f[None], alpha), layout).mu, 0.5)
    found = line_search(DispersionPosterior(counts, mu, layout), np.log(alpha))
    for g in range(len(counts)):
        assert found.initial[g] == pytest.approx(twins.log_posterior(np.log(alpha[g]), counts[g], mu[g], X), rel=1e-10)
        assert found.final[g] == pytest.approx(twins.log_posterior(found.log_alpha[g], counts[g], mu[g], X), rel=1e-7)


def test_grid_search_is_near_the_maximum(study):
    X, counts, f, alpha = study
    layout = Layout.of(X)
    mu = np.maximum(fit_nb_glm(counts, NBInputs(f[None], alpha), layout).mu, 0.5)
    found = grid_search(DispersionPosterior(counts, mu, layout))
    low, high = np.log(1e-8), np.log(max_dispersion(len(X)))
    for g in range(len(counts)):
        expected = twins.grid_search(low, high, lambda a, g=g: twins.log_posterior(a, counts[g], mu[g], X))
        assert found[g] == pytest.approx(expected, rel=1e-12)
