"""Posterior distributions of contrasts against sums over a finer lattice, and their limits."""

from functools import cache

import numpy as np
import pytest
from mixed_count_cases import SEPARATED, families, table
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from countnest.errors import OptionError
from countnest.stats.mixed.count_ends import Settings
from countnest.stats.mixed.count_problem import CountProblem
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.mixed.grid import Question, fit_posterior, lattices, posterior, sigma_scale
from countnest.stats.mixed.laplace import fit_counts, fit_with
from countnest.stats.mixed.parts import square

GENES = tuple(table("counts")["gene"][6:10])
TREND, PRIOR_SD, SCALE = np.log(np.array([0.2, 0.1, 0.3, 0.2])), 0.7, 0.3
CONTRASTS = np.array(
    [
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    ]
)
THRESHOLD = 0.2


def given(example, sigma, alpha):
    """Return restricted fits at one standard deviation and dispersion for each gene."""
    n_genes = len(example.counts)
    start = np.column_stack([np.broadcast_to(sigma, n_genes), np.broadcast_to(alpha, n_genes)])
    settings = Settings(start, np.zeros((n_genes, 4)), np.zeros(2, dtype=bool), 0)
    return fit_with(example.counts, example.offset, CountProblem.of(example.model), settings)


@cache
def nodes():
    """Return weights (K, G), means (K, G, k) and covariances (K, G, k, k) at the nodes of a fine lattice."""
    example, found = families(GENES), []
    for log_ratio in np.arange(-3.0, 3.01, 0.3):
        for sigma in np.arange(0.0, 1.0, 0.04):
            fits = given(example, sigma, np.exp(TREND + log_ratio))
            log_weight = fits.loglik - 0.5 * (sigma / SCALE) ** 2 - 0.5 * (log_ratio / PRIOR_SD) ** 2
            covariance = np.einsum("ki,gij,mj->gkm", CONTRASTS, square(fits.covariance), CONTRASTS)
            found.append(
                (log_weight - (np.log(2.0) if sigma == 0.0 else 0.0), fits.coefficients @ CONTRASTS.T, covariance)
            )
    log_weight, mean, covariance = (np.array(values) for values in zip(*found, strict=True))
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return weight / weight.sum(axis=0), mean, covariance


def asked(**question):
    """Return the posterior of the genes above, with the priors above."""
    example = families(GENES)
    return fit_posterior(
        example.counts, example.offset, example.model, Question(CONTRASTS, **question),
        ShrunkenDispersion(TREND, PRIOR_SD), SCALE,
    )  # fmt: skip


def mixed(values):
    """Return the average of values (K, G, k) at the fine nodes."""
    return (nodes()[0][:, :, np.newaxis] * values).sum(axis=0)


def test_posteriors_are_mixtures_over_sigma_and_dispersion():
    _, mean, covariance = nodes()
    sd = np.sqrt(np.diagonal(covariance, axis1=2, axis2=3))
    centre = mixed(mean)
    whole = np.sqrt(mixed(sd**2 + (mean - centre) ** 2))
    found = asked(threshold=THRESHOLD)
    np.testing.assert_allclose(found.mean, centre, atol=5e-3 * whole.max())
    np.testing.assert_allclose(found.sd, whole, rtol=4e-3)
    for k, at in enumerate((-THRESHOLD, THRESHOLD)):
        np.testing.assert_allclose(found.below[:, :, k], mixed(norm.cdf((at - mean) / sd)), rtol=0.03, atol=1e-5)
        np.testing.assert_allclose(found.above[:, :, k], mixed(norm.sf((at - mean) / sd)), rtol=0.03, atol=1e-5)
    assert np.isnan(found.lower).all()
    assert np.isnan(found.joint).all()


