"""Adaptive shrinkage: the optimality of its prior, posteriors by integration, cases with a closed form, small data."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from countnest.errors import CountnestWarning
from countnest.stats.shrink import ashr
from countnest.stats.shrink.ashr import adaptive_shrinkage


def simulated(genes=2000, seed=1, weights=(0.7, 0.2, 0.1), sds=(0.01, 0.5, 3.0)):
    rng = np.random.default_rng(seed)
    effect = rng.choice(sds, size=genes, p=weights) * rng.normal(size=genes)
    se = np.exp(rng.normal(-1.0, 0.7, size=genes))
    return effect + se * rng.normal(size=genes), se


def density(b, s, prior_sd):
    return scipy.stats.norm.pdf(b[:, None], scale=np.hypot(s[:, None], prior_sd))


@pytest.mark.parametrize("genes", [2, 7, 40, 2000])
def test_weights_are_a_maximum(genes):
    b, s = simulated(genes)
    fit = adaptive_shrinkage(b, s)
    likelihood = density(b, s, fit.prior_sd)
    assert (fit.weights >= 0).all()
    assert abs(fit.weights.sum() - 1.0) < 1e-14
    mixture = likelihood @ fit.weights
    slope = (likelihood / mixture[:, None]).mean(axis=0) - 1.0
    assert slope.max() < 1e-11  # bounds the distance of the mean log-likelihood from its maximum
    assert np.abs(slope * fit.weights).max() < 1e-11
    np.testing.assert_allclose(fit.loglik, np.log(mixture).sum(), rtol=1e-12)


def test_no_other_prior_on_the_grid_is_more_likely():
    b, s = simulated(300)
    fit = adaptive_shrinkage(b, s)
    likelihood = density(b, s, fit.prior_sd)
    rng = np.random.default_rng(3)
    for toward in rng.dirichlet(np.full(len(fit.weights), 0.3), size=200):
        for step in (1e-3, 0.1, 1.0):
            other = (1.0 - step) * fit.weights + step * toward
            assert np.log(likelihood @ other).sum() < fit.loglik


def test_a_mixture_is_recovered():
    weights, sds = np.array([0.6, 0.3, 0.1]), np.array([0.02, 0.6, 3.0])
    b, s = simulated(40_000, seed=2, weights=weights, sds=sds)
    fit = adaptive_shrinkage(b, s)
    truth = weights * density(b, s, sds)
    mean = (truth / truth.sum(axis=1, keepdims=True) * sds**2 / (s[:, None] ** 2 + sds**2)).sum(axis=1) * b
    assert np.sqrt(np.mean((fit.mean - mean) ** 2 / s**2)) < 0.02
    assert abs(fit.weights[fit.prior_sd > 1.5].sum() - 0.1) < 0.01
    assert abs(fit.weights[fit.prior_sd < 0.15].sum() - 0.6) < 0.02
    assert np.sqrt(fit.weights @ fit.prior_sd**2) == pytest.approx(np.sqrt(weights @ sds**2), rel=0.03)


@pytest.mark.parametrize("genes", [1, 5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_equal_genes_have_one_component_in_closed_form(genes, sign):
    b, s = sign * 1.3, 0.5
    fit = adaptive_shrinkage(np.full(genes, b), np.full(genes, s))
    best = np.sqrt(b**2 - s**2)  # the likeliest sd, which is on the grid, two steps below its end
    np.testing.assert_allclose(fit.prior_sd[-3], best, rtol=1e-14)
    assert fit.weights[-3] > 1.0 - 1e-12
    kept = best**2 / b**2
    np.testing.assert_allclose(fit.mean, kept * b, rtol=1e-10)
    np.testing.assert_allclose(fit.sd, s * np.sqrt(kept), rtol=1e-10)
    np.testing.assert_allclose(fit.lfsr, scipy.stats.norm.cdf(-np.sqrt(kept) * abs(b) / s), rtol=1e-10)
    np.testing.assert_allclose(fit.loglik, genes * scipy.stats.norm.logpdf(b, scale=abs(b)), rtol=1e-12)


@pytest.mark.parametrize("genes", [1, 4])
def test_without_excess_over_the_errors_the_narrowest_component_takes_all(genes):
    fit = adaptive_shrinkage(np.full(genes, 0.3), np.full(genes, 0.5))
    np.testing.assert_allclose(fit.prior_sd, 0.05 * np.sqrt(2.0) ** np.arange(7), rtol=1e-14)
    assert fit.weights[0] > 1.0 - 1e-12
    np.testing.assert_allclose(fit.mean, 0.3 * 0.01 / 1.01, rtol=1e-10)


def test_grid_spans_the_data():
    b, s = simulated(500)
    grid = adaptive_shrinkage(b, s).prior_sd
    np.testing.assert_allclose(grid[-1], 2.0 * np.sqrt((b**2 - s**2).max()), rtol=1e-13)
    np.testing.assert_allclose(grid[1:] / grid[:-1], np.sqrt(2.0), rtol=1e-13)
    assert grid[0] <= s.min() / 10.0 < grid[1]


@pytest.mark.parametrize("excess", [1e-3, 1e-9, 1e-15])
def test_excess_far_below_the_errors(excess):
    s = np.array([1.0, 1.0, 1.0])
    b = np.array([1.0 + excess, 0.9, -0.5])
    fit = adaptive_shrinkage(b, s)
    assert (np.diff(fit.prior_sd) > 0).all()
    assert np.isfinite(fit.mean).all()
    assert (np.abs(fit.mean) < 0.1 * np.abs(b)).all()


def test_posterior_by_integration():
    b, s = simulated(60)
    fit = adaptive_shrinkage(b, s)
    threshold = 0.25
    rate = fit.false_sign_or_small(threshold)
    for g in range(12):
        reach = abs(b[g]) + 12 * s[g]
        points = np.concatenate([np.linspace(-reach, 0, 40_001), np.linspace(0, reach, 40_001)[1:]])
        curve = scipy.stats.norm.pdf(b[g], points, s[g]) * sum(
            w * scipy.stats.norm.pdf(points, scale=sd) for w, sd in zip(fit.weights, fit.prior_sd, strict=True)
        )
        total = scipy.integrate.simpson(curve, x=points)
        mean = scipy.integrate.simpson(curve * points, x=points) / total
        sd = np.sqrt(scipy.integrate.simpson(curve * (points - mean) ** 2, x=points) / total)
        cdf = scipy.integrate.cumulative_simpson(curve, x=points, initial=0.0) / total
        at = dict(zip(("below", "zero", "above"), np.interp([-threshold, 0.0, threshold], points, cdf), strict=True))
        np.testing.assert_allclose([fit.mean[g], fit.sd[g]], [mean, sd], rtol=1e-7)
        np.testing.assert_allclose(fit.lfsr[g], min(at["zero"], 1.0 - at["zero"]), atol=1e-6)
        np.testing.assert_allclose(rate[g], at["above"] if mean > 0 else 1.0 - at["below"], atol=1e-6)


def test_rates_grow_with_the_threshold():
    b, s = simulated(200)
    fit = adaptive_shrinkage(b, s)
    np.testing.assert_array_equal(fit.false_sign_or_small(0.0), fit.lfsr)
    rates = np.array([fit.false_sign_or_small(t) for t in (0.0, 0.1, 0.5, 2.0, 100.0)])
    assert (np.diff(rates, axis=0) >= 0).all()
    np.testing.assert_allclose(rates[-1], 1.0, rtol=1e-12)
    assert (fit.lfsr <= 0.5).all()


def test_shrinks_towards_zero_and_keeps_signs():
    b, s = simulated()
    fit = adaptive_shrinkage(b, s)
    assert (np.sign(fit.mean) == np.sign(b)).all()
    assert (np.abs(fit.mean) < np.abs(b)).all()


def test_an_estimate_of_zero():
    fit = adaptive_shrinkage(np.array([0.0, 2.0, -1.0]), np.array([0.3, 0.3, 0.3]))
    assert fit.mean[0] == 0.0
    np.testing.assert_allclose(fit.lfsr[0], 0.5, rtol=1e-14)


def test_two_genes_that_differ_keep_two_components():
    b, s = np.array([0.01, 50.0]), np.array([1.0, 1.0])
    fit = adaptive_shrinkage(b, s)
    narrow, wide = fit.prior_sd < 1.0, fit.prior_sd > 10.0
    assert 0.4 < fit.weights[narrow].sum() < 0.6
    assert 0.4 < fit.weights[wide].sum() < 0.6
    assert abs(fit.mean[0]) < 1e-3
    assert abs(fit.mean[1] - 50.0) < 0.1


def test_no_underflow_far_from_the_prior():
    b, s = simulated(500)
    b[0], s[0] = 40.0, 0.01  # z = 4000 in units of its own error
    b[1], s[1] = 1e-4, 1e3
    fit = adaptive_shrinkage(b, s)
    assert np.isfinite(fit.mean).all()
    assert np.isfinite(fit.sd).all()
    assert fit.mean[0] == pytest.approx(40.0, rel=1e-4)
    assert np.isfinite(fit.loglik)


def test_unusable_genes_stay_missing_and_change_nothing():
    b, s = simulated(100)
    bad_b = np.array([np.nan, 1.0, 1.0, 1.0, np.inf, 1.0])
    bad_s = np.array([1.0, np.nan, 0.0, np.inf, 1.0, -1.0])
    fit = adaptive_shrinkage(np.r_[bad_b, b], np.r_[bad_s, s])
    alone = adaptive_shrinkage(b, s)
    for name in ("mean", "sd", "lfsr"):
        assert np.isnan(getattr(fit, name)[:6]).all()
        np.testing.assert_array_equal(getattr(fit, name)[6:], getattr(alone, name))
    assert np.isnan(fit.false_sign_or_small(0.5)[:6]).all()
    np.testing.assert_array_equal(fit.weights, alone.weights)


@pytest.mark.parametrize("genes", [0, 3])
def test_no_usable_gene(genes):
    nothing = np.full(genes, np.nan)
    fit = adaptive_shrinkage(nothing, nothing)
    for values in (fit.mean, fit.sd, fit.lfsr, fit.false_sign_or_small(1.0)):
        np.testing.assert_array_equal(values, nothing)
    assert len(fit.weights) == len(fit.prior_sd) == 0
    assert fit.loglik == 0.0


def test_order_of_genes_does_not_matter():
    b, s = simulated()
    order = np.random.default_rng(0).permutation(len(b))
    forward, shuffled = adaptive_shrinkage(b, s), adaptive_shrinkage(b[order], s[order])
    np.testing.assert_allclose(shuffled.mean, forward.mean[order], rtol=1e-8)
    np.testing.assert_allclose(shuffled.sd, forward.sd[order], rtol=1e-8)


@pytest.mark.parametrize("factor", [8.0, np.log(2.0), 1e-5])
def test_a_common_scale_is_carried_through(factor):
    b, s = simulated()
    fit, scaled = adaptive_shrinkage(b, s), adaptive_shrinkage(factor * b, factor * s)
    np.testing.assert_allclose(scaled.mean, factor * fit.mean, rtol=1e-8)
    np.testing.assert_allclose(scaled.sd, factor * fit.sd, rtol=1e-8)
    np.testing.assert_allclose(scaled.lfsr, fit.lfsr, rtol=1e-8)
    np.testing.assert_allclose(scaled.loglik, fit.loglik - len(b) * np.log(factor), rtol=1e-10)


def test_signs_mirror():
    b, s = simulated(200)
    mirrored = adaptive_shrinkage(-b, s)
    fit = adaptive_shrinkage(b, s)
    np.testing.assert_array_equal(mirrored.mean, -fit.mean)
    np.testing.assert_array_equal(mirrored.lfsr, fit.lfsr)


def test_inputs_are_not_changed():
    b, s = simulated(50)
    b[3] = np.nan
    kept = b.copy(), s.copy()
    adaptive_shrinkage(b, s)
    np.testing.assert_array_equal(b, kept[0])
    np.testing.assert_array_equal(s, kept[1])


def test_too_few_iterations_are_reported(monkeypatch):
    monkeypatch.setattr(ashr, "MAX_ITER", 3)
    with pytest.warns(CountnestWarning, match="below its maximum likelihood after 3 iterations"):
        adaptive_shrinkage(*simulated(200))


def test_awkward_data_converge():
    # Warnings are errors here: a fit that misses its maximum fails.
    rng = np.random.default_rng(11)
    for trial in range(300):
        genes = int(rng.choice([1, 2, 3, 8, 60]))
        s = np.exp(rng.normal(scale=rng.choice([0.0, 1.0, 3.0]), size=genes))
        b = [
            s * rng.normal(size=genes),
            rng.standard_t(1, size=genes),
            np.zeros(genes),
            s * (1.0 + 10.0 ** rng.uniform(-16, -1, size=genes)),
            100.0 * rng.normal(size=genes) * (rng.random(genes) < 0.1),
        ][trial % 5]
        fit = adaptive_shrinkage(b, s)
        assert np.isfinite(fit.mean).all()
        assert (fit.sd > 0).all()
