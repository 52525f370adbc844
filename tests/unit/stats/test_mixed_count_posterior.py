"""Posterior distributions of contrasts against sums over the same nodes, and their limits."""

import numpy as np
import pytest
from mixed_count_cases import SEPARATED, families, table
from scipy.optimize import brentq
from scipy.stats import norm

from countnest.errors import OptionError
from countnest.stats.mixed.count_problem import CountProblem, Settings
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.mixed.grid import N_ALPHA, N_SIGMA, REACH, fit_posterior, sigma_scale
from countnest.stats.mixed.laplace import fit_counts, fit_with
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import Outcome

GENES = tuple(table("counts")["gene"][6:10])
TREND, PRIOR_SD, SCALE = np.log(np.array([0.2, 0.1, 0.3, 0.2])), 0.7, 0.3
CONTRASTS = np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0]])


def given(example, sigma, alpha):
    """Return restricted fits at one standard deviation and dispersion for each gene."""
    n_genes = len(example.counts)
    start = np.column_stack([np.broadcast_to(sigma, n_genes), np.broadcast_to(alpha, n_genes)])
    settings = Settings(start, np.zeros((n_genes, 4)), np.zeros(2, dtype=bool), 0)
    return fit_with(example.counts, example.offset, CountProblem.of(example.model), settings)


def nodes(example):
    """Return weights (K, G), means and standard deviations (K, G, k) at the nodes."""
    shrunken = ShrunkenDispersion(TREND, PRIOR_SD)
    problem, prior = CountProblem.of(example.model), np.zeros((len(TREND), 4))
    prior[:, 0], prior[:, 1], prior[:, 2] = TREND, PRIOR_SD**-2, SCALE**-2
    start = np.column_stack([np.full(len(TREND), np.nan), np.exp(TREND)])
    mode = fit_with(example.counts, example.offset, problem, Settings(start, prior, np.ones(2, dtype=bool), 0))
    widths = np.minimum(mode.theta_se[:, 0], SCALE), np.minimum(mode.log_dispersion_se, shrunken.prior_sd)
    low, high = np.maximum(mode.theta[:, 0] - REACH[0] * widths[0], 0.0), mode.theta[:, 0] + REACH[0] * widths[0]
    found = []
    for a in np.linspace(-REACH[1], REACH[1], N_ALPHA):
        for s in range(N_SIGMA):
            sigma = low + (high - low) * s / (N_SIGMA - 1)
            log_alpha = np.log(mode.dispersion) + a * widths[1]
            fits = given(example, sigma, np.exp(log_alpha))
            log_weight = fits.loglik - 0.5 * (sigma / SCALE) ** 2 - 0.5 * ((log_alpha - TREND) / PRIOR_SD) ** 2
            log_weight += np.log(0.5) if s in (0, N_SIGMA - 1) else 0.0
            variance = np.einsum("ki,gij,kj->gk", CONTRASTS, square(fits.covariance), CONTRASTS)
            found.append((log_weight, fits.coefficients @ CONTRASTS.T, np.sqrt(variance)))
    log_weight, mean, sd = (np.array(values) for values in zip(*found, strict=True))
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return weight / weight.sum(axis=0), mean, sd


def test_posteriors_are_mixtures_over_the_nodes():
    example = families(GENES)
    weight, mean, sd = nodes(example)
    found = fit_posterior(
        example.counts, example.offset, example.model, CONTRASTS, ShrunkenDispersion(TREND, PRIOR_SD), SCALE, level=0.9
    )
    weight = weight[:, :, np.newaxis]
    centre = (weight * mean).sum(axis=0)
    np.testing.assert_allclose(found.mean, centre, atol=1e-5)
    np.testing.assert_allclose(found.sd, np.sqrt((weight * (sd**2 + (mean - centre) ** 2)).sum(axis=0)), rtol=1e-5)
    below = (weight * norm.cdf(-mean / sd)).sum(axis=0)
    np.testing.assert_allclose(found.lfsr, np.minimum(below, 1.0 - below), rtol=1e-5)
    np.testing.assert_array_equal(found.tail, 2.0 * found.lfsr)
    for g, k in np.ndindex(found.mean.shape):
        for level, value in ((0.05, found.lower[g, k]), (0.95, found.upper[g, k])):

            def excess(at, g=g, k=k, level=level):
                return weight[:, g, 0] @ norm.cdf((at - mean[:, g, k]) / sd[:, g, k]) - level

            np.testing.assert_allclose(value, brentq(excess, -10.0, 10.0, xtol=1e-12), atol=1e-5)


def test_a_known_dispersion_and_a_tiny_scale_leave_a_normal_distribution():
    example = families(GENES)
    found = fit_posterior(example.counts, example.offset, example.model, CONTRASTS, 0.2, 1e-3)
    fits = given(example, 0.0, 0.2)
    np.testing.assert_allclose(found.mean, fits.coefficients @ CONTRASTS.T, atol=1e-4)
    variance = np.einsum("ki,gij,kj->gk", CONTRASTS, square(fits.covariance), CONTRASTS)
    np.testing.assert_allclose(found.sd, np.sqrt(variance), rtol=1e-4)
    np.testing.assert_allclose(found.upper - found.lower, 2.0 * norm.ppf(0.975) * np.sqrt(variance), rtol=1e-4)


def test_every_gene_has_a_posterior():
    genes = tuple(table("counts")["gene"])
    example = families(genes)
    counts = np.vstack([example.counts, np.zeros(48)])
    shrunken = ShrunkenDispersion(np.full(len(counts), np.log(0.15)), 0.8)
    fits = fit_counts(counts, example.offset, example.model, dispersion=shrunken)
    scale = sigma_scale(fits)
    assert 0.2 < scale < 0.5
    found = fit_posterior(counts, example.offset, example.model, CONTRASTS, shrunken, scale)
    assert np.isfinite(found.mean[:-1]).all()
    assert np.isnan(found.mean[-1]).all()
    assert found.outcome[-1] == Outcome.CONSTANT
    assert (found.lower[:-1] < found.mean[:-1]).all()
    assert (found.mean[:-1] < found.upper[:-1]).all()
    assert ((found.lfsr[:-1] >= 0.0) & (found.lfsr[:-1] <= 0.5)).all()
    separated = np.flatnonzero(np.array(genes) == SEPARATED)
    assert (found.outcome[separated] == Outcome.SEPARATED).all()


def test_wrong_scales_and_levels_are_refused():
    example = families(GENES)
    arguments = (example.counts, example.offset, example.model, CONTRASTS, 0.1)
    with pytest.raises(OptionError, match="must be positive"):
        fit_posterior(*arguments, 0.0)
    with pytest.raises(OptionError, match="between 0 and 1"):
        fit_posterior(*arguments, 0.3, level=1.0)
    empty = fit_counts(np.zeros((1, 48)), example.offset, example.model)
    with pytest.raises(OptionError, match="fit more genes"):
        sigma_scale(empty)