def test_false_sign_rates_are_the_smaller_tails():
    found, beyond = asked(), asked(threshold=THRESHOLD)
    np.testing.assert_allclose(found.below[..., 0] + found.above[..., 0], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(found.lfsr, np.minimum(found.below[..., 0], found.above[..., 0]))
    np.testing.assert_array_equal(found.tail, 2.0 * found.lfsr)
    likelier = np.maximum(beyond.above[..., 1], beyond.below[..., 0])
    np.testing.assert_allclose(beyond.lfsr, 1.0 - likelier, rtol=1e-9, atol=1e-14)
    assert (beyond.lfsr > found.lfsr).all()
    assert (beyond.tail <= 1.0).all()


def test_intervals_are_between_quantiles():
    weight, mean, covariance = nodes()
    sd = np.sqrt(np.diagonal(covariance, axis1=2, axis2=3))
    found = asked(level=0.9)
    for g, k in np.ndindex(found.mean.shape):
        for level, value in ((0.05, found.lower[g, k]), (0.95, found.upper[g, k])):

            def excess(at, g=g, k=k, level=level):
                return weight[:, g] @ norm.cdf((at - mean[:, g, k]) / sd[:, g, k]) - level

            np.testing.assert_allclose(value, brentq(excess, -10.0, 10.0, xtol=1e-12), atol=0.02 * found.sd[g, k])


def test_joint_tails_average_those_of_chi_square_whatever_the_rows():
    weight, mean, covariance = nodes()
    found = asked(joint=True)
    distance = np.einsum("ngk,ngkm,ngm->ng", mean, np.linalg.inv(covariance), mean)
    np.testing.assert_allclose(found.joint, (weight * chi2.sf(distance, 3)).sum(axis=0), rtol=0.05, atol=1e-6)
    np.testing.assert_array_equal(found.mean, asked().mean)
    example, dispersion = families(GENES), ShrunkenDispersion(TREND, PRIOR_SD)
    turned = np.vstack([[[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]] @ CONTRASTS, CONTRASTS[:1]])
    again = fit_posterior(
        example.counts, example.offset, example.model, Question(turned, joint=True), dispersion, SCALE
    )
    np.testing.assert_allclose(again.joint, found.joint, rtol=1e-9)
    one = Question(CONTRASTS[:1], joint=True)
    alone = fit_posterior(example.counts, example.offset, example.model, one, dispersion, SCALE)
    np.testing.assert_allclose(alone.joint, alone.tail[:, 0], rtol=0.02)


def test_a_known_dispersion_and_a_tiny_scale_leave_a_normal_distribution():
    example = families(GENES)
    question = Question(CONTRASTS, level=0.95)
    found = fit_posterior(example.counts, example.offset, example.model, question, 0.2, 1e-3)
    fits = given(example, 0.0, 0.2)
    np.testing.assert_allclose(found.mean, fits.coefficients @ CONTRASTS.T, atol=1e-4)
    variance = np.einsum("ki,gij,kj->gk", CONTRASTS, square(fits.covariance), CONTRASTS)
    np.testing.assert_allclose(found.sd, np.sqrt(variance), rtol=1e-4)
    np.testing.assert_allclose(found.upper - found.lower, 2.0 * norm.ppf(0.975) * np.sqrt(variance), rtol=1e-4)


def test_the_lattice_may_be_explored_from_anywhere():
    example, dispersion = families(GENES), ShrunkenDispersion(TREND, PRIOR_SD)
    fits = fit_counts(example.counts, example.offset, example.model, dispersion=dispersion)
    usual = lattices(fits, dispersion, SCALE)
    moved = type(usual)(usual.centre * np.array([0.3, 1.5]), usual.step, usual.prior)
    first, second = (
        posterior(example.counts, example.offset, example.model, each, Question(CONTRASTS)) for each in (usual, moved)
    )
    np.testing.assert_allclose(second.mean, first.mean, atol=5e-3 * first.sd.max())
    np.testing.assert_allclose(second.sd, first.sd, rtol=0.01)


def test_every_gene_has_a_posterior():
    genes = tuple(table("counts")["gene"])
    example = families(genes)
    counts = np.vstack([example.counts, np.zeros(48)])
    shrunken = ShrunkenDispersion(np.full(len(counts), np.log(0.15)), 0.8)
    fits = fit_counts(counts, example.offset, example.model, dispersion=shrunken)
    scale = sigma_scale(fits)
    assert 0.2 < scale < 0.5
    found = fit_posterior(
        counts, example.offset, example.model, Question(CONTRASTS, level=0.95, joint=True), shrunken, scale
    )
    assert np.isfinite(found.mean[:-1]).all()
    assert np.isnan(found.mean[-1]).all()
    assert np.isnan(found.joint[-1])
    assert (found.lower[:-1] < found.mean[:-1]).all()
    assert (found.mean[:-1] < found.upper[:-1]).all()
    assert ((found.lfsr[:-1] >= 0.0) & (found.lfsr[:-1] <= 0.5)).all()
    assert ((found.joint[:-1] >= 0.0) & (found.joint[:-1] <= 1.0)).all()
    separated = genes.index(SEPARATED)
    assert found.sd[separated].max() > 20.0 * np.median(found.sd[:-1])


def test_genes_stand_for_themselves():
    example = families(GENES)
    whole = asked(level=0.9, joint=True)
    for g in range(len(GENES)):
        own = fit_posterior(
            example.counts[g : g + 1], example.offset, example.model, Question(CONTRASTS, level=0.9, joint=True),
            ShrunkenDispersion(TREND[g : g + 1], PRIOR_SD), SCALE,
        )  # fmt: skip
        for name in ("mean", "sd", "below", "above", "lower", "upper", "joint"):
            np.testing.assert_array_equal(getattr(own, name)[0], getattr(whole, name)[g])


def test_wrong_scales_are_refused():
    example = families(GENES)
    with pytest.raises(OptionError, match="must be positive"):
        fit_posterior(example.counts, example.offset, example.model, Question(CONTRASTS), 0.1, 0.0)
    empty = fit_counts(np.zeros((1, 48)), example.offset, example.model)
    with pytest.raises(OptionError, match="fit more genes"):
        sigma_scale(empty)
