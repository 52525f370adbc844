"""Likeliest size factors, and the rounds that alternate them with dispersions."""

import numpy as np
import pytest
from scipy.stats import nbinom

import countnest as cn
from countnest.errors import NormalizationError
from countnest.methods.deseq2 import iterate as rounds
from countnest.methods.deseq2.iterate import iterated_size_factors
from countnest.parallel.run import Engine
from countnest.stats.norm import iterate
from countnest.stats.norm.iterate import count_logliks, ml_size_factors

# DESeq2::estimateSizeFactors(type = "iterate") of pasilla.
PASILLA = {
    "untreated1": 1.1392774980753932,
    "untreated2": 1.7803924551962351,
    "untreated3": 0.64393025685808436,
    "untreated4": 0.74707017262559472,
    "treated1": 1.6220146551458141,
    "treated2": 0.76124910498958975,
    "treated3": 0.82999014730251408,
}


@pytest.fixture(scope="module")
def study():
    """Counts (G, n), expected means (G, n), dispersions (G,) and the true size factors, of geometric mean 1."""
    rng = np.random.default_rng(1)
    depth = np.array([0.4, 0.9, 1.0, 1.6, 2.2])
    depth /= np.exp(np.log(depth).mean())
    base, alpha = np.exp(rng.uniform(0.0, 6.0, 1200)), rng.uniform(0.02, 0.4, 1200)
    mu = base[:, None] * depth
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu)).astype(float)
    seen = counts.any(axis=1)
    return counts[seen], np.repeat(base[seen, None], 5, axis=1), alpha[seen], depth


def logliks_of(counts, expected, alpha):
    """Return the function from size factors to the log-likelihoods of all counts."""
    return lambda size_factors: count_logliks(counts, expected * size_factors, alpha)


def trimmed_loss(log_factors, counts, expected, alpha):
    mu = expected * np.exp(log_factors - log_factors.mean())
    loglik = nbinom.logpmf(counts, 1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu)).sum(axis=1)
    return -loglik[loglik > np.quantile(loglik, 0.05)].sum()


def test_loss_and_gradient_are_those_of_the_trimmed_likelihood(study):
    counts, expected, alpha, _ = study
    at = np.array([0.3, -0.2, 0.4, 0.0, 0.1])
    value, gradient = iterate._Loss(logliks_of(counts, expected, alpha))(at)
    assert value == pytest.approx(trimmed_loss(at, counts, expected, alpha), rel=1e-12)
    for j, move in enumerate(1e-3 * np.eye(5)):
        rise = trimmed_loss(at + move, counts, expected, alpha) - trimmed_loss(at - move, counts, expected, alpha)
        assert gradient[j] == pytest.approx(rise / 2e-3, rel=1e-7, abs=1e-5)


def test_the_true_depths_are_found(study):
    counts, expected, alpha, depth = study
    found = ml_size_factors(logliks_of(counts, expected, alpha), np.ones(5))
    assert np.log(found).mean() == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(found, depth, rtol=0.05)


def test_a_search_that_does_not_end_says_what_to_do(study, monkeypatch):
    monkeypatch.setattr(iterate, "MAX_ITER", 1)
    counts, expected, alpha, _ = study
    with pytest.raises(NormalizationError, match=r"did not converge.*'poscounts'"):
        ml_size_factors(logliks_of(counts, expected, alpha), np.ones(5))


def test_pasilla_has_the_size_factors_of_deseq2():
    study = cn.datasets.load("pasilla")
    found = iterated_size_factors(study.counts.to_numpy(dtype=np.float64, copy=True), Engine())
    np.testing.assert_allclose(found, [PASILLA[name] for name in study.counts.columns], rtol=1e-8)


def test_genes_without_counts_change_nothing(study):
    counts, _, _, depth = study
    found = iterated_size_factors(counts, Engine())
    np.testing.assert_allclose(found, depth, rtol=0.05)
    np.testing.assert_array_equal(iterated_size_factors(counts, Engine(n_threads=2, chunk_size=100)), found)
    np.testing.assert_array_equal(iterated_size_factors(np.vstack([np.zeros((3, 5)), counts]), Engine()), found)


def test_size_factors_that_do_not_settle(study, monkeypatch):
    monkeypatch.setattr(rounds, "TOLERANCE", 0.0)
    monkeypatch.setattr(rounds, "MAX_ROUNDS", 2)
    with pytest.raises(NormalizationError, match=r"did not converge: after 2 rounds.*'poscounts'"):
        iterated_size_factors(study[0], Engine())


def test_counts_without_dispersion_have_no_rounds():
    counts = np.tile(np.arange(5.0, 45.0)[:, None], (1, 4))
    with pytest.raises(NormalizationError, match=r"type='iterate' needs dispersions.*Poisson"):
        iterated_size_factors(counts, Engine())
    with pytest.raises(NormalizationError, match="needs 2 samples or more"):
        iterated_size_factors(counts[:, :1], Engine())
